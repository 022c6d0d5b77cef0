/* Ranges of bytes: RFC 9110, 14. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/range.h"

/* "0-4,9-9", "whole" or "416". */
static void ranges_describe(const char *value, uint64_t size, char *out, size_t out_size)
{
	struct http_range list[HTTP_RANGES_MAX];
	const int count = http_ranges_read(value, strlen(value), size, list);
	size_t used = 0;
	out[0] = '\0';
	if (count <= 0)
		(void)snprintf(out, out_size, "%s", count == HTTP_RANGE_WHOLE ? "whole" : "416");
	for (int i = 0; i < count; i++)
		used += (size_t)snprintf(out + used, out_size - used, "%s%llu-%llu",
					 i > 0 ? "," : "", (unsigned long long)list[i].first,
					 (unsigned long long)list[i].last);
}

static void assert_ranges(const char *value, uint64_t size, const char *expected)
{
	char out[2048];
	ranges_describe(value, size, out, sizeof(out));
	if (strcmp(out, expected) != 0)
		fail_msg("\"%s\" of %llu: %s, expected %s", value, (unsigned long long)size, out,
			 expected);
}

static void ranges_are_read(void **state)
{
	static const struct {
		const char *value;
		uint64_t size;
		const char *expected;
	} cases[] = {
	    /* one */
	    {"bytes=0-0", 10, "0-0"},
	    {"bytes=0-9", 10, "0-9"},
	    {"bytes=0-10", 10, "0-9"},
	    {"bytes=0-", 10, "0-9"},
	    {"bytes=9-", 10, "9-9"},
	    {"bytes=9-99999999999999999999999999", 10, "9-9"},
	    {"bytes=3-5", 10, "3-5"},
	    {"BYTES=3-5", 10, "3-5"},
	    {"bytes=003-005", 10, "3-5"},
	    {"bytes=-1", 10, "9-9"},
	    {"bytes=-10", 10, "0-9"},
	    {"bytes=-11", 10, "0-9"},
	    {"bytes=-99999999999999999999999999", 10, "0-9"},
	    {"bytes=,0-1", 10, "0-1"},
	    {"bytes=, ,0-1, ,", 10, "0-1"},
	    {"bytes=0-1 ", 10, "0-1"},
	    /* outside */
	    {"bytes=10-", 10, "416"},
	    {"bytes=10-10", 10, "416"},
	    {"bytes=99999999999999999999999999-", 10, "416"},
	    {"bytes=-0", 10, "416"},
	    {"bytes=-0,10-", 10, "416"},
	    {"bytes=0-", 0, "416"},
	    {"bytes=0-0", 0, "416"},
	    {"bytes=-0", 0, "416"},
	    {"bytes=-1", 0, "whole"},
	    {"bytes=0-,-1", 0, "whole"},
	    /* malformed in any part: all of it is ignored */
	    {"", 10, "whole"},
	    {"bytes", 10, "whole"},
	    {"bytes=", 10, "whole"},
	    {"bytes=,", 10, "whole"},
	    {"bytes=-", 10, "whole"},
	    {"bytes=--1", 10, "whole"},
	    {"bytes=5", 10, "whole"},
	    {"bytes=5-3", 10, "whole"},
	    {"bytes=15-13", 10, "whole"},
	    {"bytes=0-1,5-3", 10, "whole"},
	    {"bytes=0-1,x", 10, "whole"},
	    {"bytes=0-1;2-3", 10, "whole"},
	    {"bytes=0-1 2-3", 10, "whole"},
	    {"bytes=0 - 1", 10, "whole"},
	    {"bytes =0-1", 10, "whole"},
	    {"bytes= 0-1", 10, "whole"},
	    {"bytes=+0-1", 10, "whole"},
	    {"bytes=0-+1", 10, "whole"},
	    {"bytes=0-1-2", 10, "whole"},
	    {"bytes=0x0-1", 10, "whole"},
	    {"bytes=a-b", 10, "whole"},
	    {"bytes:0-1", 10, "whole"},
	    {"0-1", 10, "whole"},
	    /* other units */
	    {"lines=0-1", 10, "whole"},
	    {"byte=0-1", 10, "whole"},
	    {"none", 10, "whole"},
	    {"bytess=0-1", 10, "whole"},
	    /* several */
	    {"bytes=0-0,9-9", 10, "0-0,9-9"},
	    {"bytes=0-0 , 9-9", 10, "0-0,9-9"},
	    {"bytes=9-9,0-0", 10, "9-9,0-0"},
	    {"bytes=0-0,-1", 10, "0-0,9-9"},
	    {"bytes=0-0,10-20", 10, "0-0"},
	    {"bytes=20-,0-0", 10, "0-0"},
	    {"bytes=0-4,2-6", 10, "0-6"},
	    {"bytes=2-6,0-4", 10, "0-6"},
	    {"bytes=0-4,5-9", 10, "0-9"},
	    {"bytes=0-3,5-9", 10, "0-3,5-9"},
	    {"bytes=0-9,3-4", 10, "0-9"},
	    {"bytes=3-4,0-9", 10, "0-9"},
	    {"bytes=0-0,0-0,0-0", 10, "0-0"},
	    {"bytes=8-9,0-1,4-5,1-4", 10, "8-9,0-5"},
	    {"bytes=8-9,0-1,4-5,2-7", 10, "0-9"},
	    {"bytes=6-6,0-0,3-3,0-2,4-6", 10, "0-6"},
	    {"bytes=0-0,4-4,8-8,4-8", 10, "0-0,4-8"},
	    {"bytes=-3,0-", 10, "0-9"},
	    /* large numbers */
	    {"bytes=0-", UINT64_MAX - 1, "0-18446744073709551613"},
	    {"bytes=18446744073709551613-18446744073709551615", UINT64_MAX - 1,
	     "18446744073709551613-18446744073709551613"},
	    {"bytes=8589934592-8589934593", 8589934593, "8589934592-8589934592"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_ranges(cases[i].value, cases[i].size, cases[i].expected);
}

static void a_set_of_more_than_32_is_ignored(void **state)
{
	char value[1024] = "bytes=", expected[1024] = "";
	(void)state;
	for (int i = 0; i < 32; i++) {
		char one[32];
		(void)snprintf(one, sizeof(one), "%s%d-%d", i > 0 ? "," : "", 2 * i, 2 * i);
		strcat(value, one);
		strcat(expected, one);
	}
	assert_ranges(value, 1000, expected);
	strcat(value, ",");
	assert_ranges(value, 1000, expected);
	strcat(value, "100-");
	assert_ranges(value, 1000, "whole");
	assert_ranges(value, 1, "whole"); /* also where only one of them would be sent */
}

/* Against a plain bitmap: the same bytes, each once, in ranges that do not touch. */
static void random_sets_are_the_bytes_that_were_asked_for(void **state)
{
	uint32_t random = 1;
	(void)state;
	for (int round = 0; round < 100000; round++) {
		char value[1024] = "bytes=";
		bool wanted[24] = {false}, sent[26] = {false};
		size_t used = 6;
		random = random * 1664525 + 1013904223;
		const unsigned size = 1 + (random >> 16) % 24;
		const unsigned specs = 1 + (random >> 8) % 8;
		for (unsigned i = 0; i < specs; i++) {
			random = random * 1664525 + 1013904223;
			const unsigned first = (random >> 16) % 26,
				       last = first + (random >> 24) % 8;
			used += (size_t)snprintf(value + used, sizeof(value) - used, "%s%u-%u",
						 i > 0 ? "," : "", first, last);
			for (unsigned b = first; b <= last && b < size; b++)
				wanted[b] = true;
		}
		struct http_range list[HTTP_RANGES_MAX];
		const int count = http_ranges_read(value, used, size, list);
		for (int i = 0; i < count; i++) {
			assert_true(list[i].first <= list[i].last && list[i].last < size);
			assert_false(list[i].first > 0 && sent[list[i].first - 1]);
			assert_false(sent[list[i].last + 1]);
			for (uint64_t b = list[i].first; b <= list[i].last; b++) {
				assert_false(sent[b]);
				sent[b] = true;
			}
		}
		assert_memory_equal(wanted, sent, size);
	}
}

static void content_range_has_two_forms(void **state)
{
	char out[HTTP_CONTENT_RANGE_MAX];
	const struct http_range r = {0, 4}, most = {UINT64_MAX - 2, UINT64_MAX - 2};
	(void)state;
	assert_int_equal(http_content_range(&r, 10, out), 12);
	assert_string_equal(out, "bytes 0-4/10");
	(void)http_content_range(NULL, 0, out);
	assert_string_equal(out, "bytes */0");
	(void)http_content_range(&most, UINT64_MAX - 1, out);
	assert_string_equal(out,
			    "bytes 18446744073709551613-18446744073709551613/18446744073709551614");
}

static void parts_have_the_length_that_was_promised(void **state)
{
	char type[256];
	memset(type, 'x', sizeof(type));
	const struct http_range list[] = {{0, 0}, {5, 9}, {98, 99}};
	const struct http_parts parts = {.boundary = "0123456789abcdef0123456789abcdef",
					 .type = "text/plain",
					 .type_len = 10,
					 .size = 100};
	const struct http_parts wide = {.boundary = "0123456789abcdef0123456789abcdef",
					.type = type,
					.type_len = 255,
					.size = UINT64_MAX - 1};
	const struct http_range far = {UINT64_MAX - 3, UINT64_MAX - 2};
	char out[HTTP_PART_MAX];
	uint64_t sum = 8;
	(void)state;
	for (size_t i = 0; i < 3; i++)
		sum += http_part_head(&parts, &list[i], i == 0, out);
	assert_string_equal(out, "\r\n--0123456789abcdef0123456789abcdef\r\n"
				 "Content-Type: text/plain\r\n"
				 "Content-Range: bytes 98-99/100\r\n\r\n");
	(void)http_part_head(&parts, &list[0], true, out);
	assert_memory_equal(out, "--0123456789abcdef", 18);
	sum += http_part_head(&parts, NULL, false, out);
	assert_string_equal(out, "\r\n--0123456789abcdef0123456789abcdef--\r\n");
	assert_int_equal(http_parts_length(&parts, list, 3), sum);
	const size_t len = http_part_head(&wide, &far, false, out);
	assert_memory_equal(out + len - 4, "\r\n\r\n", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_are_read),
	    cmocka_unit_test(a_set_of_more_than_32_is_ignored),
	    cmocka_unit_test(random_sets_are_the_bytes_that_were_asked_for),
	    cmocka_unit_test(content_range_has_two_forms),
	    cmocka_unit_test(parts_have_the_length_that_was_promised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
