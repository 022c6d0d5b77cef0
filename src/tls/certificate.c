/*
 * Runs in a worker before it serves, and in bulkhead -t, on a file that a person chose. Must never
 * let a private key pass, nor a certificate with which no handshake can succeed.
 */
#include "tls/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/text.h"
#include "base/validity.h"
#include "ipc/key.h"
#include "tls/content.h"
#include "tls/key.h"

#define FILE_BYTES_MAX (1 << 20)
#define RSA_BITS_LEAST 1024 /* present clients accept no shorter key */
#define RSA_BITS_512   1034 /* needed by RSA-PSS with SHA-512 and its salt (RFC 8017, 9.1.1) */
#define RSA_BITS_MOST  (8 * IPC_KEY_SIGNATURE_MAX)

/* --- loading --------------------------------------------------------------------------------- */

void tls_chain_release(struct tls_chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		gnutls_x509_crt_deinit(c->certificates[i]);
	gnutls_free(c->certificates);
	free(c->numbers);
	*c = (struct tls_chain){0};
}

static void explain(const struct tls_file *file, const char *why, struct err *err)
{
	struct text t;
	if (err == NULL)
		return;
	text_init(&t, err->text, sizeof(err->text));
	tls_content_explain(file, false, why, &t);
}

static int key_refuse(const struct tls_file *file, struct err *err)
{
	struct text path;
	char quoted[256];
	text_init(&path, quoted, sizeof(quoted));
	tls_content_quote(&path, file->path);
	err_set(err,
		"certificate \"%s\" has a private key in it, which workers must not see; to "
		"separate them: openssl crl2pkcs7 -nocrl -certfile %s | openssl pkcs7 -print_certs "
		"-out "
		"new.pem; openssl pkey -in %s -out new.key",
		file->path, quoted, quoted);
	return -1;
}

static int file_import(const struct tls_file *file, struct tls_chain *ret, struct err *err)
{
	const unsigned keys = 1U << TLS_CONTENT_KEY | 1U << TLS_CONTENT_ENCRYPTED_KEY;
	const gnutls_datum_t datum = {(unsigned char *)(uintptr_t)file->data, (unsigned)file->len};
	bool der;
	const unsigned found = tls_content_of(file, &der);
	/* The file is refused, so that the mistake is noticed. */
	if ((found & 1U << TLS_CONTENT_CERTIFICATE) && (found & keys))
		return key_refuse(file, err);
	if (der || !(found & 1U << TLS_CONTENT_CERTIFICATE) ||
	    (found & 1U << TLS_CONTENT_TRUSTED)) {
		explain(file, "", err);
		return -1;
	}
	int error = gnutls_x509_crt_list_import2(&ret->certificates, &ret->count, &datum,
						 GNUTLS_X509_FMT_PEM, 0);
	if (error >= 0)
		return 0;
	*ret = (struct tls_chain){0};
	explain(file, gnutls_strerror(error), err);
	return -1;
}

/* --- order ----------------------------------------------------------------------------------- */

bool tls_is_issued_by(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer)
{
	return gnutls_x509_crt_check_issuer(certificate, issuer) != 0;
}

bool tls_chain_issues(const struct tls_chain *c, unsigned issuer)
{
	for (unsigned i = 0; i < c->count; i++)
		if (i != issuer && tls_is_issued_by(c->certificates[i], c->certificates[issuer]) &&
		    !gnutls_x509_crt_equals(c->certificates[i], c->certificates[issuer]))
			return true;
	return false;
}

bool tls_chain_is_copy(const struct tls_chain *c, unsigned one)
{
	for (unsigned i = 0; i < one; i++)
		if (gnutls_x509_crt_equals(c->certificates[i], c->certificates[one]))
			return true;
	return false;
}

static void numbers_begin(struct tls_chain *c)
{
	if (c->numbers != NULL)
		return;
	c->numbers = calloc(c->count, sizeof(*c->numbers)); /* out of memory: no warning */
	for (unsigned i = 0; c->numbers != NULL && i < c->count; i++)
		c->numbers[i] = i + 1;
}

/* Moves one certificate forward; those in between keep their order. */
static void chain_move(struct tls_chain *c, unsigned from, unsigned to)
{
	gnutls_x509_crt_t moved = c->certificates[from];
	if (from == to)
		return;
	numbers_begin(c);
	memmove(&c->certificates[to + 1], &c->certificates[to],
		(from - to) * sizeof(*c->certificates));
	c->certificates[to] = moved;
	if (c->numbers == NULL)
		return;
	const unsigned number = c->numbers[from];
	memmove(&c->numbers[to + 1], &c->numbers[to], (from - to) * sizeof(*c->numbers));
	c->numbers[to] = number;
}

/* Puts the chain in order. The first certificate is the first that issued none of the others; the
 * issuer of each one follows it. All others come last in their old order: some client may need them
 * for a second path. */
static void chain_order(struct tls_chain *c)
{
	unsigned own = 0;
	while (own < c->count && tls_chain_issues(c, own))
		own++;
	if (own > 0 && own < c->count)
		chain_move(c, own, 0);
	for (c->linked = 1; c->linked < c->count; c->linked++) {
		gnutls_x509_crt_t last = c->certificates[c->linked - 1];
		unsigned next = c->linked;
		if (tls_is_issued_by(last, last))
			return;
		while (next < c->count && !tls_is_issued_by(last, c->certificates[next]))
			next++;
		if (next == c->count)
			return;
		chain_move(c, next, c->linked);
	}
}

/* --- what TLS can use ------------------------------------------------------------------------ */

#define FRESH_EC                                                                              \
	"a key that is: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " \
	"new.key"
#define FRESH_RSA \
	"a key that is: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out new.key"

/* The usual name of the curve. */
static const char *curve_name(gnutls_ecc_curve_t curve)
{
	switch (curve) {
	case GNUTLS_ECC_CURVE_SECP192R1:
		return "P-192";
	case GNUTLS_ECC_CURVE_SECP224R1:
		return "P-224";
	case GNUTLS_ECC_CURVE_INVALID:
		return "?";
	default:
		return gnutls_ecc_curve_get_name(curve);
	}
}

static int curve_judge(gnutls_pubkey_t public, const char *path, struct err *err)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	(void)gnutls_pubkey_export_ecc_raw2(public, &curve, NULL, NULL, 0);
	switch (curve) {
	case GNUTLS_ECC_CURVE_SECP256R1:
	case GNUTLS_ECC_CURVE_SECP384R1:
	case GNUTLS_ECC_CURVE_SECP521R1:
		return 0;
	default:
		err_set(err,
			"certificate \"%s\" has a key on the curve %s; TLS signs on P-256, "
			"P-384 or P-521; " FRESH_EC,
			path, curve_name(curve));
		return -1;
	}
}

bool tls_key_is_short(gnutls_pubkey_t public)
{
	unsigned bits = 0;
	const int pk = gnutls_pubkey_get_pk_algorithm(public, &bits);
	return (pk == GNUTLS_PK_RSA || pk == GNUTLS_PK_RSA_PSS) && bits < RSA_BITS_512;
}

static int rsa_judge(unsigned bits, unsigned least, const char *path, struct err *err)
{
	if (bits >= least && bits <= RSA_BITS_MOST)
		return 0;
	err_set(err,
		"certificate \"%s\" has an RSA key of %u bits, and TLS needs %u to %d; " FRESH_RSA,
		path, bits, least, RSA_BITS_MOST);
	return -1;
}

static bool has_default_mask(gnutls_x509_crt_t own)
{
	gnutls_datum_t der = {0};
	if (gnutls_x509_crt_export2(own, GNUTLS_X509_FMT_DER, &der) < 0)
		return false;
	const bool has = tls_content_default_mask(der.data, der.size);
	gnutls_free(der.data);
	return has;
}

/* Judges an RSASSA-PSS key, which may be limited to one digest, mask and least salt (RFC 4055,
 * 3.1). TLS has SHA-256 to SHA-512, each with the mask of the same digest and a salt of its length
 * (RFC 8446, 4.2.3). */
static int pss_judge(gnutls_x509_crt_t own, gnutls_pubkey_t public, unsigned bits, const char *path,
		     struct err *err)
{
	gnutls_digest_algorithm_t digest;
	if (tls_key_pss_digest(public, &digest) == 0 && !has_default_mask(own))
		return rsa_judge(bits, digest == GNUTLS_DIG_SHA512 ? RSA_BITS_512 : RSA_BITS_LEAST,
				 path, err);
	err_set(err, "certificate \"%s\" has an RSA-PSS key " TLS_PSS_LIMITS, path);
	return -1;
}

static int key_judge(gnutls_x509_crt_t own, gnutls_pubkey_t public, const char *path,
		     struct err *err)
{
	unsigned bits = 0;
	const int pk = gnutls_pubkey_get_pk_algorithm(public, &bits);
	switch (pk) {
	case GNUTLS_PK_RSA:
		return rsa_judge(bits, RSA_BITS_LEAST, path, err);
	case GNUTLS_PK_RSA_PSS:
		return pss_judge(own, public, bits, path, err);
	case GNUTLS_PK_ECDSA:
		return curve_judge(public, path, err);
	case GNUTLS_PK_EDDSA_ED25519:
	case GNUTLS_PK_EDDSA_ED448:
		return 0;
	default:
		err_set(err,
			"certificate \"%s\" has a key of the kind %s, and TLS signs with ECDSA, "
			"EdDSA or RSA; " FRESH_EC,
			path, gnutls_pk_algorithm_get_name((gnutls_pk_algorithm_t)pk));
		return -1;
	}
}

/* RFC 8446, 4.4.2.2: a keyUsage without digitalSignature forbids every use that a server makes of
 * it. */
static int usage_judge(gnutls_x509_crt_t own, const struct tls_pair *pair, struct err *err)
{
	unsigned usage = 0, critical;
	struct text t;
	if (gnutls_x509_crt_get_key_usage(own, &usage, &critical) < 0 ||
	    (usage & GNUTLS_KEY_DIGITAL_SIGNATURE))
		return 0;
	text_init(&t, err->text, sizeof(err->text));
	text_addf(&t,
		  "certificate \"%s\" is not for signatures (keyUsage has no digitalSignature), "
		  "which every handshake needs; to request one that is: openssl req -new -subj / "
		  "-addext keyUsage=digitalSignature -out new.csr -key ",
		  pair->certificate);
	tls_content_quote(&t, pair->key);
	return -1;
}

static void curve_form_tell(const struct tls_pair *pair, bool explicit, struct err *err)
{
	struct text t;
	text_init(&t, err->text, sizeof(err->text));
	text_addf(&t, "certificate \"%s\" ", pair->certificate);
	text_add_str(&t, explicit
			     ? "gives the curve of its key by parameters; TLS knows curves "
			       "by name only; for a new key with the name: openssl ec "
			       "-param_enc named_curve -out new.key -in "
			     : "has a key whose point is in the compressed form, which TLS does "
			       "not have; for a new key without compression: openssl "
			       "ec -conv_form uncompressed -out new.key -in ");
	tls_content_quote(&t, pair->key);
}

static int unreadable_key(const struct tls_pair *pair, const struct tls_file *file, int pk,
			  int error, struct err *err)
{
	const bool explicit = tls_content_explicit_curve(file);
	if (explicit || (error != GNUTLS_E_ECC_UNSUPPORTED_CURVE && tls_content_compressed(file)))
		curve_form_tell(pair, explicit, err);
	else if (error == GNUTLS_E_ECC_UNSUPPORTED_CURVE)
		err_set(
		    err,
		    "certificate \"%s\" has a key on a curve that this server does not know; TLS "
		    "signs on P-256, P-384 or P-521; " FRESH_EC,
		    file->path);
	else if (pk == GNUTLS_PK_RSA_PSS)
		err_set(err, "certificate \"%s\" has an RSA-PSS key " TLS_PSS_LIMITS, file->path);
	else
		err_set(err, "certificate \"%s\" has a key that cannot be used: %s; " FRESH_EC,
			file->path, gnutls_strerror(error));
	return -1;
}

int tls_chain_public(const struct tls_chain *chain, gnutls_pubkey_t *ret)
{
	gnutls_pubkey_t public = NULL;
	int error = gnutls_pubkey_init(&public);
	if (error >= 0)
		error = gnutls_pubkey_import_x509(public, chain->certificates[0], 0);
	if (error < 0) {
		gnutls_pubkey_deinit(public);
		return error;
	}
	*ret = public;
	return 0;
}

static int chain_judge(const struct tls_chain *chain, const struct tls_pair *pair,
		       const struct tls_file *file, struct err *err)
{
	gnutls_pubkey_t public;
	int error = tls_chain_public(chain, &public);
	if (error < 0)
		return unreadable_key(
		    pair, file, gnutls_x509_crt_get_pk_algorithm(chain->certificates[0], NULL),
		    error, err);
	error = key_judge(chain->certificates[0], public, file->path, err);
	gnutls_pubkey_deinit(public);
	return error < 0 ? error : usage_judge(chain->certificates[0], pair, err);
}

int tls_chain_load(const struct tls_pair *pair, struct tls_chain *ret, struct err *err)
{
	struct tls_file file = {.path = pair->certificate};
	char *data = NULL;
	int opened = -1, fd = pair->certificate_fd;
	*ret = (struct tls_chain){0};
	if (fd < 0)
		fd = opened = open(file.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int error = fd < 0 ? -errno : fd_read_all(fd, FILE_BYTES_MAX, &data, &file.len);
	fd_close(&opened);
	if (error < 0 || data == NULL) {
		err_set(err, "certificate \"%s\" cannot be read: %s", file.path, strerror(-error));
		return err_is_shortage(-error) ? -EAGAIN : -1;
	}
	file.data = data;
	tls_digest(data, file.len, ret->digest);
	error = file_import(&file, ret, err);
	if (error == 0) {
		chain_order(ret);
		error = chain_judge(ret, pair, &file, err);
	}
	explicit_bzero(data, file.len); /* the file may have contained a key */
	free(data);
	if (error < 0)
		tls_chain_release(ret);
	return error;
}

/* --- facts ------------------------------------------------------------------------------------ */

void tls_name_of(gnutls_x509_crt_t certificate, struct text *t)
{
	gnutls_datum_t dn = {0};
	if (gnutls_x509_crt_get_dn3(certificate, &dn, 0) < 0)
		return;
	text_add_utf8(t, dn.data, dn.size);
	gnutls_free(dn.data);
}

/* Appends the first DNS name or address. */
static void name_add(gnutls_x509_crt_t own, struct text *t)
{
	char name[IPC_SUBJECT_MAX], address[INET6_ADDRSTRLEN];
	for (unsigned i = 0; i < TLS_NAMES_MAX; i++) {
		size_t len = sizeof(name);
		int type = gnutls_x509_crt_get_subject_alt_name(own, i, name, &len, NULL);
		if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return;
		if (type == GNUTLS_SAN_DNSNAME) {
			text_add_utf8(t, name, strnlen(name, len));
			return;
		}
		if (type == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16) &&
		    inet_ntop(len == 4 ? AF_INET : AF_INET6, name, address, sizeof(address))) {
			text_add_str(t, address);
			return;
		}
	}
}

void tls_chain_facts(const struct tls_chain *chain, struct tls_certificate *ret)
{
	gnutls_x509_crt_t own = chain->certificates[0];
	struct text t;
	const time_t begins = gnutls_x509_crt_get_activation_time(own);
	const time_t ends = gnutls_x509_crt_get_expiration_time(own);
	ret->begins = begins == (time_t)-1 ? 0 : begins;
	ret->ends = ends == (time_t)-1 ? 0 : ends;
	text_init(&t, ret->subject, sizeof(ret->subject));
	tls_name_of(own, &t);
	if (t.len == 0)
		name_add(own, &t);
}
