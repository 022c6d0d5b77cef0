/* Runs in the master: parks a port, so that its clients are refused or wait. Must never close a
 * socket of the service manager. */
#include <string.h>
#include <sys/syslog.h>

#include "master/port/port.h"

#define WAIT "its clients wait in the queue"

/* Sends away the clients of a parked port, since its workers may take a while to end. Returns what
 * happens to them, for the log. The service manager keeps its own sockets, and a generation that is
 * being prepared keeps its own, too. */
static const char *clients_send_away(struct port *p)
{
	const struct port *prepared = port_prepared(p->master, port_number(p));
	const bool all = port_hang_up(p, prepared) == p->listeners_count;
	port_unlisten(p);
	if (port_has_sockets(p))
		return p->conf->addresses_count == 0
			   ? WAIT
			   : "its clients on the service manager's sockets wait in the queue, the "
			     "others are refused";
	return all ? "its clients are refused" : WAIT;
}

void port_park(struct port *p, const char *reason)
{
	struct master *m = p->master;
	if (p->state == PORT_DRAINING || p->state == PORT_STOPPED) /* it ends anyway */
		return;
	if (p->stage == STAGE_PREPARED) {
		port_lose(p, reason);
		return;
	}
	const bool queue =
	    p->conf->restart.while_parked == CONF_PARKED_QUEUE && p->listeners_count > 0;
	port_become(p, PORT_PARKED);
	p->former = false;
	(void)strlcpy(p->reason, reason, sizeof(p->reason));
	const char *clients = queue ? WAIT : clients_send_away(p);
	log_write_for(&m->log, port_number(p), 0, LOG_ERR, "PARKED (%s:%u): %s; %s",
		      p->conf->where.file, p->conf->where.line, reason, clients);
	/* The other processes of the pool end, too: a port is served whole or not at all. */
	for (unsigned i = 0; i < p->children_count; i++) {
		struct child *c = &p->children[i];
		if (c->state == CHILD_NONE || c->channel.fd < 0)
			continue;
		child_drain(c, IPC_DRAIN);
		if (is_worker(c))
			loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + m->conf->drain_ms);
	}
	holders_dismiss(p);
	askers_tell(&p->waiting, p->reason);
}
