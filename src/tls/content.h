/*
 * What a file contains that should hold certificates or a key in PEM (RFC 7468), and how to convert
 * it. Pure: bytes in, a sentence out, for the person who has to repair the file.
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
	TLS_CONTENT_JKS, /* Java's key store */
	TLS_CONTENT_UNKNOWN,
	TLS_CONTENTS
};

struct tls_file {
	const char *path; /* for the sentence */
	const char *data;
	size_t len;
};

/* Returns a bit (1 << kind) for each enum tls_content in the file. *ret_der: the file is DER, not
 * PEM. */
unsigned tls_content_of(const struct tls_file *, bool *ret_der);

#define TLS_PSS_LIMITS                                                                           \
	"that is limited to a digest, mask or salt that TLS does not have; one without limits: " \
	"openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out new.key"

/* Is a curve given by its parameters instead of its name (RFC 3279, 2.3.5, prime fields and
 * characteristic two)? TLS has no such curves (RFC 8422, 5.1.1). Reads PEM and DER. */
bool tls_content_explicit_curve(const struct tls_file *);
/* Does the file hold a point of P-256, P-384 or P-521 in compressed form (SEC 1, 2.3.3)? TLS has
 * only the uncompressed form (RFC 8422, 5.1.2; RFC 8446, 4.2.8.2). */
bool tls_content_compressed(const struct tls_file *);

/* Does the certificate, in DER, have an RSASSA-PSS key that names a digest and no mask (RFC 4055,
 * 3.1)? The mask then uses SHA-1, but in TLS the mask uses the same digest (RFC 8446, 4.2.3).
 * GnuTLS does not check this. */
bool tls_content_default_mask(const void *der, size_t len);

/* Explains why the file is not a certificate, or a private key, to serve with, and adds the
 * openssl(1) command that repairs it if there is one. why is GnuTLS's reason. */
void tls_content_explain(const struct tls_file *, bool key, const char *why, struct text *);

/* Appends a path, quoted for the shell. */
void tls_content_quote(struct text *, const char *path);

#endif
