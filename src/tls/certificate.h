/*
 * A pair's certificates, from their file to what sessions send; src/tls only. What no client could
 * ever be served with is refused here, with the sentence that says why and what to do; what some
 * clients will not take is warned of.
 */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/context.h"
#include "tls/digest.h"

/* The server's own first, then the issuer of each (RFC 8446, 4.4.2), whatever the file's order. */
struct tls_chain {
	gnutls_x509_crt_t *certificates;
	unsigned count;
	unsigned linked;                  /* so many from the first on, each issued by the next */
	uint8_t digest[TLS_DIGEST_BYTES]; /* of the file */
};

/* Loads it, and judges it: a kind of key that TLS has, and a use that is allowed (RFC 5280,
 * 4.2.1.3). 0, or a sentence and -1, or -EAGAIN where it is memory that lacks. */
int tls_chain_load(const struct tls_pair *, struct tls_chain *ret, struct err *);
void tls_chain_release(struct tls_chain *);

/* Its public key; 0 or a GnuTLS error. */
int tls_chain_public(const struct tls_chain *, gnutls_pubkey_t *ret);

/* Is it an RSA key that is too short for RSA-PSS with SHA-512 and a salt of that length? */
bool tls_key_is_short(gnutls_pubkey_t);

/* Is the second the issuer of the first, by name and by key? */
bool tls_is_issued_by(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer);
/* Has this one issued another of the chain's? Is it the same as one before it? */
bool tls_chain_issues(const struct tls_chain *, unsigned issuer);
bool tls_chain_is_copy(const struct tls_chain *, unsigned one);
/* A certificate's subject, for messages. */
struct text;
void tls_name_of(gnutls_x509_crt_t, struct text *);

/* warn.c. Says what clients may find wrong with it: validity, length of the key, use, signature,
 * issuer. */
void tls_chain_warn(const struct tls_chain *, const struct tls_pair *, size_t index,
		    const struct tls_context_options *);

/* When it begins and ends, and who it is for: its subject (RFC 4514), else the first DNS name or
 * address of its subjectAltName, else "". Of any bytes. */
void tls_chain_facts(const struct tls_chain *, struct tls_certificate *ret);

#endif
