/*
 * Runs in a worker before it serves, and the choice in its loops, in the middle of a handshake.
 * Nothing here changes once sessions exist.
 */
#include "tls/identity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tls/certificate.h"
#include "tls/context_private.h"
#include "tls/scheme.h"
#include "tls/session.h"

/* --- a certificate --------------------------------------------------------------------------- */

static gnutls_digest_algorithm_t identity_digest(gnutls_x509_crt_t leaf)
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

void tls_identity_release(struct tls_identity *h)
{
	for (unsigned i = 0; i < h->chain_count; i++)
		gnutls_pcert_deinit(&h->chain[i]);
	free(h->chain);
	gnutls_privkey_deinit(h->key);
	*h = (struct tls_identity){.chain = NULL};
}

/* Sessions send the bytes of an issuer's certificate and never look at its key. */
static int issuer_import(gnutls_pcert_st *to, gnutls_x509_crt_t issuer)
{
	*to = (gnutls_pcert_st){.type = GNUTLS_CRT_X509};
	return gnutls_x509_crt_export2(issuer, GNUTLS_X509_FMT_DER, &to->cert);
}

static int chain_import(struct tls_identity *h, const struct tls_chain *chain)
{
	h->chain = calloc(chain->count, sizeof(*h->chain));
	int error = h->chain == NULL
			? GNUTLS_E_MEMORY_ERROR
			: gnutls_pcert_import_x509(&h->chain[0], chain->certificates[0], 0);
	for (; error >= 0 && ++h->chain_count < chain->count;)
		error =
		    issuer_import(&h->chain[h->chain_count], chain->certificates[h->chain_count]);
	return error;
}

int tls_identity_init(struct tls_identity *h, const struct tls_chain *chain, unsigned pair,
		      gnutls_privkey_t key)
{
	gnutls_x509_crt_t leaf = chain->certificates[0];
	*h = (struct tls_identity){.curve = GNUTLS_ECC_CURVE_INVALID, .pair = pair};
	h->pk = (gnutls_pk_algorithm_t)gnutls_x509_crt_get_pk_algorithm(leaf, NULL);
	if (h->pk == GNUTLS_PK_ECDSA)
		(void)gnutls_x509_crt_get_pk_ecc_raw(leaf, &h->curve, NULL, NULL);
	else if (h->pk == GNUTLS_PK_RSA_PSS)
		h->digest = identity_digest(leaf);
	const int error = chain_import(h, chain);
	if (error < 0)
		tls_identity_release(h);
	else
		h->key = key;
	return error;
}

uint8_t tls_identity_kind(const struct tls_identity *h)
{
	unsigned part = 0;
	switch (h->pk) {
	case GNUTLS_PK_ECDSA:
		part = h->curve == GNUTLS_ECC_CURVE_SECP256R1   ? 0
		       : h->curve == GNUTLS_ECC_CURVE_SECP384R1 ? 1
								: 2;
		break;
	case GNUTLS_PK_EDDSA_ED25519:
		part = 3;
		break;
	case GNUTLS_PK_EDDSA_ED448:
		part = 4;
		break;
	case GNUTLS_PK_RSA:
		part = 5;
		break;
	default: /* RSA-PSS, each with its digest */
		part = h->digest == GNUTLS_DIG_SHA256   ? 6
		       : h->digest == GNUTLS_DIG_SHA384 ? 7
		       : h->digest == GNUTLS_DIG_SHA512 ? 8
							: 9;
		break;
	}
	return (uint8_t)part;
}

/* --- its names ------------------------------------------------------------------------------- */

struct named {
	struct tls_names *names;
	uint32_t set, value;
	uint8_t kind;
};

/* Clients refuse a wildcard for all names below one label, such as "*.example", and an address that
 * is written like a name. */
static int dns_name_add(const struct named *n, const void *name, size_t len)
{
	char folded[TLS_NAME_MAX + 1];
	if (!tls_name_fold(name, len, folded) || tls_name_is_address(folded))
		return 0;
	if (folded[0] == '*' && (folded[1] != '.' || strchr(folded + 2, '.') == NULL))
		return 0;
	return tls_names_add(n->names, n->set, folded, n->value, n->kind);
}

static int address_add(const struct named *n, const void *address, size_t len)
{
	char text[INET6_ADDRSTRLEN], folded[TLS_NAME_MAX + 1];
	if ((len != 4 && len != 16) ||
	    inet_ntop(len == 4 ? AF_INET : AF_INET6, address, text, sizeof(text)) == NULL ||
	    !tls_name_fold(text, strlen(text), folded))
		return 0;
	return tls_names_add(n->names, n->set, folded, n->value, n->kind);
}

/* RFC 6125, 6.4.4: if there is no other name. */
static int common_name_add(const struct named *n, gnutls_x509_crt_t leaf)
{
	char name[TLS_NAME_MAX + 1];
	size_t len = 0;
	if (!gnutls_x509_crt_check_key_purpose(leaf, GNUTLS_KP_TLS_WWW_SERVER, 0) ||
	    gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 1, 0, NULL, &len) !=
		GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return 0;
	len = sizeof(name);
	if (gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) < 0)
		return 0;
	return dns_name_add(n, name, len);
}

/* An SRVName (RFC 4985, 2). */
static bool is_service_name(gnutls_x509_crt_t leaf, unsigned at)
{
	char oid[32];
	size_t len = sizeof(oid);
	return gnutls_x509_crt_get_subject_alt_othername_oid(leaf, at, oid, &len) >= 0 &&
	       strcmp(oid, "1.3.6.1.5.5.7.8.7") == 0;
}

static bool precludes_common_name(gnutls_x509_crt_t leaf, unsigned at, int type)
{
	return type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_IPADDRESS ||
	       type == GNUTLS_SAN_URI || type == GNUTLS_E_SHORT_MEMORY_BUFFER ||
	       (type == GNUTLS_SAN_OTHERNAME && is_service_name(leaf, at));
}

int tls_identity_names(gnutls_x509_crt_t leaf, struct tls_names *names, uint32_t set,
		       uint32_t value, uint8_t kind)
{
	const struct named n = {names, set, value, kind};
	bool has_names = false;
	int error = 0;
	for (unsigned i = 0; i < TLS_NAMES_MAX && error == 0; i++) {
		char name[TLS_NAME_MAX + 2];
		size_t len = sizeof(name);
		const int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &len, NULL);
		if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
			break;
		has_names = has_names || precludes_common_name(leaf, i, type);
		if (type == GNUTLS_SAN_DNSNAME)
			error = dns_name_add(&n, name, len);
		else if (type == GNUTLS_SAN_IPADDRESS)
			error = address_add(&n, name, len);
	}
	return error < 0 || has_names ? error : common_name_add(&n, leaf);
}

/* --- what the client can verify -------------------------------------------------------------- */

/* Without the groups of RFC 7919 there is no DHE. */
static bool has_finite_fields(gnutls_priority_t priority)
{
	const unsigned *groups;
	const int count = gnutls_priority_group_list(priority, &groups);
	for (int i = 0; i < count; i++)
		if (groups[i] >= GNUTLS_GROUP_FFDHE2048 && groups[i] <= GNUTLS_GROUP_FFDHE6144)
			return true;
	return false;
}

static unsigned versions_read(gnutls_priority_t priority)
{
	const unsigned *all;
	const int count = gnutls_priority_protocol_list(priority, &all);
	unsigned versions = 0;
	for (int i = 0; i < count; i++)
		versions |= all[i] == GNUTLS_TLS1_3   ? TLS_WORD_13
			    : all[i] == GNUTLS_TLS1_2 ? TLS_WORD_12
						      : 0;
	return versions;
}

void tls_offer_read(struct tls_offer *o, gnutls_priority_t priority)
{
	const bool finite = has_finite_fields(priority);
	unsigned index, versions = 0;
	*o = (struct tls_offer){0};
	o->signs_count = gnutls_priority_sign_list(priority, &o->signs);
	for (unsigned i = 0; o->suites_count < SUITES_MAX; i++) {
		struct tls_suite suite = {0};
		gnutls_kx_algorithm_t exchange = GNUTLS_KX_UNKNOWN;
		gnutls_protocol_t least = GNUTLS_VERSION_UNKNOWN;
		int error = gnutls_priority_get_cipher_suite_index(priority, i, &index);
		if (error == GNUTLS_E_UNKNOWN_CIPHER_SUITE)
			continue;
		if (error < 0 || gnutls_cipher_suite_info(index, suite.id, &exchange, NULL, NULL,
							  &least) == NULL)
			break;
		if (exchange == GNUTLS_KX_ECDHE_ECDSA)
			suite.kind = SUITES_ECDSA;
		else if (exchange == GNUTLS_KX_ECDHE_RSA ||
			 (exchange == GNUTLS_KX_DHE_RSA && finite))
			suite.kind = SUITES_RSA;
		versions |= least == GNUTLS_TLS1_3 ? TLS_WORD_13 : 0;
		if (suite.kind != 0)
			o->suites[o->suites_count++] = suite;
	}
	versions |= o->suites_count > 0 ? TLS_WORD_12 : 0;
	o->versions = versions & versions_read(priority);
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
static bool scheme_fits(const struct tls_identity *h, const struct tls_scheme *s, bool tls13)
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
static bool suites_fit(const struct tls_identity *h, unsigned suites)
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

unsigned tls_identity_versions(const struct tls_identity *h, const struct tls_offer *o)
{
	unsigned suites = 0, versions = 0;
	for (size_t i = 0; i < o->suites_count; i++)
		suites |= o->suites[i].kind;
	for (int i = 0; i < o->signs_count; i++) {
		const struct tls_scheme *scheme =
		    tls_scheme_by_sign(h->pk, (gnutls_sign_algorithm_t)o->signs[i], NULL);
		if (scheme == NULL)
			continue;
		if (scheme_fits(h, scheme, true))
			versions |= TLS_WORD_13;
		if (scheme_fits(h, scheme, false) && suites_fit(h, suites))
			versions |= TLS_WORD_12;
	}
	return versions & o->versions;
}

bool tls_identity_fits(const struct tls_identity *h, const struct tls_session *s)
{
	const struct tls_offer *offer = &s->context->policy->offer;
	bool tls13 = gnutls_protocol_get_version(s->flow.handle) == GNUTLS_TLS1_3;
	gnutls_sign_algorithm_t sign;
	if (!tls13 && !suites_fit(h, s->hello.suites))
		return false;
	for (size_t i = 0; gnutls_sign_algorithm_get_requested(s->flow.handle, i, &sign) >= 0;
	     i++) {
		const struct tls_scheme *scheme = tls_scheme_by_sign(h->pk, sign, NULL);
		if (scheme != NULL && scheme_fits(h, scheme, tls13) && sign_is_offered(offer, sign))
			return true;
	}
	return false;
}
