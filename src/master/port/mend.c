/*
 * Runs in the master: undoes changes that others made to a port's listening sockets. All workers
 * share them, so an option that one worker sets would affect the others and later ones. The
 * administrator can also shut a socket down (ss -K).
 *
 * A sealed worker could change only one thing on a socket, SO_LINGER: other options, flags, owners
 * and locks need system calls that it does not have. Its filter refuses SO_LINGER as well; this is
 * for workers on kernels without filters.
 */
#include <string.h>
#include <sys/syslog.h>

#include "master/port/port.h"
#include "net/listen.h"

void port_sockets_reset(const struct port *p)
{
	for (unsigned i = 0; i < p->listeners_count; i++)
		net_unlinger(p->listeners[i].fd);
}

/* Logged when it begins and when it ends: if another process took the address meanwhile, this fails
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

/* Every socket that a served port still holds should listen: park, drain and stop close theirs. */
void sockets_look(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		for (unsigned k = 0; p->stage == STAGE_CURRENT && k < p->listeners_count; k++)
			if (!net_listens(p->listeners[k].fd))
				listen_again(p, &p->listeners[k]);
	}
}
