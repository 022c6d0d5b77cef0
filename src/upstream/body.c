/*
 * Runs in the workers, on bytes of any upstream: where the body of a response ends. Must never give
 * out a byte of framing as one of the body, nor let a connection be used again when it is not
 * certain where the next response begins.
 */
#include "upstream/body.h"

#include <string.h>

#include "base/num.h"

void upstream_body_begin(struct upstream_body *b, const struct upstream_response *r,
			 struct buf *trailers)
{
	*b = (struct upstream_body){
	    .framing = r->framing,
	    .ended = r->framing == UPSTREAM_BODY_NONE,
	    .keep_alive = r->keep_alive,
	    .left = r->framing == UPSTREAM_BODY_LENGTH ? r->content_length : 0,
	    .trailers = trailers,
	};
}

static enum upstream_fault chunked_fault(long refusal)
{
	return -refusal == REFUSE_TRAILER_FORM || -refusal == REFUSE_TRAILER_TOO_LONG
		   ? UPSTREAM_FAULT_TRAILER
		   : UPSTREAM_FAULT_CHUNK;
}

static long chunked_read(struct upstream_body *b, const uint8_t *data, size_t len, size_t *ret_body)
{
	const size_t most = b->trailers != NULL ? b->trailers->max : UPSTREAM_TRAILERS_MAX;
	const long used = http1_chunked_read(&b->chunked, data, len, most, b->trailers);
	if (used < 0)
		return -(long)chunked_fault(used);
	b->ended = http1_chunked_ended(&b->chunked);
	*ret_body = http1_chunked_in_data(&b->chunked)
			? (size_t)num_least(len - (size_t)used, b->chunked.left)
			: 0;
	return used;
}

long upstream_body_read(struct upstream_body *b, const uint8_t *data, size_t len, size_t *ret_body)
{
	*ret_body = 0;
	switch (b->framing) {
	case UPSTREAM_BODY_NONE:
		break;
	case UPSTREAM_BODY_LENGTH:
		*ret_body = (size_t)num_least(len, b->left);
		break;
	case UPSTREAM_BODY_CHUNKED:
		return chunked_read(b, data, len, ret_body);
	case UPSTREAM_BODY_CLOSE:
	case UPSTREAM_TUNNEL:
		*ret_body = len;
		break;
	}
	return 0;
}

void upstream_body_take(struct upstream_body *b, size_t len)
{
	if (b->framing == UPSTREAM_BODY_CHUNKED && len > 0) {
		http1_chunked_take(&b->chunked, len);
	} else if (b->framing == UPSTREAM_BODY_LENGTH) {
		b->left -= len;
		b->ended = b->left == 0;
	}
}

enum upstream_fault upstream_body_cut(struct upstream_body *b)
{
	if (b->framing == UPSTREAM_BODY_CLOSE || b->framing == UPSTREAM_TUNNEL)
		b->ended = true;
	b->keep_alive = false;
	return b->ended ? UPSTREAM_FAULT_NONE : UPSTREAM_FAULT_CUT;
}

/* --- chunks ----------------------------------------------------------------------------------- */

#define CHUNK_MAX ((size_t)0xffffffff) /* eight digits */

static size_t hex_write(uint8_t *out, size_t value)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 1;
	while (n < 8 && value >> 4 * n != 0)
		n++;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)digits[value >> 4 * (n - 1 - i) & 15];
	return n;
}

size_t upstream_chunk_write(uint8_t *out, size_t size, const uint8_t *data, size_t len,
			    size_t *ret_taken)
{
	*ret_taken = 0;
	if (size <= UPSTREAM_CHUNK_ROOM || len == 0)
		return 0;
	const size_t n = (size_t)num_least(num_least(len, size - UPSTREAM_CHUNK_ROOM), CHUNK_MAX);
	size_t used = hex_write(out, n);
	memcpy(out + used, "\r\n", 2);
	memcpy(out + used + 2, data, n);
	memcpy(out + used + 2 + n, "\r\n", 2);
	*ret_taken = n;
	return used + 4 + n;
}

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
	if (len > 0)
		memcpy(at, data, len);
	return at + len;
}

size_t upstream_chunk_end(uint8_t *out, size_t size, const struct buf *trailers,
			  const struct upstream_options *connection)
{
	uint8_t *at = out, *const end = out + size;
	size_t walk = 0, line = 0;
	struct http_header h;
	if (size < 5)
		return SIZE_MAX;
	at = put(at, "0\r\n", 3);
	for (; trailers != NULL && http_trailer_next(trailers, &walk, &h); line = walk) {
		/* with a blank only if it came with one: so it never becomes longer */
		const size_t bare = (size_t)h.name_len + h.value_len + 3,
			     blank = walk - line > bare;
		if (!upstream_trailer_passes(&h, connection))
			continue;
		if ((size_t)(end - at) < bare + blank + 2)
			return SIZE_MAX;
		at = put(at, h.name, h.name_len);
		at = put(at, ": ", 1 + blank);
		at = put(at, h.value, h.value_len);
		at = put(at, "\r\n", 2);
	}
	at = put(at, "\r\n", 2);
	return (size_t)(at - out);
}
