/*
 * What proc(5) says of a process: src/selftest only.
 */
#ifndef SELFTEST_STATE_H
#define SELFTEST_STATE_H

#include <sys/types.h>

#include "pair.h"
#include "report.h"
#include "stage.h"

struct state_view {
	const struct stage *stage;
	const char *process; /* for the rows */
	pid_t pid;
	bool worker;
	bool by_root; /* the selftest can change users and roots */
};

/* Rows on ids, capabilities, root, limits and so on of a sealed child. */
void state_examine(const struct state_view *, struct report *);

/* One row: is a key in that process's memory, as /proc/PID/mem shows it? */
void state_search(const struct state_view *, const struct needles *, bool expected,
		  struct report *);

#endif
