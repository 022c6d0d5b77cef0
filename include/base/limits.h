/*
 * The limits of a port: bulkhead.conf(5), LIMITS.
 *
 * The one list of them. struct limits and the statements of the configuration are made from it, so
 * a new limit is a line here and the place that reads it. The struct lives as long as the
 * configuration, and is read where the limit is enforced.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMITS_DAY_MS    86400000
#define LIMITS_TERA      (UINT64_C(1) << 40)
#define LIMIT_HEAD_MAX   65536      /* bytes; the most that `head` can be */
#define LIMIT_COMPUTED   UINT64_MAX /* the default depends on the port: src/conf/check.c */
#define LIMIT_MEMORY_MIN (UINT64_C(64) << 20) /* no worker can run with less */

/* The default is another limit of the port. It is not in the canonical text then, which is the same
 * as before there was such a limit. For the type uint64_t. */
#define LIMIT_AS(member) (LIMIT_COMPUTED - 1 - offsetof(struct limits, member))

/*
 * LIMIT(type, member, word, unit, least, most, default, floor), in the order of the canonical text.
 * With a floor, the value is 0 or at least that.
 */
#define PORT_LIMITS(LIMIT)                                                                        \
	/* at once on the port, in all workers together */                                        \
	LIMIT(uint32_t, connections, "connections", NUMBER, 1, 1000000, 10000, 0)                 \
	/* on one connection */                                                                   \
	LIMIT(uint32_t, requests, "requests", NUMBER, 1, 1000000000, 10000, 0)                    \
	LIMIT(uint32_t, head_bytes, "head", SIZE, 1024, LIMIT_HEAD_MAX, 16384, 0)                 \
	LIMIT(uint64_t, trailers_bytes, "trailers", SIZE, 0, 65536, LIMIT_AS(head_bytes), 0)      \
	LIMIT(uint64_t, body_bytes, "body", SIZE, 0, LIMITS_TERA, 1048576, 0)                     \
	/* between two requests */                                                                \
	LIMIT(uint64_t, idle_ms, "idle", DURATION, 10, LIMITS_DAY_MS, 60000, 0)                   \
	/* from a head's first byte to its last */                                                \
	LIMIT(uint64_t, head_ms, "head-timeout", DURATION, 10, LIMITS_DAY_MS, 10000, 0)           \
	/* from accept to the end of the handshake */                                             \
	LIMIT(uint64_t, handshake_ms, "handshake-timeout", DURATION, 10, LIMITS_DAY_MS, 10000, 0) \
	/* for a request body without progress */                                                 \
	LIMIT(uint64_t, body_ms, "body-timeout", DURATION, 10, LIMITS_DAY_MS, 30000, 0)           \
	/* for a response that the client does not take */                                        \
	LIMIT(uint64_t, write_ms, "write-timeout", DURATION, 10, LIMITS_DAY_MS, 30000, 0)         \
	/* that an event loop may be behind before it sheds requests to upstreams; 0: none */     \
	LIMIT(uint64_t, lag_ms, "lag", DURATION, 0, LIMITS_DAY_MS, 1000, 10)                      \
	/* address space of a worker; 0: no limit */                                              \
	LIMIT(uint64_t, memory_bytes, "memory", MEMORY, 0, LIMITS_TERA, LIMIT_COMPUTED,           \
	      LIMIT_MEMORY_MIN)                                                                   \
	/* of a worker's core dump; 0: none */                                                    \
	LIMIT(uint64_t, core_bytes, "core", MEMORY, 0, LIMITS_TERA, 0, 0)                         \
	/* per second, that one event loop may ask of the keyholder */                            \
	LIMIT(uint32_t, signatures, "signatures", NUMBER, 1, 1000000, 10000, 0)

/* How often a client may do something: so many times at once, and so often on and on. */
struct limit_rate {
	uint64_t per_hour; /* 0: without a limit */
	uint32_t burst;    /* 1 or more, if there is a limit */
};
#define LIMIT_RATE_MAX UINT64_C(3600000000) /* a million a second */

/* What one client may have, in one event loop (net/client_table.h); 0: without a limit. */
struct client_limits {
	struct limit_rate requests, handshakes;
	uint32_t connections;
	uint32_t places; /* of the table */
};

static inline bool client_limits_any(const struct client_limits *c)
{
	return c->requests.per_hour != 0 || c->handshakes.per_hour != 0 || c->connections != 0;
}

#define LIMIT_MEMBER(type, member, word, unit, least, most, preset, floor) type member;
struct limits {
	PORT_LIMITS(LIMIT_MEMBER)
	struct client_limits clients;
};
#undef LIMIT_MEMBER

#endif
