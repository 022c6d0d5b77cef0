/*
 * What the TLS sessions of an event loop share: certificates, the way to their keys, the protocol
 * policy, the ticket keys.
 *
 * Made before the loop serves, read-only from then on. Each loop has one, because each has a signer
 * of its own (tls/key.h) and GnuTLS's callback knows nothing but the key.
 *
 * TLS 1.3 and 1.2 only (RFC 8446, RFC 5246), no static RSA, the server's preference decides, X25519
 * first, AEAD ciphers only with AES-128-GCM first; everything else is the system's GnuTLS default
 * (gnutls_priority_init2).
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/digest.h"

struct tls_context;
struct tls_policy;
struct tls_signer;
struct ipc_tickets;

struct tls_pair {
	const char *certificate; /* path of a PEM file: leaf and chain; for messages … */
	int certificate_fd;      /* … where it is open already; -1: it is opened here */
	const char *key;         /* path of a PEM file; read only where there is no signer */
};

/* A finding about the pair with this index that does not prevent serving: what clients that verify
 * the certificate may refuse it for. */
typedef void tls_warning_fn(void *arg, size_t pair, const char *text);

/* The protocol policy. Reads the system's, so it is made before the process is confined: later
 * GnuTLS would silently fall back to its own. 0, or -1 and a sentence in err. */
int tls_policy_new(struct tls_policy **ret, struct err *);
void tls_policy_free(struct tls_policy *);

#define TLS_SUBJECT_MAX 256

/* What there is to know of a pair's certificate. */
struct tls_certificate {
	int64_t begins; /* time(2); 0: unknown, both */
	int64_t ends;
	/* Its subject (RFC 4514), else the first DNS name or address of its subjectAltName, else
	 * ""; as text_add_utf8() makes it. */
	char subject[TLS_SUBJECT_MAX];
};

struct tls_certificates {
	uint8_t digest[TLS_DIGEST_BYTES]; /* SHA-256 over the files, in one order */
	struct tls_certificate *list;     /* the caller's: one for each pair */
};

/* The authorities that this system trusts, read when they are first asked for. All zero before. */
struct tls_trust {
	bool asked;
	int count; /* <= 0: nothing is known of them */
	struct gnutls_x509_trust_list_st *list;
};

void tls_trust_release(struct tls_trust *);

struct tls_context_options {
	const struct tls_policy *policy; /* outlives the context; NULL: no session is made of it */
	const struct ipc_tickets *tickets; /* outlives it, too; NULL: sessions have no tickets */
	uint64_t tickets_ms;               /* how long one lives; 0 as above */
	struct tls_signer *signer;         /* where the keys are; NULL: they are loaded here (-t) */
	tls_warning_fn *warn;
	void *arg;
	struct tls_trust *trust; /* to judge chains by; NULL where no file can be read */
	struct tls_certificates *certificates; /* filled; NULL: nobody asks */
};

/*
 * Loads the pairs, puts each chain in order, and checks that each key signs for its certificate and
 * that TLS has a use for both: several kinds of key on one port are fine, ECDSA is offered before
 * EdDSA, and that before RSA.
 * 0; or -1, or -EAGAIN where it is memory that lacks, with a sentence in err and in *ret_pair the
 * pair it is about.
 */
int tls_context_new(const struct tls_pair *pairs, size_t count, const struct tls_context_options *,
		    struct tls_context **ret, size_t *ret_pair, struct err *);
/*
 * A context whose certificate no client should take: for name alone, made just now with a key of
 * its own that is in this process and signs for nobody else; expired or not. It has no tickets, so
 * that it is always shown. 0, or -1 and a sentence.
 */
int tls_context_new_false(const struct tls_policy *, const char *name, bool expired,
			  struct tls_context **ret, struct err *);
void tls_context_free(struct tls_context *);

#endif
