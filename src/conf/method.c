/* The methods of a handler. Runs in the master and in the child of the port. */
#include "base/text.h"
#include "parser.h"

static struct conf_methods *methods_here(struct conf_parser *p)
{
	return conf_block_top(p)->kind == CONF_BLOCK_LOCATION ? &p->methods : &p->host->methods;
}

static struct conf_methods *methods_begin(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_methods *methods = methods_here(p);
	if (conf_once(p, "methods", where))
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

void conf_methods_add(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at)
{
	struct conf_methods *methods = methods_here(p);
	if (!conf_method_add(p, &methods->set, value, at))
		methods->damaged = true;
}

/* The message lists the handlers that take `methods`: "`respond` and `echo`". */
static void methods_refuse(struct conf_parser *p, const struct conf_kind *of,
			   const struct conf_where *where)
{
	const char *takers[CONF_HANDLERS];
	char list[128];
	size_t count = 0;
	struct text t;
	for (unsigned i = 0; i < CONF_HANDLERS; i++)
		if (conf_handler_kind(i)->methods != 0)
			takers[count++] = conf_handler_kind(i)->statement.word;
	text_init(&t, list, sizeof(list));
	for (size_t i = 0; i < count; i++)
		conf_list_item(&t, takers[i], "`", i, count, "and");
	conf_error(p, where, "`%s` has its own methods, GET and POST; `methods` is for %s",
		   of->statement.word, list);
}

/* What the handler can never answer is not in the list, which is sent as Allow, either. */
static unsigned methods_answered(struct conf_parser *p, const struct conf_kind *kind,
				 const struct conf_methods *methods)
{
	char list[128];
	struct text t;
	size_t count = 0, i = 0;
	const unsigned answered = methods->set & kind->methods;
	if (!kind->no_others || answered == methods->set)
		return methods->set;
	for (unsigned m = 0; m < CONF_METHODS; m++)
		count += (kind->methods & CONF_METHOD_BIT(m)) != 0;
	text_init(&t, list, sizeof(list));
	for (unsigned m = 0; m < CONF_METHODS; m++)
		if (kind->methods & CONF_METHOD_BIT(m))
			conf_list_item(&t, conf_method_names[m], "", i++, count, "and");
	if (answered != 0) {
		conf_warning(p, &methods->where,
			     "`%s` answers only %s; other methods get 405, whatever is listed here",
			     kind->statement.word, list);
		return answered;
	}
	conf_error(p, &methods->where, "`%s` answers only %s: leave `methods` out",
		   kind->statement.word, list);
	return kind->methods;
}

void conf_methods_end(struct conf_parser *p, const struct conf_methods *methods,
		      struct conf_location *location)
{
	const bool given = methods->where.line > 0;
	if (location == NULL)
		return;
	const struct conf_kind *kind = conf_handler_kind(location->handler);
	location->methods = kind->methods;
	if (given && kind->methods == 0)
		methods_refuse(p, kind, &methods->where);
	else if (given && !methods->damaged)
		location->methods = methods_answered(p, kind, methods);
	if (location->methods & CONF_METHOD_BIT(CONF_GET)) /* RFC 9110, 9.3.2 */
		location->methods |= CONF_METHOD_BIT(CONF_HEAD);
}
