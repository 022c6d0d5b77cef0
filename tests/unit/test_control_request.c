/* control/request: valid requests, and the errors about others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "control/request.h"

static struct control_request parsed(const char *line)
{
	struct control_request r;
	struct err err = {""};
	if (control_parse(line, strlen(line), &r, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	return r;
}

static void assert_refused_bytes(const char *line, size_t len, const char *sentence)
{
	struct control_request r = {.verb = CONTROL_VERBS};
	struct err err = {""};
	assert_int_equal(control_parse(line, len, &r, &err), -EINVAL);
	assert_string_equal(err.text, sentence);
	assert_int_equal(r.verb, CONTROL_VERBS);
}

static void assert_refused(const char *line, const char *sentence)
{
	assert_refused_bytes(line, strlen(line), sentence);
}

static void every_verb_is_understood(void **state)
{
	(void)state;
	assert_int_equal(parsed("bulkhead/1 status").verb, CONTROL_STATUS);
	assert_int_equal(parsed("bulkhead/1 status").port, 0);
	assert_int_equal(parsed("bulkhead/1 status 8000").port, 8000);
	assert_int_equal(parsed("bulkhead/1 crashes 65535").port, 65535);
	assert_int_equal(parsed("bulkhead/1 crashes").verb, CONTROL_CRASHES);
	assert_false(parsed("bulkhead/1 reload").dry_run);
	assert_true(parsed("bulkhead/1 reload dry-run").dry_run);
	assert_int_equal(parsed("bulkhead/1 stop 1").verb, CONTROL_STOP);
	assert_int_equal(parsed("bulkhead/1 start 1").verb, CONTROL_START);
	assert_int_equal(parsed("bulkhead/1 restart 1").verb, CONTROL_RESTART);
	assert_int_equal(parsed("bulkhead/1 drain").verb, CONTROL_DRAIN);
	assert_int_equal(parsed("bulkhead/1 upgrade").verb, CONTROL_UPGRADE);
	assert_int_equal(parsed("bulkhead/1 log debug").level, LOG_DEBUG);
	assert_int_equal(parsed("bulkhead/1 log err").level, LOG_ERR);
}

static void what_is_no_request_is_told(void **state)
{
	(void)state;
	assert_refused("", "a request is words with one blank between them");
	assert_refused(" bulkhead/1 status", "a request is words with one blank between them");
	assert_refused("bulkhead/1  status", "a request is words with one blank between them");
	assert_refused("bulkhead/1 status ", "a request is words with one blank between them");
	assert_refused("bulkhead/1 status\r", "a request is one line of printable ASCII");
	assert_refused("bulkhead/1 stat\303\274s", "a request is one line of printable ASCII");
	assert_refused_bytes("bulkhead/1 status\0", 18, "a request is one line of printable ASCII");
	assert_refused("bulkhead/2 status",
		       "a request begins with \"bulkhead/1\", not with \"bulkhead/2\"");
	assert_refused("bulkhead/1", "a request has a verb");
	assert_refused("bulkhead/1 Status", "there is no verb \"Status\"");
	assert_refused("bulkhead/1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		       "there is no verb \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
}

static void arguments_are_judged(void **state)
{
	(void)state;
	assert_refused("bulkhead/1 stop", "stop needs a port");
	assert_refused("bulkhead/1 log", "log needs a level");
	assert_refused("bulkhead/1 drain now", "drain takes no argument");
	assert_refused("bulkhead/1 status 1 2", "status takes one argument at most");
	assert_refused("bulkhead/1 status 1 2 3 4", "status takes one argument at most");
	assert_refused("bulkhead/1 stop 0", "\"0\" is not a port; it can be 1 to 65535");
	assert_refused("bulkhead/1 stop 65536", "\"65536\" is not a port; it can be 1 to 65535");
	assert_refused("bulkhead/1 stop -1", "\"-1\" is not a port; it can be 1 to 65535");
	assert_refused("bulkhead/1 stop 80a", "\"80a\" is not a port; it can be 1 to 65535");
	assert_refused("bulkhead/1 reload wet-run",
		       "reload takes \"dry-run\" or nothing, not \"wet-run\"");
	assert_refused("bulkhead/1 log loud",
		       "\"loud\" is not a level; it can be err, warning, notice, info or debug");
}

static void an_upstream_is_told_what_to_do(void **state)
{
	(void)state;
	const struct control_request r = parsed("bulkhead/1 upstream 8443 api drain");
	assert_int_equal(r.verb, CONTROL_UPSTREAM);
	assert_int_equal(r.port, 8443);
	assert_string_equal(r.upstream, "api");
	assert_int_equal(r.order, CONTROL_ORDER_DRAIN);
	assert_int_equal(parsed("bulkhead/1 upstream 1 http://[::1]:9000 up").order,
			 CONTROL_ORDER_UP);
	assert_int_equal(parsed("bulkhead/1 upstream 1 unix:/run/app.sock down").order,
			 CONTROL_ORDER_DOWN);
	static const char needs[] = "upstream takes a port, a name and one of up, drain, down";
	assert_refused("bulkhead/1 upstream", needs);
	assert_refused("bulkhead/1 upstream 1", needs);
	assert_refused("bulkhead/1 upstream 1 api", needs);
	assert_refused("bulkhead/1 upstream 1 api up now", needs);
	assert_refused("bulkhead/1 upstream 1 api up now and then", needs);
	assert_refused("bulkhead/1 upstream api api up",
		       "\"api\" is not a port; it can be 1 to 65535");
	assert_refused("bulkhead/1 upstream 1 api Up",
		       "an upstream can be told up, drain or down, not \"Up\"");
	char line[2 * CONTROL_UPSTREAM_MAX];
	for (size_t len = CONTROL_UPSTREAM_MAX - 1; len <= CONTROL_UPSTREAM_MAX; len++) {
		int n = snprintf(line, sizeof(line), "bulkhead/1 upstream 1 %0*d up", (int)len, 0);
		assert_true(n > 0 && (size_t)n < sizeof(line));
		if (len < CONTROL_UPSTREAM_MAX)
			assert_int_equal(strlen(parsed(line).upstream), len);
		else
			assert_refused(line, "no upstream has so long a name");
	}
}

static void every_name_is_read_back(void **state)
{
	(void)state;
	for (int level = LOG_ERR; level <= LOG_DEBUG; level++) {
		const char *name = control_level_name(level);
		assert_non_null(name);
		assert_int_equal(control_level_parse(name, strlen(name)), level);
	}
	assert_null(control_level_name(LOG_EMERG));
	for (int order = 0; order < CONTROL_ORDERS; order++) {
		const char *name = control_order_name((enum control_order)order);
		assert_int_equal(control_order_parse(name, strlen(name)), order);
	}
	for (int verb = 0; verb < CONTROL_VERBS; verb++)
		assert_non_null(control_verb_name((enum control_verb)verb));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_verb_is_understood),
	    cmocka_unit_test(what_is_no_request_is_told),
	    cmocka_unit_test(arguments_are_judged),
	    cmocka_unit_test(an_upstream_is_told_what_to_do),
	    cmocka_unit_test(every_name_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
