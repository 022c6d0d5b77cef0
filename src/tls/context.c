/*
 * Runs in a worker before it serves, and in bulkhead -t. Nothing here changes once sessions exist.
 */
#include "tls/context.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "selfsigned.h"
#include "tls/certificate.h"
#include "tls/content.h"
#include "tls/context_private.h"
#include "tls/digest.h"
#include "tls/key.h"
#include "tls/policy.h"

#define DAY_SEC 86400L

#define GROUPS_MAX 64

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

/* Returns 0, -1, or -EAGAIN if memory ran out, which is not a fault of the files. */
static int failed(int error)
{
	return error >= 0 ? 0 : error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
}

static int key_get(const struct tls_pair *pair, size_t index, gnutls_pubkey_t public,
		   struct tls_signer *signer, gnutls_privkey_t *ret, struct err *err)
{
	if (signer == NULL) {
		int fd = open(pair->key, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0) {
			err_set(err, "key \"%s\" cannot be read: %s", pair->key, strerror(errno));
			return -1;
		}
		int error = tls_key_load(fd, pair->key, NULL, ret, err);
		fd_close(&fd);
		return error;
	}
	int error = tls_key_remote(signer, (unsigned)index, public, ret);
	if (error < 0)
		err_set(err, "key \"%s\": %s", pair->key, gnutls_strerror(error));
	return failed(error);
}

static void mismatch_tell(const struct tls_pair *pair, struct err *err)
{
	struct text t;
	text_init(&t, err->text, sizeof(err->text));
	text_addf(&t,
		  "certificate \"%s\" does not match key \"%s\"; these print the same for a pair: "
		  "openssl x509 -noout -pubkey -in ",
		  pair->certificate, pair->key);
	tls_content_quote(&t, pair->certificate);
	text_add_str(&t, "; openssl pkey -pubout -in ");
	tls_content_quote(&t, pair->key);
}

static int key_check(const struct tls_pair *pair, gnutls_privkey_t key, gnutls_pubkey_t public,
		     const struct tls_signer *signer, struct err *err)
{
	int error = tls_key_check(key, public);
	if (error >= 0)
		return 0;
	if (error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH || error == GNUTLS_E_CONSTRAINT_ERROR ||
	    (signer != NULL && signer->refused))
		mismatch_tell(pair, err);
	else
		err_set(err, "key \"%s\" cannot be used: %s", pair->key,
			signer != NULL && signer->failure != NULL ? signer->failure
								  : gnutls_strerror(error));
	return -1;
}

static int pair_load(struct tls_context *c, const struct tls_pair *pair, size_t index, int round,
		     const struct tls_context_options *o, struct err *err)
{
	struct tls_chain chain = {0};
	gnutls_pubkey_t public = NULL;
	gnutls_privkey_t key = NULL;
	int result = tls_chain_load(pair, &chain, err);
	if (result < 0)
		return result;
	int kind = gnutls_x509_crt_get_pk_algorithm(chain.certificates[0], NULL);
	if (round_of((gnutls_pk_algorithm_t)kind) != round) {
		result = 0; /* it belongs to another round */
		goto out;
	}
	int error = tls_chain_public(&chain, &public);
	result = failed(error);
	if (error < 0) {
		err_set(err, "certificate \"%s\" cannot be used: %s", pair->certificate,
			gnutls_strerror(error));
		goto out;
	}
	result = key_get(pair, index, public, o->signer, &key, err);
	if (result == 0)
		result = key_check(pair, key, public, o->signer, err);
	if (result < 0)
		goto out;
	error = tls_hosts_add(&c->hosts, chain.certificates, chain.count, key);
	result = failed(error);
	if (error < 0) {
		err_set(err, "certificate \"%s\" cannot be used: %s", pair->certificate,
			gnutls_strerror(error));
		goto out;
	}
	key = NULL; /* the host owns it now */
	if (o->policy != NULL && tls_key_is_short(public))
		c->policy = o->policy->short_rsa;
	tls_chain_warn(&chain, pair, index, o);
	if (o->certificates != NULL) {
		tls_digest_add(o->certificates->digest, chain.digest);
		tls_chain_facts(&chain, &o->certificates->list[index]);
	}
out:
	gnutls_privkey_deinit(key);
	gnutls_pubkey_deinit(public);
	tls_chain_release(&chain);
	return result;
}

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

static int policy_make(bool short_rsa, struct tls_policy **ret, struct err *err)
{
	const char *groups[GROUPS_MAX], *where = NULL;
	char wanted[TLS_POLICY_MAX];
	struct text t;
	text_init(&t, wanted, sizeof(wanted));
	tls_policy_write(&t, groups, groups_name(groups), short_rsa);
	struct tls_policy *p = calloc(1, sizeof(*p));
	if (p == NULL) {
		err_set(err, "out of memory");
		return -1;
	}
	int error =
	    gnutls_priority_init2(&p->priority, wanted, &where, GNUTLS_PRIORITY_INIT_DEF_APPEND);
	if (error < 0) {
		err_set(err, "the system's GnuTLS policy cannot be used: %s%s%s",
			gnutls_strerror(error), where != NULL ? " at " : "",
			where != NULL ? where : "");
		free(p);
		return -1;
	}
	tls_offer_read(&p->offer, p->priority);
	*ret = p;
	return 0;
}

int tls_policy_new(struct tls_policy **ret, struct err *err)
{
	struct tls_policy *p;
	if (policy_make(false, &p, err) < 0)
		return -1;
	if (policy_make(true, &p->short_rsa, err) < 0) {
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

void tls_policy_free(struct tls_policy *p)
{
	if (p == NULL)
		return;
	tls_policy_free(p->short_rsa);
	gnutls_priority_deinit(p->priority);
	free(p);
}

int tls_context_new(const struct tls_pair *pairs, size_t count, const struct tls_context_options *o,
		    struct tls_context **ret, size_t *ret_pair, struct err *err)
{
	int error = -EAGAIN;
	*ret_pair = 0;
	struct tls_context *c = calloc(1, sizeof(*c));
	if (c == NULL || gnutls_certificate_allocate_credentials(&c->credentials) < 0) {
		err_set(err, "out of memory");
		goto fail;
	}
	c->policy = o->policy;
	c->signer = o->signer;
	c->tickets = o->tickets;
	c->tickets_s = o->tickets_ms / 1000;
	tls_host_choose_from(c->credentials);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < count; i++) {
			*ret_pair = i;
			error = pair_load(c, &pairs[i], i, round, o, err);
			if (error < 0)
				goto fail;
		}
	*ret = c;
	return 0;
fail:
	tls_context_free(c);
	return error;
}

static int false_fill(struct tls_context *c, const char *name, bool expired)
{
	time_t now = time(NULL);
	const struct selfsigned wanted = {.subject = name,
					  .names = {name},
					  /* so that the expired one is wrong for one reason only */
					  .loopback = expired,
					  .since = now - (expired ? 60 : 1) * DAY_SEC,
					  .until = now + (expired ? -30 : 30) * DAY_SEC};
	gnutls_x509_crt_t crt = NULL;
	gnutls_x509_privkey_t key = NULL;
	int error = selfsigned_make(&wanted, &crt, &key);
	if (error >= 0)
		error = gnutls_certificate_set_x509_key(c->credentials, &crt, 1, key);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return error;
}

int tls_context_new_false(const struct tls_policy *p, const char *name, bool expired,
			  struct tls_context **ret, struct err *err)
{
	struct tls_context *c = calloc(1, sizeof(*c));
	int error = GNUTLS_E_MEMORY_ERROR;
	if (c != NULL)
		error = gnutls_certificate_allocate_credentials(&c->credentials);
	if (error >= 0)
		error = false_fill(c, name, expired);
	if (error < 0) {
		err_set(err, "cannot make a certificate for %s: %s", name, gnutls_strerror(error));
		tls_context_free(c);
		return -1;
	}
	c->policy = p;
	*ret = c;
	return 0;
}

void tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	if (c->credentials != NULL)
		gnutls_certificate_free_credentials(c->credentials);
	tls_hosts_release(&c->hosts);
	free(c);
}
