/*
 * Networks of clients, `ADDRESS/LENGTH`. Runs in the master and in the child of the port. Must
 * never take a network for another one than was meant: what is ambiguous is an error.
 */
#include <errno.h>
#include <string.h>

#include "parser.h"

/* Bits after the length: either they or the length are wrong, and one opens more than the other. */
static void bits_tell(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at, const struct network *network)
{
	char shown[CONF_SHOWN_MAX], text[NETWORK_TEXT_MAX];
	conf_error(p, at,
		   "`%s` has bits after its length: the network is `%s`, and one address is `%.*s`",
		   conf_show(value, shown), network_format(network, text),
		   (int)strcspn(value->data, "/"), value->data);
}

bool conf_network(struct conf_parser *p, const struct conf_value *value,
		  const struct conf_where *at, struct network *ret)
{
	char shown[CONF_SHOWN_MAX];
	if (value->broken)
		return false;
	switch (network_parse(value->data, value->len, ret)) {
	case 0:
		return true;
	case -EDOM:
		bits_tell(p, value, at, ret);
		break;
	case -ERANGE:
		conf_error(p, at,
			   "the length in `%s` is out of range; it can be 0 to 32 for IPv4, and 0 "
			   "to 128 for IPv6",
			   conf_show(value, shown));
		break;
	default:
		conf_error(p, at,
			   "`%s` is not a network; write one such as 10.0.0.0/8 or 2001:db8::/32, "
			   "an address, or `*` for all",
			   conf_show(value, shown));
		break;
	}
	return false;
}

#define EXEMPT_MAX 4096

void conf_exempt(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_port *values = p->scope->values;
	struct network network, *list;
	if (!conf_network(p, &given->values[0], &given->at[0], &network) || values == NULL)
		return;
	for (size_t i = 0; i < values->exempt_count; i++)
		if (values->exempt[i].bits == network.bits &&
		    network_has(&values->exempt[i], &network.first))
			return;
	if (values->exempt_count == EXEMPT_MAX) {
		conf_error(p, &given->at[0], "a port exempts at most %d networks", EXEMPT_MAX);
		p->stop = true;
		return;
	}
	list = conf_grow(p, values->exempt, values->exempt_count, sizeof(*list));
	if (list == NULL)
		return;
	values->exempt = list;
	list[values->exempt_count++] = network;
}

void conf_exempt_dump(const struct conf_port *port, const char *indent, FILE *out)
{
	char text[NETWORK_TEXT_MAX];
	if (port->exempt_count == 0)
		return;
	(void)fprintf(out, "%sexempt", indent);
	for (size_t i = 0; i < port->exempt_count; i++)
		(void)fprintf(out, " %s", network_format(&port->exempt[i], text));
	fputc('\n', out);
}
