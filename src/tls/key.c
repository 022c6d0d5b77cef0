/*
 * Runs in a worker before it serves, and in bulkhead -t. Never in the master.
 */
#include "tls/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define KEY_FILE_MAX 65536

int tls_key_load(const char *path, gnutls_privkey_t *ret, struct err *err)
{
	int result = -1;
	char *pem = NULL;
	size_t len = 0;
	gnutls_privkey_t key = NULL;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int error = fd < 0 ? -errno : fd_read_all(fd, KEY_FILE_MAX, &pem, &len);
	fd_close(&fd);
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
	*ret = key;
	key = NULL;
	result = 0;
out:
	gnutls_privkey_deinit(key);
	if (pem != NULL)
		explicit_bzero(pem, len);
	free(pem);
	return result;
}
