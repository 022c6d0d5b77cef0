/*
 * TLS to an upstream: the client's side, as the transport of a connection (net/transport.h).
 *
 * The server is verified (RFC 5280, RFC 9110 4.3.4) against the upstream's authorities and name,
 * TLS 1.3 and 1.2 only. Sessions are resumed: each context keeps the last tickets of its endpoints.
 * ALPN offers "http/1.1".
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/transport.h"

struct tls_client_trust;
struct tls_client_context;
struct tls_signer;

/* Authorities from an open PEM file, once per process and file; path is for messages. 0; -1 or
 * -EAGAIN (out of memory) and a sentence in err. */
int tls_client_trust_load(int fd, const char *path, uint8_t *digest, struct tls_client_trust **ret,
			  struct err *);
void tls_client_trust_free(struct tls_client_trust *);

struct tls_client_options {
	const struct tls_client_trust *trust; /* NULL: nothing is verified (`verify off`) */
	/* Whom the certificate must name, a host name or a numeric address; also the SNI, unless it
	 * is an address (RFC 6066, 3). */
	const char *name;
	/* What is shown if the server asks for a certificate: an open PEM file with leaf and chain,
	 * and its key in the keyholder. -1: nothing. */
	int certificate_fd;
	const char *certificate;   /* its path, for messages */
	unsigned key;              /* its number, for the signer */
	struct tls_signer *signer; /* of this event loop */
};

/* For one upstream, in one event loop. */
int tls_client_context_new(const struct tls_client_options *, struct tls_client_context **ret,
			   struct err *);
void tls_client_context_free(struct tls_client_context *);

/* Its context is a struct tls_client_context. handshake() is called first without input. */
extern const struct transport_ops transport_tls_client;

#endif
