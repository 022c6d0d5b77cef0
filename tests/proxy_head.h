/*
 * Shared by tests and fuzzers of the handler `proxy`: a request that a client sends, and the head
 * that goes upstream for it, without any process.
 *
 * Its port has two locations, "/" and "/admin", and the proxy serves both.
 */
#ifndef TESTS_PROXY_HEAD_H
#define TESTS_PROXY_HEAD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handler/proxy.h"
#include "http/internal.h"
#include "net/transport.h"

#define PROXY_HEAD_MAX 65536

struct proxy_head {
	struct http_routes routes; /* first */
	struct http_loop loop;
	struct http_client client;
	struct http_host host;
	struct http_location root, admin;
	struct conf_proxy conf;
	struct proxy_place place;
	struct proxy_target target;
	struct exchange *ex;
	struct proxy_request request;
	char *text; /* the client's head, a copy of its size */
	char out[4 * PROXY_HEAD_MAX];
	size_t len; /* of what goes upstream */
};

static const struct transport_facts proxy_head_tls = {.version = "TLS1.3"};

static inline const struct http_location *proxy_head_find(const struct http_routes *routes,
							  const struct http_host *host,
							  const char *path, size_t len)
{
	const struct proxy_head *p = (const struct proxy_head *)routes;
	(void)host;
	const bool admin =
	    len >= 6 && memcmp(path, "/admin", 6) == 0 && (len == 6 || path[6] == '/');
	return admin ? &p->admin : &p->root;
}

static inline void proxy_head_done(void *connection, const struct exchange *ex)
{
	(void)connection;
	(void)ex;
}

static const struct exchange_owner proxy_head_owner = {.done = proxy_head_done};

static inline struct proxy_head *proxy_head_new(const struct conf_headers *rules)
{
	static const struct conf_endpoint endpoint = {.host = "10.0.0.9", .port = 9000};
	struct proxy_head *p = calloc(1, sizeof(*p));
	p->routes.find = proxy_head_find;
	p->routes.default_host = &p->host;
	p->loop = (struct http_loop){
	    .routes = &p->routes, .owner = &proxy_head_owner, .date_seconds = 784111777};
	(void)snprintf(p->client.address, sizeof(p->client.address), "192.0.2.7");
	p->root.path_len = 1;
	p->admin.path_len = 6;
	p->place = (struct proxy_place){&p->conf, 8443, proxy_rules_make(rules, 8443)};
	if (!proxy_target_init(&p->target, &endpoint, false))
		abort();
	return p;
}

static inline void proxy_head_end(struct proxy_head *p)
{
	if (p->ex != NULL)
		exchange_drop(p->ex);
	p->ex = NULL;
	free(p->text);
	p->text = NULL;
}

static inline void proxy_head_free(struct proxy_head *p)
{
	proxy_head_end(p);
	http_loop_release(&p->loop);
	proxy_target_release(&p->target);
	proxy_rules_free(p->place.rules);
	free(p);
}

/* Reads the head and begins its exchange, as the protocol does. False: it is refused before it
 * comes to any handler. */
static inline bool proxy_head_begin(struct proxy_head *p, const char *text, size_t len)
{
	size_t scan = 0;
	proxy_head_end(p);
	p->text = malloc(len > 0 ? len : 1);
	memcpy(p->text, text, len);
	p->ex = exchange_acquire(&p->loop, NULL, &p->client);
	struct http_request *r = &p->ex->request;
	if (http_request_parse(p->text, len, PROXY_HEAD_MAX, &scan, r) <= 0 ||
	    r->method == HTTP_CONNECT)
		return false;
	p->ex->host = &p->host;
	if (r->path.len != 1 || *http_slice_at(r, r->path) != '*') {
		if (exchange_path_make(p->ex) < 0)
			return false;
		p->ex->location =
		    proxy_head_find(&p->routes, &p->host, p->ex->path.text, p->ex->path.len);
		p->ex->path.matched = p->ex->location->path_len;
	}
	return true;
}

/* Makes what goes upstream. 0, or the status that answers the request here. */
static inline unsigned proxy_head_make(struct proxy_head *p, bool trusted)
{
	const unsigned status = proxy_request_judge(p->ex, &p->place, trusted, &p->request);
	p->len = 0;
	p->request.random[0] = UINT64_C(0x0123456789abcdef);
	p->request.random[1] = UINT64_C(0x0011223344556677);
	p->request.random[2] = UINT64_C(0xfedcba9876543210);
	if (status != 0)
		return status;
	const size_t room = proxy_request_room(&p->request, p->target.authority_len);
	if (room >= sizeof(p->out))
		abort();
	p->len = proxy_request_write(&p->request, &p->target, false, p->out, room);
	if (p->len == SIZE_MAX)
		abort();
	p->out[p->len] = '\0';
	return 0;
}

#endif
