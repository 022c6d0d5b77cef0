/* master/rate, master/pure/expiry: rates, percentiles, and the time at which a certificate deserves
 * a warning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/validity.h"
#include "master/pure/expiry.h"
#include "master/pure/rate.h"

static void a_rate_is_the_mean_of_ten_seconds(void **state)
{
	struct rate r = {.kept = 0};
	(void)state;
	assert_int_equal(rate_tenths(&r), 0);
	rate_look(&r, 100, 5000);
	assert_int_equal(rate_tenths(&r), 0);
	rate_look(&r, 120, 6000);
	assert_int_equal(rate_tenths(&r), 200); /* over the known time */
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
	assert_int_equal(validity_days(1000 + VALIDITY_DAY, 1000), 1);
	assert_int_equal(validity_days(999 + VALIDITY_DAY, 1000), 0);
	assert_int_equal(validity_days(1000, 1000), 0);
	assert_int_equal(validity_days(999, 1000), -1);
	assert_int_equal(validity_days(1000 - VALIDITY_DAY, 1000), -1);
	assert_int_equal(validity_days(999 - VALIDITY_DAY, 1000), -2);
}

static void days_in_words(void **state)
{
	static const char *const words[] = {"has expired", "expires in less than a day",
					    "expires in 1 day", "expires in 2 days"};
	char out[64];
	struct text t;
	(void)state;
	for (int64_t days = -1; days <= 2; days++) {
		text_init(&t, out, sizeof(out));
		validity_describe(days, &t);
		assert_string_equal(out, words[days + 1]);
	}
}

static void near(int64_t lifetime, int64_t warning)
{
	const int64_t begins = 1000 * VALIDITY_DAY, ends = begins + lifetime;
	assert_int_equal(validity_warning(begins, ends), warning);
	assert_false(validity_ends_soon(begins, ends, begins));
	assert_false(validity_ends_soon(begins, ends, ends - warning));
	assert_true(validity_ends_soon(begins, ends, ends - warning + 1));
	assert_true(validity_ends_soon(begins, ends, ends));
	assert_true(validity_ends_soon(begins, ends, ends + 365 * VALIDITY_DAY));
}

static void the_last_third_is_near_and_14_days_at_most(void **state)
{
	(void)state;
	near(6 * VALIDITY_DAY, 2 * VALIDITY_DAY);
	near(6 * VALIDITY_DAY + 16 * 3600, 2 * VALIDITY_DAY + 5 * 3600 + 1200); /* shortlived */
	near(VALIDITY_DAY, 8 * 3600);
	near(3, 1);
	near(30 * VALIDITY_DAY, 10 * VALIDITY_DAY);
	near(42 * VALIDITY_DAY, 14 * VALIDITY_DAY);
	near(43 * VALIDITY_DAY, 14 * VALIDITY_DAY);
	near(47 * VALIDITY_DAY, 14 * VALIDITY_DAY);
	near(90 * VALIDITY_DAY, 14 * VALIDITY_DAY);
	near(3650 * VALIDITY_DAY, 14 * VALIDITY_DAY);
}

static void what_is_not_known_or_not_in_order_is_14_days(void **state)
{
	(void)state;
	assert_int_equal(validity_warning(0, 5000), VALIDITY_WARNING_MAX);
	assert_int_equal(validity_warning(5000, 0), VALIDITY_WARNING_MAX);
	assert_int_equal(validity_warning(5000, 5000), VALIDITY_WARNING_MAX);
	assert_int_equal(validity_warning(5000, 1000), VALIDITY_WARNING_MAX);
	assert_int_equal(validity_warning(INT64_MIN, INT64_MAX), VALIDITY_WARNING_MAX);
	assert_false(validity_ends_soon(0, 0, 1000));
	assert_true(validity_ends_soon(5000, 1000, 2000));
	assert_true(validity_ends_soon(0, -5, 1000));
}

static void a_warning_comes_once_a_day(void **state)
{
	struct expiry e = {.begins = 1, .ends = 100 * VALIDITY_DAY};
	const int64_t now = 95 * VALIDITY_DAY;
	(void)state;
	assert_true(expiry_is_due(&e, now));
	e.told = now;
	assert_false(expiry_is_due(&e, now));
	assert_false(expiry_is_due(&e, now + VALIDITY_DAY - 1));
	assert_true(expiry_is_due(&e, now + VALIDITY_DAY));
	assert_true(expiry_is_due(&e, now - 1)); /* the clock was set back */
	e.told = 0;
	assert_false(expiry_is_due(&e, 85 * VALIDITY_DAY));
	e.ends = 0;
	assert_false(expiry_is_due(&e, now));
}

static void the_one_to_look_at_first(void **state)
{
	const int64_t day = VALIDITY_DAY, now = 100 * day;
	const struct expiry all[] = {
	    {.begins = 0, .ends = 0},                /* nothing known */
	    {.begins = 97 * day, .ends = 103 * day}, /* six days, three left: not near */
	    {.begins = 15 * day, .ends = 105 * day}, /* ninety days, five left: near */
	    {.begins = 10 * day, .ends = 109 * day}, /* near, but later */
	    {.begins = 99 * day, .ends = 200 * day},
	};
	(void)state;
	assert_int_equal(expiry_first(all, 5, now), 2);
	assert_int_equal(expiry_first(all, 2, now), 1);
	assert_int_equal(expiry_first(all, 1, now), 1); /* none */
	assert_int_equal(expiry_first(all + 4, 1, now), 0);
	assert_int_equal(expiry_first(all, 5, 102 * day), 1); /* both are near */
	assert_int_equal(expiry_first(all, 0, now), 0);
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
	    cmocka_unit_test(days_in_words),
	    cmocka_unit_test(the_last_third_is_near_and_14_days_at_most),
	    cmocka_unit_test(what_is_not_known_or_not_in_order_is_14_days),
	    cmocka_unit_test(the_one_to_look_at_first),
	    cmocka_unit_test(a_warning_comes_once_a_day),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
