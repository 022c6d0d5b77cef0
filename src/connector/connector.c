/*
 * The connector role, from its first message to its end. Must never block, nor connect to anything
 * but the places of its block.
 */
#include "connector/connector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/err.h"
#include "base/fd.h"
#include "check.h"
#include "dial.h"
#include "endpoints.h"
#include "health.h"
#include "ipc/addresses.h"
#include "ipc/health.h"
#include "requests.h"
#include "role/holder.h"
#include "tls/client.h"

/* Sockets at once: a request tries several addresses, but seldom. The limit of descriptors may be
 * lower; what then fails is answered as full. */
#define SOCKETS_MAX ((size_t)2 * REQUESTS_MAX)
#define LOOK_MS     1000 /* how often it counts the addresses of names */

struct connector {
	struct holder holder; /* first */
	struct endpoints endpoints;
	struct dialer dialer;
	struct ipc_healths *healths; /* mapped */
	struct health health;
	struct checks checks;
	struct requests requests;
	struct loop_timer look;
	/* For checks over TLS, all owned: by index of the port's authorities, by upstream, and by
	 * endpoint; NULL where none is needed. */
	struct tls_client_policy *policy;
	struct tls_client_trust **trusts;
	struct tls_client_context **contexts;
	struct tls_client_peer **peers;
};

__attribute__((noreturn)) static void fail(struct connector *c, int error, const char *what)
{
	role_fail(c->holder.role, role_status(c->holder.role, -error), "cannot %s: %s", what,
		  strerror(-error));
}

/* --- what it is handed ------------------------------------------------------------------------ */

static void healths_map(struct connector *c)
{
	struct role *r = c->holder.role;
	int fd = role_take(r, IPC_FD_HEALTH, 0);
	c->healths = ipc_health_map(fd, r->port->endpoints_count);
	fd_close(&fd);
	if (c->healths == NULL)
		fail(c, -ENOMEM, "map the memory of its upstreams' health");
}

static void block_make(struct connector *c)
{
	struct role *r = c->holder.role;
	const size_t count = endpoints_fixed(r->port, NULL), names = endpoints_names(r->port);
	union ipc_address *fixed = calloc(count + 1, sizeof(*fixed));
	struct ipc_block block;
	if (fixed == NULL)
		fail(c, -ENOMEM, "list its addresses");
	(void)endpoints_fixed(r->port, fixed);
	int fd = names > 0 ? role_take(r, IPC_FD_NAMES, 0) : -1;
	int error = ipc_block_make(fixed, count, fd, names, &block);
	fd_close(&fd);
	free(fixed);
	if (error == 0)
		error = endpoints_init(&c->endpoints, r->port, &block);
	if (error < 0)
		fail(c, error, "list its addresses");
	role_pin(r, &block, count, names);
}

static void trust_load(struct connector *c, uint32_t index)
{
	struct role *r = c->holder.role;
	struct err err;
	if (c->trusts[index] != NULL)
		return;
	int fd = role_take(r, IPC_FD_UPSTREAM_AUTHORITY, index);
	/* workers have the same file, and warn */
	const int error = tls_client_trust_load(fd, r->port->upstream_authorities[index].path, NULL,
						NULL, NULL, &c->trusts[index], &err);
	fd_close(&fd);
	if (error < 0)
		role_fail(r, error == -EAGAIN ? role_status(r, ENOMEM) : EX_CONFIG, "%s", err.text);
}

static void peers_make(struct connector *c, uint32_t upstream)
{
	struct role *r = c->holder.role;
	const struct conf_upstream *u = &r->port->upstreams[upstream];
	struct err err;
	if (!u->verify_off)
		trust_load(c, u->authority);
	const struct tls_client_options options = {
	    .policy = c->policy, .trust = u->verify_off ? NULL : c->trusts[u->authority]};
	const int error = tls_client_context_new(&options, &c->contexts[upstream], &err);
	if (error < 0)
		role_fail(r, error == -EAGAIN ? role_status(r, ENOMEM) : EX_CONFIG, "%s", err.text);
	for (uint32_t i = 0; i < u->endpoints_count; i++) {
		const uint32_t endpoint = u->endpoints_first + i;
		const char *host = r->port->endpoints[endpoint].host;
		c->peers[endpoint] = tls_client_peer_new(
		    c->contexts[upstream], u->verify_name != NULL ? u->verify_name : host);
		if (c->peers[endpoint] == NULL)
			fail(c, -ENOMEM, "prepare its checks");
	}
}

static bool upstream_needs_tls(const struct conf_upstream *u)
{
	return u->tls && u->probe == CONF_PROBE_GET;
}

/* Before the process is confined: it reads the system's policy for TLS. */
static void policy_read(struct connector *c)
{
	const struct conf_port *port = c->holder.role->port;
	struct err err;
	bool needed = false;
	for (size_t i = 0; i < port->upstreams_count; i++)
		needed = needed || upstream_needs_tls(&port->upstreams[i]);
	if (needed && tls_client_policy_new(&c->policy, &err) < 0)
		role_fail(c->holder.role, EX_CONFIG, "%s", err.text);
}

static void tls_prepare(struct connector *c)
{
	const struct conf_port *port = c->holder.role->port;
	c->trusts = calloc(port->upstream_authorities_count + 1, sizeof(*c->trusts));
	c->contexts = calloc(port->upstreams_count + 1, sizeof(*c->contexts));
	c->peers = calloc(port->endpoints_count + 1, sizeof(*c->peers));
	if (c->trusts == NULL || c->contexts == NULL || c->peers == NULL)
		fail(c, -ENOMEM, "prepare its checks");
	for (uint32_t i = 0; i < port->upstreams_count; i++)
		if (upstream_needs_tls(&port->upstreams[i]))
			peers_make(c, i);
}

static void tls_release(struct connector *c)
{
	const struct conf_port *port = c->holder.role->port;
	for (size_t i = 0; i < port->endpoints_count; i++)
		tls_client_peer_free(c->peers[i]);
	for (size_t i = 0; i < port->upstreams_count; i++)
		tls_client_context_free(c->contexts[i]);
	for (size_t i = 0; i < port->upstream_authorities_count; i++)
		tls_client_trust_free(c->trusts[i]);
	tls_client_policy_free(c->policy);
	free(c->peers);
	free(c->contexts);
	free(c->trusts);
}

/* --- its life --------------------------------------------------------------------------------- */

static void addresses_count(struct connector *c)
{
	for (uint32_t i = 0; i < c->endpoints.port->endpoints_count; i++)
		health_addresses(&c->health, i, endpoints_count(&c->endpoints, i));
}

static void look_expired(struct loop *loop, struct loop_timer *timer)
{
	struct connector *c =
	    (struct connector *)((char *)timer - offsetof(struct connector, look));
	addresses_count(c);
	loop_timer_set(loop, timer, loop->now_ms + LOOK_MS);
}

static void connector_begun(struct holder *h)
{
	struct connector *c = (struct connector *)h;
	const struct conf_port *port = h->role->port;
	struct loop *loop = &h->loop;
	c->dialer =
	    (struct dialer){.loop = loop, .endpoints = &c->endpoints, .sockets_max = SOCKETS_MAX};
	c->checks = (struct checks){.loop = loop,
				    .dialer = &c->dialer,
				    .health = &c->health,
				    .port = port,
				    .tls = &transport_tls_client,
				    .peers = c->peers};
	int error = health_init(&c->health, c->healths, port, &h->role->log, loop->now_ms);
	if (error == 0)
		error =
		    requests_init(&c->requests, loop, &c->dialer, &c->health,
				  (uint32_t)port->endpoints_count, port->workers * port->threads);
	c->requests.counters = &h->role->slots[0].counters;
	if (error == 0)
		error = checks_begin(&c->checks);
	if (error == 0)
		error = loop_timer_init(loop, &c->look, look_expired);
	if (error < 0)
		fail(c, error, "prepare its work");
	addresses_count(c);
	if (endpoints_names(port) > 0)
		loop_timer_set(loop, &c->look, loop->now_ms + LOOK_MS);
}

static void connector_ending(struct holder *h)
{
	struct connector *c = (struct connector *)h;
	loop_timer_release(&h->loop, &c->look);
	checks_end(&c->checks);
	requests_release(&c->requests);
	health_release(&c->health);
	tls_release(c);
	endpoints_release(&c->endpoints);
	ipc_health_unmap(c->healths, h->role->port->endpoints_count);
}

static int connector_serve(struct holder_channel *channel)
{
	struct connector *c = (struct connector *)channel->owner;
	return requests_serve(&c->requests, (struct requests_channel *)channel);
}

static void connector_writable(struct holder_channel *channel)
{
	requests_writable((struct requests_channel *)channel);
}

static void connector_closed(struct holder_channel *channel)
{
	requests_leave((struct requests_channel *)channel);
}

static const struct holder_ops ops = {.serve = connector_serve,
				      .begun = connector_begun,
				      .ending = connector_ending,
				      .writable = connector_writable,
				      .closed = connector_closed,
				      .channel_size = sizeof(struct requests_channel),
				      .permits = ipc_to_connector,
				      .protocol = "the connect protocol"};

int connector_main(struct role *r)
{
	struct connector c = {.holder = {.role = r, .ops = &ops}};
	const struct conf_port *port = r->port;

	policy_read(&c);
	/* the channels count twice: old and new workers overlap */
	role_confine(r, SANDBOX_CONNECTOR,
		     ROLE_DESCRIPTORS + SOCKETS_MAX + 2 * (uint64_t)port->workers * port->threads +
			 port->upstream_authorities_count);
	healths_map(&c);
	block_make(&c);
	tls_prepare(&c);
	return holder_run(&c.holder);
}
