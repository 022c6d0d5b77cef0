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
#include "base/text.h"
#include "tls/certificate.h"
#include "tls/content.h"
#include "tls/context.h"
#include "tls/context_private.h"
#include "tls/digest.h"
#include "tls/key.h"

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

/* A pair whose certificate is loaded. */
struct loaded {
	struct tls_chain chain; /* empty before, and after its round */
	bool parsed;
	int round;
};

/* Parses each file once, in whichever round first comes to it. */
static int pair_parse(struct loaded *l, const struct tls_pair *pair, struct err *err)
{
	if (l->parsed)
		return 0;
	int result = tls_chain_load(pair, &l->chain, err);
	if (result < 0)
		return result;
	l->parsed = true;
	l->round = round_of((gnutls_pk_algorithm_t)gnutls_x509_crt_get_pk_algorithm(
	    l->chain.certificates[0], NULL));
	return 0;
}

static int pair_unusable(const struct tls_pair *pair, int error, struct err *err)
{
	err_set(err, "certificate \"%s\" cannot be used: %s", pair->certificate,
		gnutls_strerror(error));
	return failed(error);
}

static void pair_tell(const struct tls_chain *chain, const struct tls_pair *pair, size_t index,
		      const struct tls_credentials_options *o)
{
	tls_chain_warn(chain, pair, index, o);
	if (o->certificates == NULL)
		return;
	tls_digest_add(o->certificates->digest, chain->digest);
	tls_chain_facts(chain, &o->certificates->list[index]);
}

/* The key is only kept if it is here. A keyholder's is made for each event loop (context.c). */
static int pair_add(struct tls_credentials *c, struct tls_chain *chain, const struct tls_pair *pair,
		    size_t index, const struct tls_credentials_options *o, struct err *err)
{
	gnutls_pubkey_t public = NULL;
	gnutls_privkey_t key = NULL;
	int error = tls_chain_public(chain, &public);
	if (error < 0)
		return pair_unusable(pair, error, err);
	int result = key_get(pair, index, public, o->signer, &key, err);
	if (result == 0)
		result = key_check(pair, key, public, o->signer, err);
	if (result == 0) {
		c->short_rsa = c->short_rsa || tls_key_is_short(public);
		pair_tell(chain, pair, index, o);
		if (o->signer != NULL) {
			gnutls_privkey_deinit(key);
			key = NULL;
		}
		error = tls_hosts_add(&c->hosts, chain, (unsigned)index, key);
		if (error < 0)
			result = pair_unusable(pair, error, err);
		else
			key = NULL; /* the host owns it now */
	}
	gnutls_privkey_deinit(key);
	gnutls_pubkey_deinit(public);
	return result;
}

static int pairs_load(struct tls_credentials *c, struct loaded *all, const struct tls_pair *pairs,
		      size_t count, const struct tls_credentials_options *o, size_t *ret_pair,
		      struct err *err)
{
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < count; i++) {
			*ret_pair = i;
			int error = pair_parse(&all[i], &pairs[i], err);
			if (error == 0 && all[i].round == round) {
				error = pair_add(c, &all[i].chain, &pairs[i], i, o, err);
				tls_chain_release(&all[i].chain);
			}
			if (error < 0)
				return error;
		}
	return 0;
}

int tls_credentials_new(const struct tls_pair *pairs, size_t count,
			const struct tls_credentials_options *o, struct tls_credentials **ret,
			size_t *ret_pair, struct err *err)
{
	int error = -EAGAIN;
	struct tls_credentials *c = calloc(1, sizeof(*c));
	struct loaded *all = calloc(count, sizeof(*all));
	*ret_pair = 0;
	if (c == NULL || all == NULL || gnutls_certificate_allocate_credentials(&c->handle) < 0) {
		err_set(err, "out of memory");
	} else {
		tls_host_choose_from(c->handle);
		error = pairs_load(c, all, pairs, count, o, ret_pair, err);
	}
	for (size_t i = 0; all != NULL && i < count; i++)
		tls_chain_release(&all[i].chain);
	free(all);
	if (error < 0)
		tls_credentials_free(c);
	else
		*ret = c;
	return error;
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
