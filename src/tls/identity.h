/*
 * One certificate with its chain, in the form that sessions send, and what is needed to choose it:
 * its names and the kind of its key; src/tls only. The parsed certificates are not kept: they would
 * take ten times the memory.
 */
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tls_choice.h"
#include "tls/names.h"

struct tls_chain;
struct tls_session;

struct tls_identity {
	gnutls_pcert_st *chain; /* only the first has its public key */
	unsigned chain_count;
	gnutls_privkey_t key; /* NULL: a keyholder has it */
	unsigned pair;        /* index of the pair in the port's configuration */
	gnutls_pk_algorithm_t pk;
	gnutls_ecc_curve_t curve; /* of an ECDSA key */
	/* the only digest of an RSA-PSS key, RFC 4055 3.1; else UNKNOWN */
	gnutls_digest_algorithm_t digest;
};

/* Copies what it needs of the chain, and takes ownership of the key (NULL: a keyholder has it)
 * unless it fails. Returns 0 or a GnuTLS error. */
int tls_identity_init(struct tls_identity *, const struct tls_chain *, unsigned pair,
		      gnutls_privkey_t key);
void tls_identity_release(struct tls_identity *);

/* Adds the names that clients accept a certificate for (RFC 9525, 6.2): the DNS names and addresses
 * of its subjectAltName; without any its common name, as some clients still do (RFC 6125, 6.4.4).
 * Returns 0 or -ENOMEM. */
int tls_identity_names(gnutls_x509_crt_t leaf, struct tls_names *, uint32_t set, uint32_t value,
		       uint8_t kind);

/* Identities of one kind can be verified by the same clients. Below TLS_IDENTITY_KINDS. */
#define TLS_IDENTITY_KINDS 10
uint8_t tls_identity_kind(const struct tls_identity *);

/* The kinds of key that TLS 1.2's cipher suites need, as a set; suites of TLS 1.3 have none. */
enum { SUITES_ECDSA = 1, SUITES_RSA = 2 };

#define SUITES_MAX 64

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
	unsigned versions; /* that have a suite: TLS_WORD_ of base/tls_choice.h */
};

void tls_offer_read(struct tls_offer *, gnutls_priority_t);

/* The versions in which some client can verify this key: TLS_WORD_ of base/tls_choice.h. */
unsigned tls_identity_versions(const struct tls_identity *, const struct tls_offer *);

/* Can the client verify this key? A client without signature_algorithms means SHA-1 (RFC 5246,
 * 7.4.1.4.1), which is no longer allowed (RFC 9155, 4): no key fits. */
bool tls_identity_fits(const struct tls_identity *, const struct tls_session *);

#endif
