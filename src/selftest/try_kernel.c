/* Runs in a child of the selftest's master, on order. Must never do harm if an attempt succeeds: it
 * runs "bulkhead --version", changes only itself, or only asks. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "ipc/tickets.h"

/* --- more processes and memory ---------------------------------------------------------------- */

/* Uses the system call itself, since that is what must be refused; the child runs no library
 * code. */
int try_fork(struct agent *a, const struct order *o)
{
	long pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
	(void)a;
	(void)o;
	if (pid == 0)
		_exit(0);
	return attempt_result(pid);
}

int try_exec(struct agent *a, const struct order *o)
{
	static const char *const argv[] = {"bulkhead", "--version", NULL};
	static const char *const envp[] = {NULL};
	(void)o;
	return attempt_result(syscall(SYS_execveat, a->exe_fd, "", argv, envp, AT_EMPTY_PATH));
}

int try_memfd(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_memfd_create, "selftest", 0));
}

int try_map_exec(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_mmap, NULL, 4096L, PROT_READ | PROT_WRITE | PROT_EXEC,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L));
}

/* Maps memory for which the kernel would end other processes: it counts for no process, or cannot
 * be reclaimed. */
static int map_with(int flags)
{
	return attempt_result(
	    syscall(SYS_mmap, NULL, 4096L, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1L, 0L));
}

int try_map_shared(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return map_with(MAP_SHARED);
}

int try_map_huge(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return map_with(MAP_PRIVATE | MAP_HUGETLB);
}

int try_map_locked(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return map_with(MAP_PRIVATE | MAP_LOCKED);
}

/* A worker that writes its own key into it would make all workers of the port use that key. */
int try_map_tickets(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_mmap, NULL, (long)sizeof(struct ipc_tickets),
				      PROT_READ | PROT_WRITE, MAP_SHARED, (long)a->tickets_fd, 0L));
}

int try_protect_tickets(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(
	    syscall(SYS_mprotect, a->tickets, sizeof(struct ipc_tickets), PROT_READ | PROT_WRITE));
}

int try_protect_exec(struct agent *a, const struct order *o)
{
	const uintptr_t page = (uintptr_t)a->maps & ~(uintptr_t)0xffff;
	(void)o;
	return attempt_result(
	    syscall(SYS_mprotect, page + 0x10000, 0x10000L, PROT_READ | PROT_WRITE | PROT_EXEC));
}

int try_dumpable(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
}

/* --- more rights ------------------------------------------------------------------------------ */

int try_setuid(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_setuid, 0));
}

int try_namespace(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_unshare, CLONE_NEWUSER));
}

/* Mounts on its own root: an empty directory, or one that a user may not mount on. */
int try_mount(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_mount, "none", "/", "tmpfs", 0L, NULL));
}

static int raise_limit(int resource)
{
	struct rlimit limit;
	if (syscall(SYS_prlimit64, 0, resource, NULL, &limit) < 0)
		return -errno;
	limit.rlim_cur = ++limit.rlim_max;
	return attempt_result(syscall(SYS_prlimit64, 0, resource, &limit, NULL));
}

int try_raise_files(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return raise_limit(RLIMIT_NOFILE);
}

int try_raise_processes(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return raise_limit(RLIMIT_NPROC);
}

/* --- rare ways into the kernel ---------------------------------------------------------------- */

int try_io_uring(struct agent *a, const struct order *o)
{
	struct io_uring_params p = {0};
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_io_uring_setup, 1, &p));
}

int try_bpf(struct agent *a, const struct order *o)
{
	uint64_t nothing[16] = {0};
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_bpf, 0, nothing, sizeof(nothing)));
}

int try_perf(struct agent *a, const struct order *o)
{
	uint64_t nothing[16] = {0};
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_perf_event_open, nothing, 0, -1, -1, 0));
}

int try_userfaultfd(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_userfaultfd, O_CLOEXEC));
}

int try_keyctl(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(
	    syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0));
}

int try_terminal(struct agent *a, const struct order *o)
{
	const char typed = '\n';
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_ioctl, STDIN_FILENO, TIOCSTI, &typed));
}

/* --- numbers of other ABIs -------------------------------------------------------------------- */

#ifdef __x86_64__

int try_32bit(struct agent *a, const struct order *o)
{
	long result = 20; /* getpid */
	(void)a;
	(void)o;
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	return result < 0 ? (int)result : 0;
}

int try_x32(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(0x40000000L | SYS_getpid));
}

#else /* a machine with other ABIs, or none */

int try_32bit(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return -ENOTSUP;
}

int try_x32(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return -ENOTSUP;
}

#endif
