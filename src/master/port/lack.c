/* Runs in the master: a port that lacks what all ports share waits; it is never parked for that. */
#include "master/port/port.h"

uint64_t port_shortage_delay(struct port *p)
{
	uint64_t delay_ms = 0;
	(void)restart_decide(&p->restart, &p->conf->restart, RESTART_SHORTAGE,
			     p->master->loop.now_ms, 0, &delay_ms);
	return delay_ms;
}

void port_lacks(struct port *p, enum port_lack lack, uint64_t delay_ms)
{
	port_wait(p, delay_ms);
	p->lacks = lack;
	askers_tell(&p->waiting, p->reason);
}
