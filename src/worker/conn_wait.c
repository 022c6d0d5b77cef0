/*
 * The deadlines of a connection. Runs in a loop.
 *
 * Two kinds: from a moment on (handshake, idle, head, linger), and windows in which something must
 * move (body, write): when such a window ends without WINDOW_BYTES having moved, the client is too
 * slow, be it by intent or not.
 */
#include <sys/socket.h>
#include <sys/syslog.h>

#include "worker/conn.h"

#define WINDOW_BYTES  1024
#define LINGER_MS     2000
#define DRAIN_IDLE_MS 1000 /* while draining, for a client that has not asked anything yet */

static enum conn_wait wait_for(const struct conn *c)
{
	const struct proto *p = &c->http.proto;
	if (conn_blocked(c) || c->more_output)
		return WAIT_WRITE;
	switch (c->state) {
	case CONN_HANDSHAKE:
		return WAIT_HANDSHAKE;
	case CONN_LINGER:
		return WAIT_LINGER;
	case CONN_OPEN:
		break;
	}
	switch (p->ops->phase(p)) {
	case PROTO_IDLE:
		return WAIT_IDLE;
	case PROTO_HEAD:
		return WAIT_HEAD;
	case PROTO_BODY:
		return WAIT_BODY;
	case PROTO_BUSY:
	case PROTO_CLOSING:
	case PROTO_ABORTED:
		break;
	}
	return WAIT_NONE;
}

static uint64_t drain_shortened(const struct conn *c, uint64_t limit)
{
	return c->owner->draining && limit > DRAIN_IDLE_MS ? DRAIN_IDLE_MS : limit;
}

static uint64_t limit_ms(const struct conn *c, enum conn_wait wait)
{
	const struct conf_limits *limits = &c->owner->worker->port->limits;
	switch (wait) {
	case WAIT_HANDSHAKE:
		return drain_shortened(c, limits->handshake_ms);
	case WAIT_IDLE:
		return drain_shortened(c, limits->idle_ms);
	case WAIT_HEAD:
		return limits->head_ms;
	case WAIT_BODY:
		return limits->body_ms;
	case WAIT_WRITE:
		return limits->write_ms;
	case WAIT_LINGER:
		return LINGER_MS;
	case WAIT_NONE:
		break;
	}
	return 0;
}

static void wait_begin(struct conn *c, enum conn_wait wait)
{
	struct loop *loop = &c->owner->loop;
	c->wait = wait;
	c->wait_requests = c->http.requests;
	c->wait_bytes = c->bytes_in + c->bytes_out;
	if (wait == WAIT_NONE)
		loop_timer_cancel(loop, &c->timer);
	else
		loop_timer_set(loop, &c->timer, loop->now_ms + limit_ms(c, wait));
}

void conn_wait_update(struct conn *c)
{
	enum conn_wait wait = wait_for(c);
	if (wait != c->wait || c->http.requests != c->wait_requests)
		wait_begin(c, wait);
}

static void expiry_log(const struct conn *c)
{
	static const char *const names[] = {
	    [WAIT_NONE] = "",
	    [WAIT_HANDSHAKE] = "handshake-timeout",
	    [WAIT_IDLE] = "idle",
	    [WAIT_HEAD] = "head-timeout",
	    [WAIT_BODY] = "body-timeout",
	    [WAIT_WRITE] = "write-timeout",
	    [WAIT_LINGER] = "linger",
	};
	log_write(&c->owner->log, LOG_DEBUG, "('%s', %u) has reached its %s limit",
		  c->client.address, c->client.port, names[c->wait]);
}

static const char *handshake_expiry(const struct conn *c)
{
	return limit_ms(c, WAIT_HANDSHAKE) < c->owner->worker->port->limits.handshake_ms
		   ? "It was not done when the worker had to end."
		   : "It was not done within handshake-timeout.";
}

static void expired(struct conn *c)
{
	struct proto *p = &c->http.proto;
	switch (c->wait) {
	case WAIT_BODY:
	case WAIT_WRITE:
		if (c->bytes_in + c->bytes_out - c->wait_bytes >= WINDOW_BYTES) {
			wait_begin(c, c->wait);
			return;
		}
		expiry_log(c);
		if (c->wait == WAIT_WRITE) { /* what the kernel still holds is dropped, too */
			const struct linger reset = {.l_onoff = 1, .l_linger = 0};
			(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			conn_free(c);
			return;
		}
		p->ops->expired(p);
		break;
	case WAIT_IDLE:
	case WAIT_HEAD:
		expiry_log(c);
		p->ops->expired(p);
		break;
	case WAIT_HANDSHAKE:
		conn_handshake_failed(c, IPC_FAILURE_TIMEOUT, handshake_expiry(c));
		/* fall through */
	case WAIT_LINGER:
	case WAIT_NONE:
		expiry_log(c);
		conn_free(c);
		return;
	}
	c->wait = WAIT_NONE;
	conn_advance(c, NULL, 0);
}

void conn_wait_expired(struct loop *loop, struct loop_timer *timer)
{
	struct conn *c = (struct conn *)((char *)timer - offsetof(struct conn, timer));
	struct worker_loop *l = c->owner;
	(void)loop;
	show_connection(c);
	expired(c); /* c may be gone afterwards */
	show_nobody(l);
}
