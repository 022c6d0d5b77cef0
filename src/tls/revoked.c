/* Runs in a worker before it serves, and in bulkhead -t; the lookup in a worker's loops. Must never
 * read past the end of a list, nor believe one that no authority has signed. */
#include "tls/revoked.h"

#include <gnutls/abstract.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/der.h"

/* --- times -------------------------------------------------------------------------------------
 */

static int digits(const uint8_t *at)
{
	return at[0] >= '0' && at[0] <= '9' && at[1] >= '0' && at[1] <= '9'
		   ? (at[0] - '0') * 10 + at[1] - '0'
		   : -1;
}

/* RFC 5280, 5.1.2.4: YYMMDDhhmmssZ until 2049, YYYYMMDDhhmmssZ from then on. 0: it is neither. */
static time_t time_read(unsigned tag, const struct der *text)
{
	const uint8_t *at = text->at;
	struct tm tm = {0};
	int century = -1;
	if (text->end - at != (tag == DER_UTC_TIME ? 13 : 15))
		return 0;
	if (tag == DER_TIME) {
		century = digits(at);
		at += 2;
	}
	const int year = digits(at);
	tm.tm_year = (tag == DER_TIME ? century * 100 - 1900 : year < 50 ? 100 : 0) + year;
	tm.tm_mon = digits(at + 2) - 1;
	tm.tm_mday = digits(at + 4);
	tm.tm_hour = digits(at + 6);
	tm.tm_min = digits(at + 8);
	tm.tm_sec = digits(at + 10);
	return year < 0 || tm.tm_mon < 0 || tm.tm_mday < 1 ? 0 : timegm(&tm);
}

/* --- serial numbers --------------------------------------------------------------------------- */

static int serial_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tls_serial));
}

static bool serial_make(struct tls_serial *s, const uint8_t *at, size_t len)
{
	memset(s, 0, sizeof(*s));
	for (; len > 1 && *at == 0; len--)
		at++;
	if (len > REVOKED_SERIAL_MAX)
		return false;
	s->len = (uint8_t)len;
	memcpy(s->bytes, at, len);
	return true;
}

/* --- the list --------------------------------------------------------------------------------- */

/* What its issuer has signed, and how. */
struct proof {
	struct der tbs, issuer, algorithm, signature;
};

/* DER, without tag and length, of OBJECT IDENTIFIER 2.5.29.28 (RFC 5280, 5.2.5). */
static const uint8_t distribution_point[] = {0x55, 0x1d, 0x1c};

#define INDIRECT 0x84 /* [4] in it: entries may be of other issuers */

/* May a list be used that has this critical extension? One that tells which certificates it is for
 * may: what it revokes is revoked. */
static bool extension_is_known(const struct der *oid, struct der value)
{
	struct der point, part;
	unsigned tag;
	if ((size_t)(oid->end - oid->at) != sizeof(distribution_point) ||
	    memcmp(oid->at, distribution_point, sizeof(distribution_point)) != 0 ||
	    der_take(&value, &point, NULL) != DER_SEQUENCE)
		return false;
	while (point.at < point.end) {
		tag = der_take(&point, &part, NULL);
		if (tag == 0 || (tag == INDIRECT && part.at < part.end && *part.at != 0))
			return false;
	}
	return true;
}

/* RFC 5280, 5.2: a list, or an entry, with a critical extension that is not understood must not be
 * used. Such are the lists of changes (5.2.4) and of several issuers. */
static bool extensions_check(struct der list, const char **ret_why)
{
	struct der extension, oid, value, critical;
	*ret_why = "a part of it is malformed";
	while (list.at < list.end) {
		critical = (struct der){NULL, NULL};
		if (der_take(&list, &extension, NULL) != DER_SEQUENCE ||
		    der_take(&extension, &oid, NULL) != DER_OBJECT ||
		    (der_peek(&extension) == DER_BOOLEAN &&
		     der_take(&extension, &critical, NULL) == 0) ||
		    der_take(&extension, &value, NULL) != DER_OCTETS)
			return false;
		if (critical.at < critical.end && *critical.at != 0 &&
		    !extension_is_known(&oid, value)) {
			*ret_why =
			    "it has a critical extension that is not supported, such as that of a "
			    "list of changes (delta): use the whole list of one issuer";
			return false;
		}
	}
	return true;
}

/* A certificate's number, and when and perhaps why it was revoked. */
static bool entry_read(struct der *list, struct tls_serial *ret, const char **ret_why)
{
	struct der entry, serial, part;
	*ret_why = "a part of it is malformed";
	if (der_take(list, &entry, NULL) != DER_SEQUENCE ||
	    der_take(&entry, &serial, NULL) != DER_INTEGER ||
	    !serial_make(ret, serial.at, (size_t)(serial.end - serial.at)) ||
	    der_take(&entry, &part, NULL) == 0)
		return false;
	return entry.at == entry.end ||
	       (der_take(&entry, &part, NULL) == DER_SEQUENCE && extensions_check(part, ret_why));
}

static int serials_read(struct der list, struct tls_revoked *ret, const char **ret_why)
{
	struct der entry, rest = list;
	size_t count = 0;
	*ret_why = "a part of it is malformed";
	for (; rest.at < rest.end; count++)
		if (der_take(&rest, &entry, NULL) != DER_SEQUENCE)
			return GNUTLS_E_ASN1_DER_ERROR;
	ret->serials = calloc(count + 1, sizeof(*ret->serials));
	if (ret->serials == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	while (list.at < list.end)
		if (!entry_read(&list, &ret->serials[ret->count++], ret_why))
			return GNUTLS_E_ASN1_DER_ERROR;
	qsort(ret->serials, ret->count, sizeof(*ret->serials), serial_compare);
	return 0;
}

/* After the issuer's name: the times, the entries, the extensions. */
static int body_read(struct der tbs, struct tls_revoked *ret, const char **ret_why)
{
	struct der part, list, all;
	unsigned tag = der_take(&tbs, &part, NULL);
	if (tag != DER_UTC_TIME && tag != DER_TIME)
		return GNUTLS_E_ASN1_DER_ERROR;
	ret->made = time_read(tag, &part);
	if (der_peek(&tbs) == DER_UTC_TIME || der_peek(&tbs) == DER_TIME) {
		tag = der_take(&tbs, &part, NULL);
		ret->next = time_read(tag, &part);
	}
	int error = 0;
	if (der_peek(&tbs) == DER_SEQUENCE)
		error = der_take(&tbs, &list, NULL) == 0 ? GNUTLS_E_ASN1_DER_ERROR
							 : serials_read(list, ret, ret_why);
	if (error < 0 || tbs.at == tbs.end)
		return error;
	if (der_take(&tbs, &all, NULL) != DER_EXPLICIT_0 ||
	    der_take(&all, &list, NULL) != DER_SEQUENCE || tbs.at != tbs.end)
		return GNUTLS_E_ASN1_DER_ERROR;
	return extensions_check(list, ret_why) ? 0 : GNUTLS_E_ASN1_DER_ERROR;
}

static int list_read(const gnutls_datum_t *der, struct proof *p, struct tls_revoked *ret,
		     const char **ret_why)
{
	struct der file = {der->data, der->data + der->size}, all, tbs, part, first, oid;
	if (der_take(&file, &all, NULL) != DER_SEQUENCE ||
	    der_take(&all, &tbs, &p->tbs) != DER_SEQUENCE ||
	    der_take(&all, &first, NULL) != DER_SEQUENCE ||
	    der_take(&all, &p->signature, NULL) != DER_BITS ||
	    p->signature.at == p->signature.end ||
	    der_take(&first, &oid, &p->algorithm) != DER_OBJECT)
		return GNUTLS_E_ASN1_DER_ERROR;
	p->signature.at++; /* the number of unused bits */
	if (der_peek(&tbs) == DER_INTEGER && der_take(&tbs, &part, NULL) == 0)
		return GNUTLS_E_ASN1_DER_ERROR;
	if (der_take(&tbs, &part, NULL) != DER_SEQUENCE ||
	    der_take(&tbs, &part, &p->issuer) != DER_SEQUENCE)
		return GNUTLS_E_ASN1_DER_ERROR;
	return body_read(tbs, ret, ret_why);
}

/* --- the signature ---------------------------------------------------------------------------- */

/* 1.2.840.113549.1.1.11 and the like, from its bytes. */
static gnutls_sign_algorithm_t algorithm_of(const struct der *oid)
{
	gnutls_datum_t raw = {(unsigned char *)(uintptr_t)oid->at, (unsigned)(oid->end - oid->at)};
	char text[128];
	size_t len = 0;
	unsigned long number = 0;
	bool first = true;
	text[0] = '\0';
	for (unsigned i = 2; i < raw.size && len + 24 < sizeof(text); i++) {
		number = number << 7 | (raw.data[i] & 0x7f);
		if (raw.data[i] & 0x80)
			continue;
		if (first) {
			const unsigned long top = number >= 80 ? 2 : number / 40;
			len =
			    (size_t)snprintf(text, sizeof(text), "%lu.%lu", top, number - top * 40);
		} else {
			len += (size_t)snprintf(text + len, sizeof(text) - len, ".%lu", number);
		}
		first = false;
		number = 0;
	}
	return gnutls_oid_to_sign(text);
}

static int signature_check(const struct proof *p, gnutls_x509_crt_t authority)
{
	const gnutls_datum_t tbs = {(unsigned char *)(uintptr_t)p->tbs.at,
				    (unsigned)(p->tbs.end - p->tbs.at)};
	const gnutls_datum_t signature = {(unsigned char *)(uintptr_t)p->signature.at,
					  (unsigned)(p->signature.end - p->signature.at)};
	const gnutls_sign_algorithm_t algorithm = algorithm_of(&p->algorithm);
	gnutls_pubkey_t key = NULL;
	if (algorithm == GNUTLS_SIGN_UNKNOWN)
		return GNUTLS_E_UNKNOWN_PK_ALGORITHM;
	int error = gnutls_pubkey_init(&key);
	if (error >= 0)
		error = gnutls_pubkey_import_x509(key, authority, 0);
	if (error >= 0)
		error = gnutls_pubkey_verify_data2(key, algorithm, 0, &tbs, &signature);
	gnutls_pubkey_deinit(key);
	return error;
}

static bool name_is(gnutls_x509_crt_t authority, const struct der *name)
{
	gnutls_datum_t subject = {.data = NULL};
	if (gnutls_x509_crt_get_raw_dn(authority, &subject) < 0)
		return false;
	const bool is = subject.size == (size_t)(name->end - name->at) &&
			memcmp(subject.data, name->at, subject.size) == 0;
	gnutls_free(subject.data);
	return is;
}

static int issuer_check(const struct proof *p, const gnutls_x509_crt_t *authorities, unsigned count,
			const char **ret_why)
{
	int error = GNUTLS_E_NO_CERTIFICATE_FOUND;
	*ret_why = "none of the authorities has issued it";
	for (unsigned i = 0; i < count && error < 0; i++)
		if (name_is(authorities[i], &p->issuer)) {
			error = signature_check(p, authorities[i]);
			*ret_why = "its signature is wrong, or of a kind that is not supported";
		}
	return error < 0 ? error : 0;
}

int tls_revoked_read(const gnutls_datum_t *der, const gnutls_x509_crt_t *authorities,
		     unsigned authorities_count, struct tls_revoked *ret, const char **ret_why)
{
	struct proof p;
	*ret = (struct tls_revoked){.count = 0};
	*ret_why = "it is malformed";
	int error = list_read(der, &p, ret, ret_why);
	if (error >= 0)
		error = issuer_check(&p, authorities, authorities_count, ret_why);
	if (error >= 0) {
		ret->issuer.size = (unsigned)(p.issuer.end - p.issuer.at);
		ret->issuer.data = malloc(ret->issuer.size + 1);
		error = ret->issuer.data == NULL ? GNUTLS_E_MEMORY_ERROR : 0;
	}
	if (error >= 0)
		memcpy(ret->issuer.data, p.issuer.at, ret->issuer.size);
	else
		tls_revoked_release(ret);
	return error;
}

bool tls_revoked_has(const struct tls_revoked *r, gnutls_x509_crt_t crt)
{
	uint8_t bytes[64];
	size_t len = sizeof(bytes);
	struct tls_serial wanted;
	gnutls_datum_t issuer = {.data = NULL};
	if (gnutls_x509_crt_get_raw_issuer_dn(crt, &issuer) < 0)
		return true;
	const bool is_his =
	    issuer.size == r->issuer.size && memcmp(issuer.data, r->issuer.data, issuer.size) == 0;
	gnutls_free(issuer.data);
	if (!is_his || r->count == 0)
		return false;
	return gnutls_x509_crt_get_serial(crt, bytes, &len) < 0 ||
	       !serial_make(&wanted, bytes, len) ||
	       bsearch(&wanted, r->serials, r->count, sizeof(wanted), serial_compare) != NULL;
}

void tls_revoked_release(struct tls_revoked *r)
{
	free(r->serials);
	free(r->issuer.data);
	*r = (struct tls_revoked){.count = 0};
}
