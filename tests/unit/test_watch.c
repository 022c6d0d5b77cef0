/* master/watch: what counts as a hang, what does not, and the consequence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/pure/watch.h"

#define LIMIT_MS 5000

static struct watch_loop loops[2];

static struct watch begun(unsigned count)
{
	struct watch w = {.loops = loops, .loops_count = count};
	watch_begin(&w);
	return w;
}

/* The number of looks, one a second, until a verdict; 0: none in a hundred. */
static unsigned looks_until(struct watch *w, enum watch_verdict verdict, const uint64_t *turns,
			    uint64_t elapsed_ms)
{
	for (unsigned i = 1; i <= 100; i++)
		if (watch_look(w, turns, elapsed_ms, LIMIT_MS) == verdict)
			return i;
	return 0;
}

static void one_turn_for_too_long_is_aborted_then_killed(void **state)
{
	struct watch w = begun(1);
	const uint64_t turn = 77;
	(void)state;
	assert_int_equal(looks_until(&w, WATCH_ABORTED, &turn, 1000), 6);
	assert_false(w.was_stopped);
	assert_int_equal(looks_until(&w, WATCH_KILLED, &turn, 1000), 2);
	assert_int_equal(looks_until(&w, WATCH_KILLED, &turn, 1000), 0); /* once */
}

static void turn_after_turn_is_no_hang_nor_is_waiting(void **state)
{
	struct watch w = begun(1);
	(void)state;
	for (uint64_t i = 1; i < 100; i++)
		assert_int_equal(watch_look(&w, &i, 1000, LIMIT_MS), WATCH_FINE);
	const uint64_t none = 0;
	assert_int_equal(looks_until(&w, WATCH_ABORTED, &none, 1000), 0);
}

static void the_loop_that_hangs_is_named(void **state)
{
	struct watch w = begun(2);
	(void)state;
	for (uint64_t i = 1;; i++) {
		const uint64_t turns[] = {i, 5};
		if (watch_look(&w, turns, 1000, LIMIT_MS) == WATCH_ABORTED)
			break;
		assert_true(i < 10);
	}
	assert_int_equal(w.loop, 1);
}

static void who_is_stopped_hangs(void **state)
{
	struct watch w = begun(1);
	const uint64_t none = 0;
	(void)state;
	w.stopped = true;
	for (int i = 0; i < 4; i++)
		assert_int_equal(watch_look(&w, &none, 1000, LIMIT_MS), WATCH_FINE);
	w.stopped = false; /* in time */
	assert_int_equal(watch_look(&w, &none, 1000, LIMIT_MS), WATCH_FINE);
	w.stopped = true;
	assert_int_equal(looks_until(&w, WATCH_ABORTED, &none, 1000), 6);
	assert_true(w.was_stopped);
}

/* The master slept as well: a look counts at most the time that it can have seen. */
static void a_machine_that_was_suspended_is_no_hang(void **state)
{
	struct watch w = begun(1);
	const uint64_t turn = 77;
	(void)state;
	assert_int_equal(watch_look(&w, &turn, 1000, LIMIT_MS), WATCH_FINE);
	assert_int_equal(watch_look(&w, &turn, UINT64_C(86400000), LIMIT_MS), WATCH_FINE);
	assert_int_equal(watch_look(&w, &turn, UINT64_C(86400000), LIMIT_MS), WATCH_FINE);
	assert_int_equal(looks_until(&w, WATCH_ABORTED, &turn, UINT64_MAX), 2);
}

static void without_a_limit_nothing_hangs(void **state)
{
	struct watch w = begun(1);
	const uint64_t turn = 77;
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(watch_look(&w, &turn, 1000, 0), WATCH_FINE);
}

static void a_new_process_starts_afresh(void **state)
{
	struct watch w = begun(1);
	const uint64_t turn = 77;
	(void)state;
	w.stopped = true;
	assert_int_not_equal(looks_until(&w, WATCH_ABORTED, &turn, 1000), 0);
	watch_begin(&w);
	assert_false(w.stopped);
	assert_int_equal(looks_until(&w, WATCH_ABORTED, &turn, 1000), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_turn_for_too_long_is_aborted_then_killed),
	    cmocka_unit_test(turn_after_turn_is_no_hang_nor_is_waiting),
	    cmocka_unit_test(the_loop_that_hangs_is_named),
	    cmocka_unit_test(who_is_stopped_hangs),
	    cmocka_unit_test(a_machine_that_was_suspended_is_no_hang),
	    cmocka_unit_test(without_a_limit_nothing_hangs),
	    cmocka_unit_test(a_new_process_starts_afresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
