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

#endif
