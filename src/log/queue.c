/* Runs in the master: its own records that a sink did not take yet, in the sink's form and in
 * order. Must never lose one, except in log_shut(). */
#include "record.h"

#include <stdlib.h>
#include <string.h>

struct log_queue {
	size_t start, end;
	unsigned char data[LOG_KEEP_BYTES]; /* each record after its length */
};

typedef uint16_t queue_length; /* a record for the journal has up to 8 KiB */

struct log_queue *queue_new(void)
{
	struct log_queue *q = malloc(sizeof(*q));
	if (q != NULL)
		q->start = q->end = 0;
	return q;
}

bool queue_is_empty(const struct log_queue *q)
{
	return q == NULL || q->start == q->end;
}

bool queue_add(struct log_queue *q, const struct iovec *iov, int count)
{
	size_t len = 0;
	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	if (q == NULL || len > UINT16_MAX)
		return false;
	if (sizeof(q->data) - q->end < sizeof(queue_length) + len) {
		memmove(q->data, q->data + q->start, q->end - q->start);
		q->end -= q->start;
		q->start = 0;
	}
	if (sizeof(q->data) - q->end < sizeof(queue_length) + len)
		return false;
	const queue_length stored = (queue_length)len;
	memcpy(q->data + q->end, &stored, sizeof(stored));
	q->end += sizeof(stored);
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > 0)
			memcpy(q->data + q->end, iov[i].iov_base, iov[i].iov_len);
		q->end += iov[i].iov_len;
	}
	return true;
}

const void *queue_at(const struct log_queue *q, size_t *at, size_t *ret_len)
{
	queue_length len;
	if (q == NULL || *at >= q->end - q->start)
		return NULL;
	const unsigned char *p = q->data + q->start + *at;
	memcpy(&len, p, sizeof(len));
	*ret_len = len;
	*at += sizeof(len) + len;
	return p + sizeof(len);
}

void queue_drop_first(struct log_queue *q)
{
	size_t at = 0, len;
	if (queue_at(q, &at, &len) != NULL)
		q->start += at;
	if (q->start == q->end)
		q->start = q->end = 0;
}
