/*
 * Built with THREADS=1: a worker runs several loops, each on a thread of its own. The loops share
 * only what nobody writes while serving (configuration, routes, certificates) and descriptors.
 */
#include <pthread.h>
#include <string.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "worker/loop.h"
#include "worker/worker.h"

const bool worker_threads_built = true;

static void *thread_main(void *arg)
{
	worker_loop_run(arg);
	return NULL;
}

void worker_threads_run(struct worker *w)
{
	pthread_t threads[WORKER_LOOPS_MAX];
	for (unsigned i = 1; i < w->loops_count; i++) {
		int error = pthread_create(&threads[i], NULL, thread_main, &w->loops[i]);
		if (error != 0) {
			log_write(&w->loops[0].log, LOG_CRIT, "cannot start thread %u: %s", i + 1,
				  strerror(error));
			_exit(1); /* the master starts it anew */
		}
	}
	worker_loop_run(&w->loops[0]);
	for (unsigned i = 1; i < w->loops_count; i++)
		(void)pthread_join(threads[i], NULL);
}
