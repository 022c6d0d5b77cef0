/*
 * Runs in workers and keyholders before they serve, and in bulkhead -t, on files that a person
 * chose. It only looks at the form of the bytes; GnuTLS decides whether they are valid.
 */
#include "tls/content.h"

#include <gnutls/gnutls.h>
#include <stdint.h>
#include <string.h>

#define BIT(content) (1u << (content))

static bool bytes_hold(const void *data, size_t len, const void *wanted, size_t wanted_len)
{
	return memmem(data, len, wanted, wanted_len) != NULL;
}

/* --- PEM ------------------------------------------------------------------------------------- */

static const struct label {
	const char *name;
	enum tls_content content;
} labels[] = {
    {"CERTIFICATE", TLS_CONTENT_CERTIFICATE},
    {"X509 CERTIFICATE", TLS_CONTENT_CERTIFICATE},
    {"TRUSTED CERTIFICATE", TLS_CONTENT_TRUSTED},
    {"CERTIFICATE REQUEST", TLS_CONTENT_REQUEST},
    {"NEW CERTIFICATE REQUEST", TLS_CONTENT_REQUEST},
    {"X509 CRL", TLS_CONTENT_REVOCATIONS},
    {"PKCS7", TLS_CONTENT_PKCS7},
    {"CMS", TLS_CONTENT_PKCS7},
    {"PKCS #7 SIGNED DATA", TLS_CONTENT_PKCS7},
    {"PRIVATE KEY", TLS_CONTENT_KEY},
    {"RSA PRIVATE KEY", TLS_CONTENT_KEY},
    {"EC PRIVATE KEY", TLS_CONTENT_KEY},
    {"DSA PRIVATE KEY", TLS_CONTENT_KEY},
    {"ENCRYPTED PRIVATE KEY", TLS_CONTENT_ENCRYPTED_KEY},
    {"OPENSSH PRIVATE KEY", TLS_CONTENT_SSH_KEY},
    {"PUBLIC KEY", TLS_CONTENT_PUBLIC_KEY},
    {"RSA PUBLIC KEY", TLS_CONTENT_PUBLIC_KEY},
    {"SSH2 PUBLIC KEY", TLS_CONTENT_PUBLIC_KEY},
    {"EC PARAMETERS", TLS_CONTENT_PARAMETERS},
    {"DH PARAMETERS", TLS_CONTENT_PARAMETERS},
    {"DSA PARAMETERS", TLS_CONTENT_PARAMETERS},
};

static enum tls_content label_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strlen(labels[i].name) == len && memcmp(labels[i].name, name, len) == 0)
			return labels[i].content;
	return TLS_CONTENT_UNKNOWN;
}

/* Returns the next label from *at on; NULL: there is none. */
static const char *label_next(const struct tls_file *f, size_t *at, size_t *ret_len)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----";
	const char *from = memmem(f->data + *at, f->len - *at, begin, sizeof(begin) - 1);
	if (from == NULL)
		return NULL;
	from += sizeof(begin) - 1;
	const char *to = memmem(from, (size_t)(f->data + f->len - from), end, sizeof(end) - 1);
	if (to == NULL)
		return NULL;
	*ret_len = (size_t)(to - from);
	*at = (size_t)(to - f->data);
	return from;
}

static unsigned pem_content(const struct tls_file *f)
{
	/* RFC 1421, 4.6.1.1: the form in which older programs write encrypted keys. */
	static const char encrypted[] = "\nProc-Type: 4,ENCRYPTED";
	unsigned found = 0;
	size_t at = 0, len;
	const char *name;
	while ((name = label_next(f, &at, &len)) != NULL)
		found |= BIT(label_find(name, len));
	if ((found & BIT(TLS_CONTENT_KEY)) &&
	    bytes_hold(f->data, f->len, encrypted, sizeof(encrypted) - 1))
		found = (found & ~BIT(TLS_CONTENT_KEY)) | BIT(TLS_CONTENT_ENCRYPTED_KEY);
	return found;
}

/* --- DER ------------------------------------------------------------------------------------- */

enum { DER_INTEGER = 0x02, DER_OCTETS = 0x04, DER_OID = 0x06, DER_SEQUENCE = 0x30 };

struct der {
	const uint8_t *at;
	size_t len;
};

/* Takes the next element (X.690, 8.1) off *d: returns its tag and sets its content; -1: there is
 * none. In a file that was cut, the content ends with the file. */
static int der_take(struct der *d, struct der *content)
{
	size_t head = 2, len;
	if (d->len < 2)
		return -1;
	int tag = d->at[0];
	len = d->at[1];
	if (len >= 0x80) {
		size_t bytes = len & 0x7f;
		if (bytes == 0 || bytes > 4 || d->len < 2 + bytes)
			return -1;
		len = 0;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | d->at[2 + i];
		head += bytes;
	}
	if (len > d->len - head)
		len = d->len - head;
	*content = (struct der){d->at + head, len};
	d->at += head + len;
	d->len -= head + len;
	return tag;
}

static bool oid_begins(const struct der *oid, const char *bytes, size_t len)
{
	return oid->len >= len && memcmp(oid->at, bytes, len) == 0;
}

/* SEQUENCE { OID … }: PKCS #7 (RFC 2315), or the algorithm at the start of a public or encrypted
 * key. */
static enum tls_content der_in_sequence(struct der inner)
{
	struct der first;
	switch (der_take(&inner, &first)) {
	case DER_OID: /* PKCS #5 (RFC 8018), PKCS #12 */
		if (oid_begins(&first, "\x2a\x86\x48\x86\xf7\x0d\x01\x05", 8) ||
		    oid_begins(&first, "\x2a\x86\x48\x86\xf7\x0d\x01\x0c", 8))
			return TLS_CONTENT_ENCRYPTED_KEY;
		return TLS_CONTENT_PUBLIC_KEY;
	case DER_INTEGER: /* version 0 of a request: a name follows, not an algorithm */
		if (first.len == 1 && first.at[0] == 0)
			return TLS_CONTENT_REQUEST;
		return TLS_CONTENT_CERTIFICATE; /* version 1: the serial number */
	case 0xa0:                              /* version 3 */
		return TLS_CONTENT_CERTIFICATE;
	default:
		return TLS_CONTENT_UNKNOWN;
	}
}

/* SEQUENCE { INTEGER … }: PKCS #12 has version 3; all the others are keys. */
static enum tls_content der_with_version(const struct der *version, struct der rest)
{
	struct der second;
	if (version->len == 1 && version->at[0] == 3)
		return TLS_CONTENT_PKCS12;
	switch (der_take(&rest, &second)) {
	case DER_SEQUENCE: /* PKCS #8 (RFC 5958) */
	case DER_OCTETS:   /* SEC1 (RFC 5915) */
	case DER_INTEGER:  /* PKCS #1 (RFC 8017, A.1) */
		return TLS_CONTENT_KEY;
	default:
		return TLS_CONTENT_UNKNOWN;
	}
}

static enum tls_content der_content(const struct tls_file *f)
{
	struct der file = {(const uint8_t *)f->data, f->len}, all, first;
	if (der_take(&file, &all) != DER_SEQUENCE)
		return TLS_CONTENT_UNKNOWN;
	switch (der_take(&all, &first)) {
	case DER_OID:
		return oid_begins(&first, "\x2a\x86\x48\x86\xf7\x0d\x01\x07", 8)
			   ? TLS_CONTENT_PKCS7
			   : TLS_CONTENT_UNKNOWN;
	case DER_INTEGER:
		return der_with_version(&first, all);
	case DER_SEQUENCE:
		return der_in_sequence(first);
	default:
		return TLS_CONTENT_UNKNOWN;
	}
}

unsigned tls_content_of(const struct tls_file *f, bool *ret_der)
{
	*ret_der = false;
	if (f->len == 0)
		return BIT(TLS_CONTENT_EMPTY);
	unsigned found = pem_content(f);
	if (found != 0)
		return found;
	if (f->len >= 4 && memcmp(f->data, "\xfe\xed\xfe\xed", 4) == 0)
		return BIT(TLS_CONTENT_JKS);
	enum tls_content content = der_content(f);
	*ret_der = content != TLS_CONTENT_UNKNOWN;
	return BIT(content);
}

/* Enters the next element, which must have this tag. */
static bool der_enter(struct der *d, int tag, struct der *content)
{
	return der_take(d, content) == tag;
}

bool tls_content_default_mask(const void *der, size_t len)
{
	struct der d = {der, len}, all, tbs, part, key, algorithm, parameters;
	bool digest = false, mask = false;
	int tag;
	if (!der_enter(&d, DER_SEQUENCE, &all) || !der_enter(&all, DER_SEQUENCE, &tbs))
		return false;
	if ((tag = der_take(&tbs, &part)) == 0xa0) /* the version */
		tag = der_take(&tbs, &part);
	for (int i = 0; i < 4;
	     i++) /* after the serial number: signature, issuer, validity, subject */
		if (!der_enter(&tbs, DER_SEQUENCE, &part))
			return false;
	if (tag != DER_INTEGER || !der_enter(&tbs, DER_SEQUENCE, &key) ||
	    !der_enter(&key, DER_SEQUENCE, &algorithm) || !der_enter(&algorithm, DER_OID, &part) ||
	    !oid_begins(&part, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", 9) ||
	    !der_enter(&algorithm, DER_SEQUENCE, &parameters))
		return false;
	while ((tag = der_take(&parameters, &part)) >= 0) {
		digest = digest || tag == 0xa0;
		mask = mask || tag == 0xa1;
	}
	return digest && !mask;
}

/* --- curves ---------------------------------------------------------------------------------- */

static bool binary_holds(const struct tls_file *f, const char *const *oids, const size_t *lens,
			 size_t count)
{
	gnutls_datum_t file = {(unsigned char *)(uintptr_t)f->data, (unsigned)f->len};
	bool found = false;
	size_t at = 0, len;
	const char *name;
	for (size_t i = 0; i < count; i++)
		found = found || bytes_hold(f->data, f->len, oids[i], lens[i]);
	while (!found && (name = label_next(f, &at, &len)) != NULL) {
		char label[64];
		gnutls_datum_t block = {0};
		const enum tls_content content = label_find(name, len);
		if (len >= sizeof(label) ||
		    (content != TLS_CONTENT_CERTIFICATE && content != TLS_CONTENT_KEY))
			continue;
		memcpy(label, name, len);
		label[len] = '\0';
		if (gnutls_pem_base64_decode2(label, &file, &block) < 0)
			continue;
		for (size_t i = 0; i < count; i++)
			found = found || bytes_hold(block.data, block.size, oids[i], lens[i]);
		if (block.data != NULL)
			explicit_bzero(block.data, block.size);
		gnutls_free(block.data);
	}
	return found;
}

bool tls_content_explicit_curve(const struct tls_file *f)
{
	/* prime-field and characteristic-two-field; they occur only in explicit parameters */
	static const char *const oids[] = {"\x06\x07\x2a\x86\x48\xce\x3d\x01\x01",
					   "\x06\x07\x2a\x86\x48\xce\x3d\x01\x02"};
	static const size_t lens[] = {9, 9};
	return binary_holds(f, oids, lens, 2);
}

/* Does the file hold a public or private elliptic curve key (RFC 5480, RFC 5915)? */
static bool has_elliptic(const struct tls_file *f)
{
	/* id-ecPublicKey of PKCS #8; SEC1 has its own label */
	static const char *const oids[] = {"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"};
	static const char sec1[] = "-----BEGIN EC PRIVATE KEY-----";
	static const size_t lens[] = {9};
	return bytes_hold(f->data, f->len, sec1, sizeof(sec1) - 1) ||
	       binary_holds(f, oids, lens, 1);
}

bool tls_content_compressed(const struct tls_file *f)
{
	/* A BIT STRING with a compressed point, which has one coordinate. */
	static const char *const points[] = {"\x03\x22\x00\x02", "\x03\x22\x00\x03",
					     "\x03\x32\x00\x02", "\x03\x32\x00\x03",
					     "\x03\x44\x00\x02", "\x03\x44\x00\x03"};
	static const size_t lens[] = {4, 4, 4, 4, 4, 4};
	return binary_holds(f, points, lens, 6);
}

/* Does the file hold an RSASSA-PSS key or a signature of one (RFC 4055)? */
static bool has_pss(const struct tls_file *f)
{
	static const char *const oids[] = {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"};
	static const size_t lens[] = {11};
	return binary_holds(f, oids, lens, 1);
}

/* --- the sentence ---------------------------------------------------------------------------- */

void tls_content_quote(struct text *t, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._+-,:@%=";
	if (path[0] != '\0' && path[strspn(path, plain)] == '\0') {
		text_add_str(t, path);
		return;
	}
	text_add_char(t, '\'');
	for (; *path != '\0'; path++)
		if (*path == '\'')
			text_add_str(t, "'\\''");
		else
			text_add_char(t, *path);
	text_add_char(t, '\'');
}

/* What the file holds, and the command that converts it to the wanted form. `@` is replaced by the
 * path, `#` by -inform DER if the file is DER. NULL: there is no such command. */
struct remedy {
	const char *is;
	const char *for_certificate;
	const char *for_key;
};

#define FRESH_KEY "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key"

static const struct remedy remedies[TLS_CONTENTS] = {
    [TLS_CONTENT_EMPTY] = {"it is empty", NULL, NULL},
    [TLS_CONTENT_CERTIFICATE] = {"it holds a certificate", "openssl x509#-in @ -out new.pem", NULL},
    [TLS_CONTENT_KEY] = {"it holds a private key", NULL, "openssl pkey#-in @ -out new.key"},
    [TLS_CONTENT_ENCRYPTED_KEY] = {"it holds an encrypted key", NULL,
				   "openssl pkey#-in @ -out new.key"},
    [TLS_CONTENT_SSH_KEY] = {"it holds an OpenSSH key", NULL, FRESH_KEY},
    [TLS_CONTENT_PUBLIC_KEY] = {"it holds a public key", NULL, NULL},
    [TLS_CONTENT_PARAMETERS] = {"it holds parameters without a key", NULL,
				"openssl genpkey -paramfile @ -out new.key"},
    [TLS_CONTENT_REQUEST] = {"it holds a certificate request, not a signed certificate",
			     "openssl x509 -req#-in @ -signkey KEY -days 90 -out new.pem", NULL},
    [TLS_CONTENT_REVOCATIONS] = {"it holds a list of revoked certificates", NULL, NULL},
    [TLS_CONTENT_TRUSTED] = {"it is in OpenSSL's own form", "openssl x509 -in @ -out new.pem",
			     NULL},
    [TLS_CONTENT_PKCS7] = {"it is PKCS#7", "openssl pkcs7#-print_certs -in @ -out new.pem", NULL},
    [TLS_CONTENT_PKCS12] = {"it is PKCS#12", "openssl pkcs12 -nokeys -in @ -out new.pem",
			    "openssl pkcs12 -nocerts -nodes -in @ -out new.key"},
    [TLS_CONTENT_JKS] = {"it is a Java key store",
			 "keytool -importkeystore -srckeystore @ -destkeystore new.p12 "
			 "-deststoretype PKCS12, then openssl pkcs12 -nokeys -in new.p12 -out "
			 "new.pem",
			 "keytool -importkeystore -srckeystore @ -destkeystore new.p12 "
			 "-deststoretype PKCS12, then openssl pkcs12 -nocerts -nodes -in new.p12 "
			 "-out new.key"},
    [TLS_CONTENT_UNKNOWN] = {"it holds nothing that this server recognizes", NULL, NULL},
};

static void command_add(struct text *t, const char *command, const char *path, bool der)
{
	text_add_str(t, "; to repair it: ");
	for (; *command != '\0'; command++)
		if (*command == '@')
			tls_content_quote(t, path);
		else if (*command == '#')
			text_add_str(t, der ? " -inform DER " : " ");
		else
			text_add_char(t, *command);
}

/* The kind of content to name in the sentence: the first in the order of the enum. */
static enum tls_content foremost(unsigned found)
{
	for (unsigned content = 0; content < TLS_CONTENT_UNKNOWN; content++)
		if (found & BIT(content))
			return (enum tls_content)content;
	return TLS_CONTENT_UNKNOWN;
}

static void form_explain(const struct tls_file *f, bool key, enum tls_content content, bool der,
			 struct text *t)
{
	const struct remedy *r = &remedies[content];
	const char *command = key ? r->for_key : r->for_certificate;
	text_addf(t, " is not a %s in PEM: %s%s", key ? "private key" : "certificate", r->is,
		  der ? " in DER" : "");
	if (command != NULL)
		command_add(t, command, f->path, der);
	else if (content == TLS_CONTENT_KEY || content == TLS_CONTENT_CERTIFICATE)
		text_add_str(t, "; are certificate and key swapped?");
}

/* Appends GnuTLS's reason without its full stop. */
static void unreadable_add(struct text *t, const char *why, const char *command, const char *path)
{
	size_t len = strlen(why);
	if (len > 0 && why[len - 1] == '.')
		len--;
	text_addf(t, " cannot be read: %.*s; to see what is wrong: %s", (int)len, why, command);
	tls_content_quote(t, path);
}

static void key_explain(const struct tls_file *f, const char *why, struct text *t)
{
	if (tls_content_explicit_curve(f)) {
		text_add_str(t, " gives its curve by parameters; TLS knows curves by name only");
		command_add(t,
			    "openssl ec -param_enc named_curve -in @ -out new.key, and get a "
			    "certificate made for that",
			    f->path, false);
	} else if (has_elliptic(f) && tls_content_compressed(f)) {
		text_add_str(t, " has its point in the compressed form, which TLS does not have");
		command_add(t,
			    "openssl ec -conv_form uncompressed -in @ -out new.key, and get a "
			    "certificate made for that",
			    f->path, false);
	} else if (has_elliptic(f)) {
		text_add_str(t,
			     " is on a curve that this server does not know; TLS signs on P-256, "
			     "P-384 or P-521; one that is: " FRESH_KEY);
	} else if (has_pss(f)) {
		text_add_str(t, " is an RSA-PSS key " TLS_PSS_LIMITS);
	} else {
		unreadable_add(t, why, "openssl pkey -noout -check -in ", f->path);
	}
}

void tls_content_explain(const struct tls_file *f, bool key, const char *why, struct text *t)
{
	bool der;
	const unsigned found = tls_content_of(f, &der);
	const enum tls_content wanted = key ? TLS_CONTENT_KEY : TLS_CONTENT_CERTIFICATE;
	text_addf(t, "%s \"%s\"", key ? "key" : "certificate", f->path);
	if (key && !(found & BIT(TLS_CONTENT_KEY)) && (found & BIT(TLS_CONTENT_ENCRYPTED_KEY))) {
		text_add_str(t, " is encrypted; a server needs it without a passphrase");
		command_add(t, remedies[TLS_CONTENT_ENCRYPTED_KEY].for_key, f->path, der);
	} else if (der || !(found & BIT(wanted))) {
		form_explain(f, key, foremost(found), der, t);
	} else if (key) {
		key_explain(f, why, t);
	} else {
		unreadable_add(t, why, "openssl x509 -noout -in ", f->path);
	}
}
