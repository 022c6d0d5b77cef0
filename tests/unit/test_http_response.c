/* Heads of responses, reasons, dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "http/internal.h"

static void dates_are_imf_fixdate(void **state)
{
	char out[32], want[32];
	(void)state;
	http_date(784111777, out);
	assert_string_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT");
	http_date(0, out);
	assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT");
	http_date(INT64_MAX, out); /* no such date */
	assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT");
	for (int64_t t = -3000000000; t < 10000000000; t += 12345677) {
		time_t when = (time_t)t;
		struct tm tm;
		(void)gmtime_r(&when, &tm);
		(void)strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date(t, out);
		assert_string_equal(out, want);
	}
}

static void reasons_and_sizes(void **state)
{
	uint8_t out[RESPONSE_PART_MAX];
	(void)state;
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(299), "Unknown");
	for (unsigned status = 100; status < 600; status++)
		assert_true(http_response_start(out, status, "Sun, 06 Nov 1994 08:49:37 GMT") <=
			    sizeof(out));
	assert_true(http_response_finish(out, false, UINT64_MAX - 1, RESPONSE_KEEP_ALIVE, false) <=
		    sizeof(out));
}

static void heads_are_built_in_order(void **state)
{
	static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	uint8_t out[RESPONSE_PART_MAX + 1];
	(void)state;
	out[http_response_start(out, 200, date)] = '\0';
	assert_string_equal((char *)out,
			    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	out[http_response_start(out, 404, date)] = '\0';
	assert_string_equal((char *)out,
			    "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	out[http_response_finish(out, false, 10, RESPONSE_CLOSE, false)] = '\0';
	assert_string_equal((char *)out, "Content-Length: 10\r\nConnection: close\r\n\r\n");
	out[http_response_finish(out, true, 10, RESPONSE_PLAIN, false)] = '\0';
	assert_string_equal((char *)out, "Transfer-Encoding: chunked\r\n\r\n");
	out[http_response_finish(out, false, HTTP_LENGTH_UNKNOWN, RESPONSE_KEEP_ALIVE, false)] =
	    '\0';
	assert_string_equal((char *)out, "Connection: keep-alive\r\n\r\n");
}

static void methods_have_names(void **state)
{
	(void)state;
	assert_string_equal(http_method_name(HTTP_GET), "GET");
	assert_string_equal(http_method_name(HTTP_PATCH), "PATCH");
	assert_string_equal(http_method_name(HTTP_METHODS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dates_are_imf_fixdate),
	    cmocka_unit_test(reasons_and_sizes),
	    cmocka_unit_test(heads_are_built_in_order),
	    cmocka_unit_test(methods_have_names),
	};
	return cmocka_run_group_tests_name("http response", tests, NULL, NULL);
}
