/* Runs in the master, once a second: feeds rate.c. */
#include "master/port/port.h"

void rates_sample(struct master *m)
{
	struct ipc_counters sum;
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		if (p->stage != STAGE_CURRENT)
			continue;
		port_totals(p, &sum);
		rate_look(&p->rate, sum.requests, m->loop.now_ms);
	}
}
