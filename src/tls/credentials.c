/*
 * Runs in a worker before it serves, once for all of its event loops, and in bulkhead -t. Nothing
 * here changes once sessions exist: the sessions of several threads read it at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/same.h"
#include "base/text.h"
#include "tls/certificate.h"
#include "tls/content.h"
#include "tls/context.h"
#include "tls/context_private.h"
#include "tls/digest.h"
#include "tls/host.h"
#include "tls/identity.h"
#include "tls/pair.h"

#define NAMES_SHOWN 3

/* What is known of the pairs while they are loaded. */
struct loading {
	struct tls_credentials *credentials;
	const struct tls_pair *pairs;
	size_t count;
	const struct tls_credentials_options *options;
	uint32_t *same;                       /* for each pair, the first with the same files */
	uint32_t *identities;                 /* for each pair, its certificate among the hosts' */
	uint8_t (*digests)[IPC_DIGEST_BYTES]; /* of the certificates' files */
	struct tls_names names;               /* in the certificates, a set for each */
};

/* --- pairs with the same files --------------------------------------------------------------- */

/* Several hosts may name a file; it is loaded once. */
static int pairs_unify(struct loading *l)
{
	int error = -ENOMEM;
	const char **paths = calloc(l->count, sizeof(*paths));
	uint32_t *keys = calloc(l->count, sizeof(*keys));
	if (paths == NULL || keys == NULL)
		goto out;
	for (size_t i = 0; i < l->count; i++)
		paths[i] = l->pairs[i].key;
	error = same_texts(paths, l->count, keys);
	for (size_t i = 0; i < l->count; i++)
		paths[i] = l->pairs[i].certificate;
	if (error == 0)
		error = same_texts(paths, l->count, l->same);
	for (size_t i = 0; i < l->count && error == 0; i++)
		if (keys[l->same[i]] != keys[i]) /* it may be another key */
			l->same[i] = (uint32_t)i;
out:
	free(paths);
	free(keys);
	return error;
}

/* --- one pair -------------------------------------------------------------------------------- */

static int identity_add(struct loading *l, const struct tls_chain *chain, size_t index,
			gnutls_privkey_t key)
{
	struct tls_hosts *hosts = &l->credentials->hosts;
	struct tls_identity *h = &hosts->all[hosts->count];
	const uint32_t number = (uint32_t)hosts->count;
	if (tls_identity_names(chain->certificates[0], &l->names, number, 0, 0) < 0)
		return GNUTLS_E_MEMORY_ERROR;
	const int error = tls_identity_init(h, chain, (unsigned)index, key);
	if (error < 0)
		return error;
	l->identities[index] = number;
	hosts->count++;
	return 0;
}

/* The key is only kept if it is here. A keyholder's is made for each event loop (context.c). */
static int pair_add(struct loading *l, const struct tls_chain *chain, size_t index, struct err *err)
{
	const struct tls_pair *pair = &l->pairs[index];
	const struct tls_credentials_options *o = l->options;
	const struct tls_pair_use use = {
	    .side = TLS_SIDE_SERVER, .number = (unsigned)index, .signer = o->signer};
	gnutls_pubkey_t public = NULL;
	gnutls_privkey_t key = NULL;
	int error = tls_chain_public(chain, &public);
	if (error < 0)
		return tls_pair_unusable(pair, error, err);
	int result = tls_pair_key(pair, chain, &use, &key, err);
	if (result == 0) {
		l->credentials->short_rsa = l->credentials->short_rsa || tls_key_is_short(public);
		tls_chain_warn(chain, pair, index, o);
		if (o->signer != NULL) {
			gnutls_privkey_deinit(key);
			key = NULL;
		}
		error = identity_add(l, chain, index, key);
		if (error < 0)
			result = tls_pair_unusable(pair, error, err);
		else
			key = NULL; /* the identity owns it now */
	}
	gnutls_privkey_deinit(key);
	gnutls_pubkey_deinit(public);
	return result;
}

static int pair_load(struct loading *l, size_t index, struct err *err)
{
	struct tls_certificates *told = l->options->certificates;
	struct tls_chain chain;
	int result = tls_chain_load(&l->pairs[index], &chain, err);
	if (result < 0)
		return result;
	result = pair_add(l, &chain, index, err);
	if (told != NULL)
		tls_chain_facts(&chain, &told->list[index]);
	memcpy(l->digests[index], chain.digest, IPC_DIGEST_BYTES);
	tls_chain_release(&chain);
	return result;
}

/* --- all of them ----------------------------------------------------------------------------- */

/* A certificate is parsed and freed before the next, so that the process stays small. */
static int pairs_load(struct loading *l, size_t *ret_pair, struct err *err)
{
	struct tls_certificates *told = l->options->certificates;
	for (size_t i = 0; i < l->count; i++) {
		const uint32_t same = l->same[i];
		*ret_pair = i;
		if (same == i) {
			const int error = pair_load(l, i, err);
			if (error < 0)
				return error;
		} else {
			l->identities[i] = l->identities[same];
			if (told != NULL)
				told->list[i] = told->list[same];
		}
		if (told != NULL)
			tls_digest_add(told->digest, l->digests[same]);
	}
	return 0;
}

static int credentials_fill(struct loading *l, size_t *ret_pair, struct err *err)
{
	struct tls_hosts *hosts = &l->credentials->hosts;
	l->same = calloc(l->count, sizeof(*l->same));
	l->identities = calloc(l->count, sizeof(*l->identities));
	l->digests = calloc(l->count, sizeof(*l->digests));
	hosts->all = calloc(l->count, sizeof(*hosts->all));
	if (l->same == NULL || l->identities == NULL || l->digests == NULL || hosts->all == NULL ||
	    pairs_unify(l) < 0 ||
	    gnutls_certificate_allocate_credentials(&l->credentials->handle) < 0) {
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	tls_host_choose_from(l->credentials->handle);
	const int error = pairs_load(l, ret_pair, err);
	if (error < 0)
		return error;
	tls_names_seal(&l->names);
	if (tls_hosts_make(hosts, l->options, l->identities, l->count, &l->names) == 0)
		return 0;
	err_set(err, "out of memory");
	return -EAGAIN;
}

int tls_credentials_new(const struct tls_pair *pairs, size_t count,
			const struct tls_credentials_options *o, struct tls_credentials **ret,
			size_t *ret_pair, struct err *err)
{
	int error = -EAGAIN;
	struct loading l = {.credentials = calloc(1, sizeof(*l.credentials)),
			    .pairs = pairs,
			    .count = count,
			    .options = o};
	*ret_pair = 0;
	if (l.credentials == NULL)
		err_set(err, "out of memory");
	else
		error = credentials_fill(&l, ret_pair, err);
	tls_names_release(&l.names);
	free(l.same);
	free(l.identities);
	free(l.digests);
	if (error < 0)
		tls_credentials_free(l.credentials);
	else
		*ret = l.credentials;
	return error;
}

/* Does the wildcard cover one of the names? */
static bool wildcard_covers(const char *name, const struct tls_name *names, size_t count)
{
	char wildcard[TLS_NAME_MAX + 1];
	for (size_t i = 0; i < count; i++)
		if (tls_name_wildcard(names[i].name, wildcard) && strcmp(wildcard, name) == 0)
			return true;
	return false;
}

bool tls_credentials_cover(const struct tls_credentials *c, const char *name)
{
	char folded[TLS_NAME_MAX + 1], wildcard[TLS_NAME_MAX + 1];
	const struct tls_names *names = &c->hosts.certificates;
	const struct tls_name *found;
	if (!tls_name_fold(name, strlen(name), folded))
		return false;
	if (tls_names_find(names, 0, folded, &found) > 0)
		return true;
	if (folded[0] == '*') {
		const size_t count = tls_names_of(names, 0, &found);
		return wildcard_covers(folded, found, count);
	}
	return tls_name_wildcard(folded, wildcard) &&
	       tls_names_find(names, 0, wildcard, &found) > 0;
}

void tls_credentials_names(const struct tls_credentials *c, struct text *t)
{
	const struct tls_name *found;
	const size_t count = tls_names_of(&c->hosts.certificates, 0, &found);
	for (size_t i = 0; i < count && i < NAMES_SHOWN; i++) {
		text_add_str(t, i == 0 ? "" : ", ");
		text_add_utf8(t, found[i].name, strlen(found[i].name));
	}
	if (count > NAMES_SHOWN)
		text_addf(t, " and %zu more", count - NAMES_SHOWN);
}

static unsigned part_versions(const struct tls_credentials *c, const struct tls_policy *policy,
			      const struct tls_part *part)
{
	unsigned versions = 0;
	for (uint32_t i = 0; i < part->firsts_count; i++)
		versions |= tls_identity_versions(&c->hosts.all[part->firsts[i]], &policy->offer);
	return versions;
}

unsigned tls_credentials_versions(const struct tls_credentials *c, const struct tls_policy *policy)
{
	return part_versions(c, policy, c->hosts.parts);
}

int tls_credentials_judge(const struct tls_credentials *c, const struct tls_policy *policy,
			  size_t *ret_pair, struct err *err)
{
	for (size_t i = 0; i < c->hosts.parts_count; i++) {
		const struct tls_part *part = &c->hosts.parts[i];
		if (part->firsts_count == 0 || part_versions(c, policy, part) != 0)
			continue;
		*ret_pair = part->first;
		err_set(err, "no version and cipher of the port can use its key");
		return -1;
	}
	return 0;
}

void tls_credentials_free(struct tls_credentials *c)
{
	if (c == NULL)
		return;
	if (c->handle != NULL)
		gnutls_certificate_free_credentials(c->handle);
	tls_hosts_release(&c->hosts);
	free(c);
}
