/*
 * What proc(5) says about a process; src/selftest only.
 */
#ifndef SELFTEST_STATE_H
#define SELFTEST_STATE_H

#include <sys/types.h>

#include "pair.h"
#include "report.h"
#include "stage.h"

struct state_view {
	const struct stage_port *port;
	const char *process; /* its name in the rows */
	pid_t pid;
	const char *site_path; /* that a worker with document roots has, too */
	enum ipc_role role;
	bool by_root; /* the selftest can change users and roots */
};

/* Adds rows on ids, capabilities, root, limits and so on of a sealed child. */
void state_examine(const struct state_view *, struct report *);

enum state_secret { STATE_KEY, STATE_HASH };

/* Adds one row: is this secret of the port in that process's memory, according to /proc/PID/mem? */
void state_search(const struct state_view *, enum state_secret, const struct needles *,
		  bool expected, struct report *);

#endif
