/*
 * struct text: formats into a fixed array that somebody else owns, never past its end.
 *
 * For building one line, one head, one field without allocation. What does not fit is cut, and
 * truncated says so; what is there is always terminated.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* borrowed; data[len] is always NUL */
	size_t len;
	size_t size; /* bytes behind data, the terminator's included; at least 1 */
	bool truncated;
};

void text_init(struct text *, char *data, size_t size);
void text_add(struct text *, const void *data, size_t len);
void text_add_str(struct text *, const char *);
void text_add_char(struct text *, char);
void text_add_uint(struct text *, uint64_t); /* decimal, without printf */
void text_addf(struct text *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vaddf(struct text *, const char *format, va_list) __attribute__((format(printf, 2, 0)));

/*
 * Appends bytes that came from outside so that no one can mistake them: printable ASCII stays,
 * a backslash and `"` get a backslash, everything else (controls, 8-bit, DEL) becomes \ooo, \n and
 * the like, in the manner of vis(3) VIS_CSTYLE|VIS_OCTAL|VIS_DQ. Blanks stay as they are.
 */
void text_add_escaped(struct text *, const void *data, size_t len);

/* The length of the UTF-8 sequence that data begins with (RFC 3629: no overlong form, no
 * surrogate), 0 for none; len is at least 1. */
size_t text_utf8_len(const void *data, size_t len);

/* The same of a character that can be shown as it is: 0, too, for one that text_add_utf8() escapes.
 */
size_t text_shown_len(const void *data, size_t len);

/*
 * Appends a name for people: UTF-8 stays, a backslash and `"` as well. A byte that is not part of
 * it becomes \ooo, and so does every character that a terminal could take for a command or that
 * makes a text look like another one: controls, line and paragraph separators, what changes the
 * direction of writing, what is not seen at all (Unicode, 23.2 and 23.3). What does not fit ends in
 * "...", never in half a character. A text that was made so stays as it is when it is made so
 * again.
 */
void text_add_utf8(struct text *, const void *data, size_t len);

#endif
