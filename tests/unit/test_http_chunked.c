/* The chunked coding: what is decoded, and every form that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "http/internal.h"

/* Decodes text in pieces of step bytes: the body in out; bytes used, or minus a status. */
static long decode(const char *text, size_t len, size_t step, char *out, bool *ret_ended)
{
	struct http1_chunked k = {0};
	size_t at = 0, body = 0;
	while (at < len && !http1_chunked_ended(&k)) {
		size_t n = len - at < step ? len - at : step;
		long used = http1_chunked_read(&k, (const uint8_t *)text + at, n);
		if (used < 0)
			return used;
		at += (size_t)used;
		n -= (size_t)used;
		if (!http1_chunked_in_data(&k) || n == 0)
			continue;
		if (n > k.left)
			n = (size_t)k.left;
		memcpy(out + body, text + at, n);
		http1_chunked_take(&k, n);
		body += n;
		at += n;
	}
	out[body] = '\0';
	*ret_ended = http1_chunked_ended(&k);
	return (long)at;
}

static const struct {
	const char *text;
	const char *body; /* NULL: refused */
	bool ended;
} cases[] = {
    {"0\r\n\r\n", "", true},
    {"5\r\nhello\r\n0\r\n\r\n", "hello", true},
    {"5\r\nhello\r\nA\r\n0123456789\r\n1\r\n!\r\n00000\r\n\r\n", "hello0123456789!", true},
    {"0005;a=b;c=\"d\\\" ;e\"\r\nhello\r\n0;last\r\n\r\n", "hello", true},
    {"5;\t x\xff\r\nhello\r\n0\r\n\r\n", "hello", true},
    {"1\r\na\r\n0\r\nX: y\r\nEmpty:\r\n\r\n", "a", true},
    {"5\r\nhel", "hel", false},
    {"5\r\nhello\r\n0\r\n", "hello", false},
    {"0\r\nX: y\r\n", "", false},
    {"", "", false},
    /* sizes */
    {"\r\n", NULL, false},
    {";x\r\n", NULL, false},
    {"g\r\n", NULL, false},
    {"5g\r\n", NULL, false},
    {"-5\r\n", NULL, false},
    {"+5\r\n", NULL, false},
    {" 5\r\n", NULL, false},
    {"5 \r\n", NULL, false},
    {"5 ;x\r\n", NULL, false},
    {"\t5\r\n", NULL, false},
    {"0x5\r\n", NULL, false},
    {"5.\r\n", NULL, false},
    {"10000000000000000\r\n", NULL, false},
    {"fffffffffffffffff\r\n", NULL, false},
    /* line ends */
    {"5\nhello", NULL, false},
    {"5\rhello", NULL, false},
    {"5\r\rhello", NULL, false},
    {"5;x\nhello", NULL, false},
    {"5;x\x01\r\nhello", NULL, false},
    {"5\r\nhello0\r\n\r\n", NULL, false},
    {"5\r\nhello\n0\r\n\r\n", NULL, false},
    {"5\r\nhello\r0\r\n\r\n", NULL, false},
    {"5\r\nhelloX\r\n0\r\n\r\n", NULL, false},
    {"0\r\n\n", NULL, false},
    {"0\r\n\rx", NULL, false},
    /* trailers */
    {"0\r\n: x\r\n\r\n", NULL, false},
    {"0\r\nX : x\r\n\r\n", NULL, false},
    {"0\r\n X: x\r\n\r\n", NULL, false},
    {"0\r\nX: x\r\n folded\r\n\r\n", NULL, false},
    {"0\r\nX\r\n\r\n", NULL, false},
    {"0\r\nX: x\n\r\n", NULL, false},
    {"0\r\nX: \x01\r\n\r\n", NULL, false},
};

static void bodies_are_judged_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].text);
		for (size_t step = 1; step <= len + 1; step++) {
			char out[256];
			bool ended = false;
			long used = decode(cases[i].text, len, step, out, &ended);
			if (cases[i].body == NULL) {
				assert_int_equal(used, -400);
				continue;
			}
			assert_int_equal(used, len);
			assert_string_equal(out, cases[i].body);
			assert_int_equal(ended, cases[i].ended);
		}
	}
}

static void what_follows_is_left(void **state)
{
	static const char text[] = "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
	char out[16];
	bool ended;
	(void)state;
	assert_int_equal(decode(text, sizeof(text) - 1, 100, out, &ended), 11);
	assert_true(ended);
}

static void largest_size_is_read(void **state)
{
	struct http1_chunked k = {0};
	(void)state;
	assert_int_equal(http1_chunked_read(&k, (const uint8_t *)"ffffffffffffffff\r\nx", 19), 18);
	assert_true(http1_chunked_in_data(&k));
	assert_true(k.left == UINT64_MAX);
}

static void lines_and_trailers_are_bounded(void **state)
{
	struct http1_chunked k = {0};
	static uint8_t text[10000];
	(void)state;
	memset(text, '0', sizeof(text));
	assert_int_equal(http1_chunked_read(&k, text, 255), 255);
	assert_int_equal(http1_chunked_read(&k, text, 1), -400);

	k = (struct http1_chunked){0};
	memset(text, 'x', sizeof(text));
	text[0] = '1';
	text[1] = ';';
	assert_int_equal(http1_chunked_read(&k, text, 255), 255);
	assert_int_equal(http1_chunked_read(&k, (const uint8_t *)"\r", 1), -400);

	k = (struct http1_chunked){0};
	memcpy(text, "0\r\nX: ", 6);
	assert_int_equal(http1_chunked_read(&k, text, sizeof(text)), -431);
	k = (struct http1_chunked){0};
	assert_int_equal(http1_chunked_read(&k, text, 8192 + 3), 8192 + 3);

	/* The bound of a line is each line's own. */
	k = (struct http1_chunked){0};
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(http1_chunked_read(&k, (const uint8_t *)"01\r\n", 4), 4);
		http1_chunked_take(&k, 1);
		assert_int_equal(http1_chunked_read(&k, (const uint8_t *)"\r\n", 2), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodies_are_judged_in_any_pieces),
	    cmocka_unit_test(what_follows_is_left),
	    cmocka_unit_test(largest_size_is_read),
	    cmocka_unit_test(lines_and_trailers_are_bounded),
	};
	return cmocka_run_group_tests_name("http chunked", tests, NULL, NULL);
}
