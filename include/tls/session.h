/*
 * One TLS session of a server, in memory: it never uses a descriptor.
 *
 * Ciphertext goes in and out through a struct transport_wire (net/transport.h). A connection uses a
 * session through transport_tls (tls/transport.h).
 */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/slot.h"
#include "net/transport.h"
#include "tls/context.h"
#include "tls/first.h"

struct gnutls_session_int;
struct tls_part;

#define TLS_RECORD_MAX TRANSPORT_DATA_MAX /* plaintext bytes in a record, RFC 8446 5.1 */
/* … and bytes of a record on the wire, RFC 5246 6.2.3 */
#define TLS_CIPHER_MAX (TLS_RECORD_MAX + 2048 + 5)

/* How many bytes a client may send without completing a handshake message or delivering data.
 * GnuTLS buffers a message of up to 16 MB before it looks at it. A ClientHello has at most 2^16
 * bytes of extensions, and splitting it into records adds their headers. */
#define TLS_BARREN_MAX ((size_t)128 * 1024)

/*
 * An upper bound of the memory of a session, if no call gets more than in_max bytes. It is the sum
 * of:
 * - the barren bytes, checked after the call that exceeded the limit. GnuTLS keeps them in a buffer
 *   of up to twice their size, or in one for the message and one for the hash of all messages;
 *   while that grows, the old one exists as well;
 * - a record of which parts are missing and the part that came last, each in room for a whole one;
 * - its own state and keys (11K measured between requests, less than 40K in a handshake).
 */
#define TLS_SESSION_MEMORY_MAX(in_max) \
	(3 * (TLS_BARREN_MAX + (size_t)(in_max)) + 2 * (size_t)TLS_CIPHER_MAX + 65536)

#define TLS_TICKET_NAME_BYTES 16

/* Facts of the last ClientHello (tls/hello.h). */
struct tls_hello {
	uint8_t count;
	uint8_t suites;      /* the kinds that the client offers, SUITES_ of tls/identity.h */
	bool repeated;       /* an extension is in it twice */
	uint64_t extensions; /* a set of extension numbers below 64 */
	const uint8_t
	    *host; /* the requested name (RFC 6066, 3), valid while the hello is read; NULL: none */
	size_t host_len;
	bool has_ticket;
	uint8_t ticket_name[TLS_TICKET_NAME_BYTES]; /* the first bytes of the first ticket */
};

/* Of the record that is being read, RFC 8446, 5.1. */
struct tls_incoming {
	uint8_t type;
	uint8_t header; /* bytes of its header that were read */
	uint16_t left;  /* bytes of its content that were not read */
	bool misshapen; /* a change_cipher_spec with other content than the byte 1 has come */
};

/* The bytes of a session, of a server or of a client (src/tls/flow.h). */
struct tls_flow {
	struct transport transport;        /* first: a transport of TLS is a session */
	struct gnutls_session_int *handle; /* NULL: none */
	bool starved;                      /* GnuTLS asked for bytes that are not there */
	bool ended;                        /* … and that will never come */
	bool refused;                      /* a renegotiation was refused just now */
	uint8_t refusals;                  /* refused renegotiations */
	uint32_t barren_bytes;             /* taken since the last message or data was complete */
	struct tls_incoming incoming;
};

struct tls_session {
	struct tls_flow flow; /* first */
	const struct tls_context *context;
	enum tls_first first; /* how the client began; its owner sets it */
	bool unsuited;        /* the client can verify the key of none of the certificates */
	struct tls_hello hello;
	bool gives_ticket;           /* of the current key */
	const struct tls_part *part; /* of the host that the name chose */
	char *server_name;           /* as the client sent it; NULL: none; owned */
	int client_fault;            /* of the client's certificate: enum tls_client_fault */
	struct transport_certificate *client; /* its facts; owned; NULL: none */
	struct transport_facts facts;         /* once the handshake is complete */
};

/* Returns 0 or -ENOMEM. context and wire must outlive the session. */
int tls_session_init(struct tls_session *, const struct tls_context *, struct transport_wire *);
void tls_session_release(struct tls_session *);

/* Continues the handshake. TRANSPORT_OK: it is complete, facts are known, and out contains one
 * session ticket if the port has tickets. TRANSPORT_AGAIN: more input is needed. TRANSPORT_FAILED:
 * *ret_failure says why. */
enum transport_result tls_session_handshake(struct tls_session *,
					    struct transport_failure *ret_failure);
/* The protocol that ALPN chose: returns the length of its name, which the session owns. 0: none. */
size_t tls_session_protocol(const struct tls_session *, const char **ret_name);

/* Decrypts at most size bytes: returns how many (> 0), else an enum transport_result. If size is at
 * least TLS_RECORD_MAX, no decrypted byte stays inside. */
ssize_t tls_session_read(struct tls_session *, uint8_t *data, size_t size);

/* Encrypts all of data into out: TRANSPORT_OK, or TRANSPORT_FAILED if memory ran out. */
enum transport_result tls_session_write(struct tls_session *, const uint8_t *data, size_t len);

/* Appends close_notify to out. */
void tls_session_close(struct tls_session *);

#endif
