/* Checked numbers: exact ranges, no leniency, and formatted numbers parse to themselves. */
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static int parse(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	return num_parse(s, strlen(s), min, max, ret);
}

static void test_numbers(void **state)
{
	(void)state;
	uint64_t n = 77;
	static const char *const not_numbers[] = {"",  " 1", "1 ",  "+1", "-1",
						  "x", "1x", "0x1", "1.0"};
	for (size_t i = 0; i < sizeof(not_numbers) / sizeof(not_numbers[0]); i++)
		assert_int_equal(parse(not_numbers[i], 0, UINT64_MAX, &n), -EINVAL);
	assert_int_equal(num_parse("1\0", 2, 0, 10, &n), -EINVAL);
	assert_int_equal(parse("18446744073709551616", 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(parse("99999999999999999999999", 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(parse("99999999999999999999999x", 0, UINT64_MAX, &n), -EINVAL);
	assert_int_equal(parse("0", 1, 65535, &n), -ERANGE);
	assert_int_equal(parse("65536", 1, 65535, &n), -ERANGE);
	assert_int_equal(n, 77); /* untouched so far */
	assert_int_equal(parse("18446744073709551615", 0, UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(parse("65535", 1, 65535, &n), 0);
	assert_int_equal(n, 65535);
	assert_int_equal(num_parse("8000rest", 4, 1, 65535, &n), 0); /* needs no terminator */
	assert_int_equal(n, 8000);
	assert_int_equal(parse("007", 0, 10, &n), 0);
	assert_int_equal(n, 7);
}

static void assert_duration(const char *s, int error, uint64_t expected)
{
	uint64_t ms = 77;
	assert_int_equal(num_parse_duration(s, strlen(s), 0, UINT64_MAX, &ms), error);
	assert_int_equal(ms, error == 0 ? expected : 77);
}

static void test_durations(void **state)
{
	(void)state;
	assert_duration("250ms", 0, 250);
	assert_duration("10s", 0, 10000);
	assert_duration("10", 0, 10000);
	assert_duration("5m", 0, 300000);
	assert_duration("2h", 0, 7200000);
	assert_duration("1d", 0, 86400000);
	assert_duration("0", 0, 0);
	assert_duration("1 s", -EINVAL, 0);
	assert_duration("s", -EINVAL, 0);
	assert_duration("1S", -EINVAL, 0);
	assert_duration("1msx", -EINVAL, 0);
	assert_duration("1h30m", -EINVAL, 0);
	assert_duration("18446744073709551615d", -ERANGE, 0);
	assert_duration("18446744073709551616ms", -ERANGE, 0);
	uint64_t ms = 77;
	assert_int_equal(num_parse_duration("10s", 3, 0, 9999, &ms), -ERANGE);
	assert_int_equal(num_parse_duration("10s", 3, 10001, 20000, &ms), -ERANGE);
	assert_int_equal(ms, 77);
}

static void test_sizes(void **state)
{
	(void)state;
	uint64_t n = 77;
	assert_int_equal(num_parse_size("16K", 3, 0, UINT64_MAX, &n), 0);
	assert_int_equal(n, 16384);
	assert_int_equal(num_parse_size("1M", 2, 0, UINT64_MAX, &n), 0);
	assert_int_equal(n, 1048576);
	assert_int_equal(num_parse_size("2G", 2, 0, UINT64_MAX, &n), 0);
	assert_true(n == UINT64_C(2) << 30);
	assert_int_equal(num_parse_size("5", 1, 0, UINT64_MAX, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(num_parse_size("5k", 2, 0, UINT64_MAX, &n), -EINVAL);
	assert_int_equal(num_parse_size("17179869184G", 12, 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(n, 5);
}

static void test_format_parses_back(void **state)
{
	(void)state;
	static const uint64_t values[] = {0,     1,        100,       999,        1000,
					  1024,  1500,     10000,     16384,      60000,
					  90000, 86400000, 100000000, 1073741824, UINT64_MAX};
	char out[NUM_TEXT_MAX];
	uint64_t back;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		num_format_duration(values[i], out);
		assert_int_equal(num_parse_duration(out, strlen(out), 0, UINT64_MAX, &back), 0);
		assert_true(back == values[i]);
		num_format_size(values[i], out);
		assert_int_equal(num_parse_size(out, strlen(out), 0, UINT64_MAX, &back), 0);
		assert_true(back == values[i]);
	}
	assert_string_equal(num_format_duration(10000, out), "10s");
	assert_string_equal(num_format_duration(100, out), "100ms");
	assert_string_equal(num_format_duration(90000, out), "90s");
	assert_string_equal(num_format_duration(3600000, out), "1h");
	assert_string_equal(num_format_size(16384, out), "16K");
	assert_string_equal(num_format_size(16385, out), "16385");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_format_parses_back),
	};
	return cmocka_run_group_tests_name("base_num", tests, NULL, NULL);
}
