/* Runs in a worker before it serves, and in bulkhead -t: the certificate that is shown to servers,
 * and whether it has its key. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tls/certificate.h"
#include "tls/client_private.h"
#include "tls/digest.h"
#include "tls/pair.h"

static void tell(const struct tls_client_identity_options *o, const char *finding)
{
	struct err err;
	if (o->warn == NULL)
		return;
	err_set(&err, "certificate \"%s\" %s", o->certificate, finding);
	o->warn(o->arg, o->number, err.text);
}

/* An extendedKeyUsage that does not name clients (RFC 5280, 4.2.1.12). */
static bool is_for_others(gnutls_x509_crt_t crt)
{
	char oid[128];
	bool any = false;
	for (unsigned i = 0; i < TLS_NAMES_MAX; i++) {
		size_t len = sizeof(oid);
		unsigned critical;
		const int error = gnutls_x509_crt_get_key_purpose_oid(crt, i, oid, &len, &critical);
		if (error == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return any;
		any = true;
		if (error >= 0 &&
		    (strcmp(oid, GNUTLS_KP_TLS_WWW_CLIENT) == 0 || strcmp(oid, GNUTLS_KP_ANY) == 0))
			return false;
	}
	return any;
}

static void identity_warn(const struct tls_client_identity_options *o,
			  const struct tls_chain *chain)
{
	gnutls_x509_crt_t own = chain->certificates[0];
	const time_t now = time(NULL);
	if (gnutls_x509_crt_get_expiration_time(own) < now)
		tell(o, "has expired: upstreams refuse it");
	else if (gnutls_x509_crt_get_activation_time(own) > now)
		tell(o, "is not valid yet: upstreams refuse it; is the clock right?");
	if (is_for_others(own))
		tell(o, "is not for clients (extendedKeyUsage has no clientAuth): upstreams "
			"may refuse it");
}

static int identity_fill(struct tls_client_identity *i, const struct tls_chain *chain,
			 const struct tls_pair *pair, const struct tls_client_identity_options *o,
			 struct err *err)
{
	const struct tls_pair_use use = {
	    .side = TLS_SIDE_CLIENT, .number = o->number, .signer = o->signer};
	gnutls_privkey_t key = NULL;
	int error = tls_pair_key(pair, chain, &use, &key, err);
	if (error < 0)
		return error;
	if (o->signer != NULL) { /* each event loop makes its own */
		gnutls_privkey_deinit(key);
		key = NULL;
	}
	error = tls_identity_init(&i->shown, chain, o->number, key);
	if (error >= 0)
		return 0;
	gnutls_privkey_deinit(key);
	err_set(err, "certificate \"%s\" cannot be used: %s", pair->certificate,
		gnutls_strerror(error));
	return error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
}

int tls_client_identity_load(const struct tls_client_identity_options *o,
			     struct tls_client_identity **ret, struct err *err)
{
	const struct tls_pair pair = {
	    .certificate = o->certificate, .certificate_fd = o->certificate_fd, .key = o->key};
	struct tls_chain chain;
	struct tls_client_identity *i = calloc(1, sizeof(*i));
	if (i == NULL) {
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	int error = tls_chain_load(&pair, &chain, err);
	if (error == 0) {
		error = identity_fill(i, &chain, &pair, o, err);
		if (error == 0 && o->digest != NULL)
			tls_digest_add(o->digest, chain.digest);
		if (error == 0 && o->facts != NULL)
			tls_chain_facts(&chain, o->facts);
		if (error == 0)
			identity_warn(o, &chain);
		tls_chain_release(&chain);
	}
	if (error < 0)
		free(i);
	else
		*ret = i;
	return error;
}

void tls_client_identity_free(struct tls_client_identity *i)
{
	if (i == NULL)
		return;
	tls_identity_release(&i->shown);
	free(i);
}
