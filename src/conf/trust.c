/*
 * `trust`: the networks of proxies whose word about their clients is believed. Runs in the master
 * and in the child of the port. Must never resolve a name: addresses are numeric.
 */
#include "parser.h"

/* A second statement adds nothing to the first one: it is a mistake. */
void conf_trust(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_port *port = p->scope->values;
	const struct conf_believed believed = {"trust", "proxies", &port->trusted,
					       &port->trusted_count};
	if (given->piece == 0) {
		(void)conf_once(p, "trust", &given->where);
		p->scope->trusted_set = true;
	}
	if (given->values[0].part != CONF_PART_ZERO)
		conf_believed_add(p, &given->values[0], &given->at[0], &believed);
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
	if (port->trusted_count > 0)
		conf_networks_dump("\ttrust", port->trusted, port->trusted_count, out);
}
