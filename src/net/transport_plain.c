/* Runs in a worker's loop, on client bytes: passes them as they are. Must never hold any. */
#include <string.h>

#include "net/transport.h"

static size_t plain_memory_max(size_t in_max)
{
	(void)in_max;
	return 0;
}

static void plain_init(struct transport *t, const void *context, struct transport_wire *wire)
{
	(void)context;
	*t = (struct transport){.ops = &transport_plain, .wire = wire};
}

static ssize_t plain_receive(struct transport *t, uint8_t *data, size_t size)
{
	struct transport_wire *w = t->wire;
	const size_t n = w->in_len < size ? w->in_len : size;
	if (n == 0)
		return w->in_ended ? TRANSPORT_CLOSED : TRANSPORT_AGAIN;
	memcpy(data, w->in, n);
	w->in += n;
	w->in_len -= n;
	return (ssize_t)n;
}

static enum transport_result plain_send(struct transport *t, const uint8_t *data, size_t len)
{
	return buf_append(&t->wire->out, data, len) < 0 ? TRANSPORT_FAILED : TRANSPORT_OK;
}

static void plain_release(struct transport *t)
{
	(void)t;
}

const struct transport_ops transport_plain = {
    .size = sizeof(struct transport),
    .memory_max = plain_memory_max,
    .init = plain_init,
    .receive = plain_receive,
    .send = plain_send,
    .release = plain_release,
};
