/*
 * Which of its certificates a server shows to a client: src/tls only.
 *
 * The name that the client asks for (RFC 6066, 3) decides among those that it can verify. A
 * certificate of exactly this name comes before one with a wildcard (RFC 9525, 6.3), and both
 * before all others: a name that no certificate has is served with the first one, since it may be
 * the address that matters, or nothing.
 */
#ifndef TLS_HOST_H
#define TLS_HOST_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_session;

/* One certificate with its chain and its key. */
struct tls_host {
	gnutls_x509_crt_t leaf;
	gnutls_pcert_st *chain;
	unsigned chain_count;
	gnutls_privkey_t key;
	gnutls_pk_algorithm_t pk;
	gnutls_ecc_curve_t curve;         /* of an ECDSA key */
	gnutls_digest_algorithm_t digest; /* the only one of this key, RFC 4055 3.1; else UNKNOWN */
};

/* In the order of preference. */
struct tls_hosts {
	struct tls_host *all;
	size_t count;
};

/* Takes over the key, and copies the chain, the leaf first. 0 or a GnuTLS error. */
int tls_hosts_add(struct tls_hosts *, const gnutls_x509_crt_t *chain, unsigned count,
		  gnutls_privkey_t key);
void tls_hosts_release(struct tls_hosts *);

/* Cipher suites of TLS 1.2 by the kind of key that they need, as a set; of TLS 1.3 none. */
enum { SUITES_ECDSA = 1, SUITES_RSA = 2 };

#define SUITES_MAX 32

struct tls_suite {
	uint8_t id[2];
	uint8_t kind;
};

/* What of the policy decides whether a client can verify a key. */
struct tls_offer {
	struct tls_suite suites[SUITES_MAX];
	size_t suites_count;
	const unsigned *signs; /* gnutls_sign_algorithm_t; the priority's */
	int signs_count;
};

void tls_offer_read(struct tls_offer *, gnutls_priority_t);

/* Has the session choose among its context's hosts, by the name that its client sends, and take any
 * name. 0 or a GnuTLS error. */
int tls_host_listen(struct tls_session *);
/* What of the ClientHello GnuTLS has kept to itself: at the latest when the handshake is done. */
void tls_host_name(struct tls_session *);
/* The credentials of a context that has hosts. */
void tls_host_choose_from(gnutls_certificate_credentials_t);

#endif
