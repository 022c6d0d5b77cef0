/* Runs in the master, in workers before they serve, and in bulkhead -t. Must never use GnuTLS. */
#include "base/tls_choice.h"

#include <string.h>
#include <strings.h>

#define BOTH (TLS_WORD_12 | TLS_WORD_13)

static const struct tls_word versions[] = {
    {"1.2", {"TLSv1.2", "TLS1.2"}, "TLS1.2", TLS_WORD_12, 0, false},
    {"1.3", {"TLSv1.3", "TLS1.3"}, "TLS1.3", TLS_WORD_13, 0, false},
    {.name = NULL},
};

/* RFC 8446, 4.2.7; RFC 8422, 5.1.1; draft-ietf-tls-ecdhe-mlkem. */
static const struct tls_word groups[] = {
    {"X25519MLKEM768", {"X25519-MLKEM768"}, "X25519-MLKEM768", TLS_WORD_13, 0, true},
    {"SecP256r1MLKEM768", {"SECP256R1-MLKEM768"}, "SECP256R1-MLKEM768", TLS_WORD_13, 0, true},
    {"SecP384r1MLKEM1024", {"SECP384R1-MLKEM1024"}, "SECP384R1-MLKEM1024", TLS_WORD_13, 0, true},
    {"x25519", {"curve25519"}, "X25519", BOTH, 0, false},
    {"x448", {"curve448"}, "X448", BOTH, 0, false},
    {"secp256r1", {"P-256", "prime256v1", "P256"}, "SECP256R1", BOTH, 0, false},
    {"secp384r1", {"P-384", "P384"}, "SECP384R1", BOTH, 0, false},
    {"secp521r1", {"P-521", "P521"}, "SECP521R1", BOTH, 0, false},
    {.name = NULL},
};

enum { GROUP_HYBRID = 0, GROUP_X25519 = 3, GROUP_P256 = 5, GROUP_P384 = 6 };

/* RFC 8446, B.4; RFC 5289; RFC 7905. */
#define SUITES(cipher, rest13, rest12, openssl12)                                            \
	{"TLS_" rest13, {NULL}, cipher, TLS_WORD_13, 0, false},                              \
	    {"TLS_ECDHE_ECDSA_WITH_" rest12,                                                 \
	     {"ECDHE-ECDSA-" openssl12},                                                     \
	     cipher,                                                                         \
	     TLS_WORD_12,                                                                    \
	     TLS_WORD_ECDSA,                                                                 \
	     false},                                                                         \
	{                                                                                    \
		"TLS_ECDHE_RSA_WITH_" rest12, {"ECDHE-RSA-" openssl12}, cipher, TLS_WORD_12, \
		    TLS_WORD_RSA, false                                                      \
	}

static const struct tls_word ciphers[] = {
    SUITES("AES-128-GCM", "AES_128_GCM_SHA256", "AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
    SUITES("AES-256-GCM", "AES_256_GCM_SHA384", "AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
    SUITES("CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305_SHA256",
	   "CHACHA20-POLY1305"),
    {.name = NULL},
};

static const struct tls_word *const lists[TLS_LISTS] = {
    [TLS_LIST_VERSIONS] = versions,
    [TLS_LIST_GROUPS] = groups,
    [TLS_LIST_CIPHERS] = ciphers,
};

static const uint8_t counts[TLS_LISTS] = {
    [TLS_LIST_VERSIONS] = sizeof(versions) / sizeof(versions[0]) - 1,
    [TLS_LIST_GROUPS] = sizeof(groups) / sizeof(groups[0]) - 1,
    [TLS_LIST_CIPHERS] = sizeof(ciphers) / sizeof(ciphers[0]) - 1,
};

_Static_assert(sizeof(groups) / sizeof(groups[0]) <= TLS_CHOICE_MAX &&
		   sizeof(ciphers) / sizeof(ciphers[0]) <= TLS_CHOICE_MAX,
	       "a list has room for all words");

const struct tls_word *tls_word_at(enum tls_list list, size_t index)
{
	return index < counts[list] ? &lists[list][index] : NULL;
}

static bool word_is(const char *word, const char *name, size_t len)
{
	return word != NULL && strlen(word) == len && strncasecmp(word, name, len) == 0;
}

size_t tls_words_find(enum tls_list list, const char *name, size_t len, uint8_t ret[TLS_CHOICE_MAX])
{
	size_t count = 0;
	for (uint8_t i = 0; i < counts[list]; i++) {
		const struct tls_word *w = &lists[list][i];
		bool is = word_is(w->name, name, len) || word_is(w->gnutls, name, len);
		for (size_t k = 0; k < sizeof(w->also) / sizeof(w->also[0]); k++)
			is = is || word_is(w->also[k], name, len);
		if (is)
			ret[count++] = i;
	}
	return count;
}

bool tls_choice_add(struct tls_choice *c, enum tls_list list, uint8_t word)
{
	for (size_t i = 0; i < c->lists[list].count; i++)
		if (c->lists[list].words[i] == word)
			return false;
	c->lists[list].words[c->lists[list].count++] = word;
	return true;
}

/* --- profiles --------------------------------------------------------------------------------- */

/* The groups of both profiles, with the hybrid of the proposed version 6.0 before them. */
static void groups_expand(struct tls_choice *c)
{
	static const uint8_t all[] = {GROUP_HYBRID, GROUP_X25519, GROUP_P256, GROUP_P384};
	for (size_t i = 0; i < sizeof(all); i++)
		(void)tls_choice_add(c, TLS_LIST_GROUPS, all[i]);
}

void tls_choice_expand(struct tls_choice *c)
{
	const unsigned has = c->profile == TLS_PROFILE_MODERN ? TLS_WORD_13 : BOTH;
	if (c->profile == TLS_PROFILE_NONE)
		return;
	for (unsigned list = 0; list < TLS_LISTS; list++) {
		if (c->lists[list].count > 0)
			continue;
		if (list == TLS_LIST_GROUPS) {
			groups_expand(c);
			continue;
		}
		for (uint8_t i = 0; i < counts[list]; i++)
			if ((lists[list][i].versions & has) != 0)
				(void)tls_choice_add(c, list, i);
	}
}

/* --- what is left ----------------------------------------------------------------------------- */

static unsigned versions_of(const struct tls_choice *c, enum tls_list list)
{
	unsigned all = c->lists[list].count == 0 ? BOTH : 0;
	for (size_t i = 0; i < c->lists[list].count; i++)
		all |= lists[list][c->lists[list].words[i]].versions;
	return all;
}

unsigned tls_choice_versions(const struct tls_choice *c)
{
	return versions_of(c, TLS_LIST_VERSIONS);
}

unsigned tls_choice_usable(const struct tls_choice *c, enum tls_list list)
{
	return versions_of(c, list) & tls_choice_versions(c);
}

static bool is_chosen(const struct tls_choice *c, const struct tls_word *suite)
{
	for (size_t i = 0; i < c->lists[TLS_LIST_CIPHERS].count; i++)
		if (&ciphers[c->lists[TLS_LIST_CIPHERS].words[i]] == suite)
			return true;
	return false;
}

const struct tls_word *tls_choice_missing(const struct tls_choice *c,
					  const struct tls_word **ret_for)
{
	const unsigned enabled = tls_choice_versions(c);
	unsigned exchanges = 0;
	for (size_t i = 0; i < c->lists[TLS_LIST_CIPHERS].count; i++)
		exchanges |= ciphers[c->lists[TLS_LIST_CIPHERS].words[i]].exchange;
	for (size_t i = 0; i < c->lists[TLS_LIST_CIPHERS].count; i++) {
		const struct tls_word *has = &ciphers[c->lists[TLS_LIST_CIPHERS].words[i]];
		for (const struct tls_word *w = ciphers;
		     w->name != NULL && (has->versions & enabled) != 0; w++) {
			if (strcmp(w->gnutls, has->gnutls) != 0 || (w->versions & enabled) == 0 ||
			    (w->exchange & ~exchanges) != 0 || is_chosen(c, w))
				continue;
			*ret_for = has;
			return w;
		}
	}
	return NULL;
}
