/*
 * What all handlers and filters have in common: their list, and the place of a handler. Runs in the
 * master and in the child of the port. Must never know what a kind does.
 */
#include <string.h>

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

bool conf_handler_begin(struct conf_parser *p, enum conf_handler handler, void *options,
			const struct conf_where *where)
{
	struct conf_location_draft *draft = p->location;
	char place[CONF_PLACE_MAX];
	if (conf_block_top(p)->kind == CONF_BLOCK_PORT) {
		draft = conf_location_add(p, conf_copy(p, "/", 1), where);
		p->port->own = p->port->locations_count;
	} else if (p->location_served) {
		conf_error(p, where, "the location already has a handler, at %s",
			   conf_place(&p->handler_where, where, place));
		draft = conf_alloc(p, sizeof(*draft));
	} else {
		p->location_served = true;
		p->handler_where = *where;
	}
	p->kind_options = draft != NULL ? options : NULL;
	if (draft == NULL)
		return false;
	draft->location.handler = handler;
	draft->location.options = options;
	return true;
}

/* A `$host` in a value was probably meant as a variable of another server. A child does not warn:
 * the master has done so for the same text. */
void conf_variables_tell(struct conf_parser *p, const struct conf_value *value, bool header,
			 const struct conf_where *at)
{
	struct conf_value shown = {.len = 0};
	char text[CONF_SHOWN_MAX];
	shown.data = conf_foreign_variable(value->data, value->len, header, &shown.len);
	if (shown.data != NULL && !value->broken)
		conf_warning(p, at, "`%s` is sent as it stands: there are no variables",
			     conf_show(&shown, text));
}
