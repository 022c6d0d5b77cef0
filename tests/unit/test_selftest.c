/*
 * src/selftest: the search for a key, and the verdicts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "selftest/attempts.h"
#include "selftest/judge.h"

#define SANDBOX "was ended by its sandbox for "

/* --- the search ------------------------------------------------------------------------------- */

static struct needle needle_of(const uint8_t bytes[NEEDLE_BYTES])
{
	struct needle n;
	for (size_t i = 0; i < NEEDLE_BYTES; i++)
		n.masked[i] = bytes[i] ^ NEEDLE_MASK;
	return n;
}

static void a_key_is_found_wherever_it_stands_and_not_in_part(void **state)
{
	uint8_t hay[256] = {0}, key[NEEDLE_BYTES];
	(void)state;
	for (unsigned i = 0; i < NEEDLE_BYTES; i++)
		key[i] = (uint8_t)(7 * i + 1);
	const struct needle n = needle_of(key);
	assert_int_equal(needle_count(&n, hay, sizeof(hay)), 0);
	for (size_t at = 0; at + NEEDLE_BYTES <= sizeof(hay); at++) {
		memset(hay, key[0], sizeof(hay));
		memcpy(hay + at, key, NEEDLE_BYTES);
		assert_int_equal(needle_count(&n, hay, sizeof(hay)), 1);
		assert_int_equal(needle_count(&n, hay, at + NEEDLE_BYTES - 1), 0);
	}
	memcpy(hay, key, NEEDLE_BYTES);
	assert_int_equal(needle_count(&n, hay, sizeof(hay)), 2);
}

static void what_cannot_be_read_is_not_searched(void **state)
{
	uint64_t from = 0, to = 0;
	(void)state;
	assert_true(map_parse("7f00-8f00 rw-p 00000000 00:00 0 [heap]\n", &from, &to));
	assert_int_equal(from, 0x7f00);
	assert_int_equal(to, 0x8f00);
	assert_false(map_parse("7f00-8f00 ---p 00000000 00:00 0 \n7f00-8f00 r", &from, &to));
	assert_false(map_parse("7f00-8f00 r--p 00000000 00:00 0 [vvar]\n", &from, &to));
	assert_false(map_parse("ff00-ff10 r-xp 00000000 00:00 0 [vsyscall]\n", &from, &to));
	assert_true(map_parse("7f00-8f00 r--p 0 00:00 0 \n0-1 r--p 0 0 0 [vvar]\n", &from, &to));
	assert_false(map_parse("", &from, &to));
	assert_false(map_parse("nonsense", &from, &to));
}

/* --- verdicts --------------------------------------------------------------------------------- */

static enum verdict judged(const struct expectation *e, enum trial_end end, int result,
			   const char *said)
{
	struct row row = {0};
	struct trial t = {.end = end, .result = result};
	(void)snprintf(t.said, sizeof(t.said), "%s", said);
	judge(e, &t, &row);
	assert_true(row.result[0] != '\0');
	return row.verdict;
}

static void an_end_counts_for_its_own_system_call_only(void **state)
{
	const struct expectation e = {.kind = EXPECT_END, .call = SYS_socket};
	char said[128], other[128];
	(void)state;
	(void)snprintf(said, sizeof(said), SANDBOX "the system call socket (%d)", SYS_socket);
	(void)snprintf(other, sizeof(other), SANDBOX "the system call close (%d)", SYS_close);
	assert_int_equal(judged(&e, TRIAL_ENDED, 0, said), VERDICT_PASS);
	assert_int_equal(judged(&e, TRIAL_ENDED, 0, other), VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_ENDED, 0, SANDBOX "an unknown system call"),
			 VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_ENDED, 0, "was killed by signal 11 (SIGSEGV)"),
			 VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_ENDED, 0, ""), VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_ANSWERED, 0, ""), VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_ANSWERED, -EACCES, ""), VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_SILENT, 0, ""), VERDICT_FAIL);
}

static void an_error_counts_if_it_is_the_expected_one(void **state)
{
	const struct expectation e = {.kind = EXPECT_ERROR, .errors = {EACCES}};
	(void)state;
	assert_int_equal(judged(&e, TRIAL_ANSWERED, -EACCES, ""), VERDICT_PASS);
	assert_int_equal(judged(&e, TRIAL_ANSWERED, -ENOENT, ""), VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_ANSWERED, 0, ""), VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_ENDED, -EACCES, ""), VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_SILENT, -EACCES, ""), VERDICT_FAIL);
	assert_int_equal(judged(&e, TRIAL_ANSWERED, -EAFNOSUPPORT, ""), VERDICT_UNTESTED);
}

static void a_search_that_failed_has_not_found_nothing(void **state)
{
	const struct expectation absence = {.kind = EXPECT_ABSENCE};
	const struct expectation presence = {.kind = EXPECT_PRESENCE};
	(void)state;
	assert_int_equal(judged(&absence, TRIAL_ANSWERED, 0, ""), VERDICT_PASS);
	assert_int_equal(judged(&absence, TRIAL_ANSWERED, 1, ""), VERDICT_FAIL);
	assert_int_equal(judged(&absence, TRIAL_ANSWERED, -ENODATA, ""), VERDICT_FAIL);
	assert_int_equal(judged(&presence, TRIAL_ANSWERED, 3, ""), VERDICT_PASS);
	assert_int_equal(judged(&presence, TRIAL_ANSWERED, 0, ""), VERDICT_FAIL);
}

static void a_password_is_right_or_wrong_and_nothing_else(void **state)
{
	const struct expectation right = {.kind = EXPECT_RIGHT};
	const struct expectation wrong = {.kind = EXPECT_WRONG};
	(void)state;
	assert_int_equal(judged(&right, TRIAL_ANSWERED, 1, ""), VERDICT_PASS);
	assert_int_equal(judged(&wrong, TRIAL_ANSWERED, -EKEYREJECTED, ""), VERDICT_PASS);
	assert_int_equal(judged(&right, TRIAL_ANSWERED, -EKEYREJECTED, ""), VERDICT_FAIL);
	assert_int_equal(judged(&wrong, TRIAL_ANSWERED, 1, ""), VERDICT_FAIL);
	const struct expectation *both[] = {&right, &wrong};
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(judged(both[i], TRIAL_ANSWERED, -ETIMEDOUT, ""), VERDICT_FAIL);
		assert_int_equal(judged(both[i], TRIAL_ANSWERED, 0, ""), VERDICT_FAIL);
		assert_int_equal(judged(both[i], TRIAL_ENDED, 1, ""), VERDICT_FAIL);
		assert_int_equal(judged(both[i], TRIAL_SILENT, 1, ""), VERDICT_FAIL);
	}
}

static void what_an_old_kernel_cannot_do_is_not_tested(void **state)
{
	const struct expectation e = {.kind = EXPECT_ERROR, .errors = {EPERM}, .landlock = 6};
	struct row row = {0};
	(void)state;
	assert_true(judge_beforehand(&e, 5, false, &row));
	assert_int_equal(row.verdict, VERDICT_UNTESTED);
	assert_false(judge_beforehand(&e, 6, false, &row));
}

static void what_only_a_mount_refuses_is_not_tested_without(void **state)
{
	const struct expectation e = {.kind = EXPECT_ERROR, .errors = {ENOENT}, .mount = true};
	struct row row = {0};
	(void)state;
	assert_true(judge_beforehand(&e, 7, false, &row));
	assert_int_equal(row.verdict, VERDICT_UNTESTED);
	assert_false(judge_beforehand(&e, 7, true, &row));
}

static void every_attempt_has_an_expectation_for_whoever_starts_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < attempts_count; i++) {
		const struct attempt *a = &attempts[i];
		assert_non_null(a->try);
		assert_true(strlen(a->name) <= 53); /* the table's column */
		for (unsigned round = 0; round < ROUNDS; round++)
			assert_int_equal(a->expect[round][BY_ROOT].kind == EXPECT_NO_ROW,
					 a->expect[round][BY_USER].kind == EXPECT_NO_ROW);
		assert_int_not_equal(a->expect[ROUND_WHOLE][BY_ROOT].kind, EXPECT_NO_ROW);
	}
}

/* The report has no other name for a row. */
static void no_process_has_two_attempts_of_a_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < attempts_count; i++) {
		assert_int_not_equal(attempts[i].roles, 0);
		for (size_t k = 0; k < i; k++)
			if ((attempts[i].roles & attempts[k].roles) != 0)
				assert_string_not_equal(attempts[i].name, attempts[k].name);
	}
}

static const struct attempt *attempt_find(const char *name)
{
	size_t i = 0;
	while (i < attempts_count && strcmp(attempts[i].name, name) != 0)
		i++;
	assert_true(i < attempts_count);
	return &attempts[i];
}

/* malloc(3) opens a file in a process with threads alone. */
static void an_error_is_expected_if_the_process_may_make_the_call(void **state)
{
	const struct attempt *a = attempt_find("read /etc/passwd");
	(void)state;
	if (sandbox_lists(SANDBOX_WORKER, 0, "openat"))
		return; /* as sanitizers need it */
	struct expectation e = a->expect[ROUND_WHOLE][BY_ROOT];
	attempt_adapt(&e, SANDBOX_WORKER, SANDBOX_CLIENTS | SANDBOX_THREADS);
	assert_int_equal(e.kind, EXPECT_ERROR);
	assert_int_equal(e.errors[0], EACCES);
	attempt_adapt(&e, SANDBOX_WORKER, SANDBOX_CLIENTS);
	assert_int_equal(e.kind, EXPECT_END);
	assert_int_equal(e.call, SYS_openat);
	e = a->expect[ROUND_WHOLE][BY_USER];
	attempt_adapt(&e, SANDBOX_KEYHOLDER, 0);
	assert_int_equal(e.kind, EXPECT_END);
}

static bool is_unconditional(enum sandbox_role role, const char *name)
{
	const struct sandbox_call *c;
	for (size_t i = 0; (c = sandbox_calls(role, sandbox_needs_of(role), i)) != NULL; i++)
		if (strcmp(c->name, name) == 0)
			return c->condition[0] == '\0';
	return false;
}

/* Whatever a port needs: no attempt expects an end for a call that the tables allow as it is. */
static void no_attempt_contradicts_the_tables(void **state)
{
	(void)state;
	if (sandbox_lists(SANDBOX_WORKER, 0, "openat"))
		return; /* sanitizers need more, and a selftest of such a build says so */
	for (size_t i = 0; i < attempts_count; i++) {
		const struct expectation *e = &attempts[i].expect[ROUND_WHOLE][BY_ROOT];
		const char *name = e->call > 0 ? sandbox_call_name((uint64_t)e->call) : "";
		if (e->kind != EXPECT_END || e->call <= 0)
			continue;
		if ((attempts[i].roles & (ROLE_WORKER | ROLE_PLAIN)) &&
		    is_unconditional(SANDBOX_WORKER, name))
			fail_msg("%s", attempts[i].name);
		if ((attempts[i].roles & ROLE_KEYHOLDER) &&
		    is_unconditional(SANDBOX_KEYHOLDER, name))
			fail_msg("%s", attempts[i].name);
		if ((attempts[i].roles & ROLE_VERIFIER) && is_unconditional(SANDBOX_VERIFIER, name))
			fail_msg("%s", attempts[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_is_found_wherever_it_stands_and_not_in_part),
	    cmocka_unit_test(what_cannot_be_read_is_not_searched),
	    cmocka_unit_test(an_end_counts_for_its_own_system_call_only),
	    cmocka_unit_test(an_error_counts_if_it_is_the_expected_one),
	    cmocka_unit_test(a_search_that_failed_has_not_found_nothing),
	    cmocka_unit_test(a_password_is_right_or_wrong_and_nothing_else),
	    cmocka_unit_test(what_an_old_kernel_cannot_do_is_not_tested),
	    cmocka_unit_test(what_only_a_mount_refuses_is_not_tested_without),
	    cmocka_unit_test(every_attempt_has_an_expectation_for_whoever_starts_it),
	    cmocka_unit_test(no_process_has_two_attempts_of_a_name),
	    cmocka_unit_test(an_error_is_expected_if_the_process_may_make_the_call),
	    cmocka_unit_test(no_attempt_contradicts_the_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
