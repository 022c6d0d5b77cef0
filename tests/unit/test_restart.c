/* master/restart: every branch of the policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/pure/restart.h"

static const struct conf_restart policy = {
    .backoff_min_ms = 100, .backoff_max_ms = 1000, .park_after = 8, .park_window_ms = 60000};

static enum restart_verdict die(struct restart_state *s, const struct conf_restart *p,
				uint64_t now_ms, uint64_t uptime_ms, uint64_t *delay)
{
	*delay = UINT64_MAX;
	return restart_decide(s, p, RESTART_DIED, now_ms, uptime_ms, delay);
}

static void a_slow_death_is_replaced_at_once_however_often(void **state)
{
	struct restart_state s = {0};
	uint64_t delay;
	(void)state;
	for (uint64_t i = 1; i < 100; i++) {
		assert_int_equal(die(&s, &policy, i * 1000, RESTART_QUICK_MS, &delay), RESTART_NOW);
		assert_true(delay == UINT64_MAX); /* untouched */
	}
}

static void quick_deaths_back_off_exponentially_up_to_the_maximum(void **state)
{
	static const uint64_t delays[] = {100, 200, 400, 800, 1000, 1000};
	struct restart_state s = {0};
	uint64_t delay;
	(void)state;
	assert_int_equal(die(&s, &policy, 1, 999, &delay), RESTART_NOW);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(die(&s, &policy, 2 + i, 0, &delay), RESTART_LATER);
		assert_int_equal(delay, delays[i]);
	}
}

static void a_slow_death_ends_the_row(void **state)
{
	struct restart_state s = {0};
	uint64_t delay;
	(void)state;
	assert_int_equal(die(&s, &policy, 1, 0, &delay), RESTART_NOW);
	assert_int_equal(die(&s, &policy, 2, 0, &delay), RESTART_LATER);
	assert_int_equal(die(&s, &policy, 3, 5000, &delay), RESTART_NOW);
	assert_int_equal(die(&s, &policy, 4, 0, &delay), RESTART_NOW);
	assert_int_equal(die(&s, &policy, 5, 0, &delay), RESTART_LATER);
	assert_int_equal(delay, 100);
}

static void too_many_quick_deaths_within_the_window_park(void **state)
{
	struct restart_state s = {0};
	uint64_t delay;
	(void)state;
	for (int i = 0; i < 7; i++)
		assert_int_not_equal(die(&s, &policy, 10, 0, &delay), RESTART_PARK);
	assert_int_equal(die(&s, &policy, 60010, 0, &delay), RESTART_PARK);
}

static void deaths_outside_of_the_window_are_forgotten(void **state)
{
	struct restart_state s = {0};
	uint64_t delay;
	(void)state;
	for (int i = 0; i < 7; i++)
		(void)die(&s, &policy, 10, 0, &delay);
	assert_int_equal(die(&s, &policy, 60011, 0, &delay), RESTART_LATER);
	/* The ring goes round without counting old ones again. */
	for (uint64_t i = 1; i < 200; i++)
		assert_int_equal(die(&s, &policy, 60011 + i * 60001, 0, &delay), RESTART_LATER);
}

static void a_forbidden_system_call_counts_however_long_the_process_lived(void **state)
{
	struct restart_state s = {0};
	uint64_t delay;
	(void)state;
	for (unsigned i = 1; i < policy.park_after; i++)
		assert_int_not_equal(
		    restart_decide(&s, &policy, RESTART_VIOLATION, i, 3600000, &delay),
		    RESTART_PARK);
	assert_int_equal(
	    restart_decide(&s, &policy, RESTART_VIOLATION, policy.park_after, 3600000, &delay),
	    RESTART_PARK);
}

/* However many there are, however quickly, and mixed with other deaths. */
static void a_shortage_delays_and_never_parks(void **state)
{
	static const uint64_t delays[] = {100, 200, 400, 800, 1000, 1000};
	struct conf_restart once = policy;
	struct restart_state s = {0};
	uint64_t delay = 0;
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(restart_decide(&s, &policy, RESTART_SHORTAGE, i, 0, &delay),
				 RESTART_LATER);
		assert_int_equal(delay, delays[i]);
	}
	once.park_after = 1;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(restart_decide(&s, &once, RESTART_SHORTAGE, 7, 0, &delay),
				 RESTART_LATER);
		assert_int_equal(delay, 1000);
	}
	/* A process that has served is replaced after a delay, too, but a short one again. */
	assert_int_equal(restart_decide(&s, &once, RESTART_SHORTAGE, 8, 60000, &delay),
			 RESTART_LATER);
	assert_int_equal(delay, 100);
	/* None of all these counts towards parking. */
	for (unsigned i = 1; i < policy.park_after; i++)
		assert_int_not_equal(die(&s, &policy, 9, 0, &delay), RESTART_PARK);
	assert_int_equal(restart_decide(&s, &policy, RESTART_SHORTAGE, 9, 0, &delay),
			 RESTART_LATER);
	assert_int_equal(die(&s, &policy, 9, 0, &delay), RESTART_PARK);
}

static void park_after_one_parks_at_the_first(void **state)
{
	struct conf_restart once = policy;
	struct restart_state s = {0};
	uint64_t delay;
	(void)state;
	once.park_after = 1;
	assert_int_equal(die(&s, &once, 1, 0, &delay), RESTART_PARK);
}

static void the_largest_park_after_fits_the_memory(void **state)
{
	struct conf_restart many = policy;
	struct restart_state s = {0};
	uint64_t delay;
	(void)state;
	many.park_after = RESTART_DEATHS_MAX;
	for (int i = 1; i < RESTART_DEATHS_MAX; i++)
		assert_int_not_equal(die(&s, &many, 1, 0, &delay), RESTART_PARK);
	assert_int_equal(die(&s, &many, 1, 0, &delay), RESTART_PARK);
}

static void a_configuration_error_parks_at_once_and_a_clean_end_never(void **state)
{
	struct restart_state s = {0};
	uint64_t delay = 7;
	(void)state;
	assert_int_equal(restart_decide(&s, &policy, RESTART_CONFIG, 1, 100000, &delay),
			 RESTART_PARK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(restart_decide(&s, &policy, RESTART_DRAINED, 1, 0, &delay),
				 RESTART_NOW);
	assert_int_equal(delay, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_slow_death_is_replaced_at_once_however_often),
	    cmocka_unit_test(quick_deaths_back_off_exponentially_up_to_the_maximum),
	    cmocka_unit_test(a_slow_death_ends_the_row),
	    cmocka_unit_test(too_many_quick_deaths_within_the_window_park),
	    cmocka_unit_test(deaths_outside_of_the_window_are_forgotten),
	    cmocka_unit_test(a_forbidden_system_call_counts_however_long_the_process_lived),
	    cmocka_unit_test(a_shortage_delays_and_never_parks),
	    cmocka_unit_test(park_after_one_parks_at_the_first),
	    cmocka_unit_test(the_largest_park_after_fits_the_memory),
	    cmocka_unit_test(a_configuration_error_parks_at_once_and_a_clean_end_never),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
