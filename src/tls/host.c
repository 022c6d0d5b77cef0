/*
 * Runs in a worker's loop, on client bytes, in the middle of a handshake. Must never refuse a
 * client because of the name that it requests.
 */
#include "tls/host.h"

#include <stdlib.h>
#include <string.h>

#include "tls/certificate.h"
#include "tls/context_private.h"
#include "tls/hello.h"
#include "tls/scheme.h"
#include "tls/session.h"
#include "tls/tickets.h"

#define HOST_NAME_MAX_BYTES 255

/* --- the certificates ------------------------------------------------------------------------ */

static gnutls_digest_algorithm_t host_digest(gnutls_x509_crt_t leaf)
{
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_UNKNOWN;
	gnutls_x509_spki_t spki;
	if (gnutls_x509_spki_init(&spki) < 0)
		return digest;
	if (gnutls_x509_crt_get_spki(leaf, spki, 0) < 0 ||
	    gnutls_x509_spki_get_rsa_pss_params(spki, &digest, NULL) < 0)
		digest = GNUTLS_DIG_UNKNOWN;
	gnutls_x509_spki_deinit(spki);
	return digest;
}

static void host_release(struct tls_host *h)
{
	for (unsigned i = 0; i < h->chain_count; i++)
		gnutls_pcert_deinit(&h->chain[i]);
	free(h->chain);
	gnutls_x509_crt_deinit(h->leaf);
	gnutls_privkey_deinit(h->key);
}

static int host_fill(struct tls_host *h, const struct tls_chain *chain)
{
	h->pk =
	    (gnutls_pk_algorithm_t)gnutls_x509_crt_get_pk_algorithm(chain->certificates[0], NULL);
	if (h->pk == GNUTLS_PK_ECDSA)
		(void)gnutls_x509_crt_get_pk_ecc_raw(chain->certificates[0], &h->curve, NULL, NULL);
	else if (h->pk == GNUTLS_PK_RSA_PSS)
		h->digest = host_digest(chain->certificates[0]);
	h->chain = calloc(chain->count, sizeof(*h->chain));
	int error = h->chain == NULL ? GNUTLS_E_MEMORY_ERROR : 0;
	for (; h->chain_count < chain->count && error >= 0; h->chain_count += error >= 0)
		error = gnutls_pcert_import_x509(&h->chain[h->chain_count],
						 chain->certificates[h->chain_count], 0);
	return error;
}

int tls_hosts_add(struct tls_hosts *hosts, struct tls_chain *chain, unsigned pair,
		  gnutls_privkey_t key)
{
	struct tls_host host = {.curve = GNUTLS_ECC_CURVE_INVALID, .pair = pair};
	struct tls_host *all = reallocarray(hosts->all, hosts->count + 1, sizeof(*all));
	if (all == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	hosts->all = all;
	int error = host_fill(&host, chain);
	if (error < 0) {
		host_release(&host);
		return error;
	}
	host.key = key;
	host.leaf = chain->certificates[0];
	chain->certificates[0] = NULL;
	all[hosts->count++] = host;
	return 0;
}

void tls_hosts_release(struct tls_hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++)
		host_release(&hosts->all[i]);
	free(hosts->all);
	*hosts = (struct tls_hosts){0};
}

/* --- what the client can verify -------------------------------------------------------------- */

void tls_offer_read(struct tls_offer *o, gnutls_priority_t priority)
{
	unsigned index;
	*o = (struct tls_offer){0};
	o->signs_count = gnutls_priority_sign_list(priority, &o->signs);
	for (unsigned i = 0; o->suites_count < SUITES_MAX; i++) {
		struct tls_suite suite = {0};
		gnutls_kx_algorithm_t exchange = GNUTLS_KX_UNKNOWN;
		int error = gnutls_priority_get_cipher_suite_index(priority, i, &index);
		if (error == GNUTLS_E_UNKNOWN_CIPHER_SUITE)
			continue;
		if (error < 0 ||
		    gnutls_cipher_suite_info(index, suite.id, &exchange, NULL, NULL, NULL) == NULL)
			break;
		if (exchange == GNUTLS_KX_ECDHE_ECDSA)
			suite.kind = SUITES_ECDSA;
		else if (exchange == GNUTLS_KX_ECDHE_RSA)
			suite.kind = SUITES_RSA;
		if (suite.kind != 0)
			o->suites[o->suites_count++] = suite;
	}
}

static bool sign_is_offered(const struct tls_offer *o, gnutls_sign_algorithm_t sign)
{
	for (int i = 0; i < o->signs_count; i++)
		if (o->signs[i] == sign)
			return true;
	return false;
}

static gnutls_ecc_curve_t scheme_curve(const struct tls_scheme *s)
{
	switch (s->digest) {
	case GNUTLS_DIG_SHA256:
		return GNUTLS_ECC_CURVE_SECP256R1;
	case GNUTLS_DIG_SHA384:
		return GNUTLS_ECC_CURVE_SECP384R1;
	default:
		return GNUTLS_ECC_CURVE_SECP521R1;
	}
}

/* RFC 8446, 4.2.3: under TLS 1.3 each ECDSA scheme has one curve, and PKCS#1 schemes are not
 * allowed. */
static bool scheme_fits(const struct tls_host *h, const struct tls_scheme *s, bool tls13)
{
	if (h->digest != GNUTLS_DIG_UNKNOWN && h->digest != s->digest)
		return false;
	if (!tls13)
		return true;
	return s->form != TLS_FORM_DIGEST_INFO &&
	       (h->pk != GNUTLS_PK_ECDSA || h->curve == scheme_curve(s));
}

/* The cipher suites of TLS 1.2. EdDSA fits none, because a keyholder makes no TLS 1.2 signature
 * with it (tls/scheme.h). */
static bool suites_fit(const struct tls_host *h, unsigned suites)
{
	switch (h->pk) {
	case GNUTLS_PK_ECDSA:
		return suites & SUITES_ECDSA;
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		return suites & SUITES_RSA;
	default:
		return false;
	}
}

/* Can the client verify this certificate's key? A client without signature_algorithms means SHA-1
 * (RFC 5246, 7.4.1.4.1), which is no longer allowed (RFC 9155, 4): no certificate fits. */
static bool host_fits(const struct tls_host *h, const struct tls_session *s)
{
	const struct tls_offer *offer = &s->context->policy->offer;
	bool tls13 = gnutls_protocol_get_version(s->handle) == GNUTLS_TLS1_3;
	gnutls_sign_algorithm_t sign;
	if (!tls13 && !suites_fit(h, s->hello.suites))
		return false;
	for (size_t i = 0; gnutls_sign_algorithm_get_requested(s->handle, i, &sign) >= 0; i++) {
		const struct tls_scheme *scheme = tls_scheme_by_sign(h->pk, sign, NULL);
		if (scheme != NULL && scheme_fits(h, scheme, tls13) && sign_is_offered(offer, sign))
			return true;
	}
	return false;
}

/* --- the name -------------------------------------------------------------------------------- */

/* Copies a name in the form that certificates use: visible ASCII (RFC 6066, 3) without the final
 * dot. Any other name is treated like one that no certificate has. */
static bool name_comparable(const char *name, char ret[HOST_NAME_MAX_BYTES + 1])
{
	size_t len = name != NULL ? strlen(name) : 0;
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > HOST_NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	memcpy(ret, name, len);
	ret[len] = '\0';
	return true;
}

/* Reads a ServerNameList (RFC 6066, 3) and returns its first host_name. Only a malformed list is
 * refused (RFC 8446, 6.2). */
static int name_parse(const uint8_t *data, size_t len, const uint8_t **ret, size_t *ret_len)
{
	*ret = NULL;
	*ret_len = 0;
	if (len < 2 || ((size_t)data[0] << 8 | data[1]) != len - 2 || len == 2)
		return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
	for (data += 2, len -= 2; len > 0;) {
		size_t size = len < 3 ? 0 : (size_t)data[1] << 8 | data[2];
		if (len < 3 || size > len - 3)
			return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		if (data[0] == 0 && *ret == NULL) {
			*ret = data + 3;
			*ret_len = size;
		}
		data += 3 + size;
		len -= 3 + size;
	}
	return 0;
}

static void name_keep(struct tls_session *s, const void *name, size_t len)
{
	free(s->server_name); /* from a hello before the retry */
	s->server_name = NULL;
	if (len > 0 && len <= HOST_NAME_MAX_BYTES && memchr(name, '\0', len) == NULL)
		s->server_name = strndup(name, len); /* out of memory: no name */
}

static int name_receive(gnutls_session_t handle, const unsigned char *data, size_t len)
{
	const uint8_t *name;
	size_t name_len;
	int error = name_parse(data, len, &name, &name_len);
	if (error >= 0)
		name_keep(gnutls_session_get_ptr(handle), name, name_len);
	return error;
}

void tls_host_name(struct tls_session *s)
{
	char name[HOST_NAME_MAX_BYTES + 1];
	size_t len = sizeof(name);
	unsigned type;
	if (s->server_name == NULL &&
	    gnutls_server_name_get(s->handle, name, &len, &type, 0) == 0 && type == GNUTLS_NAME_DNS)
		name_keep(s, name, len);
}

/* --- the choice ------------------------------------------------------------------------------ */

static const struct tls_host *host_find(const struct tls_session *s, const char *name,
					unsigned flags)
{
	const struct tls_hosts *hosts = &s->context->credentials->hosts;
	for (size_t i = 0; i < hosts->count; i++) {
		const struct tls_host *h = &hosts->all[i];
		if ((name == NULL || gnutls_x509_crt_check_hostname2(h->leaf, name, flags)) &&
		    host_fits(h, s))
			return h;
	}
	return NULL;
}

static const struct tls_host *host_choose(const struct tls_session *s)
{
	char name[HOST_NAME_MAX_BYTES + 1];
	const struct tls_host *h = NULL;
	if (s->context->credentials->hosts.count > 1 && name_comparable(s->server_name, name)) {
		h = host_find(s, name, GNUTLS_VERIFY_DO_NOT_ALLOW_WILDCARDS);
		if (h == NULL)
			h = host_find(s, name, 0);
	}
	return h != NULL ? h : host_find(s, NULL, 0);
}

/* GnuTLS calls this once per handshake that needs a certificate, or once per cipher suite after a
 * refusal. */
static int host_retrieve(gnutls_session_t handle, const struct gnutls_cert_retr_st *info,
			 gnutls_pcert_st **chain, unsigned *chain_count, gnutls_ocsp_data_st **ocsp,
			 unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
	struct tls_session *s = gnutls_session_get_ptr(handle);
	(void)info;
	const struct tls_context *c = s->context;
	tls_host_name(s);
	const struct tls_host *h = host_choose(s);
	s->unsuited = h == NULL;
	if (h == NULL)
		return GNUTLS_E_INSUFFICIENT_CREDENTIALS;
	*chain = h->chain;
	*chain_count = h->chain_count;
	*key = c->keys != NULL ? c->keys[h - c->credentials->hosts.all] : h->key;
	*ocsp = NULL;
	*ocsp_count = 0;
	*flags = 0; /* GnuTLS must free nothing of it: context and credentials own it */
	return 0;
}

void tls_host_choose_from(gnutls_certificate_credentials_t credentials)
{
	gnutls_certificate_set_retrieve_function3(credentials, host_retrieve);
}

static int hello_hook(gnutls_session_t handle, unsigned type, unsigned when, unsigned incoming,
		      const gnutls_datum_t *message)
{
	struct tls_session *s = gnutls_session_get_ptr(handle);
	(void)type;
	(void)when;
	(void)incoming;
	tls_hello_read(&s->hello, &s->context->policy->offer, message->data, message->size);
	const int error = s->hello.count == 1 ? tls_tickets_enable(s) : 0;
	s->hello.host = NULL; /* it pointed into the message */
	return error;
}

static int extension_ignore(gnutls_session_t handle, const unsigned char *data, size_t len)
{
	(void)handle;
	(void)data;
	(void)len;
	return 0;
}

static int extension_silent(gnutls_session_t handle, gnutls_buffer_t data)
{
	(void)handle;
	(void)data;
	return 0;
}

/*
 * Extensions that GnuTLS parses itself, more strictly than this server needs: it would end the
 * handshake for a name with an underscore, for example. GnuTLS does not allow them to be replaced
 * by their numbers, but it compares the number as an int and then keeps its lower 16 bits. In a
 * version of GnuTLS that behaves otherwise, its own parser runs as before and only the leniency is
 * lost.
 */
#define EXTENSION_REPLACED(number) (0x10000 | (number))

static const struct {
	int number;
	const char *name;
	gnutls_ext_recv_func receive;
	gnutls_ext_parse_type_t when;
} extensions[] = {
    {0, "server_name", name_receive, GNUTLS_EXT_MANDATORY},
    {5, "status_request", extension_ignore, GNUTLS_EXT_TLS}, /* there is never an OCSP response */
    {12, "srp", extension_ignore, GNUTLS_EXT_TLS},
    {22, "encrypt_then_mac", extension_ignore, GNUTLS_EXT_TLS}, /* for CBC only, RFC 7366 */
};

int tls_host_listen(struct tls_session *s)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (gnutls_session_ext_register(
			s->handle, extensions[i].name, EXTENSION_REPLACED(extensions[i].number),
			extensions[i].when, extensions[i].receive, extension_silent, NULL, NULL,
			NULL, GNUTLS_EXT_FLAG_CLIENT_HELLO) == GNUTLS_E_MEMORY_ERROR)
			return GNUTLS_E_MEMORY_ERROR;
	gnutls_session_set_ptr(s->handle, s);
	gnutls_handshake_set_hook_function(s->handle, GNUTLS_HANDSHAKE_CLIENT_HELLO,
					   GNUTLS_HOOK_PRE, hello_hook);
	return 0;
}
