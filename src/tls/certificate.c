/*
 * Runs in a worker before it serves, and in bulkhead -t, on a file that a person has chosen. Must
 * never let a private key pass, nor a certificate that no handshake can succeed with.
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
/* What OpenSSL's clients take: SSL_CTX_set_max_cert_list(3). */
#define SENT_BYTES_MAX ((size_t)100 * 1024)
#define NAMES_MAX      1000
#define RSA_BITS_LEAST 1024 /* no client of today takes less */
#define RSA_BITS_512   1034 /* for RSA-PSS with SHA-512 and its salt (RFC 8017, 9.1.1) */
#define RSA_BITS_GOOD  2048 /* RFC 9325, 4.5 */
#define RSA_BITS_MOST  (8 * IPC_KEY_SIGNATURE_MAX)

/* --- loading ---------------------------------------------------------------------------------- */

void tls_chain_release(struct tls_chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		gnutls_x509_crt_deinit(c->certificates[i]);
	gnutls_free(c->certificates);
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
		"certificate \"%s\" has a private key in it, which workers must not see; to part "
		"them: openssl crl2pkcs7 -nocrl -certfile %s | openssl pkcs7 -print_certs -out "
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
	/* Not to be served, so that it is noticed. */
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

/* --- order ------------------------------------------------------------------------------------ */

static bool is_issued_by(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer)
{
	return gnutls_x509_crt_check_issuer(certificate, issuer) != 0;
}

static bool has_issued_another(const struct tls_chain *c, unsigned issuer)
{
	for (unsigned i = 0; i < c->count; i++)
		if (i != issuer && is_issued_by(c->certificates[i], c->certificates[issuer]) &&
		    !gnutls_x509_crt_equals(c->certificates[i], c->certificates[issuer]))
			return true;
	return false;
}

static bool is_copy(const struct tls_chain *c, unsigned one)
{
	for (unsigned i = 0; i < one; i++)
		if (gnutls_x509_crt_equals(c->certificates[i], c->certificates[one]))
			return true;
	return false;
}

/* Moves one ahead; those between keep their order. */
static void chain_move(struct tls_chain *c, unsigned from, unsigned to)
{
	gnutls_x509_crt_t moved = c->certificates[from];
	memmove(&c->certificates[to + 1], &c->certificates[to],
		(from - to) * sizeof(*c->certificates));
	c->certificates[to] = moved;
}

/* The server's own is the first that has issued none of the others; then each one's issuer. What
 * has no place in that comes last, as it stood: it may be of use to some client (a second path). */
static void chain_order(struct tls_chain *c)
{
	unsigned own = 0;
	while (own < c->count && has_issued_another(c, own))
		own++;
	if (own > 0 && own < c->count)
		chain_move(c, own, 0);
	for (c->linked = 1; c->linked < c->count; c->linked++) {
		gnutls_x509_crt_t last = c->certificates[c->linked - 1];
		unsigned next = c->linked;
		if (is_issued_by(last, last))
			return;
		while (next < c->count && !is_issued_by(last, c->certificates[next]))
			next++;
		if (next == c->count)
			return;
		chain_move(c, next, c->linked);
	}
}

/* --- what TLS can use ------------------------------------------------------------------------- */

#define FRESH_EC                                                                              \
	"a key that is: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " \
	"new.key"
#define FRESH_RSA \
	"a key that is: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out new.key"

/* As people call it. */
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
			"certificate \"%s\" has a key on the curve %s, and TLS signs on P-256, "
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

/* RSASSA-PSS keys may be limited to one digest, mask and least salt (RFC 4055, 3.1); TLS has
 * SHA-256 to SHA-512, each with a mask of its own and a salt as long as itself (RFC 8446, 4.2.3).
 */
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

/* RFC 8446, 4.4.2.2: a keyUsage without digitalSignature forbids all that is done with it here. */
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
		  "which every handshake needs; to ask for one that is: openssl req -new -subj / "
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
			     ? "gives the curve of its key by parameters, and TLS has curves "
			       "by name only; a key with its name, to be certified: openssl ec "
			       "-param_enc named_curve -out new.key -in "
			     : "has a key whose point is in the compressed form, which TLS does "
			       "not have; a key with the whole one, to be certified: openssl "
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
		err_set(err,
			"certificate \"%s\" has a key on a curve that is not known here, and TLS "
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
	explicit_bzero(data, file.len); /* there may have been a key in it */
	free(data);
	if (error < 0)
		tls_chain_release(ret);
	return error;
}

/* --- what clients may find wrong -------------------------------------------------------------- */

static void day_format(char day[16], time_t when)
{
	struct tm tm;
	if (gmtime_r(&when, &tm) == NULL || strftime(day, 16, "%Y-%m-%d", &tm) == 0)
		day[0] = '\0';
}

struct warnings {
	const char *path;
	size_t index;
	tls_warning_fn *fn;
	void *arg;
};

static void __attribute__((format(printf, 2, 3)))
warn(const struct warnings *w, const char *format, ...)
{
	struct err text;
	struct text t;
	va_list args;
	text_init(&t, text.text, sizeof(text.text));
	text_addf(&t, "certificate \"%s\" ", w->path);
	va_start(args, format);
	text_vaddf(&t, format, args);
	va_end(args);
	w->fn(w->arg, w->index, text.text);
}

/* soon: to tell of one that ends soon, too, which in a server is the master's, day by day. */
static void validity_warn(gnutls_x509_crt_t own, bool soon, const struct warnings *w)
{
	char words[64];
	struct text t;
	char day[16];
	const time_t now = time(NULL);
	const time_t until = gnutls_x509_crt_get_expiration_time(own);
	const time_t since = gnutls_x509_crt_get_activation_time(own);
	if (until != (time_t)-1 && until < now) {
		day_format(day, until);
		warn(w, "has expired on %s", day);
	} else if (since != (time_t)-1 && since > now) {
		day_format(day, since);
		warn(w, "is not valid before %s", day);
	} else if (soon && until != (time_t)-1 && validity_ends_soon(since, until, now)) {
		day_format(day, until);
		text_init(&t, words, sizeof(words));
		validity_describe(validity_days(until, now), &t);
		warn(w, "%s, on %s", words, day);
	}
}

static void purpose_warn(gnutls_x509_crt_t own, const struct warnings *w)
{
	if (!gnutls_x509_crt_check_key_purpose(own, GNUTLS_KP_TLS_WWW_SERVER, 0))
		warn(w, "is not for servers (extendedKeyUsage has no serverAuth); clients that "
			"verify it refuse it");
}

static bool is_weak(gnutls_x509_crt_t certificate)
{
	const int sign = gnutls_x509_crt_get_signature_algorithm(certificate);
	return sign > 0 && !is_issued_by(certificate, certificate) &&
	       !gnutls_sign_is_secure2((gnutls_sign_algorithm_t)sign,
				       GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS);
}

/* What TLS signs with is longer, and only GnuTLS takes the least for the only one. */
static void salt_warn(gnutls_x509_crt_t own, const struct warnings *w)
{
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_UNKNOWN;
	unsigned salt = 0;
	gnutls_x509_spki_t spki = NULL;
	if (gnutls_x509_crt_get_pk_algorithm(own, NULL) != GNUTLS_PK_RSA_PSS ||
	    gnutls_x509_spki_init(&spki) < 0)
		return;
	if (gnutls_x509_crt_get_spki(own, spki, 0) >= 0 &&
	    gnutls_x509_spki_get_rsa_pss_params(spki, &digest, &salt) >= 0 &&
	    digest != GNUTLS_DIG_UNKNOWN && salt < gnutls_hash_get_len(digest))
		warn(w,
		     "has an RSA-PSS key with a least salt of %u bytes, where TLS has %u; clients "
		     "that use GnuTLS refuse it",
		     salt, gnutls_hash_get_len(digest));
	gnutls_x509_spki_deinit(spki);
}

static void strength_warn(const struct tls_chain *chain, const struct warnings *w)
{
	unsigned bits = 0;
	const int pk = gnutls_x509_crt_get_pk_algorithm(chain->certificates[0], &bits);
	if ((pk == GNUTLS_PK_RSA || pk == GNUTLS_PK_RSA_PSS) && bits < RSA_BITS_GOOD)
		warn(w, "has an RSA key of %u bits; clients that verify it refuse less than %d",
		     bits, RSA_BITS_GOOD);
	for (unsigned i = 0; i < chain->linked; i++)
		if (is_weak(chain->certificates[i])) {
			const int sign =
			    gnutls_x509_crt_get_signature_algorithm(chain->certificates[i]);
			warn(w, "is signed with %s, or one of its issuers is; clients refuse that",
			     gnutls_sign_get_name((gnutls_sign_algorithm_t)sign));
			return;
		}
}

static void name_of(gnutls_x509_crt_t certificate, struct text *t)
{
	gnutls_datum_t dn = {0};
	if (gnutls_x509_crt_get_dn3(certificate, &dn, 0) < 0)
		return;
	text_add_utf8(t, dn.data, dn.size);
	gnutls_free(dn.data);
}

/* Those of the issuers, where clients look as closely; and what was put into the file in vain,
 * unless it is for an issuer that is missing. */
static void others_warn(const struct tls_chain *chain, const struct warnings *w)
{
	char day[16], name[160];
	struct text t;
	gnutls_x509_crt_t own = chain->certificates[0];
	const bool missing = chain->linked == 1 && !is_issued_by(own, own);
	for (unsigned i = 1; i < chain->count; i++) {
		gnutls_x509_crt_t other = chain->certificates[i];
		const time_t until = gnutls_x509_crt_get_expiration_time(other);
		const bool stray = i >= chain->linked && !missing &&
				   !has_issued_another(chain, i) && !is_copy(chain, i);
		const bool ended = until != (time_t)-1 && until < time(NULL);
		if (!stray && (!ended || i >= chain->linked || is_issued_by(other, other)))
			continue;
		text_init(&t, name, sizeof(name));
		name_of(other, &t);
		day_format(day, until);
		if (stray)
			warn(w, "comes with that of %s, which no other in the file needs", name);
		else
			warn(w, "comes with that of its issuer %s, which has expired on %s", name,
			     day);
	}
}

static void size_warn(const struct tls_chain *chain, const struct warnings *w)
{
	size_t sum = 0;
	for (unsigned i = 0; i < chain->count; i++) {
		gnutls_datum_t der = {0};
		if (gnutls_x509_crt_export2(chain->certificates[i], GNUTLS_X509_FMT_DER, &der) < 0)
			continue;
		sum += der.size + 5; /* RFC 8446, 4.4.2 */
		gnutls_free(der.data);
	}
	if (sum > SENT_BYTES_MAX)
		warn(w,
		     "comes with %u others, %zu bytes in all; many clients take no more than %zu",
		     chain->count - 1, sum, SENT_BYTES_MAX);
}

/* Has an authority issued it that this system trusts? 1, 0, or -1: that is not known. */
static int trust_ask(struct tls_trust *trust, gnutls_x509_crt_t certificate)
{
	gnutls_x509_crt_t issuer = NULL;
	if (trust == NULL)
		return -1;
	if (!trust->asked) {
		trust->asked = true;
		if (gnutls_x509_trust_list_init(&trust->list, 0) >= 0)
			trust->count = gnutls_x509_trust_list_add_system_trust(trust->list, 0, 0);
	}
	if (trust->count <= 0)
		return -1;
	return gnutls_x509_trust_list_get_issuer(trust->list, certificate, &issuer, 0) >= 0;
}

void tls_trust_release(struct tls_trust *trust)
{
	if (trust->list != NULL)
		gnutls_x509_trust_list_deinit(trust->list, 1);
	*trust = (struct tls_trust){.asked = false};
}

/* Does it say where its issuer's certificate is (RFC 5280, 4.2.2.1), which that of an authority for
 * everybody does? */
static bool has_issuer_place(gnutls_x509_crt_t certificate)
{
	gnutls_datum_t uri = {0};
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		const int error = gnutls_x509_crt_get_authority_info_access(
		    certificate, i, GNUTLS_IA_CAISSUERS_URI, &uri, NULL);
		if (error >= 0) {
			gnutls_free(uri.data);
			return true;
		}
		if (error == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
	}
	return false;
}

/* Without its issuer in the file it is for those alone who have that one: one's own root, perhaps,
 * but no public authority issues from its root. An issuer of the file may well come from a root of
 * one's own, which no file holds: there it is told of public ones alone. */
static void issuer_warn(const struct tls_chain *chain, struct tls_trust *trust,
			const struct warnings *w)
{
	gnutls_x509_crt_t last = chain->certificates[chain->linked - 1];
	gnutls_datum_t dn = {0};
	char name[160];
	struct text t;
	if (is_issued_by(last, last))
		return;
	const int trusted = trust_ask(trust, last);
	if (trusted > 0 || (chain->linked > 1 && (trusted < 0 || !has_issuer_place(last))))
		return;
	text_init(&t, name, sizeof(name));
	if (gnutls_x509_crt_get_issuer_dn3(last, &dn, 0) >= 0) {
		text_add_utf8(&t, dn.data, dn.size);
		gnutls_free(dn.data);
	}
	warn(w,
	     "comes without that of %s, who issued %s%s; clients that do not have it refuse the "
	     "connection: append it to the file (openssl x509 -noout -ext authorityInfoAccess "
	     "-in FILE may show where it is)",
	     name, chain->linked > 1 ? "the last of it" : "it",
	     trusted < 0 ? "" : " and is no authority that this system trusts");
}

void tls_chain_warn(const struct tls_chain *chain, const struct tls_pair *pair, size_t index,
		    const struct tls_context_options *o)
{
	const struct warnings w = {pair->certificate, index, o->warn, o->arg};
	validity_warn(chain->certificates[0], o->signer == NULL, &w);
	purpose_warn(chain->certificates[0], &w);
	salt_warn(chain->certificates[0], &w);
	strength_warn(chain, &w);
	others_warn(chain, &w);
	size_warn(chain, &w);
	issuer_warn(chain, o->trust, &w);
}

/* --- what there is to know -------------------------------------------------------------------- */

/* The first DNS name or address. */
static void name_add(gnutls_x509_crt_t own, struct text *t)
{
	char name[TLS_SUBJECT_MAX], address[INET6_ADDRSTRLEN];
	for (unsigned i = 0; i < NAMES_MAX; i++) {
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
	name_of(own, &t);
	if (t.len == 0)
		name_add(own, &t);
}
