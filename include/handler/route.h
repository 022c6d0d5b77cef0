/*
 * From a request to its handler: the port's hosts and locations, as tables that are made at the
 * start.
 *
 * A host is found by its name; before a wildcard comes the exact name. A location is found by the
 * path in its host; before prefixes comes the exact path, and of prefixes the longest by whole
 * segments. Neither search walks a list (base/trie.h).
 */
#ifndef HANDLER_ROUTE_H
#define HANDLER_ROUTE_H

#include <stddef.h>

#include "base/trie.h"
#include "conf/conf.h"
#include "handler/handlers.h"
#include "http/exchange.h"

struct pages;
struct places;

struct route {
	struct http_location location;
	void *made; /* the handler's config, owned; NULL: it is the options of the configuration */
	void (*release)(void *); /* frees it */
};

struct route_host {
	struct http_host http;        /* first */
	struct http_location nowhere; /* http.nowhere, if it is used */
	struct trie paths;            /* values: in places */
};

/* What a host has at a path. */
struct route_place {
	const struct http_location *exact;  /* for this path; NULL: none */
	const struct http_location *prefix; /* for it and all below it; NULL: none */
};

struct routes {
	struct http_routes http;    /* first */
	struct route *list;         /* of all hosts, in their order */
	struct route_place *places; /* at most one for each of them */
	size_t count, places_count;
	struct route_host *hosts; /* as in the configuration: the first is the default host */
	size_t hosts_count;
	struct pages *pages;    /* owned: of all of them (src/handler/pages.h) */
	struct places *filters; /* owned, too: their filters (src/handler/places.h) */
	struct trie names;      /* values: in hosts */
	bool wildcards;         /* a name begins with "*." */
	uint32_t locals; /* states per loop that handlers and filters have, and the place 0 */
};

/* conf and means must outlive the routes. Returns 0 or -ENOMEM. */
int routes_init(struct routes *, const struct conf_port *, const struct handler_means *);
void routes_release(struct routes *);

/* Opens the state that handlers and filters have in this event loop; 0 or -errno. */
int routes_open(const struct routes *, struct http_loop *);
/* After the last exchange of the loop has ended; also where routes_open() failed or was not called.
 */
void routes_close(const struct routes *, struct http_loop *);

#endif
