/* What the statements of filters say in the innermost place; inherit.c does the rest. Runs in the
 * master and in the child of the port. */
#include "parser.h"

static struct conf_filters_draft *filters_here(struct conf_parser *p)
{
	switch (conf_block_top(p)->kind) {
	case CONF_BLOCK_TOP:
		return &p->top_filters;
	case CONF_BLOCK_HOST:
		return &p->host->filters;
	case CONF_BLOCK_LOCATION:
		return p->location != NULL ? &p->location->filters : NULL;
	default:
		return &p->port->filters;
	}
}

void *conf_filter_here(struct conf_parser *p, enum conf_filter kind, size_t size)
{
	struct conf_filters_draft *filters = filters_here(p);
	p->kind_options = NULL;
	if (filters == NULL) /* no memory */
		return NULL;
	if (filters->own[kind] == NULL)
		filters->own[kind] = conf_alloc(p, size);
	p->kind_options = filters->own[kind];
	return p->kind_options;
}
