/* The limits of a client, and `rate`: what they mean, where they come from, and their messages. */
#include "conf_told.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static __attribute__((noinline)) char *dump_first(const struct conf *conf)
{
	return dump(conf, &conf->ports[0]);
}

/* The line of a canonical text that has this word. */
static void assert_line(const char *text, const char *word, const char *expected)
{
	struct conf *conf = parse(text);
	char *dumped = dump_first(conf);
	const char *line = strstr(dumped, word);
	if (expected == NULL)
		assert_null(line);
	else if (line == NULL || strncmp(line, expected, strlen(expected)) != 0 ||
		 line[strlen(expected)] != '\n')
		fail_msg("%s: %.60s, expected %s", text, line != NULL ? line : "none", expected);
	struct conf *again = parse(dumped);
	char *second = dump_first(again);
	assert_string_equal(dumped, second);
	free(dumped);
	free(second);
	conf_free(conf);
	conf_free(again);
}

static void each_has_its_canonical_form(void **state)
{
	static const struct {
		const char *text, *word, *expected;
	} cases[] = {
	    {"port 1 { tls off limits { requests-per-client 50/s burst 100 } echo }",
	     "requests-per-client", "requests-per-client 50/s burst 100"},
	    {"port 1 { tls off limits { requests-per-client 3600/h } echo }", "requests-per-client",
	     "requests-per-client 1/s burst 1"},
	    {"port 1 { tls off limits { requests-per-client 90/m } echo }", "requests-per-client",
	     "requests-per-client 90/m burst 2"},
	    {"port 1 { tls off limits { requests-per-client 120/m burst 9 } echo }",
	     "requests-per-client", "requests-per-client 2/s burst 9"},
	    {"port 1 { tls off echo }", "per-client", NULL},
	    {"port 1 { tls off limits { clients 65536 } echo }", "clients", NULL},
	    {"port 1 { tls off limits { clients 64 } echo }", "clients", "clients 64"},
	    /* from the top level, and taken back; a burst does not come along with another rate */
	    {"limits { requests-per-client 5/s burst 70 } port 1 { tls off echo }",
	     "requests-per-client", "requests-per-client 5/s burst 70"},
	    {"limits { requests-per-client 5/s burst 70 } port 1 { tls off limits { "
	     "requests-per-client 6/s } echo }",
	     "requests-per-client", "requests-per-client 6/s burst 6"},
	    {"limits { requests-per-client 5/s burst 70 } port 1 { tls off limits { "
	     "requests-per-client off } echo }",
	     "requests-per-client", NULL},
	    {"limits { connections-per-client 5 } port 1 { tls off limits { "
	     "connections-per-client off } echo }",
	     "connections-per-client", NULL},
	    {"limits { connections-per-client 5 } port 1 { tls off echo }", "connections-per",
	     "connections-per-client 5"},
	    /* no handshakes without TLS */
	    {"limits { handshakes-per-client 5/s } port 1 { tls off echo }", "handshakes-per",
	     NULL},
	    {TLS "limits { handshakes-per-client 5/s } port 1 { echo }", "handshakes-per",
	     "handshakes-per-client 5/s burst 5"},
	    {"limits { exempt ::1 } port 1 { tls off limits { exempt 10.0.0.0/8 10.0.0.0/8 "
	     "192.0.2.1 exempt 2001:db8::/32 } echo }",
	     "exempt", "exempt 10.0.0.0/8 192.0.2.1 2001:db8::/32"},
	    {"limits { exempt ::1 * } port 1 { tls off echo }", "exempt", "exempt ::1 *"},
	    {"rate 1024K/s port 1 { tls off echo }", "rate", "rate 1M/s"},
	    {"rate 1M/s port 1 { tls off rate off echo }", "rate", "rate off"},
	    {"port 1 { tls off location \"/\" { rate 2000000/s echo } }", "rate", "rate 2000000/s"},
	    {"log rate 7 port 1 { tls off echo }", "rate", NULL},
	    {"faults enabled port 1 { tls off location \"/\" { fault leak-memory rate 1M rate 2M/s "
	     "echo } }",
	     "rate", NULL},
	};
	(void)state;
	for (size_t i = 0; i + 1 < COUNT(cases); i++)
		assert_line(cases[i].text, cases[i].word, cases[i].expected);
	/* after a fault, `rate` is a word of the fault */
	told(cases[COUNT(cases) - 1].text, "1:74 `rate` is given twice\n");
	assert_line("faults enabled port 1 { tls off location \"/\" { rate 2M/s fault leak-memory "
		    "rate 1M echo } }",
		    "rate 2M", "rate 2M/s");
}

static void mistakes_say_what_to_write(void **state)
{
	static const struct {
		const char *statement, *message;
	} limits[] = {
	    {"requests-per-client 50", "47 `50` is not a rate such as 50/s or 5/m; "
				       "requests-per-client can be 1/h to 1000000/s\n"},
	    {"requests-per-client 5r/s",
	     "47 `5r/s` is not a rate such as 50/s or 5/m; is 5/s meant? "
	     "requests-per-client can be 1/h to 1000000/s\n"},
	    {"requests-per-client 0/s",
	     "47 requests-per-client 0/s is out of range; it can be 1/h to "
	     "1000000/s\n"},
	    {"requests-per-client 1/s burst 0",
	     "57 requests-per-client burst 0 is out of range; it can be 1 to 1000000\n"},
	    {"requests-per-client 1/s burst 1 burst 2", "59 duplicate `burst` in one statement\n"},
	    {"requests-per-client off burst 9", "51 nothing follows `requests-per-client off`\n"},
	    {"connections-per-client 0",
	     "50 connections-per-client 0 is out of range; it can be 1 to 1000000\n"},
	    {"clients 63", "35 clients 63 is out of range; it can be 64 to 16777216\n"},
	    {"exempt 10.0.0.1/33", "34 the length in `10.0.0.1/33` is out of range; it can be 0 to "
				   "32 for IPv4, and 0 to 128 for IPv6\n"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		char text[256], message[256];
		(void)snprintf(text, sizeof(text), "port 1 { tls off limits { %s } echo }",
			       limits[i].statement);
		(void)snprintf(message, sizeof(message), "1:%s", limits[i].message);
		told(text, message);
	}
	told("port 1 { tls off rate 1M echo }",
	     "1:23 `1M` is not a rate of bytes such as 500K/s or 1M/s\n");
	told("port 1 { tls off rate 1023/s echo }",
	     "1:23 rate 1023/s is out of range; it can be 1K/s to 1024G/s\n");
	told("port 1 { tls off rate 1M/s rate 2M/s echo }",
	     "1:28 duplicate `rate`; the first one is at line 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_has_its_canonical_form),
	    cmocka_unit_test(mistakes_say_what_to_write),
	};
	return cmocka_run_group_tests_name("configuration of clients", tests, NULL, NULL);
}
