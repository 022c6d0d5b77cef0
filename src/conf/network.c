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
	if (port->exempt_count == 0)
		return;
	(void)fputs(indent, out);
	conf_networks_dump("exempt", port->exempt, port->exempt_count, out);
}

void conf_networks_dump(const char *statement, const struct network *list, size_t count, FILE *out)
{
	char text[NETWORK_TEXT_MAX];
	(void)fputs(statement, out);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(out, " %s", network_format(&list[i], text));
	(void)fputc('\n', out);
}

/* --- those whose word about others is believed ------------------------------------------------ */

static void believed_judge(struct conf_parser *p, const struct network *n,
			   const struct conf_where *at, const char *whose)
{
	if (n->bits == 0 || (n->bits == 96 && network_address_is_v4(&n->first)))
		conf_warning(p, at,
			     "every client may say here what address it has: list the addresses of "
			     "your %s alone",
			     whose);
}

static const struct network *believed_around(const struct network *list, size_t count,
					     const struct network *n)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].bits <= n->bits && network_has(&list[i], &n->first))
			return &list[i];
	return NULL;
}

void conf_believed_add(struct conf_parser *p, const struct conf_value *value,
		       const struct conf_where *at, const struct conf_believed *b)
{
	char text[NETWORK_TEXT_MAX], outer[NETWORK_TEXT_MAX];
	struct network n;
	if (!conf_network(p, value, at, &n))
		return;
	believed_judge(p, &n, at, b->whose);
	const struct network *around = believed_around(*b->list, *b->count, &n);
	if (around != NULL) {
		conf_warning(p, at, "%s is in %s, which is listed already",
			     network_format(&n, text), network_format(around, outer));
		return;
	}
	if (*b->count == CONF_BELIEVED_MAX) {
		conf_error(p, at, "`%s` lists at most %d networks", b->statement,
			   CONF_BELIEVED_MAX);
		return;
	}
	struct network *list = conf_grow(p, *b->list, *b->count, sizeof(*list));
	if (list == NULL)
		return;
	*b->list = list;
	list[(*b->count)++] = n;
}
