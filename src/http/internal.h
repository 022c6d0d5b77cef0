/*
 * What the files of src/http share with each other and with their tests.
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chars.h"
#include "http/exchange.h"
#include "http/message.h"
#include "http/proto.h"
#include "http/request.h"
#include "http1.h"

/* --- parse.c --------------------------------------------------------------------------------- */

/* The first half of http_request_parse(): finds the end of the head, as http_lines_end() does,
 * after the blank lines that may come before a request. */
long http_head_end(const char *data, size_t len, size_t head_max, size_t *scan);

/* --- fields.c: what the fields of a request say together ------------------------------------- */

struct head_facts {
	bool host, content_length;
	bool coding;                  /* a Transfer-Encoding field was seen */
	bool coding_chunked;          /* it names chunked */
	bool coding_unknown;          /* it names another coding */
	bool close, persist, upgrade; /* Connection: close, keep-alive, upgrade */
};

/* Reads one field. Returns 0 or minus an enum http_refusal. */
int head_facts_read(struct head_facts *, struct http_request *, const struct http_field *);

/* After the last field: decides framing, Host and persistence. Returns 0 or minus an enum
 * http_refusal. */
int head_facts_conclude(const struct head_facts *, struct http_request *);

/* --- uri.c ----------------------------------------------------------------------------------- */

/* Splits r->target by its form (RFC 9112, 3.2): 0 or -REFUSE_TARGET_FORM. Sets path, query, and
 * host where the target has an authority. */
int http_target_split(struct http_request *r);

/* uri-host [":" port] (RFC 9110, 7.2); port_required: the port must be there. */
bool http_host_valid(const char *host, size_t len, bool port_required);

/* --- path.c ---------------------------------------------------------------------------------- */

/* Fills ex->path from the request. Returns 0, EXCHANGE_NO_MEMORY, or minus an enum http_refusal. */
#define EXCHANGE_NO_MEMORY (-(int)HTTP_REFUSALS)
int exchange_path_make(struct exchange *);

/* --- response.c ------------------------------------------------------------------------------ */

#define RESPONSE_PART_MAX 160 /* each of the two functions below writes at most this many bytes */

enum response_connection { RESPONSE_PLAIN, RESPONSE_CLOSE, RESPONSE_KEEP_ALIVE, RESPONSE_UPGRADE };

/* Writes the status line and Date, unless date is NULL; returns the length. */
size_t http_response_start(uint8_t *out, unsigned status, const char *date);
/* Writes the bytes of one field's line from the byte *sent on, as many as there is room for, and
 * adds their number to *sent. Returns it; *sent is http_line_len() when the line is complete. */
size_t http_response_line(uint8_t *out, size_t size, const struct http_header *, size_t *sent);
static inline size_t http_line_len(const struct http_header *f)
{
	return (size_t)f->name_len + f->value_len + 4;
}
/* Writes the framing, Connection and the blank line. length HTTP_LENGTH_UNKNOWN: no framing
 * field. offers_upgrade: the response has a field Upgrade, which Connection must name (RFC 9110,
 * 7.8). */
size_t http_response_finish(uint8_t *out, bool chunked, uint64_t length, enum response_connection,
			    bool offers_upgrade);

/* --- exchange.c ------------------------------------------------------------------------------ */

/* Takes an exchange from the free list or allocates one, with request and response empty; NULL: out
 * of memory. The caller calls begun(). */
struct exchange *exchange_acquire(struct http_loop *, void *connection, const struct http_client *);
/* Returns one that has not begun to the list. */
void exchange_drop(struct exchange *);
/* Calls the handler's end(), makes the record and returns the exchange to the list. */
void exchange_release(struct exchange *);

/* These call the handler; nothing else does. */

/* Finds what answers the request, whose head was read, and begins it: the handler of its location,
 * or the protocol's own answer (404, 405, OPTIONS). Returns 0, EXCHANGE_NO_MEMORY, or minus an enum
 * http_refusal: then nothing has begun. */
int exchange_dispatch(struct exchange *);
size_t exchange_take(struct exchange *, const uint8_t *data, size_t len);
void exchange_take_end(struct exchange *);
long exchange_give(struct exchange *, uint8_t *out, size_t size);
void exchange_drain(struct exchange *);

/* Writes as much of the texts as there is room for; first is NULL when all of them are written. */
size_t exchange_texts_write(struct exchange_texts *, uint8_t *out, size_t size);

/* Begins the handler of the location, or answers in its place: 405, and OPTIONS. */
void exchange_handle(struct exchange *, const struct http_location *);

/* The protocol itself answers at once with that status and a line of text, in place of a response
 * of which nothing was sent. A handler that has begun gets end(). allowed, a set of
 * HTTP_METHOD_BIT, becomes Allow unless it is 0. */
void exchange_replace(struct exchange *, unsigned status, uint32_t allowed);
/* The same, with the status of a refusal. */
void exchange_refuse(struct exchange *, enum http_refusal);

/* What changes the heads of responses in the place of this exchange; NULL: nothing does. */
static inline const struct http_finishers *exchange_finishers(const struct exchange *ex)
{
	if (ex->location != NULL)
		return ex->location->finishers;
	return ex->host != NULL ? ex->host->finishers : ex->loop->routes->finishers;
}

/* For the function below. */
bool exchange_change_head(struct exchange *);

/* For the protocol, when it is about to write the head: lets the finishers of the place change it.
 * If a field could not be added, the response becomes 500, and true is returned. Then nothing more
 * can be added. */
static inline bool exchange_finish_head(struct exchange *ex)
{
	if (exchange_finishers(ex) != NULL || ex->fields_failed)
		return exchange_change_head(ex);
	ex->head_sent = true;
	return false;
}

/* Returns whether a function of the exchange is running already: a handler that hands it on. */
static inline bool exchange_enter(struct exchange *ex)
{
	struct http_loop *loop = ex->loop;
	const bool nested = ex->inside;
	ex->inside = true;
	if (loop->shown != ex) {
		loop->shown = ex;
		loop->owner->entered(ex->connection, ex);
	}
	return nested;
}

static inline void exchange_leave(struct exchange *ex, bool nested)
{
	ex->inside = nested;
}

/* --- page.c: bodies of the configuration for errors ------------------------------------------- */

/* Is there a page for the response that begins? Then it takes the place of the body. */
bool page_choose(struct exchange *);
/* Does the page take the place of this field of the response, too? It is about the body, or the
 * page has one of this name. */
bool page_replaces(const struct http_page *, const struct http_header *);
long page_give(struct exchange *, uint8_t *out, size_t size);

/* The body of the response, before any filter. The handler may have room for the request's after
 * that, unless it has given nothing: then it says so itself, by exchange_wake(). */
static inline long exchange_body(struct exchange *ex, uint8_t *out, size_t size)
{
	const long n =
	    ex->page == NULL ? ex->handler->give(ex, out, size) : page_give(ex, out, size);
	if (n != 0 && n != GIVE_LATER)
		ex->take_blocked = false;
	return n;
}

/* --- filter.c: what exchange.c calls for an exchange with filters ---------------------------- */

bool filters_begin(struct exchange *); /* false: out of memory */
void filters_head(struct exchange *);
/* Pulls from the filter with that number, or the next that gives, or the handler. */
long filters_give(struct exchange *, size_t from, uint8_t *out, size_t size);
void filters_end(struct exchange *);

/* --- deadline.c: the limit of time of one exchange -------------------------------------------- */

/* What an exchange waits for. */
enum exchange_wait {
	EXCHANGE_WAITS_NOT,     /* for nothing that has a limit */
	EXCHANGE_WAITS_BODY,    /* for more of the request body: limits body-timeout */
	EXCHANGE_WAITS_HANDLER, /* for its handler: exchange_allow() */
	EXCHANGE_IS_TUNNEL,     /* for either side: limits idle */
};

/* When the limit of what it waits for now is reached, or PROTO_NO_DEADLINE. A limit begins when it
 * is asked for, and rests while the exchange waits for something else. */
uint64_t exchange_deadline(struct exchange *, enum exchange_wait, uint64_t now_ms);
/* Is it reached? Not if enough bytes have moved: then it begins again. */
bool exchange_expired(struct exchange *, uint64_t now_ms);
/* The limit did not run for so long. */
void exchange_paused(struct exchange *, uint64_t ms);

/* --- http1.c, http1_output.c ----------------------------------------------------------------- */

/* The response was written completely. */
void http1_responded(struct http1 *);
/* After an answer to a request whose body was not invited: the connection closes after it. */
void http1_uninvited(struct http1 *);
/* Aborts the connection because the response cannot be completed. */
void http1_abort(struct http1 *);
size_t http1_output(struct proto *, uint8_t *out, size_t size);

#endif
