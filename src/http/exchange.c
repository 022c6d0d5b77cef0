/*
 * Runs in the workers: exchanges and their free list, one per event loop. Must never keep more than
 * HTTP_EXCHANGES_KEPT of them, nor let one end twice.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static struct exchange *exchange_new(void)
{
	struct exchange *ex = malloc(sizeof(*ex) + EXCHANGE_ROOM);
	if (ex != NULL)
		arena_init(&ex->arena, ex + 1, EXCHANGE_ROOM);
	return ex;
}

struct exchange *exchange_acquire(struct http_loop *loop, void *connection,
				  const struct http_client *client)
{
	struct exchange *ex = loop->free;
	if (ex != NULL) {
		loop->free = ex->next_free;
		loop->free_count--;
	} else {
		ex = exchange_new();
		if (ex == NULL)
			return NULL;
	}
	ex->loop = loop;
	ex->connection = connection;
	ex->client = client;
	ex->next_free = NULL;
	ex->path = (struct http_path){0};
	ex->handler = NULL;
	ex->config = NULL;
	memset(ex->state, 0, sizeof(ex->state));
	/* ex->request is not cleared: it is large, and the parser clears what it does not fill. */
	ex->responding = ex->inside = ex->take_blocked = false;
	ex->status = 0;
	ex->refusal = REFUSE_NOT;
	ex->length = 0;
	ex->fields = NULL;
	ex->fields_len = 0;
	ex->begun_ns = ex->body_received = ex->body_sent = 0;
	ex->id[0] = '\0';
	return ex;
}

void exchange_release(struct exchange *ex)
{
	struct http_loop *loop = ex->loop;
	if (ex->handler != NULL && ex->handler->end != NULL)
		ex->handler->end(ex);
	loop->done(ex->connection, ex);
	exchange_drop(ex);
}

void exchange_drop(struct exchange *ex)
{
	struct http_loop *loop = ex->loop;
	arena_reset(&ex->arena);
	if (loop->free_count >= HTTP_EXCHANGES_KEPT) {
		free(ex);
		return;
	}
	ex->next_free = loop->free;
	loop->free = ex;
	loop->free_count++;
}

void http_loop_release(struct http_loop *loop)
{
	while (loop->free != NULL) {
		struct exchange *ex = loop->free;
		loop->free = ex->next_free;
		free(ex);
	}
	loop->free_count = 0;
}

void exchange_respond(struct exchange *ex, unsigned status, uint64_t length, const char *fields,
		      size_t fields_len)
{
	if (ex->responding)
		return;
	ex->responding = true;
	ex->status = status >= 200 && status <= 599 ? status : 500;
	ex->length = ex->handler->give != NULL ? length : 0;
	ex->fields = fields;
	ex->fields_len = fields_len;
	if (!ex->inside)
		ex->loop->wake(ex->connection);
}

void exchange_hand_on(struct exchange *ex, const struct http_location *to)
{
	const struct handler *handler = to->handler;
	const uint32_t methods = location_methods(to);
	memset(ex->state, 0, sizeof(ex->state));
	if (methods & HTTP_METHOD_BIT(ex->request.method)) {
		ex->handler = handler;
		ex->config = to->config;
		if (handler->begin != NULL)
			handler->begin(ex);
		return;
	}
	status_serve(ex, ex->request.method == HTTP_OPTIONS ? 204 : 405,
		     methods | HTTP_METHOD_BIT(HTTP_OPTIONS));
	if (ex->request.expect_continue && ex->request.framing != HTTP_BODY_NONE)
		status_respond_now(ex); /* whether the body will come is unknown */
}

void exchange_wake(struct exchange *ex)
{
	ex->take_blocked = false;
	if (!ex->inside)
		ex->loop->wake(ex->connection);
}
