/*
 * HTTP/1.1 and 1.0 on one connection (RFC 9112), as a struct proto_ops.
 *
 *   IDLE ──first byte──> HEAD ──blank line──> EXCHANGE ──both directions done──> IDLE
 *                          │                     │                          └──> CLOSING
 *                          └─ malformed ─> EXCHANGE that answers 4xx/5xx ──────────┘
 *
 * One exchange at a time: a pipelined request waits, unparsed, with the connection. Pure: bytes in,
 * bytes out, no descriptors, no clock.
 */
#ifndef HTTP_HTTP1_H
#define HTTP_HTTP1_H

#include "http/exchange.h"
#include "http/proto.h"

enum http1_state { HTTP1_IDLE, HTTP1_HEAD, HTTP1_EXCHANGE, HTTP1_CLOSING, HTTP1_ABORTED };

struct http1_chunked {	/* decoder state, RFC 9112 7.1 */
	uint8_t state;
	uint8_t line_bytes; /* of the present size or extension line */
	uint16_t trailer_bytes;
	uint64_t left; /* of the present chunk */
};

struct http1 {
	struct proto proto; /* first: a struct proto * is a struct http1 * */
	struct http_loop *loop;
	void *connection;
	const struct http_client *client;
	enum http1_state state;
	struct exchange *exchange; /* in HTTP1_EXCHANGE */
	size_t scan;		   /* of the head that is being waited for */
	uint32_t requests;	   /* heads read so far */
	/* H1 may add what the state machine needs; it stays small: one of these is kept per
	 * connection, idle ones too. */
};

extern const struct proto_ops http1_ops;

/* connection is handed to the loop's callbacks; loop, client and connection outlive the http1. */
void http1_init(struct http1 *, struct http_loop *, void *connection, const struct http_client *);

#endif
