/*
 * Both ends of a TLS connection in memory, for tests and fuzzers: the client of src/tls, and a
 * server of GnuTLS with certificates that are made as the test says.
 */
#ifndef TESTS_TLS_SERVER_H
#define TESTS_TLS_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "tls/client.h"

#define SERVER_TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2:-RSA"
#define SERVER_TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

#define SERVER_CHECK(condition)                                                         \
	do                                                                              \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	while (0)

/* --- certificates ------------------------------------------------------------------------------
 */

struct server_wish {
	const char *subject;  /* common name */
	const char *names[8]; /* in subjectAltName: names or addresses */
	long since, until;    /* seconds from now; until 0: a day */
	bool ca;
	bool no_ca;               /* it says that it is none */
	const char *purpose;      /* an OID; NULL: for all */
	const char *outside;      /* a name constraint: this domain only */
	gnutls_pk_algorithm_t pk; /* 0: ECDSA */
	unsigned bits;
	gnutls_digest_algorithm_t digest; /* 0: SHA-256 */
};

struct server_certificate {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

static inline void server_names_add(gnutls_x509_crt_t crt, const char *const *names)
{
	unsigned char address[16];
	for (; *names != NULL; names++) {
		if (inet_pton(AF_INET, *names, address) == 1)
			SERVER_CHECK(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS,
									  address, 4,
									  GNUTLS_FSAN_APPEND) >= 0);
		else if (inet_pton(AF_INET6, *names, address) == 1)
			SERVER_CHECK(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS,
									  address, 16,
									  GNUTLS_FSAN_APPEND) >= 0);
		else
			SERVER_CHECK(gnutls_x509_crt_set_subject_alt_name(
					 crt, GNUTLS_SAN_DNSNAME, *names, (unsigned)strlen(*names),
					 GNUTLS_FSAN_APPEND) >= 0);
	}
}

/* GnuTLS orders a chain by what it has read, not by what was set. */
static inline void server_reread(gnutls_x509_crt_t *crt)
{
	gnutls_datum_t der;
	SERVER_CHECK(gnutls_x509_crt_export2(*crt, GNUTLS_X509_FMT_DER, &der) == 0);
	gnutls_x509_crt_deinit(*crt);
	SERVER_CHECK(gnutls_x509_crt_init(crt) == 0);
	SERVER_CHECK(gnutls_x509_crt_import(*crt, &der, GNUTLS_X509_FMT_DER) == 0);
	gnutls_free(der.data);
}

/* issuer NULL: it signs itself. */
static inline struct server_certificate server_certificate(const struct server_wish *w,
							   const struct server_certificate *issuer)
{
	static unsigned serial = 1;
	struct server_certificate c;
	const time_t now = time(NULL);
	const unsigned char number[] = {(unsigned char)(serial >> 8), (unsigned char)serial};
	serial++;
	SERVER_CHECK(gnutls_x509_privkey_init(&c.key) == 0);
	SERVER_CHECK(
	    gnutls_x509_privkey_generate(
		c.key, w->pk != 0 ? w->pk : GNUTLS_PK_ECDSA,
		w->pk != 0 ? w->bits : (unsigned)GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
		0) == 0);
	SERVER_CHECK(gnutls_x509_crt_init(&c.crt) == 0);
	SERVER_CHECK(gnutls_x509_crt_set_version(c.crt, 3) == 0);
	SERVER_CHECK(gnutls_x509_crt_set_serial(c.crt, number, sizeof(number)) == 0);
	SERVER_CHECK(gnutls_x509_crt_set_key(c.crt, c.key) == 0);
	SERVER_CHECK(gnutls_x509_crt_set_dn_by_oid(c.crt, GNUTLS_OID_X520_COMMON_NAME, 0,
						   w->subject, (unsigned)strlen(w->subject)) == 0);
	SERVER_CHECK(gnutls_x509_crt_set_activation_time(
			 c.crt, now + (w->since != 0 ? w->since : -3600)) == 0);
	SERVER_CHECK(gnutls_x509_crt_set_expiration_time(
			 c.crt, now + (w->until != 0 ? w->until : 86400)) == 0);
	server_names_add(c.crt, w->names);
	if (w->ca || w->no_ca)
		SERVER_CHECK(gnutls_x509_crt_set_basic_constraints(c.crt, w->ca, -1) == 0);
	if (w->ca)
		SERVER_CHECK(gnutls_x509_crt_set_key_usage(c.crt, GNUTLS_KEY_KEY_CERT_SIGN) == 0);
	if (w->purpose != NULL)
		SERVER_CHECK(gnutls_x509_crt_set_key_purpose_oid(c.crt, w->purpose, 0) == 0);
	if (w->outside != NULL) {
		gnutls_x509_name_constraints_t only;
		const gnutls_datum_t name = {(unsigned char *)(uintptr_t)w->outside,
					     (unsigned)strlen(w->outside)};
		SERVER_CHECK(gnutls_x509_name_constraints_init(&only) == 0);
		SERVER_CHECK(gnutls_x509_name_constraints_add_permitted(only, GNUTLS_SAN_DNSNAME,
									&name) == 0);
		SERVER_CHECK(gnutls_x509_crt_set_name_constraints(c.crt, only, 1) == 0);
		gnutls_x509_name_constraints_deinit(only);
	}
	SERVER_CHECK(gnutls_x509_crt_sign2(c.crt, issuer != NULL ? issuer->crt : c.crt,
					   issuer != NULL ? issuer->key : c.key,
					   w->digest != 0 ? w->digest : GNUTLS_DIG_SHA256, 0) == 0);
	server_reread(&c.crt);
	return c;
}

static inline void server_certificate_free(struct server_certificate *c)
{
	gnutls_x509_crt_deinit(c->crt);
	gnutls_x509_privkey_deinit(c->key);
}

/* A memory file with these certificates in PEM. */
static inline int server_file(const gnutls_x509_crt_t *list, unsigned count)
{
	const int fd = memfd_create("certificates", MFD_CLOEXEC);
	SERVER_CHECK(fd >= 0);
	for (unsigned i = 0; i < count; i++) {
		gnutls_datum_t pem;
		SERVER_CHECK(gnutls_x509_crt_export2(list[i], GNUTLS_X509_FMT_PEM, &pem) == 0);
		SERVER_CHECK(write(fd, pem.data, pem.size) == (ssize_t)pem.size);
		gnutls_free(pem.data);
	}
	return fd;
}

/* The client's trust in these. */
static inline struct tls_client_trust *server_trust(const gnutls_x509_crt_t *list, unsigned count)
{
	struct tls_client_trust *trust;
	struct err err;
	int fd = server_file(list, count);
	SERVER_CHECK(tls_client_trust_load(fd, "ca.pem", NULL, NULL, NULL, &trust, &err) == 0);
	close(fd);
	return trust;
}

/* --- both ends ---------------------------------------------------------------------------------
 */

struct server {
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	struct buf sent;  /* by the server, on its way */
	size_t piece;     /* bytes that arrive at the client at once; 0: all */
	bool shaken;      /* the server's handshake is complete */
	int error;        /* … or has failed */
	char heard[8192]; /* by the server */
	size_t heard_len;

	struct transport_wire wire; /* of the client */
	struct transport *client;
	struct transport_failure failure;
	enum transport_result result; /* of the client's handshake */
	char got[65536];
	size_t got_len;
	ssize_t received; /* the last result of receive() */
};

static inline ssize_t server_pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct server *s = ptr;
	const size_t n = buf_len(&s->wire.out) < len ? buf_len(&s->wire.out) : len;
	if (n == 0) {
		gnutls_transport_set_errno(s->session, EAGAIN);
		return -1;
	}
	memcpy(data, buf_head(&s->wire.out), n);
	buf_consume(&s->wire.out, n);
	return (ssize_t)n;
}

static inline ssize_t server_push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct server *s = ptr;
	SERVER_CHECK(buf_append(&s->sent, data, len) == 0);
	return (ssize_t)len;
}

static inline void server_client_begin(struct server *s, const struct tls_client_peer *peer)
{
	s->wire.out = (struct buf)BUF_INIT((size_t)1 << 24);
	s->sent = (struct buf)BUF_INIT((size_t)1 << 24);
	s->client = malloc(transport_tls_client.size);
	SERVER_CHECK(s->client != NULL);
	transport_tls_client.init(s->client, peer, &s->wire);
	s->result = TRANSPORT_AGAIN;
}

/* chain: the server's own first; its key is that of the first. count 0: it has none. */
static inline void server_begin(struct server *s, const struct tls_client_peer *peer,
				const char *priority, const struct server_certificate *chain,
				unsigned count)
{
	gnutls_pcert_st list[32];
	gnutls_privkey_t key;
	*s = (struct server){.error = 0};
	server_client_begin(s, peer);
	SERVER_CHECK(gnutls_init(&s->session, GNUTLS_SERVER | GNUTLS_NONBLOCK) == 0);
	SERVER_CHECK(gnutls_certificate_allocate_credentials(&s->credentials) == 0);
	for (unsigned i = 0; i < count; i++) {
		gnutls_x509_crt_t crt = chain[i].crt;
		SERVER_CHECK(gnutls_pcert_import_x509(&list[i], crt, 0) == 0);
	}
	SERVER_CHECK(gnutls_privkey_init(&key) == 0);
	SERVER_CHECK(gnutls_privkey_import_x509(key, chain[0].key, GNUTLS_PRIVKEY_IMPORT_COPY) ==
		     0);
	SERVER_CHECK(gnutls_certificate_set_key(s->credentials, NULL, 0, list, (int)count, key) >=
		     0);
	SERVER_CHECK(gnutls_priority_set_direct(s->session, priority, NULL) == 0);
	SERVER_CHECK(gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, s->credentials) ==
		     0);
	gnutls_transport_set_ptr(s->session, s);
	gnutls_transport_set_pull_function(s->session, server_pull);
	gnutls_transport_set_push_function(s->session, server_push);
}

static inline void server_end(struct server *s)
{
	transport_tls_client.release(s->client);
	free(s->client);
	if (s->session != NULL)
		gnutls_deinit(s->session);
	if (s->credentials != NULL)
		gnutls_certificate_free_credentials(s->credentials);
	buf_release(&s->wire.out);
	buf_release(&s->sent);
}

/* What has arrived, the client takes; what it does not take, waits. */
static inline void server_client_turn(struct server *s, size_t arrived)
{
	s->wire.in = buf_head(&s->sent);
	s->wire.in_len = arrived;
	if (s->result == TRANSPORT_AGAIN)
		s->result = transport_tls_client.handshake(s->client, &s->failure);
	while (s->result == TRANSPORT_OK && s->got_len < sizeof(s->got) - TRANSPORT_DATA_MAX) {
		s->received = transport_tls_client.receive(
		    s->client, (uint8_t *)s->got + s->got_len, TRANSPORT_DATA_MAX);
		if (s->received <= 0)
			break;
		s->got_len += (size_t)s->received;
	}
	buf_consume(&s->sent, arrived - s->wire.in_len);
	if (s->result == TRANSPORT_FAILED || (s->result == TRANSPORT_OK && s->received != -1))
		buf_consume(&s->sent, buf_len(&s->sent)); /* it reads no more */
}

static inline void server_turn(struct server *s)
{
	ssize_t n;
	if (!s->shaken && s->error == 0) {
		const int error = gnutls_handshake(s->session);
		s->shaken = error == 0;
		s->error = error != GNUTLS_E_AGAIN && error != GNUTLS_E_INTERRUPTED ? error : 0;
		if (s->error == GNUTLS_E_NO_CERTIFICATE_FOUND ||
		    s->error == GNUTLS_E_CERTIFICATE_REQUIRED) /* as other servers say it */
			(void)gnutls_alert_send(s->session, GNUTLS_AL_FATAL,
						gnutls_protocol_get_version(s->session) ==
							GNUTLS_TLS1_3
						    ? GNUTLS_A_CERTIFICATE_REQUIRED
						    : GNUTLS_A_HANDSHAKE_FAILURE);
		else if (s->error < 0 && s->error != GNUTLS_E_FATAL_ALERT_RECEIVED)
			(void)gnutls_alert_send_appropriate(s->session, s->error);
	}
	while (s->shaken && s->heard_len < sizeof(s->heard) &&
	       (n = gnutls_record_recv(s->session, s->heard + s->heard_len,
				       sizeof(s->heard) - s->heard_len)) > 0)
		s->heard_len += (size_t)n;
	if (s->error < 0) /* it reads no more */
		buf_consume(&s->wire.out, buf_len(&s->wire.out));
}

/* Until nothing moves. */
static inline void server_run(struct server *s)
{
	for (unsigned rest = 0; rest < 3; rest++) {
		do {
			const size_t all = buf_len(&s->sent);
			const size_t arrived = s->piece > 0 && s->piece < all ? s->piece : all;
			server_client_turn(s, arrived);
			if (buf_len(&s->sent) != all)
				rest = 0;
			if (buf_len(&s->wire.out) > 0)
				rest = 0;
			server_turn(s);
		} while (s->piece > 0 && rest == 0 && buf_len(&s->sent) > 0);
	}
}

/* The connection ends. */
static inline void server_cut(struct server *s)
{
	s->wire.in_ended = true;
	server_client_turn(s, buf_len(&s->sent));
	server_client_turn(s, 0);
}

static inline void server_send(struct server *s, const char *text)
{
	SERVER_CHECK(gnutls_record_send(s->session, text, strlen(text)) == (ssize_t)strlen(text));
}

#endif
