/*
 * For builds with SAN=..., in place of calls_extra_none.c. Runs in every role; must never be in a
 * program that serves real clients. It allows what the sanitizers' run-time needs for its reports
 * and, at the end of the process, to look for leaks (a clone that traces its parent and reads
 * /proc).
 */
#include "internal.h"

#define ALWAYS(name)                 \
	{                            \
		.call = { name, "" } \
	}

const bool calls_sanitized = true;

const struct rule calls_extra[] = {
    /* the leak check: a clone that traces its parent */
    ALWAYS("clone"),
    ALWAYS("clone3"),
    ALWAYS("ptrace"),
    ALWAYS("wait4"),
    ALWAYS("prctl"),
    ALWAYS("arch_prctl"),
    ALWAYS("getppid"),
    ALWAYS("personality"),
    ALWAYS("process_vm_readv"),
    ALWAYS("sigaltstack"),
    ALWAYS("rt_sigaction"),
    /* the mapped memory and the threads */
    ALWAYS("open"),
    ALWAYS("openat"),
    ALWAYS("readlink"),
    ALWAYS("readlinkat"),
    ALWAYS("stat"),
    ALWAYS("lstat"),
    ALWAYS("fstat"),
    ALWAYS("newfstatat"),
    ALWAYS("access"),
    ALWAYS("faccessat"),
    ALWAYS("getdents"),
    ALWAYS("getdents64"),
    ALWAYS("lseek"),
    ALWAYS("getcwd"),
    /* reports */
    ALWAYS("fcntl"),
    ALWAYS("dup"),
    ALWAYS("pipe2"),
    ALWAYS("ioctl"),
    ALWAYS("uname"),
    ALWAYS("getuid"),
    ALWAYS("getrusage"),
    ALWAYS("getrlimit"),
    ALWAYS("prlimit64"),
    ALWAYS("kill"),
    ALWAYS("tkill"),
    /* threads of the run-time */
    ALWAYS("sched_yield"),
    ALWAYS("nanosleep"),
    ALWAYS("clock_nanosleep"),
    ALWAYS("membarrier"),
    ALWAYS("set_robust_list"),
    ALWAYS("rseq"),
    /* what they do all the time, for a process whose own list does not have it */
    ALWAYS("gettimeofday"),
    ALWAYS("clock_gettime"),
    ALWAYS("mmap"),
    ALWAYS("munmap"),
    ALWAYS("mprotect"),
    ALWAYS("madvise"),
    ALWAYS("futex"),
    ALWAYS("getpid"),
    ALWAYS("gettid"),
    ALWAYS("rt_sigprocmask"),
    ALWAYS("rt_sigreturn"),
    ALWAYS("write"),
    ALWAYS("exit"),
};
const size_t calls_extra_count = sizeof(calls_extra) / sizeof(calls_extra[0]);

const char *const calls_not_denied[] = {"ptrace", "personality", "clone3", "process_vm_readv",
					NULL};
