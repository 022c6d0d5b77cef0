/*
 * Both ends of a TLS connection in memory, for tests and fuzzers: the server of src/tls, a client
 * of GnuTLS, and between them a wire that splits the client's data as the test says, into
 * records and into pieces that arrive.
 */
#ifndef TESTS_TLS_PEER_H
#define TESTS_TLS_PEER_H

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/tickets.h"
#include "tls/context.h"
#include "tls/devcert.h"
#include "tls/session.h"

#define PEER_TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define PEER_TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
/* Its first key share is of a group that the server does not have: the server asks for another. */
#define PEER_TLS13_RETRY PEER_TLS13 ":-GROUP-ALL:+GROUP-X448:+GROUP-X25519"

#define PEER_CHECK(condition)                                                           \
	do                                                                              \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	while (0)

struct peer {
	struct transport_wire wire;
	struct tls_session server;
	struct transport_failure failure;
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t client;
	struct buf sent;       /* sent by the client: whole records, split as wanted; not yet
	arrived */
	struct buf unfinished; /* a record of which the client has sent a part */
	size_t record_bytes;   /* bytes in each plaintext handshake record; 0: as they come */
	bool encrypted;        /* the client has sent change_cipher_spec under TLS 1.2 */
	size_t padding;        /* of the ClientHello, in an unknown extension */
	bool failed;
	bool done;        /* the server's handshake */
	struct buf heard; /* by the server */
};

/* The credentials of contexts that are in use. */
static struct {
	struct tls_context *context;
	struct tls_credentials *credentials;
} peer_loaded[4];

static inline void peer_context_free(struct tls_context *context)
{
	for (size_t i = 0; i < sizeof(peer_loaded) / sizeof(peer_loaded[0]); i++)
		if (peer_loaded[i].context == context) {
			tls_context_free(context);
			tls_credentials_free(peer_loaded[i].credentials);
			peer_loaded[i].context = NULL;
			return;
		}
	PEER_CHECK(context == NULL);
}

static inline void peer_context_keep(struct tls_context *context,
				     struct tls_credentials *credentials)
{
	size_t i = 0;
	while (peer_loaded[i].context != NULL)
		PEER_CHECK(++i < sizeof(peer_loaded) / sizeof(peer_loaded[0]));
	peer_loaded[i].context = context;
	peer_loaded[i].credentials = credentials;
}

/* A context with a development certificate, whose key is here. */
static inline struct tls_context *peer_context_with(struct tls_policy **ret_policy,
						    const struct ipc_tickets *tickets,
						    uint64_t tickets_ms)
{
	struct tls_credentials *credentials;
	struct tls_context *context;
	struct devcert pair;
	struct err err;
	size_t at;
	int certificate_fd = memfd_create("certificate", MFD_CLOEXEC);
	int key_fd = memfd_create("key", MFD_CLOEXEC);
	PEER_CHECK(certificate_fd >= 0 && key_fd >= 0);
	PEER_CHECK(devcert_unkept(certificate_fd, key_fd, &pair, &err) == 0);
	const struct tls_pair files = {
	    .certificate = pair.certificate, .certificate_fd = -1, .key = pair.key};
	PEER_CHECK(tls_policy_new(NULL, ret_policy, &err) == 0);
	const struct tls_context_options options = {
	    .policy = *ret_policy, .tickets = tickets, .tickets_ms = tickets_ms};
	const struct tls_credentials_options wanted = {.signer = NULL};
	PEER_CHECK(tls_credentials_new(&files, 1, &wanted, &credentials, &at, &err) == 0);
	PEER_CHECK(tls_context_new(credentials, &options, &context, &err) == 0);
	peer_context_keep(context, credentials);
	close(certificate_fd);
	close(key_fd);
	return context;
}

static inline struct tls_context *peer_context(struct tls_policy **ret_policy)
{
	static const struct ipc_tickets tickets = {.pairs = {{.current = {1}}}};
	return peer_context_with(ret_policy, &tickets, 3600000);
}

static inline ssize_t peer_client_pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct peer *p = ptr;
	size_t n = buf_len(&p->wire.out) < len ? buf_len(&p->wire.out) : len;
	if (n == 0) {
		gnutls_transport_set_errno(p->client, EAGAIN);
		return -1;
	}
	memcpy(data, buf_head(&p->wire.out), n);
	buf_consume(&p->wire.out, n);
	return (ssize_t)n;
}

/* One record, split as wanted. Only its sender could split an encrypted record. */
static inline void peer_record(struct peer *p, const uint8_t *record, size_t size)
{
	const uint8_t *content = record + 5;
	size_t left = size - 5;
	bool cut = record[0] == 22 && !p->encrypted && p->record_bytes > 0;
	if (record[0] == 20)
		p->encrypted = true;
	if (!cut) {
		PEER_CHECK(buf_append(&p->sent, record, size) == 0);
		return;
	}
	while (left > 0) {
		size_t n = left < p->record_bytes ? left : p->record_bytes;
		const uint8_t header[] = {22, record[1], record[2], (uint8_t)(n >> 8), (uint8_t)n};
		PEER_CHECK(buf_append(&p->sent, header, sizeof(header)) == 0);
		PEER_CHECK(buf_append(&p->sent, content, n) == 0);
		content += n;
		left -= n;
	}
}

static inline ssize_t peer_client_push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct peer *p = ptr;
	PEER_CHECK(buf_append(&p->unfinished, data, len) == 0);
	for (;;) {
		const uint8_t *head = buf_head(&p->unfinished);
		size_t there = buf_len(&p->unfinished);
		if (there < 5 || there < 5 + ((size_t)head[3] << 8 | head[4]))
			return (ssize_t)len;
		size_t size = 5 + ((size_t)head[3] << 8 | head[4]);
		peer_record(p, head, size);
		buf_consume(&p->unfinished, size);
	}
}

static inline int peer_padding_send(gnutls_session_t session, gnutls_buffer_t data)
{
	static const uint8_t zeros[65535];
	const struct peer *p = gnutls_session_get_ptr(session);
	return gnutls_buffer_append_data(data, zeros, p->padding) < 0 ? -1 : (int)p->padding;
}

static inline int peer_padding_receive(gnutls_session_t session, const unsigned char *data,
				       size_t size)
{
	(void)session;
	(void)data;
	(void)size;
	return 0;
}

/* A client that is about to begin, and a server that has received nothing. */
static inline void peer_init(struct peer *p, const struct tls_context *context,
			     const char *priority)
{
	*p = (struct peer){.wire = {.out = BUF_INIT(1 << 22)},
			   .sent = BUF_INIT(1 << 22),
			   .unfinished = BUF_INIT(1 << 20),
			   .heard = BUF_INIT(1 << 20)};
	PEER_CHECK(tls_session_init(&p->server, context, &p->wire) == 0);
	PEER_CHECK(gnutls_certificate_allocate_credentials(&p->credentials) == 0);
	PEER_CHECK(gnutls_init(&p->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK) == 0);
	PEER_CHECK(gnutls_priority_set_direct(p->client, priority, NULL) == 0);
	PEER_CHECK(gnutls_credentials_set(p->client, GNUTLS_CRD_CERTIFICATE, p->credentials) == 0);
	gnutls_session_set_ptr(p->client, p);
	gnutls_transport_set_ptr(p->client, p);
	gnutls_transport_set_pull_function(p->client, peer_client_pull);
	gnutls_transport_set_push_function(p->client, peer_client_push);
}

/* Adds an extension of this size to the ClientHello. */
static inline void peer_pad(struct peer *p, size_t padding)
{
	p->padding = padding;
	PEER_CHECK(gnutls_session_ext_register(p->client, "padding", 0x3a3a, GNUTLS_EXT_TLS,
					       peer_padding_receive, peer_padding_send, NULL, NULL,
					       NULL, GNUTLS_EXT_FLAG_CLIENT_HELLO) == 0);
}

static inline void peer_release(struct peer *p)
{
	gnutls_deinit(p->client);
	gnutls_certificate_free_credentials(p->credentials);
	tls_session_release(&p->server);
	buf_release(&p->wire.out);
	buf_release(&p->sent);
	buf_release(&p->unfinished);
	buf_release(&p->heard);
}

/* The server's turn with the arrived bytes, as a loop gives it one: when it wants to wait, no
 * input may be left, since no event would announce it. */
static inline void peer_server_turn(struct peer *p)
{
	uint8_t data[TLS_RECORD_MAX];
	ssize_t n = TRANSPORT_AGAIN;
	if (p->failed)
		return;
	if (!p->done) {
		enum transport_result result = tls_session_handshake(&p->server, &p->failure);
		PEER_CHECK(result != TRANSPORT_AGAIN || p->wire.in_len == 0);
		p->done = result == TRANSPORT_OK;
		p->failed = result == TRANSPORT_FAILED;
	}
	while (p->done && (n = tls_session_read(&p->server, data, sizeof(data))) > 0)
		PEER_CHECK(buf_append(&p->heard, data, (size_t)n) == 0);
	PEER_CHECK(!p->done || n != TRANSPORT_AGAIN || p->wire.in_len == 0);
	p->failed = p->failed || n == TRANSPORT_FAILED;
}

/* The part of these bytes that arrives at once. */
typedef size_t peer_pieces_fn(void *arg);

/* All of the client's data arrives, piece by piece. */
static inline void peer_deliver(struct peer *p, peer_pieces_fn *pieces, void *arg)
{
	while (buf_len(&p->sent) > 0 && !p->failed) {
		size_t wanted = pieces(arg);
		size_t n = wanted == 0 || wanted > buf_len(&p->sent) ? buf_len(&p->sent) : wanted;
		p->wire.in = buf_head(&p->sent);
		p->wire.in_len = n;
		peer_server_turn(p);
		buf_consume(&p->sent, n);
	}
}

/* Both take turns until neither makes progress. 0, AGAIN, or the client's error. */
static inline int peer_handshake(struct peer *p, peer_pieces_fn *pieces, void *arg)
{
	int client = GNUTLS_E_AGAIN;
	for (int i = 0; i < 10 && (client != 0 || !p->done) && !p->failed; i++) {
		if (client != 0)
			client = gnutls_handshake(p->client);
		if (client < 0 && gnutls_error_is_fatal(client))
			return client;
		peer_deliver(p, pieces, arg);
	}
	return p->done ? client : GNUTLS_E_AGAIN;
}

#endif
