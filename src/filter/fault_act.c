/*
 * Runs in the workers of ports that have faults: faults of the process itself. It makes only system
 * calls that a sealed worker may make, except for the fault that violates this on purpose. Must
 * never be reached in any other port.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "fault_run.h"

#define NAP_MS 100

/* Unblocks the signal first: a blocked one, such as SIGTERM, would stay pending for ever. */
static void signal_self(int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)raise(number);
}

/* The following bugs are on purpose. volatile keeps the compiler from optimizing them away. */

static void null_write(void)
{
	volatile int *volatile nowhere = NULL;
	__atomic_store_n(nowhere, 1, __ATOMIC_RELAXED);
}

static void heap_corrupt(void)
{
	volatile size_t size = 4096;
	char *first = malloc(2000), *second = malloc(2000);
	if (first != NULL && second != NULL)
		memset(first, 0x41, size);
	free(first);
	free(second);
	abort(); /* in case the allocator has not noticed */
}

static __attribute__((noinline)) char stack_corrupt(void)
{
	volatile char small[16];
	volatile size_t size = 512;
	for (size_t i = 0; i < size; i++)
		small[i] = 0x41;
	return small[0];
}

static void crash(const struct fault *f)
{
	switch ((enum fault_crash)f->how) {
	case FAULT_BY_SIGNAL:
		signal_self(fault_signal(f));
		break;
	case FAULT_BY_NULL:
		null_write();
		break;
	case FAULT_BY_HEAP:
		heap_corrupt();
		break;
	case FAULT_BY_STACK:
		(void)stack_corrupt();
		break;
	}
}

/* NULL: no limit. */
static const struct timespec *time_left(uint64_t until_ms, struct timespec *left)
{
	uint64_t now_ms = clock_ms(), ms = until_ms > now_ms ? until_ms - now_ms : 0;
	if (until_ms == UINT64_MAX)
		return NULL;
	*left = (struct timespec){.tv_sec = (time_t)(ms / 1000),
				  .tv_nsec = (long)(ms % 1000) * 1000000};
	return left;
}

static void hang(const struct fault *f)
{
	uint64_t until_ms = f->for_ms != 0 ? clock_ms() + f->for_ms : UINT64_MAX;
	uint32_t lock = 1;
	struct timespec left;
	while (clock_ms() < until_ms) {
		switch ((enum fault_hang)f->how) {
		case FAULT_BY_LOOP:
			break;
		case FAULT_BY_SLEEP:
			(void)poll(NULL, 0, NAP_MS);
			break;
		case FAULT_BY_SYSCALL:
			(void)ppoll(NULL, 0, time_left(until_ms, &left), NULL);
			break;
		case FAULT_BY_DEADLOCK: /* what a mutex waits with; nobody releases this one */
			(void)syscall(SYS_futex, &lock, FUTEX_WAIT_PRIVATE, lock,
				      time_left(until_ms, &left), NULL, 0);
			break;
		}
	}
}

static void violate(const struct fault *f)
{
	static const char shell[] = "/bin/sh";
	switch ((enum fault_violation)f->call) {
	case FAULT_CALL_SOCKET:
		(void)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
		break;
	case FAULT_CALL_OPEN:
		(void)syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
		break;
	case FAULT_CALL_EXECVE:
		(void)syscall(SYS_execve, shell, (char *[]){NULL}, (char *[]){NULL});
		break;
	case FAULT_CALL_PTRACE:
		(void)syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL);
		break;
	case FAULT_CALL_KILL:
		(void)syscall(SYS_kill, getpid(), 0);
		break;
	}
}

void fault_act(const struct fault *f)
{
	switch (f->kind) {
	case FAULT_CRASH:
		crash(f);
		break;
	case FAULT_ABORT:
		abort();
	case FAULT_EXIT:
		_exit((int)f->status);
	case FAULT_STOP:
		signal_self(SIGSTOP);
		break;
	case FAULT_HANG:
		hang(f);
		break;
	case FAULT_VIOLATION:
		violate(f);
		break;
	case FAULT_LEAK_MEMORY: /* these are not faults of the process */
	case FAULT_LEAK_DESCRIPTORS:
	case FAULT_RESET:
	case FAULT_TRUNCATE:
	case FAULT_DRIP:
	case FAULT_DELAY:
	case FAULT_STATUS:
	case FAULT_MALFORMED:
	case FAULT_HANDSHAKE:
	case FAULT_CERTIFICATE:
	case FAULT_KEYHOLDER:
	case FAULT_UPSTREAM:
	case FAULT_KINDS:
		break;
	}
}
