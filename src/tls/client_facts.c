/* Runs in a worker's loop, for a certificate that was verified: others may have chosen the names in
 * it, so each is escaped. Must never write half a name as if it were the whole. */
#include "tls/client_facts.h"

#include <arpa/inet.h>
#include <gnutls/x509-ext.h>
#include <string.h>

#include "base/text.h"
#include "tls/digest.h"

static void name_write(char *to, size_t size, gnutls_x509_crt_t crt,
		       int (*get)(gnutls_x509_crt_t, gnutls_datum_t *, unsigned))
{
	struct text t;
	gnutls_datum_t name = {.data = NULL};
	text_init(&t, to, size);
	if (get(crt, &name, 0) >= 0)
		text_add_utf8(&t, name.data, name.size);
	gnutls_free(name.data);
}

static void hex_write(char *to, size_t size, const uint8_t *bytes, size_t len)
{
	struct text t;
	text_init(&t, to, size);
	for (size_t i = 0; i < len; i++)
		text_addf(&t, "%02x", bytes[i]);
}

/* A comma and a backslash in a name get a backslash, so that no name looks like two. */
static void alternative_add(struct text *t, const char *kind, const void *name, size_t len)
{
	const char *c = name;
	text_addf(t, "%s%s:", t->len > 0 ? "," : "", kind);
	for (size_t i = 0; i < len; i++) {
		if (c[i] == ',' || c[i] == '\\')
			text_add_char(t, '\\');
		text_add_char(t, c[i]);
	}
}

static void alternatives_gather(struct text *t, gnutls_subject_alt_names_t names)
{
	gnutls_datum_t name;
	unsigned type;
	for (unsigned i = 0;
	     !t->truncated && gnutls_subject_alt_names_get(names, i, &type, &name, NULL) >= 0;
	     i++) {
		char address[INET6_ADDRSTRLEN];
		if (type == GNUTLS_SAN_DNSNAME)
			alternative_add(t, "DNS", name.data, name.size);
		else if (type == GNUTLS_SAN_RFC822NAME)
			alternative_add(t, "email", name.data, name.size);
		else if (type == GNUTLS_SAN_URI)
			alternative_add(t, "URI", name.data, name.size);
		else if (type == GNUTLS_SAN_IPADDRESS && (name.size == 4 || name.size == 16) &&
			 inet_ntop(name.size == 4 ? AF_INET : AF_INET6, name.data, address,
				   sizeof(address)) != NULL)
			alternative_add(t, "IP", address, strlen(address));
	}
}

/* Gathers more than fits, so that what does not fit is marked as in the other texts. */
static void alternatives_write(char *to, size_t size, gnutls_x509_crt_t crt)
{
	char gathered[2 * sizeof(((struct transport_certificate *)NULL)->names)];
	gnutls_datum_t extension = {.data = NULL};
	gnutls_subject_alt_names_t names = NULL;
	struct text t, all;
	text_init(&t, to, size);
	text_init(&all, gathered, sizeof(gathered));
	if (gnutls_x509_crt_get_extension_by_oid2(crt, GNUTLS_X509EXT_OID_SAN, 0, &extension,
						  NULL) >= 0 &&
	    gnutls_subject_alt_names_init(&names) >= 0 &&
	    gnutls_x509_ext_import_subject_alt_names(&extension, names, 0) >= 0)
		alternatives_gather(&all, names);
	text_add_utf8(&t, all.data, all.len);
	if (names != NULL)
		gnutls_subject_alt_names_deinit(names);
	gnutls_free(extension.data);
}

void tls_client_facts(gnutls_x509_crt_t crt, const gnutls_datum_t *raw,
		      struct transport_certificate *ret)
{
	uint8_t bytes[64];
	size_t len = sizeof(bytes);
	*ret = (struct transport_certificate){.subject = ""};
	name_write(ret->subject, sizeof(ret->subject), crt, gnutls_x509_crt_get_dn3);
	name_write(ret->issuer, sizeof(ret->issuer), crt, gnutls_x509_crt_get_issuer_dn3);
	if (gnutls_x509_crt_get_serial(crt, bytes, &len) >= 0)
		hex_write(ret->serial, sizeof(ret->serial), bytes, len);
	tls_digest(raw->data, raw->size, bytes);
	hex_write(ret->fingerprint, sizeof(ret->fingerprint), bytes, IPC_DIGEST_BYTES);
	alternatives_write(ret->names, sizeof(ret->names), crt);
}
