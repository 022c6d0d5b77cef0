/*
 * Runs in the master, once a second: applies watch.c. It reads what the loops report about their
 * turns; a child with false reports only harms itself.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/num.h"
#include "master/child/child.h"

/* Aborts the thread that hangs, whose stack is of interest. The number comes from the child, but
 * the kernel accepts it only for a thread of that process. */
static void abort_child(const struct child *c)
{
	const int thread = ipc_view_thread(&c->view, c->watch.loop);
	child_signal(c, c->watch.was_stopped || thread <= 0 ? 0 : thread, SIGABRT);
	if (c->watch.was_stopped)
		child_signal(c, 0, SIGCONT);
}

/* A turn of a verifier is a hash, of a second's work, on a processor that workers may need, too. */
uint64_t child_watchdog_ms(const struct child *c)
{
	const uint64_t ms = c->port->conf->watchdog_ms;
	return c->role == IPC_VERIFIER && ms > 0 && ms < HASH_TIMEOUT_MS ? HASH_TIMEOUT_MS : ms;
}

static void look(struct child *c, uint64_t elapsed_ms)
{
	uint64_t turns[CONF_THREADS_MAX];
	for (unsigned i = 0; i < c->loops; i++) {
		/* It is crashing already; writing a core can take long. */
		if (ipc_view_crash_signal(&c->view, i) != 0 && c->watch.verdict == WATCH_FINE)
			return;
		turns[i] = ipc_view_busy_since(&c->view, i);
	}
	switch (watch_look(&c->watch, turns, elapsed_ms, child_watchdog_ms(c))) {
	case WATCH_FINE:
		break;
	case WATCH_ABORTED:
		child_log(c, LOG_ERR, "%s; aborting it",
			  c->watch.was_stopped ? "is stopped" : "hangs");
		abort_child(c);
		break;
	case WATCH_KILLED:
		child_log(c, LOG_ERR, "cannot be aborted; killing it");
		child_signal(c, 0, SIGKILL);
		break;
	}
}

void watchdog_look(struct master *m, uint64_t elapsed_ms)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++) {
			struct child *c = &m->ports[i]->children[k];
			/* A starting process has no turns yet, but it may be stopped. */
			if (c->state != CHILD_NONE)
				look(c, elapsed_ms);
		}
}
