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

#endif
