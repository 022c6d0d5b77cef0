/* Runs in the worker before it serves: what it was handed for its port's upstreams. Must never open
 * a file. */
#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/fd.h"
#include "worker/loop.h"

bool worker_upstreams_fit(const struct worker *w)
{
	const bool has = w->port->endpoints_count > 0;
	return role_count(w->role, IPC_FD_CONNECT_CHANNEL) == (has ? w->loops_count : 0) &&
	       role_count(w->role, IPC_FD_HEALTH) == has &&
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

void worker_upstreams_take(struct worker *w)
{
	const size_t count = w->port->endpoints_count;
	int fd = role_take(w->role, IPC_FD_HEALTH, 0);
	if (count == 0)
		return;
	w->health = ipc_health_look(fd, count);
	fd_close(&fd);
	if (w->health == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM),
			  "cannot map the health of its upstreams");
}

void worker_upstreams_release(struct worker *w)
{
	ipc_health_unmap(w->health, w->port->endpoints_count);
	w->health = NULL;
}
