/*
 * Runs in a keyholder and in bulkhead -t; the check in workers, too. Never in the master.
 */
#include "tls/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "tls/digest.h"
#include "tls/scheme.h"

#define KEY_FILE_MAX 65536

int tls_key_load(int fd, const char *path, uint8_t *digest, gnutls_privkey_t *ret, struct err *err)
{
	uint8_t of_file[TLS_DIGEST_BYTES];
	int result = -1;
	char *pem = NULL;
	size_t len = 0;
	gnutls_privkey_t key = NULL;

	int error = fd_read_all(fd, KEY_FILE_MAX, &pem, &len);
	if (error < 0) {
		err_set(err, "key \"%s\" cannot be read: %s", path, strerror(-error));
		return -1;
	}
	error = gnutls_privkey_init(&key);
	if (error < 0) {
		err_set(err, "key \"%s\": %s", path, gnutls_strerror(error));
		goto out;
	}
	gnutls_datum_t datum = {(unsigned char *)pem, (unsigned)len};
	error = gnutls_privkey_import_x509_raw(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (error == GNUTLS_E_DECRYPTION_FAILED || error == GNUTLS_E_PKCS11_PIN_ERROR) {
		err_set(err, "key \"%s\" is encrypted; a server needs it without a passphrase",
			path);
		goto out;
	}
	if (error < 0) {
		err_set(err, "key \"%s\" is not a private key in PEM: %s", path,
			gnutls_strerror(error));
		goto out;
	}
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

static gnutls_sign_algorithm_t check_algorithm(gnutls_pk_algorithm_t pk)
{
	switch (pk) {
	case GNUTLS_PK_RSA:
		return GNUTLS_SIGN_RSA_PSS_RSAE_SHA256;
	case GNUTLS_PK_RSA_PSS:
		return GNUTLS_SIGN_RSA_PSS_SHA256;
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

/* The content of a CertificateVerify whose transcript hash is zero: in the form that a keyholder
 * signs, and of no handshake, since SHA-256 has no known preimage of that. */
int tls_key_check(gnutls_privkey_t key, gnutls_pubkey_t public)
{
	uint8_t content[TLS_VERIFY_PREFIX + 32] = {0};
	gnutls_datum_t data = {content, sizeof(content)}, signature = {0};
	int pk = gnutls_pubkey_get_pk_algorithm(public, NULL);
	if (gnutls_privkey_get_pk_algorithm(key, NULL) != pk)
		return GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
	gnutls_sign_algorithm_t sign = check_algorithm((gnutls_pk_algorithm_t)pk);
	if (sign == GNUTLS_SIGN_UNKNOWN)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	memcpy(content, tls_verify_prefix, TLS_VERIFY_PREFIX);
	int error = gnutls_privkey_sign_data2(key, sign, 0, &data, &signature);
	if (error < 0)
		return error;
	error = gnutls_pubkey_verify_data2(public, sign, 0, &data, &signature);
	gnutls_free(signature.data);
	return error < 0 ? GNUTLS_E_CERTIFICATE_KEY_MISMATCH : 0;
}
