/*
 * struct text: formats into a fixed array that the caller owns, never past its end.
 *
 * It builds one line, one head or one field without allocation. Text that does not fit is cut and
 * truncated is set; the array is always NUL-terminated.
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
	size_t size; /* size of the array with the terminator; at least 1 */
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
 * Appends bytes that came from outside in an unambiguous form. Printable ASCII and blanks stay, a
 * backslash and `"` get a backslash, and every other byte (controls, 8-bit, DEL) becomes \ooo, \n
 * or the like, as vis(3) does with VIS_CSTYLE|VIS_OCTAL|VIS_DQ.
 */
void text_add_escaped(struct text *, const void *data, size_t len);

/* Returns the length of the UTF-8 sequence at the start of data (RFC 3629: no overlong form, no
 * surrogate), or 0 if there is none. len is at least 1. */
size_t text_utf8_len(const void *data, size_t len);

/* The same, but also 0 for a character that text_add_utf8() escapes. */
size_t text_shown_len(const void *data, size_t len);

/*
 * Appends a name for people. UTF-8 stays, and so do a backslash and `"`. These become \ooo: bytes
 * that are not valid UTF-8, and characters that a terminal could take for a command or that make
 * one text look like another (controls, line and paragraph separators, direction marks, invisible
 * characters: Unicode, 23.2 and 23.3). Text that does not fit ends in "...", never in half a
 * character. Escaping text that is escaped already does not change it.
 */
void text_add_utf8(struct text *, const void *data, size_t len);

#endif
