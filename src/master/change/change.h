/*
 * Changes of ports: a roll replaces generations, all of them or none; reloads and orders use it.
 * One change at a time.
 */
#ifndef MASTER_CHANGE_H
#define MASTER_CHANGE_H

#include "master/port/port.h"

/* What differs between rolls; a member may be NULL. */
struct roll_kind {
	const char *what;                /* "reload" */
	void (*judge)(struct master *);  /* all ports are ready: is each of them needed? */
	void (*commit)(struct master *); /* they begin to serve; not in a dry run */
	/* its end, but not that of a dry run. error NULL: it was carried out */
	void (*ended)(struct master *, const char *error);
};

/* roll.c: a new generation of some ports: all of them, or nothing changes. roll_begin(), then
 * roll_add() for each port, then roll_go(). */
void roll_begin(struct master *, const struct roll_kind *);
/* Creates and starts a port that will replace old (NULL: none). If that fails: false, and the roll
 * is given up. */
bool roll_add(struct master *, struct configuration *, const struct conf_port *, struct port *old);
void roll_go(struct master *);
void roll_look(struct master *); /* after each turn: goes on with the present roll, if any */
void roll_limit_expired(struct loop *, struct loop_timer *);
void roll_give_up(struct master *, unsigned port, const char *why); /* port 0: no particular one */

/* reload.c: reloads by SIGHUP and by order. */
void master_reload(struct master *, bool dry_run, struct asker *);
bool reload_next(struct master *); /* begins a waiting reload, if any */
/* Valid while the senders of a reload are answered; NULL: there was no plan. */
const struct plan *master_plan(const struct master *);

/* settings.c: sends settings to all children: log level, drain time. */
void master_settings(struct master *);
void master_log_level(struct master *, int priority);

/* order.c: stops, starts, restarts or renews a port as it was ordered. */
void port_order_carry_out(struct port *);

#endif
