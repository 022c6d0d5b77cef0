/*
 * Why a child has ended: pure, from what the kernel, the master and the child's own last words say,
 * in this order of belief. The child's words only ever make the sentence longer, with two
 * exceptions that hurt nobody else: what it has run out of, and that a signal of its own was sent
 * by somebody.
 *
 * How a process has ended is the kernel's word, and that alone decides what counts towards parking.
 * The crash recorder ends a process by SIGABRT once it has recorded, so a fault in the wait status
 * means that the recorder could not run to its end. A process that was taken over can bring that
 * about before it makes a forbidden call, and can write any record it likes: such an end counts as
 * a forbidden call, whatever the record says.
 */
#ifndef MASTER_CAUSE_H
#define MASTER_CAUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"
#include "ipc/slot.h"
#include "master/restart.h"
#include "master/watch.h"

enum cause {
	CAUSE_DRAINED,       /* it finished what it had, as it was told to */
	CAUSE_CONFIGURATION, /* EX_CONFIG */
	CAUSE_CRASH,         /* a signal of its own making */
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
	bool told;     /* it was told to drain */
	enum watch_verdict watched;
	bool was_stopped;       /* that was what the watchdog saw */
	uint64_t watchdog_ms;   /* the limit */
	const char *killed_for; /* the master has killed it for another reason; NULL: it has not */
	bool oom; /* the kernel has ended something for lack of memory since the last look */
	bool oom_uncounted;    /* nobody can tell: the kernel's count cannot be read */
	uint64_t memory_bytes; /* limits memory; 0: none */
	enum ipc_lack lack;    /* the child's words, these two */
	struct ipc_crash crash;
};

enum cause cause_of(const struct end *);

/* "crash", for fields. */
const char *cause_name(enum cause);

/* What follows "worker 1 (pid 4242) ": "crashed by SIGSEGV (address not mapped: 0x10)". */
void cause_describe(const struct end *, struct text *);

/* The signal that struck, where that was recorded; else the one of the wait status. 0: none. */
int cause_signal(const struct end *);

/* The policy's view of it. */
enum restart_cause cause_for_restart(const struct end *);

#endif
