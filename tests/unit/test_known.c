/* Passwords that were right not long ago, and that nothing of them stays in memory. */
#include "worker/known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct known known;

static struct authenticate_ask ask_of(uint32_t file, const char *user, const char *password)
{
	return (struct authenticate_ask){.file = file,
					 .user = user,
					 .user_len = strlen(user),
					 .password = password,
					 .password_len = strlen(password)};
}

static bool has(uint32_t file, const char *user, const char *password, uint64_t now_ms)
{
	const struct authenticate_ask ask = ask_of(file, user, password);
	return known_has(&known, &ask, now_ms);
}

static void add(uint32_t file, const char *user, const char *password, uint64_t now_ms)
{
	const struct authenticate_ask ask = ask_of(file, user, password);
	known_add(&known, &ask, now_ms);
}

static void begin(void)
{
	memset(&known, 0, sizeof(known));
	memset(known.key, 7, sizeof(known.key));
}

static void what_was_right_is_known_for_its_time(void **state)
{
	(void)state;
	begin();
	assert_false(has(0, "bob", "secret", 1000));
	add(0, "bob", "secret", 1000);
	assert_true(has(0, "bob", "secret", 1000));
	assert_true(has(0, "bob", "secret", 1000 + KNOWN_MS - 1));
	assert_false(has(0, "bob", "secret", 1000 + KNOWN_MS));
	/* and nothing else is */
	assert_false(has(1, "bob", "secret", 1000));
	assert_false(has(0, "bob", "secre", 1000));
	assert_false(has(0, "bob", "secrets", 1000));
	assert_false(has(0, "bob", "", 1000));
	assert_false(has(0, "bobs", "ecret", 1000));
	assert_false(has(0, "bo", "bsecret", 1000));
	assert_false(has(0, "", "bobsecret", 1000));
	/* using it does not make it last longer; showing it again does */
	add(0, "bob", "secret", 2000);
	assert_true(has(0, "bob", "secret", 1000 + KNOWN_MS));
	assert_false(has(0, "bob", "secret", 2000 + KNOWN_MS));
}

static bool is_erased(void)
{
	static const struct known_one zeros[KNOWN_MAX];
	return memcmp(known.all, zeros, sizeof(zeros)) == 0;
}

static void its_digest_is_erased_after_its_time(void **state)
{
	(void)state;
	begin();
	assert_int_equal(known_expire(&known, 1000), 0);
	add(0, "bob", "secret", 1000);
	add(0, "carol", "secret", 61000);
	const uint64_t first = 1000 + KNOWN_MS, second = 61000 + KNOWN_MS;
	assert_int_equal(known_expire(&known, first - 1), first + KNOWN_STEP);
	assert_int_equal(known_expire(&known, first + KNOWN_STEP), second + KNOWN_STEP);
	assert_false(is_erased());
	assert_true(has(0, "carol", "secret", second - 1));
	assert_int_equal(known_expire(&known, second + KNOWN_STEP), 0);
	assert_true(is_erased());
	/* one that was shown again is there once */
	add(0, "bob", "secret", 1000);
	add(0, "bob", "secret", 5000);
	assert_int_equal(known_expire(&known, 1000), 5000 + KNOWN_MS + KNOWN_STEP);
	assert_int_equal(known_expire(&known, 5000 + KNOWN_MS), 0);
	assert_true(is_erased());
}

/* As many as there are in the table, and the last one is always among them. */
static void many_take_each_others_places(void **state)
{
	char user[16];
	unsigned found = 0;
	(void)state;
	begin();
	for (unsigned i = 0; i < 2 * KNOWN_MAX; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);
		add(0, user, "x", i);
		assert_true(has(0, user, "x", i));
	}
	for (unsigned i = 0; i < 2 * KNOWN_MAX; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);
		found += has(0, user, "x", 2 * KNOWN_MAX);
	}
	assert_in_range(found, KNOWN_MAX / 2, KNOWN_MAX);
	(void)known_expire(&known, 4 * KNOWN_MAX + KNOWN_MS);
	assert_true(is_erased());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_right_is_known_for_its_time),
	    cmocka_unit_test(its_digest_is_erased_after_its_time),
	    cmocka_unit_test(many_take_each_others_places),
	};
	return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
