/* Runs in workers, keyholders and bulkhead -t, before any client is served. */
#include "tls/digest.h"

#include <gnutls/crypto.h>
#include <string.h>

bool tls_digest(const void *data, size_t len, uint8_t ret[IPC_DIGEST_BYTES])
{
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, data, len, ret) == 0)
		return true;
	memset(ret, 0, IPC_DIGEST_BYTES); /* no file has this digest */
	return false;
}

bool tls_digest_keyed(const uint8_t key[IPC_DIGEST_BYTES], const void *data, size_t len,
		      uint8_t ret[IPC_DIGEST_BYTES])
{
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, IPC_DIGEST_BYTES, data, len, ret) == 0;
}

bool tls_digest_add(uint8_t all[IPC_DIGEST_BYTES], const uint8_t one[IPC_DIGEST_BYTES])
{
	uint8_t both[2 * IPC_DIGEST_BYTES];
	memcpy(both, all, IPC_DIGEST_BYTES);
	memcpy(both + IPC_DIGEST_BYTES, one, IPC_DIGEST_BYTES);
	return tls_digest(both, sizeof(both), all);
}
