/*
 * The kinds of thing a location can serve: one file each in src/handler.
 *
 * A handler knows its exchange (http/exchange.h) and its config, nothing of connections or TLS.
 */
#ifndef HANDLER_HANDLERS_H
#define HANDLER_HANDLERS_H

#include <stddef.h>

#include "http/exchange.h"

/* A fixed response. config: struct respond. The second one answers every method with it. */
extern const struct handler handler_respond;
extern const struct handler handler_respond_any;

struct respond {
	unsigned status;
	const char *fields; /* complete header lines, Content-Type included */
	size_t fields_len;
	const char *body;
	size_t body_len;
};

/* Sends a request body back as it comes, never holding more than a small buffer of it; answers a
 * request without one with method, target, fields, client and TLS facts as JSON. No config. */
extern const struct handler handler_echo;

/*
 * What handlers hold of memory for one exchange at the most, whose head has so many bytes: a body
 * on its way, an answer that is made, and what echo shows of the head. That is a byte at most three
 * times (target, path or query, a field), and an escape is six.
 */
#define HANDLER_BUFFER     ((size_t)16 * 1024)
#define HANDLER_ANSWER_MAX ((size_t)64 * 1024)
#define HANDLER_MEMORY_MAX(head_bytes) \
	((size_t)(head_bytes)*18 + HANDLER_BUFFER + HANDLER_ANSWER_MAX)

#endif
