/* The text of the TLS policy, in the language of gnutls_priority_init2(3); src/tls only. Pure. */
#ifndef TLS_POLICY_H
#define TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define TLS_POLICY_MAX 512

/*
 * Appends the policy for a library that has the named groups; all other groups of the policy are in
 * every version that Bulkhead builds with. short_rsa: for ports with an RSA key that is too short
 * for RSA-PSS with SHA-512.
 */
void tls_policy_write(struct text *, const char *const *groups, size_t count, bool short_rsa);

#endif
