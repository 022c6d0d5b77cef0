/* Runs in the worker's loops; each may judge, by numbers that the others write. Must never end the
 * process itself: the main loop finishes its requests first. */
#include "worker/lack.h"

#include <signal.h>
#include <sys/syslog.h>
#include <unistd.h>

static struct holding held(const struct worker *w)
{
	struct holding sum = {0};
	for (unsigned i = 0; i < w->loops_count; i++)
		holdings_add_up(&w->loops[i].holdings, &sum);
	return sum;
}

bool lack_descriptors_leaked(const struct worker *w)
{
	return w->descriptors_own + held(w).descriptors < w->descriptors_max;
}

/*
 * The memory of connections, and of most other things, is only known by its upper bound, and few
 * reach it; but as a leak grows, less and less fits, so the leak is found in the end. The C
 * library's reserve of one thread is not available to the others, even if nothing is held.
 */
bool lack_memory_leaked(const struct worker *w)
{
	const uint64_t limit = w->port->limits.memory_bytes;
	const uint64_t parts = held(w).memory_bytes;
	const uint64_t used = w->memory_own + (w->loops_count - 1) * CONF_THREAD_MEMORY + parts;
	return limit > 0 && (used < limit || (parts == 0 && w->loops_count == 1));
}

enum ipc_lack lack_of(const struct worker *w)
{
	for (unsigned i = 0; i < w->loops_count; i++) {
		uint32_t lack = __atomic_load_n(&w->role->slots[i].lack, __ATOMIC_RELAXED);
		if (lack != IPC_LACK_NONE)
			return (enum ipc_lack)lack;
	}
	return IPC_LACK_NONE;
}

/* The main loop must begin the drain, so this sends the process the SIGTERM that asks for one. */
void lack_declare(struct worker_loop *l, enum ipc_lack lack)
{
	if (lack_of(l->worker) != IPC_LACK_NONE)
		return;
	__atomic_store_n(&l->slot->lack, (uint32_t)lack, __ATOMIC_RELAXED);
	log_write(&l->log, LOG_ERR, "%s; another worker takes over",
		  lack == IPC_LACK_MEMORY ? "out of memory"
					  : "descriptors are used up, but not by connections");
	(void)tgkill(getpid(), getpid(), SIGTERM);
}
