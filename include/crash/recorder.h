/*
 * The crash recorder: what a worker or keyholder writes into its slot (ipc/slot.h) when a fatal
 * signal strikes. The request that the loop was at is there already; the recorder adds signal,
 * code, address, program counter and a backtrace by frame pointers, then it ends the process with
 * the default action of recorder_ends_by(). The master reads the record when the process has ended
 * (crash/trace.h).
 *
 * A fault ends a process by SIGABRT. So a wait status that is a fault is the kernel's word that the
 * recorder could not run: signal(7) has the kernel end a process by the fault itself where it
 * strikes inside a handler, or where the handler cannot be begun.
 *
 * It runs on a stack of its own, calls nothing that is not async-signal-safe (signal-safety(7)) and
 * nothing that the sandbox forbids, and reads no memory that a crash may have spoilt before the
 * signal itself is on record: a crash inside the recorder loses the backtrace only.
 *
 *   recorder_install()  in the main thread, before there are others and before the seal
 *   recorder_thread()   in each further thread, before the seal
 *   recorder_close()    once they all run: what the recorder goes by cannot be written any more
 */
#ifndef CRASH_RECORDER_H
#define CRASH_RECORDER_H

#include <signal.h>

#include "ipc/slot.h"

#define RECORDER_LOOPS_MAX 64

/* Takes the modules down and the signals over; the calling thread belongs to slot 0. The board must
 * stay mapped to the end of the process. 0 or -errno. */
int recorder_install(struct ipc_board *, unsigned loops);
int recorder_thread(unsigned loop); /* 0 or -errno */
int recorder_close(void);           /* 0 or -errno */

/* The signals that are recorded, ended by 0: those that mean a mistake in the program, SIGABRT and
 * SIGSYS. */
extern const int recorder_signals[];

/* The wait status of a process whose recorder has taken this signal down. */
static inline int recorder_ends_by(int number)
{
	return number == SIGSYS ? SIGSYS : SIGABRT;
}

#endif
