/*
 * struct buf: a bounded queue of bytes. Bytes are appended at the end and consumed at the front.
 *
 * The memory is allocated on the first append and given back by buf_release(), so an idle owner
 * costs the struct alone. Nothing here logs or exits.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;    /* owned; NULL while nothing was ever appended */
	size_t start;     /* the first byte that is still wanted */
	size_t end;       /* one past the last byte */
	size_t allocated; /* bytes behind data */
	size_t max;       /* it never holds more than this many bytes */
};

#define BUF_INIT(max_bytes)        \
	{                          \
		.max = (max_bytes) \
	}

/* Frees the memory; the buffer is empty and can be used again. */
void buf_release(struct buf *);

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

/* NULL as long as nothing was appended. */
static inline const uint8_t *buf_head(const struct buf *b)
{
	return b->data == NULL ? NULL : b->data + b->start;
}

/* Appends all of it, or nothing: 0, -ENOBUFS past max, -ENOMEM. */
int buf_append(struct buf *, const void *data, size_t len);

/* Makes room for len more bytes and returns where they go, NULL past max or out of memory; the
 * caller writes there and then tells buf_advance() how many it wrote. */
uint8_t *buf_reserve(struct buf *, size_t len);
void buf_advance(struct buf *, size_t len);

/* Drops len bytes (at most buf_len()) from the front. */
void buf_consume(struct buf *, size_t len);

#endif
