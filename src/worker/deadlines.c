/*
 * The deadlines of a connection. Runs in a loop. Must never free the connection: the caller does
 * what a deadline means.
 *
 * The connection has limits of its own: the handshake and the idle time run from a moment on;
 * writing has windows in which the client must take output. If it takes fewer than WINDOW_BYTES
 * within one, it is too slow, on purpose or not. Nothing else counts as progress: no bytes in the
 * other direction, no records without data, no TLS messages. The limits of requests are the
 * protocol's, since it may have many; it says when the first of them is reached.
 *
 * While the client must take output first, no other limit runs, and each goes on where it stopped.
 * So a client cannot begin one again and again.
 *
 * A connection that lingers has windows in which any input counts, within overall bounds; so has a
 * handshake while the worker drains.
 */
#include <sys/syslog.h>

#include "worker/deadlines.h"

#include "base/num.h"
#include "worker/access.h"
#include "worker/header.h"
#include "worker/pump.h"

#define WINDOW_BYTES  1024
#define DRAIN_IDLE_MS 1000 /* while draining, for a client without a request */

#define HANDSHAKE_SILENCE_MS 2000 /* while draining, in a handshake that has begun */

/* A client may continue to send a request that was already answered (RFC 9112, 9.6). It is read as
 * long as bytes come, since some clients only read after they have sent everything. */
#define LINGER_SHORT_MS  2000 /* silence allowed while draining, and after a failed handshake */
#define LINGER_MAX_MS    UINT64_C(300000)
#define LINGER_MAX_BYTES ((uint64_t)256 << 20)

static enum conn_wait wait_for(const struct conn *c)
{
	const struct proto *p = c->proto;
	switch (c->state) {
	case CONN_HEADER:
	case CONN_HANDSHAKE: /* a failed handshake waits for the client to take the alert */
		if (!c->closing)
			return WAIT_HANDSHAKE;
		break;
	case CONN_LINGER:
		return WAIT_LINGER;
	case CONN_OPEN:
		break;
	}
	if (conn_blocked(c))
		return WAIT_WRITE;
	if (c->state != CONN_OPEN)
		return WAIT_HANDSHAKE;
	switch (p->ops->phase(p)) {
	case PROTO_IDLE:
		return WAIT_IDLE;
	case PROTO_BUSY:
		return WAIT_REQUESTS;
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

/* How long a lingering client may be silent: it may not have noticed the response yet. */
static uint64_t linger_ms(const struct conn *c)
{
	const struct worker_loop *l = c->owner;
	const uint64_t now = l->loop.now_ms;
	const uint64_t left = c->windows_until_ms > now ? c->windows_until_ms - now : 0;
	const uint64_t silence = l->worker->port->limits.body_ms;
	const bool brief = l->draining || c->failed;
	return num_least(left, brief ? num_least(silence, LINGER_SHORT_MS) : silence);
}

static bool is_plain(const struct conn *c)
{
	return c->owner->transport->handshake == NULL;
}

/* A client that has not sent anything yet. With TLS the limit of the handshake ends it; without,
 * its first request has to begin as soon as a head must be complete. */
static bool is_silent(const struct conn *c)
{
	return !conn_has_spoken(c) && is_plain(c);
}

static uint64_t idle_ms(const struct conn *c)
{
	const struct limits *limits = &c->owner->worker->port->limits;
	return is_silent(c) ? num_least(limits->idle_ms, limits->head_ms) : limits->idle_ms;
}

/* From the connection's begin: the handshake with the PROXY header before it. On a plain port it is
 * the header, and the silence after it. */
static uint64_t handshake_limit_ms(const struct conn *c)
{
	const struct limits *limits = &c->owner->worker->port->limits;
	return is_plain(c) ? num_least(limits->idle_ms, limits->head_ms) : limits->handshake_ms;
}

/* While the worker drains, a handshake goes on as long as bytes come: the client cannot know that
 * it came late. One that has not sent anything is not waited for. */
static uint64_t handshake_ms(const struct conn *c)
{
	const uint64_t limit = handshake_limit_ms(c);
	if (c->owner->draining && c->bytes_in > 0)
		return num_least(limit, HANDSHAKE_SILENCE_MS);
	return drain_shortened(c, limit);
}

/* How long that may last in all. */
static uint64_t handshake_longest_ms(const struct conn *c)
{
	return num_least(handshake_limit_ms(c), c->owner->worker->role->conf->drain_ms / 2);
}

/* How long a connection may linger in all, even if bytes come: a client that trickles must not hold
 * a draining worker until it is killed. A client that was answered while the worker drains may
 * still be in the middle of an upload. */
static uint64_t linger_longest_ms(const struct conn *c)
{
	const struct worker *w = c->owner->worker;
	uint64_t longest = LINGER_MAX_MS;
	if (c->failed)
		longest = num_least(longest, w->port->limits.handshake_ms);
	if (c->owner->draining)
		longest = num_least(longest, w->role->conf->drain_ms / 2);
	return longest;
}

void deadline_linger(struct conn *c)
{
	c->windows_until_ms = c->owner->loop.now_ms + linger_longest_ms(c);
	c->linger_bytes_in = c->bytes_in + LINGER_MAX_BYTES;
}

void deadline_linger_drain(struct conn *c)
{
	const uint64_t longest = num_least(linger_longest_ms(c), LINGER_SHORT_MS);
	c->windows_until_ms = num_least(c->windows_until_ms, c->owner->loop.now_ms + longest);
}

static uint64_t limit_ms(const struct conn *c, enum conn_wait wait)
{
	const struct limits *limits = &c->owner->worker->port->limits;
	switch (wait) {
	case WAIT_HANDSHAKE:
		return handshake_ms(c);
	case WAIT_IDLE:
		return drain_shortened(c, idle_ms(c));
	case WAIT_WRITE:
		return limits->write_ms;
	case WAIT_LINGER:
		return linger_ms(c);
	case WAIT_NONE:
	case WAIT_REQUESTS:
		break;
	}
	return 0;
}

/* How many bytes count as progress of this wait; 0 for waits that never have windows. */
static uint64_t progress(const struct conn *c, enum conn_wait wait)
{
	switch (wait) {
	case WAIT_WRITE:
		return c->bytes_out;
	case WAIT_LINGER:
	case WAIT_HANDSHAKE:
		return c->bytes_in;
	case WAIT_NONE:
	case WAIT_IDLE:
	case WAIT_REQUESTS:
		break;
	}
	return 0;
}

/* The client has taken the output that it had to take first: the other limits go on. */
static void write_ended(struct conn *c)
{
	const uint64_t ms = c->owner->loop.now_ms - c->wait_since_ms;
	if (c->idle_until_ms != 0)
		c->idle_until_ms += ms;
	if (c->proto != NULL)
		c->proto->ops->paused(c->proto, ms);
}

static void timer_set(struct conn *c, uint64_t until_ms)
{
	struct loop *loop = &c->owner->loop;
	if (until_ms == PROTO_NO_DEADLINE)
		loop_timer_cancel(loop, &c->timer);
	else
		loop_timer_set(loop, &c->timer, until_ms);
}

static uint64_t idle_until(struct conn *c, uint32_t requests)
{
	if (c->idle_until_ms == 0 || c->idle_requests != requests)
		c->idle_until_ms = c->owner->loop.now_ms + limit_ms(c, WAIT_IDLE);
	c->idle_requests = requests;
	return c->idle_until_ms;
}

static uint64_t wait_until(struct conn *c, enum conn_wait wait)
{
	const uint64_t now = c->owner->loop.now_ms;
	switch (wait) {
	case WAIT_NONE:
		return PROTO_NO_DEADLINE;
	case WAIT_IDLE:
		return idle_until(c, conn_requests(c));
	case WAIT_REQUESTS:
		return c->proto->ops->deadline(c->proto, now);
	case WAIT_HANDSHAKE:
	case WAIT_WRITE:
	case WAIT_LINGER:
		break;
	}
	return now + limit_ms(c, wait);
}

static void wait_begin(struct conn *c, enum conn_wait wait)
{
	const uint64_t now = c->owner->loop.now_ms;
	if (wait == WAIT_HANDSHAKE && c->wait != wait)
		c->windows_until_ms = now + handshake_longest_ms(c);
	c->wait = wait;
	c->wait_since_ms = now;
	c->wait_base = progress(c, wait);
	timer_set(c, wait_until(c, wait));
}

void deadline_header_done(struct conn *c)
{
	if (is_plain(c) && c->wait == WAIT_HANDSHAKE)
		c->idle_until_ms = c->wait_since_ms + limit_ms(c, WAIT_HANDSHAKE);
}

void deadline_update(struct conn *c)
{
	const enum conn_wait wait = wait_for(c);
	if (c->wait == WAIT_WRITE && wait != WAIT_WRITE)
		write_ended(c);
	if (wait != c->wait || wait == WAIT_REQUESTS ||
	    (wait == WAIT_IDLE && conn_requests(c) != c->idle_requests))
		wait_begin(c, wait);
}

static void expiry_log(const struct conn *c, const char *limit)
{
	log_write(&c->owner->log, LOG_DEBUG, "('%s', %u) has reached its %s limit",
		  c->client.address, c->client.port, limit);
}

static const char *handshake_expiry(const struct conn *c)
{
	return limit_ms(c, WAIT_HANDSHAKE) < handshake_limit_ms(c)
		   ? "It was not done when the worker had to end."
		   : "It was not done within handshake-timeout.";
}

/* Have enough bytes moved in the window to begin another one? */
static bool window_moved(const struct conn *c)
{
	const uint64_t moved = progress(c, c->wait) - c->wait_base;
	if (c->wait == WAIT_LINGER || c->wait == WAIT_HANDSHAKE)
		return moved > 0 && c->owner->loop.now_ms < c->windows_until_ms;
	return moved >= WINDOW_BYTES;
}

/* Asks the kernel once more: how much it takes shows how much the client has read. */
static enum deadline write_expired(struct conn *c)
{
	pump_flush(c);
	if (!c->over && !conn_blocked(c)) {
		write_ended(c);
		c->wait = WAIT_NONE;
		return DEADLINE_GOES_ON;
	}
	if (!c->over && window_moved(c)) {
		wait_begin(c, c->wait);
		return DEADLINE_WAITS;
	}
	expiry_log(c, "write-timeout");
	return DEADLINE_RESETS;
}

/* Ends the requests that have reached a limit; the others go on. */
static enum deadline requests_expired(struct conn *c)
{
	struct proto *p = c->proto;
	const uint64_t now = c->owner->loop.now_ms;
	const char *limit;
	bool any = false;
	while ((limit = p->ops->expired(p, now)) != NULL) {
		expiry_log(c, limit);
		any = true;
	}
	if (any)
		return DEADLINE_GOES_ON;
	deadline_update(c);
	return DEADLINE_WAITS;
}

/* The handshake was too slow, or its PROXY header. */
static enum deadline handshake_expired(struct conn *c)
{
	expiry_log(c, is_plain(c) ? "head-timeout" : "handshake-timeout");
	if (c->state == CONN_HEADER && header_expired(c))
		return DEADLINE_GOES_ON;
	if (!c->failed && !is_plain(c))
		access_handshake_failed(c, IPC_FAILURE_TIMEOUT, handshake_expiry(c));
	return DEADLINE_ENDS;
}

/* A window of input is over: begins another one if there was some. */
static bool window_begun(struct conn *c)
{
	if (!window_moved(c))
		return false;
	wait_begin(c, c->wait);
	return true;
}

enum deadline deadline_expire(struct conn *c)
{
	switch (c->wait) {
	case WAIT_WRITE:
		return write_expired(c);
	case WAIT_REQUESTS:
		return requests_expired(c);
	case WAIT_IDLE:
		expiry_log(c, is_silent(c) ? "head-timeout" : "idle");
		c->proto->ops->idle_expired(c->proto);
		c->wait = WAIT_NONE;
		return DEADLINE_GOES_ON;
	case WAIT_LINGER:
		if (window_begun(c))
			return DEADLINE_WAITS;
		expiry_log(c, "linger");
		break;
	case WAIT_HANDSHAKE:
		if (c->owner->draining && window_begun(c))
			return DEADLINE_WAITS;
		return handshake_expired(c);
	case WAIT_NONE:
		break;
	}
	return DEADLINE_ENDS;
}

void deadline_restart(struct conn *c)
{
	c->wait = WAIT_NONE;
	c->idle_until_ms = 0;
}
