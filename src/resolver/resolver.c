/*
 * The resolver role, from its first message to its end. Must never block, nor ask anybody but the
 * name servers of resolv.conf(5).
 */
#include "resolver/resolver.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "hosts.h"
#include "ipc/addresses.h"
#include "lookup.h"
#include "names.h"
#include "role/holder.h"
#include "servers.h"

struct resolver {
	struct holder holder; /* first */
	struct servers servers;
	uint16_t ports[SERVERS_MAX];
	struct ipc_block block; /* of the name servers */
	struct lookups lookups;
	struct names names;
	size_t names_count;
	struct ipc_name *memory; /* mapped */
	char *table;             /* hosts(5); owned, until it was read */
	size_t table_len;
};

__attribute__((noreturn)) static void fail(struct resolver *r, int error, const char *what)
{
	role_fail(r->holder.role, role_status(r->holder.role, -error), "cannot %s: %s", what,
		  strerror(-error));
}

/* A file that cannot be read is like an empty one: names may be found all the same. */
static void file_read(struct resolver *r, enum ipc_handed kind, const char *path, size_t max,
		      char **ret, size_t *ret_len)
{
	struct role *role = r->holder.role;
	int fd = role_take(role, kind, 0);
	const int error = fd_read_all(fd, max, ret, ret_len);
	fd_close(&fd);
	if (error == 0)
		return;
	log_write(&role->log, LOG_WARNING, "%s cannot be read, and counts as empty: %s", path,
		  strerror(-error));
	*ret = NULL;
	*ret_len = 0;
}

/* Before the process is confined, as c-ares wants it (lookup.h). */
static void servers_prepare(struct resolver *r)
{
	char host[256] = "", *text = NULL;
	struct err err;
	size_t len = 0;
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	file_read(r, IPC_FD_RESOLV, "/etc/resolv.conf", SERVERS_TEXT_MAX, &text, &len);
	servers_read(text != NULL ? text : "", len, host, &r->servers);
	free(text);
	for (unsigned i = 0; i < r->servers.count; i++)
		r->ports[i] = r->servers.list[i].port;
	r->holder.role->server_ports = r->ports;
	r->holder.role->server_ports_count = r->servers.count;
	if (lookups_init(&r->lookups, &r->servers, &err) < 0)
		role_fail(r->holder.role, EX_OSERR, "%s", err.text);
}

static uint32_t zone_number(const char *zone)
{
	uint64_t number = 0;
	if (num_parse(zone, strlen(zone), 1, UINT32_MAX, &number) == 0)
		return (uint32_t)number;
	return if_nametoindex(zone);
}

static void block_make(struct resolver *r)
{
	union ipc_address places[SERVERS_MAX];
	for (unsigned i = 0; i < r->servers.count; i++) {
		const struct server *s = &r->servers.list[i];
		ipc_address_put(&places[i], &s->address, s->port);
		if (s->zone[0] != '\0')
			((struct sockaddr_in6 *)&places[i].storage)->sin6_scope_id =
			    zone_number(s->zone);
	}
	const int error = ipc_block_make(places, r->servers.count, -1, 0, &r->block);
	if (error < 0)
		fail(r, error, "list the name servers");
	role_pin(r->holder.role, &r->block, r->servers.count, 0);
}

static void memory_map(struct resolver *r)
{
	struct role *role = r->holder.role;
	int fd = role_take(role, IPC_FD_NAMES, 0);
	for (size_t i = 0; i < role->port->endpoints_count; i++)
		r->names_count += role->port->endpoints[i].named;
	r->memory = ipc_names_map(fd, r->names_count);
	fd_close(&fd);
	if (r->memory == NULL)
		fail(r, -ENOMEM, "map the memory of its names");
}

static void resolver_begun(struct holder *h)
{
	struct resolver *r = (struct resolver *)h;
	r->names = (struct names){.loop = &h->loop,
				  .lookups = &r->lookups,
				  .port = h->role->port,
				  .log = &h->role->log,
				  .counters = &h->role->slots[0].counters,
				  .memory = r->memory};
	int error = lookups_begin(&r->lookups, &h->loop, r->block.places, r->servers.count);
	if (error == 0)
		error = names_begin(&r->names, r->table != NULL ? r->table : "", r->table_len);
	free(r->table);
	r->table = NULL;
	if (error < 0)
		fail(r, error, "list its names");
}

static void resolver_ending(struct holder *h)
{
	struct resolver *r = (struct resolver *)h;
	lookups_end(&r->lookups);
	names_end(&r->names);
	ipc_names_unmap(r->memory, r->names_count);
}

/* It has no channel to anybody but the master. */
static int resolver_serve(struct holder_channel *c)
{
	(void)c;
	return -EBADMSG;
}

static const struct holder_ops ops = {.serve = resolver_serve,
				      .begun = resolver_begun,
				      .ending = resolver_ending,
				      .permits = ipc_to_resolver,
				      .protocol = "no protocol"};

int resolver_main(struct role *role)
{
	struct resolver r = {.holder = {.role = role, .ops = &ops}};

	servers_prepare(&r);
	role_confine(role, SANDBOX_RESOLVER, ROLE_DESCRIPTORS + LOOKUP_SOCKETS_MAX);
	memory_map(&r);
	block_make(&r);
	file_read(&r, IPC_FD_HOSTS, "/etc/hosts", HOSTS_TEXT_MAX, &r.table, &r.table_len);
	return holder_run(&r.holder);
}
