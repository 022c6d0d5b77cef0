/* Runs in a worker before it serves, and in bulkhead -t. Must never depend on the library's
 * version: the names of the groups that the library has are an argument. */
#include "tls/policy.h"

#include <string.h>
#include <strings.h>

/* The cost of a handshake is mostly the key exchange and the hash of its transcript. X25519 before
 * the other curves saves a third of a full handshake; SHA-256, which belongs to AES-128, has CPU
 * instructions that SHA-384 lacks. SHA-1 signatures are off (RFC 9155). Algorithms that the system
 * disables (gnutls.conf, tls-disabled-*) stay disabled. */
#define VERSIONS ":+VERS-TLS1.3:+VERS-TLS1.2"
#define REST     ":-RSA:%SERVER_PRECEDENCE:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:-CIPHER-ALL"
#define CIPHERS  ":+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
#define CURVES   ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
/* GnuTLS takes the first scheme that the client offers, even if the key is too short for it. */
#define SHORT_RSA ":-SIGN-RSA-PSS-RSAE-SHA512:-SIGN-RSA-PSS-SHA512"
/* What no text can turn on: a keyholder signs for TLS 1.2 and 1.3 only, and never decrypts. */
#define NEVER ":-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-DTLS-ALL:-RSA"

const char *tls_policy_group(const struct tls_library *l, const struct tls_word *group)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcasecmp(l->groups[i], group->gnutls) == 0 ||
		    strcasecmp(l->groups[i], group->name) == 0)
			return l->groups[i];
	return NULL;
}

static void group_write(struct text *t, const struct tls_library *l, const struct tls_word *group)
{
	const char *name = tls_policy_group(l, group);
	if (name != NULL)
		text_addf(t, ":+GROUP-%s", name);
}

/*
 * The exchange that is safe from a recording of today and a quantum computer of tomorrow
 * (draft-ietf-tls-ecdhe-mlkem). It comes first, as in OpenSSL 3.5 and Go 1.24: browsers send a
 * share of it and one of X25519 in their first hello, so that taking it costs no round trip, and it
 * is no weaker than X25519, which is a part of it. Where GnuTLS has it, it has a name with a
 * hyphen.
 */
static void groups_write(struct text *t, const struct tls_choice *c, const struct tls_library *l)
{
	text_add_str(t, ":-GROUP-ALL");
	if (c->lists[TLS_LIST_GROUPS].count == 0) {
		group_write(t, l, tls_word_at(TLS_LIST_GROUPS, 0));
		text_add_str(t, CURVES);
	}
	for (size_t i = 0; i < c->lists[TLS_LIST_GROUPS].count; i++)
		group_write(t, l, tls_word_at(TLS_LIST_GROUPS, c->lists[TLS_LIST_GROUPS].words[i]));
}

/* The newest version comes first, in whatever order they are given. */
static void versions_write(struct text *t, const struct tls_choice *c)
{
	const unsigned chosen = tls_choice_versions(c);
	text_add_str(t, "-VERS-ALL");
	if (chosen == (TLS_WORD_12 | TLS_WORD_13))
		text_add_str(t, VERSIONS);
	else
		text_add_str(t, chosen == TLS_WORD_13 ? ":+VERS-TLS1.3" : ":+VERS-TLS1.2");
}

/* Several suites have a cipher: it is written where the first of them stands. */
static bool cipher_is_written(const struct tls_choice *c, size_t at)
{
	const uint8_t *words = c->lists[TLS_LIST_CIPHERS].words;
	const char *cipher = tls_word_at(TLS_LIST_CIPHERS, words[at])->gnutls;
	for (size_t i = 0; i < at; i++) {
		const struct tls_word *w = tls_word_at(TLS_LIST_CIPHERS, words[i]);
		if ((w->versions & tls_choice_versions(c)) != 0 && strcmp(w->gnutls, cipher) == 0)
			return true;
	}
	return false;
}

/* TLS 1.3 has no key exchange of this kind. ECDSA comes first, as in the choice of a certificate.
 */
static void exchanges_write(struct text *t, unsigned exchanges)
{
	if (exchanges == 0)
		return;
	text_add_str(t, ":-KX-ALL");
	if ((exchanges & TLS_WORD_ECDSA) != 0)
		text_add_str(t, ":+ECDHE-ECDSA");
	if ((exchanges & TLS_WORD_RSA) != 0)
		text_add_str(t, ":+ECDHE-RSA");
}

static void ciphers_write(struct text *t, const struct tls_choice *c)
{
	const unsigned versions = tls_choice_versions(c);
	unsigned exchanges = 0;
	if (c->lists[TLS_LIST_CIPHERS].count == 0)
		text_add_str(t, CIPHERS);
	for (size_t i = 0; i < c->lists[TLS_LIST_CIPHERS].count; i++) {
		const struct tls_word *w =
		    tls_word_at(TLS_LIST_CIPHERS, c->lists[TLS_LIST_CIPHERS].words[i]);
		if ((w->versions & versions) == 0)
			continue;
		exchanges |= w->exchange;
		if (!cipher_is_written(c, i))
			text_addf(t, ":+%s", w->gnutls);
	}
	exchanges_write(t, exchanges);
}

void tls_policy_write(struct text *t, const struct tls_choice *choice, const struct tls_library *l,
		      bool short_rsa)
{
	struct tls_choice c = {.priority = NULL};
	if (choice != NULL)
		c = *choice;
	tls_choice_expand(&c);
	if (c.priority != NULL) {
		text_add_str(t, c.priority);
		text_add_str(t, NEVER);
	} else {
		versions_write(t, &c);
		text_add_str(t, REST);
		ciphers_write(t, &c);
		groups_write(t, &c, l);
	}
	if (short_rsa)
		text_add_str(t, SHORT_RSA);
}
