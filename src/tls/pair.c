/* Runs in a worker before it serves, and in bulkhead -t. In a worker it must never read a key. */
#include "tls/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "tls/content.h"
#include "tls/key.h"

/* Returns 0, -1, or -EAGAIN if memory ran out, which is not a fault of the files. */
static int failed(int error)
{
	return error >= 0 ? 0 : error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
}

static int key_get(const struct tls_pair *pair, const struct tls_pair_use *use,
		   gnutls_pubkey_t public, gnutls_privkey_t *ret, struct err *err)
{
	if (use->signer == NULL) {
		int fd = open(pair->key, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0) {
			err_set(err, "key \"%s\" cannot be read: %s", pair->key, strerror(errno));
			return -1;
		}
		int error = tls_key_load(fd, pair->key, NULL, ret, err);
		fd_close(&fd);
		return error;
	}
	int error = tls_key_remote(use->signer, use->side, use->number, public, ret);
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

/* A keyholder of the version before this one does not say which key it has. */
static int key_prove(gnutls_privkey_t key, gnutls_pubkey_t public, const struct tls_pair_use *use)
{
	if (use->signer != NULL && gnutls_pubkey_get_pk_algorithm(public, NULL) == GNUTLS_PK_RSA) {
		const int error = tls_key_ask(use->signer, use->number, public);
		if (error >= 0 || !use->signer->refused)
			return error;
	}
	return tls_key_check(key, use->side, public);
}

static int key_check(const struct tls_pair *pair, const struct tls_pair_use *use,
		     gnutls_privkey_t key, gnutls_pubkey_t public, struct err *err)
{
	const struct tls_signer *signer = use->signer;
	int error = key_prove(key, public, use);
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

int tls_pair_unusable(const struct tls_pair *pair, int error, struct err *err)
{
	err_set(err, "certificate \"%s\" cannot be used: %s", pair->certificate,
		gnutls_strerror(error));
	return failed(error);
}

int tls_pair_key(const struct tls_pair *pair, const struct tls_chain *chain,
		 const struct tls_pair_use *use, gnutls_privkey_t *ret, struct err *err)
{
	gnutls_pubkey_t public = NULL;
	gnutls_privkey_t key = NULL;
	const int error = tls_chain_public(chain, &public);
	if (error < 0)
		return tls_pair_unusable(pair, error, err);
	int result = key_get(pair, use, public, &key, err);
	if (result == 0)
		result = key_check(pair, use, key, public, err);
	gnutls_pubkey_deinit(public);
	if (result == 0)
		*ret = key;
	else
		gnutls_privkey_deinit(key);
	return result;
}
