/*
 * One request and its response, and the handler interface.
 *
 * A connection has one exchange at a time under HTTP/1.1 and will have many under HTTP/2, so
 * nothing here knows a connection. Exchanges come from a free list per event loop (struct
 * http_loop): no allocation per request once it is warm, and an idle connection holds none.
 *
 * States of an exchange:
 *
 *   begin ──> request body offered by take() … take_end ──┐
 *     │                                                    ├──> done ──> record, back to the list
 *     └──> exchange_respond ──> response body by give() ──┘
 *   at any moment: cancel (the client is gone, or the server gives up)
 *
 * Both directions run independently: a handler may respond before the request body has ended (echo
 * does) or only after (respond does). Once the response is complete the handler is done: what is
 * left of the request body is read and thrown away, and only end is still called. An answer to HEAD
 * is complete with its head.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

struct exchange;
struct fault_loop;
struct text;

#define HANDLER_STATE_MAX   128 /* bytes a handler may keep in the exchange itself */
#define HTTP_LENGTH_UNKNOWN UINT64_MAX
#define HTTP_REQUEST_ID_MAX 32
#define HTTP_EXCHANGES_KEPT 64 /* on a loop's free list; after a burst the rest is given back */

enum {
	GIVE_LATER =
	    -1, /* nothing right now: more request body, or exchange_wake(), will change that */
	GIVE_END = -2,  /* the body is complete (only with HTTP_LENGTH_UNKNOWN) */
	GIVE_FAIL = -3, /* it cannot be completed: the connection is to be broken off */
};

/*
 * What serves a location. One constant table per kind; what the configuration says about one
 * location is config, made before the first request and never changed.
 *
 * All are called on the loop's thread and must not block. take, take_end and give are called only
 * between begin and the end of the exchange; after cancel nothing is called any more. Handler state
 * lives in ex->state (zeroed), or in what a pointer there owns.
 */
struct handler {
	const char *name;
	uint32_t methods; /* set of HTTP_METHOD_BIT; others are answered 405 with Allow */

	/* The head is here. May call exchange_respond(), now or later. A handler that responds here
	 * to "Expect: 100-continue" refuses the body: the connection closes behind the answer. To
	 * invite it, respond from take or take_end. NULL: nothing to do. */
	void (*begin)(struct exchange *);
	/* Request body bytes; returns how many were taken. 0 is back-pressure: they are offered
	 * again once give() or exchange_wake() was called. NULL: the body is read and thrown
	 * away. */
	size_t (*take)(struct exchange *, const uint8_t *data, size_t len);
	/* The request is complete; also called where there was no body. NULL: nothing to do. */
	void (*take_end)(struct exchange *);
	/* Response body bytes into out: how many (> 0), or GIVE_*. With a known length it is called
	 * until so many were given. NULL: the response has no body. Not called for HEAD, nor for a
	 * status that has no body (204, 304). */
	long (*give)(struct exchange *, uint8_t *out, size_t size);
	/* The end, early or not: free what the state owns. NULL: nothing to do. */
	void (*end)(struct exchange *);
};

/* Who is at the other end; owned by the connection, lives as long as it. */
struct http_client {
	char address[46]; /* numeric */
	uint16_t port;
};

/* What the transport knows, for people; strings are borrowed for as long as the exchange lives. */
struct http_tls_facts {
	const char *version;     /* "TLS1.3" */
	const char *cipher;      /* "TLS_AES_128_GCM_SHA256" */
	const char *group;       /* "X25519" */
	const char *server_name; /* SNI, NULL when none was sent */
	bool resumed;
};

struct http_location {
	const struct handler *handler;
	const void *config; /* for the handler: ex->config */
};

/* What all connections of one event loop share. Owned by the worker; http reads it. Every callback
 * is to be set. */
struct http_loop {
	/* limits, from the configuration */
	size_t head_max;
	uint64_t body_max;
	uint32_t requests_max; /* per connection; 0: no limit */

	bool explains; /* a refusal's body tells its reason, too */

	/* IMF-fixdate of now (29 bytes, RFC 9110, 5.6.7), renewed by the owner (http_date). */
	char date[32];

	/* Finds what serves a normalized path; NULL fields: nothing (404). */
	struct http_location (*route)(void *arg, const char *path, size_t len);
	/* Fills the facts; connection is what http1_init() was given. */
	void (*tls_facts)(void *connection, struct http_tls_facts *ret);
	/* Is called when an exchange has ended, for the access record; also for requests whose head
	 * could not be read. connection as above. */
	void (*done)(void *connection, const struct exchange *);
	/* Is called when a head was read, or found to be unreadable: time stamps and ids are the
	 * owner's. May set ex->begun_ns and ex->id. Each begun() is followed by one done(). */
	void (*begun)(void *connection, struct exchange *);
	/* A handler that had nothing to give (GIVE_LATER) has something now. */
	void (*wake)(void *connection);
	void *route_arg;
	struct fault_loop *faults; /* for the handlers of ports that have some, else NULL */

	struct exchange *free; /* the free list; http's */
	unsigned free_count;
	/* Room for one normalized path, head_max bytes, made with the first exchange; http's. For
	 * whoever needs one for as long as a function runs. */
	char *path;
};

struct exchange {
	struct http_loop *loop;
	void *connection; /* what the callbacks above are given */
	const struct http_client *client;
	struct exchange *next_free;

	struct http_request request; /* its head is the copy below */
	char *head;                  /* head_max bytes, allocated with the exchange */
	const struct handler *handler;
	const void *config;
	_Alignas(16) unsigned char state[HANDLER_STATE_MAX];

	/* response, set by exchange_respond() */
	bool responding;
	unsigned status;           /* 0 when it ended without any */
	enum http_refusal refusal; /* why the protocol refused the request, or gave it up */
	uint64_t length;           /* of the body to come, or HTTP_LENGTH_UNKNOWN */
	const char *fields;        /* complete header lines, each ending in CRLF; borrowed */
	size_t fields_len;

	bool inside;       /* one of the handler's functions is running; the protocol's */
	bool take_blocked; /* take() had no room; the protocol's */

	/* for the record */
	uint64_t begun_ns;
	uint64_t body_received;
	uint64_t body_sent;
	char id[HTTP_REQUEST_ID_MAX];
};

/*
 * Starts the response. fields holds extra header lines (Content-Type and so on; Date,
 * Content-Length, Transfer-Encoding, Connection are made by the protocol), each ended by CRLF, and
 * must live as long as the exchange: constants, the configuration's, or the handler's own state.
 * To be called once; a second call is ignored. A status outside of 200 to 599 becomes 500. From
 * outside of a callback it wakes the connection by itself.
 */
void exchange_respond(struct exchange *, unsigned status, uint64_t length, const char *fields,
		      size_t fields_len);

/* Gives a handler that answered GIVE_LATER, or took nothing, another turn. For use outside of the
 * handler's own functions; inside of them it only reopens take(), since the connection goes on to
 * pull anyway. */
void exchange_wake(struct exchange *);

/* Gives an exchange that has begun, and to which nobody has responded, to another handler, which
 * begins now: as if the location had been the other's, 405 and OPTIONS included. What the handler
 * kept in the state is gone. Only the request's body is not offered again: take() is to have had
 * no room, and the other's take_end() is the caller's to call where the request is over. */
void exchange_hand_on(struct exchange *, const struct http_location *);

/* The reason phrase of a status ("Not Found"); "Unknown" for those without one. */
const char *http_reason(unsigned status);

/* Writes IMF-fixdate for a time(2) value: "Sun, 06 Nov 1994 08:49:37 GMT". */
void http_date(int64_t seconds, char out[32]);

/* Frees what is http's of the loop. */
void http_loop_release(struct http_loop *);

#endif
