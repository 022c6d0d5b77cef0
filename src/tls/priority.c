/*
 * Runs in a worker before it is confined, and in bulkhead -t: makes the protocol policy of a port
 * and checks that it offers what was chosen. Nothing here changes once sessions exist.
 */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tls/client_private.h"
#include "tls/context.h"
#include "tls/context_private.h"
#include "tls/policy.h"

#define GROUPS_MAX 64

static size_t groups_name(const char *ret[GROUPS_MAX])
{
	const gnutls_group_t *all = gnutls_group_list();
	size_t count = 0;
	for (; all != NULL && *all != GNUTLS_GROUP_INVALID && count < GROUPS_MAX; all++) {
		ret[count] = gnutls_group_get_name(*all);
		count += ret[count] != NULL;
	}
	return count;
}

/* --- is it all there? ------------------------------------------------------------------------- */

static bool version_is_there(gnutls_priority_t p, const struct tls_word *version)
{
	const unsigned wanted = version->versions == TLS_WORD_13 ? GNUTLS_TLS1_3 : GNUTLS_TLS1_2;
	const unsigned *all;
	const int count = gnutls_priority_protocol_list(p, &all);
	for (int i = 0; i < count; i++)
		if (all[i] == wanted)
			return true;
	return false;
}

static bool group_is_there(gnutls_priority_t p, const struct tls_word *group,
			   const struct tls_library *l)
{
	const char *name = tls_policy_group(l, group);
	const unsigned *all;
	const int count = gnutls_priority_group_list(p, &all);
	for (int i = 0; i < count && name != NULL; i++)
		if (strcmp(gnutls_group_get_name((gnutls_group_t)all[i]), name) == 0)
			return true;
	return false;
}

static bool cipher_is_there(gnutls_priority_t p, const struct tls_word *suite)
{
	const unsigned wanted = gnutls_cipher_get_id(suite->gnutls);
	const unsigned *all;
	const int count = gnutls_priority_cipher_list(p, &all);
	for (int i = 0; i < count; i++)
		if (all[i] == wanted)
			return true;
	return false;
}

static bool word_is_there(gnutls_priority_t p, enum tls_list list, const struct tls_word *word,
			  const struct tls_library *l)
{
	switch (list) {
	case TLS_LIST_VERSIONS:
		return version_is_there(p, word);
	case TLS_LIST_GROUPS:
		return group_is_there(p, word, l);
	case TLS_LIST_CIPHERS:
		return cipher_is_there(p, word);
	case TLS_LISTS:
		break;
	}
	return false;
}

/* The hybrid group of a profile is offered where it is there. */
static int lists_check(gnutls_priority_t p, const struct tls_choice *given,
		       const struct tls_library *l, struct err *err)
{
	static const char *const nouns[TLS_LISTS] = {"TLS ", "group ", "cipher "};
	struct tls_choice c = *given;
	tls_choice_expand(&c);
	for (unsigned list = 0; list < TLS_LISTS && c.priority == NULL; list++)
		for (size_t i = 0; i < c.lists[list].count; i++) {
			const struct tls_word *word = tls_word_at(list, c.lists[list].words[i]);
			const bool has =
			    list != TLS_LIST_GROUPS || tls_policy_group(l, word) != NULL;
			if (word_is_there(p, list, word, l) ||
			    (!has && word->hybrid && given->lists[list].count == 0))
				continue;
			if (!has)
				err_set(err,
					"GnuTLS %s, which this server uses, does not have the "
					"group %s%s: leave it out",
					gnutls_check_version(NULL), word->name,
					word->hybrid ? " (3.8.9 and later can have it)" : "");
			else
				err_set(err,
					"the system's GnuTLS policy (gnutls.conf, FIPS mode) "
					"disables %s%s: leave it out, or enable it there",
					nouns[list], word->name);
			return -1;
		}
	return 0;
}

/* Of whatever text: is there something to agree on? */
static int rest_check(const struct tls_policy *policy, struct err *err)
{
	const unsigned *groups;
	const char *missing = NULL;
	if ((policy->offer.versions) == 0)
		missing = "no TLS version (1.2 or 1.3) with a cipher suite that it can use";
	else if (gnutls_priority_group_list(policy->priority, &groups) <= 0)
		missing = "no group for the key exchange";
	else if (policy->offer.signs_count <= 0)
		missing = "no signature algorithm";
	if (missing != NULL)
		err_set(err, "the TLS policy leaves %s", missing);
	return missing != NULL ? -1 : 0;
}

/* --- flags ------------------------------------------------------------------------------------ */

/* Of a priority's text, by which something is less safe that no list of algorithms shows. */
static const struct {
	const char *name, *why;
} weak_flags[] = {
    {"%UNSAFE_RENEGOTIATION", "which allows what RFC 5746 mends"},
    {"%DISABLE_SAFE_RENEGOTIATION", "which takes away RFC 5746"},
    {"%NO_EXTENSIONS", "which takes away server names and most protections of TLS 1.2"},
    {"%NO_SESSION_HASH", "which takes away the extended master secret (RFC 7627)"},
    {"%NO_ETM", "which takes away encrypt-then-MAC (RFC 7366)"},
    {"%VERIFY_ALLOW_BROKEN", "which takes certificates with broken signatures"},
    {"%VERIFY_ALLOW_SIGN_RSA_MD5", "which takes certificates with MD5 signatures"},
    {"%VERIFY_ALLOW_SIGN_WITH_SHA1", "which takes certificates with SHA-1 signatures"},
    {"%VERIFY_ALLOW_X509_V1_CA_CRT", "which takes authorities that do not say they are"},
    {"%VERIFY_DISABLE_CRL_CHECKS", "which takes certificates that are revoked"},
    {"%DEBUG_ALLOW_KEY_USAGE_VIOLATIONS", "which takes certificates made for other uses"},
    {"%PROFILE_VERY_WEAK", "which takes certificates with keys that are too short"},
    {"%PROFILE_LOW", "which takes certificates with keys that are too short"},
    {"%PROFILE_LEGACY", "which takes certificates with keys that are too short"},
};

/* As bits. NULL has none. */
static uint32_t weak_flags_find(const char *text)
{
	uint32_t found = 0;
	while (text != NULL) {
		const size_t len = strcspn(text, ":");
		for (unsigned i = 0; i < sizeof(weak_flags) / sizeof(weak_flags[0]); i++)
			if (strlen(weak_flags[i].name) == len &&
			    strncmp(weak_flags[i].name, text, len) == 0)
				found |= 1u << i;
		text = text[len] == ':' ? text + len + 1 : NULL;
	}
	return found;
}

/* --- making it -------------------------------------------------------------------------------- */

static void text_refused(const struct tls_choice *choice, int error, const char *where,
			 struct err *err)
{
	struct text t;
	const bool own = choice != NULL && choice->priority != NULL;
	text_init(&t, err->text, sizeof(err->text));
	text_add_str(&t, own ? "GnuTLS does not take this priority: "
			     : "the system's GnuTLS policy cannot be used: ");
	text_add_str(&t, gnutls_strerror(error));
	if (where != NULL && where[0] != '\0') {
		text_add_str(&t, " At: ");
		text_add_utf8(&t, where, strcspn(where, ":"));
	}
}

static int policy_make(const struct tls_choice *choice, bool short_rsa, struct tls_policy **ret,
		       struct err *err)
{
	const char *groups[GROUPS_MAX], *where = NULL;
	const struct tls_library library = {groups, groups_name(groups)};
	const char *own = choice != NULL ? choice->priority : NULL;
	char wanted[TLS_POLICY_MAX];
	struct text t;
	text_init(&t, wanted, sizeof(wanted));
	tls_policy_write(&t, choice, &library, short_rsa);
	struct tls_policy *p = calloc(1, sizeof(*p));
	if (p == NULL) {
		err_set(err, "out of memory");
		return -1;
	}
	int error = gnutls_priority_init2(&p->priority, wanted, &where,
					  own != NULL ? 0 : GNUTLS_PRIORITY_INIT_DEF_APPEND);
	if (error < 0) {
		text_refused(choice, error, where, err);
		free(p);
		return -1;
	}
	tls_offer_read(&p->offer, p->priority);
	p->own = own != NULL;
	p->weak_flags = weak_flags_find(own);
	if ((choice != NULL && lists_check(p->priority, choice, &library, err) < 0) ||
	    rest_check(p, err) < 0) {
		tls_policy_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

int tls_policy_new(const struct tls_choice *choice, struct tls_policy **ret, struct err *err)
{
	struct tls_policy *p;
	if (policy_make(choice, false, &p, err) < 0)
		return -1;
	if (policy_make(choice, true, &p->short_rsa, err) < 0) {
		tls_policy_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

void tls_policy_protocols(struct tls_policy *p, const char *const *names, size_t count)
{
	for (; p != NULL; p = p->short_rsa) {
		p->protocols_count =
		    (unsigned)(count < TLS_PROTOCOLS_MAX ? count : TLS_PROTOCOLS_MAX);
		for (unsigned i = 0; i < p->protocols_count; i++)
			p->protocols[i] =
			    (gnutls_datum_t){(unsigned char *)names[i], (unsigned)strlen(names[i])};
	}
}

unsigned tls_policy_versions(const struct tls_policy *p)
{
	return p->offer.versions;
}

void tls_policy_free(struct tls_policy *p)
{
	if (p == NULL)
		return;
	tls_policy_free(p->short_rsa);
	gnutls_priority_deinit(p->priority);
	free(p);
}

/* --- of clients ------------------------------------------------------------------------------- */

/* Without exchanges in groups that the server chooses: their size would be a stranger's choice. */
#define CLIENT ":-DHE-RSA:-DHE-DSS"

int tls_client_policy_new(struct tls_client_policy **ret, struct err *err)
{
	const char *groups[GROUPS_MAX], *where = NULL;
	const struct tls_library library = {groups, groups_name(groups)};
	char wanted[TLS_POLICY_MAX];
	struct text t;
	struct tls_client_policy *p = calloc(1, sizeof(*p));
	if (p == NULL) {
		err_set(err, "out of memory");
		return -1;
	}
	text_init(&t, wanted, sizeof(wanted));
	tls_policy_write(&t, NULL, &library, false);
	text_add_str(&t, CLIENT);
	const int error =
	    gnutls_priority_init2(&p->priority, wanted, &where, GNUTLS_PRIORITY_INIT_DEF_APPEND);
	if (error < 0) {
		text_refused(NULL, error, where, err);
		free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

void tls_client_policy_free(struct tls_client_policy *p)
{
	if (p == NULL)
		return;
	gnutls_priority_deinit(p->priority);
	free(p);
}

/* --- weaker than the default ------------------------------------------------------------------ */

static bool cipher_is_weak(unsigned cipher)
{
	switch (cipher) {
	case GNUTLS_CIPHER_AES_128_GCM:
	case GNUTLS_CIPHER_AES_256_GCM:
	case GNUTLS_CIPHER_CHACHA20_POLY1305:
	case GNUTLS_CIPHER_AES_128_CCM:
	case GNUTLS_CIPHER_AES_256_CCM:
		return false;
	}
	return true;
}

static bool group_is_weak(unsigned group)
{
	return group == GNUTLS_GROUP_SECP192R1 || group == GNUTLS_GROUP_SECP224R1 ||
	       group == GNUTLS_GROUP_FFDHE2048;
}

struct weakness {
	tls_warning_fn *warn;
	void *arg;
};

static void weak_tell(const struct weakness *w, const char *what, const char *name, const char *why)
{
	struct err err;
	err_set(&err, "the TLS policy is weaker than the default: it has the %s %s, %s", what, name,
		why);
	w->warn(w->arg, 0, err.text);
}

void tls_policy_warn(const struct tls_policy *p, tls_warning_fn *warn, void *arg)
{
	const struct weakness w = {warn, arg};
	const unsigned *all;
	int count;
	if (!p->own)
		return;
	if ((p->offer.versions & TLS_WORD_13) == 0)
		warn(arg, 0, "the TLS policy is weaker than the default: it does not have TLS 1.3");
	count = gnutls_priority_cipher_list(p->priority, &all);
	for (int i = 0; i < count && (p->offer.versions & TLS_WORD_12) != 0; i++)
		if (cipher_is_weak(all[i]))
			weak_tell(&w, "cipher",
				  gnutls_cipher_get_name((gnutls_cipher_algorithm_t)all[i]),
				  "which is not an AEAD of full length");
	count = gnutls_priority_group_list(p->priority, &all);
	for (int i = 0; i < count; i++)
		if (group_is_weak(all[i]))
			weak_tell(&w, "group", gnutls_group_get_name((gnutls_group_t)all[i]),
				  "which has less than 128 bits of security");
	for (int i = 0; i < p->offer.signs_count; i++) {
		const gnutls_sign_algorithm_t sign = (gnutls_sign_algorithm_t)p->offer.signs[i];
		if (!gnutls_sign_is_secure(sign) ||
		    gnutls_sign_get_hash_algorithm(sign) == GNUTLS_DIG_SHA1)
			weak_tell(&w, "signature", gnutls_sign_get_name(sign),
				  "which RFC 9155 forbids");
	}
	for (unsigned i = 0; i < sizeof(weak_flags) / sizeof(weak_flags[0]); i++)
		if ((p->weak_flags & 1u << i) != 0)
			weak_tell(&w, "flag", weak_flags[i].name, weak_flags[i].why);
}
