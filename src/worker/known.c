/* Runs in a loop. Must never keep a password, nor a digest after its time. */
#include "worker/known.h"

#include <string.h>

#include "ipc/password.h"
#include "tls/digest.h"

#define WAYS 4 /* the places of each */

static bool digest_make(const struct known *k, const struct authenticate_ask *ask,
			uint8_t ret[IPC_DIGEST_BYTES])
{
	struct {
		uint32_t file, user_len;
		char text[IPC_USER_MAX + IPC_PASSWORD_MAX];
	} data = {ask->file, (uint32_t)ask->user_len, {0}};
	memcpy(data.text, ask->user, ask->user_len);
	memcpy(data.text + ask->user_len, ask->password, ask->password_len);
	const size_t len = offsetof(__typeof__(data), text) + ask->user_len + ask->password_len;
	const bool made = tls_digest_keyed(k->key, &data, len, ret);
	explicit_bzero(&data, sizeof(data));
	return made;
}

static size_t places_of(const uint8_t digest[IPC_DIGEST_BYTES])
{
	uint32_t hash;
	memcpy(&hash, digest, sizeof(hash));
	return (size_t)hash % (KNOWN_MAX / WAYS) * WAYS;
}

/* In a time that does not depend on where they differ. */
static bool is_same(const uint8_t a[IPC_DIGEST_BYTES], const uint8_t b[IPC_DIGEST_BYTES])
{
	unsigned differs = 0;
	for (size_t i = 0; i < IPC_DIGEST_BYTES; i++)
		differs |= a[i] ^ (unsigned)b[i];
	return differs == 0;
}

bool known_has(const struct known *k, const struct authenticate_ask *ask, uint64_t now_ms)
{
	uint8_t digest[IPC_DIGEST_BYTES];
	if (!digest_make(k, ask, digest))
		return false;
	const struct known_one *places = &k->all[places_of(digest)];
	for (unsigned i = 0; i < WAYS; i++)
		if (places[i].until_ms > now_ms && is_same(places[i].digest, digest))
			return true;
	return false;
}

void known_add(struct known *k, const struct authenticate_ask *ask, uint64_t now_ms)
{
	uint8_t digest[IPC_DIGEST_BYTES];
	if (!digest_make(k, ask, digest))
		return;
	struct known_one *places = &k->all[places_of(digest)], *place = places;
	for (unsigned i = 0; i < WAYS; i++) {
		if (places[i].until_ms < place->until_ms)
			place = &places[i];
		if (places[i].until_ms > 0 && is_same(places[i].digest, digest)) {
			place = &places[i];
			break;
		}
	}
	memcpy(place->digest, digest, sizeof(digest));
	place->until_ms = now_ms + KNOWN_MS;
}

uint64_t known_expire(struct known *k, uint64_t now_ms)
{
	uint64_t next_ms = 0;
	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		struct known_one *one = &k->all[i];
		if (one->until_ms == 0)
			continue;
		if (one->until_ms <= now_ms)
			explicit_bzero(one, sizeof(*one));
		else if (next_ms == 0 || one->until_ms < next_ms)
			next_ms = one->until_ms;
	}
	return next_ms == 0 ? 0 : next_ms + KNOWN_STEP;
}
