/* crash: the recorder's record of each kind of crash, in processes that crash on purpose, and
 * the master's words for any record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/recorder.h"
#include "crash/symbol.h"
#include "crash/trace.h"

#define LOOPS 8

static struct ipc_board *board;

/* --- crashing --------------------------------------------------------------------------------- */

/* Crashes in a child under the recorder: its wait status. */
static int crash_by(void (*how)(void))
{
	int status;
	memset(board, 0, sizeof(*board) + LOOPS * sizeof(board->slots[0]));
	pid_t pid = fork();
	if (pid == 0) {
		alarm(60);
		if (recorder_install(board, LOOPS) < 0)
			_exit(1);
		how();
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static volatile uintptr_t nowhere = 8;

static __attribute__((noinline, no_sanitize("undefined", "address"))) void dereference(void)
{
	*(volatile int *)nowhere = 1;
}

static __attribute__((noinline)) void caller(void)
{
	dereference();
	__asm__ volatile(""); /* no tail call */
}

static __attribute__((noinline)) void close_and_call(void)
{
	if (recorder_close() == 0)
		caller();
	__asm__ volatile("");
}

static void overflow_stack(void);
static void (*volatile again)(void) = overflow_stack;

static __attribute__((noinline, no_sanitize("address"))) void overflow_stack(void)
{
	volatile char room[4096];
	room[0] = 1;
	again();
	nowhere = (uintptr_t)room[0];
}

/* As after a smashed stack: the chain of frames leads anywhere. */
static __attribute__((noinline, no_sanitize("undefined", "address"))) void lose_frame(void)
{
#ifdef __x86_64__
	__asm__ volatile("movq $0x7fffffff0000, %%rbp; movl $1, 8" ::: "memory");
#else
	dereference();
#endif
}

static void lose_stack(void)
{
#ifdef __x86_64__
	__asm__ volatile("movq $64, %%rsp; movq $64, %%rbp; pushq %%rax" ::: "memory");
#else
	dereference();
#endif
}

static void *crash_in_thread(void *arg)
{
	(void)arg;
	if (recorder_thread(1) == 0)
		dereference();
	return NULL;
}

static void crash_second_thread(void)
{
	pthread_t thread;
	(void)pthread_create(&thread, NULL, crash_in_thread, NULL);
	(void)pthread_join(thread, NULL);
}

static pthread_barrier_t all_there;

static void *crash_with_others(void *loop)
{
	if (recorder_thread((unsigned)(uintptr_t)loop) == 0) {
		(void)pthread_barrier_wait(&all_there);
		dereference();
	}
	return NULL;
}

static void crash_all_threads(void)
{
	pthread_t threads[LOOPS];
	(void)pthread_barrier_init(&all_there, NULL, LOOPS);
	for (uintptr_t i = 0; i < LOOPS; i++)
		(void)pthread_create(&threads[i], NULL, crash_with_others, (void *)i);
	for (uintptr_t i = 0; i < LOOPS; i++)
		(void)pthread_join(threads[i], NULL);
}

static void dereference_with_abort_blocked(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGABRT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	dereference();
}

static void send_to_itself(void)
{
	(void)kill(getpid(), SIGBUS);
}

/* As a taken-over process may do: it writes a false record first. */
static void crash_unrecorded(void)
{
	board->slots[0].crash.signal = SIGFPE;
	board->slots[0].crash.code = FPE_INTDIV;
	(void)munmap(board, sizeof(*board) + LOOPS * sizeof(struct ipc_slot));
	dereference();
}

/* The limit counts all processes of a user, so others may have used it up; this has the same
 * effect. */
static void abort_without_queue(void)
{
	const struct rlimit none = {0, 0};
	(void)setrlimit(RLIMIT_SIGPENDING, &none);
	abort();
}

/* --- the record ------------------------------------------------------------------------------- */

static const struct ipc_crash *recorded(unsigned loop)
{
	return &board->slots[loop].crash;
}

static void assert_ended_by(int status, int number)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), number);
}

static void a_null_pointer_is_recorded_with_its_place(void **state)
{
	(void)state;
	assert_ended_by(crash_by(close_and_call), SIGABRT);
	const struct ipc_crash *c = recorded(0);
	assert_int_equal(c->signal, SIGSEGV);
	assert_int_equal(c->code, SEGV_MAPERR);
	assert_int_equal(c->address, 8);
	/* The child is a fork, so its addresses are ours. */
	assert_in_range(c->pc - (uintptr_t)dereference, 0, 256);
	assert_true(c->frames_count >= 2);
	assert_in_range(c->frames[0] - (uintptr_t)caller, 0, 256);
	assert_in_range(c->frames[1] - (uintptr_t)close_and_call, 0, 256);
	assert_int_equal(recorded(1)->signal, 0);
}

static void abort_is_its_own_and_leads_out_of_the_library(void **state)
{
	(void)state;
	assert_ended_by(crash_by(abort), SIGABRT);
	const struct ipc_crash *c = recorded(0);
	assert_int_equal(c->signal, SIGABRT);
	assert_true(c->code <= 0);
	assert_true(c->sender_pid != 0);
	/* The frame that called into the library may be missing, but not its caller: this
	 * function. */
	bool found = false;
	for (unsigned i = 0; i < c->frames_count && i < IPC_FRAMES_MAX; i++)
		found =
		    found ||
		    c->frames[i] - (uintptr_t)abort_is_its_own_and_leads_out_of_the_library < 2048;
	assert_true(found);
}

static void a_stack_that_overflows_is_recorded_on_another(void **state)
{
	(void)state;
	assert_ended_by(crash_by(overflow_stack), SIGABRT);
	assert_int_equal(recorded(0)->signal, SIGSEGV);
	/* As many as there is room for: the count may not run away. */
	assert_true(recorded(0)->frames_count <= IPC_FRAMES_MAX);
}

static void a_smashed_stack_loses_the_backtrace_only(void **state)
{
	(void)state;
	assert_ended_by(crash_by(lose_frame), SIGABRT);
	assert_int_equal(recorded(0)->signal, SIGSEGV);
	assert_int_equal(recorded(0)->address, 8);
	assert_ended_by(crash_by(lose_stack), SIGABRT);
	assert_int_equal(recorded(0)->signal, SIGSEGV);
}

/* Two faults in a row do not mean that the recorder could not run. */
static void threads_that_crash_at_once_are_recorded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_ended_by(crash_by(crash_all_threads), SIGABRT);
		unsigned count = 0;
		for (unsigned k = 0; k < LOOPS; k++)
			count += recorded(k)->signal == SIGSEGV;
		assert_true(count >= 1);
	}
}

/* It cannot delay its end: the second fault of this kind ends it. */
static void who_blocks_the_end_ends_by_a_fault(void **state)
{
	(void)state;
	const int status = crash_by(dereference_with_abort_blocked);
	assert_true(WIFSIGNALED(status));
	assert_int_not_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(recorded(0)->signal, SIGSEGV);
}

static void the_thread_that_crashed_is_told(void **state)
{
	(void)state;
	assert_ended_by(crash_by(crash_second_thread), SIGABRT);
	assert_int_equal(recorded(0)->signal, 0);
	assert_int_equal(recorded(1)->signal, SIGSEGV);
	assert_true(recorded(1)->frames_count >= 1);
	assert_int_not_equal(board->slots[0].thread, board->slots[1].thread);
}

/* However little stack is above main(), the search for frames must not leave it. */
static void nothing_is_read_beyond_the_stack(void **state)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	(void)state;
	assert_true(len > 0);
	self[len] = '\0';
	pid_t pid = fork();
	if (pid == 0) {
		char word[] = "crash", *const argv[] = {self, word, NULL}, *const none[] = {NULL};
		(void)execve(self, argv, none);
		_exit(2);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_ended_by(status, SIGABRT);
}

static void a_signal_that_was_sent_names_the_sender(void **state)
{
	char line[128];
	struct text t;
	(void)state;
	assert_ended_by(crash_by(send_to_itself), SIGABRT);
	assert_int_equal(recorded(0)->code, SI_USER);
	assert_int_equal(recorded(0)->sender_uid, getuid());
	text_init(&t, line, sizeof(line));
	trace_signal(recorded(0), &t);
	assert_non_null(strstr(line, "SIGBUS (sent by process "));
}

/* signal(7): the kernel ends a process by the fault itself where that strikes in its handler. */
static void a_recorder_that_cannot_run_shows_in_the_wait_status(void **state)
{
	(void)state;
	assert_ended_by(crash_by(crash_unrecorded), SIGSEGV);
	assert_int_equal(recorded(0)->signal, SIGFPE);
	for (const int *s = recorder_signals; *s != 0; s++)
		assert_true(recorder_ends_by(*s) == SIGABRT || recorder_ends_by(*s) == SIGSYS);
}

static void a_sender_that_was_lost_is_not_made_up(void **state)
{
	char line[128];
	struct text t;
	(void)state;
	assert_ended_by(crash_by(abort_without_queue), SIGABRT);
	assert_int_equal(recorded(0)->signal, SIGABRT);
	assert_int_equal(recorded(0)->code, SI_USER);
	assert_int_equal(recorded(0)->sender_pid, 0);
	text_init(&t, line, sizeof(line));
	trace_signal(recorded(0), &t);
	assert_string_equal(line, "SIGABRT (sender unknown)");
}

/* --- in words --------------------------------------------------------------------------------- */

static void modules_are_written_down(void **state)
{
	bool libc = false;
	(void)state;
	(void)crash_by(caller);
	assert_in_range(board->modules_count, 2, IPC_MODULES_MAX);
	assert_string_equal(board->modules[0].name, "");
	assert_in_range((uintptr_t)dereference, board->modules[0].start, board->modules[0].end - 1);
	for (unsigned i = 0; i < board->modules_count; i++)
		libc = libc || strncmp(board->modules[i].name, "libc.so", 7) == 0;
	assert_true(libc);
}

/* The symbol table of a test is empty, so its own functions are addresses; a library's have
 * names. */
static void a_backtrace_names_functions_of_libraries(void **state)
{
	char line[2048];
	struct text t;
	(void)state;
	(void)crash_by(abort);
	const struct ipc_view seen = ipc_view_own(board, LOOPS);
	struct ipc_crash c = *recorded(0);
	c.pc = (uintptr_t)&strtoul;
	text_init(&t, line, sizeof(line));
	trace_backtrace(&seen, &c, &t);
	assert_non_null(strstr(line, "+0x0 (libc.so"));
	assert_non_null(strstr(line, " < +0x"));
	for (unsigned i = 0; i < IPC_MODULES_MAX; i++) /* not the same library */
		board->modules[i].build_id[0] ^= 1;
	text_init(&t, line, sizeof(line));
	trace_backtrace(&seen, &c, &t);
	assert_int_equal(strncmp(line, "+0x", 3), 0);
}

static void whatever_a_child_leaves_stays_within_bounds(void **state)
{
	const struct ipc_view seen = ipc_view_own(board, LOOPS);
	struct ipc_crash c;
	char line[256];
	struct text t;
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		memset(board, byte, sizeof(*board));
		memset(&c, byte, sizeof(c));
		text_init(&t, line, sizeof(line));
		trace_backtrace(&seen, &c, &t);
		trace_signal(&c, &t);
		assert_true(t.len < sizeof(line));
		for (size_t i = 0; i < t.len; i++)
			assert_in_range(line[i], 0x20, 0x7e);
	}
}

/* main() of that child. */
static int crash_main(void)
{
	const struct ipc_board *view;
	int fd = ipc_board_create(LOOPS, &view);
	board = fd < 0 ? NULL : ipc_board_map(fd, LOOPS);
	if (board == NULL || recorder_install(board, LOOPS) < 0)
		return 1;
	abort();
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "crash") == 0)
		return crash_main();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_null_pointer_is_recorded_with_its_place),
	    cmocka_unit_test(abort_is_its_own_and_leads_out_of_the_library),
	    cmocka_unit_test(a_stack_that_overflows_is_recorded_on_another),
	    cmocka_unit_test(a_smashed_stack_loses_the_backtrace_only),
	    cmocka_unit_test(the_thread_that_crashed_is_told),
	    cmocka_unit_test(threads_that_crash_at_once_are_recorded),
	    cmocka_unit_test(who_blocks_the_end_ends_by_a_fault),
	    cmocka_unit_test(nothing_is_read_beyond_the_stack),
	    cmocka_unit_test(a_signal_that_was_sent_names_the_sender),
	    cmocka_unit_test(a_recorder_that_cannot_run_shows_in_the_wait_status),
	    cmocka_unit_test(a_sender_that_was_lost_is_not_made_up),
	    cmocka_unit_test(modules_are_written_down),
	    cmocka_unit_test(a_backtrace_names_functions_of_libraries),
	    cmocka_unit_test(whatever_a_child_leaves_stays_within_bounds),
	};
	const struct ipc_board *view;
	int fd = ipc_board_create(LOOPS, &view);
	board = fd < 0 ? NULL : ipc_board_map(fd, LOOPS);
	if (board == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
