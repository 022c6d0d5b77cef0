/* Runs in a child of the selftest's master, on order. Must never harm the target process: an
 * attempt that succeeds reads, or sends signal 0. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent.h"

/* Any mapped address will do. The master's are unknown, but permission is checked before the
 * address. */
static int transfer(long call, const struct order *o)
{
	uint64_t room = 0;
	struct iovec here = {&room, sizeof(room)};
	struct iovec there = {(void *)(uintptr_t)o->address, sizeof(room)};
	return attempt_result(syscall(call, o->pid, &here, 1, &there, 1, 0));
}

int try_vm_read(struct agent *a, const struct order *o)
{
	(void)a;
	return transfer(SYS_process_vm_readv, o);
}

int try_vm_write(struct agent *a, const struct order *o)
{
	(void)a;
	return transfer(SYS_process_vm_writev, o);
}

int try_ptrace(struct agent *a, const struct order *o)
{
	(void)a;
	return attempt_result(syscall(SYS_ptrace, PTRACE_SEIZE, o->pid, NULL, NULL));
}

int try_kill(struct agent *a, const struct order *o)
{
	(void)a;
	return attempt_result(syscall(SYS_kill, o->pid, 0));
}

int try_tgkill(struct agent *a, const struct order *o)
{
	(void)a;
	return attempt_result(syscall(SYS_tgkill, o->pid, o->pid, 0));
}

static int with_pidfd(const struct order *o, long call, long argument2, long argument3)
{
	long fd = syscall(SYS_pidfd_open, o->pid, 0);
	if (fd < 0)
		return -errno;
	int result = attempt_result(syscall(call, fd, argument2, argument3, 0));
	(void)syscall(SYS_close, fd);
	return result;
}

int try_pidfd_steal(struct agent *a, const struct order *o)
{
	(void)a;
	return with_pidfd(o, SYS_pidfd_getfd, STDERR_FILENO, 0);
}

int try_pidfd_signal(struct agent *a, const struct order *o)
{
	(void)a;
	return with_pidfd(o, SYS_pidfd_send_signal, 0, 0);
}

int try_setns(struct agent *a, const struct order *o)
{
	(void)a;
	return with_pidfd(o, SYS_setns, CLONE_NEWNET, 0);
}

#define QUEUED_TRIES 1000

/* Queues the first real-time signal again and again; blocked, so that it is harmless if it
 * succeeds. */
int try_signal_queue(struct agent *a, const struct order *o)
{
	const int number = 34; /* the first that the C library does not use */
	sigset_t set;
	(void)a;
	(void)o;
	sigemptyset(&set);
	sigaddset(&set, number);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < QUEUED_TRIES; i++)
		if (syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number) < 0)
			return -errno;
	return 0;
}

/* Makes a forbidden call after the record was changed to look like that of a crash, so that no more
 * can be recorded. */
int try_recorder_lost(struct agent *a, const struct order *o)
{
	struct ipc_crash *c = &a->board->slots[0].crash;
	(void)o;
	c->code = SEGV_MAPERR;
	c->signal = SIGSEGV;
	(void)syscall(SYS_munmap, a->board, sizeof(*a->board));
	return attempt_result(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
}
