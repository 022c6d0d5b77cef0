/* Runs in the master: notes what a port is ordered to do; change/order.c carries it out. A later
 * order replaces an earlier one. */
#include "master/port/port.h"

static void order(struct port *p, enum port_order order, struct asker *a)
{
	if (p->order != ORDER_NONE && p->order != order)
		askers_tell(&p->ordered, "a later order replaced it");
	p->order = order;
	askers_add(&p->ordered, a);
}

void port_stop(struct port *p, struct asker *a)
{
	order(p, ORDER_STOP, a);
}

void port_start(struct port *p, struct asker *a)
{
	order(p, ORDER_START, a);
}

void port_restart(struct port *p, struct asker *a)
{
	order(p, ORDER_RESTART, a);
}

/* An order that is already waiting includes the renewal or makes it unnecessary. */
void port_renew(struct port *p)
{
	if (p->order == ORDER_NONE)
		p->order = ORDER_RENEW;
}

void port_orders_inherit(struct port *heir, struct port *old)
{
	heir->order = old->order;
	heir->ordered = old->ordered;
	heir->waiting = old->waiting;
	heir->stopping = old->stopping;
	old->order = ORDER_NONE;
	old->ordered = old->waiting = old->stopping = NULL;
	if (heir->state == PORT_SERVING)
		askers_tell(&heir->waiting, NULL);
}
