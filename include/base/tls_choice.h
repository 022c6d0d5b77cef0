/*
 * What a port's configuration says of TLS versions, groups and ciphers, and the names of these:
 * those of the field (IANA's registries "TLS Supported Groups" and "TLS Cipher Suites"), of OpenSSL
 * and of GnuTLS. Pure: the configuration reads names without GnuTLS, and src/tls makes GnuTLS's own
 * text of them.
 */
#ifndef BASE_TLS_CHOICE_H
#define BASE_TLS_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_list { TLS_LIST_VERSIONS, TLS_LIST_GROUPS, TLS_LIST_CIPHERS, TLS_LISTS };

/* Versions and key exchanges, as sets. */
enum { TLS_WORD_12 = 1, TLS_WORD_13 = 2 };
enum { TLS_WORD_ECDSA = 1, TLS_WORD_RSA = 2 };

/* A version, a group or a cipher suite. */
struct tls_word {
	const char *name;    /* in the canonical text: IANA's; of a version its number */
	const char *also[3]; /* other names; NULL: no more */
	const char *gnutls;  /* after "VERS-", after "GROUP-"; of a suite: its cipher */
	uint8_t versions;    /* that have it */
	uint8_t exchange;    /* of a suite of TLS 1.2; else 0 */
	bool hybrid;         /* a group that not every GnuTLS has */
};

/* The words of a list; NULL after the last index. */
const struct tls_word *tls_word_at(enum tls_list, size_t index);

#define TLS_CHOICE_MAX 16 /* at least as many as a list has words */

/* Finds the words with this name, without regard to case: writes their indices and returns how many
 * there are. GnuTLS's name of a cipher stands for all suites that have it. 0: it is unknown. */
size_t tls_words_find(enum tls_list, const char *name, size_t len, uint8_t ret[TLS_CHOICE_MAX]);

/* Profiles of Mozilla's "Security/Server Side TLS", version 5.7. */
enum tls_profile { TLS_PROFILE_NONE, TLS_PROFILE_MODERN, TLS_PROFILE_INTERMEDIATE };

/* All zero: nothing is said, the default of tls/policy.c. */
struct tls_choice {
	uint32_t profile; /* enum tls_profile */
	/* indices for tls_word_at(), in the order of preference, each once */
	struct {
		uint8_t words[TLS_CHOICE_MAX];
		uint8_t count; /* 0: not given */
	} lists[TLS_LISTS];
	char *priority; /* GnuTLS's own text, in place of all others; NULL: not given */
};

static inline bool tls_choice_is_empty(const struct tls_choice *c)
{
	return c->profile == TLS_PROFILE_NONE && c->priority == NULL &&
	       c->lists[TLS_LIST_VERSIONS].count == 0 && c->lists[TLS_LIST_GROUPS].count == 0 &&
	       c->lists[TLS_LIST_CIPHERS].count == 0;
}

/* Adds a word to a list, unless it is there. Returns false if it was. */
bool tls_choice_add(struct tls_choice *, enum tls_list, uint8_t word);
/* Fills in the lists of the profile that are not given. A hybrid group of a profile may be missing
 * in the library; one that was given may not (given_groups). */
void tls_choice_expand(struct tls_choice *);

/* The versions that are chosen; of a choice that says nothing of them: both. */
unsigned tls_choice_versions(const struct tls_choice *);
/* The versions in which one of the list's words can be used. */
unsigned tls_choice_usable(const struct tls_choice *, enum tls_list);

/*
 * GnuTLS offers each cipher in all versions and with all key exchanges of a port. Returns a suite
 * that is missing from the list for that, or NULL: the list is complete. *ret_for is the suite
 * whose cipher it has.
 */
const struct tls_word *tls_choice_missing(const struct tls_choice *,
					  const struct tls_word **ret_for);

#endif
