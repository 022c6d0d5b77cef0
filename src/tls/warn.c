/*
 * Runs in a worker while it starts, and in bulkhead -t: warns about certificates that can be served
 * and that some clients refuse. Must never refuse any.
 */
#include "tls/certificate.h"

#include <gnutls/crypto.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/validity.h"

/* The size that OpenSSL's clients accept: SSL_CTX_set_max_cert_list(3). */
#define SENT_BYTES_MAX ((size_t)100 * 1024)
#define RSA_BITS_GOOD  2048 /* RFC 9325, 4.5 */
#define RELOAD         "bulkheadctl reload"
#define SOON_SEC       ((time_t)2 * 86400)

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

/* soon: also warn about a certificate that ends soon. In a server the master does that, daily. A
 * check happens once, so it warns of the last two days of a short-lived certificate, too. */
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
		warn(w,
		     "expired on %s; clients that verify it refuse it: renew it, then run " RELOAD,
		     day);
	} else if (since != (time_t)-1 && since > now) {
		day_format(day, since);
		warn(w, "is not valid before %s", day);
	} else if (soon && until != (time_t)-1 &&
		   (until - now < SOON_SEC || validity_ends_soon(since, until, now))) {
		day_format(day, until);
		text_init(&t, words, sizeof(words));
		validity_describe(validity_days(until, now), &t);
		warn(w, "%s, on %s: renew it, then run " RELOAD, words, day);
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
	return sign > 0 && !tls_is_issued_by(certificate, certificate) &&
	       !gnutls_sign_is_secure2((gnutls_sign_algorithm_t)sign,
				       GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS);
}

/* TLS signs with a longer salt. GnuTLS alone takes the least salt for the only one allowed. */
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
		     "has an RSA-PSS key that demands a salt of %u bytes or more, and TLS uses %u; "
		     "clients "
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

/* Warns about the other certificates in the file: an issuer that clients check has expired, or a
 * certificate is not needed, unless it may belong to an issuer that is missing. */
static void others_warn(const struct tls_chain *chain, const struct warnings *w)
{
	char day[16], name[160];
	struct text t;
	gnutls_x509_crt_t own = chain->certificates[0];
	const bool missing = chain->linked == 1 && !tls_is_issued_by(own, own);
	for (unsigned i = 1; i < chain->count; i++) {
		gnutls_x509_crt_t other = chain->certificates[i];
		const time_t until = gnutls_x509_crt_get_expiration_time(other);
		const bool stray = i >= chain->linked && !missing && !tls_chain_issues(chain, i) &&
				   !tls_chain_is_copy(chain, i);
		const bool ended = until != (time_t)-1 && until < time(NULL);
		if (!stray && (!ended || i >= chain->linked || tls_is_issued_by(other, other)))
			continue;
		text_init(&t, name, sizeof(name));
		tls_name_of(other, &t);
		day_format(day, until);
		if (stray)
			warn(w,
			     "comes with the certificate of %s, which no other in the file needs",
			     name);
		else
			warn(w, "comes with the certificate of its issuer %s, which expired on %s",
			     name, day);
	}
}

/* Is each in the file before its issuer, the server's own first? Others may stand in between:
 * clients ignore them (RFC 8446, 4.4.2). */
static bool chain_is_in_order(const struct tls_chain *chain)
{
	const unsigned *numbers = chain->numbers;
	for (unsigned i = 1; numbers != NULL && i < chain->linked; i++)
		if (numbers[i] < numbers[i - 1])
			return false;
	return numbers == NULL || numbers[0] == 1;
}

/* The server sends them in order. Other programs take the file as it is, and a person who appends
 * to it should know. */
static void order_warn(const struct tls_chain *chain, const struct warnings *w)
{
	char order[160];
	unsigned i = 0;
	struct text t;
	if (chain_is_in_order(chain))
		return;
	text_init(&t, order, sizeof(order));
	for (; i < chain->count && t.len + 16 < sizeof(order); i++)
		text_addf(&t, "%s%u", i == 0 ? "" : ", ", chain->numbers[i]);
	warn(
	    w,
	    "is out of order: the server's own must be the first in the file, and the issuer of "
	    "each must follow it; this server sends them so, other programs may not: write them in "
	    "the order %s%s",
	    order, i < chain->count ? " ..." : "");
}

static void size_warn(const struct tls_chain *chain, const struct warnings *w)
{
	size_t sum = 0;
	for (unsigned i = 0; i < chain->count; i++) {
		gnutls_datum_t der = {0};
		if (gnutls_x509_crt_export2(chain->certificates[i], GNUTLS_X509_FMT_DER, &der) < 0)
			continue;
		sum += der.size + 5; /* each adds 5 bytes on the wire, RFC 8446, 4.4.2 */
		gnutls_free(der.data);
	}
	if (sum > SENT_BYTES_MAX)
		warn(w,
		     "comes with %u others, %zu bytes in all; many clients accept no more than %zu",
		     chain->count - 1, sum, SENT_BYTES_MAX);
}

/* Did an authority that this system trusts issue it? 1, 0, or -1: unknown. */
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

/* Does it say where its issuer's certificate is (RFC 5280, 4.2.2.1)? Certificates of public
 * authorities do. */
static bool has_issuer_place(gnutls_x509_crt_t certificate)
{
	gnutls_datum_t uri = {0};
	for (unsigned i = 0; i < TLS_NAMES_MAX; i++) {
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

/* Warns that the issuer is missing in the file. A single certificate without its issuer works only
 * for clients that have the issuer: perhaps a private root, but public authorities do not issue
 * from their roots. If the file has issuers, the last one may come from a private root, which no
 * file needs to hold; so there the warning is for public authorities only. */
static void issuer_warn(const struct tls_chain *chain, struct tls_trust *trust,
			const struct warnings *w)
{
	gnutls_x509_crt_t last = chain->certificates[chain->linked - 1];
	gnutls_datum_t dn = {0};
	char name[160];
	struct text t;
	if (tls_is_issued_by(last, last))
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
	     "comes without the certificate of %s, which issued %s%s; clients that do not have it "
	     "refuse the "
	     "connection: append it to the file (openssl x509 -noout -ext authorityInfoAccess "
	     "-in FILE may show where it is)",
	     name, chain->linked > 1 ? "the last one in the file" : "it",
	     trusted < 0 ? "" : " and is not an authority that this system trusts");
}

void tls_chain_warn(const struct tls_chain *chain, const struct tls_pair *pair, size_t index,
		    const struct tls_credentials_options *o)
{
	const struct warnings w = {pair->certificate, index, o->warn, o->arg};
	validity_warn(chain->certificates[0], o->signer == NULL, &w);
	purpose_warn(chain->certificates[0], &w);
	salt_warn(chain->certificates[0], &w);
	strength_warn(chain, &w);
	others_warn(chain, &w);
	if (o->signer == NULL)
		order_warn(chain, &w);
	size_warn(chain, &w);
	issuer_warn(chain, o->trust, &w);
}
