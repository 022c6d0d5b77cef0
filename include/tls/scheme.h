/*
 * The signature schemes of each kind of key: SignatureScheme of RFC 8446, 4.2.3, which have the
 * same numbers in TLS 1.2 (RFC 5246, 7.4.1.4.1), and the form of the data that each one signs.
 *
 * Both sides of the key channel read this table: the worker to make a request, the keyholder to
 * judge it.
 */
#ifndef TLS_SCHEME_H
#define TLS_SCHEME_H

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which side of a handshake makes a signature. */
enum tls_side { TLS_SIDE_SERVER, TLS_SIDE_CLIENT };
#define TLS_SIDES 2

enum tls_scheme_form {
	TLS_FORM_DIGEST,      /* the bare digest */
	TLS_FORM_DIGEST_INFO, /* a DigestInfo of RFC 8017, 9.2: RSA PKCS#1 v1.5, TLS 1.2 only */
	TLS_FORM_VERIFY /* the whole content of a TLS 1.3 CertificateVerify, RFC 8446, 4.4.3 */
};

struct tls_scheme {
	uint16_t code;
	enum tls_scheme_form form;
	gnutls_pk_algorithm_t pk;
	gnutls_digest_algorithm_t digest; /* unused with TLS_FORM_VERIFY */
	gnutls_sign_algorithm_t sign;     /* in any protocol version */
	gnutls_sign_algorithm_t sign13;   /* TLS 1.3's own name where there is one; else the same */
};

/* Finds the scheme with this number for a key of this kind; NULL: it is not one of its schemes. */
const struct tls_scheme *tls_scheme_by_code(gnutls_pk_algorithm_t, uint16_t code);

/* Finds the scheme by GnuTLS's name; NULL: the kind of key has none of that name. data is what will
 * be signed; only GNUTLS_SIGN_RSA_RAW needs it, because there only the DigestInfo shows the digest.
 * It may be NULL with any other name. */
const struct tls_scheme *tls_scheme_by_sign(gnutls_pk_algorithm_t, gnutls_sign_algorithm_t,
					    const gnutls_datum_t *data);

/* Does data have, to the byte, the form that the scheme signs on this side? Only TLS_FORM_VERIFY
 * shows the side: a digest shows nothing of what it was made of. *ret_digest is the digest in it,
 * or all of data with TLS_FORM_VERIFY; borrowed. */
bool tls_scheme_check(const struct tls_scheme *, enum tls_side, const gnutls_datum_t *data,
		      gnutls_datum_t *ret_digest);

/* The bytes of a CertificateVerify content before the transcript hash, by side. */
#define TLS_VERIFY_PREFIX 98
extern const uint8_t tls_verify_prefixes[TLS_SIDES][TLS_VERIFY_PREFIX];

#endif
