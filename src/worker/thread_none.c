/* The default build: a worker is one process with one loop. */
#include "worker/loop.h"
#include "worker/worker.h"

const bool worker_threads_built = false;

void worker_threads_start(struct worker *w)
{
	(void)w;
}

void worker_threads_run(struct worker *w)
{
	worker_loop_run(&w->loops[0]);
}
