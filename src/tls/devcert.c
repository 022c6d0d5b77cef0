/*
 * Runs in a short-lived child of the master, which waits for it at the start and in a reload: the
 * master never reads the key. Must not wait for other processes for long.
 */
#include "tls/devcert.h"

#include <errno.h>
#include <fcntl.h>
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
#include "selfsigned.h"

#define LIFETIME_SEC    (10L * 365 * 86400) /* ten years */
#define CERTIFICATE_MAX 65536
#define LOCK_TRIES      300 /* ... of LOCK_PAUSE_MS: the master waits for this, also in a reload */
#define LOCK_PAUSE_MS   10

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
	/* STATE_DIRECTORY may list several, separated by colons; the first one is used. */
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

struct pair {
	gnutls_datum_t certificate, key; /* PEM */
};

static void pair_release(struct pair *pair)
{
	if (pair->key.data != NULL)
		explicit_bzero(pair->key.data, pair->key.size);
	gnutls_free(pair->key.data);
	gnutls_free(pair->certificate.data);
}

/* The caller releases *ret in any case. */
static int pair_make(struct pair *ret, struct err *err)
{
	char host[256] = "";
	time_t now = time(NULL);
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	int e;

	*ret = (struct pair){0};
	if (gethostname(host, sizeof(host) - 1) < 0 || strcmp(host, "localhost") == 0)
		host[0] = '\0';
	const struct selfsigned wanted = {.subject = "Bulkhead development",
					  .names = {"localhost", host},
					  .loopback = true,
					  .since = now - 3600,
					  .until = now + LIFETIME_SEC};
	if ((e = selfsigned_make(&wanted, &crt, &key)) < 0 ||
	    (e = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &ret->key)) < 0 ||
	    (e = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &ret->certificate)) < 0)
		err_set(err, "cannot make a development certificate: %s", gnutls_strerror(e));
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return e < 0 ? -1 : 0;
}

/* Makes and writes a pair. */
static int pair_keep(struct devcert *d, struct err *err)
{
	struct pair pair;
	int result = pair_make(&pair, err);
	if (result == 0 && (file_write(d->key, &pair.key, 0600, err) < 0 ||
			    file_write(d->certificate, &pair.certificate, 0644, err) < 0))
		result = DEVCERT_NO_PLACE;
	pair_release(&pair);
	d->made = true;
	return result;
}

static int fingerprint_set(struct devcert *d, const gnutls_datum_t *pem)
{
	size_t digest_len = 32;
	unsigned char digest[32];
	gnutls_x509_crt_t crt = NULL;
	int e;
	if ((e = gnutls_x509_crt_init(&crt)) >= 0 &&
	    (e = gnutls_x509_crt_import(crt, pem, GNUTLS_X509_FMT_PEM)) >= 0)
		e = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &digest_len);
	gnutls_x509_crt_deinit(crt);
	if (e < 0)
		return e;
	char *out = d->fingerprint;
	for (size_t i = 0; i < digest_len; i++)
		out += sprintf(out, i == 0 ? "%02X" : ":%02X", digest[i]);
	return 0;
}

static int fingerprint_read(struct devcert *d, struct err *err)
{
	char *pem = NULL;
	size_t len = 0;
	int fd = open(d->certificate, O_RDONLY | O_CLOEXEC);
	int e = fd < 0 ? -errno : fd_read_all(fd, CERTIFICATE_MAX, &pem, &len);
	fd_close(&fd);
	if (e < 0) {
		err_set(err, "cannot read \"%s\": %s", d->certificate, strerror(-e));
		return -1;
	}
	e = fingerprint_set(d, &(const gnutls_datum_t){(unsigned char *)pem, (unsigned)len});
	free(pem);
	if (e < 0) {
		err_set(
		    err,
		    "\"%s\" is damaged (%s); remove it and its key, and Bulkhead makes new ones",
		    d->certificate, gnutls_strerror(e));
		return -1;
	}
	return 0;
}

/* state_folder() left room for the names. */
static void pair_name(struct devcert *ret, const char *folder)
{
	*ret = (struct devcert){0};
	(void)snprintf(ret->certificate, PATH_MAX, "%.*s/cert.pem", PATH_MAX - 16, folder);
	(void)snprintf(ret->key, PATH_MAX, "%.*s/key.pem", PATH_MAX - 16, folder);
}

/* May this user write it, or the first folder above it that exists? */
static bool may_be_kept(const char *folder)
{
	char path[PATH_MAX];
	(void)strlcpy(path, folder, sizeof(path));
	while (access(path, F_OK) < 0) {
		char *slash = strrchr(path, '/');
		if (errno != ENOENT || slash == NULL)
			return false;
		slash[slash == path] = '\0';
	}
	return access(path, W_OK | X_OK) == 0;
}

static void key_miss(const struct devcert *d, struct err *err)
{
	err_set(err, "\"%s\" has no key \"%s\" any more; remove it, and Bulkhead makes both",
		d->certificate, d->key);
}

int devcert_find(struct devcert *ret, struct err *err)
{
	char folder[PATH_MAX];
	*ret = (struct devcert){0};
	if (state_folder(folder, err) < 0)
		return -1;
	pair_name(ret, folder);
	bool certificate = access(ret->certificate, F_OK) == 0, key = access(ret->key, F_OK) == 0;
	if (certificate && key)
		return 1;
	if (certificate) {
		key_miss(ret, err);
		return -1;
	}
	if (may_be_kept(folder))
		return 0;
	err_set(err,
		"the development certificate cannot be kept in \"%s\": each start makes another "
		"one",
		folder);
	return -1;
}

/* Another server that makes its pair holds the lock for milliseconds. */
static int folder_lock(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || i == LOCK_TRIES)
			return -1;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int devcert_ensure(struct devcert *ret, struct err *err)
{
	char folder[PATH_MAX];
	int result = -1;
	*ret = (struct devcert){0};
	if (state_folder(folder, err) < 0 || folder_make(folder, err) < 0)
		return DEVCERT_NO_PLACE;
	pair_name(ret, folder);
	int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || folder_lock(lock) < 0) {
		err_set(err, "cannot use the folder \"%s\": %s", folder,
			errno == EWOULDBLOCK ? "another process has locked it" : strerror(errno));
		goto out;
	}
	bool certificate = access(ret->certificate, F_OK) == 0, key = access(ret->key, F_OK) == 0;
	if (certificate && !key) {
		err_set(err,
			"\"%s\" has no key \"%s\" any more; remove it, and Bulkhead makes both",
			ret->certificate, ret->key);
		goto out;
	}
	/* An interrupted first start leaves a key without a certificate. */
	if (!certificate && (result = pair_keep(ret, err)) < 0)
		goto out;
	result = fingerprint_read(ret, err);
out:
	fd_close(&lock);
	return result;
}

static int memory_write(int fd, const gnutls_datum_t *data, struct err *err)
{
	if (write(fd, data->data, data->size) == (ssize_t)data->size)
		return 0;
	err_set(err, "cannot make a development certificate: no memory");
	return -1;
}

int devcert_unkept(int certificate_fd, int key_fd, struct devcert *ret, struct err *err)
{
	struct pair pair;
	*ret = (struct devcert){.made = true, .unkept = true};
	(void)snprintf(ret->certificate, PATH_MAX, "/proc/self/fd/%d", certificate_fd);
	(void)snprintf(ret->key, PATH_MAX, "/proc/self/fd/%d", key_fd);
	int result = pair_make(&pair, err);
	if (result == 0 && (memory_write(key_fd, &pair.key, err) < 0 ||
			    memory_write(certificate_fd, &pair.certificate, err) < 0))
		result = -1;
	if (result == 0 && fingerprint_set(ret, &pair.certificate) < 0) {
		err_set(err, "cannot make a development certificate: it has no fingerprint");
		result = -1;
	}
	pair_release(&pair);
	return result;
}
