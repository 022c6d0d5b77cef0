/*
 * Self-signed certificates, made in memory; src/tls only.
 */
#ifndef TLS_SELFSIGNED_H
#define TLS_SELFSIGNED_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <time.h>

struct selfsigned {
	const char *subject;  /* the common name */
	const char *names[2]; /* DNS names; "" or NULL: none */
	bool loopback;        /* also for 127.0.0.1 and ::1 */
	time_t since, until;
};

/* Makes an ECDSA P-256 key and its certificate. Returns 0 and both, which the caller frees; else a
 * GnuTLS error. */
int selfsigned_make(const struct selfsigned *, gnutls_x509_crt_t *ret,
		    gnutls_x509_privkey_t *ret_key);

#endif
