/* Runs in the master: the counters of a port, over its processes and generations. */
#include "master/port/port.h"

/* The open connections that the child reports, at most its port's limit. */
uint64_t child_connections(const struct child *c)
{
	const uint64_t most = c->port->conf->limits.connections;
	uint64_t n = 0;
	for (unsigned i = 0; i < c->loops && c->board != NULL; i++)
		n = ipc_count_add(n, ipc_slot_read(&c->board->slots[i].connections));
	return n < most ? n : most;
}

static void living_add(const struct port *p, struct ipc_counters *sum, uint64_t *ret_connections)
{
	for (unsigned i = 0; i < p->children_count; i++) {
		const struct child *c = &p->children[i];
		if (c->state == CHILD_NONE)
			continue;
		for (unsigned k = 0; k < c->loops; k++)
			ipc_counters_add(sum, &c->board->slots[k].counters);
		*ret_connections = ipc_count_add(*ret_connections, child_connections(c));
	}
}

void port_totals(const struct port *p, struct ipc_counters *sum, uint64_t *ret_connections)
{
	const struct master *m = p->master;
	*sum = p->totals;
	*ret_connections = 0;
	living_add(p, sum, ret_connections);
	/* The first generation of a number has no earlier one, and with many ports the search takes
	 * time. */
	for (size_t i = 0; p->generation > 1 && i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_RETIRED &&
		    port_number(m->ports[i]) == port_number(p))
			living_add(m->ports[i], sum, ret_connections);
}
