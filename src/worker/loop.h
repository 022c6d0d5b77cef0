/*
 * What a worker is made of; src/worker only.
 *
 * struct worker is the process: what is made before serving and read-only from then on. struct
 * worker_loop is one event loop with everything that is ever written while serving, so that a
 * second loop in a second thread needs no lock. struct conn is one client.
 */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "fault/fault.h"
#include "http/exchange.h"
#include "ipc/channel.h"
#include "ipc/slot.h"
#include "ipc/tickets.h"
#include "log/log.h"
#include "net/loop.h"
#include "role/role.h"
#include "tls/context.h"
#include "tls/key.h"
#include "tls/session.h"
#include "worker/route.h"

#define WORKER_LOOPS_MAX CONF_THREADS_MAX
#define RECEIVE_BYTES    ((size_t)64 * 1024) /* one recv: four full records */

struct worker;
struct worker_faults;
struct conn;
LIST_HEAD(conn_list, conn);

struct listener {
	struct loop_io io; /* the socket is shared with every loop of the port's pool */
	struct worker_loop *owner;
	bool shut; /* it listens no more, and is not in the set until it is tried again */
};

struct worker_loop {
	struct worker *worker;
	unsigned index; /* 0 runs on the main thread and owns the channel */
	struct loop loop;
	struct log log;
	struct http_loop http;
	time_t date_second; /* what http.date says */
	struct tls_wire wire;
	struct tls_context *tls;  /* owned */
	struct tls_signer signer; /* its descriptor is owned here */
	uint64_t timeouts_told;   /* of the keyholder, to the master */
	struct tls_facts facts;   /* of the exchange that asked last */
	struct ipc_slot *slot;
	const struct conn *shown; /* whose turn the slot says it is; NULL: nobody's */

	struct listener *listeners;
	bool listening;            /* they are in the epoll set, but for those that are shut */
	struct loop_timer resume;  /* accepting again after a lack of descriptors or memory */
	uint64_t starved_since_ms; /* 0: it is not */
	uint64_t starved_again_ms; /* the next complaint about that, at the earliest */
	unsigned accepts;          /* since the listeners were last moved to the queue's end */

	struct worker_faults *faults; /* owned; NULL: the port has none */

	struct conn_list conns;
	unsigned conns_count;
	unsigned conns_max; /* this loop's share of limits connections */
	bool held;          /* it accepts nobody yet */
	bool draining;
	bool lenient; /* draining: who is idle may ask once more */

	struct loop_io wakeup;      /* eventfd: loop 0 was told something; -1 in loop 0 */
	struct loop_timer log_tick; /* while there are drops to tell */

	uint32_t id_prefix; /* request ids: prefix-counter */
	uint64_t id_next;

	const uint8_t *plain; /* decrypted and not yet taken, in plain_bytes */
	size_t plain_len;
	size_t out_len; /* of out_bytes: pulled and not yet encrypted */
	uint8_t plain_bytes[TLS_RECORD_MAX];
	uint8_t out_bytes[TLS_RECORD_MAX];
	uint8_t received[RECEIVE_BYTES];
};

/* Of the process as a whole; each loop follows when it is woken. */
enum worker_phase { WORKER_HELD, WORKER_SERVING, WORKER_RETIRING, WORKER_DRAINING };

struct worker {
	struct role *role;
	enum worker_phase phase;          /* written by loop 0 alone, with __atomic */
	unsigned accepting;               /* loops that have not stopped to; with __atomic */
	struct loop_timer drain_deadline; /* in loop 0; after a SIGTERM of its own */
	const struct conf_port *port;
	struct routes routes;
	struct tls_policy *policy;
	const struct ipc_tickets *tickets; /* the master's memory, mapped for reading */
	struct tls_context
	    *false_tls[FAULT_CERTIFICATES]; /* of a port that has faults, else NULL */
	unsigned listeners_count;           /* of each loop */
	/* All loops' listeners, one loop's after the other's, and duplicates of them that fill the
	 * block which the role's plan guards. */
	int *listener_fds;
	unsigned listener_fds_count;
	uint64_t descriptors_own; /* what the process holds beside connections, at the most */
	uint64_t descriptors_max; /* what it may hold */
	uint64_t memory_own;      /* address space of the process before it serves */
	unsigned pool;            /* loops that share the listeners, all workers together */
	struct worker_loop *loops;
	unsigned loops_count;
	void *threads; /* thread_posix.c's own */
};

/* What of `limits connections` one loop may have. */
static inline unsigned worker_conns_max(const struct worker *w)
{
	return (w->port->limits.connections + w->pool - 1) / w->pool;
}

/* loop.c: one loop from its making to its end. 0 or -errno. */
int worker_loop_init(struct worker_loop *, struct worker *, unsigned index);
void worker_loop_run(struct worker_loop *); /* until drained */
/* lenient: who is idle may ask once more, within a second. It may be called without it later. */
void worker_loop_drain(struct worker_loop *, bool lenient);
/* What the process was told, this loop does: serve, drain, log in another way. */
void worker_loop_follow(struct worker_loop *);
void worker_loop_release(struct worker_loop *);

/* thread_none.c, thread_posix.c: the threads are made, and wait, before the process is sealed; run
 * lets them go and runs all loops of the worker until they are drained. */
void worker_threads_start(struct worker *);
void worker_threads_run(struct worker *);

/* Has every loop follow; on the main thread. */
void worker_tell_all(struct worker *);
/* Drains every loop; on the main thread. */
void worker_drain(struct worker *, bool lenient);

/* Once no loop accepts any more. */
void worker_listeners_close(const struct worker *);

/* From any loop: this worker has run out of something that it will not get back. It finishes what
 * it can within a second, and the port gets another. */
void worker_give_up(struct worker_loop *, enum ipc_lack);

/* show.c: what the slot says that this loop is at, for whoever asks why it has ended. */
void show_connection(const struct conn *); /* its turn begins */
void show_nobody(struct worker_loop *);    /* and is over */
void show_exchange(struct worker_loop *, const struct exchange *);
void show_forget(const struct conn *); /* it is freed */

/* accept.c */
int accept_start(struct worker_loop *);    /* its own listeners; into the set unless
					      it is held: 0 or -errno */
void accept_stop(struct worker_loop *);    /* for good: draining */
void accept_starved(struct worker_loop *); /* a connection got no memory of the worker's */
void accept_freed(struct worker_loop *);   /* a connection has ended: there may be room again */
void accept_resume(struct loop *, struct loop_timer *); /* the timer's callback */

/* access.c: the http_loop callbacks that stamp and record exchanges. */
void access_begun(void *connection, struct exchange *);
void access_done(void *connection, const struct exchange *);

#endif
