/*
 * Runs in a keyholder and in bulkhead -t; the check in workers, too. Never in the master.
 */
#include "tls/key.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "tls/content.h"
#include "tls/digest.h"
#include "tls/scheme.h"

/* TLS uses salts as long as the digest (RFC 8446, 4.2.3). A key that is limited to a digest gives a
 * least salt, shorter by default (RFC 4055, 3.1), and GnuTLS signs with that. Raises it to the
 * length of the digest. */
static bool pss_salt_raise(gnutls_x509_spki_t spki)
{
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_UNKNOWN;
	unsigned salt = 0;
	if (gnutls_x509_spki_get_rsa_pss_params(spki, &digest, &salt) < 0 ||
	    digest == GNUTLS_DIG_UNKNOWN || salt >= gnutls_hash_get_len(digest))
		return false;
	gnutls_x509_spki_set_rsa_pss_params(spki, digest, gnutls_hash_get_len(digest));
	return true;
}

static void private_salt_raise(gnutls_privkey_t key)
{
	gnutls_x509_spki_t spki = NULL;
	if (gnutls_privkey_get_pk_algorithm(key, NULL) != GNUTLS_PK_RSA_PSS ||
	    gnutls_x509_spki_init(&spki) < 0)
		return;
	if (gnutls_privkey_get_spki(key, spki, 0) >= 0 && pss_salt_raise(spki))
		(void)gnutls_privkey_set_spki(key, spki, 0);
	gnutls_x509_spki_deinit(spki);
}

static void public_salt_raise(gnutls_pubkey_t key)
{
	gnutls_x509_spki_t spki = NULL;
	if (gnutls_pubkey_get_pk_algorithm(key, NULL) != GNUTLS_PK_RSA_PSS ||
	    gnutls_x509_spki_init(&spki) < 0)
		return;
	if (gnutls_pubkey_get_spki(key, spki, 0) >= 0 && pss_salt_raise(spki))
		(void)gnutls_pubkey_set_spki(key, spki, 0);
	gnutls_x509_spki_deinit(spki);
}

static void explain(const char *path, const char *data, size_t len, int error, struct err *err)
{
	const struct tls_file file = {path, data, len};
	struct text t;
	text_init(&t, err->text, sizeof(err->text));
	tls_content_explain(&file, true, gnutls_strerror(error), &t);
}

int tls_key_load(int fd, const char *path, uint8_t *digest, gnutls_privkey_t *ret, struct err *err)
{
	uint8_t of_file[IPC_DIGEST_BYTES];
	int result = -1;
	char *pem = NULL;
	size_t len = 0;
	gnutls_privkey_t key = NULL;

	int error = fd_read_all(fd, TLS_KEY_FILE_MAX, &pem, &len);
	if (error < 0) {
		err_set(err, "key \"%s\" cannot be read: %s", path, strerror(-error));
		return err_is_shortage(-error) ? -EAGAIN : -1;
	}
	error = gnutls_privkey_init(&key);
	if (error < 0) {
		err_set(err, "key \"%s\": %s", path, gnutls_strerror(error));
		result = -EAGAIN;
		goto out;
	}
	gnutls_datum_t datum = {(unsigned char *)pem, (unsigned)len};
	error = gnutls_privkey_import_x509_raw(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (error < 0) {
		explain(path, pem, len, error, err);
		result = error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
		goto out;
	}
	if (gnutls_privkey_verify_params(key) < 0) {
		err_set(
		    err,
		    "key \"%s\" signs nothing: its numbers do not fit each other, or it has more "
		    "than two primes; one that does: openssl genpkey -algorithm RSA -pkeyopt "
		    "rsa_keygen_bits:2048 -out new.key",
		    path);
		goto out;
	}
	private_salt_raise(key);
	if (digest != NULL) {
		tls_digest(pem, len, of_file);
		tls_digest_add(digest, of_file);
	}
	*ret = key;
	key = NULL;
	result = 0;
out:
	gnutls_privkey_deinit(key);
	explicit_bzero(pem, len);
	free(pem);
	return result;
}

int tls_key_pss_digest(gnutls_pubkey_t public, gnutls_digest_algorithm_t *ret)
{
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_UNKNOWN;
	unsigned salt = 0;
	gnutls_x509_spki_t spki = NULL;
	if (gnutls_pubkey_get_pk_algorithm(public, NULL) == GNUTLS_PK_RSA_PSS &&
	    gnutls_x509_spki_init(&spki) >= 0) {
		if (gnutls_pubkey_get_spki(public, spki, 0) >= 0)
			(void)gnutls_x509_spki_get_rsa_pss_params(spki, &digest, &salt);
		gnutls_x509_spki_deinit(spki);
	}
	*ret = digest;
	switch (digest) {
	case GNUTLS_DIG_UNKNOWN:
		return 0;
	case GNUTLS_DIG_SHA256:
	case GNUTLS_DIG_SHA384:
	case GNUTLS_DIG_SHA512:
		return salt <= gnutls_hash_get_len(digest) ? 0 : -1;
	default:
		return -1;
	}
}

static gnutls_sign_algorithm_t pss_algorithm(gnutls_pubkey_t public)
{
	gnutls_digest_algorithm_t digest;
	if (tls_key_pss_digest(public, &digest) < 0)
		return GNUTLS_SIGN_UNKNOWN;
	return digest == GNUTLS_DIG_SHA512   ? GNUTLS_SIGN_RSA_PSS_SHA512
	       : digest == GNUTLS_DIG_SHA384 ? GNUTLS_SIGN_RSA_PSS_SHA384
					     : GNUTLS_SIGN_RSA_PSS_SHA256;
}

static gnutls_sign_algorithm_t check_algorithm(gnutls_pubkey_t public, gnutls_pk_algorithm_t pk)
{
	switch (pk) {
	case GNUTLS_PK_RSA:
		return GNUTLS_SIGN_RSA_PSS_RSAE_SHA256;
	case GNUTLS_PK_RSA_PSS:
		return pss_algorithm(public);
	case GNUTLS_PK_ECDSA:
		return GNUTLS_SIGN_ECDSA_SHA256;
	case GNUTLS_PK_EDDSA_ED25519:
		return GNUTLS_SIGN_EDDSA_ED25519;
	case GNUTLS_PK_EDDSA_ED448:
		return GNUTLS_SIGN_EDDSA_ED448;
	default:
		return GNUTLS_SIGN_UNKNOWN;
	}
}

/* Signs the content of a CertificateVerify whose transcript hash is zero. A keyholder signs this
 * form, and no handshake can use it, since no preimage of zero is known for SHA-256. */
int tls_key_check(gnutls_privkey_t key, enum tls_side side, gnutls_pubkey_t public)
{
	uint8_t content[TLS_VERIFY_PREFIX + 32] = {0};
	gnutls_datum_t data = {content, sizeof(content)}, signature = {0};
	int pk = gnutls_pubkey_get_pk_algorithm(public, NULL);
	if (gnutls_privkey_get_pk_algorithm(key, NULL) != pk)
		return GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
	gnutls_sign_algorithm_t sign = check_algorithm(public, (gnutls_pk_algorithm_t)pk);
	if (sign == GNUTLS_SIGN_UNKNOWN)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	memcpy(content, tls_verify_prefixes[side], TLS_VERIFY_PREFIX);
	public_salt_raise(public);
	int error = gnutls_privkey_sign_data2(key, sign, 0, &data, &signature);
	if (error < 0)
		return error;
	error = gnutls_pubkey_verify_data2(public, sign, 0, &data, &signature);
	gnutls_free(signature.data);
	return error < 0 ? GNUTLS_E_CERTIFICATE_KEY_MISMATCH : 0;
}
