/*
 * What a worker does for the upstreams of its port in each event loop: http_loop.upstreams. It
 * brings connections, which a process of its own makes (ipc/connect.h).
 */
#ifndef UPSTREAM_SERVICE_H
#define UPSTREAM_SERVICE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/network.h"
#include "ipc/health.h"
#include "ipc/use.h"
#include "net/transport.h"

enum upstream_connected {
	UPSTREAM_CONNECTED,
	UPSTREAM_REFUSED,    /* error says why */
	UPSTREAM_TIMED_OUT,  /* in its own connect time */
	UPSTREAM_UNRESOLVED, /* its name has no address */
	UPSTREAM_FULL,       /* the connector has no room for it */
	UPSTREAM_SILENT      /* the connector has said nothing in that time */
};

struct upstream_ask;
TAILQ_HEAD(upstream_asks, upstream_ask);

/* A connection that is wanted. The owner keeps its memory until it is answered or forgotten. */
struct upstream_ask {
	TAILQ_ENTRY(upstream_ask) link; /* of the service, as is id */
	uint64_t id;
	uint64_t until_ms; /* by the loop's clock, in the future; of the owner, as is endpoint */
	uint32_t endpoint; /* its index in conf_port.endpoints */
	/* Called once, from the loop, not from within ask(). fd is the owner's then, or -1. */
	void (*answered)(struct upstream_ask *, enum upstream_connected, int fd, int error,
			 const struct network_address *);
};

struct upstream_service {
	/* False: too many wait; it will not be answered. */
	bool (*ask)(struct upstream_service *, struct upstream_ask *);
	/* The ask will not be answered; a connection that comes for it is closed. */
	void (*forget)(struct upstream_service *, struct upstream_ask *);
	const struct ipc_healths *health; /* by the index in conf_port.endpoints */
	/* What this loop counts, by the same index, and by that in conf_port.upstreams. */
	struct ipc_endpoint_use *endpoint_use;
	struct ipc_upstream_use *upstream_use;
	/* How to speak to an endpoint with TLS, and the context for it, by the index in
	 * conf_port.endpoints; NULL: without TLS. */
	const struct transport_ops *tls;
	const void *const *tls_contexts;
	struct upstream_pools *pools; /* of src/upstream; NULL at first */
	/* For the log: an endpoint was found failing, or works again. what follows its URL:
	 * "refuses connections: Connection refused". */
	void (*tell)(struct upstream_service *, uint32_t endpoint, const char *what);
};

#endif
