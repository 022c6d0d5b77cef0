/*
 * Certificates that are their own issuer, made in memory: src/tls only.
 */
#ifndef TLS_SELFSIGNED_H
#define TLS_SELFSIGNED_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <time.h>

struct selfsigned {
	const char *subject;  /* common name */
	const char *names[2]; /* DNS; "" or NULL: none */
	bool loopback;        /* for 127.0.0.1 and ::1, too */
	time_t since, until;
};

/* ECDSA P-256. 0 and both, which the caller ends; else a GnuTLS error. */
int selfsigned_make(const struct selfsigned *, gnutls_x509_crt_t *ret,
		    gnutls_x509_privkey_t *ret_key);

#endif
