/*
 * Built with THREADS=1: a worker runs several loops, each on its own thread. The loops share only
 * descriptors and data that is not written while they serve (configuration, routes).
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "crash/recorder.h"
#include "worker/loop.h"
#include "worker/worker.h"

const bool worker_threads_built = true;

/*
 * The threads are made before the process is sealed, because the seal forbids making them, and they
 * wait for it. Each must have begun to run, because the C library makes calls at the start of a
 * thread that the seal forbids.
 */
struct threads {
	pthread_barrier_t running, sealed;
	pthread_t list[WORKER_LOOPS_MAX];
};

static void *thread_main(void *arg)
{
	struct worker_loop *l = arg;
	struct threads *t = l->worker->threads;
	int error = recorder_thread(l->index);
	if (error < 0)
		role_fail(l->worker->role, role_status(l->worker->role, -error),
			  "cannot record crashes of thread %u: %s", l->index + 1, strerror(-error));
	(void)pthread_barrier_wait(&t->running);
	(void)pthread_barrier_wait(&t->sealed);
	worker_loop_run(l);
	return NULL;
}

void worker_threads_start(struct worker *w)
{
	struct threads *t = calloc(1, sizeof(*t));
	if (t == NULL || pthread_barrier_init(&t->running, NULL, w->loops_count) != 0 ||
	    pthread_barrier_init(&t->sealed, NULL, w->loops_count) != 0)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	w->threads = t;
	for (unsigned i = 1; i < w->loops_count; i++) {
		int error = pthread_create(&t->list[i], NULL, thread_main, &w->loops[i]);
		if (error != 0)
			role_fail(w->role, role_status(w->role, error),
				  "cannot start thread %u: %s", i + 1, strerror(error));
	}
	(void)pthread_barrier_wait(&t->running);
}

void worker_threads_run(struct worker *w)
{
	struct threads *t = w->threads;
	(void)pthread_barrier_wait(&t->sealed);
	worker_loop_run(&w->loops[0]);
	for (unsigned i = 1; i < w->loops_count; i++)
		(void)pthread_join(t->list[i], NULL);
	(void)pthread_barrier_destroy(&t->running);
	(void)pthread_barrier_destroy(&t->sealed);
	free(t);
	w->threads = NULL;
}
