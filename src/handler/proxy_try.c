/*
 * Runs in the workers: the attempts of one request. Must never send a request a second time of
 * which an upstream may have processed something, nor more of them than the budget has.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "proxy_fault.h"
#include "proxy_run.h"

#define HEAD_ROOM 8192 /* for most heads */

static uint64_t run_now_ns(const struct proxy_run *p)
{
	return p->ex->loop->events->now_ns;
}

/* How long the attempt has taken; never 0, which means that something has not happened. */
static uint64_t run_took_ns(const struct proxy_run *p)
{
	const uint64_t now_ns = run_now_ns(p);
	return now_ns > p->begun_ns ? now_ns - p->begun_ns : 1;
}

/* --- time ------------------------------------------------------------------------------------- */

static enum upstream_wait run_waits(struct proxy_run *p)
{
	struct upstream_link *l = p->call.link;
	size_t len;
	if (p->state == PROXY_TUNNEL || upstream_link_unsent(l) > 0)
		return UPSTREAM_WAITS_BETWEEN;
	if (p->state == PROXY_SENT)
		return p->request_done || p->ex->held ? UPSTREAM_WAITS_HEAD : UPSTREAM_WAITS_NOT;
	(void)upstream_link_bytes(l, &len);
	return p->state == PROXY_BODY && len == 0 ? UPSTREAM_WAITS_BETWEEN : UPSTREAM_WAITS_NOT;
}

void proxy_time(struct proxy_run *p)
{
	if (p->call.link == NULL)
		return;
	const enum upstream_wait wait = run_waits(p);
	const bool again = wait == UPSTREAM_WAITS_HEAD && p->head_waited;
	p->head_waited = wait == UPSTREAM_WAITS_HEAD;
	if (!again) /* a head that comes byte by byte must be complete in this time, too */
		upstream_link_wait(p->call.link, wait);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void run_flush(struct loop *loop, struct loop_task *task)
{
	struct proxy_run *p =
	    (struct proxy_run *)((char *)task - offsetof(struct proxy_run, flush));
	(void)loop;
	upstream_link_send(p->call.link, NULL, 0);
	proxy_time(p);
}

static void run_send_head(struct proxy_run *p, const char *head, size_t len)
{
	struct upstream_link *l = p->call.link;
	const struct exchange *ex = p->ex;
	const struct iovec piece = {(void *)(uintptr_t)head, len};
	if (ex->request.framing == HTTP_BODY_NONE || ex->held) {
		upstream_link_send(l, &piece, 1);
		return;
	}
	/* the body may be here already: it goes in the same packet */
	upstream_link_keep(l, head, len);
	p->flush.run = run_flush;
	loop_soon(ex->loop->events, &p->flush);
}

/* There is a connection: sends the head. False: out of memory. */
static bool run_send(struct proxy_run *p)
{
	const struct proxy_target *target = &p->config->targets[p->call.endpoint];
	const size_t room = proxy_request_room(&p->request, target->authority_len);
	char small[HEAD_ROOM], *head = room <= sizeof(small) ? small : malloc(room);
	if (head == NULL)
		return false;
	const size_t len =
	    proxy_request_write(&p->request, target, p->config->upstream->keep == 0, head, room);
	if (len != SIZE_MAX)
		run_send_head(p, head, len);
	if (head != small)
		free(head);
	if (len == SIZE_MAX)
		return false;
	p->state = PROXY_SENT;
	p->scan = 0;
	p->heard = p->head_waited = p->doubtful = false;
	upstream_call_sent(&p->call);
	return true;
}

static void run_begin(struct proxy_run *p)
{
	p->record.url = upstream_endpoint(p->pool, p->call.endpoint)->url;
	if (proxy_struck(p, FAULT_BY_REFUSAL)) {
		proxy_fail(p, UPSTREAM_FAILED_REFUSED, PROXY_ON_PURPOSE);
		return;
	}
	if (!run_send(p)) {
		proxy_fail(p, UPSTREAM_FAILED_FULL, "out of memory");
		return;
	}
	if (p->request_done)
		proxy_request_end(p);
	else
		proxy_time(p);
	if (p->begun_late)
		exchange_wake(p->ex); /* its body may be waiting */
}

void proxy_request_end(struct proxy_run *p)
{
	struct upstream_link *l = p->call.link;
	char small[512], *end = small;
	if (l == NULL || p->state == PROXY_WAITS)
		return;
	if (p->chunked) {
		const size_t room = buf_len(&p->trailer) + UPSTREAM_CHUNK_ROOM;
		if (room > sizeof(small))
			end = malloc(room);
		if (end == NULL) {
			proxy_fail(p, UPSTREAM_FAILED_FULL, "out of memory");
			return;
		}
		const struct http_request *r = &p->ex->request;
		const struct upstream_options named = {r->head, r->fields, r->fields_count};
		const struct iovec piece = {
		    end, upstream_chunk_end((uint8_t *)end, room, &p->trailer, &named)};
		upstream_link_send(l, &piece, 1);
		if (end != small)
			free(end);
	} else if (p->flush.queued) {
		upstream_link_send(l, NULL, 0);
	}
	loop_soon_cancel(p->ex->loop->events, &p->flush);
	proxy_time(p);
}

/* --- attempts --------------------------------------------------------------------------------- */

static void run_ready(struct upstream_call *call)
{
	struct proxy_run *p = (struct proxy_run *)((char *)call - offsetof(struct proxy_run, call));
	p->record.connect_ns = run_took_ns(p);
	run_begin(p);
}

static void run_failed(struct upstream_call *call, enum upstream_failure failure)
{
	struct proxy_run *p = (struct proxy_run *)((char *)call - offsetof(struct proxy_run, call));
	proxy_fail(p, failure, NULL);
}

static void run_moved(struct upstream_call *call)
{
	struct proxy_run *p = (struct proxy_run *)((char *)call - offsetof(struct proxy_run, call));
	const enum upstream_failure expired = upstream_link_expired(call->link);
	if (expired == UPSTREAM_FAILED_CUT) { /* its time in a worker that drains is over */
		p->state = PROXY_DONE;
		proxy_leave(p, false);
		exchange_wake(p->ex);
	} else if (expired != UPSTREAM_WORKS)
		proxy_fail(p, expired, NULL);
	else if (p->state == PROXY_SENT)
		proxy_read_head(p);
	if (p->call.link == NULL || proxy_gone(p))
		return;
	if (p->state == PROXY_BODY || p->state == PROXY_TUNNEL || p->ex->take_blocked)
		exchange_wake(p->ex);
	proxy_time(p);
}

void proxy_leave(struct proxy_run *p, bool reusable)
{
	loop_soon_cancel(p->ex->loop->events, &p->flush);
	upstream_call_end(&p->call, reusable);
}

static const struct upstream_call_ops run_ops = {
    .ready = run_ready, .failed = run_failed, .moved = run_moved};

static void run_try(struct proxy_run *p)
{
	enum upstream_failure why;
	p->state = PROXY_WAITS;
	p->begun_ns = run_now_ns(p);
	p->record.attempts++;
	p->record.connect_ns = p->record.head_ns = p->record.total_ns = 0;
	p->call.ahead = PROXY_HEAD_MAX;
	p->call.behind = p->config->place.conf->buffer_request;
	switch (upstream_call_begin(p->pool, &p->call, &why)) {
	case UPSTREAM_READY:
		run_begin(p);
		break;
	case UPSTREAM_LATER:
		p->begun_late = true;
		break;
	case UPSTREAM_NEVER:
		proxy_fail(p, why, NULL);
		break;
	}
}

void proxy_try(struct proxy_run *p)
{
	const struct http_request *r = &p->ex->request;
	p->call.ops = &run_ops;
	p->call.careful = r->framing != HTTP_BODY_NONE ||
			  (p->config->retry_methods & HTTP_METHOD_BIT(r->method)) == 0;
	run_try(p);
}

/* --- failures --------------------------------------------------------------------------------- */

static bool run_has_others(const struct proxy_run *p)
{
	const uint32_t count = p->config->upstream->endpoints_count;
	return p->call.tried.count < count && p->call.tried.count < UPSTREAM_TRIES_MAX;
}

/* The connection ended without a byte of a response. The request can only be repeated if that does
 * no harm (RFC 9110, 9.2.2), and if all of it is still here. */
static bool run_was_unheard(const struct proxy_run *p, enum upstream_failure failure)
{
	return failure == UPSTREAM_FAILED_CUT && !p->heard && p->state == PROXY_SENT;
}

/* stale: a kept connection was closed before the request came. */
static bool run_may_retry(struct proxy_run *p, enum upstream_failure failure, bool unheard,
			  bool stale)
{
	const struct upstream_failure_facts *facts = upstream_failure_facts(failure);
	const uint32_t methods = p->config->retry_methods;
	if (methods == 0 || p->sent > 0)
		return false;
	if (unheard)
		return (methods & HTTP_METHOD_BIT(p->ex->request.method)) != 0 &&
		       (stale || run_has_others(p)) && upstream_retry(p->pool);
	return p->state == PROXY_WAITS && facts->elsewhere && run_has_others(p) &&
	       upstream_retry(p->pool);
}

void proxy_answer(struct proxy_run *p, enum upstream_failure failure)
{
	static const struct http_header type[] = {HTTP_HEADER("Content-Type", "text/plain")};
	const struct upstream_failure_facts *facts = upstream_failure_facts(failure);
	char value[24];
	struct text t;
	p->state = PROXY_ANSWERS;
	p->record.reason = facts->word;
	if (facts->status == 503) {
		const uint64_t pause =
		    failure == UPSTREAM_FAILED_NONE ? (upstream_pause_ms(p->pool) + 999) / 1000 : 1;
		text_init(&t, value, sizeof(value));
		text_add_uint(&t, pause > 0 ? pause : 1);
		(void)exchange_add_field(p->ex, "Retry-After", 11, t.data, t.len);
	}
	exchange_respond(p->ex, facts->status, 5 + strlen(http_reason(facts->status)), type, 1);
}

void proxy_fail(struct proxy_run *p, enum upstream_failure failure, const char *why)
{
	if (p->call.link != NULL && upstream_link_lacks(p->call.link)) {
		failure = UPSTREAM_FAILED_FULL;
		why = NULL; /* the link has the reason */
	}
	const bool unheard = run_was_unheard(p, failure);
	const bool stale = unheard && p->call.kept; /* which is nobody's fault */
	if (p->tunnel && failure == UPSTREAM_FAILED_BETWEEN)
		failure = UPSTREAM_TUNNEL_IDLE;
	/* how a tunnel goes is between its two sides, and the client is one of them */
	if (p->call.link != NULL && !stale && !p->tunnel)
		upstream_call_failed(&p->call, failure,
				     why != NULL ? why : upstream_link_reason(p->call.link));
	proxy_leave(p, false);
	if (p->state >= PROXY_BODY) {
		p->state = PROXY_CUT;
		p->record.reason = upstream_failure_facts(failure)->word;
		if (p->tunnel)
			exchange_give_up(p->ex);
		else
			exchange_wake(p->ex);
		return;
	}
	/* if no other one can be used, the first reason is the better one */
	if (failure == UPSTREAM_FAILED_NONE && p->failure != UPSTREAM_WORKS)
		failure = p->failure;
	else
		p->failure = failure;
	if (failure != UPSTREAM_FAILED_NONE && run_may_retry(p, failure, unheard, stale)) {
		p->call.fresh = p->call.fresh || stale;
		if (stale && p->call.tried.count > 0)
			p->call.tried.count--; /* it gets another chance */
		run_try(p);
		return;
	}
	if (p->record.url == NULL && failure != UPSTREAM_FAILED_NONE && p->call.since_ms != 0 &&
	    upstream_failure_facts(failure)->tried != IPC_TRIEDS)
		p->record.url = upstream_endpoint(p->pool, p->call.endpoint)->url;
	proxy_answer(p, failure);
}

bool proxy_gone(struct proxy_run *p)
{
	if (p->state != PROXY_TUNNEL || !p->told_end || !upstream_link_gone(p->call.link))
		return false;
	proxy_fail(p, UPSTREAM_FAILED_CUT, NULL);
	return true;
}
