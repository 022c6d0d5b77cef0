/*
 * The header of the PROXY protocol in front of a connection's bytes, and the address that it
 * brings; src/worker only.
 *
 *   HEADER ──complete──> HANDSHAKE, or OPEN on a plain port
 *      └─ none, a broken one, or one of a peer that is not listed: LINGER
 *
 * Only ports with `proxy protocol from` have such connections. The bytes come from the loop's wire
 * (pump.h), and those after the header stay in it. Peers that are listed must send a header, others
 * must not: their first bytes are looked at until it is clear that they begin none.
 */
#ifndef WORKER_HEADER_H
#define WORKER_HEADER_H

#include "worker/conn.h"

/* What a connection of such a port has besides, in its memory. */
struct conn_header {
	bool due;      /* its peer is listed */
	bool own;      /* no header names the client: the connection's own address stays */
	uint32_t left; /* bytes of the header that are still to come, and are skipped */
	/* What the client has connected to, as the header says; "": what the connection says. */
	char reached[ADDRESS_TEXT_MAX];
};

/* Bytes of memory for it: none if the port has no such statement. */
size_t header_size(const struct worker *);

/* Must connections of this peer begin with a header? Then their client is not known yet. */
bool header_due(const struct worker *, const struct http_client *peer);

/* The connection waits for its first bytes. */
void header_begin(struct conn *);

enum header_result {
	HEADER_DONE,    /* the address of the client is known: the connection begins */
	HEADER_AGAIN,   /* more bytes are needed */
	HEADER_REFUSED, /* counted and logged; nothing is answered */
};

/* Takes what the header has in the wire. */
enum header_result header_take(struct conn *);

/* The peer has left before that, or the connection ends for another reason. */
void header_left(struct conn *);

/* Its time is over. True: the connection begins nevertheless, since it owes no header. */
bool header_expired(struct conn *);

/* After HEADER_DONE: did a header say who the client is? */
bool header_came(const struct conn *);

/* NULL: the header has not said it. */
const char *header_reached(const struct conn *);

#endif
