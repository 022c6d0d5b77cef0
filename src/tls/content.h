/*
 * What is in a file that was to hold certificates or a key in PEM (RFC 7468), and how to make of it
 * what it should be. Pure: bytes in, a sentence out, for the one who has to mend it.
 */
#ifndef TLS_CONTENT_H
#define TLS_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum tls_content {
	TLS_CONTENT_EMPTY,
	TLS_CONTENT_CERTIFICATE,
	TLS_CONTENT_KEY, /* PKCS#8, PKCS#1, SEC1; private */
	TLS_CONTENT_ENCRYPTED_KEY,
	TLS_CONTENT_SSH_KEY,
	TLS_CONTENT_PUBLIC_KEY,
	TLS_CONTENT_PARAMETERS,
	TLS_CONTENT_REQUEST,
	TLS_CONTENT_REVOCATIONS,
	TLS_CONTENT_TRUSTED, /* OpenSSL's own form of a certificate */
	TLS_CONTENT_PKCS7,
	TLS_CONTENT_PKCS12,
	TLS_CONTENT_JKS, /* Java's */
	TLS_CONTENT_UNKNOWN,
	TLS_CONTENTS
};

struct tls_file {
	const char *path; /* for the sentence */
	const char *data;
	size_t len;
};

/* A bit per enum tls_content that is in it, 1 << kind. *ret_der: it is DER, and no PEM. */
unsigned tls_content_of(const struct tls_file *, bool *ret_der);

#define TLS_PSS_LIMITS                                                                           \
	"that is limited to a digest, mask or salt that TLS does not have; one without limits: " \
	"openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out new.key"

/* Is a curve given by all of its parameters in place of its name (RFC 3279, 2.3.5, prime fields and
 * characteristic two)? RFC 8422, 5.1.1, has no such curves. PEM or DER. */
bool tls_content_explicit_curve(const struct tls_file *);
/* Is a point of P-256, P-384 or P-521 in the compressed form (SEC 1, 2.3.3) in it? RFC 8422, 5.1.2,
 * and RFC 8446, 4.2.8.2, have the uncompressed one alone. */
bool tls_content_compressed(const struct tls_file *);
/* Is there an RSASSA-PSS key in it, or a signature of one (RFC 4055)? */
bool tls_content_pss(const struct tls_file *);
/* Does an elliptic curve's public or private key (RFC 5480, RFC 5915) begin in it? */
bool tls_content_elliptic(const struct tls_file *);

/* Has the certificate, in DER, an RSASSA-PSS key that names a digest and no mask (RFC 4055, 3.1)?
 * Then the mask is made with SHA-1, and TLS has masks of the digest alone (RFC 8446, 4.2.3). GnuTLS
 * does not look. */
bool tls_content_default_mask(const void *der, size_t len);

/* Why this is no certificate, or no private key, to serve with, and the openssl(1) command that
 * mends it where there is one. why is GnuTLS's reason. */
void tls_content_explain(const struct tls_file *, bool key, const char *why, struct text *);

/* A path as a word of the shell. */
void tls_content_quote(struct text *, const char *path);

#endif
