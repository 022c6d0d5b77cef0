/* Runs in the master: the orderly end of a port, and its deadline. Must never wait for a child. */
#include <sys/syslog.h>

#include "master/port/port.h"

void port_kill(struct port *p, const char *why)
{
	for (unsigned k = 0; k < p->children_count; k++)
		if (is_worker(&p->children[k]))
			child_kill(&p->children[k], why);
}

void port_limit_expired(struct loop *loop, struct loop_timer *timer)
{
	struct port *p = (struct port *)((char *)timer - offsetof(struct port, limit));
	(void)loop;
	log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING,
		      "time is up: killing what is left of generation %u", p->generation);
	port_kill(p, "had not finished in time");
}

/* Has every generation of the port stopped? Only then is a stop by order complete. */
static bool is_gone(const struct master *m, unsigned number)
{
	for (size_t i = 0; i < m->ports_count; i++)
		if (port_number(m->ports[i]) == number && m->ports[i]->state != PORT_STOPPED)
			return false;
	return true;
}

void port_stopped(struct port *p)
{
	port_become(p, PORT_STOPPED);
	askers_tell(&p->waiting, "the port was stopped");
	struct port *heir = port_heir(p);
	if (heir != p && !p->discarded)
		port_hand_use(p, heir);
	if (is_gone(p->master, port_number(p)))
		askers_tell(&heir->stopping, NULL);
}

bool port_is_empty(const struct port *p)
{
	for (unsigned k = 0; k < p->children_count; k++)
		if (p->children[k].state != CHILD_NONE)
			return false;
	return true;
}

void port_drain(struct port *p)
{
	struct master *m = p->master;
	port_unlisten(p);
	if (m->draining && port_reason(p) != NULL)
		p->ended_as = port_state_name(p->state);
	port_become(p, PORT_DRAINING);
	for (unsigned k = 0; k < p->children_count; k++)
		if (p->children[k].state != CHILD_NONE)
			child_drain(&p->children[k], p->stage == STAGE_RETIRED && !m->draining
							 ? IPC_RETIRE
							 : IPC_DRAIN);
	holders_dismiss(p);
	if (port_is_empty(p))
		port_stopped(p);
	else
		loop_timer_set(&m->loop, &p->limit, m->loop.now_ms + m->conf->drain_ms);
}

void port_retire(struct port *p, const struct port *heir)
{
	p->stage = STAGE_RETIRED;
	if (heir != NULL && !p->discarded)
		port_hand_use(p, heir);
	port_hang_up(p, heir);
	port_drain(p);
}

void port_discard(struct port *p, const struct port *current)
{
	p->discarded = true;
	port_retire(p, current);
}
