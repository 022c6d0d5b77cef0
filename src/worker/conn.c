/*
 * Runs in a loop: the life of one client's connection. In each turn the pump moves its bytes; then
 * conn_settle() decides what to wait for, or frees the connection. No function in between may free
 * it, and none may block.
 */
#include "worker/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "net/listen.h"
#include "worker/access.h"
#include "worker/clients.h"
#include "worker/deadlines.h"
#include "worker/fault.h"
#include "worker/header.h"
#include "worker/pump.h"
#include "worker/show.h"

static void conn_ready(struct loop *, struct loop_io *, uint32_t events);
static void conn_again(struct loop *, struct loop_task *);
static void conn_timed(struct loop *, struct loop_timer *);

size_t conn_memory_max(const struct worker_loop *l)
{
	const struct transport_ops *t = l->transport;
	const size_t head_max = l->worker->port->limits.head_bytes;
	const size_t gateway = l->worker->port->upstreams_count > 0 ? HANDLER_PROXY_MEMORY : 0;
	return sizeof(struct conn) + conn_room(t->size) + conn_room(http_protocol_size()) +
	       header_size(l->worker) + t->memory_max(RECEIVE_BYTES) + CONN_CIPHER_IN_MAX +
	       CONN_PLAIN_IN_MAX + CONN_CIPHER_OUT_MAX +
	       http_protocol_exchanges() *
		   (EXCHANGE_MEMORY_MAX(head_max) + HANDLER_MEMORY_MAX(head_max) + gateway);
}

static void transport_begin(struct conn *c)
{
	struct worker_loop *l = c->owner;
	const struct tls_context *context = l->faults == NULL ? l->tls : faults_context(l);
	c->transport = (struct transport *)c->memory;
	l->transport->init(c->transport, context, &l->wire);
}

static void transport_release(struct conn *c)
{
	c->client.tls = NULL;
	if (c->transport != NULL)
		c->transport->ops->release(c->transport);
	c->transport = NULL;
}

int conn_local_address(const void *connection, char ret[ADDRESS_TEXT_MAX])
{
	const struct conn *c = connection;
	const char *reached = header_reached(c);
	if (reached == NULL)
		return net_local_address(c->io.fd, ret);
	(void)strlcpy(ret, reached, ADDRESS_TEXT_MAX);
	return 0;
}

/* The transport carries data: begins the protocol that it negotiated. */
static void conn_open(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct transport *t = c->transport;
	const char *name = NULL;
	const size_t len = t->ops->protocol == NULL ? 0 : t->ops->protocol(t, &name);
	const struct proto_ops *protocol = http_protocol(name, len);
	if (protocol == NULL) { /* the transport offers exactly the protocols that there are */
		c->over = true;
		return;
	}
	c->client.tls = t->ops->facts == NULL ? NULL : t->ops->facts(t);
	c->client.policy = c->client.tls != NULL ? c->client.tls->policy : 0;
	c->state = CONN_OPEN;
	c->proto = (struct proto *)(c->memory + conn_room(t->ops->size));
	protocol->init(c->proto, &l->http, c, &c->client);
}

/* The address of the client is known. */
static void conn_begin(struct conn *c)
{
	c->state = CONN_HANDSHAKE;
	if (c->owner->transport->handshake != NULL)
		return;
	transport_begin(c);
	conn_open(c);
}

int conn_new(struct worker_loop *l, int fd, const struct http_client *client)
{
	struct conn *c = calloc(1, sizeof(*c) + conn_room(l->transport->size) +
				       conn_room(http_protocol_size()) + header_size(l->worker));
	int error = -ENOMEM;
	if (c == NULL)
		goto fail;
	*c = (struct conn){.io = {.fd = fd, .ready = conn_ready},
			   .again = {.run = conn_again},
			   .owner = l,
			   .client = *client,
			   .cipher_in = BUF_INIT(CONN_CIPHER_IN_MAX),
			   .plain_in = BUF_INIT(CONN_PLAIN_IN_MAX),
			   .cipher_out = BUF_INIT(CONN_CIPHER_OUT_MAX)};
	if (loop_timer_init(&l->loop, &c->timer, conn_timed) < 0)
		goto fail;
	error = 0;
	if (loop_add(&l->loop, &c->io, EPOLLIN) <
	    0) { /* the kernel lacks memory, not this process */
		loop_timer_release(&l->loop, &c->timer);
		goto fail;
	}
	LIST_INSERT_HEAD(&l->conns, c, link);
	l->conns_count++;
	if (l->conns_count > l->conns_peak)
		l->conns_peak = l->conns_count;
	holding_change(&l->conns_held, (int64_t)l->worker->descriptors_each,
		       (int64_t)l->conn_memory_max);
	ipc_slot_put(&l->slot->counters.connections, l->conns_count);
	ipc_slot_add(&l->slot->counters.accepted, 1);
	if (header_size(l->worker) > 0)
		header_begin(c);
	else
		conn_begin(c);
	deadline_update(c);
	return 0;
fail:
	fd_close(&fd);
	free(c);
	return error;
}

static void conn_proto_release(struct conn *c)
{
	if (c->proto != NULL)
		c->proto->ops->release(c->proto);
	c->proto = NULL;
}

void conn_free(struct conn *c)
{
	struct worker_loop *l = c->owner;
	conn_proto_release(c);
	if (c->state == CONN_HEADER)
		header_left(c);
	if (c->state == CONN_HANDSHAKE && conn_has_spoken(c) && !c->failed)
		ipc_slot_add(&l->slot->counters.handshakes_failed[IPC_FAILURE_CLOSED], 1);
	transport_release(c);
	clients_leave(l, &c->client);
	if (l->faults != NULL && faults_keep(l->faults))
		loop_remove(&l->loop, &c->io);
	else
		loop_close(&l->loop, &c->io);
	loop_soon_cancel(&l->loop, &c->again);
	loop_timer_release(&l->loop, &c->timer);
	buf_release(&c->cipher_in);
	buf_release(&c->plain_in);
	buf_release(&c->cipher_out);
	LIST_REMOVE(c, link);
	show_forget(c);
	free(c);
	l->conns_count--;
	holding_change(&l->conns_held, -(int64_t)l->worker->descriptors_each,
		       -(int64_t)l->conn_memory_max);
	ipc_slot_put(&l->slot->counters.connections, l->conns_count);
	l->conns_freed = true;
}

static void handshake_done(struct conn *c)
{
	struct ipc_counters *counters = &c->owner->slot->counters;
	conn_open(c);
	if (c->client.tls != NULL)
		ipc_slot_add(c->client.tls->resumed ? &counters->handshakes_resumed
						    : &counters->handshakes_full,
			     1);
}

/* The client left; a handshake in progress has failed. */
static void handshake_left(struct conn *c)
{
	if (c->state == CONN_HANDSHAKE && conn_has_spoken(c) && !c->failed)
		access_handshake_failed(c, IPC_FAILURE_CLOSED, "The client closed the connection.");
	c->over = true;
}

/* The transport failed and says why. An answer that it has left in the wire is still sent. */
static void handshake_refused(struct conn *c, const struct transport_failure *failure)
{
	const struct transport_wire *w = &c->owner->wire;
	if (failure->plain_http)
		c->over = conn_plain_answer(c) < 0;
	else if (failure->kind == IPC_FAILURE_MEMORY && buf_len(&w->out) == 0)
		c->over = true;
	access_handshake_failed(c, failure->kind, failure->text);
	conn_close(c, true);
}

/* Replaces conn_ready(): discards input until the client leaves or the time for the handshake is
 * over. */
static void stalled_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct conn *c = (struct conn *)io;
	struct worker_loop *l = c->owner;
	(void)loop;
	if ((events & (EPOLLERR | EPOLLHUP)) ||
	    recv(io->fd, l->received, sizeof(l->received), MSG_DONTWAIT) == 0)
		conn_free(c);
}

/* The server's first handshake messages are in the wire. */
static void handshake_spoil(struct conn *c)
{
	switch (faults_handshake(c->owner->faults, &c->owner->wire.out)) {
	case FAULTS_NONE:
		break;
	case FAULTS_STALL:
		c->io.ready = stalled_ready;
		break;
	case FAULTS_CLOSE:
		c->closing = true;
		break;
	}
}

static void conn_handshake(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct transport_failure failure = {0};
	if (c->transport == NULL && l->wire.in_len == 0) { /* no byte has come yet */
		c->over = l->wire.in_ended;
		return;
	}
	if (c->transport == NULL && !clients_handshake(c)) {
		c->failed = true; /* and counted */
		conn_close(c, false);
		return;
	}
	if (c->transport == NULL)
		transport_begin(c);
	switch (c->transport->ops->handshake(c->transport, &failure)) {
	case TRANSPORT_OK:
		handshake_done(c);
		break;
	case TRANSPORT_AGAIN:
		if (l->wire.in_ended)
			handshake_left(c);
		else if (l->faults != NULL)
			handshake_spoil(c);
		break;
	case TRANSPORT_CLOSED:
	case TRANSPORT_FAILED:
		handshake_refused(c, &failure);
		break;
	}
}

/* The client has come through a load balancer, and has its connections already. */
static bool header_limited(struct conn *c)
{
	if (!header_came(c) || clients_enter(c->owner, &c->client))
		return false;
	c->failed = true; /* and counted */
	conn_close(c, false);
	return true;
}

/* Its PROXY header; after it the connection begins, with the bytes that follow. */
static void conn_take_header(struct conn *c)
{
	switch (header_take(c)) {
	case HEADER_DONE:
		if (header_limited(c))
			break;
		conn_begin(c);
		deadline_header_done(c);
		break;
	case HEADER_AGAIN:
		c->over = c->owner->wire.in_ended;
		break;
	case HEADER_REFUSED:
		conn_close(c, true);
		break;
	}
}

/* --- a turn ---------------------------------------------------------------------------------- */

static void reset_when_closed(const struct conn *c)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

/* The last output has reached the kernel. Ends the connection, or waits for the client to close: a
 * reset would destroy data that it has not read yet (RFC 9112, 9.6). */
static void conn_finish(struct conn *c)
{
	if (c->cut)
		reset_when_closed(c);
	if (!c->lingers || c->input_ended || shutdown(c->io.fd, SHUT_WR) < 0) {
		c->over = true;
		return;
	}
	c->state = CONN_LINGER;
	c->more_output = false;
	deadline_linger(c);
	/* Only an open connection needs these. */
	conn_proto_release(c);
	transport_release(c);
	buf_release(&c->plain_in);
}

/* Is all further input ignored? It is still read, because some clients only read after they have
 * sent everything. */
static bool conn_ignores(const struct conn *c)
{
	const struct proto *p = c->proto;
	return c->state == CONN_OPEN && p->ops->ignores_input(p);
}

static uint32_t conn_interest(const struct conn *c)
{
	const struct proto *p = c->proto;
	const uint32_t out = conn_blocked(c) ? EPOLLOUT : 0;
	if (conn_ignores(c) && (out != 0 || c->more_output))
		return c->input_ended ? out : EPOLLIN | out;
	if (out != 0)
		return out;
	if (c->state == CONN_OPEN &&
	    (c->input_ended || buf_len(&c->cipher_in) > 0 || !p->ops->wants_input(p)))
		return 0;
	return EPOLLIN;
}

/* A transport without a word for its end leaves that to TCP, once all output has reached the
 * kernel. The client may still speak. */
static void conn_shut(struct conn *c)
{
	if (!c->said_end || c->shut || c->state != CONN_OPEN || conn_blocked(c) ||
	    c->transport->ops->close != NULL)
		return;
	c->shut = true;
	(void)shutdown(c->io.fd, SHUT_WR);
}

/* Most clients say nothing while they wait for a response. So the interest stays as it is then,
 * which saves two system calls for a request, until such a client does say something. */
static bool conn_is_quiet(const struct conn *c)
{
	return c->io.events == EPOLLIN && !c->unwatched && !c->pressed && !c->input_ended &&
	       c->state == CONN_OPEN && buf_len(&c->cipher_in) == 0;
}

/* Does the handler wait for somebody else, who would work in vain if the client left? Not while it
 * has no room for what the client has sent: the rest of a body of which it has a part, or the last
 * bytes of a tunnel, may be among what was not read, and reading it shows the end, too. */
static bool conn_is_awaited(const struct conn *c)
{
	const struct exchange *ex = c->state == CONN_OPEN ? c->proto->ops->current(c->proto) : NULL;
	return ex != NULL && ex->own_limits && !ex->upgraded &&
	       !(ex->take_blocked && ex->body_received > 0);
}

/* On TCP alone, the end of what a client sends does not mean that it has left. With TLS it does:
 * one that only has nothing more to send says so in TLS. */
static bool conn_shows_end(const struct conn *c)
{
	return c->pressed && !c->left && c->transport->ops->close != NULL && conn_is_awaited(c);
}

static int conn_watch(struct conn *c)
{
	struct loop *loop = &c->owner->loop;
	uint32_t interest = conn_interest(c);
	c->quiet = interest == 0 && conn_is_quiet(c);
	if (c->quiet)
		return 0;
	if (interest != 0)
		c->pressed = c->left = false;
	else if (conn_shows_end(c))
		interest = EPOLLRDHUP;
	if (!c->unwatched)
		return loop_modify(loop, &c->io, interest);
	if (interest == 0)
		return 0;
	c->unwatched = false;
	return loop_add(loop, &c->io, interest);
}

static void conn_settle(struct conn *c)
{
	if (!c->over && c->closing && c->state != CONN_LINGER && !conn_blocked(c))
		conn_finish(c);
	if (!c->over)
		conn_shut(c);
	if (!c->over && conn_watch(c) < 0)
		c->over = true;
	if (c->over) {
		conn_free(c);
		return;
	}
	if (c->more_output && !conn_blocked(c))
		loop_soon(&c->owner->loop, &c->again);
	deadline_update(c);
}

/* Without a handshake, the first bytes show whether the client speaks another protocol. */
static void conn_meet(struct conn *c)
{
	const struct transport_wire *w = &c->owner->wire;
	unsigned kind;
	const char *fault = conn_plain_fault(w->in, w->in_len, &kind);
	if (fault == NULL)
		return;
	access_handshake_failed(c, kind, fault);
	conn_close(c, true);
}

/* Continues after a change from outside, or with new bytes. It may free c. */
static void conn_advance(struct conn *c, const uint8_t *received, size_t len)
{
	pump_load(c, received, len);
	if (!c->over && c->state == CONN_HEADER)
		conn_take_header(c);
	if (c->state == CONN_OPEN && c->owner->wire.in_len > 0 &&
	    c->bytes_in == c->header_bytes + c->owner->wire.in_len)
		conn_meet(c);
	if (!c->over && !c->closing && c->state == CONN_HANDSHAKE)
		conn_handshake(c);
	if (!c->over && !c->closing && c->state == CONN_OPEN)
		pump_run(c);
	pump_store(c);
	bool stopped = conn_blocked(c) && c->state == CONN_OPEN && !c->closing;
	pump_flush(c);
	/* The pump stopped because the kernel took no more, and now it did. No event will come for
	 * that, so the connection gets another turn. */
	if (stopped && !conn_blocked(c))
		c->more_output = true;
	conn_settle(c);
}

/* While output waits for the kernel, input is not watched. When it goes on, a protocol that takes
 * input beside its output gets what came meanwhile: the output may never end. */
static bool conn_may_have_input(const struct conn *c, uint32_t events)
{
	return (events & EPOLLOUT) && !c->over && c->state == CONN_OPEN && !c->closing &&
	       !conn_blocked(c) && !c->input_ended && buf_len(&c->cipher_in) == 0 &&
	       !conn_ignores(c) && c->proto->ops->wants_input(c->proto);
}

/* The client said something, or left, while nobody listens to it. */
static void conn_press(struct conn *c, uint32_t events)
{
	c->pressed = true;
	c->left = c->left || (events & EPOLLRDHUP) != 0;
	c->over = c->left && conn_is_awaited(c);
	conn_settle(c);
}

static void conn_turn(struct conn *c, uint32_t events)
{
	struct worker_loop *l = c->owner;
	size_t n = 0;
	/* The connection was reset, or both directions have ended. In the second case it is read
	 * first if this side has ended in good order: closing it with unread input would lose that
	 * input, and reset it (RFC 9112, 9.6). */
	if ((events & EPOLLERR) || ((events & EPOLLHUP) && c->state != CONN_LINGER && !c->shut)) {
		handshake_left(c);
		conn_free(c);
		return;
	}
	if (events & EPOLLHUP && (c->io.events & EPOLLIN) == 0) {
		/* epoll(7) would report this again and again, until the rest is wanted */
		c->unwatched = true;
		loop_remove(&l->loop, &c->io);
		return;
	}
	if (c->quiet || (events & EPOLLRDHUP)) {
		conn_press(c, events);
		return;
	}
	if (events & EPOLLOUT)
		pump_flush(c);
	if ((events & EPOLLIN) || conn_may_have_input(c, events))
		n = pump_receive(c);
	if (c->over || c->state == CONN_LINGER) {
		c->over = c->over || l->wire.in_ended || c->bytes_in >= c->linger_bytes_in;
		l->wire.in_ended = false;
		conn_settle(c);
		return;
	}
	if (!conn_ignores(c)) {
		conn_advance(c, l->received, n);
		return;
	}
	if (l->wire.in_ended) {
		c->input_ended = true;
		c->proto->ops->input_ended(c->proto);
	}
	c->goes_on = c->goes_on || n > 0;
	conn_advance(c, NULL, 0);
}

static void conn_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct conn *c = (struct conn *)io;
	struct worker_loop *l = c->owner;
	(void)loop;
	show_connection(c);
	conn_turn(c, events); /* may free c */
	show_nobody(l);
}

static void conn_again(struct loop *loop, struct loop_task *task)
{
	struct conn *c = (struct conn *)((char *)task - offsetof(struct conn, again));
	struct worker_loop *l = c->owner;
	(void)loop;
	show_connection(c);
	conn_advance(c, NULL, 0); /* may free c */
	show_nobody(l);
}

void conn_drain(struct conn *c)
{
	uint8_t byte;
	show_connection(c);
	deadline_restart(c); /* the limits change now */
	if (c->state == CONN_LINGER)
		deadline_linger_drain(c);
	if (c->state != CONN_OPEN || c->closing) { /* the first request is still served */
		deadline_update(c);
		return;
	}
	struct proto *p = c->proto;
	if (c->owner->lenient && p->ops->phase(p) == PROTO_IDLE) {
		deadline_update(c);
		return;
	}
	/* If a request has just arrived, the connection is not idle. */
	if (p->ops->phase(p) != PROTO_IDLE ||
	    recv(c->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		p->ops->drain(p);
	conn_advance(c, NULL, 0);
}

void conn_reset(struct conn *c)
{
	reset_when_closed(c);
	c->over = true;
	conn_wake(c);
}

void conn_say(struct conn *c, const void *data, size_t len)
{
	pump_say(c, data, len);
	conn_close(c, true);
}

/* A limit of time is reached. May free c. */
static void conn_expire(struct conn *c)
{
	switch (deadline_expire(c)) {
	case DEADLINE_WAITS:
		return;
	case DEADLINE_GOES_ON:
		conn_advance(c, NULL, 0);
		return;
	case DEADLINE_RESETS: /* that also drops what the kernel still holds */
		reset_when_closed(c);
		break;
	case DEADLINE_ENDS:
		break;
	}
	conn_free(c);
}

static void conn_timed(struct loop *loop, struct loop_timer *timer)
{
	struct conn *c = (struct conn *)((char *)timer - offsetof(struct conn, timer));
	struct worker_loop *l = c->owner;
	(void)loop;
	show_connection(c);
	conn_expire(c);
	show_nobody(l);
}

void conn_wake(struct conn *c)
{
	c->more_output = true;
	loop_late(&c->owner->loop, &c->again);
}
