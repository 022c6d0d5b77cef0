/*
 * Runs in connectors, on what upstreams answer to checks, which may be anything. Must never use a
 * byte of it for more than the status.
 */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/text.h"
#include "upstream/response.h"

#define INTERIM_MAX  8     /* 1xx before the response */
#define RECEIVE_MAX  16384 /* bytes at once */
#define WIRE_IN_MAX  ((size_t)65536)
#define WIRE_OUT_MAX ((size_t)65536)

/* A GET that is under way. */
struct visit {
	struct loop_io io; /* first */
	struct check *check;
	struct transport_wire wire;
	struct buf in; /* received bytes that the transport has not taken */
	bool shaken;   /* the request was sent */
	unsigned interim;
	size_t scan, head_len;
	char head[CHECK_HEAD_MAX + TRANSPORT_DATA_MAX];
	struct transport *transport; /* owned */
};

struct check {
	struct dial dial; /* first; in use while it connects */
	struct checks *owner;
	uint32_t endpoint;
	bool connecting;
	struct visit *visit;     /* NULL: none is under way */
	struct loop_timer timer; /* of the next check; of a visit the end */
	uint64_t begun_ms;
};

static const struct conf_upstream *check_upstream(const struct check *c)
{
	return health_upstream(c->owner->health, c->endpoint);
}

const char *check_dial_why(const struct dial_result *r)
{
	switch (r->status) {
	case IPC_CONNECT_TIMED_OUT:
		return "the connection was not made in time";
	case IPC_CONNECT_UNRESOLVED:
		return "its name has no address";
	case IPC_CONNECT_REFUSED:
	case IPC_CONNECT_FULL:
		return r->error != 0 ? strerror(r->error) : "too many connections are under way";
	case IPC_CONNECTED:
	case IPC_CONNECT_AGAIN:
	case IPC_CONNECT_STATUSES:
		break;
	}
	return "";
}

/* --- the rhythm ------------------------------------------------------------------------------- */

/* xorshift64: the checks of many servers shall not come at once. */
static uint64_t checks_roll(struct checks *all)
{
	all->dice ^= all->dice << 13;
	all->dice ^= all->dice >> 7;
	all->dice ^= all->dice << 17;
	return all->dice;
}

/* A tenth more or less than that, from the begin of the last one on. */
static void check_next(struct check *c, bool soon)
{
	struct checks *all = c->owner;
	uint64_t every_ms = check_upstream(c)->probe_every_ms;
	if (soon)
		every_ms = num_least(every_ms, CHECK_SOON_MS);
	const uint64_t spread_ms = every_ms / 5;
	const uint64_t wait_ms = every_ms - spread_ms / 2 + checks_roll(all) % (spread_ms + 1);
	loop_timer_set(all->loop, &c->timer, c->begun_ms + wait_ms);
}

static void check_verdict(struct check *c, bool good, const char *why)
{
	struct checks *all = c->owner;
	all->under_way--;
	check_next(c, health_checked(all->health, c->endpoint, good, why, all->loop->now_ms));
}

/* --- a visit ---------------------------------------------------------------------------------- */

static void visit_free(struct checks *all, struct visit *v)
{
	if (v->transport != NULL) {
		v->transport->ops->release(v->transport);
		free(v->transport);
	}
	loop_close(all->loop, &v->io);
	buf_release(&v->wire.out);
	buf_release(&v->in);
	free(v);
}

static void visit_end(struct visit *v, bool good, const char *why)
{
	struct check *c = v->check;
	char kept[IPC_HEALTH_TEXT_MAX]; /* why may belong to what is released */
	struct text t;
	text_init(&t, kept, sizeof(kept));
	text_add_str(&t, why);
	c->visit = NULL;
	visit_free(c->owner, v);
	check_verdict(c, good, kept);
}

static void visit_judge(struct visit *v, unsigned status)
{
	const struct conf_upstream *u = check_upstream(v->check);
	char why[IPC_HEALTH_TEXT_MAX];
	struct text t;
	text_init(&t, why, sizeof(why));
	text_addf(&t, "%u from ", status);
	text_add_escaped(&t, u->probe_target, strlen(u->probe_target));
	visit_end(v, status >= u->probe_least && status <= u->probe_most, why);
}

static bool visit_has_ended(const struct visit *v)
{
	return v->wire.in_ended && v->wire.in_len == 0;
}

/* Reads the heads that have come. False: the visit has ended. */
static bool visit_parse(struct visit *v)
{
	const struct upstream_asked asked = {.head = false};
	struct upstream_response response;
	for (;;) {
		const long n = upstream_response_parse(v->head, v->head_len, CHECK_HEAD_MAX,
						       &v->scan, &asked, &response);
		if (n == 0)
			return true;
		if (n < 0) {
			visit_end(v, false, upstream_fault_text((enum upstream_fault) - n));
			return false;
		}
		if (response.status >= 200) {
			visit_judge(v, response.status);
			return false;
		}
		if (++v->interim > INTERIM_MAX) {
			visit_end(v, false, upstream_fault_text(UPSTREAM_FAULT_INTERIM));
			return false;
		}
		v->head_len -= (size_t)n;
		memmove(v->head, v->head + n, v->head_len);
		v->scan = 0;
	}
}

static void request_write(const struct check *c, struct text *t)
{
	const struct conf_endpoint *e = &c->owner->port->endpoints[c->endpoint];
	const char *authority = e->path != NULL ? NULL : strstr(e->url, "://");
	text_addf(t, "GET %s HTTP/1.1\r\nHost: %s\r\n", check_upstream(c)->probe_target,
		  authority != NULL ? authority + 3 : "localhost");
	text_add_str(t, "User-Agent: bulkhead-check\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

/* False: the visit has ended. */
static bool visit_ask(struct visit *v)
{
	char request[8192];
	struct text t;
	text_init(&t, request, sizeof(request));
	request_write(v->check, &t);
	if (t.truncated || v->transport->ops->send(v->transport, (const uint8_t *)request, t.len) !=
			       TRANSPORT_OK) {
		visit_end(v, false, "the request could not be made");
		return false;
	}
	v->shaken = true;
	return true;
}

static bool visit_shake(struct visit *v)
{
	struct transport_failure failure = {.text = "the handshake failed"};
	const struct transport_ops *ops = v->transport->ops;
	const enum transport_result result =
	    ops->handshake == NULL ? TRANSPORT_OK : ops->handshake(v->transport, &failure);
	if (result == TRANSPORT_OK)
		return visit_ask(v);
	if (result == TRANSPORT_AGAIN && !visit_has_ended(v))
		return true;
	visit_end(v, false,
		  result == TRANSPORT_FAILED ? failure.text
					     : "it closed the connection in the handshake");
	return false;
}

static const char *visit_cut_why(struct visit *v, ssize_t result)
{
	const struct transport_ops *ops = v->transport->ops;
	const char *why =
	    result == TRANSPORT_FAILED && ops->failure != NULL ? ops->failure(v->transport) : NULL;
	return why != NULL ? why : "it closed the connection without an answer";
}

static bool visit_read(struct visit *v)
{
	while (v->shaken) {
		const size_t room = sizeof(v->head) - v->head_len;
		const ssize_t n = v->transport->ops->receive(
		    v->transport, (uint8_t *)v->head + v->head_len, room);
		if (n > 0) {
			v->head_len += (size_t)n;
			if (!visit_parse(v))
				return false;
			continue;
		}
		if (n == TRANSPORT_AGAIN && !visit_has_ended(v))
			return true;
		visit_end(v, false, visit_cut_why(v, n));
		return false;
	}
	return true;
}

/* False: the visit has ended. */
static bool visit_flush(struct visit *v)
{
	struct loop *loop = v->check->owner->loop;
	struct buf *out = &v->wire.out;
	while (buf_len(out) > 0) {
		const ssize_t n = write(v->io.fd, buf_head(out), buf_len(out));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			visit_end(v, false, strerror(errno));
			return false;
		}
		buf_consume(out, (size_t)n);
	}
	(void)loop_modify(loop, &v->io, EPOLLIN | (buf_len(out) > 0 ? EPOLLOUT : 0));
	return true;
}

/* What the transport does not take stays. */
static void visit_go_on(struct visit *v)
{
	v->wire.in = buf_head(&v->in);
	v->wire.in_len = buf_len(&v->in);
	if (!v->shaken && !visit_shake(v))
		return;
	if (!visit_read(v))
		return;
	buf_consume(&v->in, buf_len(&v->in) - v->wire.in_len);
	v->wire.in_len = 0;
	(void)visit_flush(v);
}

/* False: the visit has ended. */
static bool visit_receive(struct visit *v)
{
	uint8_t *to = buf_reserve(&v->in, RECEIVE_MAX);
	if (to == NULL) {
		visit_end(v, false, "its answer was not understood");
		return false;
	}
	const ssize_t n = recv(v->io.fd, to, RECEIVE_MAX, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		visit_end(v, false, strerror(errno));
		return false;
	}
	if (n == 0)
		v->wire.in_ended = true;
	if (n > 0)
		buf_advance(&v->in, (size_t)n);
	return true;
}

static void visit_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct visit *v = (struct visit *)io;
	(void)loop;
	if ((events & ~(uint32_t)EPOLLOUT) == 0)
		(void)visit_flush(v);
	else if (visit_receive(v))
		visit_go_on(v);
}

static struct visit *visit_new(struct check *c, int fd)
{
	struct checks *all = c->owner;
	const void *context = all->peers != NULL ? all->peers[c->endpoint] : NULL;
	const struct transport_ops *ops = check_upstream(c)->tls ? all->tls : &transport_plain;
	struct visit *v = calloc(1, sizeof(*v));
	struct transport *t = calloc(1, ops->size);
	if (v == NULL || t == NULL) {
		free(v);
		free(t);
		return NULL;
	}
	v->io = (struct loop_io){.fd = fd, .ready = visit_ready};
	v->check = c;
	v->in = (struct buf)BUF_INIT(WIRE_IN_MAX);
	v->wire.out = (struct buf)BUF_INIT(WIRE_OUT_MAX);
	ops->init(t, context, &v->wire);
	v->transport = t;
	if (loop_add(all->loop, &v->io, EPOLLIN) == 0)
		return v;
	v->io.fd = -1; /* the caller has it */
	visit_free(all, v);
	return NULL;
}

/* --- one check -------------------------------------------------------------------------------- */

/* This process or machine lacks something: that says nothing about the upstream. */
static void check_give_up(struct check *c)
{
	c->owner->under_way--;
	check_next(c, true);
}

static void check_connected(struct dial *d, const struct dial_result *result)
{
	struct check *c = (struct check *)d;
	int fd = result->fd;
	c->connecting = false;
	if (result->status == IPC_CONNECT_FULL) {
		check_give_up(c);
		return;
	}
	if (result->status != IPC_CONNECTED || check_upstream(c)->probe != CONF_PROBE_GET) {
		fd_close(&fd);
		check_verdict(c, result->status == IPC_CONNECTED, check_dial_why(result));
		return;
	}
	c->visit = visit_new(c, fd);
	if (c->visit == NULL) {
		fd_close(&fd);
		check_give_up(c);
		return;
	}
	loop_timer_set(c->owner->loop, &c->timer, c->begun_ms + check_upstream(c)->probe_ms);
	visit_go_on(c->visit);
}

static void check_late(struct check *c)
{
	char why[IPC_HEALTH_TEXT_MAX], time[NUM_TEXT_MAX];
	const struct conf_upstream *u = check_upstream(c);
	struct text t;
	text_init(&t, why, sizeof(why));
	text_addf(&t, "no answer in %s from ", num_format_duration(u->probe_ms, time));
	text_add_escaped(&t, u->probe_target, strlen(u->probe_target));
	visit_end(c->visit, false, why);
}

static void check_expired(struct loop *loop, struct loop_timer *timer)
{
	struct check *c = (struct check *)((char *)timer - offsetof(struct check, timer));
	struct checks *all = c->owner;
	if (c->visit != NULL) {
		check_late(c);
		return;
	}
	if (all->under_way >= CHECKS_AT_ONCE) {
		loop_timer_set(loop, timer, loop->now_ms + 1 + checks_roll(all) % 50);
		return;
	}
	all->under_way++;
	c->begun_ms = loop->now_ms;
	c->connecting = true;
	dial_begin(all->dialer, &c->dial, c->endpoint, check_upstream(c)->probe_ms,
		   check_connected);
}

/* --- all of them ------------------------------------------------------------------------------ */

size_t checks_count(const struct conf_port *port)
{
	size_t count = 0;
	for (size_t u = 0; u < port->upstreams_count; u++)
		if (port->upstreams[u].probe != CONF_PROBE_OFF)
			count += port->upstreams[u].endpoints_count;
	return count;
}

static int check_begin(struct checks *all, uint32_t endpoint)
{
	struct check *c = &all->list[all->count];
	*c = (struct check){.owner = all, .endpoint = endpoint};
	const int error = loop_timer_init(all->loop, &c->timer, check_expired);
	if (error < 0)
		return error;
	all->count++;
	loop_timer_set(all->loop, &c->timer, all->loop->now_ms);
	return 0;
}

int checks_begin(struct checks *all)
{
	all->list = calloc(checks_count(all->port) + 1, sizeof(*all->list));
	all->count = all->under_way = 0;
	all->dice = all->loop->now_ns | 1;
	int error = all->list == NULL ? -ENOMEM : 0;
	for (uint32_t i = 0; error == 0 && i < all->port->endpoints_count; i++)
		if (health_upstream(all->health, i)->probe != CONF_PROBE_OFF)
			error = check_begin(all, i);
	if (error < 0)
		checks_end(all);
	return error;
}

void checks_end(struct checks *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct check *c = &all->list[i];
		if (c->connecting)
			dial_cancel(&c->dial);
		if (c->visit != NULL)
			visit_free(all, c->visit);
		loop_timer_release(all->loop, &c->timer);
	}
	free(all->list);
	all->list = NULL;
	all->count = 0;
}
