/* Runs in the workers. The table is made before they serve, and all loops read it while they serve.
 */
#include "handler/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KIND_DECLARE(constant, name) extern const struct handler_kind handler_kind_##name;
HANDLER_KINDS(KIND_DECLARE)

#define KIND_ROW(constant, name) [CONF_##constant] = &handler_kind_##name,
static const struct handler_kind *const kinds[] = {HANDLER_KINDS(KIND_ROW)};

static uint32_t route_methods(const struct conf_location *l)
{
	static const enum http_method methods[CONF_METHODS] = {
	    [CONF_GET] = HTTP_GET,     [CONF_HEAD] = HTTP_HEAD,     [CONF_POST] = HTTP_POST,
	    [CONF_PUT] = HTTP_PUT,     [CONF_DELETE] = HTTP_DELETE, [CONF_OPTIONS] = HTTP_OPTIONS,
	    [CONF_PATCH] = HTTP_PATCH,
	};
	uint32_t set = 0;
	for (unsigned m = 0; m < CONF_METHODS; m++)
		if (l->methods & CONF_METHOD_BIT(m))
			set |= HTTP_METHOD_BIT(methods[m]);
	return set;
}

static int route_init(struct route *r, const struct conf_location *l,
		      const struct handler_means *means)
{
	r->path = l->path;
	r->path_len = strlen(l->path);
	const struct handler_kind *kind = kinds[l->handler];
	const void *config = l->options;
	if (kind->make != NULL) {
		r->made = kind->make(l, means);
		if (r->made == NULL)
			return -ENOMEM;
		config = r->made;
	}
	r->location = (struct http_location){
	    .handler = kind->handler, .config = config, .methods = route_methods(l)};
	return 0;
}

/* Puts the location's filters in front of its handler. */
static void route_add_filters(struct route *r, const struct conf_location *l)
{
	if (l->faults_count == 0)
		return;
	r->rules = (struct fault_rules){.list = l->faults, .count = l->faults_count};
	r->filters[0] = (struct http_location_filter){.filter = &filter_fault, .config = &r->rules};
	r->location.filters = r->filters;
	r->location.filters_count = 1;
}

/* Numbers what has state per loop, from 1 on. */
static void route_number(struct routes *routes, struct route *r)
{
	if (r->location.handler->open != NULL)
		r->location.local = ++routes->locals;
	for (size_t i = 0; i < r->location.filters_count; i++)
		if (r->filters[i].filter->open != NULL)
			r->filters[i].local = ++routes->locals;
}

/* "/a" covers /a and /a/b but not /ab; "/a/" covers every path that begins with it. */
static bool covers(const struct route *r, const char *path, size_t len)
{
	if (len < r->path_len || memcmp(path, r->path, r->path_len) != 0)
		return false;
	return len == r->path_len || r->path[r->path_len - 1] == '/' || path[r->path_len] == '/';
}

static const struct http_location *routes_find(const struct http_routes *http, const char *path,
					       size_t len)
{
	const struct routes *routes = (const struct routes *)http;
	for (size_t i = 0; i < routes->count; i++)
		if (covers(&routes->list[i], path, len))
			return &routes->list[i].location;
	return NULL;
}

int routes_init(struct routes *routes, const struct conf_port *port,
		const struct handler_means *means)
{
	const struct conf_host *host = &port->hosts[0];
	routes->list = calloc(host->locations_count, sizeof(*routes->list));
	if (routes->list == NULL)
		return -ENOMEM;
	routes->http.find = routes_find;
	routes->count = host->locations_count;
	for (size_t i = 0; i < routes->count; i++) {
		int error = route_init(&routes->list[i], &host->locations[i], means);
		if (error < 0) {
			routes_release(routes);
			return error;
		}
		route_add_filters(&routes->list[i], &host->locations[i]);
		route_number(routes, &routes->list[i]);
		routes->list[i].location.path_len = (uint32_t)routes->list[i].path_len;
	}
	return 0;
}

void routes_release(struct routes *routes)
{
	for (size_t i = 0; i < routes->count; i++)
		free(routes->list[i].made);
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
		for (size_t k = 0; k < l->filters_count && error == 0; k++) {
			const struct http_location_filter *f = &l->filters[k];
			if (f->local != 0)
				error = f->filter->open(http, f->config, &http->locals[f->local]);
		}
	}
	return error;
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
		for (size_t k = 0; k < l->filters_count; k++)
			local_close(http, l->filters[k].local, l->filters[k].filter->close);
	}
	free(http->locals);
	http->locals = NULL;
}
