/*
 * Bodies between a worker and an upstream: the decoder of a response's (RFC 9112, 6.3 and 7.1), and
 * the chunks of a request's.
 *
 * Pure. The decoder reads framing and leaves the body's bytes where they are:
 *
 *   body_read() ── bytes of the body follow ──> body_take() ──> body_read() …
 *               └─ body_ended()                      the connection ends: body_cut()
 */
#ifndef UPSTREAM_BODY_H
#define UPSTREAM_BODY_H

#include "base/buf.h"
#include "http/chunked.h"
#include "upstream/field.h"
#include "upstream/response.h"

struct upstream_body {
	enum upstream_framing framing;
	bool ended;
	bool keep_alive; /* of the response */
	uint64_t left;   /* with UPSTREAM_BODY_LENGTH */
	struct http1_chunked chunked;
	struct buf *trailers; /* borrowed */
};

/* trailers gets the lines of the trailer fields, at most as many bytes as it may hold; NULL: they
 * are dropped, and may have UPSTREAM_TRAILERS_MAX. A tunnel is a body to the end of the
 * connection. */
#define UPSTREAM_TRAILERS_MAX 16384
void upstream_body_begin(struct upstream_body *, const struct upstream_response *,
			 struct buf *trailers);

/* Reads framing at the front of data. Returns how many bytes of it were read, and *ret_body is how
 * many bytes of the body follow them in data; or minus an enum upstream_fault. */
long upstream_body_read(struct upstream_body *, const uint8_t *data, size_t len, size_t *ret_body);
/* The caller took so many bytes of the body; at most *ret_body. */
void upstream_body_take(struct upstream_body *, size_t len);

static inline bool upstream_body_ended(const struct upstream_body *b)
{
	return b->ended;
}

/* The connection ended, and all bytes from it were read. UPSTREAM_FAULT_NONE: so did the body. */
enum upstream_fault upstream_body_cut(struct upstream_body *);

/* May the connection be used again? Not if the response said so, if its body has not ended, nor if
 * bytes follow it: rest of them. */
static inline bool upstream_body_reusable(const struct upstream_body *b, size_t rest)
{
	return b->ended && b->keep_alive && rest == 0;
}

/* --- the body of a request, in chunks --------------------------------------------------------- */

#define UPSTREAM_CHUNK_ROOM 12 /* what a chunk has besides its bytes, at most */

/* Writes one chunk, with as many bytes as there is room for, and *ret_taken is their number.
 * Returns how many bytes were written. 0: there is no room for a chunk of one byte, or len is 0. */
size_t upstream_chunk_write(uint8_t *out, size_t size, const uint8_t *data, size_t len,
			    size_t *ret_taken);

/* Writes the end: the last chunk, those of the trailer fields (NULL: none) that may be passed on
 * after a head with this Connection, and the blank line. SIZE_MAX: out is too small; their bytes
 * and UPSTREAM_CHUNK_ROOM are enough.
 */
size_t upstream_chunk_end(uint8_t *out, size_t size, const struct buf *trailers,
			  const struct upstream_options *connection);

#endif
