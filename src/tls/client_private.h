/*
 * The parts of the TLS client that its sessions read; src/tls only. What concerns the certificates
 * of clients, on a server, is in clients.c and client_message.c to client_facts.c.
 */
#ifndef TLS_CLIENT_PRIVATE_H
#define TLS_CLIENT_PRIVATE_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <time.h>

#include "tls/client.h"
#include "tls/identity.h"
#include "tls/session.h"

struct tls_client_policy {
	gnutls_priority_t priority;
};

struct tls_client_trust {
	gnutls_x509_trust_list_t list;
	time_t expiry; /* the next of an authority; INT64_MAX: none has one that is to come */
};

struct tls_client_identity {
	struct tls_identity shown;
};

struct tls_client_context {
	const struct tls_client_policy *policy;
	const struct tls_client_trust *trust;
	gnutls_certificate_credentials_t credentials;
	const struct tls_client_identity *identity;
	gnutls_privkey_t key; /* of the identity, by this loop's signer; NULL: shows nothing */
	const struct tls_signer *signer;
};

/* --- sessions to resume ----------------------------------------------------------------------- */

#define TLS_CLIENT_TICKETS_MAX 4 /* of a peer; one more takes the place of the oldest */
/* Bytes of a session with its ticket and the server's chain; a larger one is not kept. */
#define TLS_CLIENT_TICKET_BYTES_MAX ((size_t)16384)
#define TLS_CLIENT_TICKET_S         3600
/* A connection may bring so many; most servers send one or two. */
#define TLS_CLIENT_TICKETS_SENT_MAX 8

/* What one event loop knows of an endpoint. */
struct tls_client_known {
	struct tls_client_ticket {
		gnutls_datum_t data; /* GnuTLS's; owned. NULL: none */
		time_t since, until;
		bool once;                 /* of TLS 1.3 */
	} tickets[TLS_CLIENT_TICKETS_MAX]; /* the oldest first */
	unsigned count;
	uint64_t handshakes, resumed;
};

struct tls_client_peer {
	const struct tls_client_context *context;
	const char *name;
	uint8_t address[16]; /* if the name is one */
	unsigned address_len;
	struct tls_client_known *known; /* owned */
};

_Static_assert(TLS_CLIENT_PEER_MEMORY_MAX >= TLS_CLIENT_TICKETS_MAX * TLS_CLIENT_TICKET_BYTES_MAX +
						 sizeof(struct tls_client_known) +
						 sizeof(struct tls_client_peer) + 4096,
	       "it is the most");

/* Takes the data, which gnutls_free() frees. It counts until then, and at most an hour. */
void tls_client_known_add(struct tls_client_known *, gnutls_datum_t *data, time_t now, time_t until,
			  bool once);
/* Gives the newest one to a session that begins. Returns until when it counts; 0: there is none. */
time_t tls_client_known_use(struct tls_client_known *, gnutls_session_t, time_t now);

/* --- a session -------------------------------------------------------------------------------- */

struct tls_client_session {
	struct tls_flow flow; /* first */
	const struct tls_client_peer *peer;
	bool answered;   /* the server has sent something */
	bool complete;   /* so is the handshake */
	uint8_t tickets; /* that have come */
	int alert;       /* what the server is told about its certificate; -1: GnuTLS decides */
	time_t until;    /* when the verified chain, or the resumed session, expires */
	char why[240];   /* "" as long as nothing has failed */
	struct transport_facts facts;
};

/* --- the server's certificate ----------------------------------------------------------------- */

/* The most certificates that a server may send. */
#define TLS_CLIENT_CHAIN_MAX 10

/* The Certificate message has come, and nothing in it was used: is it worth computing? Returns 0 or
 * a GnuTLS error, with the reason in the session. */
int tls_client_trust_admit(struct tls_client_session *, const gnutls_datum_t *message);
/* Verifies the chain that the server has shown, with its name; the same. */
int tls_client_trust_verify(struct tls_client_session *);

#endif
