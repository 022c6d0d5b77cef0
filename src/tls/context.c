/*
 * Runs in a worker before it serves: what the sessions of one event loop share. Nothing here
 * changes once sessions exist, except the table of known clients, which only this loop has.
 */
#include "tls/context.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "selfsigned.h"
#include "tls/client_known.h"
#include "tls/clients_private.h"
#include "tls/context_private.h"
#include "tls/key.h"

#define DAY_SEC 86400L

/* One key per host that this signer signs with. */
static int keys_make(struct tls_context *c, struct tls_signer *signer)
{
	const struct tls_hosts *hosts = &c->credentials->hosts;
	c->keys = calloc(hosts->count, sizeof(gnutls_privkey_t));
	int error = c->keys == NULL ? GNUTLS_E_MEMORY_ERROR : 0;
	for (size_t i = 0; i < hosts->count && error >= 0; i++)
		error = tls_key_remote(signer, TLS_SIDE_SERVER, hosts->all[i].pair,
				       hosts->all[i].chain[0].pubkey, &c->keys[i]);
	return error;
}

static bool asks(const struct tls_hosts *hosts)
{
	for (size_t i = 0; i < hosts->parts_count; i++)
		if (hosts->parts[i].clients != NULL)
			return true;
	return false;
}

int tls_context_new(const struct tls_credentials *credentials, const struct tls_context_options *o,
		    struct tls_context **ret, struct err *err)
{
	struct tls_context *c = calloc(1, sizeof(*c));
	if (c == NULL) {
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	*c = (struct tls_context){.credentials = credentials,
				  .hosts = &credentials->hosts,
				  .policy =
				      credentials->short_rsa ? o->policy->short_rsa : o->policy,
				  .signer = o->signer,
				  .tickets = o->tickets,
				  .tickets_s = o->tickets_ms / 1000};
	int error = o->signer != NULL ? keys_make(c, o->signer) : 0;
	if (error >= 0 && asks(c->hosts)) {
		c->known = tls_known_new();
		error = c->known == NULL ? GNUTLS_E_MEMORY_ERROR : 0;
	}
	if (error < 0) {
		err_set(err, "the keys cannot be used: %s", gnutls_strerror(error));
		tls_context_free(c);
		return error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
	}
	*ret = c;
	return 0;
}

static int false_fill(struct tls_credentials *c, const char *name, bool expired)
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
		error = gnutls_certificate_set_x509_key(c->handle, &crt, 1, key);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return error;
}

int tls_context_new_false(const struct tls_policy *p, const struct tls_credentials *as,
			  const char *name, bool expired, struct tls_context **ret, struct err *err)
{
	struct tls_context *c = calloc(1, sizeof(*c));
	int error = GNUTLS_E_MEMORY_ERROR;
	if (c != NULL)
		c->own = calloc(1, sizeof(*c->own));
	if (c != NULL && c->own != NULL)
		error = gnutls_certificate_allocate_credentials(&c->own->handle);
	if (error >= 0)
		error = false_fill(c->own, name, expired);
	if (error < 0) {
		err_set(err, "cannot make a certificate for %s: %s", name, gnutls_strerror(error));
		tls_context_free(c);
		return -1;
	}
	tls_clients_verify_with(c->own->handle);
	c->credentials = c->own;
	c->hosts = &as->hosts;
	c->policy = p;
	*ret = c;
	return 0;
}

void tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; c->keys != NULL && i < c->credentials->hosts.count; i++)
		gnutls_privkey_deinit(c->keys[i]);
	free(c->keys);
	tls_known_free(c->known);
	tls_credentials_free(c->own);
	free(c);
}
