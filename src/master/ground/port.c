/* Runs in the master: the only writer of a port's state; finds ports, and names their states. Must
 * never act on a change of state: it notes that there was one, and the turn acts on it. */
#include <string.h>
#include <sys/syslog.h>

#include "master/ground/state.h"

void port_become(struct port *p, enum port_state state)
{
	struct master *m = p->master;
	if (state != PORT_BACKOFF)
		loop_timer_cancel(&m->loop, &p->backoff);
	if (state == PORT_STOPPED)
		loop_timer_cancel(&m->loop, &p->limit);
	m->changed = m->changed || p->state != state;
	p->state = state;
}

void port_wait(struct port *p, uint64_t delay_ms)
{
	struct master *m = p->master;
	port_become(p, PORT_BACKOFF);
	m->changed = true; /* what it waits for may be something else now */
	loop_timer_set(&m->loop, &p->backoff, m->loop.now_ms + delay_ms);
}

void port_lose(const struct port *p, const char *why)
{
	struct roll *r = &p->master->roll;
	if (r->lost[0] != '\0')
		return;
	r->lost_port = port_number(p);
	(void)strlcpy(r->lost, why, sizeof(r->lost));
}

static struct port *port_at_stage(const struct master *m, unsigned number, enum port_stage stage)
{
	for (size_t i = 0; i < m->ports_count; i++)
		if (port_number(m->ports[i]) == number && m->ports[i]->stage == stage)
			return m->ports[i];
	return NULL;
}

struct port *port_find(const struct master *m, unsigned number)
{
	return port_at_stage(m, number, STAGE_CURRENT);
}

struct port *port_prepared(const struct master *m, unsigned number)
{
	return port_at_stage(m, number, STAGE_PREPARED);
}

struct port *port_heir(struct port *p)
{
	struct port *current =
	    p->stage == STAGE_RETIRED ? port_find(p->master, port_number(p)) : NULL;
	return current != NULL ? current : p;
}

const char *port_state_name(enum port_state state)
{
	switch (state) {
	case PORT_STARTING:
		return "starting";
	case PORT_SERVING:
		return "serving";
	case PORT_BACKOFF:
		return "backoff";
	case PORT_PARKED:
		return "parked";
	case PORT_DRAINING:
		return "draining";
	case PORT_STOPPED:
		return "stopped";
	}
	return "unknown";
}

const char *port_reason(const struct port *p)
{
	const bool waits = p->state == PORT_BACKOFF && p->lacks != LACKS_NOTHING;
	return p->state == PORT_PARKED || waits ? p->reason : NULL;
}
