/* master/cause: every way to end, classified and put into words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sysexits.h>

#include "master/pure/cause.h"

#define PID       4242
#define EXITED(n) ((n) << 8)

static void assert_end(const struct end *e, enum cause cause, enum restart_cause restart,
		       const char *words)
{
	char line[512];
	struct text t;
	text_init(&t, line, sizeof(line));
	cause_describe(e, &t);
	assert_string_equal(line, words);
	assert_string_equal(cause_name(cause_of(e)), cause_name(cause));
	assert_int_equal(cause_for_restart(e), restart);
}

static void exits_are_told_apart(void **state)
{
	struct end e = {.pid = PID, .status = EXITED(0)};
	(void)state;
	assert_end(&e, CAUSE_DRAINED, RESTART_DIED, "drained"); /* the master did not order it */
	e.status = EXITED(EX_TEMPFAIL);
	assert_end(&e, CAUSE_DRAINED, RESTART_DIED, "did not finish draining in time");
	e.told = true;
	assert_end(&e, CAUSE_DRAINED, RESTART_DRAINED, "did not finish draining in time");
	e.status = EXITED(EX_OK);
	assert_end(&e, CAUSE_DRAINED, RESTART_DRAINED, "drained");
	e.told = false;
	e.starting = true;
	assert_end(&e, CAUSE_EXIT, RESTART_DIED, "ended with status 0");
	e.status = EXITED(EX_TEMPFAIL); /* it names what the machine lacks */
	assert_end(&e, CAUSE_EXIT, RESTART_SHORTAGE, "ended with status 75");
	e.starting = false;
	e.status = EXITED(EX_CONFIG);
	assert_end(&e, CAUSE_CONFIGURATION, RESTART_CONFIG, "ended with status 78 (configuration)");
	e.told = true; /* it is being replaced, and its files do not fit any more */
	assert_end(&e, CAUSE_CONFIGURATION, RESTART_DRAINED,
		   "ended with status 78 (configuration)");
	e.status = EXITED(3);
	assert_end(&e, CAUSE_EXIT, RESTART_DIED, "ended with status 3");
}

static void a_lack_is_told_by_the_child_alone(void **state)
{
	struct end e = {.pid = PID, .status = EXITED(EX_OSERR), .lack = IPC_LACK_MEMORY};
	(void)state;
	assert_end(&e, CAUSE_MEMORY, RESTART_DIED, "ran out of memory");
	e.memory_bytes = 64 << 20;
	assert_end(&e, CAUSE_MEMORY, RESTART_DIED, "ran out of memory (limits memory 64M)");
	e.lack = IPC_LACK_DESCRIPTORS;
	assert_end(&e, CAUSE_DESCRIPTORS, RESTART_DIED, "ran out of descriptors");
	e.lack = IPC_LACK_NONE;
	assert_end(&e, CAUSE_EXIT, RESTART_DIED, "ended with status 71");
	e.lack = IPC_LACK_MEMORY; /* but another cause ended it */
	e.status = SIGKILL;
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed from outside by SIGKILL");
}

static void crashes_are_its_own_making(void **state)
{
	struct end e = {.pid = PID,
			.status = SIGABRT,
			.crash = {.signal = SIGSEGV, .code = SEGV_MAPERR, .address = 16}};
	(void)state;
	assert_end(&e, CAUSE_CRASH, RESTART_DIED, "crashed by SIGSEGV (address not mapped: 0x10)");
	assert_int_equal(cause_signal(&e), SIGSEGV);
	e.status |= 0x80; /* with a core */
	assert_end(&e, CAUSE_CRASH, RESTART_DIED, "crashed by SIGSEGV (address not mapped: 0x10)");
	e.status = SIGABRT;
	e.crash = (struct ipc_crash){.signal = SIGABRT, .code = SI_TKILL, .sender_pid = PID};
	assert_end(&e, CAUSE_CRASH, RESTART_DIED, "crashed by SIGABRT");
	assert_int_equal(cause_signal(&e), SIGABRT);
}

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* The kernel ends a process by a fault only if the recorder's handler does not run to its end.
 * Whatever the record says then, the process may have made a forbidden call. */
static void an_end_that_the_recorder_did_not_bring_about_counts_as_a_forbidden_call(void **state)
{
	const struct ipc_crash records[] = {
	    {.signal = 0},
	    {.signal = SIGSEGV, .code = SEGV_MAPERR, .address = 16},
	    {.signal = SIGABRT, .code = SI_TKILL, .sender_pid = PID},
	    {.signal = SIGSEGV, .code = SI_USER, .sender_pid = 1},
	    {.signal = SIGSYS, .code = 1, .call = SYS_socket},
	    {.signal = SIGSYS, .code = SI_USER, .sender_pid = 1},
	    {.signal = SIGKILL},
	    {.signal = -1},
	    {.signal = INT32_MAX, .code = INT32_MIN},
	};
	(void)state;
	for (size_t i = 0; i < FAULTS; i++)
		for (size_t k = 0; k < sizeof(records) / sizeof(records[0]); k++) {
			const struct end e = {.pid = PID, .status = faults[i], .crash = records[k]};
			assert_int_equal(cause_for_restart(&e), RESTART_VIOLATION);
		}
}

static void an_end_without_a_record_says_so(void **state)
{
	struct end e = {.pid = PID, .status = SIGBUS};
	(void)state;
	assert_end(&e, CAUSE_CRASH, RESTART_VIOLATION,
		   "crashed by SIGBUS, and its crash recorder could not run");
	assert_int_equal(cause_signal(&e), SIGBUS);
	e.status |= 0x80;
	assert_end(&e, CAUSE_CRASH, RESTART_VIOLATION,
		   "crashed by SIGBUS, and its crash recorder could not run");
	e.status = SIGABRT;
	assert_end(&e, CAUSE_CRASH, RESTART_VIOLATION,
		   "crashed by SIGABRT, and its crash recorder could not run");
	e.status = SIGBUS;
	e.crash = (struct ipc_crash){.signal = SIGABRT, .code = SI_TKILL, .sender_pid = PID};
	assert_end(&e, CAUSE_CRASH, RESTART_VIOLATION,
		   "crashed by SIGABRT, and by SIGBUS while that was being recorded");
	e.crash.signal = 0;
	e.starting = true; /* there may be no recorder yet, and it has died quickly anyway */
	assert_end(&e, CAUSE_CRASH, RESTART_DIED, "crashed by SIGBUS");
}

/* A full signal queue drops the sender of abort(3)'s signal; process 0 has sent nothing. */
static void a_sender_that_the_kernel_could_not_keep_is_not_made_up(void **state)
{
	struct end e = {.pid = PID, .status = SIGABRT, .crash = {.signal = SIGABRT}};
	(void)state;
	assert_end(&e, CAUSE_CRASH, RESTART_DIED, "crashed by SIGABRT (sender unknown)");
	for (size_t i = 0; i < FAULTS; i++) {
		e.crash.signal = faults[i];
		assert_int_equal(cause_of(&e), CAUSE_CRASH);
		assert_int_equal(cause_signal(&e), faults[i]);
	}
	e.crash = (struct ipc_crash){.signal = SIGABRT, .code = SI_QUEUE};
	assert_end(&e, CAUSE_CRASH, RESTART_DIED, "crashed by SIGABRT (sender unknown)");
	e.status = SIGSYS;
	e.crash = (struct ipc_crash){.signal = SIGSYS};
	assert_end(&e, CAUSE_SANDBOX, RESTART_VIOLATION,
		   "was ended by its sandbox for an unknown system call");
	e.status = SIGABRT; /* the watchdog's, by tgkill(2), too */
	e.watched = WATCH_ABORTED;
	e.watchdog_ms = 5000;
	e.crash = (struct ipc_crash){.signal = SIGABRT};
	assert_end(&e, CAUSE_WATCHDOG, RESTART_DIED,
		   "hung for more than 5s and was aborted by the "
		   "watchdog");
}

/* For every status and signal: an end that nobody ordered always has a consequence. */
static void every_end_that_nobody_asked_for_counts(void **state)
{
	struct end e = {.pid = PID};
	(void)state;
	for (int status = 0; status < 256; status++) {
		e.status = EXITED(status);
		assert_int_equal(cause_for_restart(&e),
				 status == EX_CONFIG ? RESTART_CONFIG : RESTART_DIED);
	}
	for (int number = 1; number <= 64; number++) {
		e.status = number;
		const enum restart_cause cause = cause_for_restart(&e);
		assert_true(cause == RESTART_DIED || cause == RESTART_VIOLATION);
	}
}

static void who_is_killed_is_told_by_whom(void **state)
{
	struct end e = {.pid = PID, .status = SIGKILL};
	(void)state;
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed from outside by SIGKILL");
	e.killed_for = "did not answer";
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed because it did not answer");
	e.oom = true;
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed because it did not answer");
	e.killed_for = NULL;
	assert_end(&e, CAUSE_MEMORY, RESTART_SHORTAGE,
		   "was killed by the kernel for lack of memory");
	e.oom = false;
	e.oom_uncounted = true;
	assert_end(&e, CAUSE_KILLED, RESTART_SHORTAGE,
		   "was killed by SIGKILL, for lack of memory or from outside");
	e.killed_for = "did not answer";
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed because it did not answer");
	e.killed_for = NULL;
	e.watched = WATCH_KILLED;
	assert_int_equal(cause_for_restart(&e), RESTART_DIED);
	e.watched = WATCH_FINE;
	e.status = SIGTERM; /* the out-of-memory killer has no other signal */
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed from outside by SIGTERM");
	e.oom_uncounted = false;
	e.status = SIGUSR2;
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed from outside by SIGUSR2");
	e.status = SIGABRT;
	e.crash = (struct ipc_crash){.signal = SIGSEGV, .code = SI_USER, .sender_pid = 1};
	assert_int_equal(cause_signal(&e), SIGSEGV);
	assert_end(&e, CAUSE_KILLED, RESTART_DIED,
		   "was killed from outside by SIGSEGV (sent by process 1 of user 0)");
	e.crash.signal = SIGBUS; /* not the kernel's word */
	e.status = SIGUSR2;
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed from outside by SIGUSR2");
	e.crash.signal = -1;
	e.status = SIGKILL;
	e.oom = false;
	assert_end(&e, CAUSE_KILLED, RESTART_DIED, "was killed from outside by SIGKILL");
}

static void a_sandbox_names_the_call(void **state)
{
	struct end e = {.pid = PID, .status = SIGSYS};
	char words[128];
	(void)state;
	assert_end(&e, CAUSE_SANDBOX, RESTART_VIOLATION,
		   "was ended by its sandbox for an unknown system call");
	e.crash = (struct ipc_crash){.signal = SIGSYS, .code = 1, .call = SYS_socket};
	(void)snprintf(words, sizeof(words),
		       "was ended by its sandbox for the system call socket (%d)", SYS_socket);
	assert_end(&e, CAUSE_SANDBOX, RESTART_VIOLATION, words);
	e.crash.code = SI_USER; /* its claim about a sender excuses nothing */
	e.crash.sender_pid = 1;
	assert_end(&e, CAUSE_SANDBOX, RESTART_VIOLATION,
		   "was ended by its sandbox for an unknown system call");
	e.crash.code = 1;
	e.status = SIGSEGV; /* it crashed during the recording */
	assert_end(&e, CAUSE_SANDBOX, RESTART_VIOLATION, words);
	e.status = SIGSYS;
	e.crash.call = -1; /* the child's word, any number */
	assert_end(&e, CAUSE_SANDBOX, RESTART_VIOLATION,
		   "was ended by its sandbox for the system call ? (-1)");
}

static void the_watchdog_comes_before_its_signal(void **state)
{
	struct end e = {.pid = PID,
			.status = SIGABRT,
			.watched = WATCH_ABORTED,
			.watchdog_ms = 5000,
			.crash = {.signal = SIGABRT, .code = SI_TKILL, .sender_pid = 1}};
	(void)state;
	assert_end(&e, CAUSE_WATCHDOG, RESTART_DIED,
		   "hung for more than 5s and was aborted by the "
		   "watchdog");
	e.status = SIGKILL;
	e.watched = WATCH_KILLED;
	e.was_stopped = true;
	assert_end(&e, CAUSE_WATCHDOG, RESTART_DIED,
		   "was stopped for more than 5s and was killed by the watchdog");
	e.status = SIGABRT; /* it took long to write its core */
	e.crash = (struct ipc_crash){.signal = SIGSEGV, .code = SEGV_MAPERR, .address = 16};
	assert_end(&e, CAUSE_CRASH, RESTART_DIED, "crashed by SIGSEGV (address not mapped: 0x10)");
	e.status = SIGKILL;
	e.killed_for = "did not answer";
	assert_end(&e, CAUSE_WATCHDOG, RESTART_DIED,
		   "was killed by the watchdog because it did not answer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exits_are_told_apart),
	    cmocka_unit_test(a_lack_is_told_by_the_child_alone),
	    cmocka_unit_test(crashes_are_its_own_making),
	    cmocka_unit_test(
		an_end_that_the_recorder_did_not_bring_about_counts_as_a_forbidden_call),
	    cmocka_unit_test(an_end_without_a_record_says_so),
	    cmocka_unit_test(a_sender_that_the_kernel_could_not_keep_is_not_made_up),
	    cmocka_unit_test(every_end_that_nobody_asked_for_counts),
	    cmocka_unit_test(who_is_killed_is_told_by_whom),
	    cmocka_unit_test(a_sandbox_names_the_call),
	    cmocka_unit_test(the_watchdog_comes_before_its_signal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
