/* master/rate, master/expiry: rates, percentiles, and when a certificate is worth a warning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/expiry.h"
#include "master/rate.h"

static void a_rate_is_the_mean_of_ten_seconds(void **state)
{
	struct rate r = {.kept = 0};
	(void)state;
	assert_int_equal(rate_tenths(&r), 0);
	rate_look(&r, 100, 5000);
	assert_int_equal(rate_tenths(&r), 0);
	rate_look(&r, 120, 6000);
	assert_int_equal(rate_tenths(&r), 200); /* of as much as is known */
	for (uint64_t second = 7; second <= 15; second++)
		rate_look(&r, 120, second * 1000);
	assert_int_equal(rate_tenths(&r), 20); /* 20 in 10 s */
	rate_look(&r, 120, 16000);
	assert_int_equal(rate_tenths(&r), 0); /* ... which are over */
	rate_look(&r, 121, 17000);
	assert_int_equal(rate_tenths(&r), 1);
}

static void a_rate_counts_the_time_that_passed(void **state)
{
	struct rate r = {.kept = 0};
	(void)state;
	rate_look(&r, 0, 1000);
	rate_look(&r, 60, 61000); /* the machine slept */
	assert_int_equal(rate_tenths(&r), 10);
	rate_look(&r, 70, 61000);
	assert_true(rate_tenths(&r) > 0);
}

static void a_counter_that_jumps_is_no_rate(void **state)
{
	struct rate r = {.kept = 0};
	(void)state;
	rate_look(&r, 1000, 1000);
	rate_look(&r, 10, 2000);
	assert_int_equal(rate_tenths(&r), 0);
	rate_look(&r, 20, 3000);
	assert_int_equal(rate_tenths(&r), 100);
	rate_look(&r, UINT64_MAX, 4000);
	assert_int_equal(rate_tenths(&r), 0);
}

static void percentiles_lie_within_their_bucket(void **state)
{
	uint64_t latency[IPC_LATENCIES] = {0};
	(void)state;
	assert_int_equal(latency_percentile(latency, 50), 0);
	latency[3] = 100; /* 500 to 1000 us */
	assert_int_equal(latency_percentile(latency, 50), 750);
	assert_int_equal(latency_percentile(latency, 99), 995);
	assert_int_equal(latency_percentile(latency, 100), 1000);
	assert_int_equal(latency_percentile(latency, 0), 500);
	latency[0] = 900; /* up to 100 us */
	assert_int_equal(latency_percentile(latency, 90), 100);
	assert_int_equal(latency_percentile(latency, 99), 950);
	latency[IPC_LATENCIES - 1] = 100000; /* more than 10 s */
	assert_int_equal(latency_percentile(latency, 50), 10000000);
}

static void percentiles_bear_any_numbers(void **state)
{
	uint64_t latency[IPC_LATENCIES];
	(void)state;
	for (unsigned i = 0; i < IPC_LATENCIES; i++)
		latency[i] = UINT64_MAX;
	assert_true(latency_percentile(latency, 99) <= 10000000);
	assert_true(latency_percentile(latency, 50) <= latency_percentile(latency, 99));
}

static void days_are_whole_ones(void **state)
{
	(void)state;
	assert_int_equal(expiry_days(1000 + EXPIRY_DAY, 1000), 1);
	assert_int_equal(expiry_days(999 + EXPIRY_DAY, 1000), 0);
	assert_int_equal(expiry_days(1000, 1000), 0);
	assert_int_equal(expiry_days(999, 1000), -1);
	assert_int_equal(expiry_days(1000 - EXPIRY_DAY, 1000), -1);
	assert_int_equal(expiry_days(999 - EXPIRY_DAY, 1000), -2);
}

static void the_last_14_days_are_near(void **state)
{
	(void)state;
	assert_false(expiry_is_near(0, 1000)); /* unknown */
	assert_false(expiry_is_near(1000 + EXPIRY_WARNING, 1000));
	assert_true(expiry_is_near(999 + EXPIRY_WARNING, 1000));
	assert_true(expiry_is_near(1, 1000));
	assert_true(expiry_is_near(-5, 1000));
}

static void a_warning_comes_once_a_day(void **state)
{
	const int64_t ends = 10 * EXPIRY_DAY, now = 5 * EXPIRY_DAY;
	(void)state;
	assert_true(expiry_is_due(ends, now, 0));
	assert_false(expiry_is_due(ends, now, now));
	assert_false(expiry_is_due(ends, now + EXPIRY_DAY - 1, now));
	assert_true(expiry_is_due(ends, now + EXPIRY_DAY, now));
	assert_true(expiry_is_due(ends, now - 1, now)); /* the clock was set back */
	assert_false(expiry_is_due(ends + EXPIRY_WARNING, now, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rate_is_the_mean_of_ten_seconds),
	    cmocka_unit_test(a_rate_counts_the_time_that_passed),
	    cmocka_unit_test(a_counter_that_jumps_is_no_rate),
	    cmocka_unit_test(percentiles_lie_within_their_bucket),
	    cmocka_unit_test(percentiles_bear_any_numbers),
	    cmocka_unit_test(days_are_whole_ones),
	    cmocka_unit_test(the_last_14_days_are_near),
	    cmocka_unit_test(a_warning_comes_once_a_day),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
