/*
 * The certificates of a pair, from their file to the chain that sessions send; src/tls only. A
 * certificate that no client could be served with is refused here, with a sentence that says why
 * and what to do. A certificate that some clients refuse gets a warning.
 */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/context.h"
#include "tls/digest.h"

#define TLS_NAMES_MAX 1000 /* entries of one extension that are looked at */

/* The server's certificate first, then the issuer of each (RFC 8446, 4.4.2), whatever the order in
 * the file. */
struct tls_chain {
	gnutls_x509_crt_t *certificates;
	unsigned count;
	/* The number of each in the file, from 1. NULL: they were in order. */
	unsigned *numbers;
	/* this many from the first on are each issued by the next */
	unsigned linked;
	uint8_t digest[IPC_DIGEST_BYTES]; /* of the file */
};

/* Loads the certificates, puts them in order, and judges them: the kind of key must exist in TLS,
 * and its use must be allowed (RFC 5280, 4.2.1.3). Returns 0; or, with a sentence, -EAGAIN out of
 * memory or -1. */
int tls_chain_load(const struct tls_pair *, struct tls_chain *ret, struct err *);
void tls_chain_release(struct tls_chain *);

/* The public key of the first one. Returns 0 or a GnuTLS error. */
int tls_chain_public(const struct tls_chain *, gnutls_pubkey_t *ret);

/* Is the key an RSA key too short for RSA-PSS with SHA-512 and a salt of that length? */
bool tls_key_is_short(gnutls_pubkey_t);

/* Did issuer issue certificate, by name and by key? */
bool tls_is_issued_by(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer);
/* Did this certificate issue another one of the chain? Is it a copy of an earlier one? */
bool tls_chain_issues(const struct tls_chain *, unsigned issuer);
bool tls_chain_is_copy(const struct tls_chain *, unsigned one);
/* Appends the subject of a certificate, for messages. */
struct text;
void tls_name_of(gnutls_x509_crt_t, struct text *);

/* In warn.c: reports what clients may object to: validity, key length, use, signature, issuer. */
void tls_chain_warn(const struct tls_chain *, const struct tls_pair *, size_t index,
		    const struct tls_credentials_options *);

/* When the certificate begins and ends, and its subject (RFC 4514), else the first DNS name or
 * address of its subjectAltName, else "". */
void tls_chain_facts(const struct tls_chain *, struct tls_certificate *ret);

#endif
