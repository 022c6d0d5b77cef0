/*
 * The decoder of the chunked coding (RFC 9112, 7.1), of request and of response bodies.
 *
 * It accepts no size, extension or line end that another reader could understand differently. It
 * reads framing and leaves the body's bytes where they are:
 *
 *   chunked_read() ── body bytes follow: chunked_in_data(), left ──> chunked_take() ──> …
 *                  └─ the end: chunked_ended()
 */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/refusal.h"
#include "http/request.h"

struct http1_chunked { /* zeros: at the beginning */
	uint8_t state;
	uint8_t line_bytes;       /* of the present line of size and extensions */
	uint32_t extension_bytes; /* of all such lines, minus the body bytes so far */
	uint32_t trailer_bytes;
	uint64_t left; /* of the present chunk */
};

/* Reads framing at the front of data. Returns how many bytes of it were read, or minus an enum
 * http_refusal. Stops before body bytes, of which chunked->left follow, or at the end. trailer_max
 * bounds the bytes of all trailer fields together. trailers (NULL: they are dropped) gets their
 * lines, for http_trailer_next(); more than it may hold, or memory has, is too long. */
long http1_chunked_read(struct http1_chunked *, const uint8_t *data, size_t len, size_t trailer_max,
			struct buf *trailers);
/* The caller took len of the body bytes; at most left. */
void http1_chunked_take(struct http1_chunked *, size_t len);
/* Is the next byte part of the body? (left is then the rest of its chunk.) */
bool http1_chunked_in_data(const struct http1_chunked *);
bool http1_chunked_ended(const struct http1_chunked *);

/* Walks the trailer fields of a body that has ended: *at is 0 at the beginning. False: there is no
 * other. The texts point into the buffer. */
bool http_trailer_next(const struct buf *trailers, size_t *at, struct http_header *ret);

#endif
