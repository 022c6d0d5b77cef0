/* struct text: never past the end, always terminated; and the escaping that keeps logs honest. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <vis.h>

static void test_adds(void **state)
{
	(void)state;
	char out[64];
	struct text t;
	text_init(&t, out, sizeof(out));
	assert_string_equal(out, "");
	text_add(&t, "ab", 2);
	text_add(&t, NULL, 0);
	text_add_str(&t, "cd");
	text_add_char(&t, ' ');
	text_add_uint(&t, 0);
	text_add_char(&t, ' ');
	text_add_uint(&t, UINT64_MAX);
	text_addf(&t, " %s-%d", "x", -7);
	assert_string_equal(out, "abcd 0 18446744073709551615 x--7");
	assert_int_equal(t.len, strlen(out));
	assert_false(t.truncated);
}

static void test_cuts_at_the_end(void **state)
{
	(void)state;
	char out[8 + 1];
	struct text t;
	out[8] = '!';
	text_init(&t, out, 8);
	text_add_str(&t, "1234567");
	assert_false(t.truncated);
	text_add_char(&t, '8');
	assert_true(t.truncated);
	assert_string_equal(out, "1234567");

	text_init(&t, out, 8);
	text_addf(&t, "%d%s", 12345, "6789");
	assert_string_equal(out, "1234567");
	assert_true(t.truncated);
	text_addf(&t, "%s", "");
	text_addf(&t, "more");
	assert_string_equal(out, "1234567");
	assert_int_equal(t.len, 7);

	text_init(&t, out, 1);
	text_add_str(&t, "x");
	text_addf(&t, "%d", 1);
	text_add_escaped(&t, "x\n", 2);
	assert_string_equal(out, "");
	assert_int_equal(out[8], '!');
}

static void assert_escaped(const char *raw, size_t len, const char *expected)
{
	char out[256];
	struct text t;
	text_init(&t, out, sizeof(out));
	text_add_escaped(&t, raw, len);
	assert_string_equal(out, expected);
}

static void test_escapes(void **state)
{
	(void)state;
	assert_escaped("plain text /?=&'%", 17, "plain text /?=&'%");
	assert_escaped("a\nb\tc\rd", 7, "a\\nb\\tc\\rd");
	assert_escaped("\"\\", 2, "\\\"\\\\");
	assert_escaped("\x1b[2J\x7f\x80\xff", 7, "\\033[2J\\177\\200\\377");
	assert_escaped("\0", 1, "\\0");
	assert_escaped("\0001", 2, "\\0001"); /* not the escape \01 */
	assert_escaped("\xc3\xbc", 2, "\\303\\274");
	assert_escaped("", 0, "");
}

/* Any input becomes one line of printable ASCII without an unescaped quote, and unvis(3)
 * restores the bytes. */
static void test_every_byte_is_safe_and_comes_back(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first++)
		for (unsigned second = 0; second < 256; second++) {
			const char raw[2] = {(char)first, (char)second};
			char out[16], back[16];
			struct text t;
			text_init(&t, out, sizeof(out));
			text_add_escaped(&t, raw, sizeof(raw));
			for (size_t i = 0; i < t.len; i++) {
				assert_in_range(out[i], 0x20, 0x7e);
				if (out[i] == '"')
					assert_true(i > 0 && out[i - 1] == '\\');
			}
			assert_int_equal(strunvis(back, out), 2);
			assert_memory_equal(back, raw, 2);
		}
}

static void test_never_half_an_escape(void **state)
{
	(void)state;
	char out[8];
	struct text t;
	text_init(&t, out, sizeof(out));
	text_add_escaped(&t, "abcd\x80zzz", 8); /* \200 would need 4 of the 3 left */
	assert_string_equal(out, "abcd");
	assert_true(t.truncated);
	text_init(&t, out, sizeof(out));
	text_add_escaped(&t, "abc\x80zzz", 7);
	assert_string_equal(out, "abc\\200");
	assert_true(t.truncated);
}

static void utf8(const char *bytes, size_t len, const char *expected)
{
	char out[128], again[128];
	struct text t;
	text_init(&t, out, sizeof(out));
	text_add_utf8(&t, bytes, len);
	assert_string_equal(out, expected);
	assert_false(t.truncated);
	text_init(&t, again, sizeof(again));
	text_add_utf8(&t, out, strlen(out));
	assert_string_equal(again, out);
}

#define UTF8(bytes, expected) utf8(bytes, sizeof(bytes) - 1, expected)

static void test_names_of_people(void **state)
{
	(void)state;
	UTF8("", "");
	UTF8("CN=M\xc3\xbcller,O=\"x\\,y\"", "CN=M\xc3\xbcller,O=\"x\\,y\"");
	UTF8("\xe4\xb8\xad\xe6\x96\x87 \xd0\xa9 \xf0\x9f\x98\x80",
	     "\xe4\xb8\xad\xe6\x96\x87 \xd0\xa9 \xf0\x9f\x98\x80");
	UTF8("a\0b\n\t\x1b[31m\x7f", "a\\000b\\012\\011\\033[31m\\177");
	UTF8("m\xfcller", "m\\374ller");                           /* Latin-1 */
	UTF8("\xc3", "\\303");                                     /* cut off */
	UTF8("\xc0\xaf\xed\xa0\x80", "\\300\\257\\355\\240\\200"); /* overlong; a surrogate */
	UTF8("\xf4\x90\x80\x80", "\\364\\220\\200\\200");          /* beyond Unicode */
	UTF8("\xc2\x9b"
	     "1m",
	     "\\302\\2331m"); /* C1: CSI */
	UTF8("\xe2\x80\xae"
	     "gnp",
	     "\\342\\200\\256gnp"); /* right to left override */
	UTF8("\xe2\x81\xa6\xe2\x80\x8b\xe2\x80\xa8\xef\xbb\xbf\xc2\xad",
	     "\\342\\201\\246\\342\\200\\213\\342\\200\\250\\357\\273\\277\\302\\255");
	UTF8("\xf3\xa0\x81\x81", "\\363\\240\\201\\201"); /* a tag, which is invisible */
}

static void cut(size_t size, const char *bytes, const char *expected)
{
	char out[64];
	struct text t;
	text_init(&t, out, size);
	text_add_utf8(&t, bytes, strlen(bytes));
	assert_string_equal(out, expected);
	assert_true(t.truncated);
}

static void test_a_name_that_is_too_long_says_so(void **state)
{
	(void)state;
	cut(8 + 1, "abcdefghi", "abcde...");
	cut(8 + 1,
	    "abcd\xc3\xbc"
	    "fgh",
	    "abcd...");
	cut(8 + 1,
	    "ab\xc3\xbc"
	    "efghi",
	    "ab\xc3\xbc"
	    "e...");
	cut(8 + 1, "abc\x01zz", "abc...");
	cut(3 + 1, "abcd", "...");
	cut(2 + 1, "abcd", "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_adds),
	    cmocka_unit_test(test_cuts_at_the_end),
	    cmocka_unit_test(test_escapes),
	    cmocka_unit_test(test_every_byte_is_safe_and_comes_back),
	    cmocka_unit_test(test_never_half_an_escape),
	    cmocka_unit_test(test_names_of_people),
	    cmocka_unit_test(test_a_name_that_is_too_long_says_so),
	};
	return cmocka_run_group_tests_name("base_text", tests, NULL, NULL);
}
