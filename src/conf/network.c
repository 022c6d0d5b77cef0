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
