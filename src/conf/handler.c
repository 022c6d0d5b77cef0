/* What the statements of all handlers and filters have in common. Runs in the master and in the
 * child of the port. Must never know what a kind does. */
#include "parser.h"

struct conf_location_draft *conf_location_add(struct conf_parser *p, char *path,
					      const struct conf_where *where)
{
	struct conf_host_draft *host = p->host;
	if (p->port->locations_count == CONF_LOCATIONS_MAX) {
		conf_error(p, where, "a port has at most %d locations", CONF_LOCATIONS_MAX);
		p->stop = true;
		return NULL;
	}
	struct conf_location_draft *drafts =
	    conf_grow(p, host->locations, host->locations_count, sizeof(*drafts));
	if (drafts == NULL || path == NULL)
		return NULL;
	host->locations = drafts;
	p->port->locations_count++;
	struct conf_location_draft *draft = &drafts[host->locations_count];
	*draft = (struct conf_location_draft){.host = host, .sequence = host->locations_count++};
	draft->location.path = path;
	draft->location.where = *where;
	return draft;
}

bool conf_handler_begin(struct conf_parser *p, enum conf_handler handler, void *options,
			const struct conf_where *where)
{
	struct conf_location_draft *draft = p->location;
	char place[CONF_PLACE_MAX];
	if (conf_block_top(p)->kind != CONF_BLOCK_LOCATION) {
		draft = conf_location_add(p, conf_copy(p, "/", 1), where);
		p->host->own = p->host->locations_count;
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
	if (shown.data != NULL && !value->broken && !value->raw)
		conf_warning(p, at, "`%s` is sent as it stands: there are no variables",
			     conf_show(&shown, text));
}
