/*
 * Which endpoint of an upstream gets a request: balance, health, failures seen here, slow start,
 * backups. Per event loop: what one worker has seen fail, another one finds out for itself.
 *
 * Pure: the caller passes the time. One choice looks at each endpoint once, and nothing is
 * allocated.
 */
#ifndef UPSTREAM_CHOOSE_H
#define UPSTREAM_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "conf/conf.h"
#include "ipc/health.h"

/*
 *            fail_after failures in a row              the pause is over
 *   in use ───────────────────────────────> paused ───────────────────────> one request tries it
 *     ^                                       ^  └──── any success ────┐         │        │
 *     ├───────────────────────────────────────┼────────────────────────┘   fails │        │
 *     │                                       └──────────────────────────────────┘        │
 *     └───────────── slow start ──────────────────────────────────────────────── succeeds ┘
 */
struct upstream_peer {
	uint64_t seed;     /* of its URL, so that all workers and reloads agree about a hash */
	uint32_t busy;     /* requests under way to it */
	uint32_t failures; /* in a row, without a response; any head of one ends it */
	uint32_t cuts; /* in a row, of responses; any one that does not fail to its end ends it */
	uint64_t paused_until_ms;
	uint64_t back_ms; /* since when it works again, for the slow start; 0: it always has */
	int64_t credit;   /* for round-robin */
	bool trying;      /* one request tries it */
	bool backup;
};

struct upstream_balance {
	const struct conf_upstream *conf;
	const struct ipc_health *health; /* of its first endpoint; NULL: nothing is known */
	struct upstream_peer *peers;     /* the owner's memory, conf->endpoints_count of them */
	uint32_t turn;
};

/* endpoints: those of the upstream, from its first one. turn: where to begin, so that not all loops
 * begin with the same one. */
void upstream_balance_init(struct upstream_balance *, const struct conf_upstream *,
			   const struct conf_endpoint *endpoints, const struct ipc_health *health,
			   struct upstream_peer *peers, uint32_t turn);

/* The endpoints that one request has had; zeros at its beginning. */
#define UPSTREAM_TRIES_MAX 8
struct upstream_tried {
	uint32_t count;
	uint32_t list[UPSTREAM_TRIES_MAX];
	bool trial; /* the last one was paused, and this request tries it */
	bool works; /* ... has answered it */
};

/* What a hash is made of: a client's address (IPv6: its first 64 bits), or the value of a field. A
 * request that has none is balanced by turns. */
#define UPSTREAM_NO_HASH 0
uint64_t upstream_hash_client(const struct network_address *);
uint64_t upstream_hash_text(const char *, size_t);

/*
 * Chooses an endpoint that the request has not had, adds it to those, and counts it as busy.
 * Returns its index among those of the upstream, and is followed by one upstream_chosen_end(); or
 * UPSTREAM_NO_PEER: none can be used. hash counts only if the balance is by hash.
 *
 * Not used are: those that checks find down, those that an order drains or takes down, and those
 * that are paused; and backups while any other can be used. If nothing is left but those that are
 * paused, they are used nevertheless: there is nothing to go to in their place.
 */
#define UPSTREAM_NO_PEER UINT32_MAX
uint32_t upstream_choose(struct upstream_balance *, struct upstream_tried *, uint64_t hash,
			 uint64_t now_ms);

/* What became of the endpoint by that, for the log. */
enum upstream_change { UPSTREAM_AS_BEFORE, UPSTREAM_PAUSED, UPSTREAM_WORKS_AGAIN };

/* The last choice of this request has the head of a response, whatever its status. It may last for
 * hours from here on, so nothing waits for its end: if it tried a paused endpoint, that is over. */
enum upstream_change upstream_chosen_works(struct upstream_balance *, struct upstream_tried *,
					   uint64_t now_ms);
/* It has ended. failed: there was no connection, or no response, or that was cut, silent for too
 * long, or no HTTP. Not failed: it worked to its end, or the client left, or it was not asked. */
enum upstream_change upstream_chosen_end(struct upstream_balance *, struct upstream_tried *,
					 bool failed, uint64_t now_ms);

/* After no endpoint could be used: the milliseconds until one that is paused may be tried; 0: none
 * is. For Retry-After. */
uint64_t upstream_choose_wait_ms(const struct upstream_balance *, uint64_t now_ms);

#endif
