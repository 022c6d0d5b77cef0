/*
 * A worker that lacks memory or descriptors which nothing of its work accounts for has lost them to
 * a leak, and gives up; src/worker only.
 *
 * What its work accounts for is what the parts of its loops hold (base/holding.h).
 */
#ifndef WORKER_LACK_H
#define WORKER_LACK_H

#include "worker/loop.h"

/* Are all descriptors in use, although the parts of the loops hold fewer? */
bool lack_descriptors_leaked(const struct worker *);
/* The same for memory. */
bool lack_memory_leaked(const struct worker *);

/* From any loop: this worker ran out of something that it will not get back. It finishes what it
 * can within a second, and the port gets another worker. */
void lack_declare(struct worker_loop *, enum ipc_lack);
/* What was declared. */
enum ipc_lack lack_of(const struct worker *);

#endif
