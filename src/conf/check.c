/*
 * Defaults before the parse; after it inheritance and the checks that need everything. Runs in the
 * master and, on its own port, in every child. Must never report something as missing that an
 * earlier mistake, reported already, may have hidden.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/num.h"
#include "parser.h"

void conf_defaults(struct conf_parser *p)
{
	struct conf *conf = &p->tree->conf;
	conf->log.syslog_facility = LOG_DAEMON;
	conf->log.syslog_path = conf_copy(p, "/dev/log", 8);
	conf->log.journal_path = conf_copy(p, "/run/systemd/journal/socket", 27);
	p->top.values = &p->top_values;
	conf_settings_preset(p, &p->top_values);
}

/* --- inheritance ------------------------------------------------------------------------------ */

/* The pair of the command line replaces that of the top level. */
static void override_certificates(struct conf_parser *p)
{
	const struct conf_options *options = p->options;
	struct conf_where where = {.file = "command line"};
	if ((options->certificate == NULL) != (options->key == NULL))
		conf_error(p, &where, "a certificate and a key go together: give both or none");
	if (options->certificate == NULL || options->key == NULL)
		return;
	struct conf_certificate *pair = conf_alloc(p, sizeof(*pair));
	if (pair == NULL)
		return;
	pair->certificate = conf_path(p, options->certificate, &where);
	pair->key = conf_path(p, options->key, &where);
	pair->where = where;
	p->top.certificates = pair;
	p->top.certificates_count = 1;
	p->top.plain_where.line = 0;
}

static uint32_t loops(const struct conf_port *port)
{
	return port->workers * port->threads;
}

/* A number of keyholders for all ports is limited to what the port can use; a number in the port
 * itself is taken literally, and checked. */
static void bound_keyholders(struct conf_port_draft *draft)
{
	struct conf_port *port = &draft->port;
	const uint64_t bit = conf_setting_bit(conf_setting("keyholders"));
	if ((draft->scope.set & bit) == 0 && port->keyholders > loops(port))
		port->keyholders = loops(port);
}

static bool filters_compress(const struct conf_filters *filters)
{
	const struct conf_compress *c =
	    filters != NULL ? filters->options[CONF_FILTER_COMPRESS] : NULL;
	return c != NULL && c->codings_count > 0;
}

static bool compresses(const struct conf_port *port)
{
	if (filters_compress(port->filters))
		return true;
	for (const struct conf_host *h = port->hosts; h < port->hosts + port->hosts_count; h++) {
		if (filters_compress(h->filters))
			return true;
		for (size_t i = 0; i < h->locations_count; i++)
			if (filters_compress(h->locations[i].filters))
				return true;
	}
	return false;
}

/* The most bytes that a request of the port keeps on its way, in both directions. */
static uint64_t buffers_most(const struct conf_port *port)
{
	uint64_t most = 0;
	for (const struct conf_host *h = port->hosts; h < port->hosts + port->hosts_count; h++)
		for (size_t i = 0; i < h->locations_count; i++) {
			const struct conf_proxy *proxy = h->locations[i].options;
			if (h->locations[i].handler != CONF_PROXY || proxy == NULL)
				continue;
			const uint64_t bytes = proxy->buffer_request + proxy->buffer_response;
			most = bytes > most ? bytes : most;
		}
	return most;
}

/* What the connections to upstreams need besides: a head and the records of TLS each, and the
 * sessions that are kept for each endpoint. No more of them are in use than there are clients. */
static uint64_t upstreams_memory(const struct conf_port *port, uint64_t clients)
{
	const uint64_t connection = 32 << 10, endpoint = 80 << 10;
	uint64_t connections = 0, endpoints = 0;
	for (size_t i = 0; i < port->upstreams_count; i++) {
		connections += port->upstreams[i].connections;
		endpoints += port->upstreams[i].tls ? port->upstreams[i].endpoints_count : 0;
	}
	connections = connections < clients ? connections : clients;
	return connections * (connection + buffers_most(port)) +
	       endpoints * port->threads * endpoint;
}

/*
 * The memory that a worker needs: for the program with its libraries (10M measured) and room to
 * grow, and per connection that of an idle one (11K measured) and half as much again. A connection
 * that does not take its response, or is in a handshake, needs ten times that and more, so not all
 * can do that at once: a worker without memory accepts no more until connections end. For each
 * further thread the C library reserves CONF_THREAD_MEMORY. Each event loop of a port that
 * compresses has COMPRESSION_BYTES_MAX for that, and connections to upstreams what they need. The
 * content that it serves is added
 * from a megabyte on.
 */
static uint64_t memory_preset(const struct conf_port *port, uint64_t content)
{
	const uint64_t mega = 1 << 20, connection = 16 << 10;
	const uint64_t compression = compresses(port) ? COMPRESSION_BYTES_MAX : 0;
	const uint64_t connections = (port->limits.connections + port->workers - 1) / port->workers;
	const uint64_t bytes = LIMIT_MEMORY_MIN + (port->threads - 1) * CONF_THREAD_MEMORY +
			       connections * connection + port->threads * compression +
			       upstreams_memory(port, connections);
	return (bytes + mega - 1) / mega * mega + content / mega * mega;
}

static void inherit(struct conf_parser *p, struct conf_port_draft *draft)
{
	struct conf_port *port = &draft->port;
	conf_settings_inherit(&draft->scope, &p->top);
	conf_proxies_inherit(&draft->scope, &p->top);
	conf_trust_inherit(&draft->scope, &p->top);
	if (p->options->workers != 0)
		port->workers = p->options->workers;
	bound_keyholders(draft);
	conf_limits_finish(port);
	port->plain = (draft->scope.tls_set ? &draft->scope : &p->top)->plain_where.line != 0;
	conf_tls_choice_finish(p, draft);
	if (port->plain) {
		port->refuses_unknown = false;
		port->tickets_ms = 0;
		port->limits.clients.handshakes = (struct limit_rate){0};
	}
}

/* Without certificates there are no keyholders, and without passwords no verifier. */
static void keys_finish(struct conf_port *port)
{
	if (!port->plain || port->certificates_count > 0)
		return;
	port->keyholders = 0;
	if (port->passwords_count == 0)
		port->key_user = NULL;
}

/* A host and its names; a certificate as GnuTLS keeps it; a network of proxies; a location, and the
 * options of most handlers. */
#define HOST_BYTES        (sizeof(struct conf_host_draft) + sizeof(struct conf_host))
#define NAME_BYTES        (sizeof(struct conf_host_name) + sizeof(char *))
#define CERTIFICATE_BYTES (UINT64_C(12) << 10)
#define PROXY_BYTES       (sizeof(struct network) + 2 * sizeof(struct network_span))
/* An upstream with its state in each loop is small; an endpoint has a URL of up to a kilobyte. */
#define UPSTREAM_BYTES (UINT64_C(2) << 10)
#define ENDPOINT_BYTES (UINT64_C(2) << 10)
#define LOCATION_BYTES (sizeof(struct conf_location) + sizeof(struct conf_respond))

/* What the kinds of a location keep; a location without a handler has a mistake. */
static uint64_t kinds_bytes(const struct conf_location *l)
{
	const struct conf_kind *kind = conf_handler_kind(l->handler);
	uint64_t sum = kind->bytes != NULL && l->options != NULL ? kind->bytes(l) : 0;
	for (unsigned i = 0; i < CONF_FILTERS; i++)
		if (conf_filter_kind(i)->bytes != NULL)
			sum += conf_filter_kind(i)->bytes(l);
	return sum;
}

/* The part of its configuration that a worker keeps, doubled, since the arena has gaps. */
static uint64_t content_bytes(const struct conf_port *port)
{
	uint64_t sum = port->certificates_count * CERTIFICATE_BYTES +
		       (port->proxies_count + port->trusted_count) * PROXY_BYTES +
		       port->upstreams_count * UPSTREAM_BYTES +
		       port->endpoints_count * ENDPOINT_BYTES +
		       conf_errors_bytes(port->errors, port->errors_count) +
		       conf_filters_bytes(port->filters, NULL);
	for (const struct conf_host *h = port->hosts; h < port->hosts + port->hosts_count; h++) {
		sum += HOST_BYTES + conf_errors_bytes(h->errors, h->errors_count) +
		       conf_filters_bytes(h->filters, port->filters);
		for (size_t i = 0; i < h->names_count; i++)
			sum += NAME_BYTES + strlen(h->names[i]);
		for (size_t i = 0; i < h->locations_count; i++) {
			const struct conf_location *l = &h->locations[i];
			sum += LOCATION_BYTES + strlen(l->path) + kinds_bytes(l) +
			       conf_errors_bytes(l->errors, l->errors_count) +
			       conf_filters_bytes(l->filters, h->filters);
		}
	}
	return 2 * sum;
}

/* The files are not opened here, so it is as much as they may have. */
static uint64_t bodies_bytes(const struct conf_port *port)
{
	/* While a list of revoked certificates is read, two copies of the file are in memory,
	 * besides its numbers. */
	return (port->bodies_count > 0 ? CONF_BODIES_BYTES_MAX : 0) +
	       (port->authorities_count > 0
		    ? 8 * CONF_AUTHORITIES_BYTES_MAX + port->threads * CONF_KNOWN_BYTES
		    : 0) +
	       (port->upstream_authorities_count > 0 ? 8 * CONF_AUTHORITIES_BYTES_MAX : 0) +
	       (port->revoked_count > 0 ? 3 * CONF_REVOKED_BYTES_MAX : 0);
}

/* A table for each event loop (net/client_table.h): a place with its part of the chains, for the
 * clients that are remembered and those that are connected. */
static uint64_t clients_bytes(const struct conf_port *port)
{
	const uint64_t place = 64 + 2 * sizeof(uint32_t);
	if (!client_limits_any(&port->limits.clients))
		return 0;
	return (port->limits.clients.places * (uint64_t)port->threads +
		port->limits.connections / port->workers + port->threads) *
	       place;
}

static void finish_memory(struct conf_parser *p, struct conf_port *port)
{
	const uint64_t content = content_bytes(port) + bodies_bytes(port) + clients_bytes(port),
		       own = LIMIT_MEMORY_MIN / 2;
	char given[NUM_TEXT_MAX], least[NUM_TEXT_MAX];
	if (port->limits.memory_bytes == LIMIT_COMPUTED)
		port->limits.memory_bytes = memory_preset(port, content);
	if (port->limits.memory_bytes != 0 && port->limits.memory_bytes < own + content)
		conf_error(p, &port->where,
			   "memory %s is too little for what this port serves; it needs %s",
			   num_format_size(port->limits.memory_bytes, given),
			   num_format_size(own + content, least));
}

/* Every port is complete: without an address it listens on all, unless it has sockets. */
static void default_address(struct conf_parser *p, struct conf_port *port)
{
	if (port->addresses_count > 0 || port->sockets_count > 0)
		return;
	port->addresses = conf_alloc(p, sizeof(*port->addresses));
	char *all = conf_copy(p, "*", 1);
	if (port->addresses == NULL || all == NULL)
		return;
	port->addresses[0] = all;
	port->addresses_count = 1;
}

/* --- checks ----------------------------------------------------------------------------------- */

static bool has_damaged_tls(const struct conf_port_draft *draft)
{
	bool damaged = draft->scope.tls_damaged;
	for (size_t i = 1; i < draft->hosts_count; i++)
		damaged = damaged || draft->hosts[i]->scope.tls_damaged;
	return damaged;
}

static void check_port(struct conf_parser *p, const struct conf_port_draft *draft)
{
	const struct conf_port *port = &draft->port;
	const struct conf_host_draft *own = draft->hosts[0];
	char name[CONF_PORT_NAME_MAX];
	bool tls_damaged = has_damaged_tls(draft) || p->top.tls_damaged || p->top_damaged;
	const uint64_t loops_bits =
	    conf_setting_bit(conf_setting("workers")) | conf_setting_bit(conf_setting("threads"));
	bool loops_damaged = own->damaged || p->top_damaged ||
			     ((draft->scope.broken | p->top.broken) & loops_bits) != 0;
	if (own->locations_count == 0 && draft->hosts_count == 1 && !own->damaged)
		conf_error(p, &port->where,
			   "%s serves nothing: give it `respond`, `echo` or a `location`",
			   conf_port_name(draft, name));
	if (port->hosts[0].certificates_count == 0 && !port->plain && !own->damaged && !tls_damaged)
		conf_error(p, &port->where,
			   "%s has no certificate: write `tls { certificate \"file\" key \"file\" "
			   "}` in it or at the top level, or `tls development`; or `tls off` for "
			   "plain HTTP",
			   conf_port_name(draft, name));
	conf_tls_check(p, draft);
	if (port->workers > port->limits.connections)
		conf_error(p, &port->where,
			   "%s has more workers (%u) than connections (%u): some would never have "
			   "one",
			   conf_port_name(draft, name), port->workers, port->limits.connections);
	if (port->keyholders > loops(port) && !loops_damaged)
		conf_error(p, &port->where,
			   "%s has more keyholders (%u) than event loops (%u, its workers times "
			   "its threads): some would never sign",
			   conf_port_name(draft, name), port->keyholders, loops(port));
}

static void check_kinds_of(struct conf_parser *p, struct conf_port_draft *port,
			   const struct conf_location_draft *draft)
{
	const struct conf_kind *handler = conf_handler_kind(draft->location.handler);
	for (unsigned k = 0; k < CONF_FILTERS; k++)
		if (conf_filter_kind(k)->check != NULL)
			conf_filter_kind(k)->check(p, port, draft);
	if (handler->check != NULL)
		handler->check(p, port, draft);
	conf_errors_finish(p, port, draft->location.errors, draft->location.errors_count);
}

/* When all limits are known, and the locations are sorted: files are numbered in the order of the
 * canonical text. */
static void check_kinds(struct conf_parser *p, struct conf_port_draft *port)
{
	conf_errors_finish(p, port, port->port.errors, port->port.errors_count);
	for (size_t h = 0; h < port->hosts_count; h++) {
		const struct conf_host *host = &port->hosts[h]->host;
		conf_errors_finish(p, port, host->errors, host->errors_count);
		for (size_t i = 0; i < port->hosts[h]->locations_count; i++)
			check_kinds_of(p, port, &port->hosts[h]->locations[i]);
	}
}

static void check_options(struct conf_parser *p)
{
	struct conf_where where = {.file = "command line"};
	if (p->options->workers > CONF_WORKERS_MAX)
		conf_error(p, &where, "workers %u is out of range; it can be 1 to %d",
			   p->options->workers, CONF_WORKERS_MAX);
	override_certificates(p);
}

/* What the ports of a block have in the canonical text, where each has its own. */
static void copies_check(struct conf_parser *p, const struct conf_port_draft *draft)
{
	const struct conf_port *port = &draft->port;
	const unsigned more = conf_port_numbers(draft) - 1;
	uint64_t bytes = content_bytes(port) - 2 * port->certificates_count * CERTIFICATE_BYTES;
	for (size_t i = 0; i < port->certificates_count; i++)
		bytes += LOCATION_BYTES + strlen(port->certificates[i].certificate) +
			 strlen(port->certificates[i].key);
	if (more == 0 || more * bytes <= CONF_COPIES_MAX - p->copies_bytes) {
		p->copies_bytes += more * bytes;
		return;
	}
	conf_error(
	    p, &port->where,
	    "the content of this block is too much for %u ports: written out, all blocks for "
	    "several ports have at most %zu MiB",
	    more + 1, CONF_COPIES_MAX >> 20);
}

/* One for each number of the block. They share their content. */
static size_t ports_finish(const struct conf_port_draft *draft, struct conf_port *ports)
{
	size_t count = 0;
	for (size_t i = 0; i < draft->items_count; i++)
		for (unsigned n = draft->items[i].first; n <= draft->items[i].last; n++) {
			ports[count] = draft->port;
			ports[count++].number = (uint16_t)n;
		}
	return count;
}

void conf_check(struct conf_parser *p)
{
	struct conf *conf = &p->tree->conf;
	struct conf_where whole = {.file = conf->files[0]};
	check_options(p);
	conf_unknown_check(p);
	if (p->ports_count == 0) {
		if (!p->top_damaged)
			conf_error(p, &whole,
				   "there is no port; give at least one `port N { ... }`");
		return;
	}
	struct conf_port *ports = conf_alloc(p, p->ports_all * sizeof(*ports));
	size_t count = 0;
	for (size_t i = 0; i < p->ports_count && ports != NULL; i++) {
		struct conf_port_draft *draft = p->ports[i];
		inherit(p, draft);
		default_address(p, &draft->port);
		conf_filters_finish(p, draft);
		conf_hosts_finish(p, draft);
		conf_tls_clients_finish(p, draft);
		if (p->no_memory)
			return;
		conf_upstreams_begin(p, draft);
		check_kinds(p, draft);
		conf_upstreams_end(p, draft);
		keys_finish(&draft->port);
		finish_memory(p, &draft->port);
		check_port(p, draft);
		copies_check(p, draft);
		count += ports_finish(draft, &ports[count]);
	}
	conf_port_numbers_check(p);
	conf_blocks_check(p);
	conf->ports = ports;
	conf->ports_count = count;
}
