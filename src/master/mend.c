/*
 * Runs in the master: what others did to a port's listening sockets is undone. Workers share them
 * with each other and with those that come after, so an option that one of them set would outlive
 * it; and somebody who administers the machine can shut one (ss -K).
 *
 * Of all that a socket has, a sealed worker could reach one thing, SO_LINGER: the other options,
 * flags, owners and locks take system calls that it has not, and the queue of connections is what
 * it is for. Its filter refuses that one, too; this is for workers whose kernel has no filters.
 */
#include <string.h>
#include <sys/syslog.h>

#include "master/state.h"
#include "net/listen.h"

void port_sockets_reset(const struct port *p)
{
	for (unsigned i = 0; i < p->listeners_count; i++)
		net_unlinger(p->listeners[i].fd);
}

/* Told when it begins and when it ends: an address that somebody else has taken meanwhile is tried
 * again and again. */
static void listen_again(const struct port *p, struct port_listener *l)
{
	const int error = net_listen(l->fd);
	if (error == 0)
		log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING,
			      "the socket on %s had been shut down from outside; it listens again",
			      l->address);
	else if (!l->lost)
		log_write_for(&p->master->log, port_number(p), 0, LOG_ERR,
			      "the socket on %s was shut down from outside, and cannot listen "
			      "again: %s; trying it once a second",
			      l->address, strerror(-error));
	l->lost = error < 0;
}

/* What a port that is served still holds is meant to listen: park, drain and stop close theirs. */
void sockets_look(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		for (unsigned k = 0; p->stage == STAGE_CURRENT && k < p->listeners_count; k++)
			if (!net_listens(p->listeners[k].fd))
				listen_again(p, &p->listeners[k]);
	}
}
