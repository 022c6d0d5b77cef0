/* Runs in the master: the counters of a port, over its processes and generations. */
#include "master/port/port.h"

static void living_add(const struct port *p, struct ipc_counters *sum)
{
	struct ipc_counters counted;
	for (unsigned i = 0; i < p->children_count; i++) {
		if (p->children[i].state == CHILD_NONE)
			continue;
		child_counters(&p->children[i], &counted);
		ipc_counters_add(sum, &counted);
	}
}

void port_totals(const struct port *p, struct ipc_counters *ret)
{
	const struct master *m = p->master;
	*ret = p->totals;
	living_add(p, ret);
	/* The first generation of a number has no earlier one, and with many ports the search takes
	 * time. */
	for (size_t i = 0; p->generation > 1 && i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_RETIRED &&
		    port_number(m->ports[i]) == port_number(p))
			living_add(m->ports[i], ret);
}
