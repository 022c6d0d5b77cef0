/* Runs in a loop, for each password that is not known. Must never let others, however many they
 * are, cost a client its tries. */
#include "worker/tries.h"

#include <string.h>

#include "base/network.h"
#include "tls/digest.h"

#define WAYS 4 /* the places of each */
/* In thousandths of a second, so that a slow rate is a whole number: see bucket_take(). */
#define PER_SECOND 1000
#define TRY        (UINT64_C(1000) * AUTHENTICATE_TRY_MS)

uint64_t tries_client(const struct tries *t, const struct http_client *client)
{
	const uint64_t who = network_address_client(&client->number);
	uint8_t digest[IPC_DIGEST_BYTES];
	uint64_t hash;
	if (!tls_digest_keyed(t->key, &who, sizeof(who), digest))
		return 1;
	memcpy(&hash, digest, sizeof(hash));
	return hash | 1;
}

/* Its place, or the one of those that it can have that was used the longest time ago. */
static struct tries_client *client_find(struct tries *t, uint64_t client)
{
	struct tries_client *places = &t->clients[client / 2 % (TRIES_CLIENTS / WAYS) * WAYS];
	struct tries_client *oldest = places;
	for (unsigned i = 0; i < WAYS; i++) {
		if (places[i].client == client)
			return &places[i];
		if (places[i].left.since_ms < oldest->left.since_ms)
			oldest = &places[i];
	}
	return oldest;
}

static bool refusal_take(struct bucket *b, uint64_t now_ms)
{
	return bucket_take(b, TRIES_REFUSAL_MS, PER_SECOND,
			   (uint64_t)TRIES_REFUSALS * TRIES_REFUSAL_MS, now_ms);
}

static bool has_refusal(const struct tries_client *c, uint64_t now_ms)
{
	struct bucket copy = c->refusals;
	return refusal_take(&copy, now_ms);
}

bool tries_guessed(const struct tries *t, uint64_t now_ms)
{
	return now_ms < t->told_all_ms;
}

bool tries_may_know(struct tries *t, uint64_t client, uint64_t now_ms)
{
	const struct tries_client *c = client_find(t, client);
	return c->client != client || has_refusal(c, now_ms);
}

uint64_t tries_take(struct tries *t, uint64_t client, uint64_t now_ms)
{
	const uint64_t each = AUTHENTICATE_TRY_MS;
	struct tries_client *c = client_find(t, client);
	if (c->client != client)
		*c = (struct tries_client){client, bucket_full(now_ms), bucket_full(now_ms)};
	if (bucket_take(&c->left, each, PER_SECOND, AUTHENTICATE_TRIES * each, now_ms))
		return 0;
	(void)refusal_take(&c->refusals, now_ms);
	if (!has_refusal(c, now_ms))
		t->told_all_ms = now_ms + TRIES_REFUSAL_MS;
	return bucket_wait_ms(&c->left, each, PER_SECOND, AUTHENTICATE_TRIES * each);
}

/* More than its capacity counts as full. */
void tries_give_back(struct tries *t, uint64_t client)
{
	struct tries_client *c = client_find(t, client);
	if (c->client == client && c->left.thousandths <= AUTHENTICATE_TRIES * TRY)
		c->left.thousandths += TRY;
}
