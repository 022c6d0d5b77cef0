/* Runs in the master: parks ports, and reports once how the start went. */
#include <stdio.h>
#include <string.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "master/state.h"

#define REASONS_SHOWN 8
#define WAIT          "its clients wait in the queue"

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
		roll_give_up(m, port_number(p), reason);
		return;
	}
	const bool queue =
	    p->conf->restart.while_parked == CONF_PARKED_QUEUE && p->listeners_count > 0;
	p->state = PORT_PARKED;
	p->former = false;
	(void)strlcpy(p->reason, reason, sizeof(p->reason));
	loop_timer_cancel(&m->loop, &p->backoff);
	const char *clients = queue ? WAIT : clients_send_away(p);
	log_write_for(&m->log, port_number(p), 0, LOG_ERR, "PARKED (%s:%u): %s; %s",
		      p->conf->where.file, p->conf->where.line, reason, clients);
	/* The other processes of the pool end, too: a port is served whole or not at all. */
	for (unsigned i = 0; i < p->children_count; i++) {
		struct child *c = &p->children[i];
		if (c->state == CHILD_NONE || c->channel.fd < 0)
			continue;
		child_drain(c);
		if (is_worker(c))
			loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + m->conf->drain_ms);
	}
	keyholders_dismiss(p);
	askers_tell(&p->waiting, p->reason);
	master_settle(m);
	master_changed(m);
}

/* Is it known whether the port serves at the start? A port that lacks a shared resource may still
 * get it, but not for longer than START_ENOUGH_MS, because the caller may wait for the end of the
 * start. */
static bool is_decided(const struct port *p)
{
	const struct master *m = p->master;
	return p->lacks == LACKS_ROOM ||
	       (p->lacks == LACKS_FOR_NOW && m->loop.now_ms - m->started_ms >= START_ENOUGH_MS);
}

/* Shows the reasons on the terminal to the user who started the server. */
static void reasons_show(const struct master *m)
{
	unsigned shown = 0, more = 0;
	for (size_t i = 0; i < m->ports_count; i++) {
		const struct port *p = m->ports[i];
		if (p->stage != STAGE_CURRENT || port_reason(p) == NULL)
			continue;
		if (shown++ < REASONS_SHOWN)
			dprintf(STDERR_FILENO, "bulkhead: port %u %s: %s\n", port_number(p),
				p->state == PORT_PARKED ? "is parked" : "waits", p->reason);
		else
			more++;
	}
	if (more > 0)
		dprintf(STDERR_FILENO, "bulkhead: and %u more\n", more);
}

void master_settle(struct master *m)
{
	size_t count = 0, serving = 0, parked = 0, waiting = 0;
	if (m->settled)
		return;
	for (size_t i = 0; i < m->ports_count; i++) {
		const struct port *p = m->ports[i];
		if (p->stage != STAGE_CURRENT)
			continue;
		count++;
		serving += p->served;
		parked += !p->served && p->state == PORT_PARKED;
		waiting += !p->served && p->state == PORT_BACKOFF && is_decided(p);
	}
	if (serving + parked + waiting < count)
		return;
	m->settled = true;
	confinement_tell(m);
	development_tell(m);
	if (serving == 0)
		log_write(&m->log, LOG_CRIT, "no port can be served");
	else if (parked > 0 && waiting > 0)
		log_write(&m->log, LOG_ERR, "%zu of %zu ports are served; %zu parked, %zu wait",
			  serving, count, parked, waiting);
	else if (parked > 0)
		log_write(&m->log, LOG_ERR, "%zu of %zu ports are served; %zu parked", serving,
			  count, parked);
	else if (waiting > 0)
		log_write(&m->log, LOG_ERR, "%zu of %zu ports are served; %zu wait", serving, count,
			  waiting);
	else
		log_write(&m->log, LOG_NOTICE,
			  serving == 1 ? "%zu port is served" : "all %zu ports are served",
			  serving);
	if (m->options->daemonized) { /* the terminal has been in use until now */
		reasons_show(m);
		if (serving > 0 && serving < count)
			dprintf(STDERR_FILENO,
				"bulkhead: %zu of %zu ports are served; the log says why\n",
				serving, count);
		(void)dup2(m->null_fd, STDERR_FILENO);
	}
	if (m->options->ready_fd >= 0) {
		const char status = serving > 0 ? 0 : 1;
		(void)!write(m->options->ready_fd, &status, 1);
	}
	if (serving > 0) /* else the start has failed */
		notify_ready(m);
	m->failed = serving == 0;
	if (m->failed)
		master_drain(m, "nothing to serve");
}
