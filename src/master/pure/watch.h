/*
 * Has a process hung? Pure policy, no process, no clock: it compares one look with the next.
 *
 * A loop hangs if it is in the same turn for longer than the limit; a process, if it is stopped
 * (SIGSTOP) for that long. Only the time in which the master could observe it counts: the time
 * between two looks, but at most WATCH_LOOK_MAX_MS of it. So a suspended machine, a clock that
 * jumped or a stopped master is not taken for a hang.
 *
 *   FINE ──limit──> ABORTED (SIGABRT: the crash is recorded) ──WATCH_GRACE_MS──> KILLED (SIGKILL)
 */
#ifndef MASTER_WATCH_H
#define MASTER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_LOOK_MS     1000 /* between two looks */
#define WATCH_LOOK_MAX_MS 1500
#define WATCH_GRACE_MS    2000

enum watch_verdict { WATCH_FINE, WATCH_ABORTED, WATCH_KILLED };

struct watch_loop {
	uint64_t turn; /* when its turn at the last look began; 0: it was waiting */
	uint64_t seen_ms;
};

struct watch {
	enum watch_verdict verdict;
	bool stopped;      /* the owner sets it */
	bool was_stopped;  /* it hung because it was stopped */
	unsigned loop;     /* otherwise the loop that hung */
	bool seen_stopped; /* at the last look */
	uint64_t stopped_ms;
	uint64_t grace_ms;
	struct watch_loop *loops; /* one per event loop; the owner's */
	unsigned loops_count;
};

/* Starts to watch a new process. */
void watch_begin(struct watch *);

/* One look. turns: when each loop's present turn began; elapsed_ms: since the last look; limit_ms:
 * 0 for none. Returns a new verdict to carry out now, else WATCH_FINE. */
enum watch_verdict watch_look(struct watch *, const uint64_t *turns, uint64_t elapsed_ms,
			      uint64_t limit_ms);

#endif
