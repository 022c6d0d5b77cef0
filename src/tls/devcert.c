/*
 * Runs in a short-lived child of the starting master, so that the master never holds the key.
 */
#include "tls/devcert.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define LIFETIME_SEC    (10L * 365 * 86400) /* ten years */
#define CERTIFICATE_MAX 65536

static int state_folder(char path[PATH_MAX], struct err *err)
{
	const char *base = getenv("STATE_DIRECTORY"), *below = "";
	if (base == NULL || base[0] != '/') {
		base = getenv("XDG_STATE_HOME");
		below = "/bulkhead";
	}
	if (base == NULL || base[0] != '/') {
		const struct passwd *pw;
		base = getenv("HOME");
		if ((base == NULL || base[0] != '/') && (pw = getpwuid(getuid())) != NULL)
			base = pw->pw_dir;
		below = "/.local/state/bulkhead";
	}
	if (base == NULL || base[0] != '/') {
		err_set(err, "no place for a development certificate: HOME is not set");
		return -1;
	}
	int n = snprintf(path, PATH_MAX, "%s%s", base, below);
	/* STATE_DIRECTORY may list several, separated by colons: the first is ours. */
	if (n < 0 || n >= PATH_MAX - 16) {
		err_set(err, "no place for a development certificate: the path is too long");
		return -1;
	}
	if (below[0] == '\0')
		path[strcspn(path, ":")] = '\0';
	return 0;
}

/* mkdir -p with mode 0700. */
static int folder_make(char *path, struct err *err)
{
	for (char *p = path + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char end = *p;
		*p = '\0';
		int failed = mkdir(path, 0700) < 0 && errno != EEXIST;
		int error = errno;
		if (failed)
			err_set(err, "cannot make the folder \"%s\": %s", path, strerror(error));
		*p = end;
		if (failed)
			return -1;
		if (end == '\0')
			return 0;
	}
}

static int file_write(const char *path, const gnutls_datum_t *data, mode_t mode, struct err *err)
{
	char temporary[PATH_MAX + 8];
	(void)snprintf(temporary, sizeof(temporary), "%s.new", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		goto fail;
	if (write(fd, data->data, data->size) != (ssize_t)data->size || fsync(fd) < 0)
		goto fail;
	fd_close(&fd);
	if (rename(temporary, path) < 0)
		goto fail;
	return 0;
fail:
	err_set(err, "cannot write \"%s\": %s", path, strerror(errno));
	if (fd >= 0)
		(void)unlink(temporary);
	fd_close(&fd);
	return -1;
}

static int certificate_fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	static const unsigned char loopback4[4] = {127, 0, 0, 1};
	static const unsigned char loopback6[16] = {[15] = 1};
	char host[256] = "";
	unsigned char serial[16], id[20];
	size_t id_len = sizeof(id);
	time_t now = time(NULL);
	int e;

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	if ((e = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial))) < 0)
		return e;
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and never with a leading zero */
	if ((e = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
	    (e = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial))) < 0 ||
	    (e = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0,
					       "Bulkhead development", 20)) < 0 ||
	    (e = gnutls_x509_crt_set_activation_time(crt, now - 3600)) < 0 ||
	    (e = gnutls_x509_crt_set_expiration_time(crt, now + LIFETIME_SEC)) < 0 ||
	    (e = gnutls_x509_crt_set_key(crt, key)) < 0 ||
	    (e = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9,
						      GNUTLS_FSAN_SET)) < 0 ||
	    (host[0] != '\0' && strcmp(host, "localhost") != 0 &&
	     (e = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, host,
						       (unsigned)strlen(host),
						       GNUTLS_FSAN_APPEND)) < 0) ||
	    (e = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, loopback4,
						      sizeof(loopback4), GNUTLS_FSAN_APPEND)) < 0 ||
	    (e = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, loopback6,
						      sizeof(loopback6), GNUTLS_FSAN_APPEND)) < 0 ||
	    (e = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE |
							GNUTLS_KEY_KEY_CERT_SIGN)) < 0 ||
	    (e = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0)) < 0 ||
	    /* Its own issuer, so that "curl --cacert" can trust just this one file. */
	    (e = gnutls_x509_crt_set_basic_constraints(crt, 1, 0)) < 0 ||
	    (e = gnutls_x509_crt_get_key_id(crt, 0, id, &id_len)) < 0 ||
	    (e = gnutls_x509_crt_set_subject_key_id(crt, id, id_len)) < 0)
		return e;
	return 0;
}

static int pair_make(const struct devcert *d, struct err *err)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_privkey_t signer = NULL;
	gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t key_pem = {0}, crt_pem = {0};
	int e, result = -1;

	if ((e = gnutls_x509_privkey_init(&key)) < 0 || (e = gnutls_x509_crt_init(&crt)) < 0 ||
	    (e = gnutls_privkey_init(&signer)) < 0 ||
	    (e = gnutls_x509_privkey_generate(
		 key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)) < 0 ||
	    (e = certificate_fill(crt, key)) < 0 ||
	    (e = gnutls_privkey_import_x509(signer, key, 0)) < 0 ||
	    (e = gnutls_x509_crt_privkey_sign(crt, crt, signer, GNUTLS_DIG_SHA256, 0)) < 0 ||
	    (e = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem)) < 0 ||
	    (e = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &crt_pem)) < 0) {
		err_set(err, "cannot make a development certificate: %s", gnutls_strerror(e));
		goto out;
	}
	if (file_write(d->key, &key_pem, 0600, err) == 0 &&
	    file_write(d->certificate, &crt_pem, 0644, err) == 0)
		result = 0;
out:
	if (key_pem.data != NULL)
		explicit_bzero(key_pem.data, key_pem.size);
	gnutls_free(key_pem.data);
	gnutls_free(crt_pem.data);
	gnutls_privkey_deinit(signer);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return result;
}

static int fingerprint_read(struct devcert *d, struct err *err)
{
	char *pem = NULL;
	size_t len = 0, digest_len = 32;
	unsigned char digest[32];
	gnutls_x509_crt_t crt = NULL;
	int fd = open(d->certificate, O_RDONLY | O_CLOEXEC);
	int e = fd < 0 ? -errno : fd_read_all(fd, CERTIFICATE_MAX, &pem, &len);
	fd_close(&fd);
	if (e < 0) {
		err_set(err, "cannot read \"%s\": %s", d->certificate, strerror(-e));
		return -1;
	}
	gnutls_datum_t datum = {(unsigned char *)pem, (unsigned)len};
	if ((e = gnutls_x509_crt_init(&crt)) >= 0 &&
	    (e = gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM)) >= 0)
		e = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &digest_len);
	gnutls_x509_crt_deinit(crt);
	free(pem);
	if (e < 0) {
		err_set(err, "\"%s\" is damaged (%s); remove it and its key to have them made anew",
			d->certificate, gnutls_strerror(e));
		return -1;
	}
	char *out = d->fingerprint;
	for (size_t i = 0; i < digest_len; i++)
		out += sprintf(out, i == 0 ? "%02X" : ":%02X", digest[i]);
	return 0;
}

int devcert_ensure(struct devcert *ret, struct err *err)
{
	char folder[PATH_MAX];
	int result = -1;
	*ret = (struct devcert){0};
	if (state_folder(folder, err) < 0 || folder_make(folder, err) < 0)
		return -1;
	/* state_folder() left room for the names. */
	(void)snprintf(ret->certificate, PATH_MAX, "%.*s/cert.pem", PATH_MAX - 16, folder);
	(void)snprintf(ret->key, PATH_MAX, "%.*s/key.pem", PATH_MAX - 16, folder);

	int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0) {
		err_set(err, "cannot use the folder \"%s\": %s", folder, strerror(errno));
		goto out;
	}
	bool certificate = access(ret->certificate, F_OK) == 0, key = access(ret->key, F_OK) == 0;
	if (certificate && !key) {
		err_set(err, "\"%s\" has lost its key \"%s\"; remove it to have both made anew",
			ret->certificate, ret->key);
		goto out;
	}
	if (!certificate) { /* a key alone is what an interrupted first start leaves */
		if (pair_make(ret, err) < 0)
			goto out;
		ret->made = true;
	}
	result = fingerprint_read(ret, err);
out:
	fd_close(&lock);
	return result;
}
