/*
 * Runs in a worker's loop, on bytes of an upstream: one connection to an endpoint. Must never
 * block, read more ahead than its call wants, or call anybody about a connection that is gone.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/slot.h"
#include "pool.h"

static void link_ready(struct loop *, struct loop_io *, uint32_t events);
static void link_timed(struct loop *, struct loop_timer *);
static void link_answered(struct upstream_ask *, enum upstream_connected, int fd, int error,
			  const struct network_address *);

static struct loop *link_loop(const struct upstream_link *l)
{
	return l->pool->pools->loop;
}

static struct transport_wire *link_wire(const struct upstream_link *l)
{
	return &l->pool->pools->wire;
}

static struct ipc_endpoint_use *link_count(const struct upstream_link *l)
{
	return upstream_endpoint_use(l->pool, l->endpoint);
}

static uint32_t link_number(const struct upstream_link *l)
{
	return l->pool->conf->endpoints_first + l->endpoint;
}

/* --- its memory ------------------------------------------------------------------------------- */

/* Bounds its memory as the call wants it: what is received ahead and one read more, and for TLS
 * what that decrypts to; what waits for the kernel, and one piece of a body more. */
static void link_hold(struct upstream_link *l, const struct upstream_call *call)
{
	l->in.max = call->ahead + 2 * LINK_READ;
	const size_t held = LINK_MEMORY + l->in.max + call->behind + 2 * LINK_READ;
	holding_change(&l->pool->pools->held, 0, (int64_t)held - (int64_t)l->held);
	l->held = held;
}

bool link_new(struct upstream_pool *pool, struct upstream_call *call, uint32_t endpoint,
	      enum upstream_failure *ret)
{
	struct upstream_pools *pools = pool->pools;
	const size_t size = pool->conf->tls ? pools->service->tls->size : 0;
	struct upstream_link *l = calloc(1, sizeof(*l) + size);
	*ret = UPSTREAM_FAILED_FULL;
	if (l == NULL || loop_timer_init(pools->loop, &l->timer, link_timed) < 0) {
		free(l);
		return false;
	}
	l->io = (struct loop_io){.fd = -1, .ready = link_ready};
	l->pool = pool;
	l->call = call;
	l->endpoint = endpoint;
	l->out = (struct buf)BUF_INIT(LINK_OUT_MAX);
	l->ask = (struct upstream_ask){.until_ms = pools->loop->now_ms + pool->conf->connect_ms,
				       .endpoint = link_number(l),
				       .answered = link_answered};
	if (!pools->service->ask(pools->service, &l->ask)) {
		loop_timer_release(pools->loop, &l->timer);
		free(l);
		return false;
	}
	TAILQ_INSERT_HEAD(&pool->links, l, entry);
	pool->links_count++;
	holding_change(&pools->held, 1, 0);
	link_hold(l, call);
	call->link = l;
	return true;
}

void link_free(struct upstream_link *l)
{
	struct upstream_pool *pool = l->pool;
	struct upstream_pools *pools = pool->pools;
	if (l->state == LINK_ASKED && l->ask.answered != NULL)
		pools->service->forget(pools->service, &l->ask);
	if (l->transport != NULL)
		l->transport->ops->release(l->transport);
	if (l->watched) /* closing is not enough: the connector may have it for a moment more */
		loop_remove(pools->loop, &l->io);
	loop_close(pools->loop, &l->io);
	loop_timer_release(pools->loop, &l->timer);
	buf_release(&l->in);
	buf_release(&l->out);
	TAILQ_REMOVE(&pool->links, l, entry);
	pool->links_count--;
	holding_change(&pools->held, -1, -(int64_t)l->held);
	free(l);
	pool_serve(pool);
}

/* Memory for what is received next; NULL: there is none. */
static uint8_t *in_room(struct upstream_link *l, size_t size)
{
	struct upstream_pools *pools = l->pool->pools;
	if (l->in.data == NULL && pools->spare_count > 0) {
		const struct buf *spare = &pools->spare[--pools->spare_count];
		l->in.data = spare->data;
		l->in.allocated = spare->allocated;
	}
	return buf_reserve(&l->in, size);
}

/* It is empty: another link may have its memory. */
static void in_empty(struct upstream_link *l)
{
	struct upstream_pools *pools = l->pool->pools;
	if (l->in.data != NULL && pools->spare_count < LINK_SPARE &&
	    l->in.allocated <= 2 * LINK_READ) {
		pools->spare[pools->spare_count++] =
		    (struct buf){.data = l->in.data, .allocated = l->in.allocated};
		l->in.data = NULL;
	}
	buf_release(&l->in);
}

/* --- what it waits for ------------------------------------------------------------------------ */

static bool link_reads(const struct upstream_link *l)
{
	return !l->ended && (l->call == NULL || buf_len(&l->in) < l->call->ahead);
}

/* Out of the set it costs nothing, whatever the kernel would report of it again and again. */
static void link_watch(struct upstream_link *l)
{
	const bool reads = link_reads(l);
	const uint32_t wanted = (reads ? EPOLLIN : 0) | (l->blocked ? EPOLLOUT : 0);
	l->more = l->more || !reads;
	if (l->io.fd < 0 || (l->watched && wanted == l->io.events))
		return;
	if (wanted == 0) {
		if (l->watched)
			loop_remove(link_loop(l), &l->io);
		l->watched = false;
		return;
	}
	const int error = l->watched ? loop_modify(link_loop(l), &l->io, wanted)
				     : loop_add(link_loop(l), &l->io, wanted);
	l->watched = l->watched || error == 0;
	if (error < 0) { /* the kernel lacks memory */
		l->ended = l->reset = l->lacks = true;
		l->reason = strerror(-error);
	}
}

void upstream_link_wait(struct upstream_link *l, enum upstream_wait wait)
{
	static const enum upstream_failure limits[] = {
	    [UPSTREAM_WAITS_NOT] = UPSTREAM_WORKS,
	    [UPSTREAM_WAITS_HEAD] = UPSTREAM_FAILED_HEAD,
	    [UPSTREAM_WAITS_BETWEEN] = UPSTREAM_FAILED_BETWEEN,
	};
	struct loop *loop = link_loop(l);
	const struct conf_upstream *conf = l->pool->conf;
	if (l->limit == UPSTREAM_FAILED_CUT)
		return;
	l->limit = limits[wait];
	if (wait != UPSTREAM_WAITS_NOT) /* else it is left alone: it costs less than to cancel it */
		loop_timer_set(loop, &l->timer,
			       loop->now_ms + (wait == UPSTREAM_WAITS_HEAD ? conf->head_ms
									   : conf->between_ms));
}

void upstream_link_end_after(struct upstream_link *l, uint64_t ms)
{
	if (l->limit == UPSTREAM_FAILED_CUT)
		return;
	l->limit = UPSTREAM_FAILED_CUT;
	loop_timer_set(link_loop(l), &l->timer, link_loop(l)->now_ms + ms);
}

enum upstream_failure upstream_link_expired(const struct upstream_link *l)
{
	return l->expired;
}

static void link_timed(struct loop *loop, struct loop_timer *timer)
{
	struct upstream_link *l =
	    (struct upstream_link *)((char *)timer - offsetof(struct upstream_link, timer));
	(void)loop;
	if (l->state == LINK_HANDSHAKE) {
		pool_link_failed(l, UPSTREAM_FAILED_CONNECT, "in the TLS handshake");
		return;
	}
	if (l->state != LINK_OPEN || l->limit == UPSTREAM_WORKS)
		return;
	l->expired = l->limit;
	l->limit = UPSTREAM_WORKS;
	l->call->ops->moved(l->call);
}

/* --- out -------------------------------------------------------------------------------------- */

size_t upstream_link_unsent(const struct upstream_link *l)
{
	return l->blocked ? buf_len(&l->out) : 0;
}

static void out_fail(struct upstream_link *l, const char *reason)
{
	l->mute = true;
	l->blocked = false;
	if (l->reason == NULL)
		l->reason = reason;
	buf_release(&l->out);
}

static void out_append(struct upstream_link *l, const void *data, size_t len)
{
	if (!l->mute && buf_append(&l->out, data, len) < 0) {
		l->lacks = true;
		out_fail(l, "out of memory");
	}
}

/* What is to be sent now: what waits first. */
static int out_gather(const struct upstream_link *l, struct iovec *all, const struct iovec *more,
		      int count)
{
	int n = 0;
	if (buf_len(&l->out) > 0)
		all[n++] = (struct iovec){(void *)(uintptr_t)buf_head(&l->out), buf_len(&l->out)};
	for (int i = 0; i < count; i++)
		if (more[i].iov_len > 0)
			all[n++] = more[i];
	return n;
}

/* Hands them to the kernel in one call; keeps what it does not take. A connection that cannot be
 * written any more may still bring a response (RFC 9112, 9.6), so that is no end. */
static void out_write(struct upstream_link *l, const struct iovec *more, int count)
{
	struct iovec all[UPSTREAM_PIECES + 1];
	const int n = out_gather(l, all, more, count);
	const size_t waited = buf_len(&l->out);
	ssize_t sent;
	if (n == 0 || l->mute)
		return;
	do
		sent = n == 1 ? write(l->io.fd, all[0].iov_base, all[0].iov_len)
			      : writev(l->io.fd, all, n);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN) {
		l->torn = errno != EPIPE; /* EPIPE: both sides have ended */
		out_fail(l, strerror(errno));
		return;
	}
	size_t left = sent > 0 ? (size_t)sent : 0;
	ipc_slot_add(&link_count(l)->bytes_sent, left);
	const size_t first = left < waited ? left : waited;
	buf_consume(&l->out, first);
	left -= first;
	for (int i = 0; i < count; i++) {
		const size_t taken = left < more[i].iov_len ? left : more[i].iov_len;
		left -= taken;
		if (taken < more[i].iov_len)
			out_append(l, (const uint8_t *)more[i].iov_base + taken,
				   more[i].iov_len - taken);
	}
	l->blocked = buf_len(&l->out) > 0;
	if (!l->blocked)
		buf_release(&l->out);
}

/* What the transport has written in the wire. */
static void wire_write(struct upstream_link *l)
{
	struct buf *wire = &link_wire(l)->out;
	const struct iovec piece = {(void *)(uintptr_t)buf_head(wire), buf_len(wire)};
	if (l->blocked)
		out_append(l, piece.iov_base, piece.iov_len);
	else
		out_write(l, &piece, 1);
	buf_consume(wire, buf_len(wire));
}

static void wire_begin(struct upstream_link *l)
{
	link_wire(l)->connection = l;
}

static void transport_put(struct upstream_link *l, const void *data, size_t len)
{
	if (len > 0 && l->transport->ops->send(l->transport, data, len) != TRANSPORT_OK)
		out_fail(l, l->transport->ops->failure != NULL
				? l->transport->ops->failure(l->transport)
				: NULL);
}

void upstream_link_keep(struct upstream_link *l, const void *data, size_t len)
{
	struct buf *wire = &link_wire(l)->out;
	if (l->transport == NULL) {
		out_append(l, data, len);
		return;
	}
	wire_begin(l);
	transport_put(l, data, len);
	out_append(l, buf_head(wire), buf_len(wire));
	buf_consume(wire, buf_len(wire));
}

/* The peer learns the end when everything is sent. */
static void out_end(struct upstream_link *l)
{
	if (!l->shuts || l->shut || l->blocked || l->mute)
		return;
	l->shut = true;
	(void)shutdown(l->io.fd, SHUT_WR);
}

void upstream_link_send(struct upstream_link *l, const struct iovec *pieces, int count)
{
	if (l->transport != NULL) {
		wire_begin(l);
		for (int i = 0; i < count; i++)
			transport_put(l, pieces[i].iov_base, pieces[i].iov_len);
		wire_write(l);
	} else if (l->blocked) {
		for (int i = 0; i < count; i++)
			out_append(l, pieces[i].iov_base, pieces[i].iov_len);
	} else {
		out_write(l, pieces, count);
	}
	link_watch(l);
}

void upstream_link_shut(struct upstream_link *l)
{
	if (l->shuts)
		return;
	l->shuts = true;
	if (l->transport != NULL && l->transport->ops->close != NULL) {
		wire_begin(l);
		l->transport->ops->close(l->transport);
		wire_write(l);
		link_watch(l);
	}
	out_end(l);
}

/* --- in --------------------------------------------------------------------------------------- */

static void in_end(struct upstream_link *l, bool clean, const char *reason)
{
	l->ended = true;
	l->clean = clean;
	/* What the peer has said, such as an alert, tells more than that writing failed after it.
	 */
	if (l->reason == NULL || (reason != NULL && l->mute && !l->reset))
		l->reason = reason;
}

static void in_lacks(struct upstream_link *l)
{
	l->lacks = true;
	in_end(l, false, "out of memory");
}

/* Returns how many bytes came; 0: none now, or the end. */
static size_t in_receive(struct upstream_link *l, uint8_t *to, size_t size)
{
	ssize_t n;
	do
		n = recv(l->io.fd, to, size, 0);
	while (n < 0 && errno == EINTR);
	l->more = n == (ssize_t)size;
	if (n > 0) {
		ipc_slot_add(&link_count(l)->bytes_received, (uint64_t)n);
		return (size_t)n;
	}
	if (n == 0)
		in_end(l, l->transport == NULL && !l->torn, NULL);
	else if (errno != EAGAIN) {
		l->reset = true;
		in_end(l, false, strerror(errno));
	}
	return 0;
}

static bool plain_receive(struct upstream_link *l)
{
	uint8_t *to = in_room(l, LINK_READ);
	if (to == NULL) {
		in_lacks(l);
		return false;
	}
	const size_t n = in_receive(l, to, LINK_READ);
	buf_advance(&l->in, n);
	if (buf_len(&l->in) == 0)
		in_empty(l);
	return n > 0;
}

/* Decrypts what is in the wire. There is room for all of it: link_new(). */
static bool transport_take(struct upstream_link *l)
{
	bool came = false;
	for (;;) {
		uint8_t *to = in_room(l, TRANSPORT_DATA_MAX);
		if (to == NULL) {
			in_lacks(l);
			return came;
		}
		const ssize_t n = l->transport->ops->receive(l->transport, to, TRANSPORT_DATA_MAX);
		if (n == TRANSPORT_AGAIN)
			return came;
		if (n == TRANSPORT_CLOSED || n == TRANSPORT_FAILED) {
			const bool clean = n == TRANSPORT_CLOSED;
			in_end(l, clean,
			       clean || l->transport->ops->failure == NULL
				   ? NULL
				   : l->transport->ops->failure(l->transport));
			return came;
		}
		buf_advance(&l->in, (size_t)n);
		came = true;
	}
}

static void wire_fill(struct upstream_link *l)
{
	struct upstream_pools *pools = l->pool->pools;
	struct transport_wire *w = &pools->wire;
	wire_begin(l);
	w->in = pools->cipher;
	w->in_len = in_receive(l, pools->cipher, sizeof(pools->cipher));
	w->in_ended = l->ended;
}

static bool transport_receive(struct upstream_link *l)
{
	wire_fill(l);
	l->ended = l->clean = false; /* the transport says what an end means */
	const bool cut = link_wire(l)->in_ended;
	const bool came = link_wire(l)->in_len > 0 || cut ? transport_take(l) : false;
	if (cut && !l->ended)
		in_end(l, false, NULL);
	wire_write(l);
	link_wire(l)->in_len = 0;
	link_wire(l)->in_ended = false;
	if (buf_len(&l->in) == 0)
		in_empty(l);
	return came;
}

bool upstream_link_receive(struct upstream_link *l)
{
	if (l->ended)
		return false;
	return l->transport != NULL ? transport_receive(l) : plain_receive(l);
}

const uint8_t *upstream_link_bytes(const struct upstream_link *l, size_t *ret_len)
{
	*ret_len = buf_len(&l->in);
	return buf_head(&l->in);
}

void upstream_link_take(struct upstream_link *l, size_t len)
{
	buf_consume(&l->in, len);
	if (buf_len(&l->in) == 0)
		in_empty(l);
	link_watch(l);
}

bool upstream_link_ended(const struct upstream_link *l, bool *ret_clean)
{
	*ret_clean = l->clean && !l->reset;
	return l->ended;
}

bool upstream_link_lacks(const struct upstream_link *l)
{
	return l->lacks;
}

bool upstream_link_gone(const struct upstream_link *l)
{
	return l->ended && l->mute;
}

const char *upstream_link_reason(const struct upstream_link *l)
{
	return l->reason;
}

/* --- its life --------------------------------------------------------------------------------- */

static void link_open(struct upstream_link *l)
{
	l->state = LINK_OPEN;
	l->limit = UPSTREAM_WORKS;
	link_watch(l);
	l->call->ops->ready(l->call);
}

static void link_handshake(struct upstream_link *l)
{
	struct transport_failure failure = {0};
	wire_begin(l);
	const enum transport_result result = l->transport->ops->handshake(l->transport, &failure);
	const bool cut = link_wire(l)->in_ended;
	if (result == TRANSPORT_OK && link_wire(l)->in_len > 0)
		(void)transport_take(l); /* tickets; but it may be the end already */
	wire_write(l);
	link_wire(l)->in_len = 0;
	link_wire(l)->in_ended = false;
	switch (result) {
	case TRANSPORT_OK:
		if (!l->ended) {
			link_open(l);
			return;
		}
		failure.text = l->reason != NULL ? l->reason : "it closed the connection";
		break;
	case TRANSPORT_AGAIN:
		if (!cut && !l->mute) {
			link_watch(l);
			return;
		}
		failure.text = "it closed the connection";
		break;
	case TRANSPORT_CLOSED:
	case TRANSPORT_FAILED:
		break;
	}
	pool_link_failed(l, UPSTREAM_FAILED_TLS, failure.text);
}

static void link_begin_transport(struct upstream_link *l)
{
	const struct upstream_service *service = l->pool->pools->service;
	l->state = LINK_HANDSHAKE;
	l->transport = (struct transport *)l->memory;
	service->tls->init(l->transport, service->tls_contexts[link_number(l)], link_wire(l));
	loop_timer_set(link_loop(l), &l->timer, l->ask.until_ms);
	link_handshake(l);
}

static void link_answered(struct upstream_ask *ask, enum upstream_connected result, int fd,
			  int error, const struct network_address *address)
{
	static const enum upstream_failure failures[] = {
	    [UPSTREAM_REFUSED] = UPSTREAM_FAILED_REFUSED,
	    [UPSTREAM_TIMED_OUT] = UPSTREAM_FAILED_CONNECT,
	    [UPSTREAM_UNRESOLVED] = UPSTREAM_FAILED_UNRESOLVED,
	    [UPSTREAM_FULL] = UPSTREAM_FAILED_FULL,
	    [UPSTREAM_SILENT] = UPSTREAM_FAILED_FULL,
	};
	struct upstream_link *l =
	    (struct upstream_link *)((char *)ask - offsetof(struct upstream_link, ask));
	(void)address;
	ask->answered = NULL; /* there is nothing to forget any more */
	if (result != UPSTREAM_CONNECTED) {
		const bool ports = result == UPSTREAM_FULL && error == EADDRNOTAVAIL;
		pool_link_failed(l, ports ? UPSTREAM_FAILED_PORTS : failures[result],
				 result == UPSTREAM_SILENT ? "the connector does not answer"
				 : error != 0              ? strerror(error)
							   : NULL);
		return;
	}
	l->io.fd = fd;
	ipc_slot_add(&link_count(l)->connections, 1);
	l->state = LINK_OPEN; /* it is watched for reading, in a handshake, too */
	link_watch(l);
	if (l->ended) {
		pool_link_failed(l, UPSTREAM_FAILED_FULL, l->reason);
		return;
	}
	if (l->pool->conf->tls)
		link_begin_transport(l);
	else
		link_open(l);
}

static void idle_ready(struct upstream_link *l)
{
	if (l->transport != NULL && link_alive(l))
		return;
	pool_idle_remove(l);
	link_free(l);
}

static void link_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct upstream_link *l = (struct upstream_link *)io;
	(void)loop;
	if (l->state == LINK_IDLE) {
		idle_ready(l);
		return;
	}
	if (l->blocked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		out_write(l, NULL, 0);
		out_end(l);
	}
	if (l->state == LINK_HANDSHAKE) {
		wire_fill(l);
		l->ended = false;
		link_handshake(l);
		return;
	}
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && link_reads(l))
		(void)upstream_link_receive(l);
	link_watch(l);
	l->call->ops->moved(l->call); /* may free it */
}

void upstream_call_resize(struct upstream_call *call)
{
	link_hold(call->link, call);
	link_watch(call->link);
}

/* --- between two calls ------------------------------------------------------------------------ */

/* Whatever an idle one says is no answer, except what TLS has to say of itself, as a ticket. */
bool link_alive(struct upstream_link *l)
{
	uint8_t byte;
	if (l->transport != NULL)
		return !upstream_link_receive(l) && !l->ended && !l->mute && !l->more;
	return recv(l->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void link_rest(struct upstream_link *l)
{
	l->state = LINK_IDLE;
	l->call = NULL;
	l->limit = l->expired = UPSTREAM_WORKS;
	l->used = true;
	link_watch(l);
}

void link_use(struct upstream_link *l, struct upstream_call *call)
{
	l->state = LINK_OPEN;
	l->call = call;
	link_hold(l, call);
	call->link = l;
}
