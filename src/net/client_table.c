/* Runs in a loop, for each connection. Must never allocate after its start, nor forget a client
 * that has a connection. */
#include "net/client_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_PLACE UINT32_MAX

/* A rate is per hour, so the bucket counts in 3600ths. */
#define PARTS 3600

/* --- SipHash-2-4 of one number (https://www.aumasson.jp/siphash/siphash.pdf) -------------------
 */

static inline uint64_t rotated(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[1] = rotated(v[1], 13) ^ v[0];
		v[0] = rotated(v[0], 32);
		v[2] += v[3];
		v[3] = rotated(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotated(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotated(v[1], 17) ^ v[2];
		v[2] = rotated(v[2], 32);
	}
}

static uint64_t sip_hash(const uint64_t secret[2], uint64_t number)
{
	const uint64_t last = UINT64_C(8) << 56; /* the length */
	uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
			 secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573};
	v[3] ^= number;
	sip_rounds(v, 2);
	v[0] ^= number;
	v[3] ^= last;
	sip_rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- rates ------------------------------------------------------------------------------------ */

bool client_take(struct bucket *b, const struct limit_rate *rate, uint64_t now_ms)
{
	return rate->per_hour == 0 ||
	       bucket_take(b, PARTS, rate->per_hour, (uint64_t)rate->burst * PARTS, now_ms);
}

uint64_t client_wait_ms(const struct bucket *b, const struct limit_rate *rate)
{
	return bucket_wait_ms(b, PARTS, rate->per_hour, (uint64_t)rate->burst * PARTS);
}

static bool is_full(const struct bucket *b, const struct limit_rate *rate, uint64_t now_ms)
{
	return rate->per_hour == 0 ||
	       bucket_is_full(b, rate->per_hour, (uint64_t)rate->burst * PARTS, now_ms);
}

/* --- the places ------------------------------------------------------------------------------- */

/* There are as many chains as places, or more: a power of two. */
static uint64_t chains_for(uint64_t places)
{
	uint64_t n = 1;
	while (n < places)
		n *= 2;
	return n;
}

uint64_t client_table_bytes(uint64_t places)
{
	return places * sizeof(struct client) + chains_for(places) * sizeof(uint32_t);
}

int client_table_init(struct client_table *t, uint32_t places, const struct limit_rate *requests,
		      const struct limit_rate *handshakes,
		      const uint8_t secret[CLIENT_TABLE_SECRET])
{
	const uint64_t chains = chains_for(places);
	*t = (struct client_table){.places = calloc(places, sizeof(*t->places)),
				   .chains = malloc(chains * sizeof(*t->chains)),
				   .chains_mask = (uint32_t)(chains - 1),
				   .places_count = places,
				   .free = NO_PLACE,
				   .newest = NO_PLACE,
				   .oldest = NO_PLACE,
				   .requests = *requests,
				   .handshakes = *handshakes};
	if (t->places == NULL || t->chains == NULL) {
		client_table_release(t);
		return -ENOMEM;
	}
	memset(t->chains, 0xff, chains * sizeof(*t->chains));
	memcpy(t->secret, secret, sizeof(t->secret));
	return 0;
}

void client_table_release(struct client_table *t)
{
	free(t->places);
	free(t->chains);
	*t = (struct client_table){.places = NULL};
}

static uint32_t *chain_of(struct client_table *t, uint64_t key)
{
	return &t->chains[sip_hash(t->secret, key) & t->chains_mask];
}

static uint32_t number_of(const struct client_table *t, const struct client *c)
{
	return (uint32_t)(c - t->places);
}

/* Into the list of those without connections, and out of it. */
static void list_add(struct client_table *t, struct client *c)
{
	const uint32_t number = number_of(t, c);
	c->newer = NO_PLACE;
	c->older = t->newest;
	if (t->newest != NO_PLACE)
		t->places[t->newest].newer = number;
	else
		t->oldest = number;
	t->newest = number;
}

static void list_remove(struct client_table *t, const struct client *c)
{
	if (c->newer != NO_PLACE)
		t->places[c->newer].older = c->older;
	else
		t->newest = c->older;
	if (c->older != NO_PLACE)
		t->places[c->older].newer = c->newer;
	else
		t->oldest = c->newer;
}

static void client_forget(struct client_table *t, struct client *c)
{
	const uint32_t number = number_of(t, c);
	uint32_t *at = chain_of(t, c->key);
	while (*at != number)
		at = &t->places[*at].next;
	*at = c->next;
	list_remove(t, c);
	c->next = t->free;
	t->free = number;
	t->used--;
}

uint32_t client_now_s(uint64_t now_ms)
{
	return (uint32_t)(now_ms / 1000) + 1;
}

bool client_may_tell(const struct client *c, uint64_t now_ms)
{
	return c->told_s == 0 || client_now_s(now_ms) - c->told_s >= CLIENT_TOLD_S;
}

static bool is_as_new(const struct client_table *t, const struct client *c, uint64_t now_ms)
{
	return is_full(&c->requests, &t->requests, now_ms) &&
	       is_full(&c->handshakes, &t->handshakes, now_ms) && client_may_tell(c, now_ms);
}

/* Two for each that comes: so those to forget do not pile up, and no call takes long. */
static void clients_retire(struct client_table *t, uint64_t now_ms)
{
	for (unsigned i = 0; i < 2 && t->oldest != NO_PLACE; i++) {
		struct client *c = &t->places[t->oldest];
		if (!is_as_new(t, c, now_ms))
			return;
		client_forget(t, c);
	}
}

static struct client *place_take(struct client_table *t, uint64_t now_ms)
{
	clients_retire(t, now_ms);
	if (t->free == NO_PLACE && t->used == t->places_count) {
		if (t->oldest == NO_PLACE)
			return NULL;
		t->forgotten++;
		client_forget(t, &t->places[t->oldest]);
	}
	/* places that were never used follow those that are in use or free */
	const uint32_t number = t->free != NO_PLACE ? t->free : t->used;
	if (t->free != NO_PLACE)
		t->free = t->places[number].next;
	t->used++;
	return &t->places[number];
}

struct client *client_enter(struct client_table *t, const struct network_address *address,
			    uint64_t now_ms)
{
	const uint64_t key = network_address_client(address);
	uint32_t *chain = chain_of(t, key);
	for (uint32_t at = *chain; at != NO_PLACE; at = t->places[at].next) {
		struct client *c = &t->places[at];
		if (c->key != key)
			continue;
		if (c->connections++ == 0)
			list_remove(t, c);
		return c;
	}
	struct client *c = place_take(t, now_ms);
	if (c == NULL)
		return NULL;
	*c = (struct client){.key = key,
			     .requests = bucket_full(now_ms),
			     .handshakes = bucket_full(now_ms),
			     .connections = 1,
			     .next = *chain};
	*chain = number_of(t, c);
	return c;
}

void client_leave(struct client_table *t, struct client *c)
{
	if (--c->connections == 0)
		list_add(t, c);
}
