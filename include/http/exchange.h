/*
 * One request and its response, and the interface of a handler.
 *
 * A connection has one exchange at a time under HTTP/1.1 and will have many under HTTP/2, so
 * nothing here knows a connection. Exchanges come from a free list per event loop (struct
 * http_loop): a warm list means no allocation per request, and an idle connection holds no
 * exchange.
 *
 * States of an exchange:
 *
 *   begin ──> request body offered by take() … take_end ──┐
 *     │                                                   ├──> end ──> record, back to the list
 *     └──> exchange_respond ──> response body by give() ──┘
 *   at any moment: end (the client left, or the server gave up)
 *
 * Both directions run independently: a handler may respond before the request body has ended (echo
 * does) or only afterwards (respond does). After the response is complete, the protocol reads the
 * rest of the request body and discards it; of the handler's functions, it calls only end. The
 * response to a HEAD request is complete with its head.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/address.h"
#include "base/limits.h"
#include "base/network.h"
#include "http/arena.h"
#include "http/request.h"

struct authenticate_service;
struct buf;
struct client;
struct exchange;
struct exchange_field;
struct fault;
struct fault_services;
struct filter;
struct filter_use;
struct http_loop;
struct lag;
struct loop;
struct holdings;
struct transport_facts;
struct upstream_service;

#define HANDLER_STATE_MAX   128 /* bytes of state in the exchange itself, for the handler */
#define HTTP_LENGTH_UNKNOWN UINT64_MAX
#define HTTP_FIELDS_MAX     16384 /* bytes of the fields that one exchange adds to its response */
#define HTTP_FINISH_MAX     16384 /* bytes for what finishers do to them */
#define HTTP_INTERIM_MAX    16384 /* bytes of the interim responses of one exchange */
#define HTTP_TRAILER_MAX    16384 /* bytes of the trailer of its response */
#define HTTP_REQUEST_ID_MAX 32
#define HTTP_DATE_SIZE      32 /* IMF-fixdate has 29 bytes (RFC 9110, 5.6.7) */
#define HTTP_EXCHANGES_KEPT 64 /* at most so many on a free list; the others are freed */

#define EXCHANGE_ROOM ((size_t)4096) /* the arena's first room */
/* The most memory of an exchange, with such a head: the head, a path as long as it, its map, and
 * the fields that were added. */
#define EXCHANGE_MEMORY_MAX(head_max)              \
	(sizeof(struct exchange) + EXCHANGE_ROOM + \
	 ARENA_MEMORY_MAX(4 * (size_t)(head_max) + HTTP_FIELDS_MAX + HTTP_FINISH_MAX))

enum {
	GIVE_LATER = -1, /* nothing now; more request body or exchange_wake() will change that */
	GIVE_END = -2,   /* the body is complete (only with HTTP_LENGTH_UNKNOWN) */
	GIVE_FAIL = -3,  /* the body cannot be completed: the protocol aborts the connection */
};

/*
 * A handler serves a location. Each kind is one constant table. The configuration of a location is
 * config, which is made before the first request and never changes.
 *
 * All of them are called in one place (src/http/exchange.c), which first makes the exchange the one
 * that a crash record shows.
 *
 * All functions run on the loop's thread and must not block. take, take_end and give are called
 * only between begin and end. The handler keeps its state in ex->state (zeroed before begin), or in
 * memory that a pointer there owns and end frees.
 */
struct handler {
	/* Set of HTTP_METHOD_BIT; other methods get 405 with Allow. A location may have its own. */
	uint32_t methods;

	/* State per event loop and location (pools, caches, counts): open is called for each before
	 * the loop serves, and close after its last exchange has ended. *ret is what
	 * exchange_local() returns. 0 or -errno. NULL: no state. */
	int (*open)(struct http_loop *, const void *config, void **ret);
	void (*close)(void *local);

	/* The head was read. May call exchange_respond(), now or later. If the request has "Expect:
	 * 100-continue", responding here refuses the body, and the connection closes after the
	 * response; to invite the body, respond from take or take_end. NULL: nothing to do. */
	void (*begin)(struct exchange *);
	/* Gets bytes of the request body and returns how many it took. 0 is back-pressure: the
	 * bytes are offered again after give() has given some or exchange_wake() was called. NULL:
	 * the body is read and discarded. */
	size_t (*take)(struct exchange *, const uint8_t *data, size_t len);
	/* The request is complete. Also called for a request without a body. NULL: nothing to
	 * do. */
	void (*take_end)(struct exchange *);
	/* Writes bytes of the response body to out: returns how many (> 0), or GIVE_*. With a known
	 * length it is called until that many were given. Not called for HEAD, nor for a status
	 * without a body (204, 304). NULL: the response has no body. */
	long (*give)(struct exchange *, uint8_t *out, size_t size);
	/* The worker drains, and the exchange is a tunnel, which the handler has to end in time.
	 * May be called several times. NULL: nothing to do. */
	void (*drain)(struct exchange *);
	/* The exchange ends, complete or not: free what the state owns. NULL: nothing to do. */
	void (*end)(struct exchange *);
};

/* The client, as its connection knows it. The connection owns it; it outlives the exchange. */
struct http_client {
	char address[ADDRESS_TEXT_MAX]; /* numeric */
	uint16_t port;
	const struct transport_facts *tls; /* net/transport.h; NULL: the connection has no TLS */
	bool relayed; /* it came through a load balancer (PROXY header), maybe with TLS to there */
	uint32_t policy; /* with TLS: http_host.policy of the host that it was made for */
	struct network_address number; /* the address */
	struct client *limited;        /* net/client_table.h: it has limits; NULL: it has none */
};

/* A filter of a location, http/filter.h. */
struct http_location_filter {
	const struct filter *filter;
	const void *config;
	uint32_t local; /* the place of its state in http_loop.locals; 0: none */
};

/*
 * The body of responses with some statuses (400 to 599), in place of their own: of a handler's and
 * of the protocol's. The status stays, and so do all fields that are neither about the body nor
 * among those of the page; a list such as Vary has the elements of both.
 */
struct http_page {
	const struct http_header *fields; /* Content-Type among them */
	size_t fields_count;
	const char *body;
	size_t body_len;
};

struct http_pages {
	size_t count;
	const struct http_status_page {
		unsigned status;
		const struct http_page *page;
	} * list; /* each status once */
};

/* What is done to the head of each response of a place when it is written: of its handlers and
 * filters, and of the protocol itself. In this order. */
struct http_finishers {
	size_t count;
	struct http_finisher {
		/* The status is the final one. May change fields by the functions below. */
		void (*finish)(struct exchange *, const void *config);
		/* See exchange_stays(); NULL: no. */
		bool (*stays)(const struct exchange *, const void *config);
		const void *config;
	} list[];
};

struct http_location {
	const struct handler *handler;
	const void *config; /* for the handler: ex->config */
	uint32_t methods;   /* instead of the handler's; 0: the handler's */
	bool refuses;       /* its handler answers all of them with 405: Allow has the others */
	uint32_t path_len;  /* how much of a path it covers: ex->path.matched */
	uint32_t local;     /* the place of the handler's state in http_loop.locals; 0: none */
	uint32_t filters_count;
	const struct http_location_filter *filters; /* in their order, at most FILTERS_MAX */
	const struct http_pages *pages; /* of its host and port, too; NULL: there are none */
	const struct http_finishers *finishers; /* in the same way */
};

/*
 * The path of a request, made once, before its location is sought: decoded, without dot segments
 * and without slashes that follow each other (http_path_normalize()). The location covers the first
 * bytes of it, and a handler that serves what is below its location takes the rest:
 *
 *  - decoded, text + matched: a handler of files, with "openat2(RESOLVE_BENEATH)";
 *  - as it was sent, by exchange_path_spell(): a proxy, which puts its own path in front.
 *
 * A proxy must not forward the target, nor a part of it, by itself. "/admin%2f..%2fx" is "/x" here,
 * but the upstream may read it as something below /admin.
 */
struct http_path {
	const char *text; /* begins with "/"; not terminated; lives as long as the exchange */
	uint32_t len;
	uint32_t matched;    /* of text, by the location; 0 before there is one */
	const uint16_t *map; /* as of http_path_normalize(); NULL: as it was sent, by ones */
};

/* What some names of a port serve. */
struct http_host {
	/* Hosts with the same number have the same certificates, and ask for the same of clients. A
	 * request for a host with another one than its connection's is refused with 421. */
	uint32_t policy;
	bool is_empty; /* it has no location: its requests are refused with 421 */
	/* Of the port, too; NULL: there are none. For responses that have no location. */
	const struct http_pages *pages;
	const struct http_finishers *finishers;
	/* If the host has filters: the location of requests that have none. Its handler is
	 * handler_nowhere. NULL: they are answered at once. */
	const struct http_location *nowhere;
};

/* Finds hosts and locations: the port's tables. What they return lives as long as the routes. */
struct http_routes {
	/* The host of a request; never NULL. This function is NULL if default_host has all names.
	 */
	const struct http_host *(*find_host)(const struct http_routes *,
					     const struct http_request *);
	const struct http_host *default_host;
	/* For responses that have no host, as to a head that cannot be read; NULL: there are none.
	 */
	const struct http_pages *pages;
	const struct http_finishers *finishers;
	/* The location of a normalized path in this host; NULL: there is none (404). */
	const struct http_location *(*find)(const struct http_routes *, const struct http_host *,
					    const char *path, size_t len);
};

/* What an exchange has done for it where it came from: the connection, which is the pointer that
 * proto_ops.init() got. One constant table; every function but limit is set. */
struct exchange_owner {
	/* A head was read, was found unreadable, or timed out. The owner sets begun_ns and id. Each
	 * begun() is followed by one done(). */
	void (*begun)(void *connection, struct exchange *);
	/* A function of this exchange's handler is called now, and none of another's since it was
	 * called last: what the worker works on, for the crash record. */
	void (*entered)(void *connection, const struct exchange *);
	/* A handler that answered GIVE_LATER has bytes now, or one that took nothing has room: pull
	 * from the protocol soon, but not from within this call. */
	void (*wake)(void *connection, const struct exchange *);
	/* A request of a client with limits: 0, or the seconds after which it may have another one,
	 * and this one gets 429. NULL: no client has limits. */
	uint32_t (*limit)(void *connection, const struct exchange *);
	/* The exchange has ended: for the access record. */
	void (*done)(void *connection, const struct exchange *);
};

/* Exchanges that are not in use. Only src/http uses it. */
struct exchange_pool {
	struct exchange *free;
	unsigned count;
};

/* What the exchanges of one event loop share: the owner's, for src/http to read. */
struct http_loop {
	const struct limits *limits;        /* of the port */
	const struct http_routes *routes;   /* of the port */
	const struct exchange_owner *owner; /* of all exchanges of this loop */
	char date[HTTP_DATE_SIZE];          /* the present time; renewed with http_date() */
	int64_t date_seconds;               /* the same, like time(2) */
	uint64_t drain_ms;                  /* how long a worker may take to drain */
	bool explains;                      /* the body of a refusal gives its reason, too */

	/* for handlers and filters; src/http does not look into them */
	struct loop *events;       /* the event loop, for timers */
	struct holdings *holdings; /* of the loop; NULL: nobody adds them up */
	struct lag *lag;           /* net/lag.h; NULL: no request is shed */
	void *files;               /* what locations with files have in common */
	void *compress;            /* and what those have that compress */
	/* Gives up what handlers keep only to be faster; NULL: nothing. */
	void (*spare)(struct http_loop *);
	const struct fault_services *faults;    /* on a port that has faults; else NULL */
	struct authenticate_service *passwords; /* on a port that has some; else NULL */
	struct upstream_service *upstreams;     /* the same */
	void **locals;                          /* state per loop, as the locations number it */

	struct exchange_pool pool;
	/* the one that entered() was called for last; the owner sets it when it shows another */
	const struct exchange *shown;
};

/* Text that is written as it stands, in its own time; in the arena. */
struct exchange_text {
	struct exchange_text *next;
	uint32_t len, sent;
	char data[];
};
struct exchange_texts {
	struct exchange_text *first, **end; /* those that were not written yet */
	uint32_t bytes;                     /* of all, with those that were */
};

/* What an upstream has done for the exchange: for the access record. */
struct exchange_upstream {
	const char *url; /* of the endpoint that was used last; NULL: there was none */
	/* From the beginning of the last attempt: until there was a connection (0: it was there
	 * already), until the head of the response had come, and until its end; 0: it did not. */
	uint64_t connect_ns, head_ns, total_ns;
	unsigned attempts;
	const char *reason; /* the word for what went wrong; NULL: nothing */
	/* The request's id that it was sent, of a trusted proxy; in the head. NULL: the exchange's.
	 */
	const char *id;
	uint32_t id_len;
};

struct exchange {
	struct http_loop *loop;
	void *connection; /* passed to the callbacks above */
	const struct http_client *client;
	struct exchange *next_free;

	struct arena arena;
	struct http_request request;  /* its head is a copy in the arena, as long as it came */
	struct http_path path;        /* empty for OPTIONS * and for a head that was refused */
	const struct http_host *host; /* NULL: not known yet, or not this connection's */
	const struct http_location *location; /* a filter may put another in its place */
	const struct handler *handler;
	const void *config;
	struct filter_use *filters; /* in the arena; NULL: none */
	uint8_t filters_count;
	uint8_t filters_asked;
	bool waiting;      /* a filter lets the request wait; there is no handler yet */
	bool request_over; /* the request ended while it waited */
	_Alignas(16) unsigned char state[HANDLER_STATE_MAX];

	/* response, set by exchange_respond() */
	bool responding;
	unsigned status;                  /* 0 if it ended without a response */
	enum http_refusal refusal;        /* why the protocol refused or aborted the request */
	uint64_t length;                  /* of the body that follows, or HTTP_LENGTH_UNKNOWN */
	const struct http_header *fields; /* borrowed; those that were added follow them */
	size_t fields_count;
	struct exchange_field *added, **added_end; /* in the arena */
	size_t added_bytes;
	const struct http_page *page; /* gives the body instead of the handler; NULL: none */
	size_t page_given;
	bool upgraded;      /* exchange_upgrade() was called */
	bool fields_failed; /* one could not be added: the response becomes 500 */
	bool fields_long;   /* ... or 414: exchange_fail_field() */
	bool fields_copied; /* fields are a copy in the arena */
	bool head_sent;     /* for the protocol: a field comes too late */
	bool has_interim;   /* there are interim responses to write */
	bool own_date;      /* exchange_keep_date() */

	bool inside;       /* one of the handler's functions is running */
	bool take_blocked; /* take() had no room; for the protocol */
	bool woken;      /* exchange_wake() was called and give() was not since; for the protocol */
	bool given_up;   /* exchange_give_up() was called */
	bool uninvited;  /* answered at once, and the body will not be read; for the protocol */
	bool held;       /* exchange_hold_body() was called, and exchange_invite() not yet */
	bool own_limits; /* exchange_own_limits() */
	bool gathers;    /* exchange_gather() was called, and the body is not here yet */
	struct exchange_texts interim, trailer;
	struct buf *request_trailer; /* exchange_keep_trailer() */

	struct exchange_window { /* for src/http/deadline.c */
		bool begun, runs;
		uint64_t until_ms; /* while it runs */
		uint64_t left_ms;  /* while it rests */
		uint64_t base;     /* body_received when it began */
	} window;

	struct exchange_work { /* for src/http/deadline.c, too */
		bool runs;
		uint64_t until_ms;
		uint64_t moved;   /* bytes in both directions when it began */
		uint64_t more_ms; /* exchange_allow() */
	} work;

	/* for the access record */
	uint64_t begun_ns;
	uint64_t body_received;
	uint64_t body_sent;
	const char *user; /* who showed a right password; in the arena; NULL: nobody */
	uint32_t user_len;
	const struct exchange_upstream *upstream; /* of the handler; NULL: there is none */
	const struct fault *upstream_fault;       /* that its upstream has on purpose; NULL: none */
	char id[HTTP_REQUEST_ID_MAX];
};

/*
 * Starts the response. fields are those that every such response has, like Content-Type; they are
 * borrowed as long as the exchange lives: a constant, or part of the configuration. Whatever
 * depends on the request is added with exchange_add_field(). The protocol makes Date,
 * Content-Length, Transfer-Encoding and Connection. The first call counts, later ones are ignored.
 * A status outside 200 to 599 becomes 500. A 405 without Allow gets that of the location: add one
 * before. Outside a callback it also wakes the connection.
 *
 * A status from 400 on may have a page of the configuration, which takes the place of the body and
 * of the fields about it, as far as they are known here: so a handler adds these before.
 */
void exchange_respond(struct exchange *, unsigned status, uint64_t length,
		      const struct http_header *fields, size_t fields_count);

/*
 * Adds a field to the response, before or after exchange_respond(), as long as the head has not
 * been written. Both texts are copied. Returns 0, or:
 *
 *  - -EINVAL: the name is no token, or is one that the protocol makes, or the value has a byte that
 *    a field cannot have (RFC 9110, 5.5), like CR and LF;
 *  - -ENOSPC: all added fields together have more than HTTP_FIELDS_MAX bytes;
 *  - -ENOMEM: out of memory;
 *  - -EALREADY: the head has been written.
 *
 * After any of the first three the response becomes 500, so that none goes out without a field that
 * it should have: the caller need not look at the result.
 */
int exchange_add_field(struct exchange *, const char *name, size_t name_len, const char *value,
		       size_t value_len);

/* Removes all fields of that name from a response that has begun, the handler's, those that were
 * added and those of its page: for a filter's head(). The name is in any case; those that the
 * protocol makes are not among them. Returns 0, -EALREADY: the head has been written, or -ENOMEM:
 * the response becomes 500. */
int exchange_remove_field(struct exchange *, const char *name, size_t name_len);

/*
 * Makes a tunnel of the exchange, in place of exchange_respond(): the response is 101 with the
 * fields given (Upgrade among them, RFC 9110, 7.8), and from then on take() and give() move the raw
 * bytes of both directions. Each direction ends by itself: take_end() is called when the client has
 * ended its half, and give() answers GIVE_END when the handler has ended its own. Filters do not
 * see the bytes. The connection closes after both halves, or when no byte has moved for limits
 * idle. May be called later than begin(). Returns 0, or -EPROTO: the client has not asked for an
 * upgrade, the request has a body, a response has begun, or the handler has no give() or take().
 */
int exchange_upgrade(struct exchange *, const struct http_header *fields, size_t fields_count);

/* A field would be longer than it may, or exchange_field_fits() says no, because of the request:
 * the response becomes 414, unless the request was refused for another reason: then it has not this
 * field. For finishers. */
void exchange_fail_field(struct exchange *);
/* Is there room for a field so long among those that are added? */
bool exchange_field_fits(const struct exchange *, size_t name_len, size_t value_len);
/* Will a finisher of the place say that the body stays as it is, by Content-Encoding or
 * "no-transform"? For a filter that would change it, in its head(). */
bool exchange_stays(const struct exchange *);
/* Adds a field, as exchange_add_field() does, that is known to be valid and lives as long as the
 * exchange: nothing is copied. For finishers, and for responses of other servers. */
void exchange_borrow_field(struct exchange *, const struct http_header *);

/* Walks the fields of the response: those of exchange_respond(), then the added ones. Begin with a
 * walk of zeros. NULL: there is no other. */
struct http_fields_walk {
	size_t index;
	bool adding; /* in the added ones */
	const struct exchange_field *added;
};
const struct http_header *exchange_next_field(const struct exchange *, struct http_fields_walk *);

/* For a give() that has its bytes in memory: copies as many of them as there is room for, and
 * returns how many. */
static inline size_t give_copy(uint8_t *out, size_t size, const void *from, size_t len)
{
	const size_t n = len < size ? len : size;
	memcpy(out, from, n);
	return n;
}

/* The state per loop of an exchange's handler, while it serves its own location. */
static inline void *http_local(const struct http_loop *loop, uint32_t place)
{
	return place != 0 ? loop->locals[place] : NULL;
}
static inline void *exchange_local(const struct exchange *ex)
{
	return http_local(ex->loop, ex->location->local);
}

/* Answers with that status and a line of text instead of calling the handler, or from within it
 * (204: without text), when the request is complete, at once if it is. There must be no response
 * yet. allowed, a set of HTTP_METHOD_BIT, becomes Allow unless it is 0. If the client waits for 100
 * Continue, it is unknown whether the body will come: then the answer comes at once, and the
 * connection closes after it. The handler that calls it gets no end(), so it frees what its state
 * owns before. */
void exchange_answer(struct exchange *, unsigned status, uint32_t allowed);

/*
 * An interim response (RFC 9110, 15.2), as 103, before the response. Not 101; and 100 to a client
 * that waits for it is exchange_invite(). The fields are copied and must be valid. A client of
 * HTTP/1.0 gets none. Returns 0; -ENOSPC or -ENOMEM: it was left out, since all together have more
 * than HTTP_INTERIM_MAX bytes; or -EALREADY: the response has begun.
 */
int exchange_interim(struct exchange *, unsigned status, const struct http_header *fields,
		     size_t fields_count);

/* In begin(): a client that waits for 100 Continue gets it when the handler calls
 * exchange_invite(), not at once. It may send the body without. */
void exchange_hold_body(struct exchange *);
void exchange_invite(struct exchange *);

/* In begin(): take() is first called when all of the body is here, or HTTP_GATHER_MAX bytes of it,
 * or after exchange_gather_end(). */
#define HTTP_GATHER_MAX 16384
static inline void exchange_gather(struct exchange *ex)
{
	ex->gathers = true;
}
void exchange_gather_end(struct exchange *);

/* In begin(): the trailer of the request (RFC 9110, 6.5) is added to the buffer before take_end()
 * is called, for http_trailer_next() (http/chunked.h). It is the handler's until its end(). */
static inline void exchange_keep_trailer(struct exchange *ex, struct buf *trailer)
{
	ex->request_trailer = trailer;
}

/* The handler has limits of time of its own for whatever it waits for: no other one runs then, nor
 * in a tunnel of its. */
static inline void exchange_own_limits(struct exchange *ex)
{
	ex->own_limits = true;
}

/* For a response that comes from another server: its fields are those that exchange_borrow_field()
 * adds. With own_date Date is among them, and the protocol makes none. */
static inline void exchange_keep_date(struct exchange *ex)
{
	ex->own_date = true;
}
/* Adds a field to the trailer of the response, before give() answers GIVE_END. Both texts are
 * copied. A response that is not chunked has none. Returns 0, or -EINVAL, -ENOSPC or -ENOMEM: it is
 * left out. */
int exchange_add_trailer(struct exchange *, const struct http_header *);

/* The handler expects to need so much more time without giving or taking a byte than the five
 * minutes after which it counts as failed (500, or a response that is cut off), from now on. */
void exchange_allow(struct exchange *, uint64_t ms);

/* Runs the handler of this exchange again, which answered GIVE_LATER or took nothing. Call it from
 * outside the handler's functions; inside them it only reopens take(), because the connection pulls
 * afterwards anyway. */
void exchange_wake(struct exchange *);

/* In a tunnel: wakes the connection, which is aborted, also if give() has answered GIVE_END. For a
 * handler that cannot pass on what the client still sends. */
void exchange_give_up(struct exchange *);

/* Hands an exchange that has begun, and has no response yet, to another handler, which begins now
 * as if the location were its own (405 and OPTIONS included). The state of the first handler is
 * zeroed. The request body is not offered again, so take() must have taken nothing. If the request
 * is already complete, the caller calls the new handler's take_end(). */
void exchange_hand_on(struct exchange *, const struct http_location *);

/* Writes the path from text[from] on as the client spelled it, for a proxy: from is path.matched.
 * Its escapes are as they were sent ("%2f" too), and no dot segment and no second slash, however it
 * was written, is in it: normalized, it is what text + from is. Only a first separator is always
 * "/", because the location has read it as that. Returns the length, at most that of request.path,
 * or SIZE_MAX: out is too small. The query is in the request, as it was sent. */
size_t exchange_path_spell(const struct exchange *, size_t from, char *out, size_t size);

/* The handler of http_host.nowhere: 404, or 421 on a host without locations. */
extern const struct handler handler_nowhere;

/* The reason phrase of a status ("Not Found"); "Unknown" for those without one. */
const char *http_reason(unsigned status);

/* Writes IMF-fixdate for a time(2) value: "Sun, 06 Nov 1994 08:49:37 GMT". */
void http_date(int64_t seconds, char out[HTTP_DATE_SIZE]);

/* Frees the free list of the loop. */
void http_loop_release(struct http_loop *);

#endif
