/*
 * The parts of a worker; src/worker only.
 *
 * struct worker is the process: made before it serves, read-only afterwards. struct worker_loop is
 * one event loop and contains everything that is written while it serves, so that a second loop on
 * a second thread needs no lock. struct conn is one client.
 */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/holding.h"
#include "base/network.h"
#include "conf/conf.h"
#include "fault/fault.h"
#include "handler/route.h"
#include "http/exchange.h"
#include "http/media.h"
#include "ipc/channel.h"
#include "ipc/health.h"
#include "ipc/slot.h"
#include "ipc/tickets.h"
#include "ipc/use.h"
#include "log/log.h"
#include "net/client_table.h"
#include "net/lag.h"
#include "net/loop.h"
#include "net/transport.h"
#include "role/role.h"
#include "tls/context.h"
#include "tls/key.h"

#define WORKER_LOOPS_MAX CONF_THREADS_MAX
#define RECEIVE_BYTES    ((size_t)64 * 1024) /* one recv(2): four full records */
/* One read of a file, and one write(2) of it. Encrypted, it fits the segment that the kernel hands
 * down at a time (64 KB with its headers): the rest would be another one, as costly as a full one.
 */
#define OUTPUT_BYTES ((size_t)64 * 1024 - 256)

struct worker;
struct worker_faults;
struct conn;
LIST_HEAD(conn_list, conn);

struct listener {
	struct loop_io io; /* all loops of the port's pool share the socket */
	struct worker_loop *owner;
	bool shut; /* it no longer listens, and is out of the set until the next try */
};

struct worker_loop {
	struct worker *worker;
	unsigned index; /* loop 0 runs on the main thread and owns the channel */
	struct loop loop;
	struct log log;
	struct http_loop http;
	const struct transport_ops *transport; /* of its connections */
	struct transport_wire wire;
	struct tls_context *tls;  /* owned */
	struct tls_signer signer; /* its descriptor belongs to this loop */
	/* To upstreams, by the index in conf_port.upstreams and in conf_port.endpoints; NULL: no
	 * TLS to it. Owned. */
	struct tls_client_context **client_contexts;
	struct tls_client_peer **client_peers;
	struct holding client_held;
	uint64_t timeouts_told; /* timeouts of the keyholder that the master knows of */
	struct ipc_slot *slot;
	const struct conn *shown; /* the connection that the slot shows; NULL: none */

	struct listener *listeners;
	/* the listeners are in the epoll set, except those that were shut down */
	bool listening;
	struct loop_timer resume;  /* accepts again after a lack of descriptors or memory */
	uint64_t starved_since_ms; /* 0: not starved */
	/* the next log line about it comes at this time at the earliest */
	uint64_t starved_again_ms;
	unsigned accepts; /* since the listeners moved to the end of the queue */

	struct worker_faults *faults; /* owned; NULL: the port has none */

	struct holdings holdings; /* what its parts hold */
	struct holding conns_held;
	struct client_table clients; /* without places: no client has limits */
	struct holding clients_held;
	struct bucket clients_lines; /* of the log, about clients over their limits */
	size_t conn_memory_max;      /* of one connection */
	/* Facts of this turn, which the loop looks at after it. */
	bool conns_freed;  /* a connection ended */
	bool memory_lacks; /* there was no memory for a connection */

	struct conn_list conns;
	unsigned conns_count;
	unsigned conns_max;     /* this loop's share of limits connections */
	unsigned conns_peak;    /* the most since freed memory went back to the kernel */
	struct loop_timer calm; /* runs when most of these have ended */
	bool held;              /* it does not accept yet */
	bool draining;
	bool lenient; /* draining, but idle clients may send one more request */

	struct lag lag; /* of a port with upstreams; http.lag points to it if it has a limit */
	struct loop_io wakeup;      /* eventfd: there are news from loop 0; -1 in loop 0 */
	struct loop_timer log_tick; /* runs while dropped records must be reported */

	uint32_t id_prefix; /* request ids: prefix-counter */
	uint64_t id_next;

	const uint8_t *plain; /* decrypted bytes in plain_bytes that were not taken yet */
	size_t plain_len;
	size_t out_len; /* bytes in out_bytes that were pulled and not encrypted yet */
	uint8_t plain_bytes[TRANSPORT_DATA_MAX];
	uint8_t out_bytes[OUTPUT_BYTES];
	uint8_t received[RECEIVE_BYTES];
};

/* The phase of the process; each loop follows when it is woken. */
enum worker_phase { WORKER_HELD, WORKER_SERVING, WORKER_RETIRING, WORKER_DRAINING };

struct worker {
	struct role *role;
	enum worker_phase phase;          /* only loop 0 writes it, with __atomic */
	unsigned accepting;               /* loops that still accept; with __atomic */
	struct loop_timer drain_deadline; /* in loop 0; runs after a SIGTERM to this worker */
	const struct conf_port *port;
	struct handler_means means;
	struct media_table types; /* of its means, for files */
	/* of the system's table, from which they come; all zero: none was handed over */
	uint8_t types_digest[IPC_DIGEST_BYTES];
	struct handler_body *bodies;  /* owned: the files that its handlers send; NULL: none */
	size_t bodies_left;           /* bytes that further ones may have */
	struct network_table proxies; /* of conf_port.proxies */
	struct routes routes;
	struct network_table exempt; /* from the limits of a client */
	struct root *roots; /* of the port, in its order; owned, open while the process lives */
	char *roots_places; /* their texts; owned */
	struct tls_policy *policy;
	struct tls_clients **authorities; /* by the index in conf_port.clients; NULL: none */
	uint8_t authorities_digest[IPC_DIGEST_BYTES];
	struct tls_credentials *credentials;     /* all loops share them */
	const struct ipc_tickets *tickets;       /* the master's memory, mapped for reading */
	const struct ipc_healths *health;        /* the connector's, the same; NULL: no upstreams */
	struct ipc_use use;                      /* what it counts about them */
	struct tls_client_policy *client_policy; /* NULL: no upstream has TLS */
	struct tls_client_trust **trusts; /* by the index in conf_port.upstream_authorities */
	struct tls_client_identity **identities;    /* … in .certificates; NULL: a host's */
	uint8_t upstreams_digest[IPC_DIGEST_BYTES]; /* of the files of both */
	struct tls_context *false_tls[FAULT_CERTIFICATES]; /* for a port with faults, else NULL */
	unsigned listeners_count;                          /* per loop */
	/* The listeners of all loops, one loop's after another's: duplicates that fill the block of
	 * descriptors which the role's plan guards. */
	int *listener_fds;
	unsigned listener_fds_count;
	uint64_t descriptors_own;  /* the most that the process holds besides connections */
	uint64_t descriptors_each; /* the most for a connection: with the file that it is sent */
	uint64_t descriptors_max;  /* the limit of descriptors */
	uint64_t memory_own;       /* address space of the process before it serves, doubled */
	unsigned pool;             /* all loops that share the listeners, in all workers together */
	struct worker_loop *loops;
	unsigned loops_count;
	void *threads; /* for thread_posix.c */
};

/* One loop's share of `limits connections`. */
static inline unsigned worker_conns_max(const struct worker *w)
{
	return (w->port->limits.connections + w->pool - 1) / w->pool;
}

/* In loop.c: the life of one loop. worker_loop_init() returns 0 or -errno. */
int worker_loop_init(struct worker_loop *, struct worker *, unsigned index);
void worker_loop_run(struct worker_loop *); /* until it is drained */
/* Drains the loop. lenient: an idle client may send one more request within a second. It may be
 * called without lenient later. */
void worker_loop_drain(struct worker_loop *, bool lenient);
/* Makes the loop follow the process: serve, drain, change the log level. */
void worker_loop_follow(struct worker_loop *);
void worker_loop_release(struct worker_loop *);

/* In authorities.c: was it handed the files of conf_port.clients? Then it reads and closes them, or
 * ends the process. */
bool worker_authorities_fit(const struct worker *);
void worker_authorities_take(struct worker *, void (*warn)(void *, size_t, const char *),
			     void *arg);
void worker_authorities_release(struct worker *);

/* In upstreams.c: was it handed what the upstreams of its port need? Then it takes all but the
 * certificates, or ends the process. descriptors: the most that connections to them need. */
bool worker_upstreams_fit(const struct worker *);
uint64_t worker_upstreams_descriptors(const struct worker *);
void worker_upstreams_take(struct worker *, void (*warn)(void *, size_t, const char *), void *arg);
/* Where the certificates of upstreams begin in conf_port.certificates, and loading them, with the
 * first loop's signer: fills in what is told of each. 0; or -1, -EAGAIN, and a sentence. */
size_t worker_upstreams_pairs(const struct worker *);
struct tls_certificate;
int worker_upstreams_identify(struct worker *, struct tls_certificate *told,
			      void (*warn)(void *, size_t, const char *), void *arg, struct err *);
/* Of a loop: 0 or -errno; then, when all is loaded, as above. */
int worker_upstreams_open(struct worker_loop *);
int worker_upstreams_prepare(struct worker_loop *, struct err *);
void worker_upstreams_close(struct worker_loop *);
void worker_upstreams_release(struct worker *);

/* In body.c: reads conf_port.bodies for the means. Ends the process if that fails. */
void worker_bodies_take(struct worker *);
void worker_bodies_release(struct worker *);
/* Adds their content to the digest of all files (tls/digest.h). */
void worker_bodies_digest(const struct worker *, uint8_t all[IPC_DIGEST_BYTES]);

/* In thread_none.c, thread_posix.c. The threads are made before the process is sealed, and wait.
 * run releases them and runs all loops of the worker until they are drained. */
void worker_threads_start(struct worker *);
void worker_threads_run(struct worker *);

/* Makes every loop follow; call it on the main thread. */
void worker_tell_all(struct worker *);
/* Drains every loop; call it on the main thread. */
void worker_drain(struct worker *, bool lenient);

/* type.c: the media types of files, those of the system first. */
void worker_types_make(struct worker *);

/* roots.c: how long after a change of a file beneath the document roots another one may have the
 * same time (base/clock.h); before the drop, which takes the calls away. */
uint64_t worker_roots_grain_ns(const struct worker *);
/* Takes the document roots, after the drop. */
void worker_roots_take(struct worker *);
void worker_roots_release(struct worker *);

/* accept.c */
/* adds its own listeners to the set unless it is held: 0 or -errno */
int accept_start(struct worker_loop *);
void accept_stop(struct worker_loop *);    /* for good: the worker drains */
void accept_starved(struct worker_loop *); /* the worker had no memory for a connection */
void accept_freed(struct worker_loop *);   /* a connection ended: there may be room again */
/* closes the listeners of all loops; call it once none accepts any longer */
void accept_close_all(const struct worker *);
void accept_resume(struct loop *, struct loop_timer *); /* the callback of the timer */

#endif
