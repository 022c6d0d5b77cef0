/* net/loop: timers in order, lazily moved, and no events for closed descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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

/* A task that notes its order, and may queue itself and cancel another. */
struct note {
	struct loop_task task;
	char name, *out;
	unsigned again;
	struct note *cancels;
};

static struct note *late_note;

static void note_run(struct loop *l, struct loop_task *task)
{
	struct note *n = (struct note *)task;
	n->out[strlen(n->out)] = n->name;
	if (n->cancels != NULL)
		loop_soon_cancel(l, &n->cancels->task);
	if (n->again > 0) {
		n->again--;
		loop_soon(l, task);
	}
}

static void a_task_runs_once_in_the_next_turn_and_does_not_wait(void **state)
{
	struct loop l;
	char out[16] = "";
	struct note a = {.task.run = note_run, .name = 'a', .out = out, .again = 2};
	struct note b = {.task.run = note_run, .name = 'b', .out = out};
	(void)state;
	assert_int_equal(loop_init(&l), 0);
	loop_soon(&l, &a.task);
	loop_soon(&l, &b.task);
	loop_soon(&l, &a.task);                 /* it is queued */
	assert_int_equal(loop_turn(&l, -1), 0); /* without a wait, for there is no event */
	assert_string_equal(out, "ab");
	assert_int_equal(loop_turn(&l, -1), 0);
	assert_int_equal(loop_turn(&l, -1), 0);
	assert_string_equal(out, "abaa"); /* once a turn, however often it queues itself */
	assert_int_equal(loop_turn(&l, 0), 0);
	assert_string_equal(out, "abaa");
	loop_release(&l);
}

static void late_run(struct loop *l, struct loop_timer *t)
{
	loop_late(l, t->expired != NULL ? &late_note->task : NULL);
}

/* What an event or a timer causes runs in the same turn. */
static void a_late_task_runs_in_the_same_turn(void **state)
{
	struct loop l;
	struct loop_timer timer;
	char out[16] = "";
	struct note a = {.task.run = note_run, .name = 'a', .out = out, .again = 1};
	struct note b = {.task.run = note_run, .name = 'b', .out = out};
	(void)state;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(loop_timer_init(&l, &timer, late_run), 0);
	late_note = &a;
	loop_timer_set(&l, &timer, l.now_ms + 1);
	for (int i = 0; i < 1000 && out[0] == '\0'; i++)
		assert_int_equal(loop_turn(&l, 10), 0);
	assert_string_equal(out, "a"); /* what it queues itself comes in the next turn */
	loop_soon(&l, &b.task);
	loop_late(&l, &b.task); /* it is queued already */
	assert_int_equal(loop_turn(&l, -1), 0);
	assert_int_equal(strlen(out), 3);
	loop_timer_release(&l, &timer);
	loop_release(&l);
}

static void a_cancelled_task_does_not_run(void **state)
{
	struct loop l;
	char out[16] = "";
	struct note c = {.task.run = note_run, .name = 'c', .out = out};
	struct note b = {.task.run = note_run, .name = 'b', .out = out, .cancels = &c};
	struct note a = {.task.run = note_run, .name = 'a', .out = out};
	(void)state;
	assert_int_equal(loop_init(&l), 0);
	loop_soon_cancel(&l, &a.task); /* it is not queued */
	loop_soon(&l, &a.task);
	loop_soon(&l, &b.task);
	loop_soon(&l, &c.task);
	loop_soon_cancel(&l, &a.task);
	assert_int_equal(loop_turn(&l, -1), 0); /* b cancels c of the same turn */
	assert_string_equal(out, "b");
	loop_soon(&l, &a.task);
	assert_int_equal(loop_turn(&l, -1), 0);
	assert_string_equal(out, "ba");
	loop_release(&l);
}

/* An event of the turn in which a task was queued, or of the next, is handled before it. */
static char *event_out;

static void event_note(struct loop *l, struct loop_io *io, uint32_t events)
{
	(void)l;
	(void)io;
	(void)events;
	event_out[strlen(event_out)] = 'e';
}

static const struct loop_io *events_first;
static unsigned events_of[5];

static void event_count(struct loop *l, struct loop_io *io, uint32_t events)
{
	(void)events;
	assert_false(loop_is_quiet(l, io)); /* the turn was full */
	events_of[io - events_first]++;
}

/* A holder whose requests are long looks at its master's messages in between. */
static void a_turn_takes_at_most_so_many_events(void **state)
{
	struct loop l;
	struct loop_io ios[5];
	(void)state;
	assert_int_equal(loop_init(&l), 0);
	for (unsigned i = 0; i < 5; i++) {
		ios[i] = (struct loop_io){.fd = eventfd(1, EFD_CLOEXEC), .ready = event_count};
		assert_int_equal(loop_add(&l, &ios[i], EPOLLIN), 0);
	}
	l.events_max = 2;
	memset(events_of, 0, sizeof(events_of));
	events_first = ios;
	/* they stay ready, and each gets its turn */
	for (unsigned turn = 1; turn <= 10; turn++) {
		unsigned sum = 0;
		assert_int_equal(loop_turn(&l, 0), 0);
		for (unsigned i = 0; i < 5; i++)
			sum += events_of[i];
		assert_int_equal(sum, 2 * turn);
	}
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(events_of[i], 4);
		loop_remove_and_close(&l, &ios[i]);
	}
	loop_release(&l);
}

static const struct loop_io *quiet_ios;
static unsigned quiet_seen;

/* Of two that are ready, the first to be told sees that the other one is not quiet. */
static void event_look(struct loop *l, struct loop_io *io, uint32_t events)
{
	const struct loop_io *other = &quiet_ios[io == quiet_ios];
	(void)events;
	assert_true(loop_is_quiet(l, io));
	assert_int_equal(loop_is_quiet(l, other), quiet_seen++ > 0);
	assert_true(loop_is_quiet(l, &quiet_ios[2]));
}

static void what_is_not_delivered_yet_is_not_quiet(void **state)
{
	struct loop l;
	struct loop_io ios[3];
	(void)state;
	assert_int_equal(loop_init(&l), 0);
	quiet_ios = ios;
	for (unsigned i = 0; i < 3; i++) {
		ios[i] = (struct loop_io){.fd = eventfd(i < 2, EFD_CLOEXEC), .ready = event_look};
		assert_int_equal(loop_add(&l, &ios[i], EPOLLIN), 0);
		assert_true(loop_is_quiet(&l, &ios[i]));
	}
	quiet_seen = 0;
	assert_int_equal(loop_turn(&l, 0), 0);
	assert_int_equal(quiet_seen, 2);
	for (unsigned i = 0; i < 3; i++)
		assert_true(loop_is_quiet(&l, &ios[i]));
	for (unsigned i = 0; i < 3; i++)
		loop_remove_and_close(&l, &ios[i]);
	loop_release(&l);
}

static void others_have_their_turn_before_a_task(void **state)
{
	struct loop l;
	int ends[2];
	char out[16] = "";
	struct note a = {.task.run = note_run, .name = 'a', .out = out, .again = 1};
	struct loop_io io = {.ready = event_note};
	(void)state;
	event_out = out;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(pipe(ends), 0);
	io.fd = ends[0];
	assert_int_equal(loop_add(&l, &io, EPOLLIN), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_soon(&l, &a.task);
	assert_int_equal(loop_turn(&l, -1), 0);
	assert_int_equal(loop_turn(&l, -1), 0);
	assert_string_equal(out, "eaea");
	loop_close(&l, &io);
	close(ends[1]);
	loop_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timers_fire_in_the_order_of_their_deadlines),
	    cmocka_unit_test(a_deadline_can_move_both_ways_and_be_cancelled),
	    cmocka_unit_test(a_timer_that_sets_itself_for_now_does_not_spin_a_turn),
	    cmocka_unit_test(an_event_never_reaches_what_was_closed_in_the_same_turn),
	    cmocka_unit_test(a_task_runs_once_in_the_next_turn_and_does_not_wait),
	    cmocka_unit_test(a_late_task_runs_in_the_same_turn),
	    cmocka_unit_test(a_cancelled_task_does_not_run),
	    cmocka_unit_test(others_have_their_turn_before_a_task),
	    cmocka_unit_test(a_turn_takes_at_most_so_many_events),
	    cmocka_unit_test(what_is_not_delivered_yet_is_not_quiet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
