/*
 * What carries the bytes of one connection: TLS (tls/transport.h), or nothing in between
 * (transport_plain).
 *
 * A transport works in memory and never uses a descriptor, so it cannot block. The connection
 * points in at the bytes that it received, calls the transport, and sends the bytes that were
 * collected in out. So one recv and one send serve any number of records. All connections of an
 * event loop share one wire.
 *
 * The connection provides the memory of the transport (transport_ops.size), and chooses the
 * protocol by the name that the transport negotiated.
 */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"
#include "base/buf.h"

struct transport_wire {
	const uint8_t *in; /* received bytes that were not taken yet; borrowed */
	size_t in_len;
	bool in_ended;  /* the connection has ended: no more bytes will come */
	struct buf out; /* bytes to send */
	/* The address that the peer has connected to. Returns 0 or -errno. NULL: nobody knows. */
	int (*local_address)(const void *connection, char ret[ADDRESS_TEXT_MAX]);
	const void *connection; /* whose bytes these are */
};

enum transport_result {
	TRANSPORT_OK = 1,
	TRANSPORT_CLOSED = 0, /* the peer closed, with a clean end or without */
	TRANSPORT_AGAIN = -1, /* all input was taken, more is needed */
	TRANSPORT_FAILED = -2 /* it failed; out contains what is still to be sent, if anything */
};

struct transport_failure {
	unsigned kind;    /* an enum ipc_failure, which this folder does not know */
	const char *text; /* for people; static, or the transport's */
	bool plain_http;  /* the peer speaks plain HTTP: the owner may answer in the same way */
};

/* The certificate of a client that has proven that it has the key. Names are escaped by
 * text_add_utf8(): no control characters, valid UTF-8; what does not fit ends in "...". */
struct transport_certificate {
	char subject[256];    /* RFC 4514 */
	char issuer[256];     /* RFC 4514 */
	char serial[129];     /* hexadecimal, of at most 64 bytes */
	char fingerprint[65]; /* SHA-256, hexadecimal */
	char names[512];      /* "DNS:a.example,email:a@b.example"; a comma in a name is "\\," */
};

/* Facts about an encrypted transport, shown to people. They live as long as it. */
struct transport_facts {
	const char *version;     /* "TLS1.3" */
	const char *cipher;      /* "AES-128-GCM" */
	const char *group;       /* "X25519" */
	const char *server_name; /* SNI, any bytes; NULL: none was sent, or none that can be shown:
				    with a zero byte, or of more than 255 bytes */
	/* Which certificates the server name chose, and which of clients are asked for: the number
	 * of that (conf_host_policy()). A request for a host with another one is misdirected (RFC
	 * 9110, 15.5.20). */
	uint32_t policy;
	bool resumed;
	const struct transport_certificate *client; /* NULL: it has shown none */
};

struct transport_ops;

struct transport {
	const struct transport_ops *ops;
	struct transport_wire *wire;
};

struct transport_ops {
	/* Bytes of memory that one connection provides for it. */
	size_t size;

	/* The most memory that it holds besides, if no call gets more than in_max bytes. */
	size_t (*memory_max)(size_t in_max);

	/* Begins in that memory, and sets ops and wire. context belongs to the kind of transport;
	 * it and the wire must outlive the transport. */
	void (*init)(struct transport *, const void *context, struct transport_wire *);

	/* Continues the handshake. OK: data can pass in both directions. AGAIN: more input is
	 * needed. FAILED: *ret_failure says why, and only release() may follow. NULL: there is no
	 * handshake, and data passes from the first byte on. */
	enum transport_result (*handshake)(struct transport *, struct transport_failure *ret);

	/* Takes input and writes at most size bytes of data: returns how many (> 0), or an enum
	 * transport_result. If size is at least TRANSPORT_DATA_MAX, no byte of data stays inside.
	 */
	ssize_t (*receive)(struct transport *, uint8_t *data, size_t size);

	/* Appends all of the data to out: OK, or FAILED if memory ran out. */
	enum transport_result (*send)(struct transport *, const uint8_t *data, size_t len);

	/* Says in out that no more data will come, so that the peer can tell the end from a cut.
	 * NULL: it has no words for that. */
	void (*close)(struct transport *);

	/* The name of the protocol that both sides agreed on: returns its length. The transport
	 * owns it. 0: none. NULL: it never is. */
	size_t (*protocol)(const struct transport *, const char **ret_name);

	/* After the handshake. NULL: it does not encrypt. */
	const struct transport_facts *(*facts)(const struct transport *);

	/* Why receive() or send() has FAILED, for people, in the form of "it sent ..."; static, or
	 * the transport's. NULL, as is the function: there are no words. */
	const char *(*failure)(const struct transport *);

	/* At any moment. The owner frees the memory. */
	void (*release)(struct transport *);
};

#define TRANSPORT_DATA_MAX 16384 /* a record of TLS, RFC 8446, 5.1 */

/* Passes the bytes as they are. It needs no context. */
extern const struct transport_ops transport_plain;

#endif
