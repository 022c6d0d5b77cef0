/* Runs in a loop, in each turn of a connection and for each request: must not allocate, nor spend
 * time on bytes; what is shown is raw, and whoever reads it escapes it. */
#include <string.h>

#include "worker/conn.h"
#include "worker/loop.h"

static uint16_t cut(const struct http_request *r, struct http_slice from, char *to, size_t max)
{
	const size_t len = from.len < max ? from.len : max;
	memcpy(to, http_slice_at(r, from), len);
	return (uint16_t)len;
}

void show_exchange(struct worker_loop *l, const struct exchange *ex)
{
	struct ipc_request *shown = &l->slot->request;
	const struct http_request *r = &ex->request;
	_Static_assert(sizeof(shown->id) == sizeof(ex->id), "copied as it is");
	memcpy(shown->id, ex->id, sizeof(shown->id));
	shown->method_len = cut(r, r->method_text, shown->method, sizeof(shown->method));
	shown->target_len = cut(r, r->target, shown->target, sizeof(shown->target));
}

void show_connection(const struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct ipc_request *shown = &l->slot->request;
	const struct exchange *ex = c->state == CONN_OPEN ? c->http.exchange : NULL;
	if (ex == NULL) {
		shown->method_len = shown->target_len = 0;
		shown->id[0] = '\0';
	}
	if (l->shown == c)
		return;
	_Static_assert(sizeof(shown->client) == sizeof(c->client.address), "copied as it is");
	l->shown = c;
	memcpy(shown->client, c->client.address, sizeof(shown->client));
	shown->client_port = c->client.port;
	if (ex != NULL)
		show_exchange(l, ex);
}

void show_forget(const struct conn *c)
{
	struct worker_loop *l = c->owner;
	if (l->shown != c)
		return;
	l->shown = NULL;
	l->slot->request.method_len = l->slot->request.client_port = 0;
}
