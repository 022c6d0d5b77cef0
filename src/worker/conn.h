/*
 * One client's connection: a descriptor, a TLS session, a protocol, buffers for what does not fit,
 * and one deadline.
 *
 *   HANDSHAKE ──done──> OPEN ──protocol closing, all sent──> LINGER ──end of input──> freed
 *       └─ failed: alert, LINGER      └── clean end: freed at once
 *
 * Bytes on the way in:  kernel → loop's received → (cipher_in) → GnuTLS → loop's plain → (plain_in)
 * → protocol; and out: protocol → loop's out → GnuTLS → loop's wire → (cipher_out) → kernel. The
 * buffers in parentheses are the connection's own and empty unless the next station is not ready;
 * an idle connection holds no buffer at all.
 */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include <bsd/sys/queue.h>

#include "base/buf.h"
#include "handler/handlers.h"
#include "http/http1.h"
#include "net/loop.h"
#include "tls/session.h"
#include "worker/loop.h"

/* What its buffers hold at the most. */
#define CONN_CIPHER_IN_MAX  (2 * RECEIVE_BYTES)
#define CONN_PLAIN_IN_MAX   (HTTP_HEAD_MAX + 2 * (size_t)TLS_RECORD_MAX)
#define CONN_CIPHER_OUT_MAX ((size_t)512 * 1024) /* it waits for the kernel */

/* The most memory that a connection holds, on a port with such a limit of a head. It is made of
 * what bounds each part, so whoever holds more has not got it through connections. */
#define CONN_MEMORY_MAX(head_max)                                                                 \
	(sizeof(struct conn) + TLS_SESSION_MEMORY_MAX(RECEIVE_BYTES) + CONN_CIPHER_IN_MAX +       \
	 CONN_PLAIN_IN_MAX + CONN_CIPHER_OUT_MAX + sizeof(struct exchange) + (size_t)(head_max) + \
	 HANDLER_MEMORY_MAX(head_max))

enum conn_state { CONN_HANDSHAKE, CONN_OPEN, CONN_LINGER };

/* Which limit runs. */
enum conn_wait {
	WAIT_NONE,
	WAIT_HANDSHAKE,
	WAIT_IDLE,
	WAIT_HEAD,
	WAIT_BODY,
	WAIT_WRITE,
	WAIT_LINGER
};

struct conn {
	struct loop_io io;
	struct worker_loop *owner;
	LIST_ENTRY(conn) link;
	struct http_client client;
	enum conn_state state;

	struct tls_session tls;
	struct http1 http;
	struct buf cipher_in;
	struct buf plain_in;
	struct buf cipher_out;
	bool input_ended; /* the protocol was told */
	bool closing;     /* the last word (close_notify, an alert) is in the output */
	bool lingers;     /* input may still come after that */
	bool over;        /* to be freed by conn_settle() */
	bool failed;      /* its handshake, and that has been counted */
	bool more_output; /* its turn was long enough: goes on in the next */

	struct loop_timer timer;
	enum conn_wait wait;
	uint32_t wait_requests; /* which request the wait belongs to */
	uint64_t wait_base;     /* how far what it waits for had come when it began */
	uint64_t wait_until_ms;
	struct {
		enum conn_wait wait;
		uint32_t requests;
		uint64_t base;
		uint64_t left_ms;
	} paused;                 /* while something else is waited for: goes on where it stopped */
	uint64_t linger_until_ms; /* of CONN_LINGER: its end, however much comes … */
	uint64_t linger_bytes_in; /* … and whatever time is left */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/* Takes over the descriptor; on failure (memory) it is closed. */
void conn_new(struct worker_loop *, int fd, const struct http_client *);
void conn_free(struct conn *);

/* No further request: idle ones end now, busy ones after what they are at. */
void conn_drain(struct conn *);

/* A handler has something to give: the connection has a turn soon. From any callback. */
void conn_wake(struct conn *);

/* For faults: ends it by a reset when whoever runs is done with it; puts bytes behind what the
 * protocol has said, within its turn, and closes behind them. */
void conn_reset(struct conn *);
void conn_say(struct conn *, const void *data, size_t len);

/* plain.c: puts into the wire what a client that speaks plain HTTP is told. 0 or -errno. */
int conn_plain_answer(struct conn *);

/* conn_wait.c: the deadline that fits what the connection waits for now. */
void conn_wait_update(struct conn *);
/* It lingers from now on: sets the bounds of that. */
void conn_wait_linger(struct conn *);
/* It lingers already, and the worker drains from now on: brings their end near. */
void conn_wait_linger_drain(struct conn *);
/* The timer's callback. */
void conn_wait_expired(struct loop *, struct loop_timer *);

/* conn.c: offers the kernel again what it did not take. It says that there is room only once there
 * is much of it (tcp(7), TCP_NOTSENT_LOWAT), and takes less when it is asked. */
void conn_flush(struct conn *);
/* conn.c: goes on after something changed from outside; c may be gone afterwards. */
void conn_advance(struct conn *, const uint8_t *received, size_t len);

/* Its handshake has come to nothing, for this reason in words: counts and logs it. A client that
 * has not said anything, a port scanner or a browser that connects ahead, is counted only. */
void conn_handshake_failed(struct conn *, enum ipc_failure kind, const char *text);

static inline bool conn_blocked(const struct conn *c)
{
	return buf_len(&c->cipher_out) > 0;
}

#endif
