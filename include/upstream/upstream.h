/*
 * Connections to the endpoints of a port's upstreams, in one event loop: they are kept for the next
 * request, counted, and waited for.
 *
 *   upstream_call_begin() ──> waiting (connections, queue) ──> asked ──> handshake ──> sent ──> …
 *      └── a kept connection: at once                            └── failed()         moved()
 *
 * A call is one attempt of a request. It has a link, which is one connection, from the moment in
 * which it is sent until upstream_call_end(). The pool knows no HTTP: the owner of the call says
 * when the connection may be used again.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "ipc/use.h"
#include "upstream/choose.h"
#include "upstream/service.h"

struct http_loop;
struct upstream_call;
struct upstream_link;
struct upstream_pool;

/* --- why there is no response ----------------------------------------------------------------- */

enum upstream_failure {
	UPSTREAM_WORKS,
	UPSTREAM_FAILED_NONE,       /* no endpoint can be used */
	UPSTREAM_FAILED_QUEUE_FULL, /* too many requests wait for a connection */
	UPSTREAM_FAILED_QUEUE_LATE, /* it has waited there for too long */
	UPSTREAM_FAILED_SHED,       /* the event loop is behind: limits lag */
	UPSTREAM_FAILED_FULL,       /* the connector or this process has no room for more */
	UPSTREAM_FAILED_PORTS,      /* all local ports for its address are taken */
	UPSTREAM_FAILED_REFUSED,    /* it refused the connection, or cannot be reached */
	UPSTREAM_FAILED_UNRESOLVED, /* its name has no address */
	UPSTREAM_FAILED_CONNECT,    /* timeouts connect */
	UPSTREAM_FAILED_TLS,        /* no handshake, or a certificate that is not believed */
	UPSTREAM_FAILED_HEAD,       /* timeouts head */
	UPSTREAM_FAILED_BETWEEN,    /* timeouts between */
	UPSTREAM_FAILED_MALFORMED,  /* what it sent is no response */
	UPSTREAM_FAILED_CUT,        /* it ended the connection too early */
	UPSTREAM_TUNNEL_IDLE,       /* timeouts between, of both sides of a tunnel */
	UPSTREAM_FAILURES
};

struct upstream_failure_facts {
	const char *word;     /* for records: "upstream-refused" */
	const char *text;     /* "it refused the connection" */
	unsigned status;      /* 502, 503 or 504 */
	enum ipc_tried tried; /* IPC_TRIEDS: the endpoint has no part in it */
	bool elsewhere;       /* there was no connection, but another endpoint may have one: what is
				 lacking here is lacking for all of them */
};
const struct upstream_failure_facts *upstream_failure_facts(enum upstream_failure);

/* --- the pool --------------------------------------------------------------------------------- */

/* What an upstream has in this event loop, of which its locations share one: opened with the first
 * of them, in http_loop.upstreams. NULL: out of memory. */
struct upstream_pool *upstream_pool_open(struct http_loop *, const struct conf_port *,
					 uint32_t upstream);
void upstream_pool_close(struct upstream_pool *);

/* --- a call ----------------------------------------------------------------------------------- */

struct upstream_call_ops {
	/* There is a connection; nothing was sent on it. */
	void (*ready)(struct upstream_call *);
	/* There is none, and the call has ended. Not called from within upstream_call_begin(). */
	void (*failed)(struct upstream_call *, enum upstream_failure);
	/* Bytes or the end have come, there is room to send again, or a limit of time was reached:
	 * look at the link. */
	void (*moved)(struct upstream_call *);
};

struct upstream_call {
	/* the owner's; zeros at first */
	const struct upstream_call_ops *ops;
	uint64_t hash;               /* for `balance hash` */
	size_t ahead;                /* bytes that are received before they are wanted */
	size_t behind;               /* the most that the owner lets wait for the kernel */
	bool fresh;                  /* not on a kept connection */
	bool careful;                /* it must not fail because a kept one has just ended */
	struct upstream_tried tried; /* the endpoints that the request has had */
	/* the pool's; the owner may read them */
	struct upstream_pool *pool;
	struct upstream_link *link; /* NULL: it waits in the queue, or has ended */
	uint32_t endpoint;          /* the one that it was sent to: its number in the upstream */
	bool kept;                  /* it has a connection that was used before */
	bool waits;                 /* in the queue */
	bool chosen;                /* the endpoint counts it */
	uint64_t since_ms;
	TAILQ_ENTRY(upstream_call) entry;
};

enum upstream_begun { UPSTREAM_READY, UPSTREAM_LATER, UPSTREAM_NEVER };

/* READY: it has a link; LATER: ready() or failed() will be called; NEVER: *ret says why. */
enum upstream_begun upstream_call_begin(struct upstream_pool *, struct upstream_call *,
					enum upstream_failure *ret);
/* Its ahead or behind has changed. */
void upstream_call_resize(struct upstream_call *);
/* At any moment; does nothing if the call has ended. reusable: request and response are complete,
 * and the connection may be used for another one. */
void upstream_call_end(struct upstream_call *, bool reusable);

/* The endpoint of the call answers as it should, or it has failed, for which why is the reason in
 * more words (NULL: those of the failure are enough). */
void upstream_call_works(struct upstream_call *);
void upstream_call_failed(struct upstream_call *, enum upstream_failure, const char *why);

/* How long until an endpoint that failed is used again, after UPSTREAM_FAILED_NONE; 0: nobody
 * knows. */
uint64_t upstream_pause_ms(const struct upstream_pool *);

/* May a request be tried again? It counts then. */
bool upstream_retry(struct upstream_pool *);
/* A request comes; for that. */
void upstream_request(struct upstream_pool *);

const struct conf_upstream *upstream_conf(const struct upstream_pool *);
const struct conf_endpoint *upstream_endpoint(const struct upstream_pool *, uint32_t endpoint);
/* For what is counted: the request was sent, its response has that status, or the client has left
 * before its end; a tunnel began (1) or ended (-1); a request was shed. */
void upstream_call_sent(const struct upstream_call *);
void upstream_call_answered(const struct upstream_call *, unsigned status);
void upstream_call_left(const struct upstream_call *);
void upstream_tunnels(struct upstream_pool *, int change);
void upstream_shed(struct upstream_pool *);

/* --- a link ----------------------------------------------------------------------------------- */

/* Sends what was kept back, and then these pieces, at most UPSTREAM_PIECES. What the kernel does
 * not take is kept, so the caller bounds that by upstream_link_unsent(). */
#define UPSTREAM_PIECES 4
void upstream_link_send(struct upstream_link *, const struct iovec *, int count);
/* Keeps it back for the next upstream_link_send(), with which it is sent in one piece. */
void upstream_link_keep(struct upstream_link *, const void *, size_t len);
/* Bytes that wait for the kernel. */
size_t upstream_link_unsent(const struct upstream_link *);
/* After those, this side says that it has ended. */
void upstream_link_shut(struct upstream_link *);

/* What was received; the link owns it. */
const uint8_t *upstream_link_bytes(const struct upstream_link *, size_t *ret_len);
/* Takes so many of these bytes. */
void upstream_link_take(struct upstream_link *, size_t len);
/* Receives what has come, without waiting for the event: for a tunnel or a body that has just been
 * read out. True: bytes have come. */
bool upstream_link_receive(struct upstream_link *);

/* No more bytes will come besides those. clean: the other side has said so; else it was cut. */
bool upstream_link_ended(const struct upstream_link *, bool *ret_clean);
/* This process or its kernel lacked memory for it: whatever fails of it, that is
 * UPSTREAM_FAILED_FULL, and no fault of its peer. */
bool upstream_link_lacks(const struct upstream_link *);
/* It has ended, and nothing can be sent either. */
bool upstream_link_gone(const struct upstream_link *);
/* Why it ended so, for people; NULL: no more is known. */
const char *upstream_link_reason(const struct upstream_link *);

/* Which limit runs. It begins with this call, and moved() is called when it is reached. */
enum upstream_wait { UPSTREAM_WAITS_NOT, UPSTREAM_WAITS_HEAD, UPSTREAM_WAITS_BETWEEN };
void upstream_link_wait(struct upstream_link *, enum upstream_wait);
/* The same, after so many milliseconds, which is UPSTREAM_FAILED_CUT. */
void upstream_link_end_after(struct upstream_link *, uint64_t ms);
/* The limit that was reached; UPSTREAM_WORKS: none. */
enum upstream_failure upstream_link_expired(const struct upstream_link *);

#endif
