/*
 * Faults as handlers: what a location has that is to misbehave, and where faults are asked for.
 *
 * handler_fault lets a request go through the rules of its location; the first that strikes makes a
 * run of it (src/handler/fault_run.h), which stands between the protocol and the location's own
 * handler: it comes first, puts Fault-Id into the head, and strikes at its moment. Where no rule
 * strikes, the exchange is handed on and nothing of this is left in its way.
 *
 * What a fault needs of the worker around it is a table of functions (struct fault_ops): a handler
 * knows no connection.
 */
#ifndef HANDLER_FAULT_H
#define HANDLER_FAULT_H

#include <bsd/sys/queue.h>

#include "fault/fault.h"
#include "http/exchange.h"
#include "net/loop.h"

enum fault_flushed { FAULT_GONE, FAULT_WAITING, FAULT_FLUSHED };

struct fault_ops {
	/* A record about what was done. */
	void (*log)(void *owner, const char *line);
	/* How much of what was said on a connection does the kernel have? */
	enum fault_flushed (*flushed)(void *owner, const void *connection);
	/* Ends it by a reset, once whoever runs is done with it. */
	void (*reset)(void *connection);
	/* Puts bytes behind what was said before, as they are, and closes behind them. To be called
	 * where a handler begins. */
	void (*say)(void *connection, const void *data, size_t len);
	/* What outlasts the request: leaks, handshakes, certificates, keyholders. */
	void (*arm)(void *owner, const struct fault *);
};

struct fault_run;
LIST_HEAD(fault_runs, fault_run);

/* Of one event loop: what the faults of its exchanges share. */
struct fault_loop {
	struct loop *loop;
	const struct fault_ops *ops;
	void *owner;
	uint32_t number;     /* among the port's loops: their draws differ */
	bool memory_limited; /* a leak would end somewhere */
	uint64_t asked;      /* draws made for what was asked for */
	uint64_t *counts;    /* draws made for each rule of the port; owned */
	struct fault_runs runs;
};

/* rules: of the whole port. The rest is the caller's to set. 0 or -ENOMEM. */
int fault_loop_init(struct fault_loop *, size_t rules);
/* Behind the last exchange. */
void fault_loop_release(struct fault_loop *);

/* A location that has faults. config: struct fault_rules. */
extern const struct handler handler_fault;

struct fault_rules {
	const struct fault *list; /* the configuration's */
	size_t count;
	size_t first; /* the place of the first one in fault_loop.counts */
	struct http_location own;
};

/* Where faults are asked for. config: struct fault_control. */
extern const struct handler handler_fault_control;

#define FAULT_CONTROL_PATH_MAX 4096 /* bytes; the configuration allows no longer location */

struct fault_control {
	const char *path; /* of the location */
	size_t path_len;
};

#endif
