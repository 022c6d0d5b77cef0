/*
 * The filters of places when a port is complete: what they have from the places around them, and
 * what a port's processes are handed for them. Runs in the master and in the child of the port.
 * Must never make a copy of it for each location: a port may have twenty thousand, and most have
 * what their host has.
 */
#include <stdlib.h>
#include <string.h>

#include "parser.h"

static const void *filter_inherit(struct conf_parser *p, unsigned kind, const void *outer,
				  const void *own)
{
	if (own == NULL || outer == NULL)
		return own != NULL ? own : outer;
	const struct conf_kind *k = conf_filter_kind((enum conf_filter)kind);
	return k->inherit != NULL ? k->inherit(p, outer, own) : own;
}

/* The top level is finished with the first port. */
static void draft_finish(struct conf_parser *p, struct conf_filters_draft *draft)
{
	if (draft->is_finished)
		return;
	draft->is_finished = true;
	for (unsigned k = 0; k < CONF_FILTERS; k++)
		if (draft->own[k] != NULL && conf_filter_kind(k)->finish != NULL)
			conf_filter_kind(k)->finish(p, draft->own[k]);
}

/* What a place has, in a place that has that. */
static const struct conf_filters *place_finish(struct conf_parser *p,
					       struct conf_filters_draft *draft,
					       const struct conf_filters *outer)
{
	bool has_own = false;
	for (unsigned k = 0; k < CONF_FILTERS; k++)
		has_own = has_own || draft->own[k] != NULL;
	struct conf_filters *filters = has_own ? conf_alloc(p, sizeof(*filters)) : NULL;
	if (filters == NULL)
		return outer;
	draft_finish(p, draft);
	for (unsigned k = 0; k < CONF_FILTERS; k++) {
		filters->own[k] = draft->own[k];
		filters->options[k] =
		    filter_inherit(p, k, outer != NULL ? outer->options[k] : NULL, draft->own[k]);
	}
	return filters;
}

/* A port has what the top level has as its own: a child knows no top level. */
static const struct conf_filters *port_finish(struct conf_parser *p, struct conf_port_draft *port)
{
	const struct conf_filters *top = place_finish(p, &p->top_filters, NULL);
	const struct conf_filters *own = place_finish(p, &port->filters, top);
	struct conf_filters *filters = own != NULL ? conf_alloc(p, sizeof(*filters)) : NULL;
	if (filters == NULL)
		return NULL;
	for (unsigned k = 0; k < CONF_FILTERS; k++)
		filters->own[k] = filters->options[k] = own->options[k];
	return filters;
}

static void place_gather(struct conf_parser *p, struct conf_port_draft *port,
			 const struct conf_filters *filters, const struct conf_filters *outer)
{
	for (unsigned k = 0; filters != outer && k < CONF_FILTERS; k++)
		if (filters->own[k] != NULL && conf_filter_kind(k)->gather != NULL)
			conf_filter_kind(k)->gather(p, port, filters->own[k]);
}

static int path_compare(const void *a, const void *b)
{
	const struct conf_path *path = a, *other = b;
	return strcmp(path->path, other->path);
}

/* The master and the children number them alike, in whatever order they stand. */
static void gather(struct conf_parser *p, struct conf_port_draft *port)
{
	struct conf_port *own = &port->port;
	place_gather(p, port, own->filters, NULL);
	for (size_t h = 0; h < port->hosts_count; h++) {
		const struct conf_host_draft *host = port->hosts[h];
		place_gather(p, port, host->host.filters, own->filters);
		for (size_t i = 0; i < host->locations_count; i++)
			place_gather(p, port, host->locations[i].location.filters,
				     host->host.filters);
	}
	if (own->passwords_count > 0)
		qsort(own->passwords, own->passwords_count, sizeof(*own->passwords), path_compare);
}

void conf_filters_finish(struct conf_parser *p, struct conf_port_draft *port)
{
	port->port.filters = port_finish(p, port);
	for (size_t h = 0; h < port->hosts_count; h++) {
		struct conf_host_draft *host = port->hosts[h];
		host->host.filters = place_finish(p, &host->filters, port->port.filters);
		for (size_t i = 0; i < host->locations_count; i++)
			host->locations[i].location.filters =
			    place_finish(p, &host->locations[i].filters, host->host.filters);
	}
	gather(p, port);
}

void conf_filters_dump(const struct conf_filters *filters, const struct conf_filters *outer,
		       const char *indent, FILE *out)
{
	for (unsigned k = 0; filters != outer && k < CONF_FILTERS; k++)
		if (filters->own[k] != NULL)
			conf_filter_kind(k)->write(filters->own[k], indent, out);
}

uint64_t conf_filters_bytes(const struct conf_filters *filters, const struct conf_filters *outer)
{
	uint64_t sum = 0;
	if (filters == outer)
		return 0;
	for (unsigned k = 0; k < CONF_FILTERS; k++)
		if (filters->own[k] != NULL && conf_filter_kind(k)->size != NULL)
			sum += conf_filter_kind(k)->size(filters->own[k]);
	return sum + sizeof(*filters);
}
