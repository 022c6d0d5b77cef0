/*
 * The private key of a certificate, as GnuTLS wants it.
 *
 * The only place that knows where a key lives. Today that is a PEM file which the worker itself
 * reads at start; a key that lives in another process goes here, behind the same two functions.
 */
#ifndef TLS_KEY_H
#define TLS_KEY_H

#include <gnutls/abstract.h>

#include "base/err.h"

/* Loads the key of a PEM file (unencrypted; PKCS#1, SEC1, PKCS#8). 0 and a key that the caller
 * ends with gnutls_privkey_deinit() or gives away; else -1 and a sentence in err. */
int tls_key_load(const char *path, gnutls_privkey_t *ret, struct err *);

#endif
