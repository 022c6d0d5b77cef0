/* Runs in the worker before it serves: what it was handed for its port's upstreams, and the TLS
 * that it speaks to them. Must never open a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/fd.h"
#include "tls/client.h"
#include "tls/digest.h"
#include "worker/loop.h"

static bool has_upstreams(const struct worker *w)
{
	return w->port->endpoints_count > 0;
}

static void *allocated(const struct worker *w, size_t count, size_t size)
{
	void *p = calloc(count + 1, size);
	if (p == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	return p;
}

/* --- what it was handed ----------------------------------------------------------------------- */

bool worker_upstreams_fit(const struct worker *w)
{
	const bool has = has_upstreams(w);
	return role_count(w->role, IPC_FD_CONNECT_CHANNEL) == (has ? w->loops_count : 0) &&
	       role_count(w->role, IPC_FD_HEALTH) == has &&
	       role_count(w->role, IPC_FD_USE) == has &&
	       role_count(w->role, IPC_FD_UPSTREAM_AUTHORITY) ==
		   w->port->upstream_authorities_count;
}

uint64_t worker_upstreams_descriptors(const struct worker *w)
{
	uint64_t all = 0;
	for (size_t i = 0; i < w->port->upstreams_count; i++)
		all += w->port->upstreams[i].connections;
	return all;
}

static void health_take(struct worker *w)
{
	int fd = role_take(w->role, IPC_FD_HEALTH, 0);
	w->health = ipc_health_look(fd, w->port->endpoints_count);
	fd_close(&fd);
	if (w->health == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM),
			  "cannot map the health of its upstreams");
}

static void use_take(struct worker *w)
{
	const struct ipc_use_size size = {.loops = w->pool,
					  .endpoints = (uint32_t)w->port->endpoints_count,
					  .upstreams = (uint32_t)w->port->upstreams_count};
	int fd = role_take(w->role, IPC_FD_USE, 0);
	const int error = ipc_use_open(fd, &size, &w->use);
	fd_close(&fd);
	if (error < 0)
		role_fail(w->role, role_status(w->role, -error),
			  "cannot map the counters of its upstreams: %s", strerror(-error));
}

static void trusts_take(struct worker *w, void (*warn)(void *, size_t, const char *), void *arg)
{
	const struct conf_port *port = w->port;
	struct err err;
	w->trusts = allocated(w, port->upstream_authorities_count, sizeof(*w->trusts));
	for (size_t i = 0; i < port->upstream_authorities_count; i++) {
		int fd = role_take(w->role, IPC_FD_UPSTREAM_AUTHORITY, i);
		const int error =
		    tls_client_trust_load(fd, port->upstream_authorities[i].path,
					  w->upstreams_digest, warn, arg, &w->trusts[i], &err);
		fd_close(&fd);
		if (error < 0)
			role_fail(w->role,
				  error == -EAGAIN ? role_status(w->role, ENOMEM) : EX_CONFIG, "%s",
				  err.text);
	}
}

void worker_upstreams_take(struct worker *w, void (*warn)(void *, size_t, const char *), void *arg)
{
	if (!has_upstreams(w))
		return;
	health_take(w);
	use_take(w);
	trusts_take(w, warn, arg);
}

/* --- the certificates that are shown to them -------------------------------------------------- */

size_t worker_upstreams_pairs(const struct worker *w)
{
	size_t first = 0;
	for (size_t i = 0; i < w->port->hosts_count; i++) {
		const struct conf_host *host = &w->port->hosts[i];
		const size_t end = (size_t)host->certificates_first + host->certificates_count;
		first = end > first ? end : first;
	}
	return first;
}

int worker_upstreams_identify(struct worker *w, struct tls_certificate *told,
			      void (*warn)(void *, size_t, const char *), void *arg,
			      struct err *err)
{
	const struct conf_port *port = w->port;
	int error = 0;
	w->identities = allocated(w, port->certificates_count, sizeof(*w->identities));
	for (size_t i = worker_upstreams_pairs(w); i < port->certificates_count && error == 0;
	     i++) {
		int fd = role_take(w->role, IPC_FD_CERTIFICATE, i);
		const struct tls_client_identity_options o = {.certificate =
								  port->certificates[i].certificate,
							      .certificate_fd = fd,
							      .key = port->certificates[i].key,
							      .number = (unsigned)i,
							      .signer = &w->loops[0].signer,
							      .digest = w->upstreams_digest,
							      .facts = &told[i],
							      .warn = warn,
							      .arg = arg};
		error = tls_client_identity_load(&o, &w->identities[i], err);
		fd_close(&fd);
	}
	return error;
}

/* --- of an event loop ------------------------------------------------------------------------- */

int worker_upstreams_open(struct worker_loop *l)
{
	const struct conf_port *port = l->worker->port;
	l->client_contexts = calloc(port->upstreams_count + 1, sizeof(struct tls_client_context *));
	l->client_peers = calloc(port->endpoints_count + 1, sizeof(struct tls_client_peer *));
	if (l->client_contexts == NULL || l->client_peers == NULL)
		return -ENOMEM;
	holdings_add(&l->holdings, &l->client_held);
	return 0;
}

static int context_make(struct worker_loop *l, size_t upstream, struct err *err)
{
	const struct worker *w = l->worker;
	const struct conf_upstream *u = &w->port->upstreams[upstream];
	const struct tls_client_options o = {
	    .policy = w->client_policy,
	    .trust = u->verify_off ? NULL : w->trusts[u->authority],
	    .identity = u->certificate > 0 ? w->identities[u->certificate - 1] : NULL,
	    .signer = &l->signer};
	return tls_client_context_new(&o, &l->client_contexts[upstream], err);
}

static int peers_make(struct worker_loop *l, size_t upstream, struct err *err)
{
	const struct conf_port *port = l->worker->port;
	const struct conf_upstream *u = &port->upstreams[upstream];
	for (uint32_t i = 0; i < u->endpoints_count; i++) {
		const uint32_t at = u->endpoints_first + i;
		l->client_peers[at] = tls_client_peer_new(
		    l->client_contexts[upstream],
		    u->verify_name != NULL ? u->verify_name : port->endpoints[at].host);
		if (l->client_peers[at] == NULL) {
			err_set(err, "out of memory");
			return -EAGAIN;
		}
		holding_change(&l->client_held, 0, TLS_CLIENT_PEER_MEMORY_MAX);
	}
	return 0;
}

int worker_upstreams_prepare(struct worker_loop *l, struct err *err)
{
	const struct conf_port *port = l->worker->port;
	int error = 0;
	for (size_t i = 0; i < port->upstreams_count && error == 0; i++) {
		if (!port->upstreams[i].tls)
			continue;
		error = context_make(l, i, err);
		if (error == 0)
			error = peers_make(l, i, err);
	}
	return error;
}

void worker_upstreams_close(struct worker_loop *l)
{
	const struct conf_port *port = l->worker->port;
	for (size_t i = 0; l->client_peers != NULL && i < port->endpoints_count; i++)
		tls_client_peer_free(l->client_peers[i]);
	for (size_t i = 0; l->client_contexts != NULL && i < port->upstreams_count; i++)
		tls_client_context_free(l->client_contexts[i]);
	free(l->client_peers);
	free(l->client_contexts);
	l->client_peers = NULL;
	l->client_contexts = NULL;
}

void worker_upstreams_release(struct worker *w)
{
	for (size_t i = 0; w->trusts != NULL && i < w->port->upstream_authorities_count; i++)
		tls_client_trust_free(w->trusts[i]);
	for (size_t i = 0; w->identities != NULL && i < w->port->certificates_count; i++)
		tls_client_identity_free(w->identities[i]);
	free(w->trusts);
	free(w->identities);
	tls_client_policy_free(w->client_policy);
	ipc_use_close(&w->use);
	ipc_health_unmap(w->health, w->port->endpoints_count);
	w->health = NULL;
}
