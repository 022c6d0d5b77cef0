/* The chunked coding: what it decodes, and every form that it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"

#define TRAILER_MAX 8192

/* Decodes text in pieces of step bytes: the body in out; bytes used, or minus an
 * enum http_refusal. */
static long decode(const char *text, size_t len, size_t step, char *out, bool *ret_ended)
{
	struct http1_chunked k = {0};
	size_t at = 0, body = 0;
	while (at < len && !http1_chunked_ended(&k)) {
		size_t n = len - at < step ? len - at : step;
		long used =
		    http1_chunked_read(&k, (const uint8_t *)text + at, n, TRAILER_MAX, NULL);
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
	enum http_refusal why;
} cases[] = {
    {"0\r\n\r\n", "", true, 0},
    {"5\r\nhello\r\n0\r\n\r\n", "hello", true, 0},
    {"5\r\nhello\r\nA\r\n0123456789\r\n1\r\n!\r\n00000\r\n\r\n", "hello0123456789!", true, 0},
    {"1\r\na\r\n0\r\nX: y\r\nEmpty:\r\n\r\n", "a", true, 0},
    {"1\r\na\r\n0\r\nX: \ty \xff\r\n\r\n", "a", true, 0},
    {"5\r\nhel", "hel", false, 0},
    {"5\r\nhello\r\n0\r\n", "hello", false, 0},
    {"0\r\nX: y\r\n", "", false, 0},
    {"", "", false, 0},
    /* extensions */
    {"0005;a=b;c=\"d\\\" ;e\"\r\nhello\r\n0;last\r\n\r\n", "hello", true, 0},
    {"5 ;a\r\nhello\r\n0 \t ; \tb\t = \t\"\" ; c\r\n\r\n", "hello", true, 0},
    {"5;a=\"\t \x80\xff!~\\\t\\ \\\\\\\"\\a\\\xff;=\"\r\nhello\r\n0\r\n\r\n", "hello", true, 0},
    {"5;!#$%&'*+-.^_`|~09azAZ=!#$%&'*+-.^_`|~09azAZ\r\nhello\r\n0\r\n\r\n", "hello", true, 0},
    {"5;a;a;a=1;a=2\r\nhello\r\n0\r\n\r\n", "hello", true, 0},
    {"5;\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5 ;\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5; \r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;;a\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a;\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;=a\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a= \r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=;b\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a==b\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=b=c\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a b\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a \r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=b \r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=b c\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a,b\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;bad[=x\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=x]\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\"x\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\"x\\\"\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\"x\"y\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\"x\" \r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=x\"y\"\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;\"a\"\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\"\x7f\"\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\"\x01\"\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\"\n\"\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;a=\"\\\r\n\"\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;x\xff\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;x\x01\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5;x\nhello", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5 \r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5\t\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5 5\r\n", NULL, false, REFUSE_CHUNK_EXTENSION},
    {"5 \n", NULL, false, REFUSE_CHUNK_EXTENSION},
    /* sizes */
    {"\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {";x\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"g\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"5g\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"-5\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"+5\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {" 5\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"\t5\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"0x5\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"5.\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"10000000000000000\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    {"fffffffffffffffff\r\n", NULL, false, REFUSE_CHUNK_SIZE},
    /* line ends */
    {"5\nhello", NULL, false, REFUSE_CHUNK_SIZE},
    {"5\rhello", NULL, false, REFUSE_CHUNK_SIZE},
    {"5\r\rhello", NULL, false, REFUSE_CHUNK_SIZE},
    {"5\r\nhello0\r\n\r\n", NULL, false, REFUSE_CHUNK_END},
    {"5\r\nhello\n0\r\n\r\n", NULL, false, REFUSE_CHUNK_END},
    {"5\r\nhello\r0\r\n\r\n", NULL, false, REFUSE_CHUNK_END},
    {"5\r\nhelloX\r\n0\r\n\r\n", NULL, false, REFUSE_CHUNK_END},
    {"0\r\n\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\n\rx", NULL, false, REFUSE_TRAILER_FORM},
    /* trailers */
    {"0\r\n: x\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\nX : x\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\n X: x\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\nX: x\r\n folded\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\nX\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\nX;y\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\nX: x\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\nX: x\rY: y\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\nX: \x01\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
    {"0\r\nX: \x7f\r\n\r\n", NULL, false, REFUSE_TRAILER_FORM},
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
				assert_int_equal(used, -(int)cases[i].why);
				continue;
			}
			assert_int_equal(used, len);
			assert_string_equal(out, cases[i].body);
			assert_int_equal(ended, cases[i].ended);
		}
	}
}

/* All lines of up to seven such bytes after a size, compared with a second implementation of
 * the grammar in RFC 9112, 7.1.1. */
static void extensions_follow_the_grammar(void **state)
{
	static const char grammar[] =
	    "^([ \t]*;[ \t]*[a-z]+([ \t]*=[ \t]*([a-z]+|\"([^\"\\\\]|\\\\.)*\"))?)*$";
	static const char bytes[] = ";=z \"\\";
	const size_t base = sizeof(bytes) - 1;
	regex_t regex;
	size_t taken = 0;
	(void)state;
	assert_int_equal(regcomp(&regex, grammar, REG_EXTENDED | REG_NOSUB), 0);
	for (size_t len = 0, count = 1; len <= 7; len++, count *= base) {
		for (size_t n = 0; n < count; n++) {
			char line[16] = {0}, text[16];
			size_t rest = n;
			for (size_t i = 0; i < len; i++, rest /= base)
				line[i] = bytes[rest % base];
			struct http1_chunked k = {0};
			int used = sprintf(text, "1%s\r\n", line);
			long got = http1_chunked_read(&k, (uint8_t *)text, (size_t)used,
						      TRAILER_MAX, NULL);
			bool wanted = regexec(&regex, line, 0, NULL, 0) == 0;
			if (wanted != (got == used))
				fail_msg("%s", text);
			taken += wanted;
		}
	}
	assert_true(taken > 100);
	regfree(&regex);
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
	assert_int_equal(
	    http1_chunked_read(&k, (const uint8_t *)"ffffffffffffffff\r\nx", 19, TRAILER_MAX, NULL),
	    18);
	assert_true(http1_chunked_in_data(&k));
	assert_true(k.left == UINT64_MAX);
}

static long read_framing(struct http1_chunked *k, const void *text, size_t len)
{
	return http1_chunked_read(k, text, len, TRAILER_MAX, NULL);
}

static void lines_and_trailers_are_bounded(void **state)
{
	struct http1_chunked k = {0};
	static char text[10000];
	(void)state;
	memset(text, '0', sizeof(text));
	assert_int_equal(read_framing(&k, text, 255), 255);
	assert_int_equal(read_framing(&k, text, 1), -REFUSE_CHUNK_LINE_TOO_LONG);

	k = (struct http1_chunked){0};
	memset(text, 'x', sizeof(text));
	text[0] = '1';
	text[1] = ';';
	assert_int_equal(read_framing(&k, text, 255), 255);
	assert_int_equal(read_framing(&k, "\r", 1), -REFUSE_CHUNK_LINE_TOO_LONG);

	k = (struct http1_chunked){0};
	memcpy(text, "0\r\nX: ", 6);
	assert_int_equal(read_framing(&k, text, sizeof(text)), -REFUSE_TRAILER_TOO_LONG);
	k = (struct http1_chunked){0};
	assert_int_equal(read_framing(&k, text, TRAILER_MAX + 3), TRAILER_MAX + 3);

	/* The line end of the body is no part of the trailer: this one has nine bytes. */
	static const char whole[] = "0\r\nX: abcd\r\n\r\n";
	const long len = (long)sizeof(whole) - 1;
	for (size_t max = 0; max <= 10; max++) {
		k = (struct http1_chunked){0};
		assert_int_equal(
		    http1_chunked_read(&k, (const uint8_t *)whole, (size_t)len, max, NULL),
		    max < 9 ? -REFUSE_TRAILER_TOO_LONG : len);
		k = (struct http1_chunked){0};
		assert_int_equal(http1_chunked_read(&k, (const uint8_t *)"0\r\n\r\n", 5, max, NULL),
				 5);
	}

	/* Each line has a separate bound. */
	k = (struct http1_chunked){0};
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(read_framing(&k, "01\r\n", 4), 4);
		http1_chunked_take(&k, 1);
		assert_int_equal(read_framing(&k, "\r\n", 2), 2);
	}
}

/* RFC 9112, 7.1.1: a server ought to limit the total length of chunk extensions. */
static void extensions_are_bounded_by_the_body(void **state)
{
	struct http1_chunked k = {0};
	char small[64], large[64];
	const int n = sprintf(small, "1;%040d\r\n", 0), m = sprintf(large, "100;%040d\r\n", 0);
	long used = 0;
	int chunks = 0;
	(void)state;
	for (; (used = read_framing(&k, small, (size_t)n)) == n; chunks++) {
		http1_chunked_take(&k, 1);
		assert_int_equal(read_framing(&k, "\r\n", 2), 2);
	}
	assert_int_equal(used, -REFUSE_CHUNK_EXTENSIONS_TOO_LONG);
	assert_in_range(chunks, 16384 / 42, 16384 / 39);

	k = (struct http1_chunked){0}; /* a larger body lets them go on for ever */
	for (chunks = 0; chunks < 10000; chunks++) {
		assert_int_equal(read_framing(&k, large, (size_t)m), m);
		http1_chunked_take(&k, 0x100);
		assert_int_equal(read_framing(&k, "\r\n", 2), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodies_are_judged_in_any_pieces),
	    cmocka_unit_test(what_follows_is_left),
	    cmocka_unit_test(largest_size_is_read),
	    cmocka_unit_test(lines_and_trailers_are_bounded),
	    cmocka_unit_test(extensions_follow_the_grammar),
	    cmocka_unit_test(extensions_are_bounded_by_the_body),
	};
	return cmocka_run_group_tests_name("http chunked", tests, NULL, NULL);
}
