/*
 * Runs in the workers: the chunked coding of request bodies (RFC 9112, 7.1). Must never accept a
 * size or a line end that another reader could take differently; extensions and trailers are read
 * within bounds and dropped.
 */
#include "internal.h"

#define CHUNK_LINE_MAX    255  /* bytes of a size with its extensions */
#define CHUNK_TRAILER_MAX 8192 /* bytes of all trailer fields */

enum chunk_state {
	CHUNK_SIZE, /* the first digit; 0, where a zeroed decoder begins */
	CHUNK_SIZE_MORE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER,
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_END
};

static int expect(char c, char wanted, enum chunk_state next)
{
	return c == wanted ? (int)next : -400;
}

static int size_step(struct http1_chunked *k, char c)
{
	int digit = char_hex(c);
	if (digit >= 0) {
		if (k->left > UINT64_MAX >> 4)
			return -400;
		k->left = k->left << 4 | (unsigned)digit;
		return CHUNK_SIZE_MORE;
	}
	if (k->state == CHUNK_SIZE)
		return -400;
	return c == ';' ? (int)CHUNK_EXTENSION : expect(c, '\r', CHUNK_SIZE_LF);
}

static int trailer_step(struct http1_chunked *k, char c)
{
	if (++k->trailer_bytes > CHUNK_TRAILER_MAX)
		return -431;
	switch ((enum chunk_state)k->state) {
	case CHUNK_TRAILER:
		if (c == '\r')
			return CHUNK_END_LF;
		return char_is(c, CHAR_TOKEN) ? (int)CHUNK_TRAILER_NAME : -400;
	case CHUNK_TRAILER_NAME:
		if (char_is(c, CHAR_TOKEN))
			return CHUNK_TRAILER_NAME;
		return expect(c, ':', CHUNK_TRAILER_VALUE);
	case CHUNK_TRAILER_VALUE:
		if (char_is(c, CHAR_VALUE))
			return CHUNK_TRAILER_VALUE;
		return expect(c, '\r', CHUNK_TRAILER_LF);
	default:
		return expect(c, '\n', CHUNK_TRAILER);
	}
}

/* The state behind one byte of framing, or minus a status. */
static int chunk_step(struct http1_chunked *k, char c)
{
	if (k->state <= CHUNK_EXTENSION && k->line_bytes++ == CHUNK_LINE_MAX)
		return -400;
	switch ((enum chunk_state)k->state) {
	case CHUNK_SIZE:
	case CHUNK_SIZE_MORE:
		return size_step(k, c);
	case CHUNK_EXTENSION:
		return char_is(c, CHAR_VALUE) ? (int)CHUNK_EXTENSION
					      : expect(c, '\r', CHUNK_SIZE_LF);
	case CHUNK_SIZE_LF:
		k->line_bytes = 0;
		return expect(c, '\n', k->left > 0 ? CHUNK_DATA : CHUNK_TRAILER);
	case CHUNK_DATA_CR:
		return expect(c, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		return expect(c, '\n', CHUNK_SIZE);
	case CHUNK_TRAILER:
	case CHUNK_TRAILER_NAME:
	case CHUNK_TRAILER_VALUE:
	case CHUNK_TRAILER_LF:
		return trailer_step(k, c);
	case CHUNK_END_LF:
		return expect(c, '\n', CHUNK_END);
	case CHUNK_DATA:
	case CHUNK_END:
		break;
	}
	return -400;
}

long http1_chunked_read(struct http1_chunked *k, const uint8_t *data, size_t len)
{
	size_t used = 0;
	while (used < len && k->state != CHUNK_DATA && k->state != CHUNK_END) {
		int next = chunk_step(k, (char)data[used]);
		if (next < 0)
			return next;
		k->state = (uint8_t)next;
		used++;
	}
	return (long)used;
}

void http1_chunked_take(struct http1_chunked *k, size_t len)
{
	k->left -= len;
	if (k->left == 0)
		k->state = CHUNK_DATA_CR;
}

bool http1_chunked_in_data(const struct http1_chunked *k)
{
	return k->state == CHUNK_DATA;
}

bool http1_chunked_ended(const struct http1_chunked *k)
{
	return k->state == CHUNK_END;
}
