/*
 * Runs in a worker or keyholder that makes a system call it may not make: by mistake, or because
 * somebody else has taken it over. Must never return to what made the call, nor rely on anything of
 * the process but its own pointer.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "internal.h"

/* The one variable of the process outside of any loop: a signal handler is handed nothing. It is
 * written before the handler exists and never again. */
static uint64_t *slot;

/* With SIGSYS blocked, as it is in here, a second trapped call makes the kernel end the process by
 * SIGSYS, which is what its parent is to see. getsid() is harmless and in no table. */
static void record(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if (slot != NULL)
		__atomic_store_n(slot, (uint64_t)(unsigned)info->si_syscall + 1, __ATOMIC_RELAXED);
	(void)syscall(SYS_getsid, 0);
	_exit(EX_SOFTWARE);
}

int violation_prepare(uint64_t *violation)
{
	struct sigaction action = {.sa_sigaction = record,
				   .sa_flags = SA_SIGINFO | (int)SA_RESETHAND};
	slot = violation;
	sigfillset(&action.sa_mask);
	return sigaction(SIGSYS, &action, NULL) < 0 ? -errno : 0;
}
