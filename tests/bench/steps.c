/*
 * Counts the instructions that a process executes, one by one: where there are no hardware
 * counters, and for a process that no simulator can run, since it is confined. Attaches to PID,
 * says "ready", counts until standard input ends, and prints the number (ptrace(2),
 * PTRACE_SINGLESTEP; a system call is one).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = end};
	unsigned long long steps = 0;
	pid_t pid = argc == 2 ? (pid_t)atoi(argv[1]) : 0;
	int status;
	if (pid <= 0) {
		fputs("usage: steps PID\n", stderr);
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
		steps++;
	}
	printf("%llu\n", steps);
	return 0;
}
