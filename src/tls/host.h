/*
 * Chooses which of its certificates a server shows to a client; src/tls only.
 *
 * The requested name (RFC 6066, 3) decides among the certificates that the client can verify. A
 * certificate with exactly this name comes before one with a matching wildcard (RFC 9525, 6.3), and
 * both come before all others. If no certificate has the name, the first one is shown: the client
 * may have connected by address, or may not check the name.
 */
#ifndef TLS_HOST_H
#define TLS_HOST_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_session;
struct tls_chain;

/* One certificate with its chain and key. */
struct tls_host {
	gnutls_x509_crt_t leaf;
	gnutls_pcert_st *chain;
	unsigned chain_count;
	gnutls_privkey_t key; /* NULL: a keyholder has it */
	unsigned pair;        /* index of the pair in the port's configuration */
	gnutls_pk_algorithm_t pk;
	gnutls_ecc_curve_t curve; /* of an ECDSA key */
	/* the only digest of an RSA-PSS key, RFC 4055 3.1; else UNKNOWN */
	gnutls_digest_algorithm_t digest;
};

/* The certificates in order of preference. */
struct tls_hosts {
	struct tls_host *all;
	size_t count;
};

/* Takes the leaf out of the chain, copies the rest, and takes ownership of the key (NULL: a
 * keyholder has it) unless it fails. Returns 0 or a GnuTLS error. */
int tls_hosts_add(struct tls_hosts *, struct tls_chain *, unsigned pair, gnutls_privkey_t key);
void tls_hosts_release(struct tls_hosts *);

/* The kinds of key that TLS 1.2's cipher suites need, as a set; suites of TLS 1.3 have none. */
enum { SUITES_ECDSA = 1, SUITES_RSA = 2 };

#define SUITES_MAX 32

struct tls_suite {
	uint8_t id[2];
	uint8_t kind;
};

/* The part of the policy that decides whether a client can verify a key. */
struct tls_offer {
	struct tls_suite suites[SUITES_MAX];
	size_t suites_count;
	const unsigned *signs; /* gnutls_sign_algorithm_t; owned by the priority */
	int signs_count;
};

void tls_offer_read(struct tls_offer *, gnutls_priority_t);

/* Prepares a session: reads the requested name, accepts any name, and reads the ClientHello.
 * Returns 0 or a GnuTLS error. */
int tls_host_listen(struct tls_session *);
/* Sets s->server_name from GnuTLS if the hello did not; call it when the handshake is complete, at
 * the latest. */
void tls_host_name(struct tls_session *);
/* Makes these credentials choose among the certificates of the session's context. */
void tls_host_choose_from(gnutls_certificate_credentials_t);

#endif
