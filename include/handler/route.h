/*
 * From a normalized path to its handler: the port's locations, as a table that is made at the
 * start.
 */
#ifndef HANDLER_ROUTE_H
#define HANDLER_ROUTE_H

#include <stddef.h>

#include "conf/conf.h"
#include "filter/fault.h"
#include "handler/handlers.h"
#include "http/exchange.h"

struct route {
	const char *path; /* borrowed from the configuration */
	size_t path_len;
	struct http_location location;
	struct fault_rules rules;               /* if the location has faults */
	struct http_location_filter filters[1]; /* there is one kind so far */
	void *made; /* the handler's config, owned; NULL: it is the options of the configuration */
};

struct routes {
	struct http_routes http; /* first */
	struct route *list;      /* longest path first */
	size_t count;
	uint32_t locals; /* states per loop that handlers and filters have, and the place 0 */
};

/* A path has the longest location that is a prefix by whole segments. conf and
 * means must outlive the routes. Returns 0 or -ENOMEM. */
int routes_init(struct routes *, const struct conf_port *, const struct handler_means *);
void routes_release(struct routes *);

/* Opens the state that handlers and filters have in this event loop; 0 or -errno. */
int routes_open(const struct routes *, struct http_loop *);
/* After the last exchange of the loop has ended; also where routes_open() failed or was not called.
 */
void routes_close(const struct routes *, struct http_loop *);

#endif
