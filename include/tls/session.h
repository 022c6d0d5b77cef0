/*
 * One TLS session of a server, over memory: it never sees a descriptor.
 *
 * Ciphertext goes in and out through a struct tls_wire that all sessions of an event loop share:
 * the connection points it at what it has received, calls, and sends what has gathered in out.
 * So one recv and one send serve any number of records, and nothing here can block.
 */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "ipc/slot.h"
#include "tls/context.h"
#include "tls/first.h"

struct gnutls_session_int;

#define TLS_RECORD_MAX 16384                       /* plaintext bytes in a record, RFC 8446 5.1 */
#define TLS_CIPHER_MAX (TLS_RECORD_MAX + 2048 + 5) /* and of one on the wire, RFC 5246 6.2.3 */

/* What a client may send without completing a message of a handshake, or a byte of data. GnuTLS
 * gathers a message of up to 16 MB before it looks at it; a ClientHello has at most 2^16 bytes of
 * extensions, and records of it cost their heads. */
#define TLS_BARREN_MAX ((size_t)128 * 1024)

/*
 * What a session holds of memory at the most, if no call is given more than in_max bytes:
 * - what is barren, found out after the call that exceeded it. GnuTLS keeps it in a buffer of up to
 *   twice its size, or in one for the message and one for the hash of all messages; while that
 *   grows, the former one is there as well;
 * - a record of which parts are missing, and the part that came last, each in room for a whole one;
 * - its own state and keys (11K measured between requests, less than 40K in a handshake).
 */
#define TLS_SESSION_MEMORY_MAX(in_max) \
	(3 * (TLS_BARREN_MAX + (size_t)(in_max)) + 2 * (size_t)TLS_CIPHER_MAX + 65536)

struct tls_wire {
	const uint8_t *in; /* received and not yet taken; borrowed */
	size_t in_len;
	bool in_ended;  /* the transport has ended: nothing will follow in */
	struct buf out; /* made and not yet sent */
};

#define TLS_TICKET_NAME_BYTES 16

/* Of the last ClientHello (tls/hello.h). */
struct tls_hello {
	uint8_t count;
	uint8_t suites;      /* kinds of those that it offers, tls/host.h */
	bool repeated;       /* an extension is there twice */
	uint64_t extensions; /* a set of numbers below 64 */
	const uint8_t
	    *host; /* the name asked for (RFC 6066, 3), until the hello is read; NULL: none */
	size_t host_len;
	bool has_ticket;
	uint8_t ticket_name[TLS_TICKET_NAME_BYTES]; /* what the first one begins with */
};

/* Of the record that is being read, RFC 8446, 5.1. */
struct tls_incoming {
	uint8_t type;
	uint8_t header; /* bytes of its header that have been read */
	uint16_t left;  /* bytes of its content that have not */
	bool misshapen; /* a change_cipher_spec that is not the one byte 1, now or before */
};

struct tls_session {
	struct gnutls_session_int *handle; /* NULL: none */
	const struct tls_context *context;
	struct tls_wire *wire;
	bool starved;         /* GnuTLS has asked for bytes that are not there … */
	bool ended;           /* … and never will be */
	enum tls_first first; /* what the client began with; for its owner to set */
	struct tls_incoming incoming;
	bool unsuited; /* no certificate has a key that the client can verify */
	struct tls_hello hello;
	bool gives_ticket;     /* of the key that is in use */
	bool refused;          /* a renegotiation, just now */
	uint8_t refusals;      /* of a renegotiation */
	uint32_t barren_bytes; /* taken since there was something to show for it */
	char *server_name;     /* as the client sent it, NULL: none; owned */
};

enum tls_result {
	TLS_OK = 1,
	TLS_CLOSED = 0, /* the peer has ended, by close_notify or without */
	TLS_AGAIN = -1, /* all of in was taken, more is needed */
	TLS_FAILED = -2 /* over: the alert for it, where one is due, is in out */
};

struct tls_facts {
	const char *version; /* all of them static or the session's, any bytes in server_name */
	const char *cipher;
	const char *group;
	const char *server_name; /* NULL: none was sent, or none that can be shown: with a zero
				    byte, or of more than 255 bytes */
	bool resumed;
};

/* 0 or -ENOMEM. context and wire outlive the session. */
int tls_session_init(struct tls_session *, const struct tls_context *, struct tls_wire *);
void tls_session_release(struct tls_session *);

struct tls_failure {
	enum ipc_failure kind;
	const char *text; /* for people, static */
};

/* Goes on with the handshake: TLS_OK once it is done (one session ticket has been put into out, if
 * there are any), TLS_AGAIN, TLS_FAILED, and then *ret_failure says why. */
enum tls_result tls_session_handshake(struct tls_session *, struct tls_failure *ret_failure);
bool tls_session_resumed(const struct tls_session *);

/* Decrypts at most size bytes: > 0 how many, else enum tls_result. With size of at least
 * TLS_RECORD_MAX nothing decrypted ever stays inside. */
ssize_t tls_session_read(struct tls_session *, uint8_t *data, size_t size);

/* Encrypts all of it into out: TLS_OK or TLS_FAILED (out of memory). */
enum tls_result tls_session_write(struct tls_session *, const uint8_t *data, size_t len);

/* Puts close_notify into out. */
void tls_session_close(struct tls_session *);

void tls_session_facts(const struct tls_session *, struct tls_facts *ret);

#endif
