/*
 * The worker role: serves one port, alone or in a pool.
 *
 *   starting ──READY──> serving ──DRAIN, SIGTERM──> draining ──last connection──> exit 0
 *      └── FAILED, exit EX_CONFIG                       (the master's end: exit, at once)
 *
 * It is begun by the master with a channel as descriptor 3 and everything else in the first
 * message on it (struct ipc_start).
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>

#include "role/role.h"

/* Was this built with THREADS=1? */
extern const bool worker_threads_built;

/* Goes on from role_begin(); returns the exit status (sysexits(3)). */
int worker_main(struct role *);

#endif
