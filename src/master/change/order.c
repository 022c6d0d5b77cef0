/*
 * Runs in the master: stops, starts or restarts a port by order, or renews it because its files
 * have changed. An order waits for the end of a roll, so it never meets a generation that is being
 * replaced. A later order replaces an earlier one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syslog.h>

#include "master/state.h"

void askers_add(struct asker **list, struct asker *a)
{
	if (a == NULL)
		return;
	a->next = *list;
	*list = a;
}

void askers_tell(struct asker **list, const char *error)
{
	while (*list != NULL) {
		struct asker *a = *list;
		*list = a->next;
		a->next = NULL;
		a->told(a, error);
	}
}

static void forget(struct asker **list, const struct asker *a)
{
	while (*list != NULL && *list != a)
		list = &(*list)->next;
	if (*list != NULL)
		*list = a->next;
}

void asker_forget(struct master *m, struct asker *a)
{
	forget(&m->roll.askers, a);
	forget(&m->reload_askers, a);
	forget(&m->dry_run_askers, a);
	forget(&m->upgrade.wanting, a);
	forget(&m->upgrade.askers, a);
	for (size_t i = 0; i < m->ports_count; i++) {
		forget(&m->ports[i]->ordered, a);
		forget(&m->ports[i]->waiting, a);
		forget(&m->ports[i]->stopping, a);
	}
}

void askers_tell_all(struct master *m, const char *error)
{
	askers_tell(&m->reload_askers, error);
	askers_tell(&m->dry_run_askers, error);
	askers_tell(&m->upgrade.wanting, error);
	askers_tell(&m->upgrade.askers, error);
	for (size_t i = 0; i < m->ports_count; i++) {
		askers_tell(&m->ports[i]->ordered, error);
		askers_tell(&m->ports[i]->waiting, error);
	}
}

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

static void move(struct asker **to, struct asker **askers)
{
	while (*askers != NULL) {
		struct asker *a = *askers;
		*askers = a->next;
		askers_add(to, a);
	}
}

static void stop(struct port *p, struct asker *askers)
{
	askers_tell(&p->waiting, "the port will be stopped");
	p->by_order = true;
	p->former = false;
	move(&p->stopping, &askers);
	if (p->state == PORT_STOPPED) {
		port_stopped(p);
		return;
	}
	log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE, "stopping, by order");
	port_hang_up(p, NULL);
	port_drain(p);
}

/* Starts a port that is parked or stopped, as at the start of the server. */
static void start(struct port *p, struct asker *askers)
{
	if (p->state == PORT_SERVING) {
		askers_tell(&askers, NULL);
		return;
	}
	move(&p->waiting, &askers);
	if (p->state == PORT_STARTING)
		return;
	if (p->state == PORT_BACKOFF) { /* do not wait any longer */
		p->restart = (struct restart_state){.count = 0};
		port_resume(p);
		return;
	}
	askers_tell(&p->stopping, "the port was started again");
	p->by_order = p->former = false;
	p->identified = false;
	p->restart = (struct restart_state){.count = 0};
	log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE, "starting, by order");
	port_bring_up(p);
}

static void renew(struct port *p, struct asker *askers, const char *what)
{
	struct master *m = p->master;
	roll_begin(m, what);
	m->reloads_turn = true;
	m->roll.askers = askers;
	if (roll_add(m, p->configuration, p->conf, p))
		roll_go(m);
}

void port_order_carry_out(struct port *p)
{
	const bool pooled =
	    p->state == PORT_SERVING || p->state == PORT_STARTING || p->state == PORT_BACKOFF;
	enum port_order given = p->order;
	struct asker *askers = p->ordered;
	if (p->state == PORT_DRAINING && given != ORDER_STOP)
		return; /* later, when it has stopped */
	if (p->state == PORT_PARKED && given != ORDER_STOP && !port_is_empty(p))
		return; /* later, when the rest of its pool has ended */
	p->order = ORDER_NONE;
	p->ordered = NULL;
	switch (given) {
	case ORDER_NONE:
		break;
	case ORDER_STOP:
		stop(p, askers);
		break;
	case ORDER_START:
		start(p, askers);
		if (p->former &&
		    p->master->upgrade.rolling) /* it missed the roll while it was stopped */
			renew(p, NULL, "roll to the new version");
		break;
	case ORDER_UPGRADE:
		if (pooled)
			renew(p, askers, "roll to the new version");
		break;
	case ORDER_RESTART:
		if (pooled)
			renew(p, askers, "restart");
		else
			start(p, askers);
		break;
	case ORDER_RENEW:
		if (!pooled)
			break;
		log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE,
			      "certificates or keys have changed: all processes of the port are "
			      "replaced");
		renew(p, askers, "renewal");
		break;
	}
	master_changed(p->master);
}
