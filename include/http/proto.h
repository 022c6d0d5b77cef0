/*
 * A protocol on one connection, seen from the connection: bytes in, bytes out, what it waits for.
 *
 * The connection owns the transport (TLS), the buffers and the clock; a protocol owns its parse
 * state and its exchanges. It never reads, writes, waits or allocates buffers for bytes: input it
 * does not take stays with the connection and is offered again, in front of what came since.
 * HTTP/1.1 is one (http1.h); HTTP/2 will be another, chosen by ALPN.
 */
#ifndef HTTP_PROTO_H
#define HTTP_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_OUTPUT_MIN 512 /* output() needs room for at least this much */

/* What the protocol waits for; it decides which limit runs. */
enum proto_phase {
	PROTO_IDLE,    /* the next request, of which nothing is here: limits idle */
	PROTO_HEAD,    /* the rest of a head: limits head-timeout, from its first byte */
	PROTO_BODY,    /* more of a request body: limits body-timeout, by body_received() */
	PROTO_BUSY,    /* nothing of the client: output waits to be pulled, or a handler works */
	PROTO_CLOSING, /* all was said: flush what was pulled, then close the connection */
	PROTO_ABORTED  /* the response cannot be completed: close without a clean end */
};

struct proto {
	const struct proto_ops *ops;
};

struct proto_ops {
	const char *alpn; /* RFC 7301 protocol name */

	/* Offers all that is here; returns how many bytes were taken. Less than len means: either
	 * the rest of something must come first (more is welcome), or there is no room (then
	 * wants_input() is false until output was pulled). What was not taken is to be offered
	 * again, with all that came since, once output() or exchange_wake() changed something. data
	 * is borrowed for the call. */
	size_t (*input)(struct proto *, const uint8_t *data, size_t len);

	/* Should the connection read on? False is back-pressure. */
	bool (*wants_input)(const struct proto *);

	/* Will nothing that still comes be looked at? Then the connection may read and throw it
	 * away while the client does not take what is said last: it may read only once it has sent
	 * all. Once true it stays so. */
	bool (*ignores_input)(const struct proto *);

	/* Pulls up to size bytes to send, size being PROTO_OUTPUT_MIN or more; 0: nothing now. To
	 * be called until it returns 0 and input() takes nothing more. A whole small response comes
	 * from one call, for one TLS record. */
	size_t (*output)(struct proto *, uint8_t *out, size_t size);

	enum proto_phase (*phase)(const struct proto *);

	/* How many bytes of the present request's body have come, its framing not counted. They
	 * alone are progress in PROTO_BODY: neither TLS nor a coding can be used to go on for ever.
	 */
	uint64_t (*body_received)(const struct proto *);

	/* The client closed its side: what was asked is still answered, nothing more will come. All
	 * that is here must have been offered; what input() has left of it is still offered later
	 * (a pipelined request is answered although its sender has closed its side). */
	void (*input_ended)(struct proto *);

	/* The limit of the present phase ran out: queues a 408 where one is due, then closes. A
	 * response that has begun is broken off (PROTO_ABORTED). */
	void (*expired)(struct proto *);

	/* No further request: the one in flight, or the first one that a client is about to send,
	 * is answered with Connection: close. */
	void (*drain)(struct proto *);

	/* Must the connection linger after PROTO_CLOSING, since bytes of a refused or unfinished
	 * request may still be coming (RFC 9112, 9.6)? To be asked in PROTO_CLOSING. */
	bool (*lingers)(const struct proto *);

	/* Ends it at any moment: cancels the exchange in flight. The memory is the caller's. */
	void (*release)(struct proto *);
};

#endif
