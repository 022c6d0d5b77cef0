/*
 * What the heads of requests and of responses have in common: lines, fields, lists and lengths (RFC
 * 9112, 2 and 5; RFC 9110, 5). For those who parse or write one.
 *
 * Pure: bytes in, offsets out. Functions that refuse return minus an enum http_refusal.
 */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

/*
 * Finds the end of the head whose first line begins at data + start; what is before it belongs to
 * the head, too. > 0: the length of the head with its blank line; 0: it is not complete, and *scan
 * remembers how far it was searched; < 0: minus REFUSE_BARE_LF or REFUSE_BARE_CR (*scan is the
 * position of the LF, which no CR precedes, or two), REFUSE_BLANK_LINES (the first line is empty)
 * or REFUSE_HEAD_TOO_LONG.
 */
long http_lines_end(const char *data, size_t len, size_t start, size_t head_max, size_t *scan);

/* A position in a head; end is one past its last byte. Every line in between ends in CRLF, which
 * http_lines_end() has seen, so a walk over allowed characters stops inside the head. */
struct http_cursor {
	const char *at;
	const char *end;
};

/*
 * Reads "field-name ":" OWS field-value OWS CRLF" and moves to the next line. The slices count from
 * base. is_response: blanks between name and colon, for which a request is refused, are left out
 * (RFC 9112, 5.1). 0, or minus REFUSE_FIELD_FOLDED, _NAME or _VALUE.
 */
int http_field_read(struct http_cursor *, const char *base, bool is_response,
		    struct http_field *ret);

/* Compares without regard to the case of ASCII letters; name is in lower case. */
bool http_name_is(const char *s, size_t len, const char *name);

/* Takes the next element off the front of a comma-separated list, without the blanks around it;
 * false at the end. Empty elements count as elements. */
bool http_list_next(const char **at, const char *end, const char **ret, size_t *ret_len);

/* Reads a Content-Length: only digits. 0, or -REFUSE_LENGTH_FORM: anything else, a list, or so
 * large that it could not be told from an unknown length. */
int http_length_read(const char *value, size_t len, uint64_t *ret);

#endif
