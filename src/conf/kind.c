/* The lists of handlers and of filters. Runs in the master and in the child of the port. */
#include "parser.h"

#define KIND_DECLARE(constant, name) extern const struct conf_kind conf_kind_##name;
HANDLER_KINDS(KIND_DECLARE)
FILTER_KINDS(KIND_DECLARE)

#define KIND_ROW(constant, name) [CONF_##constant] = &conf_kind_##name,

const struct conf_kind *conf_handler_kind(enum conf_handler kind)
{
	static const struct conf_kind *const kinds[] = {HANDLER_KINDS(KIND_ROW)};
	return kinds[kind];
}

const struct conf_kind *conf_filter_kind(enum conf_filter kind)
{
	static const struct conf_kind *const kinds[] = {FILTER_KINDS(KIND_ROW)};
	return kinds[kind];
}

void conf_options_open(struct conf_parser *p, const struct conf_where *where)
{
	const bool in_location = conf_block_top(p)->kind == CONF_BLOCK_LOCATION;
	struct conf_block *block = conf_block_push(p, CONF_BLOCK_OPTIONS, where);
	for (unsigned i = 0; i < CONF_HANDLERS; i++)
		if (&conf_handler_kind(i)->statement == p->handler)
			block->statements = conf_handler_kind(i)->options;
	block->damaged = in_location ? &p->location_damaged : &p->host->damaged;
}
