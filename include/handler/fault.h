/*
 * Faults as handlers: the rules of a location that misbehaves, and the location where faults are
 * asked for.
 *
 * handler_fault applies the rules of its location to each request. The first rule that strikes
 * makes a run (src/handler/fault_run.h). The run is placed between the protocol and the location's
 * own handler: it is called first, puts Fault-Id into the head, and strikes at its moment. If no
 * rule strikes, the exchange is handed to the own handler and no fault code is involved any more.
 *
 * A handler knows no connection, so it reaches the worker through a table of functions (struct
 * fault_ops).
 */
#ifndef HANDLER_FAULT_H
#define HANDLER_FAULT_H

#include <bsd/sys/queue.h>

#include "fault/fault.h"
#include "http/exchange.h"
#include "net/loop.h"

enum fault_flushed { FAULT_GONE, FAULT_WAITING, FAULT_FLUSHED };

struct fault_ops {
	/* Logs what was done. */
	void (*log)(void *owner, const char *line);
	/* How much of the connection's output has the kernel taken? */
	enum fault_flushed (*flushed)(void *owner, const void *connection);
	/* Ends the connection by a reset, once the caller has returned. */
	void (*reset)(void *connection);
	/* Appends raw bytes to the connection's output and closes after them. Call it when a
	 * handler begins. */
	void (*say)(void *connection, const void *data, size_t len);
	/* Starts a fault that outlasts the request: leaks, handshakes, certificates, keyholders. */
	void (*arm)(void *owner, const struct fault *);
};

struct fault_run;
LIST_HEAD(fault_runs, fault_run);

/* What the faults of one event loop share. */
struct fault_loop {
	struct loop *loop;
	const struct fault_ops *ops;
	void *owner;
	uint32_t number;     /* the number of this loop within the port, so that draws differ */
	bool memory_limited; /* the process has a limit of memory, at which a leak ends */
	uint64_t asked;      /* draws made for faults that were asked for */
	uint64_t *counts;    /* draws made for each rule of the port; owned */
	struct fault_runs runs;
};

/* rules: the number of rules of the whole port. The caller sets the other members. Returns 0 or
 * -ENOMEM. */
int fault_loop_init(struct fault_loop *, size_t rules);
/* Call it after the last exchange has ended. */
void fault_loop_release(struct fault_loop *);

/* For a location that has faults. config: struct fault_rules. */
extern const struct handler handler_fault;

struct fault_rules {
	const struct fault *list; /* borrowed from the configuration */
	size_t count;
	size_t first; /* index of the first rule in fault_loop.counts */
	struct http_location own;
};

/* For the location where faults are asked for. config: struct fault_control. */
extern const struct handler handler_fault_control;

#define FAULT_CONTROL_PATH_MAX 4096 /* bytes; the configuration allows no longer path */

struct fault_control {
	const char *path; /* the path of the location */
	size_t path_len;
};

#endif
