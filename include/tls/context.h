/*
 * What all TLS sessions of a port share: certificates, keys, the protocol policy, the ticket key.
 *
 * Made once by a worker before it serves, read-only from then on, so loops (and threads) share it.
 * TLS 1.3 and 1.2 only (RFC 8446, RFC 5246), no static RSA, the server's preference decides, X25519
 * first, AEAD ciphers only with AES-128-GCM first; everything else is the system's GnuTLS default
 * (gnutls_priority_init2).
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TLS_TICKET_KEY_BYTES 64 /* GnuTLS's session ticket master key */

struct tls_context;

struct tls_pair {
	const char *certificate; /* path of a PEM file: the leaf, then its chain */
	const char *key;         /* path of a PEM file */
};

/* A finding about the pair with this index that does not prevent serving (an expired certificate,
 * one that is not valid yet). */
typedef void tls_warning_fn(void *arg, size_t pair, const char *text);

/*
 * Loads the pairs: several kinds of key on one port are fine, ECDSA and EdDSA are offered before
 * RSA. ticket_key has TLS_TICKET_KEY_BYTES, is copied, and stays the caller's to wipe.
 * 0, or -1 with a sentence in err and in *ret_pair the pair it is about.
 */
int tls_context_new(const struct tls_pair *pairs, size_t count, const uint8_t *ticket_key,
		    tls_warning_fn *warn, void *arg, struct tls_context **ret, size_t *ret_pair,
		    struct err *);
void tls_context_free(struct tls_context *);

#endif
