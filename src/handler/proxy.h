/*
 * What the files of the handler `proxy` share: what becomes of a request on its way to an upstream,
 * and of a response on its way back (RFC 9110, 7.6; RFC 9112, 3.2; RFC 7239).
 *
 * A head is never copied: it is built from what was parsed, so that an upstream sees exactly one
 * request, whatever a client sent. All of this is pure: bytes in, bytes out.
 */
#ifndef HANDLER_PROXY_H
#define HANDLER_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/kinds.h"
#include "http/exchange.h"
#include "upstream/field.h"
#include "upstream/response.h"

/* --- proxy_rules.c: `request header` ---------------------------------------------------------- */

struct proxy_rules;
struct proxy_request;

/* The rules of a place, those of outer places first; conf may be NULL. Borrows from it. NULL: out
 * of memory. */
struct proxy_rules *proxy_rules_make(const struct conf_headers *conf, uint16_t port);
void proxy_rules_free(struct proxy_rules *);

/* --- made at the start ------------------------------------------------------------------------ */

/* A location, as far as its requests and responses depend on it. */
struct proxy_place {
	const struct conf_proxy *conf;
	uint16_t port;             /* that clients come to */
	struct proxy_rules *rules; /* owned; never NULL */
};

#define PROXY_NAME "bulkhead" /* in Via */

/* An endpoint. */
struct proxy_target {
	/* host[:port] as Host has it: without the port of the scheme, IPv6 in brackets; of a Unix
	 * socket "localhost". */
	char *authority; /* owned */
	uint32_t authority_len;
	bool tls;
};

/* False: out of memory. */
bool proxy_target_init(struct proxy_target *, const struct conf_endpoint *, bool tls);
void proxy_target_release(struct proxy_target *);

/* --- proxy_request.c -------------------------------------------------------------------------- */

#define PROXY_VIA_MAX 8   /* how often Via may have PROXY_NAME; more is a loop */
#define PROXY_DROPPED 255 /* a field whose name is only like one that the proxy makes */

/* One request, for all of its attempts. */
struct proxy_request {
	struct exchange *ex;
	const struct proxy_place *place;
	bool trusted; /* the client is a proxy whose Forwarded and so on are believed: `trust` */
	bool as_sent; /* the path goes on as it came: every reading of it finds this location */
	bool te_trailers;
	uint32_t max_forwards; /* to send; with has_max_forwards */
	bool has_max_forwards;
	bool traced; /* there is one well-formed traceparent */
	struct upstream_named named;
	uint8_t kinds[HTTP_HEADERS_MAX]; /* enum upstream_field of each field, or PROXY_DROPPED */
	const char *upgrade; /* what may be switched to, in the exchange's arena; NULL: nothing */
	uint32_t upgrade_len;
	struct http_header *added; /* what the rules add, in the arena */
	uint32_t added_count;
	uint32_t added_bytes;
	uint64_t random[3]; /* with `traceparent make`: set by the caller, before writing */
};

/*
 * Looks at a request before anything is sent. Returns 0: it may go on; or the status that answers
 * it here:
 *
 *  - 204 or 405: OPTIONS or TRACE with "Max-Forwards: 0" (RFC 9110, 7.6.2);
 *  - 400: TRACE with a body (9.3.8), Max-Forwards that is no number on these methods, or Connection
 *    with more than UPSTREAM_OPTIONS_MAX options;
 *  - 431: the value of a rule becomes too long;
 *  - 508: it has come here too often (7.6.3);
 *  - 500: out of memory.
 */
unsigned proxy_request_judge(struct exchange *, const struct proxy_place *, bool trusted,
			     struct proxy_request *ret);

/* What upstream_response_parse() has to know. */
static inline struct upstream_asked proxy_request_asked(const struct proxy_request *q)
{
	return (struct upstream_asked){.head = q->ex->request.method == HTTP_HEAD,
				       .upgrade = q->upgrade,
				       .upgrade_len = q->upgrade_len};
}

/* The most bytes that the head can have, for any target with an authority so long. */
size_t proxy_request_room(const struct proxy_request *, size_t authority_len);

/* Writes the head with its blank line. close: the connection is for this request alone. Returns its
 * length, or SIZE_MAX: out is too small. */
size_t proxy_request_write(const struct proxy_request *, const struct proxy_target *, bool close,
			   char *out, size_t size);

/* The id of the request: that of a trusted proxy, if it is well-formed, else the exchange's. */
#define PROXY_ID_MAX 128
const char *proxy_request_id(const struct proxy_request *, size_t *ret_len);

/* --- proxy_response.c ------------------------------------------------------------------------- */

/* Walks the fields of a response, or of an interim one, that go to the client. */
struct proxy_walk {
	struct exchange *ex;
	const struct proxy_place *place;
	const struct proxy_target *target;
	const struct upstream_response *response;
	struct upstream_named named;
	unsigned at;
	bool has_date; /* Date was among them, and is one: the protocol makes none */
	bool via_done;
	char via[4 + sizeof(PROXY_NAME)];
};

/* False: Connection has more than UPSTREAM_OPTIONS_MAX options (502). */
bool proxy_walk_begin(struct proxy_walk *, struct exchange *, const struct proxy_place *,
		      const struct proxy_target *, const struct upstream_response *);

/*
 * False: there is no other. The texts live as long as the response's head, the exchange or the
 * walk. Among them are neither fields of the connection, except Upgrade of 101 and 426, nor
 * Content-Length, except that of a 304; Date at most once; and, by the configuration, not Server
 * but Via. A Location that leads to the upstream leads back through this location.
 */
bool proxy_walk_next(struct proxy_walk *, struct http_header *ret);

/* --- what these files share with each other ----------------------------------------------------
 */

/* Where a head is written. What does not fit sets full, and nothing more is written. */
struct proxy_out {
	char *at, *end;
	bool full;
};
static inline void proxy_put(struct proxy_out *o, const char *text, size_t len)
{
	o->full = o->full || len > (size_t)(o->end - o->at);
	if (o->full || len == 0)
		return;
	memcpy(o->at, text, len);
	o->at += len;
}
#define PROXY_PUT(out, literal) proxy_put(out, literal, sizeof(literal) - 1)
/* The bytes of a path or a query as they were sent, those that no URL has as escapes. */
void proxy_put_url(struct proxy_out *, const char *sent, size_t len);
/* A path of the configuration, which is decoded: "%" and "?" in it are bytes like others. */
void proxy_put_decoded(struct proxy_out *, const char *path, size_t len);

/* proxy_path.c: is it a path of this location to readers that leave out parameters, too? If not,
 * the request is refused. */
bool proxy_path_is_clear(struct exchange *);
/* May the path go on as it came (RFC 9110, 7.7)? Only if whatever reads it finds this location:
 * with
 * "%2f" decoded or not, and dot segments and slashes that follow each other removed or not. */
bool proxy_path_as_sent(struct exchange *, const struct conf_proxy *);
void proxy_put_target(struct proxy_out *, const struct proxy_request *);

/* proxy_forwarded.c: Forwarded, X-Forwarded-*, X-Request-Id, traceparent and Via, unless a rule
 * takes their place. */
void proxy_put_forwarded(struct proxy_out *, const struct proxy_request *);
size_t proxy_forwarded_room(const struct proxy_request *);
/* Is there one traceparent, well-formed (W3C Trace Context, 3.2)? */
bool proxy_is_traced(const struct proxy_request *);
/* How often Via has PROXY_NAME. */
unsigned proxy_via_count(const struct proxy_request *);

/* proxy_rules.c: does a rule take the place of a field of this name, or remove it? Names that are
 * alike count as the same (upstream_names_alike()). */
bool proxy_rules_replace(const struct proxy_rules *, const char *name, size_t len);
/* Makes what they add to the request, in its arena: 0, or 431 or 500. */
unsigned proxy_rules_add(const struct proxy_rules *, struct proxy_request *);

#endif
