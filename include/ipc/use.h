/*
 * What workers count about the upstreams of their port, for each of its endpoints and upstreams:
 * one table each, as ipc/counters.h has one for ports.
 *
 * The master makes the memory, one per generation of a port, so the numbers outlive workers, and an
 * upgrade. Each event loop has a part of its own in it, which it alone writes; the event loop that
 * takes its place goes on with the same part, and sets the gauges to 0. Behind these are two parts
 * of the master's: what earlier generations had counted, and how much of it all it has handed on. A
 * worker that was taken over can write false numbers for its own port, and for no other. The master
 * reads each number once, and caps it.
 */
#ifndef IPC_USE_H
#define IPC_USE_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/counters.h"

/* Why a try failed: TRIED(constant, name). */
#define IPC_TRIED_LIST(TRIED)                                                                     \
	TRIED(REFUSED, "refused")       /* it refused the connection, or cannot be reached */     \
	TRIED(CONNECT, "connect")       /* timeouts connect */                                    \
	TRIED(UNRESOLVED, "unresolved") /* its name has no address */                             \
	TRIED(FULL, "full")             /* the connector had no room */                           \
	TRIED(TLS, "tls")               /* no handshake, or a certificate that is not believed */ \
	TRIED(HEAD, "head")             /* timeouts head */                                       \
	TRIED(BETWEEN, "between")       /* timeouts between */                                    \
	TRIED(MALFORMED, "malformed")   /* what it sent is no response */                         \
	TRIED(CUT, "cut")               /* it ended the connection too early */                   \
	TRIED(CLIENT, "client")         /* the client left: no fault of its own */

#define IPC_TRIED_ENUM(constant, name) IPC_TRIED_##constant,
enum ipc_tried { IPC_TRIED_LIST(IPC_TRIED_ENUM) IPC_TRIEDS };

/* ONE and MANY as in ipc/counters.h, without a word for the log of SIGUSR1. */
#define IPC_ENDPOINT_LIST(ONE, MANY)                                                               \
	ONE(active, GAUGE, "active", "requests", "Requests that it works on now.")                 \
	ONE(idle, GAUGE, "idle", "connections", "Connections that are kept for further requests.") \
	ONE(connections, SUM, "connections", "connections", "Connections that were made to it.")   \
	ONE(requests, SUM, "requests", "requests",                                                 \
	    "Requests that were sent to it, tries included.")                                      \
	MANY(responses, IPC_CLASSES, class_part, CLASSES, "responses", "responses",                \
	     "Its responses by class, and tries that ended without one.")                          \
	MANY(failed, IPC_TRIEDS, tried_part, REASONS, "failed", "tries",                           \
	     "Tries that failed, by reason.")                                                      \
	ONE(paused, SUM, "paused", "times", "How often `fail` has paused it, in an event loop.")   \
	ONE(bytes_sent, SUM, "bytes sent", "bytes", "Bytes that were sent to it.")                 \
	ONE(bytes_received, SUM, "bytes received", "bytes", "Bytes that it sent.")

#define IPC_UPSTREAM_LIST(ONE, MANY)                                                               \
	ONE(queued, GAUGE, "queued", "requests", "Requests that wait for a connection.")           \
	ONE(tunnels, GAUGE, "tunnels", "tunnels", "Tunnels that are open, such as WebSockets.")    \
	ONE(retries, SUM, "retries", "requests", "Requests that were tried again.")                \
	ONE(retries_refused, SUM, "retries refused", "requests",                                   \
	    "Requests that were not, because too many were.")                                      \
	ONE(queue_full, SUM, "queue full", "requests",                                             \
	    "Requests for which the queue had no place.")                                          \
	ONE(queue_late, SUM, "queue late", "requests", "Requests that waited there for too long.") \
	ONE(unavailable, SUM, "unavailable", "requests",                                           \
	    "Requests for which no endpoint could be used.")                                       \
	ONE(shed, SUM, "shed", "requests", "Requests that were shed: limits lag.")

#define IPC_USE_ONE(name, kind, title, unit, help)               uint64_t name;
#define IPC_USE_MANY(name, parts, part, kind, title, unit, help) uint64_t name[parts];
struct ipc_endpoint_use {
	IPC_ENDPOINT_LIST(IPC_USE_ONE, IPC_USE_MANY)
};
struct ipc_upstream_use {
	IPC_UPSTREAM_LIST(IPC_USE_ONE, IPC_USE_MANY)
};
#undef IPC_USE_ONE
#undef IPC_USE_MANY

/* The rows in their order, as of ipc_counter_at(); NULL after the last. */
const struct ipc_counter *ipc_endpoint_counter(size_t row);
const struct ipc_counter *ipc_upstream_counter(size_t row);

/* How much there is of it: all of a port. */
struct ipc_use_size {
	uint32_t loops; /* of all its workers */
	uint32_t endpoints, upstreams;
};

/* The memory, mapped. Closed: all zero. */
struct ipc_use {
	struct ipc_use_size size;
	unsigned char *memory;
};

/* Makes the memory, sealed against resizing. Returns a descriptor, and *ret is the master's own
 * mapping; or -errno. */
int ipc_use_create(const struct ipc_use_size *, struct ipc_use *ret);
/* Maps it for writing: 0; -EINVAL: it is another size; or another -errno. */
int ipc_use_open(int fd, const struct ipc_use_size *, struct ipc_use *ret);
void ipc_use_close(struct ipc_use *);

/* The parts of the master's, by their number. */
static inline uint32_t ipc_use_before(const struct ipc_use *u)
{
	return u->size.loops;
}
static inline uint32_t ipc_use_handed(const struct ipc_use *u)
{
	return u->size.loops + 1;
}

/* The arrays of one part, by the index in conf_port.endpoints and .upstreams. */
struct ipc_endpoint_use *ipc_use_endpoints(const struct ipc_use *, uint32_t loop);
struct ipc_upstream_use *ipc_use_upstreams(const struct ipc_use *, uint32_t loop);
/* For a loop that begins with this part: the gauges are 0. */
void ipc_use_begin(const struct ipc_use *, uint32_t loop);

/* The sums over all loops, and what came before. A closed one has zeros. */
void ipc_use_endpoint(const struct ipc_use *, uint32_t endpoint, struct ipc_endpoint_use *ret);
void ipc_use_upstream(const struct ipc_use *, uint32_t upstream, struct ipc_upstream_use *ret);

#endif
