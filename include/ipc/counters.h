/*
 * What workers, keyholders and verifiers count: one table that names every counter once.
 *
 * The memory of a child (ipc/slot.h), `status` and the log of the master, bulkheadctl, the list in
 * bulkheadctl(8) and the state that an upgrade hands over are all made from this table. So a new
 * counter is a row in IPC_COUNTER_LIST, a line in the manual (a test compares them), and the place
 * that counts it. A row may stand anywhere: programs of two versions compare names, not positions.
 * The name of a counter is part of the control socket's protocol, so it does not change.
 *
 * bulkheadctl includes this, too. It needs the names and words, and no memory of a child.
 */
#ifndef IPC_COUNTERS_H
#define IPC_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a TLS handshake failed: FAILURE(constant, name). */
#define IPC_FAILURE_LIST(FAILURE)                                                                \
	FAILURE(CLOSED, "closed")             /* the client closed in the middle of it */        \
	FAILURE(TIMEOUT, "timeout")           /* limits handshake-timeout */                     \
	FAILURE(VERSION, "version")           /* no version in common */                         \
	FAILURE(CHOICE, "choice")             /* no cipher, group, signature scheme or protocol  \
						 in common */                                    \
	FAILURE(ALERT, "alert")               /* the client refused, as for an unknown issuer */ \
	FAILURE(MALFORMED, "malformed")       /* bytes that are not a handshake */               \
	FAILURE(CLIENT, "client-certificate") /* none where one is required, or a bad one */     \
	FAILURE(KEY, "key")                   /* the keyholder gave no signature */              \
	FAILURE(MEMORY, "memory")             /* the worker is out of memory */                  \
	FAILURE(PROXY, "proxy")               /* no PROXY header, a broken one, or one of        \
						 somebody who must not send any */               \
	FAILURE(OTHER, "other")

#define IPC_FAILURE_ENUM(constant, name) IPC_FAILURE_##constant,
enum ipc_failure { IPC_FAILURE_LIST(IPC_FAILURE_ENUM) IPC_FAILURES };

/* Which limit of a client refused something: LIMITED(constant, name). */
#define IPC_LIMITED_LIST(LIMITED)           \
	LIMITED(CONNECTIONS, "connections") \
	LIMITED(HANDSHAKES, "handshakes")   \
	LIMITED(REQUESTS, "requests")

#define IPC_LIMITED_ENUM(constant, name) IPC_LIMITED_##constant,
enum ipc_limited { IPC_LIMITED_LIST(IPC_LIMITED_ENUM) IPC_LIMITED };

/* What became of the PROXY headers of connections: PROXY(constant, name). Only ports with `proxy
 * protocol from` have them. Each connection of a listed peer is in one of them. */
#define IPC_PROXY_LIST(PROXY)                                                          \
	PROXY(CLIENT, "client")       /* the header names the client */                \
	PROXY(OWN, "own")             /* it names none: the proxy speaks for itself */ \
	PROXY(SILENT, "silent")       /* the peer left without a byte */               \
	PROXY(MISSING, "missing")     /* its bytes are no header */                    \
	PROXY(MALFORMED, "malformed") /* the header is broken */                       \
	PROXY(TIMEOUT, "timeout")     /* it was not complete in time */                \
	PROXY(CLOSED, "closed")       /* the peer left in the middle of it */          \
	PROXY(UNLISTED, "unlisted")   /* a peer that is not listed sent one */

#define IPC_PROXY_ENUM(constant, name) IPC_PROXY_##constant,
enum ipc_proxy { IPC_PROXY_LIST(IPC_PROXY_ENUM) IPC_PROXIES };

/* Responses by class: [0] ended without a response, [1] unused, [2] 2xx … [5] 5xx. */
#define IPC_CLASSES 6

/* Upper bounds of the latency histogram, in microseconds; one more bucket takes the rest. */
#define IPC_LATENCY_LIST(BOUND) \
	BOUND(100)              \
	BOUND(250)              \
	BOUND(500)              \
	BOUND(1000)             \
	BOUND(2500)             \
	BOUND(5000)             \
	BOUND(10000)            \
	BOUND(25000)            \
	BOUND(50000)            \
	BOUND(100000)           \
	BOUND(250000) BOUND(500000) BOUND(1000000) BOUND(2500000) BOUND(5000000) BOUND(10000000)

#define IPC_LATENCY_BOUND(us) us,
#define IPC_LATENCY_BOUNDS                          \
	{                                           \
		IPC_LATENCY_LIST(IPC_LATENCY_BOUND) \
	}
#define IPC_LATENCIES (sizeof((const uint32_t[])IPC_LATENCY_BOUNDS) / sizeof(uint32_t) + 1)

/*
 * The table. ONE is a single number, MANY has a number for each of its parts.
 *
 *   ONE(name, kind, logged, title, unit, help)
 *   MANY(name, parts, part's name, kind, logged, title, unit, help)
 *
 * name    in a status and in the state of an upgrade, and the member of struct ipc_counters
 * logged  in the record that SIGUSR1 asks for
 * title   what bulkheadctl calls it
 * unit    of the number, as a noun
 * help    the sentence of the manual
 */
#define IPC_COUNTER_LIST(ONE, MANY)                                                                \
	ONE(connections, GAUGE, "connections", "connections", "connections", "Open connections.")  \
	ONE(accepted, SUM, "connections_total", "connections so far", "connections",               \
	    "Connections that were accepted.")                                                     \
	ONE(limit_reached, SUM, "connections_limit_reached", "times at their limit", "times",      \
	    "How often the limit of connections stopped accepting.")                               \
	ONE(clients, GAUGE, "clients", "clients", "clients",                                       \
	    "Clients in the table of the limits per client.")                                      \
	ONE(clients_forgotten, SUM, "clients_forgotten", "clients forgotten", "clients",           \
	    "Clients that this table forgot early, because it was full.")                          \
	MANY(limited, IPC_LIMITED, limited_part, REASONS, "limited", "over a limit per client",    \
	     "times", "What clients were refused over their limits, by limit.")                    \
	ONE(handshakes_full, SUM, "handshakes_full", "full handshakes", "handshakes",              \
	    "TLS handshakes with a signature.")                                                    \
	ONE(handshakes_resumed, SUM, "handshakes_resumed", "resumed handshakes", "handshakes",     \
	    "TLS handshakes that resumed a session.")                                              \
	MANY(handshakes_failed, IPC_FAILURES, failure_part, REASONS, "handshakes_failed",          \
	     "failed handshakes", "handshakes", "TLS handshakes that failed, by reason.")          \
	MANY(proxy_headers, IPC_PROXIES, proxy_part, REASONS, "proxy_headers", "proxy headers",    \
	     "connections", "Connections on which a PROXY header was due or came, by its end.")    \
	ONE(requests, SUM, "requests", "requests", "requests", "Requests that have ended.")        \
	MANY(responses, IPC_CLASSES, class_part, CLASSES, "responses", "responses", "responses",   \
	     "Responses by class, and requests that ended without one.")                           \
	MANY(latency, IPC_LATENCIES, latency_part, HISTOGRAM, "latency_us", "latency", "requests", \
	     "Requests by latency.")                                                               \
	ONE(bytes_in, SUM, "bytes_in", "bytes in", "bytes",                                        \
	    "Bytes received, encrypted if the port has TLS.")                                      \
	ONE(bytes_out, SUM, "bytes_out", "bytes out", "bytes",                                     \
	    "Bytes sent, encrypted if the port has TLS.")                                          \
	ONE(log_dropped, SUM, "log_dropped", "log records dropped", "records",                     \
	    "Log records that were lost.")                                                         \
	ONE(signatures, SUM, "signatures", "signatures", "signatures",                             \
	    "Signatures that keyholders made.")                                                    \
	ONE(signatures_refused, SUM, "signatures_refused", "signatures refused", "requests",       \
	    "Requests that keyholders refused.")                                                   \
	ONE(passwords_right, SUM, "passwords_right", "right passwords", "passwords",               \
	    "Passwords that verifiers found right.")                                               \
	ONE(passwords_wrong, SUM, "passwords_wrong", "wrong passwords", "passwords",               \
	    "Passwords that were wrong, or of unknown users.")                                     \
	ONE(connects, SUM, "connects", "connections to upstreams", "connections",                  \
	    "Connections that connectors made for workers.")                                       \
	ONE(connects_failed, SUM, "connects_failed", "failed connections to upstreams",            \
	    "requests", "Requests for a connection that connectors could not fulfil.")             \
	ONE(names_resolved, SUM, "names_resolved", "names resolved", "answers",                    \
	    "Answers that resolvers had for names of upstreams.")                                  \
	ONE(names_failed, SUM, "names_failed", "names not resolved", "questions",                  \
	    "Questions of resolvers that had no answer.")

enum ipc_kind {
	IPC_KIND_GAUGE,    /* a present value, which ends with its process */
	IPC_KIND_SUM,      /* this kind and those below only grow, and outlive their process */
	IPC_KIND_REASONS,  /* a sum for each reason; a log record has those that are not 0 */
	IPC_KIND_CLASSES,  /* a sum for each class; part 0, which had none, ends a log record */
	IPC_KIND_HISTOGRAM /* a sum for each bucket */
};

struct ipc_counter {
	const char *name;
	enum ipc_kind kind;
	const char *logged, *title, *unit, *help;
	size_t offset; /* of its first number in struct ipc_counters */
	size_t count;  /* of its numbers, one after the other */
	/* the name of a part, NULL for one that is not used; the pointer is NULL for ONE */
	const char *(*part)(size_t);
};

#define IPC_COUNTER_ONE(name, kind, logged, title, unit, help)               uint64_t name;
#define IPC_COUNTER_MANY(name, parts, part, kind, logged, title, unit, help) uint64_t name[parts];
struct ipc_counters {
	IPC_COUNTER_LIST(IPC_COUNTER_ONE, IPC_COUNTER_MANY)
};
#undef IPC_COUNTER_ONE
#undef IPC_COUNTER_MANY

/* The rows in their order; NULL after the last. */
const struct ipc_counter *ipc_counter_at(size_t row);
/* NULL: no counter has this name. */
const struct ipc_counter *ipc_counter_find(const char *name);

/* The numbers of a counter. */
static inline uint64_t *ipc_counter_numbers(struct ipc_counters *c, const struct ipc_counter *row)
{
	return (uint64_t *)(void *)((char *)c + row->offset);
}

static inline const uint64_t *ipc_counter_values(const struct ipc_counters *c,
						 const struct ipc_counter *row)
{
	return (const uint64_t *)(const void *)((const char *)c + row->offset);
}

/* All numbers of struct ipc_counters. */
#define IPC_NUMBERS         (sizeof(struct ipc_counters) / sizeof(uint64_t))
#define IPC_NUMBER_NAME_MAX 64

/* The name of a number, for programs of other versions: "requests", "handshakes_failed.closed".
 * False: it is not used. */
bool ipc_number_name(size_t number, char ret[IPC_NUMBER_NAME_MAX]);
/* The number with that name, or IPC_NUMBERS. */
size_t ipc_number_find(const char *name);

static inline uint64_t ipc_number_value(const struct ipc_counters *c, size_t number)
{
	return ((const uint64_t *)(const void *)c)[number];
}

void ipc_number_set(struct ipc_counters *, size_t number, uint64_t value); /* at most the cap */

/* More than any counter reaches, and no more than JSON can hold (RFC 8259, 6): a false number is
 * capped at this. */
#define IPC_COUNT_MAX (((uint64_t)1 << 53) - 1)

static inline uint64_t ipc_count_add(uint64_t sum, uint64_t part)
{
	return part > IPC_COUNT_MAX - sum ? IPC_COUNT_MAX : sum + part;
}

/* Adds *from to *to. */
void ipc_counters_add(struct ipc_counters *to, const struct ipc_counters *from);
/* The same for a process that has ended: without the gauges. */
void ipc_counters_keep(struct ipc_counters *to, const struct ipc_counters *from);

#endif
