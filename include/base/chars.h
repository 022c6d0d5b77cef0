/* What a byte of a message of HTTP may be part of: one table. */
#ifndef BASE_CHARS_H
#define BASE_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CHAR_TOKEN = 1,  /* RFC 9110, 5.6.2 */
	CHAR_VALUE = 2,  /* of a field value: blanks, visible, obs-text (RFC 9110, 5.5) */
	CHAR_TARGET = 4, /* of a request target: visible ASCII except "#" */
	CHAR_REGNAME = 8 /* of a host name, but not of its escapes: RFC 3986, 3.2.2 */
};

extern const uint8_t chars[256];

static inline bool char_is(char c, unsigned set)
{
	return (chars[(unsigned char)c] & set) != 0;
}

static inline bool char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* How many bytes at the front are of a token. */
size_t chars_token_len(const char *s, size_t len);

#endif
