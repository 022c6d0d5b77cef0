/*
 * Shared by tests and fuzzers of src/http: a connection made of two arrays.
 *
 * It behaves like a real one: it offers all input that has arrived, pulls output until there is
 * none, and offers the rest of the input again.
 */
#ifndef TESTS_HTTP_PEER_H
#define TESTS_HTTP_PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handler/handlers.h"
#include "http/http1.h"
#include "net/transport.h"

#define PEER_DATE  "Sun, 06 Nov 1994 08:49:37 GMT"
#define PEER_HELLO "Hello, world!\n"

struct peer {
	struct http_routes routes; /* first */
	struct limits limits;
	struct http_loop loop;
	struct http_client client;
	struct http1 http1;
	size_t pull; /* bytes that one output() may write */

	uint8_t *in; /* sent by the client and not taken yet */
	size_t in_len, in_size;
	uint8_t *out; /* the output so far; terminated */
	size_t out_len, out_size;

	unsigned begun, done, woken, enters;
	const struct exchange *woken_for;
	const struct exchange *entered; /* the one whose handler was called last */
	unsigned status;                /* of the last exchange that ended */
	enum http_refusal refusal;
	char line[256];    /* the request line of the access record, as sent */
	char excerpt[256]; /* the part of the request that was at fault */
	bool excerpt_cut;
	char method[16]; /* the method as sent */
	uint64_t body_received, body_sent;
	bool heads[64]; /* was the answer to the first, second … request one to HEAD? */
	struct http_location location; /* what "/test" and all below it serves */
};

static const struct http_header peer_type[] = {HTTP_HEADER("Content-Type", "text/plain")};
static const struct respond peer_hello = {
    .status = 200,
    .fields = peer_type,
    .fields_count = 1,
    .body = PEER_HELLO,
    .body_len = sizeof(PEER_HELLO) - 1,
};
static const struct respond peer_nothing = {.status = 204, .body = "", .body_len = 0};

static const struct http_location peer_locations[] = {
    {.path_len = 1, .handler = &handler_respond, .config = &peer_hello},
    {.path_len = 5, .handler = &handler_echo},
    {.path_len = 8, .handler = &handler_respond, .config = &peer_nothing},
};

static const struct http_host peer_host = {.policy = 0};

static inline const struct http_location *peer_route(const struct http_routes *routes,
						     const struct http_host *host, const char *path,
						     size_t len)
{
	(void)host;
	const struct peer *p = (const struct peer *)routes;
	if (len == 1)
		return &peer_locations[0];
	if (len == 5 && memcmp(path, "/echo", 5) == 0)
		return &peer_locations[1];
	if (len == 8 && memcmp(path, "/nothing", 8) == 0)
		return &peer_locations[2];
	if (len >= 5 && memcmp(path, "/test", 5) == 0 && (len == 5 || path[5] == '/'))
		return p->location.handler != NULL ? &p->location : NULL;
	return NULL;
}

static const struct transport_facts peer_tls = {
    .version = "TLS1.3", .cipher = "TLS_AES_128_GCM_SHA256", .group = "X25519", .resumed = true};

static inline void peer_begun(void *connection, struct exchange *ex)
{
	struct peer *p = connection;
	p->begun++;
	memcpy(ex->id, "id-1", 5);
}

static inline void peer_done(void *connection, const struct exchange *ex)
{
	struct peer *p = connection;
	const struct http_request *r = &ex->request;
	size_t n = r->method_text.len;
	if (p->done < sizeof(p->heads) / sizeof(p->heads[0]))
		p->heads[p->done] = r->method == HTTP_HEAD;
	p->done++;
	p->status = ex->status;
	p->refusal = ex->refusal;
	p->line[0] = '\0';
	if (n > 0 && r->target.len < 128)
		(void)snprintf(p->line, sizeof(p->line), "%.*s %.*s %.*s", (int)n,
			       http_slice_at(r, r->method_text), (int)r->target.len,
			       http_slice_at(r, r->target), (int)r->version.len,
			       http_slice_at(r, r->version));
	p->excerpt_cut = r->excerpt_cut;
	size_t excerpt = r->excerpt.len;
	if (excerpt > sizeof(p->excerpt) - 1)
		excerpt = sizeof(p->excerpt) - 1;
	memcpy(p->excerpt, http_slice_at(r, r->excerpt), excerpt);
	p->excerpt[excerpt] = '\0';
	p->body_received = ex->body_received;
	p->body_sent = ex->body_sent;
	if (n > sizeof(p->method) - 1)
		n = sizeof(p->method) - 1;
	memcpy(p->method, http_slice_at(r, r->method_text), n);
	p->method[n] = '\0';
}

static inline void peer_wake(void *connection, const struct exchange *ex)
{
	struct peer *p = connection;
	p->woken++;
	p->woken_for = ex;
}

static inline void peer_entered(void *connection, const struct exchange *ex)
{
	struct peer *p = connection;
	p->entered = ex;
	p->enters++;
}

static const struct exchange_owner peer_owner = {
    .begun = peer_begun, .entered = peer_entered, .wake = peer_wake, .done = peer_done};

static inline struct peer *peer_new(void)
{
	struct peer *p = calloc(1, sizeof(*p));
	p->pull = 16384;
	p->in_size = 4096;
	p->in = malloc(p->in_size);
	p->out_size = 65536;
	p->out = malloc(p->out_size);
	p->out[0] = '\0';
	p->limits =
	    (struct limits){.head_bytes = 4096, .trailers_bytes = 4096, .body_bytes = 100000};
	p->loop = (struct http_loop){.limits = &p->limits,
				     .date = PEER_DATE,
				     .date_seconds = 784111777,
				     .routes = &p->routes,
				     .owner = &peer_owner};
	p->routes.find = peer_route;
	p->routes.default_host = &peer_host;
	p->client = (struct http_client){.address = "127.0.0.1",
					 .port = 12345,
					 .tls = &peer_tls,
					 .number = {0, UINT64_C(0xffff7f000001)}};
	http1_ops.init(&p->http1.proto, &p->loop, p, &p->client);
	return p;
}

static inline void peer_free(struct peer *p)
{
	p->http1.proto.ops->release(&p->http1.proto);
	http_loop_release(&p->loop);
	free(p->in);
	free(p->out);
	free(p);
}

/* What HTTP/1.1 waits for in PROTO_BUSY: its state tells more than its phase. */
enum { PEER_HEAD = 100, PEER_BODY };

static inline int peer_phase(const struct peer *p)
{
	const struct proto *http1 = &p->http1.proto;
	if (p->http1.state == HTTP1_HEAD)
		return PEER_HEAD;
	if (p->http1.state == HTTP1_EXCHANGE && http1_ops.wants_input(http1))
		return PEER_BODY;
	return (int)http1_ops.phase(http1);
}

static inline uint64_t peer_body_received(const struct peer *p)
{
	return p->http1.exchange != NULL ? p->http1.exchange->body_received : 0;
}

/* The present limit of time is reached. */
static inline void peer_expire(struct peer *p)
{
	struct proto *http1 = &p->http1.proto;
	if (http1_ops.phase(http1) == PROTO_IDLE) {
		http1_ops.idle_expired(http1);
		return;
	}
	const uint64_t until = http1_ops.deadline(http1, 1);
	if (until != PROTO_NO_DEADLINE)
		(void)http1_ops.expired(http1, until);
}

/* Offers the pending input; true if some was taken. It is copied so that a sanitizer sees a
 * read past its end. */
static inline bool peer_offer(struct peer *p)
{
	uint8_t *exact = malloc(p->in_len > 0 ? p->in_len : 1);
	memcpy(exact, p->in, p->in_len);
	size_t taken = http1_ops.input(&p->http1.proto, exact, p->in_len);
	free(exact);
	memmove(p->in, p->in + taken, p->in_len - taken);
	p->in_len -= taken;
	return taken > 0;
}

/* Adds to the input and offers it. */
static inline void peer_give(struct peer *p, const void *data, size_t len)
{
	if (p->in_size - p->in_len < len) {
		p->in_size = p->in_len + len;
		p->in = realloc(p->in, p->in_size);
	}
	if (len > 0)
		memcpy(p->in + p->in_len, data, len);
	p->in_len += len;
	(void)peer_offer(p);
}

static inline void peer_add(struct peer *p, const char *text)
{
	peer_give(p, text, strlen(text));
}

/* Calls output() once; returns the number of bytes. */
static inline size_t peer_pull(struct peer *p)
{
	if (p->out_size - p->out_len < p->pull + 1) {
		p->out_size = (p->out_len + p->pull) * 2;
		p->out = realloc(p->out, p->out_size);
	}
	uint8_t *exact = malloc(p->pull);
	size_t n = http1_ops.output(&p->http1.proto, exact, p->pull);
	memcpy(p->out + p->out_len, exact, n);
	free(exact);
	p->out_len += n;
	p->out[p->out_len] = '\0';
	return n;
}

/* Runs until neither side makes progress. */
static inline void peer_run(struct peer *p)
{
	do
		while (peer_pull(p) > 0)
			;
	while (p->in_len > 0 && peer_offer(p));
}

static inline void peer_send(struct peer *p, const char *text)
{
	peer_add(p, text);
	peer_run(p);
}

static inline void peer_out_clear(struct peer *p)
{
	p->out_len = 0;
	p->out[0] = '\0';
}

static inline const char *peer_out(const struct peer *p)
{
	return (const char *)p->out;
}

#endif
