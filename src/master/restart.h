/*
 * When a port whose worker has died gets a new one: pure policy, no process, no clock.
 *
 * A worker that lived for RESTART_QUICK_MS or longer is replaced at once, and its death ends a row
 * of quick ones. One that never got ready has not lived (its uptime is given as 0). Quick deaths in
 * a row: the first is replaced at once, the second after backoff min, each further one after twice
 * the time, at most backoff max. park_after quick deaths within park_window park the port, and so
 * does a configuration error (EX_CONFIG), at once. Slow deaths never park: a port that serves
 * between its crashes serves its clients better than one that is shut. Forbidden system calls do:
 * they are attacks, or a table that is wrong.
 *
 * How a quick death ends makes no difference: status 0 of a process that nobody has told to end is
 * the process's own choice, too.
 *
 * A shortage is nobody's fault: the port is delayed from the first one on, by the same backoff, so
 * that the machine gets time to recover; it is never parked for that, and a shortage does not count
 * towards parking.
 */
#ifndef MASTER_RESTART_H
#define MASTER_RESTART_H

#include <stdint.h>

#include "conf/conf.h"

#define RESTART_QUICK_MS   1000
#define RESTART_DEATHS_MAX CONF_PARK_MAX /* remembered */

enum restart_cause {
	RESTART_DRAINED,   /* as the master has told it to: not counted */
	RESTART_CONFIG,    /* EX_CONFIG: a new one would not do better */
	RESTART_VIOLATION, /* a forbidden system call: quick, however long it has lived */
	RESTART_SHORTAGE,  /* for want of what all ports share: memory, descriptors, processes */
	RESTART_DIED       /* anything else */
};

enum restart_verdict { RESTART_NOW, RESTART_LATER, RESTART_PARK };

struct restart_state {
	uint64_t deaths_ms[RESTART_DEATHS_MAX]; /* of quick deaths, a ring */
	unsigned next;                          /* where the next one goes */
	unsigned count;                         /* at most RESTART_DEATHS_MAX */
	unsigned row; /* quick deaths and shortages since the last slow death */
};

/* ret_delay_ms is set with RESTART_LATER only. A shortage is always RESTART_LATER. */
enum restart_verdict restart_decide(struct restart_state *, const struct conf_restart *,
				    enum restart_cause, uint64_t now_ms, uint64_t uptime_ms,
				    uint64_t *ret_delay_ms);

#endif
