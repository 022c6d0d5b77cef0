/*
 * TLS to a server: the client's side, as the transport of a connection (net/transport.h).
 *
 * TLS 1.3 and 1.2, with the port's default policy as it is for clients. The server's chain must
 * lead to an authority (RFC 5280), be valid now, for servers, with keys and signatures of 112 bits
 * of security; and its certificate must have the name (RFC 9525: its subjectAltName alone; a
 * wildcard stands for the first label). Nothing is sent before all of that was verified.
 *
 * Made in this order, and released in the other one:
 *
 *   policy    once per process, before it is confined
 *   trust     once per process and file; NULL: servers are not verified
 *   context   of an upstream, in one event loop: what is verified, and what is shown to servers
 *   peer      of one endpoint, in the same loop: its name, and the sessions to resume
 *
 * ALPN offers "http/1.1"; a server that chooses another protocol fails, one that chooses none does
 * not. Sessions are resumed, never with early data. A ticket of TLS 1.3 is used once (RFC 8446,
 * C.4). No session is resumed for longer than an hour, nor after a certificate in the chain has
 * expired.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/transport.h"

struct tls_client_policy;
struct tls_client_trust;
struct tls_client_context;
struct tls_client_peer;
struct tls_client_identity;
struct tls_signer;
struct tls_certificate;

/* It reads the system's policy, as tls_policy_new() does. 0, or -1 and a sentence in err. */
int tls_client_policy_new(struct tls_client_policy **ret, struct err *);
void tls_client_policy_free(struct tls_client_policy *);

/* Authorities from an open PEM file; path is for messages, and opened if fd is -1. The digest of
 * the file is added to digest (tls/digest.h) unless that is NULL. warn, which may be NULL, receives
 * what is of no use, as an authority that has expired. 0; -1 or -EAGAIN (out of memory) and a
 * sentence in err. */
#define TLS_CLIENT_TRUST_MAX ((size_t)4 << 20) /* bytes of the file */
int tls_client_trust_load(int fd, const char *path, uint8_t *digest,
			  void (*warn)(void *arg, size_t pair, const char *text), void *arg,
			  struct tls_client_trust **ret, struct err *);
void tls_client_trust_free(struct tls_client_trust *);

struct tls_client_options {
	const struct tls_client_policy *policy;
	const struct tls_client_trust *trust; /* NULL: nothing is verified (`verify off`) */
	/* What is shown to a server that asks for a certificate. NULL: nothing. */
	const struct tls_client_identity *identity;
	struct tls_signer *signer; /* of this event loop; makes the identity's signatures */
};

/* 0; -1 or -EAGAIN (out of memory) and a sentence in err. All of the options must outlive it. */
int tls_client_context_new(const struct tls_client_options *, struct tls_client_context **ret,
			   struct err *);
void tls_client_context_free(struct tls_client_context *);

/* name: what the certificate must have, a host name in A-labels or a numeric address; also the SNI,
 * unless it is an address (RFC 6066, 3). It must outlive the peer. NULL: out of memory. */
struct tls_client_peer *tls_client_peer_new(const struct tls_client_context *, const char *name);
void tls_client_peer_free(struct tls_client_peer *);
/* The most memory of one, with the sessions that it keeps. */
#define TLS_CLIENT_PEER_MEMORY_MAX ((size_t)72 * 1024)
/* How many handshakes were complete, and how many of these were resumed. */
uint64_t tls_client_peer_handshakes(const struct tls_client_peer *, uint64_t *ret_resumed);

/*
 * Its context is a struct tls_client_peer, which must outlive it. handshake() is called first
 * without input, and writes the first message.
 *
 * receive(): CLOSED is only what the server has said (close_notify). A connection that ends without
 * is FAILED, since anybody on the way may have cut it: what was not complete by then is not
 * complete. After FAILED, failure() has the reason, with the server's own (an alert), such as that
 * it wants a certificate: under TLS 1.3 it says so after the handshake.
 */
extern const struct transport_ops transport_tls_client;

/* --- the certificate that is shown ------------------------------------------------------------ */

/* A certificate with its chain, loaded once per process; its key is in the keyholder. */
struct tls_client_identity_options {
	const char *certificate; /* a PEM file; for messages, and opened if the fd is -1 */
	int certificate_fd;
	const char *key;               /* read only if there is no signer */
	unsigned number;               /* of the key in the keyholder */
	struct tls_signer *signer;     /* proves that the keyholder has the key; NULL: -t */
	uint8_t *digest;               /* of the file, which is added; NULL: not wanted */
	struct tls_certificate *facts; /* tls/context.h; is filled in; NULL: not wanted */
	void (*warn)(void *arg, size_t pair, const char *text); /* may be NULL */
	void *arg;
};
int tls_client_identity_load(const struct tls_client_identity_options *,
			     struct tls_client_identity **ret, struct err *);
void tls_client_identity_free(struct tls_client_identity *);

#endif
