/*
 * Runs in a worker before it serves, and in bulkhead -t: makes the tables by which a name chooses
 * the host and the certificate. A choice then takes as long with a thousand hosts as with ten.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tls/host.h"

/* The order of preference if a client accepts several kinds. EdDSA comes second because a keyholder
 * signs with it under TLS 1.3 only. */
enum { ROUND_ECDSA, ROUND_EDDSA, ROUND_RSA, ROUNDS };

static int round_of(gnutls_pk_algorithm_t pk)
{
	switch (pk) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		return ROUND_RSA;
	case GNUTLS_PK_EDDSA_ED25519:
	case GNUTLS_PK_EDDSA_ED448:
		return ROUND_EDDSA;
	default:
		return ROUND_ECDSA;
	}
}

/* What the tables are made from. */
struct making {
	struct tls_hosts *hosts;
	const uint32_t *pairs;
	size_t pairs_count;
	const struct tls_names *own;
};

static void part_offer(struct tls_part *part, uint32_t identity, uint8_t kind, uint32_t *kinds)
{
	if (*kinds & UINT32_C(1) << kind)
		return;
	*kinds |= UINT32_C(1) << kind;
	part->firsts[part->firsts_count++] = identity;
}

static int names_copy(const struct making *m, uint32_t part, uint32_t identity, uint8_t kind)
{
	const struct tls_name *names;
	const size_t count = tls_names_of(m->own, identity, &names);
	int error = 0;
	for (size_t i = 0; i < count && error == 0; i++)
		error = tls_names_add(&m->hosts->certificates, part, names[i].name, identity, kind);
	return error;
}

static int part_fill(const struct making *m, uint32_t index, size_t first, size_t count)
{
	struct tls_part *part = &m->hosts->parts[index];
	uint32_t kinds = 0;
	int error = 0;
	part->first = (uint32_t)first;
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = first; i < first + count && i < m->pairs_count; i++) {
			const uint32_t identity = m->pairs[i];
			const struct tls_identity *h = &m->hosts->all[identity];
			if (round_of(h->pk) != round || error < 0)
				continue;
			const uint8_t kind = tls_identity_kind(h);
			part_offer(part, identity, kind, &kinds);
			error = names_copy(m, index, identity, kind);
		}
	return error;
}

static int names_add(struct tls_hosts *hosts, const struct tls_host *host, uint32_t part)
{
	char folded[TLS_NAME_MAX + 1];
	int error = 0;
	for (size_t i = 0; i < host->names_count && error == 0; i++)
		if (tls_name_fold(host->names[i], strlen(host->names[i]), folded)) {
			error = tls_names_add(&hosts->names, 0, folded, part, 0);
			hosts->has_addresses = hosts->has_addresses || tls_name_is_address(folded);
		}
	return error;
}

/* A part that exists already. */
struct part_key {
	uint32_t policy, part;
};

static int part_compare(const void *a, const void *b)
{
	const struct part_key *k = a, *l = b;
	if (k->policy != l->policy)
		return k->policy < l->policy ? -1 : 1;
	return k->part < l->part ? -1 : k->part > l->part;
}

/* Hosts with the same policy share the part: each gets the number of the first one with it. Returns
 * the numbers, which the caller frees; NULL: no memory. */
static uint32_t *parts_unify(const struct tls_host *list, size_t count)
{
	struct part_key *keys = calloc(count + 1, sizeof(*keys));
	uint32_t *same = calloc(count + 1, sizeof(*same));
	if (keys == NULL || same == NULL) {
		free(keys);
		free(same);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		keys[i] = (struct part_key){list[i].policy, (uint32_t)i};
	qsort(keys, count, sizeof(*keys), part_compare);
	for (size_t i = 0, first = 0; i < count; i++) {
		if (keys[i].policy != keys[first].policy)
			first = i;
		same[keys[i].part] = keys[first].part;
	}
	free(keys);
	return same;
}

static int hosts_fill(const struct making *m, const struct tls_host *list, size_t count)
{
	struct tls_hosts *hosts = m->hosts;
	int error = 0;
	uint32_t *same = parts_unify(list, count), *parts = calloc(count + 1, sizeof(*parts));
	if (same == NULL || parts == NULL)
		error = -ENOMEM;
	for (size_t i = 0; i < count && error == 0; i++) {
		const struct tls_host *host = &list[i];
		if (same[i] == i) {
			parts[i] = (uint32_t)hosts->parts_count++;
			hosts->parts[parts[i]].number = host->policy;
			hosts->parts[parts[i]].clients = host->clients;
			error = part_fill(m, parts[i], host->first, host->count);
		}
		if (error == 0)
			error = names_add(hosts, host, parts[same[i]]);
	}
	free(same);
	free(parts);
	return error;
}

int tls_hosts_make(struct tls_hosts *hosts, const struct tls_credentials_options *o,
		   const uint32_t *pairs, size_t pairs_count, const struct tls_names *own)
{
	const struct making m = {hosts, pairs, pairs_count, own};
	const struct tls_host all = {.count = (uint32_t)pairs_count};
	const size_t count = o->hosts_count > 0 ? o->hosts_count : 1;
	hosts->parts = calloc(count, sizeof(*hosts->parts));
	if (hosts->parts == NULL)
		return -ENOMEM;
	const int error = hosts_fill(&m, o->hosts_count > 0 ? o->hosts : &all, count);
	tls_names_seal(&hosts->names);
	tls_names_seal(&hosts->certificates);
	hosts->refuses = o->refuses_unknown;
	return error;
}

void tls_hosts_release(struct tls_hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++)
		tls_identity_release(&hosts->all[i]);
	free(hosts->all);
	free(hosts->parts);
	tls_names_release(&hosts->names);
	tls_names_release(&hosts->certificates);
	*hosts = (struct tls_hosts){.all = NULL};
}
