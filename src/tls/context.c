/*
 * Runs in a worker before it serves: the protocol policy, and what the sessions of one event loop
 * share. Nothing here changes once sessions exist.
 */
#include "tls/context.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "selfsigned.h"
#include "tls/context_private.h"
#include "tls/key.h"
#include "tls/policy.h"

#define DAY_SEC 86400L

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

/* One key per host that this signer signs with. */
static int keys_make(struct tls_context *c, struct tls_signer *signer)
{
	const struct tls_hosts *hosts = &c->credentials->hosts;
	c->keys = calloc(hosts->count, sizeof(gnutls_privkey_t));
	int error = c->keys == NULL ? GNUTLS_E_MEMORY_ERROR : 0;
	for (size_t i = 0; i < hosts->count && error >= 0; i++)
		error = tls_key_remote(signer, hosts->all[i].pair, hosts->all[i].chain[0].pubkey,
				       &c->keys[i]);
	return error;
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
	const int error = o->signer != NULL ? keys_make(c, o->signer) : 0;
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
	tls_credentials_free(c->own);
	free(c);
}
