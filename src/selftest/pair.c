/* Runs in the selftest, before its master. Must never make a key that serves real clients. */
#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define LIFETIME_SEC 86400
#define RSA_BITS     2048

/* --- the needles ------------------------------------------------------------------------------ */

/* Adds the number in both byte orders: as in the file formats, and as GMP's limbs on most
 * machines. */
static void number_add(struct needles *n, const gnutls_datum_t *number)
{
	const uint8_t *last = number->data + number->size - 1;
	if (number->size < NEEDLE_BYTES || n->count + 2 > NEEDLES_MAX)
		return;
	struct needle *forward = &n->list[n->count++], *backward = &n->list[n->count++];
	for (size_t i = 0; i < NEEDLE_BYTES; i++) {
		forward->masked[NEEDLE_BYTES - 1 - i] = *(last - i) ^ NEEDLE_MASK;
		backward->masked[i] = *(last - i) ^ NEEDLE_MASK;
	}
}

/* Adds a part of the file's text that contains the secret number: the first lines of an RSA key are
 * public. */
static void text_add_needle(struct needles *n, enum pair_kind kind, const gnutls_datum_t *pem)
{
	const unsigned lines = kind == PAIR_RSA ? 9 : 1;
	const uint8_t *at = pem->data, *end = pem->data + pem->size;
	for (unsigned i = 0; i < lines && at != NULL; i++) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at == NULL ? NULL : at + 1;
	}
	if (at == NULL || end - at < 20 + NEEDLE_BYTES || n->count == NEEDLES_MAX)
		return;
	at += kind == PAIR_ED25519 ? 24 : 16;
	struct needle *text = &n->list[n->count++];
	for (size_t i = 0; i < NEEDLE_BYTES; i++)
		text->masked[i] = at[i] ^ NEEDLE_MASK;
}

static void datum_wipe(gnutls_datum_t *d)
{
	if (d->data != NULL)
		explicit_bzero(d->data, d->size);
	gnutls_free(d->data);
	d->data = NULL;
}

static int needles_add(struct needles *n, enum pair_kind kind, gnutls_x509_privkey_t key,
		       const gnutls_datum_t *pem)
{
	gnutls_datum_t part[6] = {{0}};
	gnutls_ecc_curve_t curve;
	int e = kind == PAIR_RSA
		    ? gnutls_x509_privkey_export_rsa_raw(key, &part[0], &part[1], &part[2],
							 &part[3], &part[4], &part[5])
		    : gnutls_x509_privkey_export_ecc_raw(key, &curve, &part[0], &part[1], &part[2]);
	if (e >= 0) {
		number_add(n, &part[kind == PAIR_RSA ? 3 : 2]); /* a prime, or the scalar */
		text_add_needle(n, kind, pem);
	}
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		datum_wipe(&part[i]);
	return e;
}

/* --- making a pair ---------------------------------------------------------------------------- */

static int key_generate(enum pair_kind kind, gnutls_x509_privkey_t key)
{
	switch (kind) {
	case PAIR_ECDSA:
		return gnutls_x509_privkey_generate(
		    key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	case PAIR_RSA:
		return gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, RSA_BITS, 0);
	case PAIR_ED25519:
	case PAIR_KINDS:
		break;
	}
	return gnutls_x509_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519, 256, 0);
}

static int certificate_sign(enum pair_kind kind, gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	const unsigned char serial = 1;
	const time_t now = time(NULL);
	gnutls_privkey_t signer = NULL;
	int e;
	if ((e = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
	    (e = gnutls_x509_crt_set_serial(crt, &serial, sizeof(serial))) < 0 ||
	    (e = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0,
					       "Bulkhead selftest", 17)) < 0 ||
	    (e = gnutls_x509_crt_set_activation_time(crt, now - 3600)) < 0 ||
	    (e = gnutls_x509_crt_set_expiration_time(crt, now + LIFETIME_SEC)) < 0 ||
	    (e = gnutls_x509_crt_set_key(crt, key)) < 0 ||
	    (e = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9,
						      GNUTLS_FSAN_SET)) < 0 ||
	    (e = gnutls_privkey_init(&signer)) < 0)
		return e;
	if ((e = gnutls_privkey_import_x509(signer, key, 0)) >= 0)
		e = gnutls_x509_crt_privkey_sign(
		    crt, crt, signer, kind == PAIR_ED25519 ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256,
		    0);
	gnutls_privkey_deinit(signer);
	return e;
}

/* GnuTLS writes an Ed25519 key in a traditional form that it cannot read. */
static int key_export(enum pair_kind kind, gnutls_x509_privkey_t key, gnutls_datum_t *ret)
{
	if (kind == PAIR_ED25519)
		return gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							 GNUTLS_PKCS_PLAIN, ret);
	return gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, ret);
}

static int file_write(const char *path, const gnutls_datum_t *data, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n = fd < 0 ? -1 : write(fd, data->data, data->size);
	if (n != (ssize_t)data->size)
		err_set(err, "cannot write \"%s\": %s", path, strerror(errno));
	fd_close(&fd);
	return n == (ssize_t)data->size ? 0 : -1;
}

int pair_make(enum pair_kind kind, const char *certificate_path, const char *key_path,
	      struct needles *n, struct err *err)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t key_pem = {0}, crt_pem = {0};
	int e, result = -1;
	if ((e = gnutls_x509_privkey_init(&key)) < 0 || (e = gnutls_x509_crt_init(&crt)) < 0 ||
	    (e = key_generate(kind, key)) < 0 || (e = certificate_sign(kind, crt, key)) < 0 ||
	    (e = key_export(kind, key, &key_pem)) < 0 ||
	    (e = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &crt_pem)) < 0 ||
	    (n != NULL && (e = needles_add(n, kind, key, &key_pem)) < 0))
		err_set(err, "cannot make a throwaway certificate: %s", gnutls_strerror(e));
	else if (file_write(key_path, &key_pem, err) == 0 &&
		 file_write(certificate_path, &crt_pem, err) == 0)
		result = 0;
	datum_wipe(&key_pem);
	gnutls_free(crt_pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return result;
}
