/* Dates, entity tags and conditions: RFC 9110, 5.6.7, 8.8 and 13. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/condition.h"

#define NOW INT64_C(1795996800) /* 30 Nov 2026 */

/* --- dates ------------------------------------------------------------------------------------ */

static void assert_date(const char *text, int64_t now, int64_t expected)
{
	int64_t seconds = -77;
	const bool good = http_date_parse(text, strlen(text), now, &seconds);
	if (!good || seconds != expected)
		fail_msg("\"%s\": %d %lld, expected %lld", text, good, (long long)seconds,
			 (long long)expected);
}

static void all_three_forms_are_read(void **state)
{
	(void)state;
	assert_date("Sun, 06 Nov 1994 08:49:37 GMT", NOW, 784111777);
	assert_date("Sunday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
	assert_date("Sun Nov  6 08:49:37 1994", NOW, 784111777);
	assert_date("Sun Nov 16 08:49:37 1994", NOW, 784111777 + 864000);
	assert_date("Thu, 01 Jan 1970 00:00:00 GMT", NOW, 0);
	assert_date("Tue, 29 Feb 2000 23:59:60 GMT", NOW, 951868800);
	assert_date("Mon, 06 Nov 1994 08:49:37 GMT", NOW, 784111777); /* the wrong day */
	assert_date("Fri, 31 Dec 9999 23:59:59 GMT", NOW, INT64_C(253402300799));
	assert_date("Wednesday, 01-Jan-20 00:00:00 GMT", NOW, 1577836800);
	assert_date("Monday, 01-Jan-01 00:00:00 GMT", NOW, 978307200);
	assert_date("Tuesday, 01-Jan-02 00:00:00 GMT", NOW, 1009843200);
	assert_date("Thursday, 01-Jan-04 00:00:00 GMT", NOW, 1072915200);
	assert_date("Friday, 01-Jan-10 00:00:00 GMT", NOW, 1262304000);
	assert_date("Saturday, 01-Jan-11 00:00:00 GMT", NOW, 1293840000);
}

static void a_year_of_two_digits_is_at_most_50_years_ahead(void **state)
{
	(void)state;
	assert_date("Sunday, 30-Nov-76 00:00:00 GMT", NOW, INT64_C(3373920000)); /* 2076 */
	assert_date("Sunday, 01-Dec-76 00:00:01 GMT", NOW, 218246401);           /* 1976 */
	assert_date("Sunday, 01-Jan-77 00:00:00 GMT", NOW, 220924800);
	assert_date("Sunday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
	assert_date("Friday, 31-Dec-99 23:59:59 GMT", 946684799, 946684799);
	assert_date("Saturday, 01-Jan-00 00:00:00 GMT", 946684800, 946684800);
}

/* time(2) of many days, there and back. */
static void every_day_is_read_as_it_is_written(void **state)
{
	char text[64];
	int64_t seconds;
	(void)state;
	static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	static const int len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t day = 0;
	for (int y = 1970; y < 2420; y++)
		for (int m = 0; m < 12; m++) {
			const int leap = m == 1 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
			for (int d = 1; d <= len[m] + leap; d++, day++) {
				const int n =
				    snprintf(text, sizeof(text), "%s, %02d %s %04d 01:02:03 GMT",
					     days[day % 7], d, months[m], y);
				assert_true(http_date_parse(text, (size_t)n, NOW, &seconds));
				assert_int_equal(seconds, day * 86400 + 3723);
			}
		}
}

static void what_is_no_date_is_refused(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "0",
	    "Sun",
	    "Sun,",
	    "yesterday",
	    "784111777",
	    "Sun, 06 Nov 1994 08:49:37",
	    "Sun, 06 Nov 1994 08:49:37 gmt",
	    "Sun, 06 Nov 1994 08:49:37 UTC",
	    "Sun, 06 Nov 1994 08:49:37 +0000",
	    "Sun, 06 Nov 1994 08:49:37 GMT ",
	    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
	    "sun, 06 Nov 1994 08:49:37 GMT",
	    "Sun, 6 Nov 1994 08:49:37 GMT",
	    "Sun, 06 nov 1994 08:49:37 GMT",
	    "Sun, 06 Nov 94 08:49:37 GMT",
	    "Sun,  06 Nov 1994 08:49:37 GMT",
	    "Sun, 00 Nov 1994 08:49:37 GMT",
	    "Sun, 31 Nov 1994 08:49:37 GMT",
	    "Tue, 29 Feb 1994 08:49:37 GMT",
	    "Thu, 29 Feb 1900 08:49:37 GMT",
	    "Sun, 06 Nov 1994 24:49:37 GMT",
	    "Sun, 06 Nov 1994 08:60:37 GMT",
	    "Sun, 06 Nov 1994 08:49:61 GMT",
	    "Sun, 06 Nov 1994 8:49:37 GMT",
	    "Sun, 06-Nov-1994 08:49:37 GMT",
	    "Sunday, 06-Nov-1994 08:49:37 GMT",
	    "Sunday, 06 Nov 1994 08:49:37 GMT",
	    "Monsday, 06-Nov-94 08:49:37 GMT",
	    "Sunda",
	    "Sun Nov 6 08:49:37 1994",
	    "Sun Nov  6 08:49:37 94",
	    "Sun Nov  6 08:49:37 1994 GMT",
	    "Sun Nov",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int64_t seconds = -77;
		if (http_date_parse(wrong[i], strlen(wrong[i]), NOW, &seconds) || seconds != -77)
			fail_msg("\"%s\" is a date", wrong[i]);
	}
}

/* --- conditions ------------------------------------------------------------------------------- */

#define TAG    "\"abc\""
#define LAST   "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER  "Sun, 06 Nov 1994 08:49:38 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define FUTURE "Fri, 06 Nov 2099 08:49:36 GMT"

static const struct http_validators file = {
    .etag = TAG, .etag_len = 5, .modified = 784111777, .has_modified = true};
static const struct http_validators listing = {.etag = NULL};

static void request_read(const char *fields, struct http_request *r, struct http_asks *asks,
			 char *head, size_t size)
{
	size_t scan = 0;
	const int n = snprintf(head, size, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	assert_int_equal(http_request_parse(head, (size_t)n, size, &scan, r), n);
	http_asks_read(r, asks);
}

static void assert_judged(const char *fields, const struct http_validators *v, unsigned expected)
{
	struct http_request r;
	struct http_asks asks;
	char head[4096];
	request_read(fields, &r, &asks, head, sizeof(head));
	const unsigned status = http_conditions_judge(&r, &asks, v, NOW);
	if (status != expected)
		fail_msg("%s: %u, expected %u", fields, status, expected);
}

static void conditions_are_judged_in_their_order(void **state)
{
	static const struct {
		const char *fields;
		unsigned status;
	} cases[] = {
	    {"", 0},
	    /* 1. If-Match */
	    {"If-Match: *\r\n", 0},
	    {"If-Match: " TAG "\r\n", 0},
	    {"if-match: \"x\", " TAG "\r\n", 0},
	    {"If-Match: \"x\"\r\nIf-Match: " TAG "\r\n", 0},
	    {"If-Match: \"x\"\r\n", 412},
	    {"If-Match: W/" TAG "\r\n", 412},
	    {"If-Match: abc\r\n", 412},
	    {"If-Match: \"ABC\"\r\n", 412},
	    {"If-Match: \r\n", 412},
	    {"If-Match: \"x\"\r\nIf-None-Match: " TAG "\r\n", 412},
	    {"If-None-Match: " TAG "\r\nIf-Match: \"x\"\r\n", 412},
	    /* 2. If-Unmodified-Since, only without If-Match */
	    {"If-Unmodified-Since: " LAST "\r\n", 0},
	    {"If-Unmodified-Since: " LATER "\r\n", 0},
	    {"If-Unmodified-Since: " BEFORE "\r\n", 412},
	    {"If-Unmodified-Since: x\r\n", 0},
	    {"If-Unmodified-Since: " BEFORE "\r\nIf-Unmodified-Since: " BEFORE "\r\n", 0},
	    {"If-Match: " TAG "\r\nIf-Unmodified-Since: " BEFORE "\r\n", 0},
	    {"If-Match: \"x\"\r\nIf-Unmodified-Since: " LATER "\r\n", 412},
	    {"If-Unmodified-Since: " BEFORE "\r\nIf-None-Match: " TAG "\r\n", 412},
	    {"If-Unmodified-Since: " LATER "\r\nIf-None-Match: " TAG "\r\n", 304},
	    {"If-Unmodified-Since: " LAST "\r\nIf-Modified-Since: " LAST "\r\n", 304},
	    /* 3. If-None-Match */
	    {"If-None-Match: *\r\n", 304},
	    {"If-None-Match: " TAG "\r\n", 304},
	    {"If-None-Match: W/" TAG "\r\n", 304},
	    {"If-None-Match: w/" TAG "\r\n", 0},
	    {"If-None-Match: \"x\"\r\n", 0},
	    {"If-None-Match: \"x\"," TAG "\r\n", 304},
	    {"If-None-Match: ,, \"x\" ,\t" TAG ",\r\n", 304},
	    {"If-None-Match: \"x\"\r\nIf-None-Match: " TAG "\r\n", 304},
	    {"If-None-Match: \"a,b\", " TAG "\r\n", 304},
	    {"If-None-Match: \"a, " TAG "\r\n", 304}, /* goes on after the comma */
	    {"If-None-Match: abc\r\n", 0},
	    {"If-None-Match: abc, " TAG "\r\n", 304},
	    {"If-None-Match: " TAG "x\r\n", 0},
	    {"If-None-Match: " TAG " " TAG "\r\n", 0},
	    {"If-None-Match: \"\"\r\n", 0},
	    {"If-None-Match: \"abc\r\n", 0},
	    {"If-None-Match: abc\"\r\n", 0},
	    {"If-None-Match: *, " TAG "\r\n", 304},
	    {"If-None-Match: *, \"x\"\r\n", 0},
	    {"If-None-Match: *\r\nIf-None-Match: \"x\"\r\n", 0},
	    {"If-None-Match: \"*\"\r\n", 0},
	    {"If-Match: " TAG "\r\nIf-None-Match: " TAG "\r\n", 304},
	    /* 4. If-Modified-Since, only without If-None-Match */
	    {"If-Modified-Since: " LAST "\r\n", 304},
	    {"If-Modified-Since: " LATER "\r\n", 304},
	    {"If-Modified-Since: " FUTURE "\r\n", 304},
	    {"If-Modified-Since: " BEFORE "\r\n", 0},
	    {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n", 304},
	    {"If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n", 304},
	    {"If-Modified-Since: x\r\n", 0},
	    {"If-Modified-Since: \r\n", 0},
	    {"If-Modified-Since: " LAST "\r\nIf-Modified-Since: " LAST "\r\n", 0},
	    {"If-None-Match: \"x\"\r\nIf-Modified-Since: " LATER "\r\n", 0},
	    {"If-None-Match: " TAG "\r\nIf-Modified-Since: " BEFORE "\r\n", 304},
	    {"If-None-Match: x\r\nIf-Modified-Since: " LATER "\r\n", 0},
	    {"If-Match: *\r\nIf-Modified-Since: " LAST "\r\n", 304},
	    /* If-Range alone means nothing here */
	    {"If-Range: \"x\"\r\n", 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_judged(cases[i].fields, &file, cases[i].status);
}

static void without_validators_only_the_star_says_something(void **state)
{
	(void)state;
	assert_judged("If-Match: *\r\n", &listing, 0);
	assert_judged("If-Match: " TAG "\r\n", &listing, 412);
	assert_judged("If-None-Match: *\r\n", &listing, 304);
	assert_judged("If-None-Match: " TAG "\r\n", &listing, 0);
	assert_judged("If-Modified-Since: " LATER "\r\n", &listing, 0);
	assert_judged("If-Unmodified-Since: " BEFORE "\r\n", &listing, 0);
}

static void if_range_is_strict(void **state)
{
	static const struct {
		const char *fields;
		int64_t now;
		bool holds;
	} cases[] = {
	    {"", NOW, true},
	    {"If-Range: " TAG "\r\n", NOW, true},
	    {"If-Range: W/" TAG "\r\n", NOW, false},
	    {"If-Range: \"x\"\r\n", NOW, false},
	    {"If-Range: abc\r\n", NOW, false},
	    {"If-Range: *\r\n", NOW, false},
	    {"If-Range: \r\n", NOW, false},
	    {"If-Range: \"x\", " TAG "\r\n", NOW, false},
	    {"If-Range: " TAG "\r\nIf-Range: " TAG "\r\n", NOW, false},
	    {"If-Range: " LAST "\r\n", NOW, true},
	    {"If-Range: Sun Nov  6 08:49:37 1994\r\n", NOW, true},
	    {"If-Range: " LATER "\r\n", NOW, false},
	    {"If-Range: " BEFORE "\r\n", NOW, false},
	    {"If-Range: " LAST "\r\n", 784111777, false}, /* in this very second */
	    {"If-Range: " LAST "\r\n", 784111778, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request r;
		struct http_asks asks;
		char head[1024];
		request_read(cases[i].fields, &r, &asks, head, sizeof(head));
		if (http_if_range_holds(&r, &asks, &file, cases[i].now) != cases[i].holds)
			fail_msg("%s", cases[i].fields);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_three_forms_are_read),
	    cmocka_unit_test(a_year_of_two_digits_is_at_most_50_years_ahead),
	    cmocka_unit_test(every_day_is_read_as_it_is_written),
	    cmocka_unit_test(what_is_no_date_is_refused),
	    cmocka_unit_test(conditions_are_judged_in_their_order),
	    cmocka_unit_test(without_validators_only_the_star_says_something),
	    cmocka_unit_test(if_range_is_strict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
