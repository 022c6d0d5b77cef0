/*
 * Why a child has ended. Pure. The evidence, in order of trust, comes from the kernel, the master,
 * and the child's own record. The child's record only adds to the sentence, with two exceptions
 * that harm no other process: what it ran out of, and that another process sent it a signal.
 *
 * The wait status comes from the kernel and alone decides what counts towards parking. The crash
 * recorder ends a process by SIGABRT after it has recorded, so a fault in the wait status means
 * that the recorder could not finish. A process that was taken over can cause that before it makes
 * a forbidden call, and can write any record. Such an end therefore counts as a forbidden call,
 * whatever the record says.
 */
#ifndef MASTER_CAUSE_H
#define MASTER_CAUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"
#include "ipc/slot.h"
#include "master/pure/restart.h"
#include "master/pure/watch.h"

enum cause {
	CAUSE_DRAINED,       /* it finished its requests after an order to end */
	CAUSE_CONFIGURATION, /* EX_CONFIG */
	CAUSE_CRASH,         /* a signal that the process caused itself */
	CAUSE_WATCHDOG,
	CAUSE_SANDBOX, /* a forbidden system call */
	CAUSE_MEMORY,  /* limits memory, or the kernel's out-of-memory killer */
	CAUSE_DESCRIPTORS,
	CAUSE_KILLED, /* a signal from outside, or from the master */
	CAUSE_EXIT    /* any other exit status */
};

struct end {
	int status; /* of waitpid(2) */
	pid_t pid;
	bool starting; /* it was not ready yet */
	bool told;     /* it had the order to drain */
	enum watch_verdict watched;
	bool was_stopped;       /* the watchdog saw it stopped */
	uint64_t watchdog_ms;   /* the watchdog's limit */
	const char *killed_for; /* why the master killed it; NULL: it did not */
	bool oom; /* the kernel has ended a process for lack of memory since the last check */
	bool oom_uncounted;    /* unknown: the kernel's count cannot be read */
	uint64_t memory_bytes; /* limits memory; 0: none */
	enum ipc_lack lack;    /* this and crash come from the child */
	struct ipc_crash crash;
};

enum cause cause_of(const struct end *);

/* The name in records: "crash". */
const char *cause_name(enum cause);

/* Writes the text after "worker 1 (pid 4242) ": "crashed by SIGSEGV (address not mapped: 0x10)". */
void cause_describe(const struct end *, struct text *);

/* The signal that was recorded, else the one of the wait status. 0: none. */
int cause_signal(const struct end *);

/* The cause in the terms of the restart policy. */
enum restart_cause cause_for_restart(const struct end *);

#endif
