/* Clients that try wrong passwords: how many, who is who, and what those that guess find out. */
#include "worker/tries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE UINT64_C(60000)

static struct tries tries;

static void begin(void)
{
	memset(&tries, 0, sizeof(tries));
	memset(tries.key, 7, sizeof(tries.key));
}

static uint64_t client(const char *text)
{
	struct http_client c = {.port = 1};
	assert_int_equal(network_address_parse(text, strlen(text), &c.number), 0);
	(void)snprintf(c.address, sizeof(c.address), "%s", text);
	const uint64_t hash = tries_client(&tries, &c);
	assert_true(hash != 0);
	return hash;
}

static void a_client_is_an_address_or_a_64(void **state)
{
	static const char *const same[][2] = {{"192.0.2.1", "::ffff:192.0.2.1"},
					      {"2001:db8::1", "2001:db8::2"},
					      {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"}};
	static const char *const others[][2] = {{"192.0.2.1", "192.0.2.2"},
						{"::ffff:192.0.2.1", "::ffff:192.0.2.2"},
						{"2001:db8::1", "2001:db8:0:1::1"},
						{"::1", "127.0.0.1"}};
	(void)state;
	begin();
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_true(client(same[i][0]) == client(same[i][1]));
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(client(others[i][0]) != client(others[i][1]));
	const uint64_t before = client("192.0.2.1");
	tries.key[0]++;
	assert_true(client("192.0.2.1") != before);
}

static void tries_come_back_one_by_one(void **state)
{
	uint64_t now = 1000000;
	(void)state;
	begin();
	for (unsigned i = 0; i < AUTHENTICATE_TRIES; i++)
		assert_int_equal(tries_take(&tries, 5, now), 0);
	assert_int_equal(tries_take(&tries, 5, now), AUTHENTICATE_TRY_MS);
	assert_int_equal(tries_take(&tries, 7, now), 0); /* another client */
	assert_int_equal(tries_take(&tries, 5, now + 1), AUTHENTICATE_TRY_MS - 1);
	now += AUTHENTICATE_TRY_MS;
	assert_int_equal(tries_take(&tries, 5, now), 0);
	assert_int_equal(tries_take(&tries, 5, now), AUTHENTICATE_TRY_MS);
	now += 60 * MINUTE;
	for (unsigned i = 0; i < AUTHENTICATE_TRIES; i++)
		assert_int_equal(tries_take(&tries, 5, now), 0);
	assert_true(tries_take(&tries, 5, now) > 0);
}

static void a_try_that_was_right_is_given_back(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(tries_take(&tries, 5, 1000), 0);
		tries_give_back(&tries, 5);
	}
	/* more than were taken do not pile up */
	for (unsigned i = 0; i < 100; i++)
		tries_give_back(&tries, 5);
	tries_give_back(&tries, 7); /* one that nobody knows */
	for (unsigned i = 0; i < AUTHENTICATE_TRIES; i++)
		assert_int_equal(tries_take(&tries, 5, 1000), 0);
	assert_true(tries_take(&tries, 5, 1000) > 0);
}

/* Of those that are refused, too many: known passwords are then no longer found out. */
static void one_that_guesses_is_not_told(void **state)
{
	const uint64_t now = 1000000;
	(void)state;
	begin();
	assert_false(tries_guessed(&tries, now));
	assert_true(tries_may_know(&tries, 5, now));
	for (unsigned i = 0; i < AUTHENTICATE_TRIES; i++)
		assert_int_equal(tries_take(&tries, 5, now), 0);
	for (unsigned i = 0; i < TRIES_REFUSALS; i++) {
		assert_true(tries_may_know(&tries, 5, now));
		assert_false(tries_guessed(&tries, now));
		assert_true(tries_take(&tries, 5, now) > 0);
	}
	assert_true(tries_guessed(&tries, now));
	assert_false(tries_may_know(&tries, 5, now));
	assert_true(tries_may_know(&tries, 7, now)); /* others are told as before */
	/* it is told once a second, if it goes on; each guess that is wrong is counted */
	unsigned told = 0;
	for (uint64_t ms = 0; ms < MINUTE; ms += 10) {
		const bool may =
		    !tries_guessed(&tries, now + ms) || tries_may_know(&tries, 5, now + ms);
		told += may;
		(void)tries_take(&tries, 5, now + ms);
	}
	assert_in_range(told, 50, 75); /* with the tries that it has back */
	/* and as before when it has stopped for a second */
	assert_false(tries_guessed(&tries, now + MINUTE + TRIES_REFUSAL_MS));
	assert_true(tries_may_know(&tries, 5, now + MINUTE + TRIES_REFUSAL_MS));
	assert_true(tries_may_know(&tries, 5, now + 60 * MINUTE));
}

/* Many others have a try each: that makes no one be refused, and those that guess on stay. */
static void others_do_not_help_one_that_guesses(void **state)
{
	uint64_t now = 1000000;
	(void)state;
	begin();
	for (unsigned i = 0; i <= AUTHENTICATE_TRIES; i++)
		(void)tries_take(&tries, 5, now);
	for (uint64_t i = 1; i < 100000; i++) {
		assert_int_equal(tries_take(&tries, (i * UINT64_C(0x9e3779b97f4a7c15)) | 1, now),
				 0);
		if (i % 100 == 0) {
			now++;
			assert_true(tries_take(&tries, 5, now) > 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_client_is_an_address_or_a_64),
	    cmocka_unit_test(tries_come_back_one_by_one),
	    cmocka_unit_test(a_try_that_was_right_is_given_back),
	    cmocka_unit_test(one_that_guesses_is_not_told),
	    cmocka_unit_test(others_do_not_help_one_that_guesses),
	};
	return cmocka_run_group_tests_name("tries", tests, NULL, NULL);
}
