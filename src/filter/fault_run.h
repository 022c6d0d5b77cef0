/*
 * A run: a fault that strikes one exchange, until it is done. Shared by the files of faults.
 *
 *   begin ──before: done at once─────────────────┐
 *     ├── delay: the request waits for the timer ─┴─> handler serves ──> end ──> freed
 *     └── later: its bytes up to the moment ──> timer, until the kernel has them ──> done, goes on
 *                      └── the response ends before that ──> the same, without an exchange
 */
#ifndef FILTER_FAULT_RUN_H
#define FILTER_FAULT_RUN_H

#include "filter/fault.h"

struct fault_run {
	LIST_ENTRY(fault_run) link;
	struct fault_local *local;
	struct exchange *ex; /* NULL: the exchange has ended */
	void *connection;
	struct loop_timer timer;
	struct fault fault;
	struct http_location location; /* serves the exchange instead of its own, if made here */

	uint64_t given;    /* bytes of the response body so far */
	uint64_t moment;   /* the fault strikes after this many of them */
	uint64_t begun_ms; /* when the response began */
	bool waiting;      /* the timer runs */
	bool delayed;      /* and the request waits for it */
	bool struck;       /* the fault has struck, or has no later moment */
	bool broken;       /* the response will be cut off */
};

/* In fault_act.c: carries out the fault on the process. It may return. */
void fault_act(const struct fault *);

/* In fault_made.c: responses that faults make. config: struct fault. */
extern const struct handler fault_made;
/* For requests that get no response at all. */
extern const struct handler fault_silent;
/* Writes bytes that are not a valid response; returns how many. */
#define FAULT_MALFORMED_MAX 256
size_t fault_malformed(const struct fault *, uint64_t draw, const char *id,
		       char out[FAULT_MALFORMED_MAX]);

#endif
