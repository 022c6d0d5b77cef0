/*
 * The conditions of a request (RFC 9110, 13), and the fields that choose what of a resource is
 * sent: Range, Accept and Accept-Encoding.
 *
 * Pure: bytes in, answers out. Nothing here fails; a value that is malformed has a stated meaning.
 */
#ifndef HTTP_CONDITION_H
#define HTTP_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

/* --- dates: RFC 9110, 5.6.7 ------------------------------------------------------------------- */

/*
 * Reads all three forms of HTTP-date, in seconds like time(2). The name of the day must be one, but
 * not the right one. A year of two digits is in the century of now, unless it would be more than 50
 * years after now: then it is one century earlier. False: it is no date, and *ret is untouched.
 */
bool http_date_parse(const char *s, size_t len, int64_t now, int64_t *ret);

/* --- the fields of a request that ask for something ------------------------------------------- */

enum http_ask {
	ASK_IF_MATCH,
	ASK_IF_NONE_MATCH,
	ASK_IF_MODIFIED_SINCE,
	ASK_IF_UNMODIFIED_SINCE,
	ASK_IF_RANGE,
	ASK_RANGE,
	ASK_ACCEPT,
	ASK_ACCEPT_ENCODING,
	HTTP_ASKS
};

/* Which of them a request has: one walk over its fields. */
struct http_asks {
	uint8_t count[HTTP_ASKS];
	uint8_t first[HTTP_ASKS]; /* the number of the first one, if there is one */
};

void http_asks_read(const struct http_request *, struct http_asks *ret);

/* The value of a field that is no list. NULL: there is none, or several, which mean nothing. */
const char *http_asks_value(const struct http_request *, const struct http_asks *, enum http_ask,
			    size_t *ret_len);

/* --- entity tags: RFC 9110, 8.8.3 ------------------------------------------------------------- */

/* Is tag, which is "..." or W/"...", in all the fields of that kind together, or are they "*"?
 * weak: by the weak comparison. An element that is no entity tag is none of the list. */
bool http_etag_listed(const struct http_request *, const struct http_asks *, enum http_ask,
		      const char *tag, size_t tag_len, bool weak);

/* --- conditions: RFC 9110, 13.2.2 ------------------------------------------------------------- */

/* What is known about the selected representation, which exists. */
struct http_validators {
	const char *etag; /* with its quotes; NULL: none */
	size_t etag_len;
	int64_t modified; /* as Last-Modified says it; if has_modified */
	bool has_modified;
};

/*
 * Evaluates the conditions of a GET or HEAD in their order, without If-Range. Returns 0 (go on),
 * 304 or 412. now: as Date says it.
 */
unsigned http_conditions_judge(const struct http_request *, const struct http_asks *,
			       const struct http_validators *, int64_t now);

/* Does the condition If-Range hold, or is there none? Otherwise Range is to be ignored. A date must
 * be exactly Last-Modified, and at least a second old: an earlier one is no strong validator
 * (RFC 9110, 8.8.2.2 and 13.1.5). */
bool http_if_range_holds(const struct http_request *, const struct http_asks *,
			 const struct http_validators *, int64_t now);

#endif
