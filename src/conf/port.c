/*
 * The statements of a port block: the port, its addresses and sockets, threads and locations. Runs
 * in the master and in the child of the port. Must never resolve a name: addresses are numeric.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "base/num.h"
#include "parser.h"

void conf_port_open(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_port_draft *port = p->port_next;
	struct conf_port_draft **ports = conf_grow(p, p->ports, p->ports_count, sizeof(void *));
	struct conf_block *block = conf_block_push(p, CONF_BLOCK_PORT, where);
	if (port == NULL || ports == NULL || port->items_count == 0)
		return; /* p->stop: no statement follows */
	port->port.number = (uint16_t)port->items[0].first;
	port->scope.values = &port->port;
	port->port.where = *where;
	p->port = port;
	p->host = conf_host_add(p, where);
	if (p->host == NULL)
		return;
	p->ports = ports;
	ports[p->ports_count++] = port;
	block->damaged = &p->host->damaged;
	p->scope = &port->scope;
}

void conf_port_close(struct conf_parser *p)
{
	conf_host_methods_end(p, "port");
	conf_block_close(p);
	p->port = NULL;
	p->host = NULL;
	p->scope = &p->top;
}

/* --- addresses -------------------------------------------------------------------------------- */

#define ADDRESS_MAX (INET6_ADDRSTRLEN + IF_NAMESIZE) /* with `%` and a zone */

static bool is_link_local(const char *address)
{
	struct in6_addr v6;
	return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LINKLOCAL(&v6);
}

/* Whether the interface exists is only known where the port listens, since a check may run on
 * another machine. The kernel's rules for names (netdevice(7)): no blank, slash or colon, 15
 * bytes. */
static bool is_zone(const char *zone)
{
	const size_t len = strlen(zone);
	for (const char *c = zone; *c != '\0'; c++)
		if (*c <= 0x20 || *c > 0x7e || *c == '/' || *c == ':' || *c == '%')
			return false;
	return len > 0 && len < IF_NAMESIZE;
}

/* Writes the address in its canonical form. */
static bool bare_normalize(const char *text, size_t len, char out[ADDRESS_MAX])
{
	struct in_addr v4;
	struct in6_addr v6;
	char bare[INET6_ADDRSTRLEN] = "";
	if (len >= sizeof(bare))
		return false;
	memcpy(bare, text, len);
	if (inet_pton(AF_INET, bare, &v4) == 1)
		return inet_ntop(AF_INET, &v4, out, INET6_ADDRSTRLEN) != NULL;
	return inet_pton(AF_INET6, bare, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6) &&
	       inet_ntop(AF_INET6, &v6, out, INET6_ADDRSTRLEN) != NULL;
}

/* A link-local address does not say on which link of the machine it is (RFC 4007, 11). */
static bool zone_check(struct conf_parser *p, const char *address, const char *zone,
		       const struct conf_where *at)
{
	const bool wants = is_link_local(address);
	if (wants == (zone != NULL) && (zone == NULL || is_zone(zone + 1)))
		return true;
	if (wants && zone == NULL)
		conf_error(p, at,
			   "%s is on one link of this machine: name its interface, as in %s%%eth0",
			   address, address);
	else if (wants)
		conf_error(p, at, "the zone after the `%%` is not the name of an interface");
	else
		conf_error(p, at, "%s has no zone: only link-local addresses (fe80::/10) have one",
			   address);
	return false;
}

/* Writes the canonical form of the address with its zone, or returns false. */
static bool normalize(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at, char out[ADDRESS_MAX])
{
	const char *zone = strchr(value->data, '%');
	const size_t len = zone == NULL ? value->len : (size_t)(zone - value->data);
	char shown[CONF_SHOWN_MAX];
	if (strcmp(value->data, "*") == 0)
		return memcpy(out, "*", 2) != NULL;
	if (bare_normalize(value->data, len, out)) {
		if (!zone_check(p, out, zone, at))
			return false;
		if (zone != NULL)
			(void)strlcat(out, zone, ADDRESS_MAX);
		return true;
	}
	if (value->broken)
		return false;
	const char *number = conf_port_in(value->data);
	if (number != NULL) {
		conf_error(p, at,
			   "the port's number stands after `port`: `port %s { ... }`; `listen on` "
			   "has an address without it",
			   number);
		return false;
	}
	conf_error(p, at,
		   "`%s` is not an address; write a numeric IPv4 or IPv6 address such as 127.0.0.1 "
		   "or ::1, or `*` for all",
		   conf_show(value, shown));
	return false;
}

/* Would binding the second one fail? */
static bool overlap(const char *a, const char *b)
{
	bool same_family = (strchr(a, ':') != NULL) == (strchr(b, ':') != NULL);
	if (strcmp(a, "*") == 0 || strcmp(b, "*") == 0)
		return true;
	return same_family &&
	       (strcmp(a, b) == 0 || strcmp(a, "0.0.0.0") == 0 || strcmp(b, "0.0.0.0") == 0 ||
		strcmp(a, "::") == 0 || strcmp(b, "::") == 0);
}

void conf_add_address(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at)
{
	struct conf_port *port = &p->port->port;
	char address[ADDRESS_MAX];
	if (!normalize(p, value, at, address))
		return;
	for (size_t i = 0; i < port->addresses_count; i++) {
		if (!overlap(port->addresses[i], address))
			continue;
		if (strcmp(port->addresses[i], address) == 0)
			conf_error(p, at, "the port listens on %s already", address);
		else
			conf_error(p, at, "%s and %s overlap: one of them is in the other", address,
				   port->addresses[i]);
		return;
	}
	if (port->addresses_count == CONF_ADDRESSES_MAX) {
		conf_error(p, at, "a port listens on at most %d addresses", CONF_ADDRESSES_MAX);
		return;
	}
	char **addresses = conf_grow(p, port->addresses, port->addresses_count, sizeof(*addresses));
	char *copy = conf_copy(p, address, strlen(address));
	if (addresses == NULL || copy == NULL)
		return;
	port->addresses = addresses;
	addresses[port->addresses_count++] = copy;
}

/* --- sockets of the service manager ----------------------------------------------------------- */

/* Names as in systemd.socket(5), FileDescriptorName=: printable ASCII without a colon. */
static bool check_socket_name(struct conf_parser *p, const struct conf_value *value,
			      const struct conf_where *at)
{
	if (!conf_plain(p, "a socket's name", CONF_SOCKET_NAME_MAX, value, at))
		return false;
	for (size_t i = 0; i < value->len; i++) {
		if ((unsigned char)value->data[i] < 0x80 && value->data[i] != ':')
			continue;
		conf_error(p, at, "a socket's name has no `:` and is in ASCII");
		return false;
	}
	return true;
}

/* Whether the socket exists is only known at the start, since a check is run by hand. */
void conf_add_socket(struct conf_parser *p, const struct conf_value *value,
		     const struct conf_where *at)
{
	struct conf_port *port = &p->port->port;
	char shown[CONF_SHOWN_MAX];
	if (!check_socket_name(p, value, at))
		return;
	for (size_t i = 0; i < port->sockets_count; i++) {
		if (strcmp(port->sockets[i], value->data) != 0)
			continue;
		conf_error(p, at, "the port listens on the socket \"%s\" already",
			   conf_show(value, shown));
		return;
	}
	if (port->sockets_count == CONF_SOCKETS_MAX) {
		conf_error(p, at, "a port listens on at most %d sockets by name", CONF_SOCKETS_MAX);
		return;
	}
	char **sockets = conf_grow(p, port->sockets, port->sockets_count, sizeof(*sockets));
	char *copy = conf_copy(p, value->data, value->len);
	if (sockets == NULL || copy == NULL)
		return;
	port->sockets = sockets;
	sockets[port->sockets_count++] = copy;
}

/* --- locations -------------------------------------------------------------------------------- */

/* A star at the end of a path, as other servers have it. */
static void star_tell(struct conf_parser *p, const struct conf_value *path,
		      const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	struct conf_value plain = *path;
	if (plain.len < 2 || plain.data[plain.len - 1] != '*')
		return;
	while (plain.len > 1 && strchr("*/", plain.data[plain.len - 1]) != NULL)
		plain.len--;
	conf_warning(
	    p, at,
	    "`*` in a location's path is only itself: \"%s\" is for the path and all paths "
	    "below it",
	    conf_show(&plain, shown));
}

/* An escape, which users may expect to be decoded here, too. */
static void escape_tell(struct conf_parser *p, const struct conf_value *path,
			const struct conf_where *at)
{
	const char *s = strchr(path->data, '%');
	while (s != NULL && (num_hex_digit(s[1]) < 0 || num_hex_digit(s[2]) < 0))
		s = strchr(s + 1, '%');
	if (s != NULL)
		conf_warning(p, at,
			     "`%.3s` in a location's path is only itself: the paths of requests "
			     "are decoded before, so write the character in its place",
			     s);
}

/* "/a" and "/a/" are the same location, because a path means whole segments, but an exact one is
 * for its path alone. A bad path becomes "": the block is still checked, but is not a duplicate of
 * another. */
void conf_location_open(struct conf_parser *p, const struct conf_value *value, bool exact,
			const struct conf_where *where, const struct conf_where *at)
{
	size_t len = conf_path_check(p, "a location's path", value, at) ? value->len : 0;
	if (len > 0 && !exact)
		star_tell(p, value, at);
	if (len > 0)
		escape_tell(p, value, at);
	while (len > 1 && value->data[len - 1] == '/' && !exact)
		len--;
	conf_block_push(p, CONF_BLOCK_LOCATION, where)->damaged = &p->location_damaged;
	p->location = conf_location_add(p, conf_copy(p, value->data, len), where);
	if (p->location != NULL)
		p->location->location.exact = exact;
	p->location_damaged = false;
	p->location_served = false;
	p->methods = (struct conf_methods){.set = 0};
	p->fault = NULL;
}

#define NO_FAULT "no fault\n" /* what a location with nothing but faults serves */

void conf_location_close(struct conf_parser *p)
{
	conf_fault_end(p);
	if (!p->location_served && p->location != NULL && p->location->fault_where.line != 0)
		conf_respond_default(p, NO_FAULT, &p->location->fault_where);
	else if (!p->location_served && !p->location_damaged)
		conf_error(p, &conf_block_top(p)->where,
			   "the location serves nothing: give it `respond` or `echo`");
	conf_methods_end(p, &p->methods, p->location != NULL ? &p->location->location : NULL);
	conf_proxy_path_end(p);
	p->location = NULL;
	conf_block_close(p);
}
