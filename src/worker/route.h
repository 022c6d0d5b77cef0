/*
 * From a normalized path to what serves it: the port's locations as a table made once at start.
 */
#ifndef WORKER_ROUTE_H
#define WORKER_ROUTE_H

#include <stddef.h>

#include "conf/conf.h"
#include "handler/fault.h"
#include "handler/handlers.h"
#include "http/exchange.h"

struct route {
	const char *path; /* the configuration's */
	size_t path_len;
	struct http_location location;
	struct respond respond;       /* where the handler is one */
	struct fault_rules rules;     /* where it has some */
	struct fault_control control; /* where the handler is one */
	char *fields;                 /* owned */
};

struct routes {
	struct route *list; /* longest path first */
	size_t count;
	size_t rules; /* faults of all locations */
};

/* conf outlives the routes. 0 or -ENOMEM. */
int routes_init(struct routes *, const struct conf_port *);
void routes_release(struct routes *);

/* The longest location that is a prefix by whole segments; arg is a struct routes. */
struct http_location routes_find(void *arg, const char *path, size_t len);

#endif
