/*
 * `proxy protocol`: the networks whose connections begin with a header of the PROXY protocol. Runs
 * in the master and in the child of the port. Must never resolve a name: addresses are numeric.
 */
#include "parser.h"

/* Everybody in it is believed. */
static void network_judge(struct conf_parser *p, const struct network *n,
			  const struct conf_where *at)
{
	static const char everybody[] = "every client may say here what address it has: list the "
					"addresses of your load balancers alone";
	if (n->bits == 0 || (n->bits == 96 && network_address_is_v4(&n->first)))
		conf_warning(p, at, "%s", everybody);
}

static const struct network *network_around(const struct conf_port *port, const struct network *n)
{
	for (size_t i = 0; i < port->proxies_count; i++)
		if (port->proxies[i].bits <= n->bits && network_has(&port->proxies[i], &n->first))
			return &port->proxies[i];
	return NULL;
}

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
	char text[NETWORK_TEXT_MAX], outer[NETWORK_TEXT_MAX];
	struct network n;
	if (!conf_network(p, value, at, &n))
		return;
	network_judge(p, &n, at);
	const struct network *around = network_around(port, &n);
	if (around != NULL) {
		conf_warning(p, at, "%s is in %s, which is listed already",
			     network_format(&n, text), network_format(around, outer));
		return;
	}
	if (port->proxies_count == CONF_PROXIES_MAX) {
		conf_error(p, at, "`proxy protocol` lists at most %d networks", CONF_PROXIES_MAX);
		return;
	}
	struct network *proxies =
	    conf_grow(p, port->proxies, port->proxies_count, sizeof(*proxies));
	if (proxies == NULL)
		return;
	port->proxies = proxies;
	proxies[port->proxies_count++] = n;
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
	char text[NETWORK_TEXT_MAX];
	if (port->proxies_count == 0)
		return;
	fputs("\tproxy protocol from", out);
	for (size_t i = 0; i < port->proxies_count; i++)
		(void)fprintf(out, " %s", network_format(&port->proxies[i], text));
	fputc('\n', out);
}
