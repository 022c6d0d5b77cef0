/* Runs in workers, and in keyholders on requests from a worker. Must never accept a form that TLS
 * does not have. */
#include "tls/scheme.h"

#include <gnutls/crypto.h>
#include <string.h>

#define DIGEST_INFO_PREFIX 19

static const struct tls_scheme schemes[] = {
    {0x0403, TLS_FORM_DIGEST, GNUTLS_PK_ECDSA, GNUTLS_DIG_SHA256, GNUTLS_SIGN_ECDSA_SHA256,
     GNUTLS_SIGN_ECDSA_SECP256R1_SHA256},
    {0x0503, TLS_FORM_DIGEST, GNUTLS_PK_ECDSA, GNUTLS_DIG_SHA384, GNUTLS_SIGN_ECDSA_SHA384,
     GNUTLS_SIGN_ECDSA_SECP384R1_SHA384},
    {0x0603, TLS_FORM_DIGEST, GNUTLS_PK_ECDSA, GNUTLS_DIG_SHA512, GNUTLS_SIGN_ECDSA_SHA512,
     GNUTLS_SIGN_ECDSA_SECP521R1_SHA512},
    {0x0804, TLS_FORM_DIGEST, GNUTLS_PK_RSA, GNUTLS_DIG_SHA256, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256,
     GNUTLS_SIGN_RSA_PSS_RSAE_SHA256},
    {0x0805, TLS_FORM_DIGEST, GNUTLS_PK_RSA, GNUTLS_DIG_SHA384, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384,
     GNUTLS_SIGN_RSA_PSS_RSAE_SHA384},
    {0x0806, TLS_FORM_DIGEST, GNUTLS_PK_RSA, GNUTLS_DIG_SHA512, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512,
     GNUTLS_SIGN_RSA_PSS_RSAE_SHA512},
    {0x0809, TLS_FORM_DIGEST, GNUTLS_PK_RSA_PSS, GNUTLS_DIG_SHA256, GNUTLS_SIGN_RSA_PSS_SHA256,
     GNUTLS_SIGN_RSA_PSS_SHA256},
    {0x080a, TLS_FORM_DIGEST, GNUTLS_PK_RSA_PSS, GNUTLS_DIG_SHA384, GNUTLS_SIGN_RSA_PSS_SHA384,
     GNUTLS_SIGN_RSA_PSS_SHA384},
    {0x080b, TLS_FORM_DIGEST, GNUTLS_PK_RSA_PSS, GNUTLS_DIG_SHA512, GNUTLS_SIGN_RSA_PSS_SHA512,
     GNUTLS_SIGN_RSA_PSS_SHA512},
    {0x0401, TLS_FORM_DIGEST_INFO, GNUTLS_PK_RSA, GNUTLS_DIG_SHA256, GNUTLS_SIGN_RSA_SHA256,
     GNUTLS_SIGN_RSA_SHA256},
    {0x0501, TLS_FORM_DIGEST_INFO, GNUTLS_PK_RSA, GNUTLS_DIG_SHA384, GNUTLS_SIGN_RSA_SHA384,
     GNUTLS_SIGN_RSA_SHA384},
    {0x0601, TLS_FORM_DIGEST_INFO, GNUTLS_PK_RSA, GNUTLS_DIG_SHA512, GNUTLS_SIGN_RSA_SHA512,
     GNUTLS_SIGN_RSA_SHA512},
    {0x0807, TLS_FORM_VERIFY, GNUTLS_PK_EDDSA_ED25519, GNUTLS_DIG_UNKNOWN,
     GNUTLS_SIGN_EDDSA_ED25519, GNUTLS_SIGN_EDDSA_ED25519},
    {0x0808, TLS_FORM_VERIFY, GNUTLS_PK_EDDSA_ED448, GNUTLS_DIG_UNKNOWN, GNUTLS_SIGN_EDDSA_ED448,
     GNUTLS_SIGN_EDDSA_ED448},
};
#define SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

#define BLANKS "                                                                " /* 64 */
/* With their terminators. */
const uint8_t tls_verify_prefixes[TLS_SIDES][TLS_VERIFY_PREFIX] = {
    [TLS_SIDE_SERVER] = BLANKS "TLS 1.3, server CertificateVerify",
    [TLS_SIDE_CLIENT] = BLANKS "TLS 1.3, client CertificateVerify"};

/* Writes the DigestInfo before the digest (RFC 8017, 9.2, note 1). Those of the three digests
 * differ in three bytes. */
static void digest_info_prefix(gnutls_digest_algorithm_t digest, uint8_t out[DIGEST_INFO_PREFIX])
{
	static const uint8_t sha256[DIGEST_INFO_PREFIX] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
							   0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
							   0x01, 0x05, 0x00, 0x04, 0x20};
	unsigned len = (unsigned)gnutls_hash_get_len(digest);
	memcpy(out, sha256, DIGEST_INFO_PREFIX);
	out[1] = (uint8_t)(DIGEST_INFO_PREFIX - 2 + len);
	out[14] = digest == GNUTLS_DIG_SHA256 ? 1 : digest == GNUTLS_DIG_SHA384 ? 2 : 3;
	out[18] = (uint8_t)len;
}

const struct tls_scheme *tls_scheme_by_code(gnutls_pk_algorithm_t pk, uint16_t code)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (schemes[i].pk == pk && schemes[i].code == code)
			return &schemes[i];
	return NULL;
}

const struct tls_scheme *tls_scheme_by_sign(gnutls_pk_algorithm_t pk, gnutls_sign_algorithm_t sign,
					    const gnutls_datum_t *data)
{
	gnutls_datum_t digest;
	for (size_t i = 0; i < SCHEMES; i++) {
		const struct tls_scheme *s = &schemes[i];
		bool fits = sign != GNUTLS_SIGN_RSA_RAW
				? s->sign == sign || s->sign13 == sign
				: s->form == TLS_FORM_DIGEST_INFO && data != NULL &&
				      tls_scheme_check(s, TLS_SIDE_SERVER, data, &digest);
		if (s->pk == pk && fits)
			return s;
	}
	return NULL;
}

/* 32 or 48 bytes: the hashes of TLS 1.3's cipher suites (RFC 8446, B.4). */
static bool is_verify(enum tls_side side, const gnutls_datum_t *data)
{
	return (data->size == TLS_VERIFY_PREFIX + 32 || data->size == TLS_VERIFY_PREFIX + 48) &&
	       memcmp(data->data, tls_verify_prefixes[side], TLS_VERIFY_PREFIX) == 0;
}

bool tls_scheme_check(const struct tls_scheme *s, enum tls_side side, const gnutls_datum_t *data,
		      gnutls_datum_t *ret_digest)
{
	uint8_t prefix[DIGEST_INFO_PREFIX];
	switch (s->form) {
	case TLS_FORM_DIGEST:
		*ret_digest = *data;
		return data->size == (unsigned)gnutls_hash_get_len(s->digest);
	case TLS_FORM_DIGEST_INFO:
		digest_info_prefix(s->digest, prefix);
		if (data->size != DIGEST_INFO_PREFIX + (unsigned)gnutls_hash_get_len(s->digest) ||
		    memcmp(data->data, prefix, DIGEST_INFO_PREFIX) != 0)
			return false;
		*ret_digest = (gnutls_datum_t){data->data + DIGEST_INFO_PREFIX,
					       data->size - DIGEST_INFO_PREFIX};
		return true;
	case TLS_FORM_VERIFY:
		*ret_digest = *data;
		return is_verify(side, data);
	}
	return false;
}
