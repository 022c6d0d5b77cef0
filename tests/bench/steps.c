/*
 * Counts the instructions that a process executes, one by one: where there are no hardware
 * counters, and for a process that no simulator can run, since it is confined. Attaches to PID,
 * says "ready", counts until standard input ends, and prints the number (ptrace(2),
 * PTRACE_SINGLESTEP; a system call is one). In FILE, which has eight bytes, others can read the
 * number so far at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "steps: %s: %s\n", what, strerror(errno));
	exit(1);
}

static volatile uint64_t *counter_shared(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		fail(path);
	return p;
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = end};
	static volatile uint64_t own;
	volatile uint64_t *steps = argc == 3 ? counter_shared(argv[2]) : &own;
	pid_t pid = argc == 2 || argc == 3 ? (pid_t)atoi(argv[1]) : 0;
	int status;
	if (pid <= 0) {
		fputs("usage: steps PID [FILE]\n", stderr);
		return 2;
	}
	(void)sigaction(SIGTERM, &action, NULL); /* interrupts the wait for a process that sleeps */
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0)
		fail("cannot attach");
	puts("ready");
	fflush(stdout);
	while (!ended) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
			fail("cannot step");
		if (waitpid(pid, &status, 0) < 0)
			break;
		if (!WIFSTOPPED(status)) {
			fputs("steps: the process has ended\n", stderr);
			return 1;
		}
		*steps = *steps + 1;
	}
	printf("%llu\n", (unsigned long long)*steps);
	return 0;
}
