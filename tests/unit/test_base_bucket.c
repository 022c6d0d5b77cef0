/* A token bucket: what it gives at once, in a second and after a pause, and that no number makes it
 * overflow. */
#include "base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool take(struct bucket *b, uint64_t per_second, uint64_t capacity, uint64_t now_ms)
{
	return bucket_take(b, 1, per_second, capacity, now_ms);
}

static void a_bucket_gives_what_a_second_has_and_no_more(void **state)
{
	struct bucket b = bucket_full(5000);
	unsigned n = 0;
	(void)state;
	while (take(&b, 100, 100, 5000))
		n++;
	assert_int_equal(n, 100);
	assert_false(take(&b, 100, 100, 5009)); /* nine tenths of one */
	assert_true(take(&b, 100, 100, 5010));
	assert_false(take(&b, 100, 100, 5010));
	for (n = 0; take(&b, 100, 100, 5510); n++)
		;
	assert_int_equal(n, 50);
	for (n = 0; take(&b, 100, 100, 900000); n++) /* a long pause saves up no extra requests */
		;
	assert_int_equal(n, 100);
}

static void a_bucket_holds_at_least_what_is_needed_at_once(void **state)
{
	struct bucket b = bucket_full(5000);
	(void)state;
	for (unsigned n = 0; n < 3; n++)
		assert_true(take(&b, 1, 3, 5000));
	assert_false(take(&b, 1, 3, 5999));
	assert_true(take(&b, 1, 3, 6000));
	assert_false(take(&b, 1, 3, 6000));
	for (unsigned n = 0; n < 3; n++)
		assert_true(take(&b, 1, 3, 9000));
	assert_false(take(&b, 1, 3, 9000));
}

static void what_costs_more_than_the_capacity_passes_when_the_bucket_is_full(void **state)
{
	struct bucket b = bucket_full(1000);
	(void)state;
	assert_true(bucket_take(&b, 16, 1, 5, 1000));
	assert_false(bucket_take(&b, 16, 1, 5, 5999));
	assert_true(bucket_take(&b, 16, 1, 5, 6000));
	assert_false(take(&b, 1, 5, 6999));
	assert_true(take(&b, 1, 5, 7000));
}

static void a_capacity_that_changes_counts_at_once(void **state)
{
	struct bucket b = bucket_full(1000);
	unsigned n = 0;
	(void)state;
	assert_true(take(&b, 1, 100, 1000));
	while (take(&b, 1, 10, 1000)) /* lower: what is above it is lost */
		n++;
	assert_int_equal(n, 10);
	while (take(&b, 1000, 5000, 2000)) /* higher: it fills at the new rate */
		n++;
	assert_int_equal(n, 1010);
}

static void no_time_or_rate_makes_it_overflow(void **state)
{
	struct bucket b = {0, 0};
	unsigned n = 0;
	(void)state;
	assert_true(take(&b, UINT32_MAX, 7, UINT64_MAX));
	while (take(&b, 1, 7, UINT64_MAX))
		n++;
	assert_int_equal(n, 6);
	assert_true(bucket_take(&b, UINT64_MAX, UINT32_MAX, 7, UINT64_MAX - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bucket_gives_what_a_second_has_and_no_more),
	    cmocka_unit_test(a_bucket_holds_at_least_what_is_needed_at_once),
	    cmocka_unit_test(what_costs_more_than_the_capacity_passes_when_the_bucket_is_full),
	    cmocka_unit_test(a_capacity_that_changes_counts_at_once),
	    cmocka_unit_test(no_time_or_rate_makes_it_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
