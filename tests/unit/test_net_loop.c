/* net/loop: timers in order, lazily moved, and no events for closed descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/loop.h"

struct stamp {
	struct loop_timer timer;
	int id;
};

static int fired[4096];
static size_t fired_count;

static void stamp_expired(struct loop *l, struct loop_timer *t)
{
	assert_true(t->deadline_ms <= l->now_ms);
	fired[fired_count++] = ((struct stamp *)t)->id;
}

static void run_until(struct loop *l, size_t count)
{
	uint64_t end = l->now_ms + 5000;
	while (fired_count < count && l->now_ms < end)
		assert_int_equal(loop_turn(l, 100), 0);
	assert_int_equal(fired_count, count);
}

static void timers_fire_in_the_order_of_their_deadlines(void **state)
{
	struct loop l;
	static struct stamp stamps[500];
	(void)state;
	fired_count = 0;
	assert_int_equal(loop_init(&l), 0);
	for (int i = 0; i < 500; i++) {
		stamps[i].id = (i * 7919) % 500;
		assert_int_equal(loop_timer_init(&l, &stamps[i].timer, stamp_expired), 0);
		loop_timer_set(&l, &stamps[i].timer, l.now_ms + 1 + (uint64_t)stamps[i].id / 10);
	}
	run_until(&l, 500);
	for (size_t i = 1; i < 500; i++)
		assert_true(fired[i - 1] / 10 <= fired[i] / 10);
	loop_release(&l);
}

static void a_deadline_can_move_both_ways_and_be_cancelled(void **state)
{
	struct loop l;
	struct stamp a = {.id = 1}, b = {.id = 2}, c = {.id = 3};
	(void)state;
	fired_count = 0;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(loop_timer_init(&l, &a.timer, stamp_expired), 0);
	assert_int_equal(loop_timer_init(&l, &b.timer, stamp_expired), 0);
	assert_int_equal(loop_timer_init(&l, &c.timer, stamp_expired), 0);
	uint64_t start = l.now_ms;
	loop_timer_set(&l, &a.timer, start + 5);
	loop_timer_set(&l, &b.timer, start + 30);
	loop_timer_set(&l, &c.timer, start + 1);
	loop_timer_set(&l, &a.timer, start + 60); /* later */
	loop_timer_set(&l, &b.timer, start + 10); /* earlier */
	loop_timer_cancel(&l, &c.timer);
	assert_false(loop_timer_is_set(&c.timer));
	run_until(&l, 2);
	assert_int_equal(fired[0], 2);
	assert_int_equal(fired[1], 1);
	assert_true(l.now_ms >= start + 60);
	loop_release(&l);
}

static void again(struct loop *l, struct loop_timer *t)
{
	fired_count++;
	loop_timer_set(l, t, l->now_ms);
}

static void a_timer_that_sets_itself_for_now_does_not_spin_a_turn(void **state)
{
	struct loop l;
	struct loop_timer t;
	(void)state;
	fired_count = 0;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(loop_timer_init(&l, &t, again), 0);
	loop_timer_set(&l, &t, l.now_ms);
	while (fired_count == 0)
		assert_int_equal(loop_turn(&l, 100), 0);
	assert_int_equal(fired_count, 1);
	loop_release(&l);
}

struct pair {
	struct loop_io io;
	struct pair *other;
	int *calls;
};

/* Closes and frees the other one, whose event is in the same turn. */
static void close_other(struct loop *l, struct loop_io *io, uint32_t events)
{
	struct pair *p = (struct pair *)io;
	(void)events;
	(*p->calls)++;
	loop_close(l, &p->other->io);
	free(p->other);
	loop_close(l, &p->io);
}

static void an_event_never_reaches_what_was_closed_in_the_same_turn(void **state)
{
	struct loop l;
	int one[2], two[2], calls = 0;
	(void)state;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(pipe(one), 0);
	assert_int_equal(pipe(two), 0);
	struct pair *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	assert_non_null(a);
	assert_non_null(b);
	*a = (struct pair){.io = {.fd = one[0], .ready = close_other}, .other = b, .calls = &calls};
	*b = (struct pair){.io = {.fd = two[0], .ready = close_other}, .other = a, .calls = &calls};
	assert_int_equal(loop_add(&l, &a->io, EPOLLIN), 0);
	assert_int_equal(loop_add(&l, &b->io, EPOLLIN), 0);
	assert_int_equal(write(one[1], "x", 1), 1);
	assert_int_equal(write(two[1], "x", 1), 1);
	assert_int_equal(loop_turn(&l, 1000), 0);
	assert_int_equal(calls, 1);
	close(one[1]);
	close(two[1]);
	loop_release(&l);
	free(a); /* epoll reports in the order of readiness: a was first and has freed b */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timers_fire_in_the_order_of_their_deadlines),
	    cmocka_unit_test(a_deadline_can_move_both_ways_and_be_cancelled),
	    cmocka_unit_test(a_timer_that_sets_itself_for_now_does_not_spin_a_turn),
	    cmocka_unit_test(an_event_never_reaches_what_was_closed_in_the_same_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
