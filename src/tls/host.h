/*
 * Chooses which of its certificates a server shows to a client; src/tls only.
 *
 * The requested name (RFC 6066, 3) chooses the host, and so the part of the certificates that can
 * be shown. The host with exactly this name comes before one with a matching wildcard, and a name
 * that no host has belongs to the default host, or is refused (RFC 6066, 3: unrecognized_name).
 *
 * Then the name decides among those certificates of the host that the client can verify. A
 * certificate with exactly this name comes before one with a matching wildcard (RFC 9525, 6.3), and
 * both come before all others. If no certificate has the name, the first one is shown: the client
 * may have connected by address, or may not check the name.
 */
#ifndef TLS_HOST_H
#define TLS_HOST_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/context.h"
#include "tls/identity.h"
#include "tls/names.h"

struct tls_session;

/* A part of the certificates: those of one host, or of several with the same files. */
struct tls_part {
	uint32_t number;                   /* struct transport_facts, policy */
	uint32_t first;                    /* the first of its pairs */
	const struct tls_clients *clients; /* whose certificates are asked for; NULL: none */
	/* The first certificate of each kind, in the order of preference: what is shown if none has
	 * the name. */
	uint32_t firsts_count;
	uint32_t firsts[TLS_IDENTITY_KINDS];
};

/* Read-only once it is made. */
struct tls_hosts {
	struct tls_identity *all; /* each certificate once */
	size_t count;
	struct tls_part *parts; /* the first is the default host's */
	size_t parts_count;
	struct tls_names names;        /* of the hosts; one set; the value is the part */
	struct tls_names certificates; /* their names; a set for each part */
	bool refuses;                  /* a name that nothing here has */
	bool has_addresses;            /* a host is named by an address */
};

/* Makes the parts from the hosts, or one part of everything if there are none. pairs says which of
 * the certificates each pair has; own are the names in each certificate, a set for each, sealed.
 * Returns 0 or -ENOMEM. */
int tls_hosts_make(struct tls_hosts *, const struct tls_credentials_options *,
		   const uint32_t *pairs, size_t pairs_count, const struct tls_names *own);
void tls_hosts_release(struct tls_hosts *);

/* Prepares a session: reads the requested name, accepts any name, and reads the ClientHello. A
 * second hello with another name than the first is refused.
 * Returns 0 or a GnuTLS error. */
int tls_host_listen(struct tls_session *);
/* Makes these credentials choose among the certificates of the session's context. */
void tls_host_choose_from(gnutls_certificate_credentials_t);

#endif
