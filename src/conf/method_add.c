/*
 * A method in a set of them. Runs in the master and in the child of the port. Must never accept one
 * that the HTTP parser does not know, because no request could have it.
 */
#include <string.h>
#include <strings.h>

#include "parser.h"

static void method_refuse(struct conf_parser *p, const struct conf_value *value,
			  const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	for (unsigned m = 0; m < CONF_METHODS && strlen(value->data) == value->len; m++)
		if (strcasecmp(value->data, conf_method_names[m]) == 0) {
			conf_error(p, at, "methods are in capital letters: \"%s\"",
				   conf_method_names[m]);
			return;
		}
	if (strcmp(value->data, "CONNECT") == 0 || strcmp(value->data, "TRACE") == 0) {
		conf_error(p, at, "this server never answers %s", value->data);
		return;
	}
	const char *meant = conf_suggest(value->data, value->len, conf_method_names, CONF_METHODS);
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

bool conf_method_add(struct conf_parser *p, unsigned *set, const struct conf_value *value,
		     const struct conf_where *at)
{
	for (unsigned m = 0; m < CONF_METHODS; m++) {
		if (value->broken || strcmp(value->data, conf_method_names[m]) != 0 ||
		    strlen(value->data) != value->len)
			continue;
		if (*set & CONF_METHOD_BIT(m))
			conf_error(p, at, "duplicate method \"%s\" in one statement",
				   conf_method_names[m]);
		*set |= CONF_METHOD_BIT(m);
		return true;
	}
	if (!value->broken)
		method_refuse(p, value, at);
	return false;
}
