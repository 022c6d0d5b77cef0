/* master/pure/notice: the message to the service manager is one bounded line, with the
 * important facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "master/pure/notice.h"

static char room[NOTICE_STATUS_MAX];

static const char *ended(const struct notice *n, const char *after)
{
	static struct text t;
	text_init(&t, room, sizeof(room));
	notice_end(n, after, &t);
	assert_false(t.truncated);
	return room;
}

static void those_that_serve_are_counted(void **state)
{
	struct notice n;
	(void)state;
	notice_begin(&n);
	notice_add(&n, 8000, true, "serving", NULL);
	assert_string_equal(ended(&n, NULL), "1 of 1 port serving");
	notice_add(&n, 8001, true, "serving", "not told");
	assert_string_equal(ended(&n, ""), "2 of 2 ports serving");
}

static void the_others_are_named_with_their_reason(void **state)
{
	struct notice n;
	(void)state;
	notice_begin(&n);
	notice_add(&n, 8000, true, "serving", NULL);
	notice_add(&n, 8443, false, "parked", "certificate does not match its key");
	notice_add(&n, 8444, false, "starting", NULL);
	assert_string_equal(ended(&n, "socket \"x\" taken by no port"),
			    "1 of 3 ports serving; 8443 parked: certificate does not match its "
			    "key; 8444 starting; socket \"x\" taken by no port");
}

static void those_that_serve_are_no_reason(void **state)
{
	struct notice n;
	struct text t;
	(void)state;
	notice_begin(&n);
	notice_add(&n, 8000, true, "serving", NULL);
	for (unsigned port = 1; port <= NOTICE_NAMED_MAX + 2; port++)
		notice_add(&n, port, false, "parked", port == 1 ? "no certificate" : "no key");
	text_init(&t, room, sizeof(room));
	notice_end_others(&n, &t);
	assert_string_equal(room, "; 1 parked: no certificate; 2 parked: no key; 3 parked: no key; "
				  "4 parked: no key; 2 more not serving");
	notice_begin(&n);
	notice_add(&n, 8000, true, "serving", NULL);
	text_init(&t, room, sizeof(room));
	notice_end_others(&n, &t);
	assert_string_equal(room, "");
}

/* A reason holds names of files and children: no line may begin in it. */
static void a_reason_is_no_assignment(void **state)
{
	struct notice n;
	(void)state;
	notice_begin(&n);
	notice_add(&n, 1, false, "parked", "a\nMAINPID=1\r\t\x7f\xc3\xa4");
	assert_string_equal(ended(&n, "b\nREADY=1"),
			    "0 of 1 port serving; 1 parked: a?MAINPID=1???\xc3\xa4; b?READY=1");
}

/* systemd accepts a status only in UTF-8. */
static void a_reason_is_cut_between_characters(void **state)
{
	char out[64];
	struct text t;
	(void)state;
	text_init(&t, out, sizeof(out));
	notice_add_plain(&t, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 8);
	assert_string_equal(out, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
	text_init(&t, out, sizeof(out));
	notice_add_plain(&t, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 7);
	assert_string_equal(out, "\xc3\xa4\xc3\xa4...");
	text_init(&t, out, sizeof(out));
	notice_add_plain(&t, "a\xc3\xa4\xc3\xa4\xc3\xff\xe2\x80\xae", 64);
	assert_string_equal(out, "a\xc3\xa4\xc3\xa4?????");
}

static void a_thousand_ports_fit(void **state)
{
	struct notice n;
	char reason[4096];
	(void)state;
	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	notice_begin(&n);
	for (unsigned i = 0; i < 65535; i++)
		notice_add(&n, i + 1, false, "waiting to be started again", reason);
	const char *text = ended(&n, reason);
	assert_non_null(strstr(text, "0 of 65535 ports serving; 1 waiting"));
	assert_non_null(strstr(text, "rrr...; 2 waiting"));
	assert_non_null(strstr(text, "; 4 waiting"));
	assert_null(strstr(text, "; 5 waiting"));
	assert_non_null(strstr(text, "; 65531 more not serving; rrr"));
	assert_true(strlen(text) < NOTICE_STATUS_MAX - 1);
}

static void the_watchdog_is_fed_twice_per_term(void **state)
{
	(void)state;
	assert_int_equal(notice_watchdog_ms("10000000", "42", 42), 5000);
	assert_int_equal(notice_watchdog_ms("10000000", NULL, 42), 5000);
	assert_int_equal(notice_watchdog_ms("1", NULL, 42), 1);
	assert_int_equal(notice_watchdog_ms("10000000", "43", 42), 0);
	assert_int_equal(notice_watchdog_ms("10000000", "42x", 42), 0);
	assert_int_equal(notice_watchdog_ms(NULL, "42", 42), 0);
	assert_int_equal(notice_watchdog_ms("0", NULL, 42), 0);
	assert_int_equal(notice_watchdog_ms("-1", NULL, 42), 0);
	assert_int_equal(notice_watchdog_ms("", NULL, 42), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(those_that_serve_are_counted),
	    cmocka_unit_test(the_others_are_named_with_their_reason),
	    cmocka_unit_test(those_that_serve_are_no_reason),
	    cmocka_unit_test(a_reason_is_no_assignment),
	    cmocka_unit_test(a_reason_is_cut_between_characters),
	    cmocka_unit_test(a_thousand_ports_fit),
	    cmocka_unit_test(the_watchdog_is_fed_twice_per_term),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
