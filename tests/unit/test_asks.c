/* Passwords that wait for the verifier: whose turn it is, which are one, and who gives up. */
#include "worker/asks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 3000

static struct asks queue;
static struct authenticate_ask all[MANY];
static char passwords[MANY][16];

static void begin(void)
{
	asks_init(&queue);
	memset(all, 0, sizeof(all));
}

/* The password of number n, from the client. */
static bool add(unsigned at, uint64_t client, unsigned n, uint64_t now_ms)
{
	struct authenticate_ask *ask = &all[at];
	(void)snprintf(passwords[at], sizeof(passwords[at]), "%u", n);
	*ask = (struct authenticate_ask){.place = {.client = client},
					 .user = "bob",
					 .user_len = 3,
					 .password = passwords[at],
					 .password_len = strlen(passwords[at])};
	ask->place.counts = !asks_has_alike(&queue, ask);
	return asks_add(&queue, ask, now_ms);
}

static unsigned number_of(const struct authenticate_ask *ask)
{
	assert_non_null(ask);
	return (unsigned)(ask - all);
}

static unsigned ask_next(void)
{
	struct authenticate_ask *ask = asks_next(&queue);
	assert_null(queue.asked);
	assert_non_null(ask);
	asks_begin(&queue, ask);
	assert_ptr_equal(queue.asked, ask);
	return number_of(ask);
}

/* Takes one that is done, and no more is to be done with it. */
static void done(unsigned at, enum authenticate_verdict verdict)
{
	const struct authenticate_ask *ask = asks_take_done(&queue);
	assert_int_equal(number_of(ask), at);
	assert_int_equal(ask->place.verdict, verdict);
	memset(&all[at], 0xee, sizeof(all[at]));
}

static unsigned done_count(enum authenticate_verdict verdict)
{
	const struct authenticate_ask *ask;
	unsigned count = 0;
	for (; (ask = asks_take_done(&queue)) != NULL; count++) {
		assert_int_equal(ask->place.verdict, verdict);
		memset(&all[number_of(ask)], 0xee, sizeof(*ask));
	}
	return count;
}

static void answer(enum authenticate_verdict verdict)
{
	asks_finish(&queue, queue.asked, verdict);
	assert_null(queue.asked);
}

static void is_empty(void)
{
	assert_null(queue.asked);
	assert_null(asks_next(&queue));
	assert_null(asks_take_done(&queue));
	assert_int_equal(queue.waiting_count + queue.alike_count, 0);
	assert_int_equal(asks_oldest_ms(&queue), UINT64_MAX);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void one_after_the_other(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 5; i++)
		assert_true(add(i, 100 + i, i, i));
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(ask_next(), i);
		answer(i % 2 == 0 ? AUTHENTICATE_RIGHT : AUTHENTICATE_WRONG);
		done(i, i % 2 == 0 ? AUTHENTICATE_RIGHT : AUTHENTICATE_WRONG);
	}
	is_empty();
}

/* Clients 1, 2 and 3 have 3, 1 and 2 of them. */
static void clients_take_turns(void **state)
{
	static const unsigned clients[] = {1, 1, 1, 2, 3, 3}, order[] = {0, 3, 4, 1, 5, 2};
	(void)state;
	begin();
	for (unsigned i = 0; i < 6; i++)
		assert_true(add(i, clients[i], i, 0));
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(ask_next(), order[i]);
		answer(AUTHENTICATE_WRONG);
	}
	assert_int_equal(done_count(AUTHENTICATE_WRONG), 6);
	is_empty();
}

/* However many wait before it, one of another client is the next but one. */
static void a_new_client_comes_before_the_second_of_others(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 20; i++)
		assert_true(add(i, 1, i, 0));
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(ask_next(), i);
		assert_true(add(100 + i, 100 + i, i, 0));
		answer(AUTHENTICATE_WRONG);
		done(i, AUTHENTICATE_WRONG);
		assert_int_equal(ask_next(), 100 + i);
		answer(AUTHENTICATE_RIGHT);
		done(100 + i, AUTHENTICATE_RIGHT);
	}
	/* the one that is asked counts, too */
	assert_int_equal(ask_next(), 10);
	assert_true(add(200, 2, 200, 0));
	assert_true(add(201, 2, 201, 0));
	answer(AUTHENTICATE_WRONG);
	assert_int_equal(ask_next(), 200);
	assert_true(add(202, 2, 202, 0));
	assert_true(add(203, 3, 203, 0));
	answer(AUTHENTICATE_WRONG);
	assert_int_equal(ask_next(), 203);
	answer(AUTHENTICATE_WRONG);
	assert_int_equal(ask_next(), 11);
}

static void places_are_for_clients_without_one(void **state)
{
	(void)state;
	begin();
	/* 8 clients with 8 each take all places */
	for (unsigned i = 0; i < ASKS_WAIT_MAX; i++)
		assert_true(add(i, 1 + i / 8, i, 0));
	assert_false(add(100, 1, 100, 0));
	assert_false(add(100, 8, 100, 0));
	assert_null(asks_take_done(&queue));
	/* others get one, as long as somebody has two */
	for (unsigned i = 0; i < 56; i++) {
		assert_true(add(200 + i, 200 + i, i, 0));
		assert_int_equal(done_count(AUTHENTICATE_UNCHECKED), 1);
		assert_int_equal(queue.waiting_count, ASKS_WAIT_MAX);
	}
	assert_false(add(300, 300, 0, 0));
	for (unsigned i = 0; i < ASKS_WAIT_MAX; i++) {
		const unsigned at = ask_next();
		assert_true(at >= 200 || at % 8 == 0); /* the first ones of the eight stayed */
		answer(AUTHENTICATE_WRONG);
	}
	assert_int_equal(done_count(AUTHENTICATE_WRONG), ASKS_WAIT_MAX);
	is_empty();
}

/* --- alike ones ------------------------------------------------------------------------------- */

static void what_is_alike_is_asked_once(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 200; i++) {
		assert_true(add(i, 1, 7, i));
		assert_int_equal(all[i].place.counts, i == 0);
	}
	assert_int_equal(queue.waiting_count, 1);
	assert_int_equal(ask_next(), 0);
	for (unsigned i = 200; i < 300; i++) {
		assert_true(add(i, 1, 7, i));
		assert_false(all[i].place.counts);
	}
	assert_null(asks_next(&queue));
	answer(AUTHENTICATE_RIGHT);
	for (unsigned i = 0; i < 300; i++)
		done(i, AUTHENTICATE_RIGHT);
	is_empty();
}

static void others_are_not_alike(void **state)
{
	(void)state;
	begin();
	assert_true(add(0, 1, 7, 0));
	assert_true(add(1, 2, 7, 0)); /* another client */
	assert_true(add(2, 1, 8, 0)); /* another password */
	assert_true(add(3, 1, 70, 0));
	static const struct authenticate_ask rows[] = {
	    {.user = "bob", .user_len = 3, .password = "7", .password_len = 1, .file = 1},
	    {.user = "bo", .user_len = 2, .password = "7", .password_len = 1},
	    {.user = "bob", .user_len = 3, .password = "", .password_len = 0},
	    {.user = "bo", .user_len = 2, .password = "b7", .password_len = 2},
	    {.user = "boc", .user_len = 3, .password = "7", .password_len = 1},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		all[10 + i] = rows[i];
		all[10 + i].place.client = 1;
		assert_false(asks_has_alike(&queue, &all[10 + i]));
		assert_true(asks_add(&queue, &all[10 + i], 0));
	}
	assert_int_equal(queue.waiting_count, 9);
	assert_int_equal(queue.alike_count, 0);
}

static void alike_ones_are_bounded_and_take_no_places(void **state)
{
	(void)state;
	begin();
	assert_true(add(0, 1, 7, 0));
	for (unsigned i = 1; i <= ASKS_ALIKE_MAX; i++)
		assert_true(add(i, 1, 7, 0));
	assert_false(add(2000, 1, 7, 0));
	for (unsigned i = 1; i < ASKS_WAIT_MAX; i++)
		assert_true(add(2000 + i, 1 + i, 7, 0));
	assert_int_equal(ask_next(), 0);
	answer(AUTHENTICATE_WRONG);
	assert_int_equal(done_count(AUTHENTICATE_WRONG), 1 + ASKS_ALIKE_MAX);
	assert_true(add(0, 1, 7, 0));
	assert_true(add(1, 1, 7, 0));
}

/* Its place, its round and its try go to the next. */
static void the_next_takes_the_place_of_one_that_left(void **state)
{
	(void)state;
	for (unsigned asked = 0; asked < 2; asked++) {
		begin();
		assert_true(add(0, 1, 7, 0));
		if (asked == 1)
			assert_int_equal(ask_next(), 0);
		for (unsigned i = 1; i < 5; i++)
			assert_true(add(i, 1, 7, 0));
		assert_true(add(9, 2, 7, 0));
		asks_forget(&queue, &all[2]);
		memset(&all[2], 0xee, sizeof(all[2]));
		assert_true(all[0].place.counts);
		asks_forget(&queue, &all[0]);
		memset(&all[0], 0xee, sizeof(all[0]));
		assert_true(all[1].place.counts);
		if (asked == 0)
			assert_int_equal(ask_next(), 1);
		assert_ptr_equal(queue.asked, &all[1]);
		asks_forget(&queue, &all[1]);
		memset(&all[1], 0xee, sizeof(all[1]));
		assert_ptr_equal(queue.asked, &all[3]);
		assert_true(add(5, 1, 7, 0));
		answer(AUTHENTICATE_RIGHT);
		assert_true(all[3].place.counts);
		asks_forget(&queue, &all[4]); /* one that is done */
		done(3, AUTHENTICATE_RIGHT);
		done(5, AUTHENTICATE_RIGHT);
		assert_int_equal(ask_next(), 9);
		asks_forget(&queue, &all[9]);
		is_empty();
	}
}

/* --- time ------------------------------------------------------------------------------------- */

static void each_expires_at_its_own_time(void **state)
{
	(void)state;
	begin();
	assert_true(add(0, 1, 7, 100));
	assert_true(add(1, 2, 7, 200));
	assert_true(add(2, 1, 8, 300));
	assert_true(add(3, 1, 7, 400)); /* like 0 */
	assert_true(add(4, 2, 7, 500)); /* like 1 */
	assert_true(add(5, 3, 7, 600)); /* before 2 */
	assert_int_equal(asks_oldest_ms(&queue), 100);
	assert_int_equal(ask_next(), 0);
	assert_int_equal(asks_oldest_ms(&queue), 100);
	asks_expire(&queue, 99);
	assert_null(asks_take_done(&queue));
	asks_expire(&queue, 100);
	done(0, AUTHENTICATE_UNCHECKED);
	assert_ptr_equal(queue.asked, &all[3]);
	assert_true(all[3].place.counts);
	assert_int_equal(asks_oldest_ms(&queue), 200);
	asks_expire(&queue, 300);
	done(1, AUTHENTICATE_UNCHECKED);
	done(2, AUTHENTICATE_UNCHECKED);
	assert_int_equal(asks_oldest_ms(&queue), 400);
	asks_expire(&queue, 450);
	done(3, AUTHENTICATE_UNCHECKED);
	assert_null(queue.asked);
	assert_int_equal(ask_next(), 4);
	asks_expire(&queue, 10000);
	done(4, AUTHENTICATE_UNCHECKED);
	done(5, AUTHENTICATE_UNCHECKED);
	is_empty();
	/* many at once, alike */
	for (unsigned i = 0; i < 100; i++)
		assert_true(add(i, 1, 7, i));
	asks_expire(&queue, 49);
	assert_int_equal(done_count(AUTHENTICATE_UNCHECKED), 50);
	assert_int_equal(ask_next(), 50);
	answer(AUTHENTICATE_RIGHT);
	assert_int_equal(done_count(AUTHENTICATE_RIGHT), 50);
	is_empty();
}

/* --- all of it -------------------------------------------------------------------------------- */

static void whatever_happens_each_is_answered_once_or_forgotten(void **state)
{
	static bool in[MANY];
	unsigned long seed = 1;
	unsigned count = 0, added = 0, answered = 0, forgotten = 0;
	struct authenticate_ask *ask;
	(void)state;
	begin();
	memset(in, 0, sizeof(in));
	for (uint64_t now = 0; now < 200000; now++) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		const unsigned what = seed >> 33 & 15, at = (seed >> 40) % 500;
		if (what < 8 && !in[at]) {
			in[at] = add(at, 1 + at % 40, at % 7, now);
			count += in[at];
			added += in[at];
		} else if (what < 11 && in[at]) {
			asks_forget(&queue, &all[at]);
			in[at] = false;
			count--;
			forgotten++;
			memset(&all[at], 0xee, sizeof(all[at]));
		} else if (what < 13 && queue.asked == NULL && asks_next(&queue) != NULL) {
			asks_begin(&queue, asks_next(&queue));
		} else if (what == 13 && queue.asked != NULL) {
			asks_finish(&queue, queue.asked, AUTHENTICATE_WRONG);
		} else if (what == 14 && at < 5 && now > 1000) {
			asks_expire(&queue, now - 300);
		} else if (what == 15) {
			while ((ask = asks_take_done(&queue)) != NULL) {
				assert_true(in[number_of(ask)]);
				in[number_of(ask)] = false;
				count--;
				answered++;
				memset(ask, 0xee, sizeof(*ask));
			}
		}
		assert_in_range(queue.waiting_count, 0, ASKS_WAIT_MAX);
	}
	assert_int_equal(added, answered + forgotten + count);
	assert_true(answered > 1000 && forgotten > 1000);
	asks_expire(&queue, UINT64_MAX);
	for (; asks_take_done(&queue) != NULL; count--)
		;
	assert_int_equal(count, 0);
	is_empty();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_after_the_other),
	    cmocka_unit_test(clients_take_turns),
	    cmocka_unit_test(a_new_client_comes_before_the_second_of_others),
	    cmocka_unit_test(places_are_for_clients_without_one),
	    cmocka_unit_test(what_is_alike_is_asked_once),
	    cmocka_unit_test(others_are_not_alike),
	    cmocka_unit_test(alike_ones_are_bounded_and_take_no_places),
	    cmocka_unit_test(the_next_takes_the_place_of_one_that_left),
	    cmocka_unit_test(each_expires_at_its_own_time),
	    cmocka_unit_test(whatever_happens_each_is_answered_once_or_forgotten),
	};
	return cmocka_run_group_tests_name("asks", tests, NULL, NULL);
}
