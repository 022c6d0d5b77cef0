/*
 * The private key of a certificate, as GnuTLS uses it: in this process, or in the keyholder.
 */
#ifndef TLS_KEY_H
#define TLS_KEY_H

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/scheme.h"

/* How long an event loop waits for a signature. All of its connections wait during that time. */
#define TLS_SIGN_DEADLINE_MS 2000
#define TLS_SIGN_PAUSE_MS    10000

/*
 * The access of an event loop to the keys of its port: its channel to the keyholder. Requests are
 * synchronous with a deadline, because GnuTLS cannot suspend a handshake for a signature. After an
 * answer that was late, requests fail at once until an answer comes, or for TLS_SIGN_PAUSE_MS. So a
 * keyholder that hangs costs the loop one deadline now and then, not one for each handshake.
 */
struct tls_signer {
	int fd; /* blocking, SO_RCVTIMEO set by tls_signer_init(); -1: none */
	uint64_t last_id;
	bool silent; /* an answer is overdue */
	/* when silent: the loop asks again at this time, or once an answer comes */
	uint64_t until_ms;
	uint64_t timeouts;   /* how many answers did not come in time */
	bool refused;        /* the last request was refused: the key is not for that */
	const char *failure; /* why the last request failed; static text */
};

/* The caller keeps fd; its timeouts are set here. Returns 0 or -errno. */
int tls_signer_init(struct tls_signer *, int fd);

#define TLS_KEY_FILE_MAX 65536 /* bytes of a key's file; a longer one is no key */

/* Loads a key from an open PEM file (unencrypted; PKCS#1, SEC1, PKCS#8); path is for messages.
 * Returns 0 and a key that the caller frees with gnutls_privkey_deinit() or passes on; else, with a
 * sentence in err, -EAGAIN out of memory or -1. The digest of the file is added to digest
 * (tls/digest.h) unless that is NULL. */
int tls_key_load(int fd, const char *path, uint8_t *digest, gnutls_privkey_t *ret, struct err *);

/* Makes a key whose signatures the keyholder makes: the key number index of the port, for this
 * public key, on that side of handshakes. The signer must outlive it. Returns 0 or a GnuTLS
 * error. */
int tls_key_remote(struct tls_signer *, enum tls_side, unsigned index, gnutls_pubkey_t,
		   gnutls_privkey_t *ret);

/* Asks the keyholder whether its key number index is the one of this public key, which must be an
 * RSA key. It has checked that the numbers of its keys fit each other, so this proves as much as a
 * signature, which costs 1.5 ms of its time. Returns 0, GNUTLS_E_CERTIFICATE_KEY_MISMATCH, or
 * another GnuTLS error if it did not say. */
int tls_key_ask(struct tls_signer *, unsigned index, gnutls_pubkey_t);

/* The digest that an RSA-PSS key is limited to (RFC 4055, 3.1); GNUTLS_DIG_UNKNOWN if there is no
 * limit, and for other kinds of key. Returns 0, or -1 if TLS does not have the limits of this
 * key. */
int tls_key_pss_digest(gnutls_pubkey_t, gnutls_digest_algorithm_t *ret);

/* Does the key sign for this certificate's public key? Makes one signature over data that cannot be
 * used in a handshake. Returns 0, GNUTLS_E_CERTIFICATE_KEY_MISMATCH or another GnuTLS error. */
int tls_key_check(gnutls_privkey_t, enum tls_side, gnutls_pubkey_t);

#endif
