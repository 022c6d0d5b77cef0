/*
 * Loaded in a worker before it serves, and in bulkhead -t; verifies in a worker's loops, in the
 * middle of a handshake. Must never look at more certificates than the depth allows.
 */
#include "tls/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "tls/client_facts.h"
#include "tls/client_known.h"
#include "tls/client_message.h"
#include "tls/clients_private.h"
#include "tls/context_private.h"
#include "tls/digest.h"
#include "tls/host.h"
#include "tls/revoked.h"

#define LISTS_MAX 64 /* in a file */

/* 112 bits of security (NIST SP 800-57): RSA of 2048 bits and SHA-256, as OpenSSL's level 2. */
#define PROFILE GNUTLS_PROFILE_MEDIUM

struct tls_clients {
	gnutls_certificate_credentials_t handle; /* names the authorities to clients */
	gnutls_x509_trust_list_t trust;          /* handle's */
	bool required;
	unsigned depth;
	time_t expiry; /* the next of an authority; INT64_MAX: none has one that is to come */
	struct tls_revoked lists[LISTS_MAX];
	size_t lists_count;
};

/* --- loading ---------------------------------------------------------------------------------- */

/* Reads a file, from its first byte on: other workers read the same open file. */
static int file_read(const char *what, const char *path, int fd, size_t max, gnutls_datum_t *ret,
		     struct err *err)
{
	char most[NUM_TEXT_MAX];
	struct stat st;
	int own = -1, error = -1;
	unsigned char *data = NULL;
	if (fd < 0)
		fd = own = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set(err, "%s \"%s\" cannot be read: %s", what, path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
		err_set(err, "%s \"%s\" is no file, or has more than %s", what, path,
			num_format_size(max, most));
		goto out;
	}
	data = malloc((size_t)st.st_size + 1);
	if (data == NULL) {
		err_set(err, "out of memory");
		error = -EAGAIN;
		goto out;
	}
	size_t len = 0;
	while (len < (size_t)st.st_size) {
		const ssize_t n = pread(fd, data + len, (size_t)st.st_size - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	data[len] = '\0';
	*ret = (gnutls_datum_t){data, (unsigned)len};
	data = NULL;
	error = 0;
out:
	free(data);
	fd_close(&own);
	return error;
}

static void tell(const struct tls_clients_options *o, const char *what, const char *path,
		 const char *finding)
{
	struct err err;
	if (o->warn == NULL)
		return;
	err_set(&err, "%s \"%s\" %s", what, path, finding);
	o->warn(o->arg, 0, err.text);
}

static void expiry_find(struct tls_clients *c, const gnutls_x509_crt_t *list, unsigned count)
{
	const time_t now = time(NULL);
	c->expiry = INT64_MAX;
	for (unsigned i = 0; i < count; i++) {
		const time_t expiry = gnutls_x509_crt_get_expiration_time(list[i]);
		if (expiry >= now && expiry < c->expiry)
			c->expiry = expiry;
	}
}

static bool is_weak(gnutls_x509_crt_t crt)
{
	unsigned bits = 0;
	const int pk = gnutls_x509_crt_get_pk_algorithm(crt, &bits);
	return pk >= 0 && gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)pk, bits) <
			      GNUTLS_SEC_PARAM_MEDIUM;
}

static void authorities_warn(const struct tls_clients_options *o, const gnutls_x509_crt_t *list,
			     unsigned count)
{
	const time_t now = time(NULL);
	bool expired = false, other = false, weak = false;
	for (unsigned i = 0; i < count; i++) {
		expired = expired || gnutls_x509_crt_get_expiration_time(list[i]) < now;
		other = other || gnutls_x509_crt_get_ca_status(list[i], NULL) <= 0;
		weak = weak || is_weak(list[i]);
	}
	if (expired)
		tell(o, "authority", o->authority,
		     "has a certificate that has expired: clients with its certificates are "
		     "refused");
	if (weak)
		tell(o, "authority", o->authority,
		     "has a certificate with a key of less than 112 bits of security, such as RSA "
		     "of less than 2048: clients with its certificates are refused");
	if (other)
		tell(o, "authority", o->authority,
		     "has a certificate that may issue none: only itself is accepted");
}

/* Names of files are said here, never their bytes. */
static int authorities_load(struct tls_clients *c, const struct tls_clients_options *o,
			    const gnutls_datum_t *file, gnutls_x509_crt_t **ret,
			    unsigned *ret_count, struct err *err)
{
	int error = gnutls_x509_crt_list_import2(ret, ret_count, file, GNUTLS_X509_FMT_PEM, 0);
	if (error < 0) {
		*ret = NULL;
		*ret_count = 0;
		err_set(err, "authority \"%s\" cannot be used: it has no certificates in PEM (%s)",
			o->authority, gnutls_strerror(error));
		return error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
	}
	error = gnutls_certificate_set_x509_trust(c->handle, *ret, (int)*ret_count);
	if (error >= 0) {
		gnutls_certificate_get_trust_list(c->handle, &c->trust);
		authorities_warn(o, *ret, *ret_count);
		expiry_find(c, *ret, *ret_count);
		return 0;
	}
	err_set(err, "authority \"%s\" cannot be used: %s", o->authority, gnutls_strerror(error));
	return -1;
}

static int list_add(struct tls_clients *c, const struct tls_clients_options *o,
		    const gnutls_datum_t *der, const gnutls_x509_crt_t *authorities, unsigned count,
		    struct err *err)
{
	const char *why = "it has too many lists";
	int error = GNUTLS_E_INVALID_REQUEST;
	struct tls_revoked *list = &c->lists[c->lists_count];
	if (c->lists_count < LISTS_MAX)
		error = tls_revoked_read(der, authorities, count, list, &why);
	if (error < 0) {
		err_set(err, "revoked \"%s\" cannot be used: %s", o->revoked, why);
		return error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
	}
	c->lists_count++;
	if (list->made > time(NULL))
		tell(o, "revoked", o->revoked,
		     "has a list that was made in the future: is the clock right?");
	if (list->next != 0 && list->next < time(NULL))
		tell(o, "revoked", o->revoked,
		     "should have been replaced by a newer list: what was revoked since is "
		     "accepted");
	return 0;
}

#define BEGIN "-----BEGIN X509 CRL-----"
#define END   "-----END X509 CRL-----"

/* strstr() would end at a NUL byte, and leave out the lists after it. */
static const char *text_seek(const char *at, const char *end, const char *text)
{
	return memmem(at, (size_t)(end - at), text, strlen(text));
}

static int lists_load(struct tls_clients *c, const struct tls_clients_options *o,
		      const gnutls_datum_t *file, const gnutls_x509_crt_t *authorities,
		      unsigned count, struct err *err)
{
	const char *at = (const char *)file->data, *const file_end = at + file->size;
	int error = 0;
	if (file->size > 0 && file->data[0] == 0x30)
		return list_add(c, o, file, authorities, count, err);
	while (error == 0 && (at = text_seek(at, file_end, BEGIN)) != NULL) {
		gnutls_datum_t der = {.data = NULL};
		const char *const end = text_seek(at, file_end, END);
		const size_t len = end != NULL ? (size_t)(end - at) + strlen(END) : 0;
		const gnutls_datum_t part = {(unsigned char *)(uintptr_t)at, (unsigned)len};
		if (len == 0 || gnutls_pem_base64_decode2("X509 CRL", &part, &der) < 0) {
			err_set(err, "revoked \"%s\" cannot be used: it is cut off or malformed",
				o->revoked);
			return -1;
		}
		error = list_add(c, o, &der, authorities, count, err);
		gnutls_free(der.data);
		at += len;
	}
	if (error == 0 && c->lists_count == 0) {
		err_set(
		    err,
		    "revoked \"%s\" cannot be used: it has no list of revoked certificates (CRL), "
		    "in PEM or DER",
		    o->revoked);
		error = -1;
	}
	return error;
}

static void digest_add(const struct tls_clients_options *o, const gnutls_datum_t *file)
{
	uint8_t one[IPC_DIGEST_BYTES];
	if (o->digest == NULL)
		return;
	tls_digest(file->data, file->size, one);
	tls_digest_add(o->digest, one);
}

static int clients_load(struct tls_clients *c, const struct tls_clients_options *o, struct err *err)
{
	gnutls_datum_t authority = {.data = NULL}, revoked = {.data = NULL};
	gnutls_x509_crt_t *list = NULL;
	unsigned count = 0;
	int error = file_read("authority", o->authority, o->authority_fd, o->authority_max,
			      &authority, err);
	if (error == 0)
		error = authorities_load(c, o, &authority, &list, &count, err);
	if (error == 0) {
		digest_add(o, &authority);
		if (o->revoked != NULL)
			error = file_read("revoked", o->revoked, o->revoked_fd, o->revoked_max,
					  &revoked, err);
	}
	if (error == 0 && o->revoked != NULL) {
		digest_add(o, &revoked);
		error = lists_load(c, o, &revoked, list, count, err);
	}
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	free(authority.data);
	free(revoked.data);
	return error;
}

int tls_clients_new(const struct tls_clients_options *o, struct tls_clients **ret, struct err *err)
{
	struct tls_clients *c = calloc(1, sizeof(*c));
	if (c == NULL || gnutls_certificate_allocate_credentials(&c->handle) < 0) {
		free(c);
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	c->required = o->required;
	c->depth = o->depth < TLS_CLIENTS_DEPTH_MAX ? o->depth : TLS_CLIENTS_DEPTH_MAX;
	tls_host_choose_from(c->handle);
	tls_clients_verify_with(c->handle);
	const int error = clients_load(c, o, err);
	if (error < 0)
		tls_clients_free(c);
	else
		*ret = c;
	return error;
}

void tls_clients_free(struct tls_clients *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->lists_count; i++)
		tls_revoked_release(&c->lists[i]);
	gnutls_certificate_free_credentials(c->handle);
	free(c);
}

/* --- verifying -------------------------------------------------------------------------------- */

#define OWN_AND_AUTHORITY 2 /* beside those between: that of the authority need not be sent */
#define SENT_MAX          (TLS_CLIENTS_DEPTH_MAX + OWN_AND_AUTHORITY)

/* What a client has sent, in the order of the way to an authority. */
struct path {
	gnutls_x509_crt_t sent[SENT_MAX];
	unsigned sent_count;
	gnutls_x509_crt_t way[SENT_MAX];
	unsigned way_count;
};

static bool path_import(struct path *p, const gnutls_datum_t *raw, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (gnutls_x509_crt_init(&p->sent[i]) < 0)
			return false;
		p->sent_count++;
		if (gnutls_x509_crt_import(p->sent[i], &raw[i], GNUTLS_X509_FMT_DER) < 0)
			return false;
	}
	return true;
}

static bool is_trusted(const struct tls_clients *c, gnutls_x509_crt_t crt)
{
	gnutls_x509_crt_t issuer;
	return gnutls_x509_trust_list_get_issuer(c->trust, crt, &issuer, 0) >= 0;
}

static gnutls_x509_crt_t issuer_find(const struct path *p, gnutls_x509_crt_t of)
{
	for (unsigned i = 1; i < p->sent_count; i++)
		if (p->sent[i] != of && gnutls_x509_crt_check_issuer(of, p->sent[i]) == 1)
			return p->sent[i];
	return NULL;
}

static enum tls_client_fault path_order(const struct tls_clients *c, struct path *p)
{
	gnutls_x509_crt_t at = p->sent[0];
	p->way[p->way_count++] = at;
	while (!is_trusted(c, at)) {
		at = issuer_find(p, at);
		if (at == NULL)
			return TLS_CLIENT_UNKNOWN;
		if (p->way_count > c->depth)
			return TLS_CLIENT_DEEP;
		p->way[p->way_count++] = at;
	}
	return TLS_CLIENT_GOOD;
}

static bool is_revoked(const struct tls_clients *c, const struct path *p)
{
	for (unsigned i = 0; i < p->way_count; i++)
		for (size_t k = 0; k < c->lists_count; k++)
			if (tls_revoked_has(&c->lists[k], p->way[i]))
				return true;
	return false;
}

static enum tls_client_fault path_verify(const struct tls_clients *c, struct path *p)
{
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
					 .data =
					     (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
					 .size = 0};
	unsigned status = 0;
	if (gnutls_x509_trust_list_verify_crt2(c->trust, p->way, p->way_count, &purpose, 1,
					       GNUTLS_PROFILE_TO_VFLAGS(PROFILE), &status,
					       NULL) < 0)
		return TLS_CLIENT_BAD;
	if (is_revoked(c, p))
		return TLS_CLIENT_REVOKED;
	if (status == 0)
		return TLS_CLIENT_GOOD;
	if ((status & GNUTLS_CERT_EXPIRED) != 0)
		return TLS_CLIENT_EXPIRED;
	if ((status & GNUTLS_CERT_NOT_ACTIVATED) != 0)
		return TLS_CLIENT_EARLY;
	if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0)
		return TLS_CLIENT_USAGE;
	return (status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0 ? TLS_CLIENT_UNKNOWN : TLS_CLIENT_BAD;
}

/* How long will all of it be valid? */
static time_t path_expiry(const struct tls_clients *c, const struct path *p)
{
	time_t expiry = c->expiry;
	for (unsigned i = 0; i < p->way_count; i++) {
		const time_t own = gnutls_x509_crt_get_expiration_time(p->way[i]);
		expiry = own < expiry ? own : expiry;
	}
	return expiry;
}

static enum tls_client_fault chain_verify(const struct tls_clients *c, const gnutls_datum_t *raw,
					  unsigned count, struct transport_certificate *ret_facts,
					  time_t *ret_until)
{
	struct path p = {.sent_count = 0};
	enum tls_client_fault fault = TLS_CLIENT_BAD;
	if (path_import(&p, raw, count))
		fault = path_order(c, &p);
	if (fault == TLS_CLIENT_GOOD)
		fault = path_verify(c, &p);
	if (fault == TLS_CLIENT_GOOD) {
		tls_client_facts(p.sent[0], &raw[0], ret_facts);
		*ret_until = path_expiry(c, &p);
	}
	for (unsigned i = 0; i < p.sent_count; i++)
		gnutls_x509_crt_deinit(p.sent[i]);
	return fault;
}

/* A false certificate's context has no table. */
static enum tls_client_fault chain_judge(const struct tls_session *s, const gnutls_datum_t *raw,
					 unsigned count, struct transport_certificate *ret_facts)
{
	const struct tls_clients *c = s->part->clients;
	struct tls_known *known = s->context->known;
	const struct transport_certificate *facts = NULL;
	uint8_t name[IPC_DIGEST_BYTES];
	const time_t now = time(NULL);
	time_t until = 0;
	if (count > c->depth + OWN_AND_AUTHORITY)
		return TLS_CLIENT_DEEP;
	const bool has_name = known != NULL && tls_known_name(raw, count, name);
	if (has_name)
		facts = tls_known_find(known, c, name, now);
	if (facts != NULL) {
		*ret_facts = *facts;
		return TLS_CLIENT_GOOD;
	}
	const enum tls_client_fault fault = chain_verify(c, raw, count, ret_facts, &until);
	if (fault == TLS_CLIENT_GOOD && has_name)
		tls_known_add(known, c, name, now, until, ret_facts);
	return fault;
}

int tls_clients_admit(struct tls_session *s, const gnutls_datum_t *message)
{
	const struct tls_clients *c = s->part->clients;
	enum tls_client_fault fault;
	if (c == NULL)
		return 0;
	const bool is_13 = gnutls_protocol_get_version(s->flow.handle) == GNUTLS_TLS1_3;
	if (!tls_client_message_check(message->data, message->size, is_13,
				      c->depth + OWN_AND_AUTHORITY, &fault))
		return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
	s->client_fault = fault;
	return fault == TLS_CLIENT_GOOD ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

/* GnuTLS calls this when the client's certificates have come; under TLS 1.3 it has verified by now
 * that the client has the key, and under TLS 1.2 it does so next. */
static int certificates_come(gnutls_session_t handle)
{
	struct tls_session *s = gnutls_session_get_ptr(handle);
	const struct tls_clients *c = s->part->clients;
	unsigned count = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(handle, &count);
	if (c == NULL)
		return GNUTLS_E_CERTIFICATE_ERROR;
	if (raw == NULL || count == 0) {
		s->client_fault = c->required ? TLS_CLIENT_NONE : TLS_CLIENT_GOOD;
		return c->required ? GNUTLS_E_CERTIFICATE_ERROR : 0;
	}
	free(s->client);
	s->client = malloc(sizeof(*s->client));
	if (s->client == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	s->client_fault = chain_judge(s, raw, count, s->client);
	return s->client_fault == TLS_CLIENT_GOOD ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

void tls_clients_verify_with(gnutls_certificate_credentials_t credentials)
{
	gnutls_certificate_set_verify_function(credentials, certificates_come);
}

/* A false certificate comes with credentials of its own, which name no authorities. */
int tls_clients_ask(struct tls_session *s)
{
	const struct tls_clients *c = s->part->clients;
	if (c == NULL)
		return 0;
	gnutls_certificate_server_set_request(s->flow.handle, c->required ? GNUTLS_CERT_REQUIRE
									  : GNUTLS_CERT_REQUEST);
	return s->context->own != NULL
		   ? 0
		   : gnutls_credentials_set(s->flow.handle, GNUTLS_CRD_CERTIFICATE, c->handle);
}

/* --- faults ----------------------------------------------------------------------------------- */

static const struct {
	gnutls_alert_description_t alert;
	const char *text;
} faults[TLS_CLIENT_FAULTS] = {
    [TLS_CLIENT_GOOD] = {GNUTLS_A_INTERNAL_ERROR, ""},
    [TLS_CLIENT_NONE] = {GNUTLS_A_CERTIFICATE_REQUIRED, "The client has no certificate."},
    [TLS_CLIENT_EXPIRED] = {GNUTLS_A_CERTIFICATE_EXPIRED, "The client's certificate has expired."},
    [TLS_CLIENT_EARLY] = {GNUTLS_A_CERTIFICATE_EXPIRED,
			  "The client's certificate is not valid yet."},
    [TLS_CLIENT_REVOKED] = {GNUTLS_A_CERTIFICATE_REVOKED, "The client's certificate is revoked."},
    [TLS_CLIENT_UNKNOWN] = {GNUTLS_A_UNKNOWN_CA,
			    "The client's certificate is of an unknown authority."},
    [TLS_CLIENT_USAGE] = {GNUTLS_A_UNSUPPORTED_CERTIFICATE,
			  "The client's certificate is not for clients."},
    [TLS_CLIENT_DEEP] = {GNUTLS_A_BAD_CERTIFICATE,
			 "The client's certificate comes with too many others."},
    [TLS_CLIENT_COSTLY] = {GNUTLS_A_BAD_CERTIFICATE,
			   "The client's certificate, or the key in it, is too large."},
    [TLS_CLIENT_BAD] = {GNUTLS_A_BAD_CERTIFICATE, "The client's certificate is invalid."},
};

const char *tls_client_fault_text(enum tls_client_fault fault)
{
	return faults[fault].text;
}

gnutls_alert_description_t tls_client_fault_alert(enum tls_client_fault fault,
						  gnutls_protocol_t version)
{
	if (fault == TLS_CLIENT_NONE && version != GNUTLS_TLS1_3)
		return GNUTLS_A_HANDSHAKE_FAILURE;
	return faults[fault].alert;
}
