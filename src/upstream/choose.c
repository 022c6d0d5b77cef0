/*
 * Runs in the workers, for each attempt of each request: which endpoint gets it. Must never trust
 * the shared memory that the connector writes further than to choose badly.
 */
#include "upstream/choose.h"

#include <string.h>

#define WEIGHT_FULL 256

/* --- hashes ----------------------------------------------------------------------------------- */

/* The finalizer of splitmix64: each bit of the input changes half of the output. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t upstream_hash_text(const char *text, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return mix(hash) | 1;
}

uint64_t upstream_hash_client(const struct network_address *address)
{
	return mix(network_address_client(address)) | 1;
}

/* --- at the start ----------------------------------------------------------------------------- */

void upstream_balance_init(struct upstream_balance *b, const struct conf_upstream *conf,
			   const struct conf_endpoint *endpoints, const struct ipc_health *health,
			   struct upstream_peer *peers, uint32_t turn)
{
	*b = (struct upstream_balance){
	    .conf = conf, .health = health, .peers = peers, .turn = turn % conf->endpoints_count};
	for (uint32_t i = 0; i < conf->endpoints_count; i++)
		peers[i] = (struct upstream_peer){
		    .seed = upstream_hash_text(endpoints[i].url, strlen(endpoints[i].url)),
		    .backup = endpoints[i].backup,
		};
}

/* --- what can be used ------------------------------------------------------------------------- */

static bool is_paused(const struct upstream_balance *b, const struct upstream_peer *p)
{
	const uint32_t row = p->failures > p->cuts ? p->failures : p->cuts;
	return b->conf->fail_after > 0 && row >= b->conf->fail_after;
}

static bool is_down(const struct upstream_balance *b, uint32_t i)
{
	if (b->health == NULL)
		return false;
	const enum ipc_health_order order = ipc_health_order(&b->health[i]);
	return order == IPC_ORDER_DRAIN || order == IPC_ORDER_DOWN ||
	       ipc_health_state(&b->health[i]) == IPC_HEALTH_DOWN;
}

static bool is_tried(const struct upstream_tried *tried, uint32_t i)
{
	for (uint32_t n = 0; n < tried->count; n++)
		if (tried->list[n] == i)
			return true;
	return false;
}

/* any: also one that is paused. */
static bool is_usable(const struct upstream_balance *b, const struct upstream_tried *tried,
		      uint32_t i, bool any, uint64_t now_ms)
{
	const struct upstream_peer *p = &b->peers[i];
	if (!any && is_paused(b, p) && (p->trying || now_ms < p->paused_until_ms))
		return false;
	return !is_down(b, i) && !is_tried(tried, i);
}

/* Since when it works, by its checks or by what was seen here; 0: always. */
static uint64_t works_since(const struct upstream_balance *b, uint32_t i)
{
	uint64_t since = 0;
	if (b->health != NULL && ipc_health_state(&b->health[i]) == IPC_HEALTH_UP)
		since = __atomic_load_n(&b->health[i].since_ms, __ATOMIC_RELAXED);
	return since > b->peers[i].back_ms ? since : b->peers[i].back_ms;
}

/* 1 to WEIGHT_FULL. */
static uint32_t weight(const struct upstream_balance *b, uint32_t i, uint64_t now_ms)
{
	const uint64_t slow = b->conf->slow_start_ms;
	if (slow == 0)
		return WEIGHT_FULL;
	const uint64_t since = works_since(b, i);
	if (since == 0 || since > now_ms || now_ms - since >= slow)
		return WEIGHT_FULL;
	const uint64_t w = (now_ms - since) * WEIGHT_FULL / slow;
	return w > 0 ? (uint32_t)w : 1;
}

/* --- the ways to balance ---------------------------------------------------------------------- */

/* One endpoint that can be used, and the best so far. */
struct candidate {
	uint32_t index; /* UPSTREAM_NO_PEER: there was none yet */
	uint32_t weight;
	uint64_t score;
	uint64_t total; /* of all weights */
};

/* Smooth: of weights 3 and 1 the order is a a b a. */
static void consider_round_robin(struct upstream_balance *b, uint32_t i, uint32_t w,
				 struct candidate *best)
{
	b->peers[i].credit += w;
	best->total += w;
	if (best->index == UPSTREAM_NO_PEER || b->peers[i].credit > b->peers[best->index].credit)
		best->index = i;
}

static void consider_least(const struct upstream_balance *b, uint32_t i, uint32_t w,
			   struct candidate *best)
{
	const uint64_t load = (uint64_t)b->peers[i].busy + 1;
	if (best->index == UPSTREAM_NO_PEER || load * best->weight < best->score * w) {
		best->index = i;
		best->weight = w;
		best->score = load;
	}
}

/* Rendezvous: each endpoint has a score for each key, and the highest wins. If one fails, only its
 * keys move. In its slow start it has only a part of its keys, the same ones each time. */
static void consider_hash(const struct upstream_balance *b, uint32_t i, uint32_t w, uint64_t hash,
			  struct candidate *best)
{
	uint64_t score = mix(hash ^ b->peers[i].seed);
	if (score % WEIGHT_FULL >= w)
		score = 0; /* only if there is no other */
	if (best->index == UPSTREAM_NO_PEER || score > best->score) {
		best->index = i;
		best->score = score;
	}
}

static void consider(struct upstream_balance *b, uint32_t i, uint64_t hash, uint64_t now_ms,
		     struct candidate *best)
{
	const uint32_t w = weight(b, i, now_ms);
	switch (hash != UPSTREAM_NO_HASH || b->conf->balance == CONF_LEAST_CONNECTIONS
		    ? b->conf->balance
		    : CONF_ROUND_ROBIN) {
	case CONF_ROUND_ROBIN:
		consider_round_robin(b, i, w, best);
		break;
	case CONF_LEAST_CONNECTIONS:
		consider_least(b, i, w, best);
		break;
	case CONF_HASH_CLIENT:
	case CONF_HASH_HEADER:
		consider_hash(b, i, w, hash, best);
		break;
	}
}

/* Of the backups, or of the others. Equals take turns. */
static struct candidate choose_among(struct upstream_balance *b, const struct upstream_tried *tried,
				     bool backups, bool any, uint64_t hash, uint64_t now_ms)
{
	const uint32_t count = b->conf->endpoints_count;
	struct candidate best = {.index = UPSTREAM_NO_PEER};
	for (uint32_t n = 0; n < count; n++) {
		const uint32_t i = (b->turn + n) % count;
		if (b->peers[i].backup == backups && is_usable(b, tried, i, any, now_ms))
			consider(b, i, hash, now_ms, &best);
	}
	return best;
}

uint32_t upstream_choose(struct upstream_balance *b, struct upstream_tried *tried, uint64_t hash,
			 uint64_t now_ms)
{
	if (tried->count == UPSTREAM_TRIES_MAX)
		return UPSTREAM_NO_PEER;
	struct candidate best = choose_among(b, tried, false, false, hash, now_ms);
	if (best.index == UPSTREAM_NO_PEER)
		best = choose_among(b, tried, true, false, hash, now_ms);
	if (best.index == UPSTREAM_NO_PEER)
		best = choose_among(b, tried, false, true, hash, now_ms);
	if (best.index == UPSTREAM_NO_PEER)
		best = choose_among(b, tried, true, true, hash, now_ms);
	if (best.index == UPSTREAM_NO_PEER)
		return UPSTREAM_NO_PEER;
	struct upstream_peer *p = &b->peers[best.index];
	p->credit -= (int64_t)best.total;
	p->busy++;
	p->trying = is_paused(b, p);
	tried->trial = p->trying;
	tried->works = false;
	tried->list[tried->count++] = best.index;
	if (b->conf->balance == CONF_LEAST_CONNECTIONS)
		b->turn = (best.index + 1) % b->conf->endpoints_count;
	return best.index;
}

/* --- how it goes ------------------------------------------------------------------------------ */

/* What was sent before a pause does not make it longer. */
static enum upstream_change peer_fails(const struct upstream_balance *b, struct upstream_peer *p,
				       uint32_t *row, bool trial, uint64_t now_ms)
{
	const bool was_paused = is_paused(b, p);
	if (*row < UINT32_MAX)
		++*row;
	if (!is_paused(b, p) || (was_paused && !trial))
		return UPSTREAM_AS_BEFORE;
	p->paused_until_ms = now_ms + b->conf->fail_pause_ms;
	return was_paused ? UPSTREAM_AS_BEFORE : UPSTREAM_PAUSED;
}

static enum upstream_change peer_works(const struct upstream_balance *b, struct upstream_peer *p,
				       uint32_t *row, uint64_t now_ms)
{
	const bool was_paused = is_paused(b, p);
	*row = 0;
	if (!was_paused || is_paused(b, p))
		return UPSTREAM_AS_BEFORE;
	p->back_ms = now_ms;
	p->credit = 0;
	return UPSTREAM_WORKS_AGAIN;
}

/* The next one may try it. */
static void trial_over(struct upstream_peer *p, const struct upstream_tried *tried)
{
	if (tried->trial && !tried->works)
		p->trying = false;
}

enum upstream_change upstream_chosen_works(struct upstream_balance *b, struct upstream_tried *tried,
					   uint64_t now_ms)
{
	struct upstream_peer *p = &b->peers[tried->list[tried->count - 1]];
	trial_over(p, tried);
	tried->works = true;
	const enum upstream_change change = peer_works(b, p, &p->failures, now_ms);
	tried->trial = tried->trial && is_paused(b, p);
	return change;
}

enum upstream_change upstream_chosen_end(struct upstream_balance *b, struct upstream_tried *tried,
					 bool failed, uint64_t now_ms)
{
	struct upstream_peer *p = &b->peers[tried->list[tried->count - 1]];
	const bool trial = tried->trial, works = tried->works;
	p->busy--;
	trial_over(p, tried);
	tried->trial = tried->works = false;
	if (failed)
		return peer_fails(b, p, works ? &p->cuts : &p->failures, trial, now_ms);
	return works ? peer_works(b, p, &p->cuts, now_ms) : UPSTREAM_AS_BEFORE;
}

uint64_t upstream_choose_wait_ms(const struct upstream_balance *b, uint64_t now_ms)
{
	uint64_t least = 0;
	for (uint32_t i = 0; i < b->conf->endpoints_count; i++) {
		const struct upstream_peer *p = &b->peers[i];
		if (!is_paused(b, p) || is_down(b, i))
			continue;
		const uint64_t wait = p->paused_until_ms > now_ms ? p->paused_until_ms - now_ms : 1;
		least = least == 0 || wait < least ? wait : least;
	}
	return least;
}
