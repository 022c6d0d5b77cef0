/*
 * Passwords of an event loop's clients that wait for the verifier; src/worker only.
 *
 *   add ──> waiting ──> asked ──> done ──> answered
 *    └────> alike ──────────────────┘
 *
 * Hashes are slow, so clients take turns: one with many passwords waits longer with its second than
 * others with their first (start-time fair queueing, with a password as the unit). If all places
 * are taken, the password that would be the last to get its turn gives up its place.
 *
 * The same password from the same client, as browsers send it side by side for the parts of a page,
 * takes no place: what is found out about one holds for all of them. If the client has given up the
 * first one, the next takes its place.
 *
 * Pure: nothing is allocated, and the caller of asks_take_done() answers the asks that it takes.
 */
#ifndef WORKER_ASKS_H
#define WORKER_ASKS_H

#include "filter/authenticate.h"

#define ASKS_WAIT_MAX  64   /* places */
#define ASKS_ALIKE_MAX 1024 /* that take none */

struct asks {
	struct authenticate_asks waiting; /* by their rounds */
	struct authenticate_asks done;
	struct authenticate_ask *asked; /* with the verifier; NULL: none, or it was forgotten */
	unsigned waiting_count, alike_count;
	uint64_t round; /* of the last one that was asked */
};

void asks_init(struct asks *);

/* Is one like it under way? Then it is no other try. */
bool asks_has_alike(const struct asks *, const struct authenticate_ask *);

/* Adds it; place.client is set. The others of the client come first. false: too many wait. One that
 * gives up its place for it is done, unchecked. */
bool asks_add(struct asks *, struct authenticate_ask *, uint64_t now_ms);

/* The next to ask, NULL: there is none. It waits until asks_begin(), which makes it the one that
 * is asked; none must be. */
struct authenticate_ask *asks_next(const struct asks *);
void asks_begin(struct asks *, struct authenticate_ask *);

/* It waits or is asked, and is done now, with all that are like it. */
void asks_finish(struct asks *, struct authenticate_ask *, enum authenticate_verdict);
/* Those that began at this time or before are done, unchecked. */
void asks_expire(struct asks *, uint64_t begun_ms);
/* When the oldest one that waits or is asked began; UINT64_MAX: there is none. */
uint64_t asks_oldest_ms(const struct asks *);

/* Nobody waits for it any more. */
void asks_forget(struct asks *, struct authenticate_ask *);
/* Takes one that is done; NULL: there is none. */
struct authenticate_ask *asks_take_done(struct asks *);

#endif
