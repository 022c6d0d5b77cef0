/*
 * The worker role: serves one port, alone or in a pool.
 *
 *   starting ──READY──> serving ──DRAIN, SIGTERM──> draining ──last connection──> exit 0
 *      └── FAILED, exit EX_CONFIG                       (the master dies: exit at once)
 *
 * The master starts it with a channel as descriptor 3; everything else comes in the first message
 * on that channel (struct ipc_start).
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>

#include "role/role.h"

/* True if the program was built with THREADS=1. */
extern const bool worker_threads_built;

/* Continues after role_begin(); returns the exit status (sysexits(3)). */
int worker_main(struct role *);

#endif
