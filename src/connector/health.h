/*
 * What the connector writes for the workers and the master: which endpoints work (ipc/health.h).
 *
 * The memory outlives connectors, so a new one goes on where the last one has stopped, which may
 * have been taken over.
 */
#ifndef CONNECTOR_HEALTH_H
#define CONNECTOR_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bucket.h"
#include "conf/conf.h"
#include "ipc/health.h"
#include "log/log.h"

/*
 * The first check decides. Then so many in a row that find the contrary change the state, which is
 * what HAProxy calls fall and rise.
 */
#define HEALTH_FALL 3
#define HEALTH_RISE 2

struct health {
	struct ipc_healths *memory; /* the owner's */
	const struct conf_port *port;
	struct log *log;
	uint8_t *contrary;   /* by endpoint: checks in a row that contradict the state; owned */
	uint32_t *upstreams; /* by endpoint: its upstream; owned */
	struct bucket lines; /* of the log, that may still be written */
	uint64_t unsaid;     /* … changes of state that were not */
};

/* The memory is of all endpoints of the port. 0 or -ENOMEM. */
int health_init(struct health *, struct ipc_healths *, const struct conf_port *, struct log *,
		uint64_t now_ms);
void health_release(struct health *);

static inline const struct conf_upstream *health_upstream(const struct health *h, uint32_t endpoint)
{
	return &h->port->upstreams[h->upstreams[endpoint]];
}

/* A check has ended; why is a short text for people: what it found. A change of the state is
 * logged. Returns whether the next check should come soon, because it may change the state. */
bool health_checked(struct health *, uint32_t endpoint, bool good, const char *why,
		    uint64_t now_ms);

/* A connection for a worker was made, or could not be made; why as above. */
void health_connected(struct health *, uint32_t endpoint);
void health_connect_failed(struct health *, uint32_t endpoint, const char *why);

/* How many addresses the endpoint has. */
void health_addresses(struct health *, uint32_t endpoint, size_t count);

#endif
