/*
 * The hosts of a port. Runs in the master and in the child of the port. Must never take longer than
 * the text does: a port may have ten thousand of them.
 */
#include "parser.h"

struct conf_host_draft *conf_host_add(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_port_draft *port = p->port;
	struct conf_host_draft *host = conf_alloc(p, sizeof(*host));
	struct conf_host_draft **hosts = conf_grow(p, port->hosts, port->hosts_count, sizeof(host));
	if (host == NULL || hosts == NULL)
		return NULL;
	host->host.where = *where;
	host->sequence = port->hosts_count;
	port->hosts = hosts;
	hosts[port->hosts_count++] = host;
	return host;
}

void conf_host_begin(struct conf_parser *p, const struct conf_value *value,
		     const struct conf_where *at)
{
	p->host_next = conf_alloc(p, sizeof(*p->host_next));
	conf_host_name(p, value, at);
}

void conf_host_name(struct conf_parser *p, const struct conf_value *value,
		    const struct conf_where *at)
{
	struct conf_host_draft *host = p->host_next;
	struct conf_host_name *names =
	    host != NULL ? conf_grow(p, host->names, host->names_count, sizeof(*names)) : NULL;
	if (names == NULL)
		return;
	if (p->port->names_count++ == CONF_HOST_NAMES_MAX) {
		conf_error(p, at, "the hosts of a port have at most %d names", CONF_HOST_NAMES_MAX);
		p->stop = true;
		return;
	}
	host->names = names;
	names[host->names_count++] = (struct conf_host_name){
	    .name = conf_host_name_normalize(p, value, at),
	    .where = *at,
	    .sequence = p->port->names_count,
	};
}

void conf_host_open(struct conf_parser *p, const struct conf_where *where)
{
	const struct conf_host_draft *named = p->host_next;
	struct conf_block *block = conf_block_push(p, CONF_BLOCK_HOST, where);
	struct conf_host_draft *host = named != NULL ? conf_host_add(p, where) : NULL;
	if (host == NULL)
		return; /* p->stop: no statement follows */
	if (p->port->hosts_count - 1 > CONF_HOSTS_MAX) {
		conf_error(p, where, "a port has at most %d hosts", CONF_HOSTS_MAX);
		p->stop = true;
	}
	host->names = named->names;
	host->names_count = named->names_count;
	block->damaged = &host->damaged;
	p->host = host;
	p->scope = &host->scope;
}

/* By now the own handler of the port or host is a location like any other. */
void conf_host_methods_end(struct conf_parser *p, const char *block)
{
	struct conf_host_draft *host = p->host;
	if (host->methods.where.line > 0 && host->own == 0 && !host->damaged)
		conf_error(p, &host->methods.where,
			   "`methods` belongs to a handler, and this %s has none outside of its "
			   "locations; write it in the location",
			   block);
	if (host->own > 0)
		conf_methods_end(p, &host->methods, &host->locations[host->own - 1].location);
}

void conf_host_close(struct conf_parser *p)
{
	const struct conf_host_draft *host = p->host;
	conf_host_methods_end(p, "host");
	if (host->locations_count == 0 && !host->damaged)
		conf_error(p, &conf_block_top(p)->where,
			   "the host serves nothing: give it `respond`, `echo` or a `location`");
	conf_block_close(p);
	p->host = p->port->hosts[0];
	p->scope = &p->port->scope;
}
