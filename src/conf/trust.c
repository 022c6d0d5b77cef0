/*
 * `trust`: the networks of proxies whose word about their clients is believed. Runs in the master
 * and in the child of the port. Must never resolve a name: addresses are numeric.
 */
#include "parser.h"

/* Everybody in it is believed. */
static void trust_judge(struct conf_parser *p, const struct network *n, const struct conf_where *at)
{
	if (n->bits == 0 || (n->bits == 96 && network_address_is_v4(&n->first)))
		conf_warning(p, at,
			     "every client may say here what address it has: list the addresses of "
			     "your proxies alone");
}

static const struct network *trust_around(const struct conf_port *port, const struct network *n)
{
	for (size_t i = 0; i < port->trusted_count; i++)
		if (port->trusted[i].bits <= n->bits && network_has(&port->trusted[i], &n->first))
			return &port->trusted[i];
	return NULL;
}

static void trust_add(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at)
{
	struct conf_port *port = p->scope->values;
	char text[NETWORK_TEXT_MAX], outer[NETWORK_TEXT_MAX];
	struct network n;
	if (!conf_network(p, value, at, &n))
		return;
	trust_judge(p, &n, at);
	const struct network *around = trust_around(port, &n);
	if (around != NULL) {
		conf_warning(p, at, "%s is in %s, which is listed already",
			     network_format(&n, text), network_format(around, outer));
		return;
	}
	if (port->trusted_count == CONF_TRUSTED_MAX) {
		conf_error(p, at, "`trust` lists at most %d networks", CONF_TRUSTED_MAX);
		return;
	}
	struct network *list = conf_grow(p, port->trusted, port->trusted_count, sizeof(*list));
	if (list == NULL)
		return;
	port->trusted = list;
	list[port->trusted_count++] = n;
}

/* A second statement adds nothing to the first one: it is a mistake. */
void conf_trust(struct conf_parser *p, const struct conf_group *given)
{
	if (given->piece == 0) {
		(void)conf_once(p, "trust", &given->where);
		p->scope->trusted_set = true;
	}
	if (given->values[0].part != CONF_PART_ZERO)
		trust_add(p, &given->values[0], &given->at[0]);
}

void conf_trust_inherit(struct conf_scope *own, const struct conf_scope *outer)
{
	if (own->trusted_set)
		return;
	own->values->trusted = outer->values->trusted;
	own->values->trusted_count = outer->values->trusted_count;
}

void conf_trust_dump(const struct conf_port *port, FILE *out)
{
	char text[NETWORK_TEXT_MAX];
	if (port->trusted_count == 0)
		return;
	fputs("\ttrust", out);
	for (size_t i = 0; i < port->trusted_count; i++)
		(void)fprintf(out, " %s", network_format(&port->trusted[i], text));
	fputc('\n', out);
}
