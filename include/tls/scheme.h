/*
 * The signature schemes that a key is used with: SignatureScheme of RFC 8446, 4.2.3, which TLS 1.2
 * (RFC 5246, 7.4.1.4.1) knows by the same numbers, and what is signed under each.
 *
 * Both sides of the key channel read this one table: the worker to say what it wants, the keyholder
 * to judge it.
 */
#ifndef TLS_SCHEME_H
#define TLS_SCHEME_H

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_scheme_form {
	TLS_FORM_DIGEST,      /* the bare digest */
	TLS_FORM_DIGEST_INFO, /* a DigestInfo of RFC 8017, 9.2: RSA PKCS#1 v1.5, TLS 1.2 only */
	TLS_FORM_VERIFY /* the whole content of a TLS 1.3 CertificateVerify, RFC 8446, 4.4.3 */
};

struct tls_scheme {
	uint16_t code;
	enum tls_scheme_form form;
	gnutls_pk_algorithm_t pk;
	gnutls_digest_algorithm_t digest; /* not with TLS_FORM_VERIFY */
	gnutls_sign_algorithm_t sign;     /* under any protocol version */
	gnutls_sign_algorithm_t sign13; /* as TLS 1.3 calls it, where that differs; else the same */
};

/* By number, for a key of this kind: NULL if it is none of its schemes. */
const struct tls_scheme *tls_scheme_by_code(gnutls_pk_algorithm_t, uint16_t code);

/* By GnuTLS's name; data is what is to be signed, since GNUTLS_SIGN_RSA_RAW tells the digest only
 * by its DigestInfo; it may be NULL with any other. NULL: none of this kind's. */
const struct tls_scheme *tls_scheme_by_sign(gnutls_pk_algorithm_t, gnutls_sign_algorithm_t,
					    const gnutls_datum_t *data);

/* Is this, to the byte, of the form that the scheme signs? *ret_digest is the digest in it, or the
 * whole with TLS_FORM_VERIFY; borrowed. */
bool tls_scheme_check(const struct tls_scheme *, const gnutls_datum_t *data,
		      gnutls_datum_t *ret_digest);

/* Content of a server's CertificateVerify: everything in front of the transcript hash. */
#define TLS_VERIFY_PREFIX 98
extern const uint8_t tls_verify_prefix[TLS_VERIFY_PREFIX];

#endif
