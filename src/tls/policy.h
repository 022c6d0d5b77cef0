/* The text of the TLS policy, in the language of gnutls_priority_init2(3); src/tls only. Pure. */
#ifndef TLS_POLICY_H
#define TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "base/tls_choice.h"

#define TLS_POLICY_MAX 2048

/* The groups that a library has, by its names. */
struct tls_library {
	const char *const *groups;
	size_t count;
};

/* The library's name of a group; NULL: it does not have it. */
const char *tls_policy_group(const struct tls_library *, const struct tls_word *group);

/*
 * Appends the policy for a library. Of what the configuration does not choose (NULL: all), the
 * default is appended; its groups are in every version that Bulkhead builds with, except the hybrid
 * one. A chosen group that the library does not have is left out: see tls_policy_group().
 * short_rsa: for ports with an RSA key that is too short for RSA-PSS with SHA-512.
 */
void tls_policy_write(struct text *, const struct tls_choice *, const struct tls_library *,
		      bool short_rsa);

#endif
