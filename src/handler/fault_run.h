/*
 * A run: a fault that strikes one exchange, until it is done. Shared by the files of faults.
 *
 *   begin ──before: done at once──────────────┐
 *     ├── delay: timer ──> own handler begins ─┴─> own handler serves ──> end ──> freed
 *     └── later: its bytes up to the moment ──> timer, until the kernel has them ──> done, goes on
 *                      └── the response ends before that ──> the same, without an exchange
 */
#ifndef HANDLER_FAULT_RUN_H
#define HANDLER_FAULT_RUN_H

#include "handler/fault.h"
#include "handler/handlers.h"

struct fault_run {
	LIST_ENTRY(fault_run) link;
	struct fault_loop *faults;
	struct exchange *ex; /* NULL: the exchange has ended */
	void *connection;
	struct loop_timer timer;
	struct fault fault;
	struct http_location own; /* the handler that serves the rest of the exchange */
	struct respond respond;   /* a response made here */

	uint64_t given;    /* bytes of the response body so far */
	uint64_t moment;   /* the fault strikes after this many of them */
	uint64_t begun_ms; /* when the response began */
	bool begun;        /* the own handler has begun */
	bool request_over; /* the request ended before that */
	bool waiting;      /* the timer runs */
	bool struck;       /* the fault has struck, or has no later moment */
	bool marked;       /* the response has its Fault-Id */
	bool broken;       /* the response will be cut off */
};

/* Begins a run for an exchange that has just begun; own serves the rest of it. draw decides the
 * random parts of the fault. */
void fault_run_begin(struct exchange *, const struct fault *, uint64_t draw,
		     const struct http_location *own);

/* In fault_act.c: carries out the fault on the process. It may return. */
void fault_act(const struct fault *);

/* In fault_made.c: responses that faults generate. config: struct fault_run. */
extern const struct handler handler_made;
/* Writes bytes that are not a valid response; returns how many. */
#define FAULT_MALFORMED_MAX 256
size_t fault_malformed(const struct fault *, uint64_t draw, const char *id,
		       char out[FAULT_MALFORMED_MAX]);

#endif
