/*
 * struct buf: a bounded queue of bytes. Bytes are appended at the end and consumed at the front.
 *
 * The first append allocates the memory and buf_release() frees it, so an idle owner costs no more
 * than the struct. Nothing here logs or exits.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;    /* owned; NULL until the first append */
	size_t start;     /* the first byte that was not consumed yet */
	size_t end;       /* one past the last byte */
	size_t allocated; /* size of the allocation at data */
	size_t max;       /* the buffer never holds more than this many bytes */
};

#define BUF_INIT(max_bytes)        \
	{                          \
		.max = (max_bytes) \
	}

/* Frees the memory. The buffer is empty afterwards and can be used again. */
void buf_release(struct buf *);

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

/* NULL until the first append. */
static inline const uint8_t *buf_head(const struct buf *b)
{
	return b->data == NULL ? NULL : b->data + b->start;
}

/* Appends all len bytes or none. Returns 0, -ENOBUFS past max, or -ENOMEM. */
int buf_append(struct buf *, const void *data, size_t len);

/* Makes room for len more bytes and returns where to write them; NULL past max or out of memory.
 * After writing, the caller passes the number of bytes to buf_advance(). */
uint8_t *buf_reserve(struct buf *, size_t len);
void buf_advance(struct buf *, size_t len);

/* Drops len bytes (at most buf_len()) from the front. */
void buf_consume(struct buf *, size_t len);

#endif
