/*
 * HTTP/1.1 and 1.0 on one connection (RFC 9112), as a struct proto_ops; src/http and its tests
 * only.
 *
 *   IDLE ──first byte──> HEAD ──blank line──> EXCHANGE ──both directions done──> IDLE
 *                          │                     │                          └──> CLOSING
 *                          └─ malformed ─> EXCHANGE that answers 4xx/5xx ──────────┘
 *
 * There is one exchange at a time: the connection keeps a pipelined request, unparsed. Pure: bytes
 * in, bytes out, no descriptors, no clock. If the response is complete before the request, the rest
 * of the request body is read and discarded. Where the end of that body is uncertain (a malformed
 * body, an Expect that was not met), the response says Connection: close and later input is
 * dropped.
 */
#ifndef HTTP_HTTP1_H
#define HTTP_HTTP1_H

#include "http/chunked.h"
#include "http/exchange.h"
#include "http/proto.h"

enum http1_state { HTTP1_IDLE, HTTP1_HEAD, HTTP1_EXCHANGE, HTTP1_CLOSING, HTTP1_ABORTED };

/* How much of the response was written. In HTTP1_SEND_START nothing was, so it can be replaced. */
enum http1_send {
	HTTP1_SEND_START,
	HTTP1_SEND_FIELDS,
	HTTP1_SEND_BODY,
	HTTP1_SEND_DONE /* the rest of the request body is being discarded */
};

struct http1 {
	struct proto proto; /* first: a struct proto * is a struct http1 * */
	struct http_loop *loop;
	void *connection;
	const struct http_client *client;
	enum http1_state state;
	struct exchange *exchange; /* in HTTP1_EXCHANGE */
	uint64_t head_until_ms;    /* the limit of the head that is being awaited; 0: none runs */
	size_t scan;               /* how far the head that is being awaited was searched */
	bool asks_head;            /* it begins as one of HEAD */
	uint32_t requests;         /* heads read so far */
	enum http1_send send;

	uint64_t request_left;  /* body bytes to come, with HTTP_BODY_LENGTH */
	uint64_t response_left; /* body bytes to give, with a known length */
	struct http1_chunked chunked;
	struct http1_chunked ahead;      /* has read all that is here of a chunked body */
	uint64_t ahead_body;             /* bytes of the body that it has seen */
	size_t ahead_len;                /* of the input that was not taken yet: what it has read */
	struct http_fields_walk walk;    /* of the fields of the response */
	const struct http_header *field; /* the one to write next; NULL: all are written */
	size_t field_sent;               /* bytes of its line that were written */

	/* of the present exchange */
	bool request_done; /* the request was read to its end, or nothing more of it will be read */
	bool continued;    /* 100 Continue was sent */
	bool body_seen;    /* a byte of the request body has arrived */
	bool send_chunked; /* the response is chunked */
	bool bodiless;     /* the response has no body: HEAD, 204, 304 */
	bool trailing;     /* the last chunk was written, and the trailer follows */
	bool offers_upgrade; /* the response has a field Upgrade */
	bool tunnel_ended;   /* the client's half of a tunnel has ended */

	/* of the connection */
	bool close;      /* the connection closes after this exchange */
	bool draining;   /* drain() was called */
	bool input_over; /* input_ended() was called */
	bool pending;    /* the last input() did not take all bytes */
	bool unread;     /* bytes of an unread request may still come: linger */
	bool cut_open;   /* only the connection's end would have framed the response that was cut */
};

extern const struct proto_ops http1_ops;

#endif
