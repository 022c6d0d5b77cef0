/* Runs where a development certificate is made, and in workers of ports that have faults, before
 * they are sealed. Must never leave a key behind when it fails. */
#include "selfsigned.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <string.h>

static int name_add(gnutls_x509_crt_t crt, gnutls_x509_subject_alt_name_t type, const void *name,
		    size_t len)
{
	return gnutls_x509_crt_set_subject_alt_name(crt, type, name, (unsigned)len,
						    GNUTLS_FSAN_APPEND);
}

static int names_fill(gnutls_x509_crt_t crt, const struct selfsigned *s)
{
	static const unsigned char loopback4[4] = {127, 0, 0, 1};
	static const unsigned char loopback6[16] = {[15] = 1};
	int e = 0;
	for (size_t i = 0; i < sizeof(s->names) / sizeof(s->names[0]) && e >= 0; i++)
		if (s->names[i] != NULL && s->names[i][0] != '\0')
			e = name_add(crt, GNUTLS_SAN_DNSNAME, s->names[i], strlen(s->names[i]));
	if (e < 0 || !s->loopback)
		return e;
	if ((e = name_add(crt, GNUTLS_SAN_IPADDRESS, loopback4, sizeof(loopback4))) < 0)
		return e;
	return name_add(crt, GNUTLS_SAN_IPADDRESS, loopback6, sizeof(loopback6));
}

static int certificate_fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key,
			    const struct selfsigned *s)
{
	unsigned char serial[16], id[20];
	size_t id_len = sizeof(id);
	int e;

	if ((e = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial))) < 0)
		return e;
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and without a leading zero */
	if ((e = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
	    (e = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial))) < 0 ||
	    (e = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, s->subject,
					       (unsigned)strlen(s->subject))) < 0 ||
	    (e = gnutls_x509_crt_set_activation_time(crt, s->since)) < 0 ||
	    (e = gnutls_x509_crt_set_expiration_time(crt, s->until)) < 0 ||
	    (e = gnutls_x509_crt_set_key(crt, key)) < 0 || (e = names_fill(crt, s)) < 0 ||
	    (e = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE |
							GNUTLS_KEY_KEY_CERT_SIGN)) < 0 ||
	    (e = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0)) < 0 ||
	    /* It is its own issuer, so that "curl --cacert" can trust this file alone. */
	    (e = gnutls_x509_crt_set_basic_constraints(crt, 1, 0)) < 0 ||
	    (e = gnutls_x509_crt_get_key_id(crt, 0, id, &id_len)) < 0 ||
	    (e = gnutls_x509_crt_set_subject_key_id(crt, id, id_len)) < 0)
		return e;
	return 0;
}

int selfsigned_make(const struct selfsigned *s, gnutls_x509_crt_t *ret,
		    gnutls_x509_privkey_t *ret_key)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_privkey_t signer = NULL;
	gnutls_x509_crt_t crt = NULL;
	int e;
	if ((e = gnutls_x509_privkey_init(&key)) >= 0 && (e = gnutls_x509_crt_init(&crt)) >= 0 &&
	    (e = gnutls_privkey_init(&signer)) >= 0 &&
	    (e = gnutls_x509_privkey_generate(
		 key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)) >= 0 &&
	    (e = certificate_fill(crt, key, s)) >= 0 &&
	    (e = gnutls_privkey_import_x509(signer, key, 0)) >= 0)
		e = gnutls_x509_crt_privkey_sign(crt, crt, signer, GNUTLS_DIG_SHA256, 0);
	gnutls_privkey_deinit(signer);
	if (e >= 0) {
		*ret = crt;
		*ret_key = key;
		return 0;
	}
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return e;
}
