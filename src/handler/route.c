/* Runs in the workers. The table is made before they serve, and all loops read it while they serve.
 */
#include "handler/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "methods.h"
#include "pages.h"
#include "places.h"

#define KIND_DECLARE(constant, name) extern const struct handler_kind handler_kind_##name;
HANDLER_KINDS(KIND_DECLARE)

#define KIND_ROW(constant, name) [CONF_##constant] = &handler_kind_##name,
static const struct handler_kind *const kinds[] = {HANDLER_KINDS(KIND_ROW)};

/* One that takes every method there is takes those that have no name here, too. */
static uint32_t route_methods(const struct conf_location *l, const struct handler *handler)
{
	uint32_t set = methods_of_conf(l->methods);
	if (l->methods == CONF_METHODS_ANY)
		set |= handler->methods & HTTP_METHOD_BIT(HTTP_OTHER);
	return set;
}

/* Does `respond 405` answer all that the location takes? */
static bool route_refuses(const struct conf_location *l)
{
	const struct conf_respond *respond = l->options;
	return l->handler == CONF_RESPOND && respond->status == 405;
}

static int route_init(struct route *r, const struct conf_location *l,
		      const struct handler_means *means)
{
	const struct handler_kind *kind = kinds[l->handler];
	const void *config = l->options;
	if (kind->make != NULL) {
		r->made = kind->make(l, means);
		if (r->made == NULL)
			return -ENOMEM;
		r->release = kind->release != NULL ? kind->release : free;
		config = r->made;
	}
	r->location = (struct http_location){.handler = kind->handler,
					     .config = config,
					     .methods = route_methods(l, kind->handler),
					     .refuses = route_refuses(l),
					     .path_len = (uint32_t)strlen(l->path)};
	return 0;
}

/* Puts the location's filters in front of its handler. */
static int route_add_filters(struct routes *routes, struct route *r, const struct conf_location *l,
			     const struct place *outer)
{
	const struct place *place;
	if (places_add(routes->filters, l->filters, l->faults_count > 0 ? l : NULL, outer, &place) <
	    0)
		return -ENOMEM;
	place_use(place, &r->location);
	return 0;
}

/* Numbers handlers that have state per loop, from 1 on; filters are numbered with them. */
static void route_number(struct routes *routes, struct route *r)
{
	if (r->location.handler->open != NULL)
		r->location.local = ++routes->locals;
}

/* --- finding ---------------------------------------------------------------------------------- */

/* What is at a text that the path begins with: "/a" covers /a and /a/b but not /ab. */
static const struct http_location *place_covers(const struct routes *routes,
						const struct trie_text *at, const char *path,
						size_t len)
{
	const struct route_place *place = &routes->places[at->value];
	if (len == at->len && place->exact != NULL)
		return place->exact;
	return len == at->len || path[at->len] == '/' || at->len == 1 ? place->prefix : NULL;
}

static size_t begins_alike(const struct trie_text *at, const char *path, size_t len)
{
	size_t n = 0;
	if (at->len <= len && memcmp(at->text, path, at->len) == 0)
		return at->len;
	while (n < at->len && n < len && at->text[n] == path[n])
		n++;
	return n;
}

static const struct http_location *routes_find(const struct http_routes *http,
					       const struct http_host *in, const char *path,
					       size_t len)
{
	const struct routes *routes = (const struct routes *)http;
	const struct trie *paths = &((const struct route_host *)in)->paths;
	const struct trie_text *at = trie_nearest(paths, path, len);
	if (at == NULL)
		return NULL;
	const struct http_location *found = NULL;
	const size_t alike = begins_alike(at, path, len);
	for (;;) {
		if (at->len <= alike)
			found = place_covers(routes, at, path, len);
		if (found != NULL || at->shorter == TRIE_NONE)
			return found;
		at = &paths->texts[at->shorter];
	}
}

static const struct http_host *routes_find_host(const struct http_routes *http,
						const struct http_request *request)
{
	const struct routes *routes = (const struct routes *)http;
	char name[HTTP_HOST_NAME_MAX + 1];
	const size_t len = http_host_name(request, name);
	const struct trie_text *found = trie_get(&routes->names, name, len);
	if (found == NULL && routes->wildcards) {
		const char *dot = memchr(name, '.', len);
		if (dot != NULL && dot != name) {
			char *star = name + (dot - name) - 1; /* in place of the first label */
			*star = '*';
			found = trie_get(&routes->names, star, len - (size_t)(star - name));
		}
	}
	return found != NULL ? &routes->hosts[found->value].http : http->default_host;
}

/* --- the tables ------------------------------------------------------------------------------- */

/* A fault that was asked for, and its explanations, are sent as they are. */
static int route_add_pages(struct routes *routes, struct route *r, const struct route_host *host,
			   const struct conf_location *l)
{
	if (l->handler == CONF_FAULT_CONTROL)
		return 0;
	return pages_add(routes->pages, l->errors, l->errors_count, host->http.pages,
			 &r->location.pages);
}

static void place_add(struct routes *routes, struct route_host *host, const struct conf_location *l,
		      const struct http_location *location)
{
	const uint32_t next = (uint32_t)routes->places_count;
	const struct trie_text *same = trie_add(&host->paths, l->path, location->path_len, next);
	if (same == NULL)
		routes->places_count++;
	struct route_place *place = &routes->places[same != NULL ? same->value : next];
	*(l->exact ? &place->exact : &place->prefix) = location;
}

/* Its filters are asked for paths without a location, too. */
static void host_use(struct route_host *host, const struct place *place)
{
	if (place == NULL)
		return;
	host->nowhere =
	    (struct http_location){.handler = &handler_nowhere, .pages = host->http.pages};
	place_use(place, &host->nowhere);
	host->http.finishers = place->finishers;
	if (place->filters_count > 0)
		host->http.nowhere = &host->nowhere;
}

static int host_init(struct routes *routes, struct route_host *host, const struct conf_host *conf,
		     const struct place *outer, const struct handler_means *means)
{
	const struct place *place;
	if (pages_add(routes->pages, conf->errors, conf->errors_count, routes->http.pages,
		      &host->http.pages) < 0)
		return -ENOMEM;
	if (places_add(routes->filters, conf->filters, NULL, outer, &place) < 0)
		return -ENOMEM;
	host_use(host, place);
	host->http.policy = conf_host_policy(conf);
	host->http.is_empty = conf->locations_count == 0;
	if (trie_init(&host->paths, conf->locations_count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < conf->locations_count; i++) {
		struct route *r = &routes->list[routes->count];
		if (route_init(r, &conf->locations[i], means) < 0)
			return -ENOMEM;
		routes->count++;
		if (route_add_filters(routes, r, &conf->locations[i], place) < 0)
			return -ENOMEM;
		if (route_add_pages(routes, r, host, &conf->locations[i]) < 0)
			return -ENOMEM;
		route_number(routes, r);
		place_add(routes, host, &conf->locations[i], &r->location);
	}
	return trie_finish(&host->paths);
}

static void names_add(struct routes *routes, const struct conf_host *host, uint32_t index)
{
	for (size_t i = 0; i < host->names_count; i++) {
		const char *name = host->names[i];
		(void)trie_add(&routes->names, name, strlen(name), index);
		routes->wildcards = routes->wildcards || name[0] == '*';
	}
}

static int hosts_init(struct routes *routes, const struct conf_port *port,
		      const struct handler_means *means)
{
	size_t locations = 0, names = 0;
	for (size_t i = 0; i < port->hosts_count; i++) {
		locations += port->hosts[i].locations_count;
		names += port->hosts[i].names_count;
	}
	routes->list = calloc(locations + 1, sizeof(*routes->list));
	routes->places = calloc(locations + 1, sizeof(*routes->places));
	routes->hosts = calloc(port->hosts_count + 1, sizeof(*routes->hosts));
	if (routes->list == NULL || routes->places == NULL || routes->hosts == NULL ||
	    trie_init(&routes->names, names) < 0)
		return -ENOMEM;
	const struct place *place;
	routes->hosts_count = port->hosts_count;
	routes->pages = calloc(1, sizeof(*routes->pages));
	routes->filters = calloc(1, sizeof(*routes->filters));
	if (routes->pages == NULL || routes->filters == NULL)
		return -ENOMEM;
	routes->pages->means = means;
	*routes->filters = (struct places){.means = {.port = means->port,
						     .passwords = port->passwords,
						     .passwords_count = port->passwords_count},
					   .locals = &routes->locals};
	if (places_add(routes->filters, port->filters, NULL, NULL, &place) < 0)
		return -ENOMEM;
	routes->http.finishers = place != NULL ? place->finishers : NULL;
	if (pages_add(routes->pages, port->errors, port->errors_count, NULL, &routes->http.pages) <
	    0)
		return -ENOMEM;
	for (size_t i = 0; i < port->hosts_count; i++) {
		if (host_init(routes, &routes->hosts[i], &port->hosts[i], place, means) < 0)
			return -ENOMEM;
		names_add(routes, &port->hosts[i], (uint32_t)i);
	}
	return 0;
}

int routes_init(struct routes *routes, const struct conf_port *port,
		const struct handler_means *means)
{
	*routes = (struct routes){.http.find = routes_find};
	const int error = hosts_init(routes, port, means);
	if (error < 0) {
		routes_release(routes);
		return error;
	}
	routes->http.default_host = &routes->hosts[0].http;
	if (port->hosts_count > 1)
		routes->http.find_host = routes_find_host;
	return 0;
}

void routes_release(struct routes *routes)
{
	for (size_t i = 0; i < routes->count; i++)
		if (routes->list[i].made != NULL)
			routes->list[i].release(routes->list[i].made);
	for (size_t i = 0; routes->hosts != NULL && i < routes->hosts_count; i++)
		trie_release(&routes->hosts[i].paths);
	trie_release(&routes->names);
	if (routes->pages != NULL)
		pages_release(routes->pages);
	free(routes->pages);
	if (routes->filters != NULL)
		places_release(routes->filters);
	free(routes->filters);
	free(routes->hosts);
	free(routes->places);
	free(routes->list);
	*routes = (struct routes){0};
}

int routes_open(const struct routes *routes, struct http_loop *http)
{
	int error = 0;
	http->locals = calloc(routes->locals + 1, sizeof(*http->locals));
	if (http->locals == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < routes->count && error == 0; i++) {
		const struct http_location *l = &routes->list[i].location;
		if (l->local != 0)
			error = l->handler->open(http, l->config, &http->locals[l->local]);
	}
	return error == 0 ? places_open(routes->filters, http) : error;
}

static void local_close(const struct http_loop *http, uint32_t place, void (*close)(void *))
{
	if (place != 0 && http->locals[place] != NULL)
		close(http->locals[place]);
}

void routes_close(const struct routes *routes, struct http_loop *http)
{
	for (size_t i = 0; i < routes->count && http->locals != NULL; i++) {
		const struct http_location *l = &routes->list[i].location;
		local_close(http, l->local, l->handler->close);
	}
	if (http->locals != NULL)
		places_close(routes->filters, http);
	free(http->locals);
	http->locals = NULL;
}
