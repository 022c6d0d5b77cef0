/*
 * Has a process hung? Pure policy, no process, no clock: what was seen in one look after the other.
 *
 * A loop hangs that is in one and the same turn for longer than the limit; a process, that is
 * stopped (SIGSTOP) for so long. What counts is the time in which the master was awake to see it:
 * the time between two looks, but at most WATCH_LOOK_MAX_MS of it. So a machine that was suspended,
 * a clock that jumped or a master that was stopped itself make no hang.
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
	uint64_t turn; /* when the turn began that it was in at the last look; 0: in none */
	uint64_t seen_ms;
};

struct watch {
	enum watch_verdict verdict;
	bool stopped;      /* the owner says so */
	bool was_stopped;  /* that was what it hung in */
	unsigned loop;     /* else: the loop that did */
	bool seen_stopped; /* at the last look */
	uint64_t stopped_ms;
	uint64_t grace_ms;
	struct watch_loop *loops; /* the owner's: one per event loop */
	unsigned loops_count;
};

/* A new process. */
void watch_begin(struct watch *);

/* One look: what each loop says its turn began at, the time since the look before, the limit (0:
 * none). Returns the verdict if it is a new one that is to be carried out now, else WATCH_FINE. */
enum watch_verdict watch_look(struct watch *, const uint64_t *turns, uint64_t elapsed_ms,
			      uint64_t limit_ms);

#endif
