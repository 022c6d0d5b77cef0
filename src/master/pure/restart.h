/*
 * When a port gets a new process for one that has died. Pure policy: no process, no clock.
 *
 * A process that lived for RESTART_QUICK_MS or longer is replaced at once, and its death ends a
 * series of quick deaths. A process that never became ready counts as quick (its uptime is given as
 * 0). In a series of quick deaths the first is replaced at once, the second after backoff min, each
 * later one after twice the time, at most backoff max. park_after quick deaths within park_window
 * park the port, and a configuration error (EX_CONFIG) parks it at once. Slow deaths never park: a
 * port that serves between its crashes is better for its clients than a closed one. Forbidden
 * system calls count like quick deaths at any age: they are attacks, or a table that is wrong.
 *
 * The exit status of a quick death makes no difference: without an order to end, even status 0 is
 * the process's own choice.
 *
 * A shortage is not the port's fault. It delays the port from the first one on, with the same
 * backoff, so that the machine can recover. It never parks a port and does not count towards
 * parking.
 */
#ifndef MASTER_RESTART_H
#define MASTER_RESTART_H

#include <stdint.h>

#include "conf/conf.h"

#define RESTART_QUICK_MS   1000
#define RESTART_DEATHS_MAX CONF_PARK_MAX /* deaths that are remembered */

enum restart_cause {
	RESTART_DRAINED,   /* by order of the master: not counted */
	RESTART_CONFIG,    /* EX_CONFIG: a new process would fail, too */
	RESTART_VIOLATION, /* a forbidden system call: counts as quick at any age */
	RESTART_SHORTAGE,  /* for lack of what all ports share: memory, descriptors, processes */
	RESTART_DIED       /* anything else */
};

enum restart_verdict { RESTART_NOW, RESTART_LATER, RESTART_PARK };

struct restart_state {
	uint64_t deaths_ms[RESTART_DEATHS_MAX]; /* of quick deaths, a ring */
	unsigned next;                          /* where the next one is stored */
	unsigned count;                         /* at most RESTART_DEATHS_MAX */
	unsigned row; /* quick deaths and shortages since the last slow death */
};

/* ret_delay_ms is set with RESTART_LATER only. A shortage is always RESTART_LATER. */
enum restart_verdict restart_decide(struct restart_state *, const struct conf_restart *,
				    enum restart_cause, uint64_t now_ms, uint64_t uptime_ms,
				    uint64_t *ret_delay_ms);

#endif
