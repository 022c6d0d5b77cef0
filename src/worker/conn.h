/*
 * One client's connection: a descriptor, a transport (TLS), a protocol, buffers for bytes that
 * cannot move on yet, and one deadline.
 *
 *   HANDSHAKE ──done──> OPEN ──protocol closing, all sent──> LINGER ──end of input──> freed
 *       └─ failed: alert, LINGER      └── clean end: freed at once
 *
 * On ports with `proxy protocol from`, the state HEADER comes before these (header.h).
 *
 * conn.c is its life, pump.c the way of its bytes, deadlines.c the limits of time.
 */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include <bsd/sys/queue.h>
#include <stddef.h>

#include "base/buf.h"
#include "handler/handlers.h"
#include "http/proto.h"
#include "net/loop.h"
#include "net/transport.h"
#include "worker/loop.h"

/* The most that its buffers hold. */
#define CONN_CIPHER_IN_MAX  (2 * RECEIVE_BYTES)
#define CONN_PLAIN_IN_MAX   (LIMIT_HEAD_MAX + 2 * (size_t)TRANSPORT_DATA_MAX)
#define CONN_CIPHER_OUT_MAX ((size_t)512 * 1024) /* bytes that wait for the kernel */

enum conn_state { CONN_HANDSHAKE, CONN_HEADER, CONN_OPEN, CONN_LINGER };

/* The limit that runs. */
enum conn_wait {
	WAIT_NONE,
	WAIT_HANDSHAKE, /* for the PROXY header, too */
	WAIT_IDLE,
	WAIT_REQUESTS, /* a limit of a request, which the protocol knows */
	WAIT_WRITE,
	WAIT_LINGER
};

struct conn {
	struct loop_io io;
	struct worker_loop *owner;
	LIST_ENTRY(conn) link;
	struct http_client client;
	enum conn_state state;
	uint32_t header_bytes; /* of bytes_in: those of the PROXY header */

	struct transport *transport; /* in memory; NULL until the first byte has come */
	struct proto *proto; /* in memory; NULL until the handshake is done, and while it lingers */
	struct buf cipher_in;
	struct buf plain_in;
	struct buf cipher_out;
	bool input_ended; /* the protocol knows it */
	bool goes_on;     /* the client has sent more than what was to be its last request */
	bool said_end;    /* the client was told that no more data will come ... */
	bool shut;        /* ... by TCP, since its transport has no word for that */
	bool unwatched;   /* it is out of the epoll set until it wants input */
	bool quiet;       /* it wants no input, and is watched all the same */
	bool pressed;     /* input has come that it does not want yet ... */
	bool left;        /* ... and nothing more will */
	bool closing;     /* the last output (close_notify, an alert) is complete */
	bool lingers;     /* input may still come after it */
	bool cut;         /* its end must be a reset, or the response would look complete */
	bool over;        /* conn_settle() frees it */
	bool failed;      /* the handshake or the header failed, and was counted */
	bool more_output; /* it used up its turn and continues in the next */

	struct loop_task again; /* queued: it gets a turn although no event comes */
	struct loop_timer timer;
	enum conn_wait wait;
	uint64_t wait_base; /* progress() when the wait began */
	uint64_t wait_since_ms;
	uint32_t idle_requests;    /* how many requests there were before the idle time */
	uint64_t idle_until_ms;    /* of that idle time; 0: its limits have changed */
	uint64_t windows_until_ms; /* the end of windows in which any input counts */
	uint64_t linger_bytes_in;  /* the limit of input while it lingers */
	uint64_t bytes_in;
	uint64_t bytes_out;
	/* for the transport, after it the protocol, and after that struct conn_header */
	_Alignas(max_align_t) uint8_t memory[];
};

/* Bytes of that memory for an object that another one follows. */
static inline size_t conn_room(size_t size)
{
	const size_t align = _Alignof(max_align_t);
	return (size + align - 1) / align * align;
}

/* Has the client sent anything, after its PROXY header? */
static inline bool conn_has_spoken(const struct conn *c)
{
	return c->bytes_in > c->header_bytes;
}

/* Takes ownership of the descriptor, and closes it on failure. Returns 0, or -ENOMEM: this process
 * has no memory for it. */
int conn_new(struct worker_loop *, int fd, const struct http_client *);
void conn_free(struct conn *);

/* Of a struct transport_wire. */
int conn_local_address(const void *connection, char ret[ADDRESS_TEXT_MAX]);

/* The most memory that a connection of the loop holds. It is the sum of the bounds of its parts, so
 * a worker that holds more has not got it through connections. */
size_t conn_memory_max(const struct worker_loop *);

/* Accept no further request: idle connections end now, busy ones after the present request. */
void conn_drain(struct conn *);

/* A handler has output: the connection gets a turn soon. May be called from any callback. */
void conn_wake(struct conn *);

/* For faults. conn_reset() ends the connection with a reset once the caller is done with it.
 * conn_say() appends bytes to the protocol's output, within its turn, and closes after them. */
void conn_reset(struct conn *);
void conn_say(struct conn *, const void *data, size_t len);

/* The last output of this connection is complete: nothing more is read or pulled. */
static inline void conn_close(struct conn *c, bool lingers)
{
	c->closing = true;
	c->lingers = lingers;
}

/* In plain.c: writes the answer to plain HTTP into the wire. Returns 0 or -errno. */
int conn_plain_answer(struct conn *);
/* On a plain port: why these first bytes of a client are not HTTP, and the enum ipc_failure. NULL:
 * they may be. */
const char *conn_plain_fault(const uint8_t *data, size_t len, unsigned *ret_kind);

static inline uint32_t conn_requests(const struct conn *c)
{
	return c->proto != NULL ? c->proto->ops->requests(c->proto) : 0;
}

static inline bool conn_blocked(const struct conn *c)
{
	return buf_len(&c->cipher_out) > 0;
}

#endif
