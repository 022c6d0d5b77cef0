/* Runs in the master: reports once how the start went, to the log, the service manager and the
 * process that started the server. Must never wait for a port that cannot serve now. */
#include <stdio.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "master/top.h"

#define REASONS_SHOWN 8

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
	plain_tell(m);
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
		m->stop_for = "nothing to serve";
}
