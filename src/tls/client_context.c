/*
 * Runs in a worker or connector: what the TLS client's sessions share. All but the sessions to
 * resume is made before the process serves; these belong to one event loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tls/client_private.h"
#include "tls/key.h"

/* --- sessions to resume ----------------------------------------------------------------------- */

static void ticket_release(struct tls_client_ticket *t)
{
	gnutls_memset(t->data.data, 0, t->data.size);
	gnutls_free(t->data.data);
	*t = (struct tls_client_ticket){.once = false};
}

static void ticket_remove(struct tls_client_known *k, unsigned at)
{
	ticket_release(&k->tickets[at]);
	k->count--;
	memmove(&k->tickets[at], &k->tickets[at + 1],
		(k->count - at) * sizeof(struct tls_client_ticket));
	k->tickets[k->count] = (struct tls_client_ticket){.once = false};
}

void tls_client_known_add(struct tls_client_known *k, gnutls_datum_t *data, time_t now,
			  time_t until, bool once)
{
	const time_t most = now + TLS_CLIENT_TICKET_S;
	struct tls_client_ticket t = {
	    .data = *data, .since = now, .until = until < most ? until : most, .once = once};
	if (data->data == NULL)
		return;
	if (data->size > TLS_CLIENT_TICKET_BYTES_MAX || t.until <= now) {
		ticket_release(&t);
		return;
	}
	if (k->count == TLS_CLIENT_TICKETS_MAX)
		ticket_remove(k, 0);
	k->tickets[k->count++] = t;
}

static bool ticket_counts(const struct tls_client_ticket *t, time_t now)
{
	return now >= t->since && now < t->until;
}

time_t tls_client_known_use(struct tls_client_known *k, gnutls_session_t session, time_t now)
{
	while (k->count > 0) {
		struct tls_client_ticket *t = &k->tickets[k->count - 1];
		const time_t until = t->until;
		if (ticket_counts(t, now) &&
		    gnutls_session_set_data(session, t->data.data, t->data.size) >= 0) {
			if (t->once)
				ticket_remove(k, k->count - 1);
			return until;
		}
		ticket_remove(k, k->count - 1);
	}
	return 0;
}

/* --- peers ------------------------------------------------------------------------------------ */

static unsigned address_read(const char *name, uint8_t ret[16])
{
	if (inet_pton(AF_INET, name, ret) == 1)
		return 4;
	return inet_pton(AF_INET6, name, ret) == 1 ? 16 : 0;
}

struct tls_client_peer *tls_client_peer_new(const struct tls_client_context *c, const char *name)
{
	struct tls_client_peer *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->context = c;
	p->name = name;
	p->address_len = address_read(name, p->address);
	p->known = calloc(1, sizeof(*p->known));
	if (p->known == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

void tls_client_peer_free(struct tls_client_peer *p)
{
	if (p == NULL)
		return;
	while (p->known->count > 0)
		ticket_remove(p->known, p->known->count - 1);
	free(p->known);
	free(p);
}

uint64_t tls_client_peer_handshakes(const struct tls_client_peer *p, uint64_t *ret_resumed)
{
	*ret_resumed = p->known->resumed;
	return p->known->handshakes;
}

/* --- contexts --------------------------------------------------------------------------------- */

static int certificate_verify(gnutls_session_t handle)
{
	return tls_client_trust_verify(gnutls_session_get_ptr(handle));
}

/* A server that asks gets it, whatever authorities it names: it knows best whether it suits. */
static int identity_retrieve(gnutls_session_t handle, const struct gnutls_cert_retr_st *info,
			     gnutls_pcert_st **chain, unsigned *chain_count,
			     gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count,
			     gnutls_privkey_t *key, unsigned *flags)
{
	const struct tls_client_session *s = gnutls_session_get_ptr(handle);
	const struct tls_client_context *c = s->peer->context;
	(void)info;
	*ocsp = NULL;
	*ocsp_count = 0;
	*flags = 0; /* GnuTLS must free nothing of it */
	*chain = c->identity->shown.chain;
	*chain_count = c->identity->shown.chain_count;
	*key = c->key;
	return 0;
}

static int context_fill(struct tls_client_context *c, struct tls_signer *signer)
{
	int error = gnutls_certificate_allocate_credentials(&c->credentials);
	if (error < 0)
		return error;
	gnutls_certificate_set_verify_function(c->credentials, certificate_verify);
	if (c->identity == NULL)
		return 0;
	gnutls_certificate_set_retrieve_function3(c->credentials, identity_retrieve);
	return tls_key_remote(signer, TLS_SIDE_CLIENT, c->identity->shown.pair,
			      c->identity->shown.chain[0].pubkey, &c->key);
}

int tls_client_context_new(const struct tls_client_options *o, struct tls_client_context **ret,
			   struct err *err)
{
	struct tls_client_context *c = calloc(1, sizeof(*c));
	if (c == NULL) {
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	*c = (struct tls_client_context){
	    .policy = o->policy, .trust = o->trust, .identity = o->identity, .signer = o->signer};
	const int error = context_fill(c, o->signer);
	if (error < 0) {
		err_set(err, "TLS to upstreams cannot be used: %s", gnutls_strerror(error));
		tls_client_context_free(c);
		return error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
	}
	*ret = c;
	return 0;
}

void tls_client_context_free(struct tls_client_context *c)
{
	if (c == NULL)
		return;
	gnutls_privkey_deinit(c->key);
	if (c->credentials != NULL)
		gnutls_certificate_free_credentials(c->credentials);
	free(c);
}
