/*
 * What a client accepts: content codings (RFC 9110, 12.5.3) and media types (12.5.1).
 *
 * Pure. An element that is malformed counts as one with "q=0".
 */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/condition.h"

enum http_coding { HTTP_IDENTITY, HTTP_BR, HTTP_ZSTD, HTTP_GZIP, HTTP_CODINGS };

/* The name as Content-Encoding has it, and what ends the name of a file with that coding; of
 * HTTP_IDENTITY "identity" and "". */
const char *http_coding_name(enum http_coding);
const char *http_coding_suffix(enum http_coding);

/* How much each coding is wanted; 0: it is not acceptable. Only for comparison: identity that is
 * not mentioned is acceptable, but less than all that is mentioned. */
struct http_codings {
	uint16_t quality[HTTP_CODINGS];
};

/* Without Accept-Encoding only identity is acceptable: RFC 9110 allows any coding then, but such a
 * client may know none. */
void http_codings_read(const struct http_request *, const struct http_asks *,
		       struct http_codings *ret);

/* Does Accept want application/json more than text/html? */
bool http_accepts_json(const struct http_request *, const struct http_asks *);

#endif
