/*
 * What TLS sessions share. All sessions of a process share its credentials: the certificates, each
 * parsed once, and what chooses among them. The sessions of an event loop share its context: access
 * to the keys, the protocol policy, the ticket keys. Each loop has its own context, because each
 * has its own signer (tls/key.h) and GnuTLS passes nothing but the key to the callback.
 *
 * Both are made before the loops serve and are read-only afterwards, so threads need no lock; what
 * a loop knows of its clients (tls/client_known.h) is the context's, and so its own.
 *
 * TLS 1.3 and 1.2 only (RFC 8446, RFC 5246), no static RSA, the server's preference decides. Unless
 * the configuration chooses otherwise, X25519 comes first and the ciphers are AEAD only,
 * AES-128-GCM first. Everything else is the system's GnuTLS default (gnutls_priority_init2).
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/digest.h"

struct tls_context;
struct tls_credentials;
struct tls_policy;
struct tls_signer;
struct ipc_tickets;

struct tls_pair {
	/* path of a PEM file with leaf and chain; for messages if the file is open already */
	const char *certificate;
	int certificate_fd; /* the open file; -1: certificate is opened here */
	const char *key;    /* path of a PEM file; read only if there is no signer */
};

/* Receives a reason for which clients that verify the certificate may refuse it. pair is the index
 * of the pair. The finding does not prevent serving. */
typedef void tls_warning_fn(void *arg, size_t pair, const char *text);

/*
 * Makes the protocol policy that the configuration chooses; NULL, or a choice that says nothing:
 * the default. What is chosen is offered exactly, or it is an error: of a group that this library
 * does not have, and of anything that the system's policy disables. It reads that policy, so it
 * must run before the process is confined: later GnuTLS would silently use its built-in one.
 * Returns 0, or -1 and a sentence in err.
 */
struct tls_choice;
int tls_policy_new(const struct tls_choice *, struct tls_policy **ret, struct err *);
/* Tells each thing in a `priority` that is weaker than the default; pair is 0. The configuration
 * has told it of lists. */
void tls_policy_warn(const struct tls_policy *, tls_warning_fn *warn, void *arg);
/* Which of its versions (TLS_WORD_ of base/tls_choice.h) can the policy serve at all? */
unsigned tls_policy_versions(const struct tls_policy *);
void tls_policy_free(struct tls_policy *);

#define TLS_PROTOCOLS_MAX 8

/* Sets the protocols for ALPN (RFC 7301), the preferred one first; they must outlive the policy. A
 * client that offers protocols, but none of these, gets an alert (3.2). Without protocols, the
 * extension is ignored. */
void tls_policy_protocols(struct tls_policy *, const char *const *names, size_t count);

/* Facts about the certificate of a pair. */
struct tls_certificate {
	int64_t begins; /* both time(2); 0: unknown */
	int64_t ends;
	/* Its subject (RFC 4514), else the first DNS name or address of its subjectAltName, else
	 * ""; escaped by text_add_utf8(). */
	char subject[IPC_SUBJECT_MAX];
};

struct tls_certificates {
	uint8_t digest[IPC_DIGEST_BYTES]; /* SHA-256 over the files, in the order of the pairs */
	struct tls_certificate *list;     /* the caller's; one for each pair */
};

/* The authorities that this system trusts, read when they are first needed. All zero until then. */
struct tls_trust {
	bool asked;
	int count; /* <= 0: no authorities could be read */
	struct gnutls_x509_trust_list_st *list;
};

void tls_trust_release(struct tls_trust *);

/* A host of the port: which names choose which of the pairs. */
struct tls_clients;
struct tls_host {
	/* "*.example.org" covers each name with one label in place of "*" */
	const char *const *names;
	size_t names_count;
	/* Its part of the pairs; hosts with the same first pair have the same part. */
	uint32_t first, count;
	/* Whose certificates it asks for; must outlive the credentials. NULL: none. */
	const struct tls_clients *clients;
	/* The same number for the same part and clients, another one for others. */
	uint32_t policy;
};

struct tls_credentials_options {
	/* The first is the default host, for clients that ask for no name or for one that no host
	 * has. None: the pairs are those of one host. */
	const struct tls_host *hosts;
	size_t hosts_count;
	/* A name is refused that no host has; in a port with one host, one that no certificate has
	 * (RFC 6066, 3: unrecognized_name). */
	bool refuses_unknown;
	/* checks that each key signs for its certificate; NULL: the keys are loaded here (-t) */
	struct tls_signer *signer;
	tls_warning_fn *warn;
	void *arg;
	struct tls_trust *trust;               /* to judge chains; NULL if no file can be read */
	struct tls_certificates *certificates; /* is filled in; NULL: not wanted */
};

/*
 * Loads the pairs, each file once, and puts each chain in order. Checks that each key signs for its
 * certificate and that TLS can use both. A port may have several kinds of key: ECDSA is preferred
 * to EdDSA, and EdDSA to RSA. Returns 0; or -1, or -EAGAIN out of memory, with a sentence in err
 * and the index of the pair in *ret_pair.
 */
int tls_credentials_new(const struct tls_pair *pairs, size_t count,
			const struct tls_credentials_options *, struct tls_credentials **ret,
			size_t *ret_pair, struct err *err);
/* Does a certificate of the first host have this name, in the form of the names of hosts? A
 * wildcard is covered by the same one, and by a name that it covers itself. */
bool tls_credentials_cover(const struct tls_credentials *, const char *name);
/* Appends the names in the certificates of the first host, the first few of them. */
struct text;
void tls_credentials_names(const struct tls_credentials *, struct text *);
/* The versions (TLS_WORD_ of base/tls_choice.h) in which a certificate of the first host can be
 * shown. */
unsigned tls_credentials_versions(const struct tls_credentials *, const struct tls_policy *);
/* Has each host a certificate that it can show in at least one version? Returns 0; else -1 with the
 * reason in err, and the index of a pair of such a host in *ret_pair. */
int tls_credentials_judge(const struct tls_credentials *, const struct tls_policy *,
			  size_t *ret_pair, struct err *err);
/* After the last context that uses it. */
void tls_credentials_free(struct tls_credentials *);

struct tls_context_options {
	const struct tls_policy *policy; /* must outlive the context */
	/* must outlive the context; NULL: sessions have no tickets */
	const struct ipc_tickets *tickets;
	uint64_t tickets_ms; /* lifetime of a ticket; 0: no tickets */
	/* signs with the keys; must outlive the context; NULL: the credentials have the keys */
	struct tls_signer *signer;
};

/* The credentials must outlive the context. Returns 0; or -1, or -EAGAIN out of memory, with a
 * sentence in err. */
int tls_context_new(const struct tls_credentials *, const struct tls_context_options *,
		    struct tls_context **ret, struct err *err);
/*
 * Makes a context whose certificate a client should refuse, for testing clients: for name alone,
 * with a new key that exists only in this process, and expired if asked. It has no tickets, so
 * every handshake shows the certificate. Clients that accept it are served as with the credentials,
 * which must outlive it: the name that they ask for chooses the host. Returns 0, or -1 and a
 * sentence.
 */
int tls_context_new_false(const struct tls_policy *, const struct tls_credentials *,
			  const char *name, bool expired, struct tls_context **ret, struct err *);
void tls_context_free(struct tls_context *);

#endif
