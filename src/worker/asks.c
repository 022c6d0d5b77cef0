/* Runs in a loop. Must never let a client's many passwords keep others from their first. */
#include "worker/asks.h"

#include <string.h>

enum { NOWHERE, WAITING, ASKED, ALIKE, DONE };

void asks_init(struct asks *q)
{
	*q = (struct asks){.asked = NULL};
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->done);
}

static bool is_alike(const struct authenticate_ask *a, const struct authenticate_ask *b)
{
	return a->place.client == b->place.client && a->file == b->file &&
	       a->user_len == b->user_len && a->password_len == b->password_len &&
	       memcmp(a->user, b->user, a->user_len) == 0 &&
	       memcmp(a->password, b->password, a->password_len) == 0;
}

static struct authenticate_ask *alike_find(const struct asks *q, const struct authenticate_ask *ask)
{
	struct authenticate_ask *a;
	if (q->asked != NULL && is_alike(q->asked, ask))
		return q->asked;
	TAILQ_FOREACH(a, &q->waiting, place.link)
		if (is_alike(a, ask))
			return a;
	return NULL;
}

bool asks_has_alike(const struct asks *q, const struct authenticate_ask *ask)
{
	return alike_find(q, ask) != NULL;
}

/* --- into the queue --------------------------------------------------------------------------- */

static bool alike_add(struct asks *q, struct authenticate_ask *first, struct authenticate_ask *ask)
{
	if (q->alike_count == ASKS_ALIKE_MAX)
		return false;
	q->alike_count++;
	ask->place.where = ALIKE;
	ask->place.like = first;
	TAILQ_INSERT_TAIL(&first->place.alike, ask, place.link);
	return true;
}

/* The one after those of the same client, and not before the present one. */
static uint64_t round_of(const struct asks *q, uint64_t client)
{
	const struct authenticate_ask *a;
	uint64_t round = q->round;
	if (q->asked != NULL && q->asked->place.client == client)
		round = q->asked->place.round + 1;
	TAILQ_FOREACH(a, &q->waiting, place.link)
		if (a->place.client == client)
			round = a->place.round + 1;
	return round;
}

/* After all whose round is not later. */
static void waiting_insert(struct asks *q, struct authenticate_ask *ask)
{
	struct authenticate_ask *a = TAILQ_LAST(&q->waiting, authenticate_asks);
	while (a != NULL && a->place.round > ask->place.round)
		a = TAILQ_PREV(a, authenticate_asks, place.link);
	if (a != NULL)
		TAILQ_INSERT_AFTER(&q->waiting, a, ask, place.link);
	else
		TAILQ_INSERT_HEAD(&q->waiting, ask, place.link);
	q->waiting_count++;
	ask->place.where = WAITING;
}

bool asks_add(struct asks *q, struct authenticate_ask *ask, uint64_t now_ms)
{
	struct authenticate_ask *alike = alike_find(q, ask);
	struct authenticate_ask *last = TAILQ_LAST(&q->waiting, authenticate_asks);
	ask->place.begun_ms = now_ms;
	ask->place.like = NULL;
	TAILQ_INIT(&ask->place.alike);
	if (alike != NULL)
		return alike_add(q, alike, ask);
	ask->place.round = round_of(q, ask->place.client);
	if (q->waiting_count == ASKS_WAIT_MAX) {
		if (last->place.round <= ask->place.round)
			return false;
		asks_finish(q, last, AUTHENTICATE_UNCHECKED);
	}
	waiting_insert(q, ask);
	return true;
}

struct authenticate_ask *asks_next(const struct asks *q)
{
	return TAILQ_FIRST(&q->waiting);
}

void asks_begin(struct asks *q, struct authenticate_ask *ask)
{
	TAILQ_REMOVE(&q->waiting, ask, place.link);
	q->waiting_count--;
	q->asked = ask;
	q->round = ask->place.round;
	ask->place.where = ASKED;
}

/* --- out of it -------------------------------------------------------------------------------- */

static void alike_remove(struct asks *q, struct authenticate_ask *ask)
{
	TAILQ_REMOVE(&ask->place.like->place.alike, ask, place.link);
	q->alike_count--;
}

/* Puts the first one that is like it into its place. */
static void replace(struct asks *q, struct authenticate_ask *ask)
{
	struct authenticate_ask *next = TAILQ_FIRST(&ask->place.alike), *a;
	if (next != NULL) {
		alike_remove(q, next);
		TAILQ_CONCAT(&next->place.alike, &ask->place.alike, place.link);
		for (a = TAILQ_FIRST(&next->place.alike); a != NULL; a = TAILQ_NEXT(a, place.link))
			a->place.like = next;
		next->place.where = ask->place.where;
		next->place.round = ask->place.round;
		next->place.counts = ask->place.counts;
		next->place.like = NULL;
		ask->place.counts = false;
	}
	if (ask->place.where == ASKED) {
		q->asked = next;
		return;
	}
	if (next != NULL)
		TAILQ_INSERT_AFTER(&q->waiting, ask, next, place.link);
	else
		q->waiting_count--;
	TAILQ_REMOVE(&q->waiting, ask, place.link);
}

static void done_add(struct asks *q, struct authenticate_ask *ask,
		     enum authenticate_verdict verdict)
{
	ask->place.where = DONE;
	ask->place.verdict = verdict;
	TAILQ_INSERT_TAIL(&q->done, ask, place.link);
}

void asks_finish(struct asks *q, struct authenticate_ask *ask, enum authenticate_verdict verdict)
{
	struct authenticate_ask *a;
	struct authenticate_asks alike = TAILQ_HEAD_INITIALIZER(alike);
	TAILQ_CONCAT(&alike, &ask->place.alike, place.link);
	replace(q, ask);
	done_add(q, ask, verdict);
	while ((a = TAILQ_FIRST(&alike)) != NULL) {
		TAILQ_REMOVE(&alike, a, place.link);
		q->alike_count--;
		done_add(q, a, verdict);
	}
}

/* Those that are like another began later than it. */
static void expire(struct asks *q, struct authenticate_ask *ask, uint64_t begun_ms)
{
	while (ask != NULL && ask->place.begun_ms <= begun_ms) {
		struct authenticate_ask *next = TAILQ_FIRST(&ask->place.alike);
		replace(q, ask);
		done_add(q, ask, AUTHENTICATE_UNCHECKED);
		ask = next;
	}
}

void asks_expire(struct asks *q, uint64_t begun_ms)
{
	struct authenticate_ask *next;
	expire(q, q->asked, begun_ms);
	for (struct authenticate_ask *ask = TAILQ_FIRST(&q->waiting); ask != NULL; ask = next) {
		next = TAILQ_NEXT(ask, place.link);
		expire(q, ask, begun_ms);
	}
}

uint64_t asks_oldest_ms(const struct asks *q)
{
	const struct authenticate_ask *ask;
	uint64_t oldest_ms = q->asked != NULL ? q->asked->place.begun_ms : UINT64_MAX;
	TAILQ_FOREACH(ask, &q->waiting, place.link)
		if (ask->place.begun_ms < oldest_ms)
			oldest_ms = ask->place.begun_ms;
	return oldest_ms;
}

void asks_forget(struct asks *q, struct authenticate_ask *ask)
{
	if (ask->place.where == ALIKE)
		alike_remove(q, ask);
	else if (ask->place.where == DONE)
		TAILQ_REMOVE(&q->done, ask, place.link);
	else
		replace(q, ask);
}

struct authenticate_ask *asks_take_done(struct asks *q)
{
	struct authenticate_ask *ask = TAILQ_FIRST(&q->done);
	if (ask != NULL)
		TAILQ_REMOVE(&q->done, ask, place.link);
	return ask;
}
