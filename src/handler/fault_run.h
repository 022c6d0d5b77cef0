/*
 * A fault that has struck, from then on until it is done: what the files of faults share.
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
	struct exchange *ex; /* NULL: it has ended */
	void *connection;
	struct loop_timer timer;
	struct fault fault;
	struct http_location own; /* what serves the rest of it */
	struct respond respond;   /* where that is made up here */
	char *fields;             /* owned: those of the response, with Fault-Id */

	uint64_t given;    /* bytes of the response body */
	uint64_t moment;   /* after how many of them it strikes */
	uint64_t begun_ms; /* when the response began */
	bool begun;        /* the own handler */
	bool request_over; /* before that */
	bool waiting;      /* for the timer */
	bool struck;       /* the moment is past, or there is none */
	bool broken;       /* the response cannot be completed */
};

/* The fault is done to this exchange, which has just begun; own serves what it leaves. draw decides
 * what the fault leaves to chance. */
void fault_run_begin(struct exchange *, const struct fault *, uint64_t draw,
		     const struct http_location *own);

/* fault_act.c: does to the process what the fault says; may come back. */
void fault_act(const struct fault *);

/* fault_made.c: responses that faults make up. config: struct fault_run. */
extern const struct handler handler_made;
/* Bytes for a response that is none; returns how many. */
#define FAULT_MALFORMED_MAX 256
size_t fault_malformed(const struct fault *, uint64_t draw, const char *id,
		       char out[FAULT_MALFORMED_MAX]);

#endif
