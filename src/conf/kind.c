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
