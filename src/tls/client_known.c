/* Runs in a worker's loop, in the middle of a handshake. Must never find a chain good that was not
 * verified, whole and against the same authorities. */
#include "tls/client_known.h"

#include <stdlib.h>
#include <string.h>

#include "tls/digest.h"

struct known {
	const struct tls_clients *clients; /* NULL: none */
	uint8_t name[IPC_DIGEST_BYTES];
	time_t since, until;
	struct transport_certificate facts;
};

struct tls_known {
	struct known list[TLS_KNOWN_MAX];
};

struct tls_known *tls_known_new(void)
{
	return calloc(1, sizeof(struct tls_known));
}

void tls_known_free(struct tls_known *k)
{
	free(k);
}

bool tls_known_name(const gnutls_datum_t *chain, unsigned count, uint8_t ret[IPC_DIGEST_BYTES])
{
	uint8_t one[IPC_DIGEST_BYTES];
	memset(ret, 0, IPC_DIGEST_BYTES);
	for (unsigned i = 0; i < count; i++)
		if (!tls_digest(chain[i].data, chain[i].size, one) || !tls_digest_add(ret, one))
			return false;
	return count > 0;
}

/* A name's only place. */
static struct known *place_of(struct tls_known *k, const uint8_t name[IPC_DIGEST_BYTES])
{
	return &k->list[name[0] % TLS_KNOWN_MAX];
}

const struct transport_certificate *tls_known_find(struct tls_known *k,
						   const struct tls_clients *clients,
						   const uint8_t name[IPC_DIGEST_BYTES], time_t now)
{
	const struct known *at = place_of(k, name);
	return at->clients == clients && clients != NULL && now >= at->since && now < at->until &&
		       memcmp(at->name, name, IPC_DIGEST_BYTES) == 0
		   ? &at->facts
		   : NULL;
}

void tls_known_add(struct tls_known *k, const struct tls_clients *clients,
		   const uint8_t name[IPC_DIGEST_BYTES], time_t now, time_t until,
		   const struct transport_certificate *facts)
{
	struct known *at = place_of(k, name);
	at->clients = clients;
	at->since = now;
	at->until = until < now + TLS_KNOWN_MAX_S ? until : now + TLS_KNOWN_MAX_S;
	at->facts = *facts;
	memcpy(at->name, name, IPC_DIGEST_BYTES);
}
