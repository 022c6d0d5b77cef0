/*
 * Runs in the master: stops, starts or restarts a port by order, or renews it because its files
 * have changed. An order waits for the end of a roll, so it never meets a generation that is being
 * replaced. A later order replaces an earlier one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syslog.h>

#include "master/change/change.h"

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

static const struct roll_kind restart_kind = {.what = "restart"};
static const struct roll_kind renewal_kind = {.what = "renewal"};
static const struct roll_kind upgrade_kind = {.what = "roll to the new version"};

static void renew(struct port *p, struct asker *askers, const struct roll_kind *kind)
{
	struct master *m = p->master;
	roll_begin(m, kind);
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
			renew(p, NULL, &upgrade_kind);
		break;
	case ORDER_UPGRADE:
		if (pooled)
			renew(p, askers, &upgrade_kind);
		break;
	case ORDER_RESTART:
		if (pooled)
			renew(p, askers, &restart_kind);
		else
			start(p, askers);
		break;
	case ORDER_RENEW:
		if (!pooled)
			break;
		log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE,
			      "files of the port have changed: all its processes are replaced");
		renew(p, askers, &renewal_kind);
		break;
	}
	p->master->changed = true;
}
