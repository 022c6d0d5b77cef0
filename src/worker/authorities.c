/* Runs in the worker before it serves: reads whose certificates its hosts accept, and what of them
 * is revoked. Must never keep one of these files open. */
#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/fd.h"
#include "tls/clients.h"
#include "worker/loop.h"

/* The open files of a kind, in the order of the configuration. */
static int *fds_take(struct worker *w, enum ipc_handed kind, size_t count)
{
	int *fds = calloc(count + 1, sizeof(*fds));
	if (fds == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	for (size_t i = 0; i < count; i++)
		fds[i] = role_take(w->role, kind, i);
	return fds;
}

static void fds_close(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fd_close(&fds[i]);
	free(fds);
}

bool worker_authorities_fit(const struct worker *w)
{
	return role_count(w->role, IPC_FD_AUTHORITY) == w->port->authorities_count &&
	       role_count(w->role, IPC_FD_REVOKED) == w->port->revoked_count;
}

void worker_authorities_take(struct worker *w, void (*warn)(void *, size_t, const char *),
			     void *arg)
{
	const struct conf_port *port = w->port;
	struct err err;
	int *authorities = fds_take(w, IPC_FD_AUTHORITY, port->authorities_count);
	int *revoked = fds_take(w, IPC_FD_REVOKED, port->revoked_count);
	w->authorities = calloc(port->clients_count + 1, sizeof(struct tls_clients *));
	if (w->authorities == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	for (size_t i = 0; i < port->clients_count; i++) {
		const struct conf_client *c = &port->clients[i];
		const struct tls_clients_options options = {
		    .required = c->wish == CONF_CLIENT_REQUIRED,
		    .depth = c->depth,
		    .authority = port->authorities[c->authority].path,
		    .authority_fd = authorities[c->authority],
		    .authority_max = CONF_AUTHORITIES_BYTES_MAX,
		    .revoked = c->revoked > 0 ? port->revoked[c->revoked - 1].path : NULL,
		    .revoked_fd = c->revoked > 0 ? revoked[c->revoked - 1] : -1,
		    .revoked_max = CONF_REVOKED_BYTES_MAX,
		    .warn = warn,
		    .arg = arg,
		    .digest = w->authorities_digest};
		const int error = tls_clients_new(&options, &w->authorities[i], &err);
		if (error < 0)
			role_fail(w->role,
				  error == -EAGAIN ? role_status(w->role, ENOMEM) : EX_CONFIG, "%s",
				  err.text);
	}
	fds_close(authorities, port->authorities_count);
	fds_close(revoked, port->revoked_count);
}

void worker_authorities_release(struct worker *w)
{
	for (size_t i = 0; w->authorities != NULL && i < w->port->clients_count; i++)
		tls_clients_free(w->authorities[i]);
	free(w->authorities);
	w->authorities = NULL;
}
