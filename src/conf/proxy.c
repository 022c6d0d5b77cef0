/*
 * `proxy protocol`: the networks whose connections begin with a header of the PROXY protocol. Runs
 * in the master and in the child of the port. Must never resolve a name: addresses are numeric.
 */
#include "parser.h"

static bool proxies_begin(struct conf_parser *p, const struct conf_where *where)
{
	const bool first = conf_once(p, "proxy protocol", where);
	p->scope->proxies_set = true;
	return first;
}

void conf_proxies_off(struct conf_parser *p, const struct conf_where *where)
{
	(void)proxies_begin(p, where);
}

void conf_proxies_first(struct conf_parser *p, const struct conf_value *value,
			const struct conf_where *where, const struct conf_where *at)
{
	if (proxies_begin(p, where))
		conf_proxies_add(p, value, at);
}

void conf_proxies_add(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at)
{
	struct conf_port *port = p->scope->values;
	const struct conf_believed believed = {"proxy protocol", "load balancers", &port->proxies,
					       &port->proxies_count};
	conf_believed_add(p, value, at, &believed);
}

void conf_proxies_inherit(struct conf_scope *own, const struct conf_scope *outer)
{
	if (own->proxies_set)
		return;
	own->values->proxies = outer->values->proxies;
	own->values->proxies_count = outer->values->proxies_count;
}

void conf_proxies_dump(const struct conf_port *port, FILE *out)
{
	if (port->proxies_count > 0)
		conf_networks_dump("\tproxy protocol from", port->proxies, port->proxies_count,
				   out);
}
