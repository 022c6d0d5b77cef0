/* The parts of credentials and contexts that sessions read; src/tls only. */
#ifndef TLS_CONTEXT_PRIVATE_H
#define TLS_CONTEXT_PRIVATE_H

#include <gnutls/gnutls.h>

#include "tls/context.h"
#include "tls/host.h"

struct tls_policy {
	gnutls_priority_t priority; /* shared: it halves the memory of a session */
	struct tls_offer offer;     /* read from priority */
	bool own;                   /* its text is the configuration's `priority` */
	uint32_t weak_flags;        /* of that text; priority.c has the list */
	/* For ALPN, the preferred one first; the names are borrowed. */
	gnutls_datum_t protocols[TLS_PROTOCOLS_MAX];
	unsigned protocols_count;
	/* The policy for ports with an RSA key that is too short for RSA-PSS with SHA-512; owned.
	 * NULL in that policy itself. */
	struct tls_policy *short_rsa;
};

/* Read-only once it is made; the sessions of all threads use it. */
struct tls_credentials {
	gnutls_certificate_credentials_t handle;
	struct tls_hosts hosts; /* the certificates to choose from; none in a false context */
	bool short_rsa;         /* one of them needs the policy for short RSA keys */
};

struct tls_context {
	const struct tls_credentials *credentials;
	const struct tls_hosts
	    *hosts;                  /* that names choose from; of a false context, the true ones */
	struct tls_credentials *own; /* of a false context; else NULL */
	/* the signer's, one for each host; NULL: the hosts have their keys */
	gnutls_privkey_t *keys;
	const struct tls_policy *policy;
	const struct tls_signer *signer;
	const struct ipc_tickets *tickets; /* the port's keys; NULL: sessions have no tickets */
	uint64_t tickets_s;                /* lifetime of a ticket; 0: no tickets */
	struct tls_known *known; /* good chains of clients; NULL: no host asks for certificates */
};

#endif
