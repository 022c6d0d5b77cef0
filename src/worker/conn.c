/*
 * Runs in a loop, on one client's bytes. A turn: receive, decrypt, offer to the protocol, pull from
 * it, encrypt, send; then conn_settle() decides what to wait for, or frees the connection. No
 * function in between may free it, and none may block.
 */
#include "worker/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "worker/fault.h"

#define WIRE_HIGH ((size_t)64 * 1024) /* ciphertext that is collected before it is sent */
/* output of one connection per turn; then the others have theirs */
#define TURN_BYTES (4 * WIRE_HIGH)

_Static_assert(CONN_CIPHER_OUT_MAX >= 2 * (WIRE_HIGH + 2 * TRANSPORT_DATA_MAX),
	       "flow control is far below");

static void conn_ready(struct loop *, struct loop_io *, uint32_t events);

/* Bytes of memory for an object that another one follows. */
static size_t room(size_t size)
{
	const size_t align = _Alignof(max_align_t);
	return (size + align - 1) / align * align;
}

size_t conn_memory_max(const struct worker_loop *l)
{
	const struct transport_ops *t = l->transport;
	const size_t head_max = l->worker->port->limits.head_bytes;
	return sizeof(struct conn) + room(t->size) + http_protocol_size() +
	       t->memory_max(RECEIVE_BYTES) + CONN_CIPHER_IN_MAX + CONN_PLAIN_IN_MAX +
	       CONN_CIPHER_OUT_MAX + EXCHANGE_MEMORY_MAX(head_max) + HANDLER_MEMORY_MAX(head_max);
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
	c->state = CONN_OPEN;
	c->proto = (struct proto *)(c->memory + room(t->ops->size));
	protocol->init(c->proto, &l->http, c, &c->client);
}

void conn_new(struct worker_loop *l, int fd, const struct http_client *client)
{
	struct conn *c = calloc(1, sizeof(*c) + room(l->transport->size) + http_protocol_size());
	if (c == NULL) {
		fd_close(&fd);
		accept_starved(l);
		return;
	}
	*c = (struct conn){.io = {.fd = fd, .ready = conn_ready},
			   .owner = l,
			   .client = *client,
			   .cipher_in = BUF_INIT(CONN_CIPHER_IN_MAX),
			   .plain_in = BUF_INIT(CONN_PLAIN_IN_MAX),
			   .cipher_out = BUF_INIT(CONN_CIPHER_OUT_MAX)};
	if (loop_timer_init(&l->loop, &c->timer, conn_wait_expired) < 0) {
		accept_starved(l);
		goto fail;
	}
	if (loop_add(&l->loop, &c->io, EPOLLIN) < 0) {
		loop_timer_release(&l->loop, &c->timer);
		goto fail;
	}
	LIST_INSERT_HEAD(&l->conns, c, link);
	l->conns_count++;
	ipc_slot_add(&l->slot->connections, 1);
	ipc_slot_add(&l->slot->counters.accepted, 1);
	if (l->transport->handshake == NULL) {
		transport_begin(c);
		conn_open(c);
	}
	conn_wait_update(c);
	return;
fail:
	fd_close(&c->io.fd);
	free(c);
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
	if (c->state == CONN_HANDSHAKE && c->bytes_in > 0 && !c->failed)
		ipc_slot_add(&l->slot->counters.handshakes_failed[IPC_FAILURE_CLOSED], 1);
	transport_release(c);
	if (l->faults != NULL && faults_keep(l->faults))
		loop_remove(&l->loop, &c->io);
	else
		loop_close(&l->loop, &c->io);
	loop_timer_release(&l->loop, &c->timer);
	buf_release(&c->cipher_in);
	buf_release(&c->plain_in);
	buf_release(&c->cipher_out);
	LIST_REMOVE(c, link);
	show_forget(c);
	free(c);
	l->conns_count--;
	ipc_slot_add(&l->slot->connections, (uint64_t)-1);
	accept_freed(l);
}

/* --- out ------------------------------------------------------------------------------------- */

/* Sends waiting bytes: first those that the kernel did not take earlier, then those in the wire.
 * Bytes that it does not take now go to the connection's own buffer. */
void conn_flush(struct conn *c)
{
	struct buf *fresh = &c->owner->wire.out, *from = fresh;
	if (conn_blocked(c)) {
		if (buf_append(&c->cipher_out, buf_head(fresh), buf_len(fresh)) < 0)
			c->over = true;
		buf_consume(fresh, buf_len(fresh));
		from = &c->cipher_out;
	}
	while (buf_len(from) > 0 && !c->over) {
		ssize_t n = write(c->io.fd, buf_head(from), buf_len(from));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) { /* the client is gone */
			c->over = true;
			break;
		}
		c->bytes_out += (uint64_t)n;
		ipc_slot_add(&c->owner->slot->counters.bytes_out, (uint64_t)n);
		buf_consume(from, (size_t)n);
	}
	if (from == fresh && buf_len(fresh) > 0) {
		if (!c->over && buf_append(&c->cipher_out, buf_head(fresh), buf_len(fresh)) < 0)
			c->over = true;
		buf_consume(fresh, buf_len(fresh));
	}
	if (!conn_blocked(c))
		buf_release(&c->cipher_out);
}

static void conn_encrypt(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct transport *t = c->transport;
	if (l->out_len > 0 && t->ops->send(t, l->out_bytes, l->out_len) != TRANSPORT_OK)
		c->over = true;
	l->out_len = 0;
}

/* Pulls output from the protocol in full records. True if there was any. */
static bool conn_pull(struct conn *c, size_t *spent)
{
	struct worker_loop *l = c->owner;
	struct proto *p = c->proto;
	bool moved = false;
	while (!conn_blocked(c) && !c->over) {
		if (*spent >= TURN_BYTES) {
			c->more_output = true;
			break;
		}
		size_t room = sizeof(l->out_bytes) - l->out_len;
		size_t n = room >= PROTO_OUTPUT_MIN
			       ? p->ops->output(p, l->out_bytes + l->out_len, room)
			       : 0;
		l->out_len += n;
		*spent += n;
		moved = moved || n > 0;
		if (room >= PROTO_OUTPUT_MIN && n == 0)
			break;
		if (sizeof(l->out_bytes) - l->out_len < PROTO_OUTPUT_MIN) {
			conn_encrypt(c);
			if (buf_len(&l->wire.out) >= WIRE_HIGH)
				conn_flush(c);
		}
	}
	return moved;
}

/* --- in -------------------------------------------------------------------------------------- */

/* Offers decrypted bytes to the protocol. True if it took some. */
static bool conn_offer(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct proto *p = c->proto;
	size_t taken = 0;
	if (buf_len(&c->plain_in) > 0) {
		taken = p->ops->input(p, buf_head(&c->plain_in), buf_len(&c->plain_in));
		buf_consume(&c->plain_in, taken);
		if (buf_len(&c->plain_in) == 0)
			buf_release(&c->plain_in);
	} else if (l->plain_len > 0) {
		taken = p->ops->input(p, l->plain, l->plain_len);
		l->plain += taken;
		l->plain_len -= taken;
	}
	return taken > 0;
}

/* Saves the bytes in the loop's buffer before the buffer is needed for others. */
static void conn_keep_plain(struct conn *c)
{
	struct worker_loop *l = c->owner;
	if (l->plain_len > 0 && buf_append(&c->plain_in, l->plain, l->plain_len) < 0)
		c->over = true;
	l->plain_len = 0;
}

/* The last output of this connection is complete: nothing more is read or pulled. */
static void conn_close(struct conn *c, bool lingers)
{
	c->closing = true;
	c->lingers = lingers;
}

/* Decrypts the next record, if the protocol wants it. True if something happened. */
static bool conn_decrypt(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct proto *p = c->proto;
	if (c->input_ended || conn_blocked(c) || !p->ops->wants_input(p))
		return false;
	conn_keep_plain(c);
	struct transport *t = c->transport;
	ssize_t n = t->ops->receive(t, l->plain_bytes, sizeof(l->plain_bytes));
	if (n > 0) {
		l->plain = l->plain_bytes;
		l->plain_len = (size_t)n;
		if (buf_len(&c->plain_in) > 0)
			conn_keep_plain(c);
		return true;
	}
	if (n == TRANSPORT_FAILED) { /* the alert is in the output */
		conn_close(c, true);
		return false;
	}
	if (n == TRANSPORT_CLOSED || l->wire.in_ended) {
		c->input_ended = true;
		p->ops->input_ended(p);
		return true;
	}
	return false;
}

/* Moves bytes in both directions until no more can move. */
static void conn_pump(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct proto *p = c->proto;
	size_t spent = 0;
	c->more_output = false;
	while (!c->over && !c->closing && !c->more_output) {
		bool moved = conn_offer(c);
		if (l->draining && p->ops->phase(p) != PROTO_IDLE)
			p->ops->drain(p);
		moved = conn_pull(c, &spent) || moved;
		if (p->ops->phase(p) >= PROTO_CLOSING)
			break;
		if (!moved && !conn_decrypt(c))
			break;
	}
	conn_keep_plain(c);
	conn_encrypt(c);
	if (c->over || c->closing)
		return;
	enum proto_phase phase = p->ops->phase(p);
	if (phase == PROTO_CLOSING && !c->more_output) {
		if (c->transport->ops->close != NULL)
			c->transport->ops->close(c->transport);
		conn_close(c, p->ops->lingers(p));
	} else if (phase == PROTO_ABORTED) {
		/* without the transport's clean end, so that the client sees the response was cut
		 */
		conn_close(c, false);
	}
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

void conn_handshake_failed(struct conn *c, unsigned kind, const char *text)
{
	struct worker_loop *l = c->owner;
	c->failed = true;
	ipc_slot_add(&l->slot->counters.handshakes_failed[kind], 1);
	if (kind == IPC_FAILURE_MEMORY)
		accept_starved(l);
	if (c->bytes_in > 0 && l->worker->port->access != CONF_ACCESS_OFF)
		log_write(&l->log, LOG_INFO, "TLS handshake with ('%s', %u) failed: %s",
			  c->client.address, c->client.port, text);
}

/* The client left; a handshake in progress has failed. */
static void handshake_left(struct conn *c)
{
	if (c->state == CONN_HANDSHAKE && c->bytes_in > 0 && !c->failed)
		conn_handshake_failed(c, IPC_FAILURE_CLOSED, "The client closed the connection.");
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
	conn_handshake_failed(c, failure->kind, failure->text);
	conn_close(c, true);
}

static void conn_handshake(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct transport_failure failure = {0};
	if (c->transport == NULL && l->wire.in_len == 0) { /* no byte has come yet */
		c->over = l->wire.in_ended;
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
			faults_handshake(c);
		break;
	case TRANSPORT_CLOSED:
	case TRANSPORT_FAILED:
		handshake_refused(c, &failure);
		break;
	}
}

/* --- a turn ---------------------------------------------------------------------------------- */

/* Points the loop's wire at this connection's ciphertext: saved bytes first, then new ones. */
static void wire_load(struct conn *c, const uint8_t *received, size_t len)
{
	struct transport_wire *w = &c->owner->wire;
	w->in = received;
	w->in_len = len;
	if (buf_len(&c->cipher_in) > 0) {
		if (buf_append(&c->cipher_in, received, len) < 0)
			c->over = true;
		w->in = buf_head(&c->cipher_in);
		w->in_len = buf_len(&c->cipher_in);
	}
}

static void wire_store(struct conn *c)
{
	struct transport_wire *w = &c->owner->wire;
	if (c->closing || c->over)
		buf_release(&c->cipher_in);
	else if (buf_len(&c->cipher_in) > 0)
		buf_consume(&c->cipher_in, buf_len(&c->cipher_in) - w->in_len);
	else if (w->in_len > 0 && buf_append(&c->cipher_in, w->in, w->in_len) < 0)
		c->over = true;
	if (buf_len(&c->cipher_in) == 0)
		buf_release(&c->cipher_in);
	w->in_len = 0;
	w->in_ended = false;
}

/* The last output has reached the kernel. Ends the connection, or waits for the client to close: a
 * reset would destroy data that it has not read yet (RFC 9112, 9.6). */
static void conn_finish(struct conn *c)
{
	if (!c->lingers || c->input_ended || shutdown(c->io.fd, SHUT_WR) < 0) {
		c->over = true;
		return;
	}
	c->state = CONN_LINGER;
	conn_wait_linger(c);
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
	if (conn_blocked(c) || c->more_output)
		return conn_ignores(c) && !c->input_ended ? EPOLLIN | EPOLLOUT : EPOLLOUT;
	if (c->state == CONN_OPEN &&
	    (c->input_ended || buf_len(&c->cipher_in) > 0 || !p->ops->wants_input(p)))
		return 0;
	return EPOLLIN;
}

static void conn_settle(struct conn *c)
{
	if (!c->over && c->closing && c->state != CONN_LINGER && !conn_blocked(c))
		conn_finish(c);
	if (!c->over && loop_modify(&c->owner->loop, &c->io, conn_interest(c)) < 0)
		c->over = true;
	if (c->over)
		conn_free(c);
	else
		conn_wait_update(c);
}

void conn_advance(struct conn *c, const uint8_t *received, size_t len)
{
	wire_load(c, received, len);
	if (!c->over && !c->closing && c->state == CONN_HANDSHAKE)
		conn_handshake(c);
	if (!c->over && !c->closing && c->state == CONN_OPEN)
		conn_pump(c);
	wire_store(c);
	bool stopped = conn_blocked(c) && c->state == CONN_OPEN && !c->closing;
	conn_flush(c);
	/* The pump stopped because the kernel took no more, and now it did. No event will come for
	 * that, so the connection gets another turn. */
	if (stopped && !conn_blocked(c))
		c->more_output = true;
	conn_settle(c);
}

static void conn_turn(struct conn *c, uint32_t events)
{
	struct worker_loop *l = c->owner;
	ssize_t n = 0;
	/* The connection was reset, or both directions have ended. In the second case a lingering
	 * connection is read first: closing it with unread input would reset it (RFC 9112, 9.6). */
	if ((events & EPOLLERR) || ((events & EPOLLHUP) && c->state != CONN_LINGER)) {
		handshake_left(c);
		conn_free(c);
		return;
	}
	if (events & EPOLLOUT)
		conn_flush(c);
	if (events & EPOLLIN) {
		n = recv(c->io.fd, l->received, sizeof(l->received), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			n = 0;
		else if (n < 0)
			c->over = true;
		else if (n == 0)
			l->wire.in_ended = true;
		if (n > 0) {
			c->bytes_in += (uint64_t)n;
			ipc_slot_add(&l->slot->counters.bytes_in, (uint64_t)n);
		}
	}
	if (c->over || c->state == CONN_LINGER) {
		c->over = c->over || l->wire.in_ended || c->bytes_in >= c->linger_bytes_in;
		l->wire.in_ended = false;
		conn_settle(c);
		return;
	}
	if (!conn_ignores(c)) {
		conn_advance(c, l->received, n > 0 ? (size_t)n : 0);
		return;
	}
	if (l->wire.in_ended) {
		c->input_ended = true;
		c->proto->ops->input_ended(c->proto);
	}
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

void conn_drain(struct conn *c)
{
	uint8_t byte;
	show_connection(c);
	c->wait = WAIT_NONE; /* the limits change now */
	if (c->state == CONN_LINGER)
		conn_wait_linger_drain(c);
	if (c->state != CONN_OPEN || c->closing) { /* the first request is still served */
		conn_wait_update(c);
		return;
	}
	struct proto *p = c->proto;
	if (c->owner->lenient && p->ops->phase(p) == PROTO_IDLE) {
		conn_wait_update(c);
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
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	c->over = true;
	conn_wake(c);
}

void conn_say(struct conn *c, const void *data, size_t len)
{
	struct worker_loop *l = c->owner;
	if (len > sizeof(l->out_bytes) - l->out_len)
		conn_encrypt(c);
	memcpy(l->out_bytes + l->out_len, data, len);
	l->out_len += len;
	conn_close(c, true);
}

void conn_wake(struct conn *c)
{
	c->more_output = true;
	if (loop_modify(&c->owner->loop, &c->io, EPOLLOUT) < 0)
		c->over = true;
}
