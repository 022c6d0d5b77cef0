/* Runs in every process. Must never hold more than max bytes. */
#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void buf_release(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->start = b->end = b->allocated = 0;
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
	size_t used = buf_len(b);
	if (len > b->max || used > b->max - len)
		return NULL;
	if (b->allocated - b->end >= len && b->data != NULL)
		return b->data + b->end;

	if (b->data != NULL &&
	    b->start > 0) { /* move the unread bytes to the front; that often makes enough room */
		memmove(b->data, b->data + b->start, used);
		b->start = 0;
		b->end = used;
	}
	if (b->data == NULL || b->allocated - used < len) {
		size_t size = b->allocated > 0 ? b->allocated : 512;
		while (size < used + len)
			size *= 2;
		if (size > b->max)
			size = b->max;
		uint8_t *data = realloc(b->data, size > 0 ? size : 1);
		if (data == NULL)
			return NULL;
		b->data = data;
		b->allocated = size;
	}
	return b->data + b->end;
}

void buf_advance(struct buf *b, size_t len)
{
	b->end += len;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return 0;
	if (len > b->max || buf_len(b) > b->max - len)
		return -ENOBUFS;
	uint8_t *to = buf_reserve(b, len);
	if (to == NULL)
		return -ENOMEM;
	memcpy(to, data, len);
	b->end += len;
	return 0;
}

void buf_consume(struct buf *b, size_t len)
{
	b->start += len;
	if (b->start == b->end)
		b->start = b->end = 0;
}
