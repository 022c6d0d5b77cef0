/*
 * Runs in the workers: passes requests on to an upstream. Must never hold a whole body, send a
 * client's bytes upstream as they came, or leave a connection without an owner.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "methods.h"
#include "net/lag.h"
#include "proxy_run.h"

_Static_assert(sizeof(struct proxy_run *) <= HANDLER_STATE_MAX, "the state has its place");

/* --- the configuration ------------------------------------------------------------------------ */

static void proxy_release(void *made)
{
	struct proxy_config *c = made;
	for (uint32_t i = 0; i < c->upstream->endpoints_count; i++)
		proxy_target_release(&c->targets[i]);
	if (c->place.rules != NULL)
		proxy_rules_free(c->place.rules);
	network_table_release(&c->trusted);
	free(c);
}

static void *proxy_make(const struct conf_location *l, const struct handler_means *means)
{
	const struct conf_proxy *conf = l->options;
	const struct conf_upstream *u = &means->conf->upstreams[conf->upstream];
	const struct conf_headers *rules =
	    l->filters != NULL ? l->filters->options[CONF_FILTER_REQUEST] : NULL;
	struct proxy_config *c = calloc(1, sizeof(*c) + u->endpoints_count * sizeof(c->targets[0]));
	if (c == NULL)
		return NULL;
	c->port = means->conf;
	c->upstream = u;
	c->retry_methods = methods_of_conf(u->retry_methods);
	c->place = (struct proxy_place){
	    .conf = conf, .port = means->port, .rules = proxy_rules_make(rules, means->port)};
	bool made = c->place.rules != NULL && network_table_init(&c->trusted, means->conf->trusted,
								 means->conf->trusted_count) == 0;
	for (uint32_t i = 0; i < u->endpoints_count && made; i++)
		made = proxy_target_init(&c->targets[i],
					 &means->conf->endpoints[u->endpoints_first + i], u->tls);
	if (made)
		return c;
	proxy_release(c);
	return NULL;
}

static int proxy_open(struct http_loop *http, const void *config, void **ret)
{
	const struct proxy_config *c = config;
	*ret = upstream_pool_open(http, c->port, c->place.conf->upstream);
	return *ret != NULL ? 0 : -ENOMEM;
}

static void proxy_close(void *local)
{
	upstream_pool_close(local);
}

/* --- the request ------------------------------------------------------------------------------ */

#define PROXY_METHODS                                                                            \
	((HTTP_METHODS_KNOWN & ~(HTTP_METHOD_BIT(HTTP_CONNECT) | HTTP_METHOD_BIT(HTTP_TRACE))) | \
	 HTTP_METHOD_BIT(HTTP_OTHER))

static uint64_t proxy_hash(const struct proxy_run *p)
{
	const struct conf_upstream *u = p->config->upstream;
	const struct exchange *ex = p->ex;
	switch (u->balance) {
	case CONF_ROUND_ROBIN:
	case CONF_LEAST_CONNECTIONS:
		break;
	case CONF_HASH_CLIENT:
		return upstream_hash_client(&ex->client->number);
	case CONF_HASH_HEADER: {
		const size_t name_len = strlen(u->balance_header);
		struct http_header f;
		for (unsigned at = 0; http_request_next(&ex->request, &at, &f);)
			if (f.name_len == name_len &&
			    strncasecmp(f.name, u->balance_header, name_len) == 0)
				return upstream_hash_text(f.value, f.value_len);
		break;
	}
	}
	return 0;
}

/* Makes the state; NULL: out of memory. */
static struct proxy_run *proxy_run_new(struct exchange *ex)
{
	struct proxy_run *p = arena_take(&ex->arena, sizeof(*p));
	if (p == NULL)
		return NULL;
	memset(p, 0, offsetof(struct proxy_run, request)); /* that one fills itself */
	p->ex = ex;
	p->config = ex->config;
	p->pool = exchange_local(ex);
	p->chunked = ex->request.framing == HTTP_BODY_CHUNKED;
	p->trailer = (struct buf)BUF_INIT(ex->loop->limits->trailers_bytes);
	*(struct proxy_run **)(void *)ex->state = p;
	ex->upstream = &p->record;
	return p;
}

static bool proxy_sheds(struct proxy_run *p)
{
	struct http_loop *loop = p->ex->loop;
	if (loop->lag == NULL || !lag_sheds(loop->lag, loop->events))
		return false;
	upstream_shed(p->pool);
	proxy_answer(p, UPSTREAM_FAILED_SHED);
	return true;
}

/* By what a trusted proxy calls the request, too. */
static void proxy_name(struct proxy_run *p)
{
	size_t len;
	const char *id = proxy_request_id(&p->request, &len);
	if (id == p->ex->id)
		return;
	p->record.id = id;
	p->record.id_len = (uint32_t)len;
}

/* --- small bodies ------------------------------------------------------------------------------
 */

static void gather_end(struct proxy_run *p)
{
	loop_timer_release(p->ex->loop->events, &p->gathering);
	p->gathers = false;
}

static void gather_expired(struct loop *loop, struct loop_timer *timer)
{
	struct proxy_run *p = (void *)((char *)timer - offsetof(struct proxy_run, gathering));
	(void)loop;
	gather_end(p);
	proxy_try(p);
	exchange_gather_end(p->ex);
}

/* A small body comes as a whole, as a rule at once: the upstream is not asked before. So a request
 * that is malformed or breaks off in it is none to the upstream, and does not hold a connection. A
 * client that takes its time is not kept waiting for it: the body may be a stream. */
static bool proxy_gathers(struct proxy_run *p)
{
	struct exchange *ex = p->ex;
	struct loop *loop = ex->loop->events;
	const bool small = p->chunked || (ex->request.framing == HTTP_BODY_LENGTH &&
					  ex->request.content_length > 0 &&
					  ex->request.content_length <= HTTP_GATHER_MAX);
	if (!small || ex->held || loop_timer_init(loop, &p->gathering, gather_expired) < 0)
		return false;
	p->gathers = true;
	loop_timer_set(loop, &p->gathering, loop->now_ms + PROXY_GATHER_MS);
	exchange_gather(ex);
	return true;
}

static void proxy_begin(struct exchange *ex)
{
	struct proxy_run *p = proxy_run_new(ex);
	if (p == NULL) {
		exchange_answer(ex, 500, 0);
		return;
	}
	const struct proxy_config *c = p->config;
	if (proxy_sheds(p))
		return;
	const bool trusted = c->trusted.count > 0 &&
			     network_table_find(&c->trusted, &ex->client->number) != NETWORK_NONE;
	const unsigned status = proxy_request_judge(ex, &c->place, trusted, &p->request);
	if (status != 0) {
		ex->upstream = NULL;
		*(struct proxy_run **)(void *)ex->state = NULL;
		exchange_answer(ex, status,
				status == 204 || status == 405 ? PROXY_METHODS & HTTP_METHODS_KNOWN
							       : 0);
		return;
	}
	if (c->place.conf->make_traceparent)
		(void)!getrandom(p->request.random, sizeof(p->request.random), GRND_NONBLOCK);
	exchange_own_limits(ex);
	if (ex->request.expect_continue && ex->request.framing != HTTP_BODY_NONE)
		exchange_hold_body(ex);
	if (p->chunked)
		exchange_keep_trailer(ex, &p->trailer);
	proxy_name(p);
	p->call.hash = proxy_hash(p);
	upstream_request(p->pool);
	if (!proxy_gathers(p))
		proxy_try(p);
}

/* The body goes upstream piece by piece, as it came. */
static void proxy_send(struct proxy_run *p, const uint8_t *data, size_t len)
{
	char line[UPSTREAM_CHUNK_ROOM + 8];
	struct iovec pieces[3] = {{(void *)(uintptr_t)data, len}};
	int count = 1;
	if (p->chunked) {
		const int n = snprintf(line, sizeof(line), "%zx\r\n", len);
		pieces[0] = (struct iovec){line, (size_t)n};
		pieces[1] = (struct iovec){(void *)(uintptr_t)data, len};
		pieces[2] = (struct iovec){(void *)(uintptr_t) "\r\n", 2};
		count = 3;
	}
	loop_soon_cancel(p->ex->loop->events, &p->flush);
	p->ex->held = false; /* the client has not waited */
	upstream_link_send(p->call.link, pieces, count);
	p->sent += len;
	if (!proxy_gone(p))
		proxy_time(p);
}

static size_t proxy_take(struct exchange *ex, const uint8_t *data, size_t len)
{
	struct proxy_run *p = proxy_run_of(ex);
	if (p->gathers) {
		gather_end(p);
		proxy_try(p);
	}
	switch (p->state) {
	case PROXY_WAITS:
		return 0;
	case PROXY_SENT:
	case PROXY_BODY:
	case PROXY_TUNNEL:
		if (upstream_link_unsent(p->call.link) > p->config->place.conf->buffer_request)
			return 0;
		proxy_send(p, data, len);
		break;
	case PROXY_DONE:
	case PROXY_ANSWERS:
	case PROXY_CUT:
		break;
	}
	return len;
}

static void proxy_take_end(struct exchange *ex)
{
	struct proxy_run *p = proxy_run_of(ex);
	if (p->state == PROXY_TUNNEL && p->request_done) {
		upstream_link_shut(p->call.link);
		return;
	}
	if (p->gathers) {
		gather_end(p);
		proxy_try(p);
	}
	p->request_done = true;
	ex->held = false;
	proxy_request_end(p);
}

/* --- the response ----------------------------------------------------------------------------- */

static long proxy_give_line(struct proxy_run *p, uint8_t *out, size_t size)
{
	char line[64];
	const int n =
	    snprintf(line, sizeof(line), "%u %s\n", p->ex->status, http_reason(p->ex->status));
	const size_t given =
	    give_copy(out, size, line + p->answer_given, (size_t)n - p->answer_given);
	p->answer_given += given;
	return (long)given;
}

static long proxy_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct proxy_run *p = proxy_run_of(ex);
	switch (p->state) {
	case PROXY_BODY:
	case PROXY_TUNNEL:
		return proxy_give_body(p, out, size);
	case PROXY_ANSWERS:
		return proxy_give_line(p, out, size);
	case PROXY_DONE:
		return GIVE_END;
	case PROXY_WAITS:
	case PROXY_SENT:
	case PROXY_CUT:
		break;
	}
	return GIVE_FAIL;
}

static void proxy_drain(struct exchange *ex)
{
	struct proxy_run *p = proxy_run_of(ex);
	const uint64_t half = ex->loop->drain_ms / 2;
	if (p->call.link != NULL)
		upstream_link_end_after(p->call.link,
					half < PROXY_DRAIN_MS ? half : PROXY_DRAIN_MS);
}

static void proxy_end(struct exchange *ex)
{
	struct proxy_run *p = proxy_run_of(ex);
	if (p == NULL)
		return;
	if (p->gathers)
		gather_end(p);
	if (p->tunnel)
		upstream_tunnels(p->pool, -1);
	else if (p->call.link != NULL)
		upstream_call_left(&p->call);
	proxy_leave(p, false);
	buf_release(&p->trailer);
	buf_release(&p->response_trailer);
}

static const struct handler handler_proxy = {
    .methods = PROXY_METHODS,
    .open = proxy_open,
    .close = proxy_close,
    .begin = proxy_begin,
    .take = proxy_take,
    .take_end = proxy_take_end,
    .give = proxy_give,
    .drain = proxy_drain,
    .end = proxy_end,
};

const struct handler_kind handler_kind_proxy = {
    .handler = &handler_proxy, .make = proxy_make, .release = proxy_release};
