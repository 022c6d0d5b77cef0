/*
 * Loads authorities before the process serves; judges a server's chain in a worker's loop, in the
 * middle of a handshake. Must never take a chain that does not lead to an authority, or a name that
 * the certificate does not have.
 *
 * Certificates are not asked whether they are revoked: there is nobody here who could ask.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "tls/certificate.h"
#include "tls/client_message.h"
#include "tls/client_private.h"
#include "tls/digest.h"

/* 112 bits of security (NIST SP 800-57): RSA of 2048 bits and SHA-256, as OpenSSL's level 2. */
#define PROFILE GNUTLS_PROFILE_MEDIUM

#define NAMES_SHOWN 3

/* --- loading ---------------------------------------------------------------------------------- */

static int file_read(int fd, const char *path, char **ret, size_t *ret_len, struct err *err)
{
	int own = -1, error = 0;
	if (fd < 0) {
		fd = own = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		error = fd < 0 ? -errno : 0;
	}
	if (error == 0)
		error = fd_read_all(fd, TLS_CLIENT_TRUST_MAX, ret, ret_len);
	fd_close(&own);
	if (error < 0)
		err_set(err, "authority \"%s\" cannot be read: %s", path, strerror(-error));
	return error < 0 && err_is_shortage(-error) ? -EAGAIN : error < 0 ? -1 : 0;
}

/* All of them; a file may have old ones, as the system's has. */
static bool is_expired(const gnutls_x509_crt_t *list, unsigned count, time_t now)
{
	for (unsigned i = 0; i < count; i++)
		if (gnutls_x509_crt_get_expiration_time(list[i]) >= now)
			return false;
	return true;
}

static time_t expiry_of(const gnutls_x509_crt_t *list, unsigned count, time_t now)
{
	time_t next = INT64_MAX;
	for (unsigned i = 0; i < count; i++) {
		const time_t expiry = gnutls_x509_crt_get_expiration_time(list[i]);
		if (expiry >= now && expiry < next)
			next = expiry;
	}
	return next;
}

static int trust_fill(struct tls_client_trust *t, const char *path, const char *data, size_t len,
		      struct err *err, bool *ret_expired)
{
	const gnutls_datum_t file = {(unsigned char *)(uintptr_t)data, (unsigned)len};
	gnutls_x509_crt_t *list = NULL;
	unsigned count = 0;
	const time_t now = time(NULL);
	int error = gnutls_x509_crt_list_import2(&list, &count, &file, GNUTLS_X509_FMT_PEM, 0);
	if (error < 0) {
		err_set(err, "authority \"%s\" cannot be used: it has no certificates in PEM (%s)",
			path, gnutls_strerror(error));
		return error == GNUTLS_E_MEMORY_ERROR ? -EAGAIN : -1;
	}
	*ret_expired = is_expired(list, count, now);
	t->expiry = expiry_of(list, count, now);
	error = gnutls_x509_trust_list_init(&t->list, 0);
	if (error >= 0) /* the list owns them from here on */
		error = gnutls_x509_trust_list_add_cas(t->list, list, count, 0);
	else
		for (unsigned i = 0; i < count; i++)
			gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	if (error >= 0)
		return 0;
	err_set(err, "authority \"%s\" cannot be used: %s", path, gnutls_strerror(error));
	return -EAGAIN;
}

int tls_client_trust_load(int fd, const char *path, uint8_t *digest,
			  void (*warn)(void *arg, size_t pair, const char *text), void *arg,
			  struct tls_client_trust **ret, struct err *err)
{
	struct tls_client_trust *t = calloc(1, sizeof(*t));
	struct err about;
	uint8_t one[IPC_DIGEST_BYTES];
	bool expired = false;
	char *data = NULL;
	size_t len = 0;
	int error = -EAGAIN;
	if (t == NULL)
		err_set(err, "out of memory");
	else
		error = file_read(fd, path, &data, &len, err);
	if (error == 0)
		error = trust_fill(t, path, data, len, err, &expired);
	if (error == 0 && digest != NULL) {
		tls_digest(data, len, one);
		tls_digest_add(digest, one);
	}
	free(data);
	if (error < 0) {
		tls_client_trust_free(t);
		return error;
	}
	if (expired && warn != NULL) {
		err_set(&about, "authority \"%s\" has expired: no server can be verified with it",
			path);
		warn(arg, 0, about.text);
	}
	*ret = t;
	return 0;
}

void tls_client_trust_free(struct tls_client_trust *t)
{
	if (t == NULL)
		return;
	gnutls_x509_trust_list_deinit(t->list, 1);
	free(t);
}

/* --- before anything is computed -------------------------------------------------------------- */

static int refuse(struct tls_client_session *s, gnutls_alert_description_t alert, const char *why)
{
	(void)strlcpy(s->why, why, sizeof(s->why));
	s->alert = (int)alert;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

int tls_client_trust_admit(struct tls_client_session *s, const gnutls_datum_t *message)
{
	enum tls_client_fault fault;
	const bool is_13 = gnutls_protocol_get_version(s->flow.handle) == GNUTLS_TLS1_3;
	if (!tls_client_message_check(message->data, message->size, is_13, TLS_CLIENT_CHAIN_MAX,
				      &fault))
		return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
	switch (fault) {
	case TLS_CLIENT_GOOD:
		return 0;
	case TLS_CLIENT_DEEP:
		return refuse(s, GNUTLS_A_BAD_CERTIFICATE, "it sends too many certificates");
	case TLS_CLIENT_COSTLY:
		return refuse(s, GNUTLS_A_BAD_CERTIFICATE,
			      "one of its certificates, or the key in it, is too large");
	default:
		return refuse(s, GNUTLS_A_BAD_CERTIFICATE, "one of its certificates is malformed");
	}
}

/* --- its name (RFC 9525) ---------------------------------------------------------------------- */

/* One entry of subjectAltName as text; false: it is of another kind. */
static bool name_read(gnutls_x509_crt_t crt, unsigned at, char *out, size_t size, int *ret_type)
{
	uint8_t bytes[256];
	size_t len = sizeof(bytes) - 1;
	struct text t;
	*ret_type = gnutls_x509_crt_get_subject_alt_name(crt, at, bytes, &len, NULL);
	text_init(&t, out, size);
	if (*ret_type == GNUTLS_SAN_DNSNAME) {
		text_add_utf8(&t, bytes, len);
		return true;
	}
	return *ret_type == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16) &&
	       inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, out, (socklen_t)size) != NULL;
}

/* The names of a kind; without one there is no match, whatever the common name is (6.3). */
static unsigned names_count(gnutls_x509_crt_t crt, bool addresses)
{
	const int wanted = addresses ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME;
	char name[256];
	unsigned count = 0;
	int type = 0;
	for (unsigned i = 0; i < TLS_NAMES_MAX && type != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	     i++)
		if (name_read(crt, i, name, sizeof(name), &type) && type == wanted)
			count++;
	return count;
}

static bool has_name(const struct tls_client_peer *p, gnutls_x509_crt_t crt)
{
	if (names_count(crt, p->address_len > 0) == 0)
		return false;
	return p->address_len > 0
		   ? gnutls_x509_crt_check_ip(crt, p->address, p->address_len, 0) != 0
		   : gnutls_x509_crt_check_hostname2(crt, p->name, 0) != 0;
}

static int name_refuse(struct tls_client_session *s, gnutls_x509_crt_t crt)
{
	const unsigned all = names_count(crt, false) + names_count(crt, true);
	char name[128];
	unsigned shown = 0;
	int type = 0;
	struct text t;
	text_init(&t, s->why, sizeof(s->why));
	text_addf(&t, all > 0 ? "its certificate is for " : "its certificate has no names");
	for (unsigned i = 0; shown < NAMES_SHOWN && shown < all && i < TLS_NAMES_MAX; i++)
		if (name_read(crt, i, name, sizeof(name), &type))
			text_addf(&t, "%s\"%.64s\"", shown++ > 0 ? ", " : "", name);
	if (all > shown)
		text_addf(&t, " and %u more", all - shown);
	text_addf(&t, ", not for \"%.64s\"", s->peer->name);
	s->alert = GNUTLS_A_BAD_CERTIFICATE;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* --- its chain -------------------------------------------------------------------------------- */

struct shown {
	gnutls_x509_crt_t list[TLS_CLIENT_CHAIN_MAX];
	unsigned count;
};

static bool shown_import(struct shown *c, const gnutls_datum_t *raw, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (gnutls_x509_crt_init(&c->list[i]) < 0)
			return false;
		c->count++;
		if (gnutls_x509_crt_import(c->list[i], &raw[i], GNUTLS_X509_FMT_DER) < 0)
			return false;
	}
	return count > 0;
}

static void date_write(time_t at, char out[32])
{
	struct tm tm;
	if (at == (time_t)-1 || gmtime_r(&at, &tm) == NULL ||
	    strftime(out, 32, "%Y-%m-%d", &tm) == 0)
		(void)strlcpy(out, "an unknown day", 32);
}

/* The one whose validity is over, or has not begun; as a rule the server's own. */
static int time_refuse(struct tls_client_session *s, const struct shown *c, bool expired)
{
	const time_t now = time(NULL);
	char day[32];
	struct text t;
	time_t at = (time_t)-1;
	unsigned i = 0;
	for (; i < c->count; i++) {
		at = expired ? gnutls_x509_crt_get_expiration_time(c->list[i])
			     : gnutls_x509_crt_get_activation_time(c->list[i]);
		if (expired ? at < now : at > now)
			break;
	}
	date_write(i < c->count ? at : (time_t)-1, day);
	text_init(&t, s->why, sizeof(s->why));
	text_addf(&t, i == 0 ? "its certificate" : "a certificate that issued its own");
	text_addf(&t, expired ? " has expired on %s" : " is not valid before %s", day);
	s->alert = GNUTLS_A_CERTIFICATE_EXPIRED;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int unknown_refuse(struct tls_client_session *s, const struct shown *c)
{
	gnutls_x509_crt_t last = c->list[c->count - 1];
	gnutls_datum_t issuer = {.data = NULL};
	struct text t;
	if (c->count == 1 && gnutls_x509_crt_check_issuer(last, last) != 0)
		return refuse(s, GNUTLS_A_UNKNOWN_CA,
			      "its certificate is self-signed, and not among the authorities");
	text_init(&t, s->why, sizeof(s->why));
	text_add_str(&t, "its certificate is of an unknown authority");
	if (gnutls_x509_crt_get_issuer_dn3(last, &issuer, 0) >= 0 && issuer.size > 0) {
		text_add_str(&t, ": \"");
		text_add_utf8(&t, issuer.data, issuer.size < 100 ? issuer.size : 100);
		text_add_str(&t, "\"");
	}
	gnutls_free(issuer.data);
	s->alert = GNUTLS_A_UNKNOWN_CA;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int status_refuse(struct tls_client_session *s, const struct shown *c, unsigned status)
{
	if ((status & (GNUTLS_CERT_SIGNER_NOT_FOUND)) != 0)
		return unknown_refuse(s, c);
	if ((status & GNUTLS_CERT_EXPIRED) != 0)
		return time_refuse(s, c, true);
	if ((status & GNUTLS_CERT_NOT_ACTIVATED) != 0)
		return time_refuse(s, c, false);
	if ((status & GNUTLS_CERT_INSECURE_ALGORITHM) != 0)
		return refuse(s, GNUTLS_A_BAD_CERTIFICATE,
			      "its certificate, or one that issued it, has a key or signature of "
			      "less than 112 bits of security");
	if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0)
		return refuse(s, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
			      "its certificate is not for servers");
	if ((status & GNUTLS_CERT_SIGNER_NOT_CA) != 0)
		return refuse(s, GNUTLS_A_UNKNOWN_CA,
			      "its certificate was issued by one that may issue none");
	if ((status & GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE) != 0)
		return refuse(s, GNUTLS_A_BAD_CERTIFICATE,
			      "its certificate is outside of what its authority may issue");
	return refuse(s, GNUTLS_A_BAD_CERTIFICATE, "its certificate is invalid");
}

static time_t shown_expiry(const struct tls_client_trust *trust, const struct shown *c)
{
	time_t expiry = trust->expiry;
	for (unsigned i = 0; i < c->count; i++) {
		const time_t own = gnutls_x509_crt_get_expiration_time(c->list[i]);
		expiry = own < expiry ? own : expiry;
	}
	return expiry;
}

static int shown_verify(struct tls_client_session *s, struct shown *c)
{
	const struct tls_client_trust *trust = s->peer->context->trust;
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
					 .data =
					     (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER,
					 .size = 0};
	unsigned status = 0;
	if (gnutls_x509_trust_list_verify_crt2(trust->list, c->list, c->count, &purpose, 1,
					       GNUTLS_PROFILE_TO_VFLAGS(PROFILE), &status,
					       NULL) < 0)
		return refuse(s, GNUTLS_A_BAD_CERTIFICATE, "its certificate cannot be verified");
	if (status != 0)
		return status_refuse(s, c, status);
	if (!has_name(s->peer, c->list[0]))
		return name_refuse(s, c->list[0]);
	s->until = shown_expiry(trust, c);
	return 0;
}

int tls_client_trust_verify(struct tls_client_session *s)
{
	struct shown c = {.count = 0};
	unsigned count = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(s->flow.handle, &count);
	if (s->peer->context->trust == NULL) {
		s->until = INT64_MAX;
		return 0;
	}
	if (raw == NULL || count == 0 || count > TLS_CLIENT_CHAIN_MAX)
		return refuse(s, GNUTLS_A_BAD_CERTIFICATE, "it has shown no certificate");
	const int error =
	    shown_import(&c, raw, count)
		? shown_verify(s, &c)
		: refuse(s, GNUTLS_A_BAD_CERTIFICATE, "one of its certificates is malformed");
	for (unsigned i = 0; i < c.count; i++)
		gnutls_x509_crt_deinit(c.list[i]);
	return error;
}
