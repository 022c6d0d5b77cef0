/* Runs in a loop, in each turn of a connection and for each request: must not allocate, nor process
 * bytes. The slot has raw bytes; the reader escapes them. */
#include <string.h>

#include "worker/show.h"

static uint16_t cut(const struct http_request *r, struct http_slice from, char *to, size_t max)
{
	const size_t len = from.len < max ? from.len : max;
	memcpy(to, http_slice_at(r, from), len);
	return (uint16_t)len;
}

/* A compiler barrier. Between two stores a reader sees no client, rather than a mix of two. */
static void in_order(void)
{
	__asm__ volatile("" ::: "memory");
}

void show_nobody(struct worker_loop *l)
{
	l->slot->request.client_port = 0;
}

static void show_exchange(struct worker_loop *l, const struct exchange *ex)
{
	struct ipc_request *shown = &l->slot->request;
	const struct http_request *r = &ex->request;
	_Static_assert(sizeof(shown->id) == sizeof(ex->id), "as it is");
	shown->method_len = 0;
	in_order();
	memcpy(shown->id, ex->id, sizeof(shown->id));
	shown->target_len = cut(r, r->target, shown->target, sizeof(shown->target));
	const uint16_t len = cut(r, r->method_text, shown->method, sizeof(shown->method));
	in_order();
	shown->method_len = len;
}

void show_connection(const struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct ipc_request *shown = &l->slot->request;
	const struct exchange *ex = c->proto != NULL ? c->proto->ops->current(c->proto) : NULL;
	bool other = l->shown != c;
	if (other)
		show_nobody(l);
	if (other || ex == NULL) {
		shown->method_len = 0;
		shown->id[0] = '\0';
	}
	if (other || ex == NULL)
		l->http.shown = ex;
	in_order();
	if (other) {
		_Static_assert(sizeof(shown->client) == sizeof(c->client.address), "as it is");
		l->shown = c;
		memcpy(shown->client, c->client.address, sizeof(shown->client));
		if (ex != NULL)
			show_exchange(l, ex);
	}
	in_order();
	shown->client_port = c->client.port;
}

void show_entered(void *connection, const struct exchange *ex)
{
	const struct conn *c = connection;
	if (c->owner->shown != c)
		show_connection(c);
	show_exchange(c->owner, ex);
}

void show_forget(const struct conn *c)
{
	struct worker_loop *l = c->owner;
	if (l->shown != c)
		return;
	l->shown = NULL;
	show_nobody(l);
}
