/*
 * A protocol on one connection, as the connection sees it: bytes in, bytes out, and the phase that
 * it is in.
 *
 * The connection owns the transport (TLS), the buffers and the clock. A protocol owns its parser
 * state and its exchanges; it never reads, writes, waits or allocates buffers. The connection keeps
 * input that the protocol did not take and offers it again, before newer bytes. HTTP/1.1 is one
 * protocol; HTTP/2 will be another.
 *
 * Nobody outside src/http knows more of a protocol than this. A connection gets the protocol's
 * table from http_protocol(), by the name that ALPN chose (RFC 7301), and provides its memory.
 */
#ifndef HTTP_PROTO_H
#define HTTP_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_OUTPUT_MIN 512 /* output() needs at least this much room */

#define PROTO_NO_DEADLINE UINT64_MAX

enum proto_phase {
	PROTO_IDLE,    /* no byte of a next request has come: limits idle */
	PROTO_BUSY,    /* with requests: deadline() says until when */
	PROTO_CLOSING, /* everything was said: flush the pulled output, then close the connection */
	PROTO_ABORTED  /* the response cannot be completed: close without a clean end */
};

struct exchange;
struct http_client;
struct http_loop;

struct proto {
	const struct proto_ops *ops;
};

struct proto_ops {
	/* Its names in ALPN, the preferred one first; NULL ends the list. */
	const char *const *alpn;

	/* Bytes of memory that one connection provides for it. What a request needs comes from the
	 * http_loop, so a protocol that is idle holds no more than this. */
	size_t size;

	/* How many exchanges it has at most, at the same time. */
	unsigned exchanges_max;

	/* Begins the protocol in that memory, and sets ops. connection is passed to the loop's
	 * callbacks; it, the loop and the client must outlive the protocol. */
	void (*init)(struct proto *, struct http_loop *, void *connection,
		     const struct http_client *);

	/* Offers all bytes that are here; returns how many were taken. Fewer than len were taken if
	 * the rest of an element is missing (more input is welcome), or if there is no room
	 * (wants_input() is then false until output was pulled). The caller offers the remaining
	 * bytes again, with newer ones, after output() or exchange_wake() changed something. data
	 * is borrowed for the call. */
	size_t (*input)(struct proto *, const uint8_t *data, size_t len);

	/* Should the connection read more? False is back-pressure. */
	bool (*wants_input)(const struct proto *);

	/* Will all further input be ignored? Then the connection may read and discard it while the
	 * client does not yet read the last response, since some clients read only after they have
	 * sent everything. Once true it stays true. */
	bool (*ignores_input)(const struct proto *);

	/* Pulls up to size bytes to send; size is PROTO_OUTPUT_MIN or more. Returns 0 if there is
	 * nothing now. Call it until it returns 0 and input() takes nothing more. A small response
	 * comes whole from one call, so that it fills one TLS record. */
	size_t (*output)(struct proto *, uint8_t *out, size_t size);

	enum proto_phase (*phase)(const struct proto *);

	/* When the first limit of its requests will be reached (in milliseconds, by the clock of
	 * now_ms), or PROTO_NO_DEADLINE. A protocol knows which of its requests waits for what: for
	 * the rest of a head (limits head-timeout, from its first byte), or for a body (limits
	 * body-timeout). The connection asks at the end of each of its turns; a limit begins when
	 * it is asked for the first time. */
	uint64_t (*deadline)(struct proto *, uint64_t now_ms);

	/* Ends one request whose limit is reached: queues a 408 where one is due, or cuts off a
	 * response that has begun. Returns the word of that limit; NULL: there is none any more,
	 * and deadline() is to be asked again. */
	const char *(*expired)(struct proto *, uint64_t now_ms);

	/* For so long no byte could move, because the client took no output: no limit ran. */
	void (*paused)(struct proto *, uint64_t ms);

	/* The limit of PROTO_IDLE is reached: closes. */
	void (*idle_expired)(struct proto *);

	/* The client closed its side: complete requests are still answered, and no more input
	 * comes. Call it after all input was offered. Input that was not taken is still offered
	 * later, so a pipelined request is answered even after its sender closed its side. */
	void (*input_ended)(struct proto *);

	/* How many requests have begun, modulo 2^32. */
	uint32_t (*requests)(const struct proto *);

	/* The exchange that it works on, for reports of how a worker ended; NULL: none. */
	const struct exchange *(*current)(const struct proto *);

	/* Accept no further request. The one in progress is answered with Connection: close; on a
	 * new connection the first request still is, too. */
	void (*drain)(struct proto *);

	/* Is everything said while the client may still speak (the handler's half of a tunnel)?
	 * Then the transport says so at once. Once true it stays true until PROTO_CLOSING. NULL:
	 * never. */
	bool (*output_ended)(const struct proto *);

	/* Must the connection linger after PROTO_CLOSING because bytes of a refused or unfinished
	 * request may still come (RFC 9112, 9.6)? Ask only in PROTO_CLOSING. */
	bool (*lingers)(const struct proto *);

	/* Would the response that was cut look complete if the connection ended cleanly, because
	 * only its end frames it (RFC 9112, 6.3)? Ask only in PROTO_ABORTED. A transport that has
	 * no word for its end must then reset the connection. NULL: never. */
	bool (*ends_open)(const struct proto *);

	/* Ends the protocol at any moment, and the exchange in progress with it. The caller owns
	 * the memory. */
	void (*release)(struct proto *);
};

/* --- proto.c, protocols.c: the protocols that this program has
 * ----------------------------------------- */

#define HTTP_PROTOCOL_NAMES_MAX 8

/* The preferred one first; NULL ends the list. */
extern const struct proto_ops *const http_protocols[];

/* The protocol of that ALPN name. If no name was negotiated (len 0), the last one: it is spoken to
 * clients that name none. NULL: there is none of that name. */
const struct proto_ops *http_protocol(const char *name, size_t len);
/* Lists the ALPN names of all, in the order of preference; returns how many. */
size_t http_protocol_names(const char *ret[HTTP_PROTOCOL_NAMES_MAX]);
/* The size of the largest, and the most exchanges that one connection can have. */
size_t http_protocol_size(void);
unsigned http_protocol_exchanges(void);

#endif
