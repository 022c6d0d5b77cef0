/* Runs in a worker before it serves, and in bulkhead -t. Must never depend on the library's
 * version: the names of the groups that the library has are an argument. */
#include "tls/policy.h"

#include <strings.h>

/* The cost of a handshake is mostly the key exchange and the hash of its transcript. X25519 before
 * the other curves saves a third of a full handshake; SHA-256, which belongs to AES-128, has CPU
 * instructions that SHA-384 lacks. SHA-1 signatures are off (RFC 9155). Algorithms that the system
 * disables (gnutls.conf, tls-disabled-*) stay disabled. */
#define BEGIN                                                          \
	"-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:%SERVER_PRECEDENCE:" \
	"-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:"                             \
	"-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"    \
	"-GROUP-ALL"
#define CURVES ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
/* GnuTLS takes the first scheme that the client offers, even if the key is too short for it. */
#define SHORT_RSA ":-SIGN-RSA-PSS-RSAE-SHA512:-SIGN-RSA-PSS-SHA512"

/*
 * The exchange that is safe from a recording of today and a quantum computer of tomorrow
 * (draft-ietf-tls-ecdhe-mlkem). It comes first, as in OpenSSL 3.5 and Go 1.24: browsers send a
 * share of it and one of X25519 in their first hello, so that taking it costs no round trip, and it
 * is no weaker than X25519, which is a part of it. Where GnuTLS has it, it has a name with a
 * hyphen.
 */
static bool group_is_hybrid(const char *name)
{
	return strcasecmp(name, "X25519-MLKEM768") == 0 || strcasecmp(name, "X25519MLKEM768") == 0;
}

void tls_policy_write(struct text *t, const char *const *groups, size_t count, bool short_rsa)
{
	text_add_str(t, BEGIN);
	for (size_t i = 0; i < count; i++)
		if (group_is_hybrid(groups[i])) {
			text_add_str(t, ":+GROUP-");
			text_add_str(t, groups[i]);
			break;
		}
	text_add_str(t, CURVES);
	if (short_rsa)
		text_add_str(t, SHORT_RSA);
}
