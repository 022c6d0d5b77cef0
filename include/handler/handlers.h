/*
 * The handlers of locations, one file each in src/handler.
 *
 * A handler knows its exchange (http/exchange.h) and its config; it knows no connection and no TLS.
 */
#ifndef HANDLER_HANDLERS_H
#define HANDLER_HANDLERS_H

#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"

struct conf_location;
struct conf_port;
struct conf_respond;
struct media_table;
struct root;

/* The content of a file of conf_port.bodies. */
struct handler_body {
	const char *data;
	size_t len;
	const char *type; /* its media type, by the name of the file */
};

/* What a process has for the handlers of its port, besides their configuration. It lives as long as
 * the routes. */
struct handler_means {
	uint16_t port;
	const struct conf_port *conf;
	const struct handler_body *bodies; /* by the index in conf_port.bodies */
	const struct root *roots;          /* by the index in conf_port.roots */
	const struct media_table *types;   /* media types by extension */
	uint64_t file_grain_ns; /* between two changes of a file that may have the same time */
};

/* A kind of handler: src/handler/WORD.c defines handler_kind_WORD for each of HANDLER_KINDS
 * (conf/kinds.h), and needs no line here. */
struct handler_kind {
	const struct handler *handler;
	/* Makes the handler's config, in one piece of memory that is freed with the routes; it may
	 * borrow from the location and the means. NULL: out of memory. Without this function the
	 * config is the options of the location. */
	void *(*make)(const struct conf_location *, const struct handler_means *);
	/* Frees what was made, if that is more than one piece of memory. */
	void (*release)(void *);
};

/* A fixed response. config: struct respond. The second one answers every method with it. */
extern const struct handler handler_respond;
extern const struct handler handler_respond_any;

struct respond {
	unsigned status;
	const struct http_header *fields; /* Content-Type included */
	size_t fields_count;
	const char *body;
	size_t body_len;
};

/* Made from the configuration, in one piece of memory for free(); NULL: out of memory. */
struct respond *respond_new(const struct conf_respond *, const struct handler_means *);

/* Echoes a request body while it arrives, with only a small buffer. Answers a request without a
 * body with its method, target, fields, client and TLS facts as JSON. No config. */
extern const struct handler handler_echo;

/* The location where faults are asked for. config: struct fault_control. */
extern const struct handler handler_fault_control;

#define FAULT_CONTROL_PATH_MAX 4096 /* bytes; the configuration allows no longer path */

struct fault_control {
	const char *path; /* the path of the location */
	size_t path_len;
};

/* The most descriptors that handlers keep in an event loop besides those of exchanges, on a port
 * with document roots. */
#define HANDLER_DESCRIPTORS_KEPT 320

/* The same on a port with upstreams: what an exchange has besides its connection upstream, which is
 * among the holdings: the head of a response and its fields, interim responses and trailers. */
#define HANDLER_PROXY_MEMORY ((size_t)256 * 1024)

/*
 * The most memory that handlers hold for one exchange whose head has so many bytes: part of a body,
 * a generated response, and what echo shows of the head. echo shows a byte of the head at most
 * three times (target, path or query, a field), and its escape has six bytes. Lists of folders are
 * not in it: they have a bound in each loop, and a row among its holdings.
 */
#define HANDLER_BUFFER     ((size_t)16 * 1024)
#define HANDLER_ANSWER_MAX ((size_t)64 * 1024)
#define HANDLER_MEMORY_MAX(head_bytes) \
	((size_t)(head_bytes)*18 + HANDLER_BUFFER + HANDLER_ANSWER_MAX)

#endif
