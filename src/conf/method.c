/*
 * The methods of a handler. Runs in the master and in the child of the port. Must never accept a
 * method that the HTTP parser does not know, because no request could have it.
 */
#include <string.h>
#include <strings.h>

#include "parser.h"

static const char *const method_names[CONF_METHODS] = {
    [CONF_GET] = "GET",     [CONF_HEAD] = "HEAD",     [CONF_POST] = "POST",
    [CONF_PUT] = "PUT",     [CONF_DELETE] = "DELETE", [CONF_OPTIONS] = "OPTIONS",
    [CONF_PATCH] = "PATCH",
};

const char *conf_method_name(enum conf_method method)
{
	return method_names[method];
}

static struct conf_methods *methods_here(struct conf_parser *p)
{
	return conf_block_top(p)->kind == CONF_BLOCK_LOCATION ? &p->methods : &p->port->methods;
}

static struct conf_methods *methods_begin(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_methods *methods = methods_here(p);
	if (conf_once(p, T_METHODS, where))
		*methods = (struct conf_methods){.where = *where};
	return methods;
}

void conf_methods_any(struct conf_parser *p, const struct conf_where *where)
{
	methods_begin(p, where)->set = CONF_METHODS_ANY;
}

void conf_methods_first(struct conf_parser *p, const struct conf_value *value,
			const struct conf_where *where, const struct conf_where *at)
{
	methods_begin(p, where)->set = 0;
	conf_methods_add(p, value, at);
}

static void method_refuse(struct conf_parser *p, const struct conf_value *value,
			  const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	for (unsigned m = 0; m < CONF_METHODS && strlen(value->data) == value->len; m++)
		if (strcasecmp(value->data, method_names[m]) == 0) {
			conf_error(p, at, "methods are in capital letters: \"%s\"",
				   method_names[m]);
			return;
		}
	if (strcmp(value->data, "CONNECT") == 0 || strcmp(value->data, "TRACE") == 0) {
		conf_error(p, at, "this server never answers %s", value->data);
		return;
	}
	const char *meant = conf_suggest(value->data, value->len, method_names, CONF_METHODS);
	if (strcasecmp(value->data, "any") == 0)
		conf_error(p, at, "for every method write `methods any`, without quotes");
	else if (meant != NULL)
		conf_error(p, at, "unknown method \"%s\"; did you mean \"%s\"?",
			   conf_show(value, shown), meant);
	else
		conf_error(p, at,
			   "unknown method \"%s\"; there are GET, HEAD, POST, PUT, DELETE, OPTIONS "
			   "and PATCH, each in quotes of its own",
			   conf_show(value, shown));
}

void conf_methods_add(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at)
{
	struct conf_methods *methods = methods_here(p);
	for (unsigned m = 0; m < CONF_METHODS; m++) {
		if (value->broken || strcmp(value->data, method_names[m]) != 0 ||
		    strlen(value->data) != value->len)
			continue;
		if (methods->set & CONF_METHOD_BIT(m))
			conf_error(p, at, "duplicate method \"%s\" in one statement",
				   method_names[m]);
		methods->set |= CONF_METHOD_BIT(m);
		return;
	}
	methods->damaged = true;
	if (!value->broken)
		method_refuse(p, value, at);
}

static unsigned methods_preset(enum conf_handler handler)
{
	switch (handler) {
	case CONF_RESPOND:
		return CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD);
	case CONF_ECHO:
		return CONF_METHODS_ANY;
	case CONF_FAULT_CONTROL:
	case CONF_HANDLERS:
		break;
	}
	return 0;
}

void conf_methods_end(struct conf_parser *p, const struct conf_methods *methods,
		      struct conf_location *location)
{
	const bool given = methods->where.line > 0;
	if (location == NULL)
		return;
	location->methods = methods_preset(location->handler);
	if (given && location->handler == CONF_FAULT_CONTROL)
		conf_error(p, &methods->where,
			   "`fault control` has its own methods, GET and POST; `methods` is for "
			   "`respond` and `echo`");
	else if (given && !methods->damaged)
		location->methods = methods->set;
	if (location->methods & CONF_METHOD_BIT(CONF_GET)) /* RFC 9110, 9.3.2 */
		location->methods |= CONF_METHOD_BIT(CONF_HEAD);
}
