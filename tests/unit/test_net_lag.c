/* net/lag: a loop that stays behind sheds a share of its requests, and no other does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>

#include "net/lag.h"

#define LIMIT 200

/* Probes of a time, each so late. */
static uint64_t note(struct lag *l, uint64_t now_ms, uint64_t for_ms, uint64_t waited_ms)
{
	for (uint64_t end = now_ms + for_ms; now_ms < end; now_ms += LAG_PROBE_MS)
		lag_note(l, waited_ms, now_ms);
	return now_ms;
}

static unsigned shed_of(struct lag *l, struct loop *loop, unsigned requests)
{
	unsigned shed = 0;
	for (unsigned i = 0; i < requests; i++)
		shed += lag_sheds(l, loop);
	return shed;
}

static void probes_in_time_shed_nothing(void **state)
{
	struct lag l = {.limit_ms = LIMIT};
	(void)state;
	(void)note(&l, 1000, 5000, LIMIT);
	assert_int_equal(l.share, 0);
}

static void one_probe_in_time_in_each_window_sheds_nothing(void **state)
{
	struct lag l = {.limit_ms = LIMIT};
	uint64_t now_ms = 1000;
	(void)state;
	for (int i = 0; i < 100; i++) {
		now_ms = note(&l, now_ms, LIMIT / 2, 10 * LIMIT);
		now_ms = note(&l, now_ms, LAG_PROBE_MS, 0);
	}
	assert_int_equal(l.share, 0);
}

static void a_loop_that_stays_behind_sheds_more_with_each_window(void **state)
{
	struct lag l = {.limit_ms = LIMIT};
	uint64_t now_ms = 1000;
	unsigned last = 0;
	(void)state;
	now_ms = note(&l, now_ms, LIMIT, LIMIT + 1);
	assert_int_equal(l.share, 0); /* the first window is not over */
	for (int i = 0; i < 3; i++) {
		now_ms = note(&l, now_ms, LIMIT + LAG_PROBE_MS, LIMIT + 1);
		assert_true(l.share > last);
		last = l.share;
	}
	now_ms = note(&l, now_ms, 10000, LIMIT + 1);
	assert_in_range(l.share, last, LAG_SHARES - 1); /* some are served, or nothing shows */
}

static void it_sheds_less_once_it_keeps_up(void **state)
{
	struct lag l = {.limit_ms = LIMIT};
	(void)state;
	uint64_t now_ms = note(&l, 1000, 5000, 3 * LIMIT);
	const unsigned before = l.share;
	now_ms = note(&l, now_ms, 2 * LIMIT, 0);
	assert_in_range(l.share, 1, before / 2);
	(void)note(&l, now_ms, 20 * LIMIT, 0);
	assert_int_equal(l.share, 0);
}

static void a_lag_longer_than_the_window_counts(void **state)
{
	struct lag l = {.limit_ms = LIMIT};
	(void)state;
	for (uint64_t now_ms = 1000; now_ms < 60000; now_ms += 5000)
		lag_note(&l, 5000, now_ms);
	assert_true(l.share > 0);
}

static void a_quiet_time_ends_it(void **state)
{
	struct lag l = {.limit_ms = LIMIT};
	(void)state;
	const uint64_t now_ms = note(&l, 1000, 5000, 3 * LIMIT);
	assert_true(l.share > 0);
	lag_note(&l, 3 * LIMIT, now_ms + 60000);
	assert_int_equal(l.share, 0);
}

static void requests_are_shed_evenly_and_by_that_share(void **state)
{
	struct loop loop = {.now_ms = 5000};
	struct lag l = {.limit_ms = LIMIT, .sent_ns = 1, .begun_ms = 5000};
	(void)state;
	l.share = 16;
	assert_int_equal(shed_of(&l, &loop, 4), 1);
	assert_int_equal(shed_of(&l, &loop, 400), 100);
	l.share = 48;
	assert_int_equal(shed_of(&l, &loop, 400), 300);
	assert_int_equal(l.shed, 401);
}

static void a_request_sends_a_probe_and_an_idle_loop_has_none(void **state)
{
	struct loop loop;
	struct lag l;
	(void)state;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(lag_init(&l, &loop, LIMIT), 0);
	struct pollfd ready = {.fd = loop.epoll_fd, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, 0), 0);
	assert_false(lag_sheds(&l, &loop));
	assert_false(lag_sheds(&l, &loop)); /* one is under way */
	assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_int_equal(l.sent_ns, 0);
	assert_int_not_equal(l.begun_ms, 0);
	assert_int_equal(poll(&ready, 1, 0), 0);
	lag_release(&l, &loop);
	loop_release(&loop);
}

/* The probe's turn comes after those that were ready before it. */
static void a_probe_waits_as_long_as_a_request_would(void **state)
{
	struct loop loop;
	struct lag l;
	(void)state;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(lag_init(&l, &loop, LIMIT), 0);
	assert_false(lag_sheds(&l, &loop));
	l.sent_ns -= UINT64_C(700) * 1000000; /* it was sent then */
	assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_true(l.last_ms >= 700);
	lag_release(&l, &loop);
	loop_release(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(probes_in_time_shed_nothing),
	    cmocka_unit_test(one_probe_in_time_in_each_window_sheds_nothing),
	    cmocka_unit_test(a_loop_that_stays_behind_sheds_more_with_each_window),
	    cmocka_unit_test(it_sheds_less_once_it_keeps_up),
	    cmocka_unit_test(a_lag_longer_than_the_window_counts),
	    cmocka_unit_test(a_quiet_time_ends_it),
	    cmocka_unit_test(requests_are_shed_evenly_and_by_that_share),
	    cmocka_unit_test(a_request_sends_a_probe_and_an_idle_loop_has_none),
	    cmocka_unit_test(a_probe_waits_as_long_as_a_request_would),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
