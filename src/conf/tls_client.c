/*
 * `client certificate`: which certificates a host asks its clients for. Runs in the master and in
 * every child. Must never open a file: the master opens them, and workers read them.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "parser.h"

#define DEPTH_DEFAULT 3
#define DEPTH_MAX     16

enum { WISH, AUTHORITY, REVOKED, DEPTH };

static void client_begin(struct conf_parser *p, const struct conf_group *given)
{
	static const char *const words[] = {"off", "optional", "required"};
	struct conf_scope *scope = p->scope;
	struct conf_client_draft *draft = conf_alloc(p, sizeof(*draft));
	(void)conf_once(p, p->statement->again, &given->where);
	if (draft == NULL)
		return;
	draft->client.where = given->where;
	draft->client.depth = DEPTH_DEFAULT;
	for (unsigned i = 0; i < CONF_COUNT(words); i++)
		if (strcmp(given->values[0].data, words[i]) == 0)
			draft->client.wish = (enum conf_client_wish)i;
	scope->client = draft;
	if (scope->of_tls == NULL) {
		scope->of_tls = p->statement;
		scope->of_tls_where = given->where;
	}
}

static void client_path(struct conf_parser *p, const struct conf_group *given, const char *what,
			char **to)
{
	struct conf_client_draft *draft = p->scope->client;
	const bool good = conf_plain(p, what, PATH_MAX - 1, &given->values[0], &given->at[0]);
	if (draft == NULL)
		return;
	draft->damaged = draft->damaged || !good;
	if (good)
		*to = conf_path(p, given->values[0].data, &given->at[0]);
}

void conf_tls_client(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_client_draft *draft = p->scope->client;
	uint64_t depth = DEPTH_DEFAULT;
	switch (given->piece) {
	case WISH:
		client_begin(p, given);
		break;
	case AUTHORITY:
		client_path(p, given, "an authority's file name",
			    draft != NULL ? &draft->authority : NULL);
		break;
	case REVOKED:
		client_path(p, given, "the file name of what is revoked",
			    draft != NULL ? &draft->revoked : NULL);
		break;
	case DEPTH:
		if (conf_quantity(p, "depth", CONF_NUMBER, 0, DEPTH_MAX, &given->values[0],
				  &given->at[0], &depth) &&
		    draft != NULL)
			draft->client.depth = (uint32_t)depth;
		break;
	}
}

void conf_tls_client_check(struct conf_parser *p)
{
	struct conf_client_draft *draft = p->scope->client;
	if (draft == NULL || draft->damaged)
		return;
	const bool off = draft->client.wish == CONF_CLIENT_OFF;
	if (!off && draft->authority == NULL && !p->scope->tls_damaged) {
		draft->damaged = true;
		conf_error(p, &draft->client.where,
			   "the client certificate has no authority: write `authority \"file\"` "
			   "with the certificates of those that issue them");
	} else if (off && (draft->authority != NULL || draft->revoked != NULL)) {
		conf_error(p, &draft->client.where,
			   "`client certificate off` asks for none: leave out the rest");
	}
}

/* --- the hosts of a port ---------------------------------------------------------------------- */

static bool client_is(const struct conf_client *a, const struct conf_client *b)
{
	return a->wish == b->wish && a->authority == b->authority && a->revoked == b->revoked &&
	       a->depth == b->depth;
}

/* The number of this one in the port's list, plus 1. */
static uint32_t client_number(struct conf_parser *p, struct conf_port *port,
			      const struct conf_client *client)
{
	for (size_t i = 0; i < port->clients_count; i++)
		if (client_is(&port->clients[i], client))
			return (uint32_t)i + 1;
	if (port->clients_count == CONF_CLIENTS_MAX) {
		conf_error(p, &client->where,
			   "a port has at most %d different `client certificate`",
			   CONF_CLIENTS_MAX);
		return 0;
	}
	struct conf_client *list = conf_grow(p, port->clients, port->clients_count, sizeof(*list));
	if (list == NULL)
		return 0;
	port->clients = list;
	list[port->clients_count++] = *client;
	return (uint32_t)port->clients_count;
}

/* Files are numbered in the order of the hosts, which is that of the canonical text. */
static uint32_t client_finish(struct conf_parser *p, struct conf_port_draft *draft,
			      const struct conf_client_draft *from)
{
	struct conf_port *port = &draft->port;
	struct conf_client client = from->client;
	if (client.wish == CONF_CLIENT_OFF || from->damaged || from->authority == NULL)
		return 0;
	const uint32_t authority = conf_paths_add(
	    p, &draft->authorities, &port->authorities, &port->authorities_count, CONF_CLIENTS_MAX,
	    "files of authorities", from->authority, &client.where);
	if (authority == 0)
		return 0;
	client.authority = authority - 1;
	if (from->revoked != NULL)
		client.revoked = conf_paths_add(
		    p, &draft->revoked, &port->revoked, &port->revoked_count, CONF_CLIENTS_MAX,
		    "files of what is revoked", from->revoked, &client.where);
	return client_number(p, port, &client);
}

void conf_tls_clients_finish(struct conf_parser *p, struct conf_port_draft *draft)
{
	struct conf_port *port = &draft->port;
	const struct conf_client_draft *outer =
	    draft->scope.client != NULL ? draft->scope.client : p->top.client;
	for (size_t i = 0; i < draft->hosts_count && !port->plain && port->hosts != NULL; i++) {
		const struct conf_client_draft *own = i == 0 ? NULL : draft->hosts[i]->scope.client;
		const struct conf_client_draft *client = own != NULL ? own : outer;
		if (client != NULL)
			port->hosts[i].client = client_finish(p, draft, client);
	}
}

/* A host writes `off` where the port asks for certificates. */
void conf_tls_client_dump(const struct conf_port *port, const struct conf_host *host, FILE *out)
{
	if (host != port->hosts && host->client == port->hosts[0].client)
		return;
	if (host->client == 0) {
		if (host != port->hosts)
			fputs("\t\tclient certificate off\n", out);
		return;
	}
	const struct conf_client *c = &port->clients[host->client - 1];
	(void)fprintf(out, "\t\tclient certificate %s",
		      c->wish == CONF_CLIENT_REQUIRED ? "required" : "optional");
	conf_put(out, " authority ", port->authorities[c->authority].path);
	if (c->revoked > 0)
		conf_put(out, " revoked ", port->revoked[c->revoked - 1].path);
	(void)fprintf(out, " depth %u\n", c->depth);
}
