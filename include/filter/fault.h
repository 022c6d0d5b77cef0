/*
 * Faults as a filter: the rules of a location that misbehaves.
 *
 * filter_fault applies the rules of its location to each request. The first rule that strikes makes
 * a run (src/filter/fault_run.h), which puts Fault-Id into the head and strikes at its moment. If
 * no rule strikes, the filter leaves the exchange. A handler may begin a run as well: the location
 * where faults are asked for (src/handler/fault_control.c).
 *
 * A filter knows no connection, so it reaches the worker through a table of functions (struct
 * fault_ops).
 */
#ifndef FILTER_FAULT_H
#define FILTER_FAULT_H

#include <bsd/sys/queue.h>

#include "fault/fault.h"
#include "http/exchange.h"
#include "http/filter.h"
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

/* What the worker does for the faults of one event loop: http_loop.faults. */
struct fault_services {
	const struct fault_ops *ops;
	void *owner;
	uint32_t number;     /* the number of this loop within the port, so that draws differ */
	bool memory_limited; /* the process has a limit of memory, at which a leak ends */
	bool plain;          /* the port has no TLS, and so none of its faults */
};

struct fault_run;
LIST_HEAD(fault_runs, fault_run);

/* The state of one location with faults, in one event loop: what open() makes. */
struct fault_local {
	const struct fault_services *services;
	struct loop *loop;
	uint64_t *counts; /* draws made for each rule; owned */
	struct fault_runs runs;
};

/* Returns 0 or -ENOMEM. */
int fault_local_open(struct http_loop *, size_t rules, struct fault_local **ret);
/* Call it after the last exchange has ended. local is a struct fault_local. */
void fault_local_close(void *local);

/* config: struct fault_rules. */
extern const struct filter filter_fault;

struct fault_rules {
	const struct fault *list; /* borrowed from the configuration */
	size_t count;
};

/* For a handler: begins a run in its place, and then location's handler. draw decides the random
 * parts of the fault. location lives as long as the exchange. */
void fault_strike(struct exchange *, struct fault_local *, const struct fault *, uint64_t draw,
		  const struct http_location *location);

#endif
