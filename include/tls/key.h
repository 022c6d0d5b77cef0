/*
 * The private key of a certificate, as GnuTLS wants it: in this process, or in the keyholder.
 */
#ifndef TLS_KEY_H
#define TLS_KEY_H

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* How long an event loop waits for a signature: all of its connections wait with it. */
#define TLS_SIGN_DEADLINE_MS 2000
#define TLS_SIGN_PAUSE_MS    10000

/*
 * An event loop's way to the keys of its port: its channel to the keyholder. Asking is synchronous,
 * since GnuTLS cannot be made to wait for a signature, with a deadline. After an answer that did
 * not come in time, requests fail at once until one comes, or for TLS_SIGN_PAUSE_MS: a keyholder
 * that hangs costs a loop one deadline now and then, not one for each handshake.
 */
struct tls_signer {
	int fd; /* blocking, SO_RCVTIMEO set by tls_signer_init(); -1: none */
	uint64_t last_id;
	bool silent;         /* the keyholder owes an answer past its time … */
	uint64_t until_ms;   /* … and is not asked again before this, unless something comes */
	uint64_t timeouts;   /* how often an answer did not come in time */
	bool refused;        /* the last request: it is not what the key is for */
	const char *failure; /* of the last request that failed; static text */
};

/* fd stays the caller's, and is set up. 0 or -errno. */
int tls_signer_init(struct tls_signer *, int fd);

/* Loads a key from an open PEM file (unencrypted; PKCS#1, SEC1, PKCS#8); path is for messages. 0
 * and a key that the caller ends with gnutls_privkey_deinit() or gives away; else a sentence and
 * -1, or -EAGAIN where it is memory that lacks. digest, unless NULL, is added to (tls/digest.h):
 * what the file holds. */
int tls_key_load(int fd, const char *path, uint8_t *digest, gnutls_privkey_t *ret, struct err *);

/* A key whose signatures the keyholder makes: the index-th of the port, for this public key. The
 * signer outlives it. 0 or a GnuTLS error. */
int tls_key_remote(struct tls_signer *, unsigned index, gnutls_pubkey_t, gnutls_privkey_t *ret);

/* The digest that an RSA-PSS key is limited to (RFC 4055, 3.1), GNUTLS_DIG_UNKNOWN where it is not;
 * of another kind of key, too. 0, or -1 when it is limited to what TLS does not have. */
int tls_key_pss_digest(gnutls_pubkey_t, gnutls_digest_algorithm_t *ret);

/* Does the key sign for this certificate's public key? Makes one signature over what nobody takes
 * for a handshake. 0; GNUTLS_E_CERTIFICATE_KEY_MISMATCH; or another GnuTLS error. */
int tls_key_check(gnutls_privkey_t, gnutls_pubkey_t);

#endif
