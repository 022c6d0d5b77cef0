/* Runs in the master: fills the places of a port's pool, and finds out when all of it serves.
 * Must never wait for a child to get ready. */
#include <stdio.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/num.h"
#include "master/port/port.h"

#define RENEW_RETRY_MS 5000

/* Fills an empty place; false if the port cannot go on now. */
static bool place_fill(struct child *c)
{
	struct port *p = c->port;
	char delay[NUM_TEXT_MAX];
	if (c->state != CHILD_NONE)
		return true;
	if (c->role == IPC_CONNECTOR)
		port_orders_again(p); /* its predecessor may have written there */
	int error = child_spawn(c);
	if (error == 0)
		return true;
	/* The machine lacks something. That is not the port's fault, so it is only delayed. */
	const uint64_t delay_ms = port_shortage_delay(p);
	(void)snprintf(p->reason, sizeof(p->reason), "%s %u cannot be started: %s", role_name(c),
		       c->number, strerror(-error));
	log_write_for(&p->master->log, port_number(p), is_worker(c) ? c->number : 0, LOG_ERR,
		      "%s; trying again in %s", p->reason, num_format_duration(delay_ms, delay));
	if (p->stage == STAGE_PREPARED)
		port_lose(p, p->reason);
	else
		port_lacks(p, LACKS_FOR_NOW, delay_ms);
	return false;
}

void port_spawn(struct port *p)
{
	if (p->state == PORT_PARKED || p->state == PORT_DRAINING || p->state == PORT_STOPPED)
		return;
	port_become(p, PORT_STARTING);
	/* Old certificates do not fit a new key, so a new generation is started instead. */
	if (p->stage == STAGE_CURRENT && p->master->settled && port_files_changed(p, false)) {
		port_renew(p);
		/* the present processes serve on; if the renewal fails, it is tried again */
		port_wait(p, RENEW_RETRY_MS);
		return;
	}
	for (unsigned i = 0; i < p->children_count; i++) {
		/* A worker checks its key before it serves, so the holders come first. */
		if (i == p->holders && !holders_ready(p))
			return;
		if (!place_fill(&p->children[i]))
			return;
	}
}

/* Is there an empty place that can be filled now? The workers' wait for the holders. */
static bool pool_has_place(const struct port *p)
{
	const unsigned count = holders_ready(p) ? p->children_count : p->holders;
	for (unsigned i = 0; i < count; i++)
		if (p->children[i].state == CHILD_NONE)
			return true;
	return false;
}

static bool pool_is_ready(const struct port *p)
{
	for (unsigned i = 0; i < p->children_count; i++)
		if (p->children[i].state != CHILD_SERVING)
			return false;
	return true;
}

static void port_serves(struct port *p)
{
	port_become(p, PORT_SERVING);
	p->served = true;
	p->lacks = LACKS_NOTHING;
	p->files.proven = true;
	if (p->stage !=
	    STAGE_PREPARED) /* else they wait for the present generation, and the roll */
		askers_tell(&p->waiting, NULL);
}

void pools_look(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		/* A roll that has lost a port needs none of the others. */
		if (p->state != PORT_STARTING ||
		    (p->stage == STAGE_PREPARED && m->roll.lost[0] != '\0'))
			continue;
		if (pool_has_place(p))
			port_spawn(p);
		else if (pool_is_ready(p))
			port_serves(p);
	}
}
