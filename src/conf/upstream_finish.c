/*
 * The upstreams of a port when all of it is known: their numbers, and those of their endpoints and
 * files. Runs in the master and in the child of the port. Must never number them in another order
 * than the canonical text has them.
 */
#include <arpa/inet.h>
#include <string.h>

#include "parser.h"

struct conf_upstream_draft *conf_upstream_find(const struct conf_port_draft *port, const char *name)
{
	for (size_t i = 0; i < port->upstreams_count; i++)
		if (strcmp(port->upstreams[i]->upstream.name, name) == 0)
			return port->upstreams[i];
	return NULL;
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* The backups come last. */
static void endpoints_number(struct conf_parser *p, struct conf_port *port,
			     struct conf_upstream_draft *draft, bool backups)
{
	for (size_t i = 0; i < draft->endpoints_count; i++) {
		if (draft->endpoints[i].endpoint.backup != backups)
			continue;
		if (port->endpoints_count == CONF_ENDPOINTS_MAX) {
			conf_error(p, &draft->endpoints[i].at, "a port has at most %d endpoints",
				   CONF_ENDPOINTS_MAX);
			return;
		}
		struct conf_endpoint *list =
		    conf_grow(p, port->endpoints, port->endpoints_count, sizeof(*list));
		if (list == NULL)
			return;
		port->endpoints = list;
		list[port->endpoints_count++] = draft->endpoints[i].endpoint;
		draft->upstream.endpoints_count++;
	}
}

static void authority_number(struct conf_parser *p, struct conf_port_draft *port,
			     struct conf_upstream_draft *draft)
{
	struct conf_upstream *u = &draft->upstream;
	const struct conf_where *at = draft->authority != NULL ? &draft->verify_at : &u->where;
	if (!u->tls || u->verify_off)
		return;
	if (draft->authority == NULL)
		draft->authority = CONF_SYSTEM_AUTHORITIES;
	const uint32_t number =
	    conf_paths_add(p, &port->upstream_authorities, &port->port.upstream_authorities,
			   &port->port.upstream_authorities_count, CONF_CLIENTS_MAX,
			   "files of authorities of upstreams", draft->authority, at);
	u->authority = number > 0 ? number - 1 : 0;
}

/* The pairs of upstreams come after those of the hosts, each once. */
static void certificate_number(struct conf_parser *p, struct conf_port_draft *draft,
			       struct conf_upstream_draft *of)
{
	struct conf_port *port = &draft->port;
	if (of->certificate == NULL || of->key == NULL || !of->upstream.tls)
		return;
	for (size_t i = draft->hosts_pairs; i < port->certificates_count; i++)
		if (strcmp(port->certificates[i].certificate, of->certificate) == 0 &&
		    strcmp(port->certificates[i].key, of->key) == 0) {
			of->upstream.certificate = (uint32_t)i + 1;
			return;
		}
	if (port->certificates_count >= CONF_CERTIFICATES_MAX) {
		conf_error(p, &of->certificate_at,
			   "a port has at most %d certificates, with those of its hosts and "
			   "upstreams",
			   CONF_CERTIFICATES_MAX);
		return;
	}
	struct conf_certificate *pairs =
	    conf_grow(p, port->certificates, port->certificates_count, sizeof(*pairs));
	char *certificate = conf_copy(p, of->certificate, strlen(of->certificate));
	char *key = conf_copy(p, of->key, strlen(of->key));
	if (pairs == NULL || certificate == NULL || key == NULL)
		return;
	port->certificates = pairs;
	pairs[port->certificates_count++] = (struct conf_certificate){
	    .certificate = certificate, .key = key, .where = of->certificate_at};
	of->upstream.certificate = (uint32_t)port->certificates_count;
}

static bool number_give(struct conf_parser *p, struct conf_port_draft *draft,
			struct conf_upstream_draft *of)
{
	struct conf_port *port = &draft->port;
	const size_t count = port->upstreams_count;
	if (count == CONF_UPSTREAMS_MAX) {
		conf_error(p, &of->upstream.where,
			   "a port has at most %d upstreams, with those of `proxy to` a URL",
			   CONF_UPSTREAMS_MAX);
		return false;
	}
	struct conf_upstream *list = conf_grow(p, port->upstreams, count, sizeof(*list));
	const struct conf_upstream_draft **numbered =
	    conf_grow(p, (void *)draft->numbered, count, sizeof(*numbered));
	if (list == NULL || numbered == NULL)
		return false;
	of->number = (uint32_t)count;
	of->upstream.endpoints_first = (uint32_t)port->endpoints_count;
	endpoints_number(p, port, of, false);
	endpoints_number(p, port, of, true);
	authority_number(p, draft, of);
	certificate_number(p, draft, of);
	port->upstreams = list;
	list[count] = of->upstream;
	draft->numbered = numbered;
	numbered[count] = of;
	port->upstreams_count++;
	return true;
}

/* The pairs of hosts are in an array that cannot grow. */
static void pairs_begin(struct conf_parser *p, struct conf_port_draft *draft)
{
	struct conf_port *port = &draft->port;
	struct conf_certificate *pairs = NULL;
	draft->hosts_pairs = port->certificates_count;
	for (size_t i = 0; i < port->certificates_count; i++) {
		pairs = conf_grow(p, pairs, i, sizeof(*pairs));
		if (pairs == NULL)
			return;
		pairs[i] = port->certificates[i];
	}
	port->certificates = pairs;
}

void conf_upstreams_begin(struct conf_parser *p, struct conf_port_draft *draft)
{
	pairs_begin(p, draft);
	for (size_t i = 0; i < draft->upstreams_count && !p->no_memory; i++)
		(void)number_give(p, draft, draft->upstreams[i]);
}

/* --- those without a block -------------------------------------------------------------------- */

static bool text_is(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool settings_are(const struct conf_upstream *a, const struct conf_upstream *b)
{
	return a->balance == b->balance && text_is(a->balance_header, b->balance_header) &&
	       a->probe == b->probe && text_is(a->probe_target, b->probe_target) &&
	       a->probe_every_ms == b->probe_every_ms && a->probe_ms == b->probe_ms &&
	       a->probe_least == b->probe_least && a->probe_most == b->probe_most &&
	       a->fail_after == b->fail_after && a->fail_pause_ms == b->fail_pause_ms &&
	       a->slow_start_ms == b->slow_start_ms && a->connect_ms == b->connect_ms &&
	       a->head_ms == b->head_ms && a->between_ms == b->between_ms &&
	       a->connections == b->connections && a->queue == b->queue &&
	       a->queue_ms == b->queue_ms && a->keep == b->keep && a->keep_ms == b->keep_ms &&
	       a->retry_methods == b->retry_methods && a->retry_percent == b->retry_percent &&
	       a->verify_off == b->verify_off && text_is(a->verify_name, b->verify_name);
}

/* Do requests of both share connections? a has its number already. */
static bool upstream_is(const struct conf_upstream_draft *a, const struct conf_upstream_draft *b)
{
	const char *authority = b->authority == NULL && b->upstream.tls && !b->upstream.verify_off
				    ? CONF_SYSTEM_AUTHORITIES
				    : b->authority;
	return a->upstream.anonymous && text_is(a->upstream.name, b->upstream.name) &&
	       settings_are(&a->upstream, &b->upstream) && text_is(a->authority, authority) &&
	       text_is(a->certificate, b->certificate) && text_is(a->key, b->key);
}

uint32_t conf_upstream_number(struct conf_parser *p, struct conf_port_draft *port,
			      struct conf_upstream_draft *draft)
{
	for (size_t i = 0; i < port->port.upstreams_count; i++)
		if (upstream_is(port->numbered[i], draft)) {
			draft->authority = port->numbered[i]->authority;
			return (uint32_t)i;
		}
	return number_give(p, port, draft) ? draft->number : 0;
}

/* --- afterwards ------------------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcmp(host, "::1") == 0;
}

/* Is it an address that the port listens on? A name may be one, too, which is not known here. */
static bool leads_back(const struct conf_port_draft *port, const struct conf_endpoint *e)
{
	if (e->host == NULL || !conf_port_has(port, e->port))
		return false;
	for (size_t i = 0; i < port->port.addresses_count; i++) {
		const char *address = port->port.addresses[i];
		const bool all = strcmp(address, "*") == 0 || strcmp(address, "0.0.0.0") == 0 ||
				 strcmp(address, "::") == 0;
		if (strcmp(address, e->host) == 0 || (all && is_loopback(e->host)) ||
		    (is_loopback(address) && strcmp(e->host, "localhost") == 0))
			return true;
	}
	return false;
}

void conf_upstreams_end(struct conf_parser *p, struct conf_port_draft *port)
{
	for (size_t i = 0; i < port->upstreams_count; i++)
		if (!port->upstreams[i]->used && !port->hosts[0]->damaged)
			conf_warning(p, &port->upstreams[i]->upstream.where,
				     "nothing uses the upstream \"%s\": write `proxy to \"%s\"` in "
				     "a location",
				     port->upstreams[i]->upstream.name,
				     port->upstreams[i]->upstream.name);
	for (size_t i = 0; i < port->port.upstreams_count; i++)
		for (size_t k = 0; k < port->numbered[i]->endpoints_count; k++)
			if (leads_back(port, &port->numbered[i]->endpoints[k].endpoint))
				conf_warning(p, &port->numbered[i]->endpoints[k].at,
					     "\"%s\" is this port itself: a request would go round "
					     "until no connection is left",
					     port->numbered[i]->endpoints[k].endpoint.url);
	if (port->port.upstreams_count == 0)
		port->port.connect_user = NULL;
}
