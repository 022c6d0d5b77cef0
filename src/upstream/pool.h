/*
 * What the pool (pool.c) and its connections (link.c) share; src/upstream only.
 *
 *   ASKED ──descriptor──> HANDSHAKE ──> OPEN ──call ends──> IDLE ──> OPEN …
 *     └── failed               └── failed   └── closed          └── closed: a byte, the end, its
 * time
 */
#ifndef UPSTREAM_POOL_H
#define UPSTREAM_POOL_H

#include "base/buf.h"
#include "base/holding.h"
#include "net/loop.h"
#include "upstream/budget.h"
#include "upstream/upstream.h"

#define LINK_READ  ((size_t)64 * 1024) /* one recv(2) */
#define LINK_SPARE 16
/* The most that waits for the kernel: what the owner bounds, and one piece of a body more. */
#define LINK_OUT_MAX ((size_t)1 << 30)
/* A link with TLS, without its bytes; most of it is GnuTLS's. */
#define LINK_MEMORY ((size_t)64 * 1024)

TAILQ_HEAD(upstream_links, upstream_link);
TAILQ_HEAD(upstream_calls, upstream_call);

enum link_state { LINK_ASKED, LINK_HANDSHAKE, LINK_OPEN, LINK_IDLE };

struct upstream_link {
	struct loop_io io; /* first */
	struct upstream_pool *pool;
	struct upstream_call *call; /* NULL: it is idle */
	enum link_state state;
	uint32_t endpoint;
	struct upstream_ask ask;
	TAILQ_ENTRY(upstream_link) entry, same; /* of pool.links or .idle; of endpoint.idle */
	struct loop_timer timer;
	enum upstream_failure limit, expired; /* the limit that runs; the one that was reached */
	uint64_t idle_until_ms;
	struct buf in, out;
	size_t held;  /* the most memory that it has */
	bool watched; /* it is in the epoll set */
	bool blocked; /* out waits for the kernel */
	bool more; /* the kernel may have bytes that no event will tell of before they are read */
	bool ended, clean, reset;
	bool mute;  /* nothing can be sent any more */
	bool torn;  /* ... as the kernel has reported, once, by an error: its end is none in good
		       order */
	bool lacks; /* memory, here or in the kernel: its peer is not to blame */
	bool shuts, shut;
	bool used; /* for an earlier request */
	const char *reason;
	struct transport *transport; /* NULL: plain */
	_Alignas(max_align_t) uint8_t memory[];
};

struct upstream_place {             /* an endpoint, in this loop */
	struct upstream_links idle; /* most recently used first */
};

struct upstream_pools;

struct upstream_pool {
	struct upstream_pools *pools;
	const struct conf_upstream *conf;
	uint32_t index;
	unsigned users; /* locations */
	struct upstream_balance balance;
	struct upstream_peer *peers; /* its memory, owned */
	struct upstream_budget budget;
	struct upstream_links links; /* all that are not idle */
	struct upstream_links idle;  /* of all endpoints, most recently used first */
	unsigned links_count;        /* with the idle ones */
	unsigned idle_count;
	unsigned links_max, idle_max, queue_max; /* this loop's shares */
	struct upstream_calls queue;
	unsigned queue_count;
	struct loop_timer queue_timer, idle_timer;
	struct loop_task serve; /* a connection may be made for a call that waits */
	struct upstream_place places[];
};

/* Of one event loop. */
struct upstream_pools {
	struct loop *loop;
	struct upstream_service *service;
	const struct conf_port *port;
	unsigned users;
	struct transport_wire wire; /* of all links with TLS */
	/* Memory that links take for what they receive, as many as are often in use in one turn:
	 * to allocate and free so much for each would be a system call each time. */
	struct buf spare[LINK_SPARE];
	unsigned spare_count;
	struct holding held;
	uint8_t cipher[LINK_READ];
	struct upstream_pool *pools[];
};

/* --- link.c ----------------------------------------------------------------------------------- */

/* Asks for a connection for the call; false: *ret says why there is none. */
bool link_new(struct upstream_pool *, struct upstream_call *, uint32_t endpoint,
	      enum upstream_failure *ret);
/* Closes and frees it, in any state; it has no call any more. */
void link_free(struct upstream_link *);
/* It is unused, and goes on with another call if it is alive: neither ended, nor is anything there
 * that would be taken for the response. Asks the kernel. */
bool link_alive(struct upstream_link *);
void link_rest(struct upstream_link *);
void link_use(struct upstream_link *, struct upstream_call *);

/* --- count.c: what is counted of this loop ---------------------------------------------------- */

struct ipc_upstream_use *upstream_use(const struct upstream_pool *);
struct ipc_endpoint_use *upstream_endpoint_use(const struct upstream_pool *, uint32_t endpoint);
void count_change(uint64_t *gauge, int64_t n);

/* --- pool.c, for link.c ----------------------------------------------------------------------- */

/* A link in any state but IDLE could not be opened: frees it, and ends its call. */
void pool_link_failed(struct upstream_link *, enum upstream_failure, const char *why);
/* An idle link is of no use any more. */
void pool_idle_remove(struct upstream_link *);
/* There may be room for a call that waits. */
void pool_serve(struct upstream_pool *);

#endif
