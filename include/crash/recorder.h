/*
 * The crash recorder: what a worker, keyholder or verifier writes into its slot (ipc/slot.h) when a
 * fatal signal strikes. The slot already shows the present request. The recorder adds the signal,
 * its code and address, the program counter and a backtrace by frame pointers; then it ends the
 * process with the default action of recorder_ends_by(). The master reads the record after the
 * process has ended (crash/trace.h).
 *
 * A process with a fault ends by SIGABRT. If the wait status is the fault itself, the recorder
 * could not run: the kernel ends a process by a fault that strikes inside a handler, or if the
 * handler cannot start (signal(7)).
 *
 * It runs on its own stack and calls only what is async-signal-safe (signal-safety(7)) and what the
 * sandbox allows. It reads memory that the crash may have damaged only after the signal is
 * recorded, so a crash inside the recorder loses the backtrace and nothing else.
 *
 *   recorder_install()  in the main thread, before there are others and before the seal
 *   recorder_thread()   in each further thread, before the seal
 *   recorder_close()    once all threads run: makes the recorder's own data read-only
 */
#ifndef CRASH_RECORDER_H
#define CRASH_RECORDER_H

#include <signal.h>

#include "ipc/slot.h"

#define RECORDER_LOOPS_MAX 64

/* Records the modules and takes over the signals; the calling thread belongs to slot 0. The board
 * must stay mapped to the end of the process. Returns 0 or -errno. */
int recorder_install(struct ipc_board *, unsigned loops);
int recorder_thread(unsigned loop); /* 0 or -errno */
int recorder_close(void);           /* 0 or -errno */

/* The recorded signals, ended by 0: faults of the program, SIGABRT and SIGSYS. */
extern const int recorder_signals[];

/* The wait status of a process whose recorder has recorded this signal. */
static inline int recorder_ends_by(int number)
{
	return number == SIGSYS ? SIGSYS : SIGABRT;
}

#endif
