/* The configuration: its meaning, the messages about its errors, and its stable text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "conf/conf.h"
#include "conf/parser.h"
#include "conf_told.h"

/* --- meaning ---------------------------------------------------------------------------- */

static const char example[] =
    "user \"www-data\"\n"
    "log to console\n"
    "log to syslog facility daemon         # also: log to journal\n"
    "access log on                         # on | off | errors\n"
    "drain 10s\n"
    "restart { backoff 100ms to 30s; park after 5 in 60s; while parked refuse }\n"
    "tls { certificate \"cert.pem\" key \"key.pem\" }\n"
    "\n"
    "port 8000 { respond 200 \"Hello, world!\\n\" }\n"
    "port 8001 { workers 4  respond 200 \"Hello, world!\\n\" }\n"
    "port 8443 {\n"
    "	listen on 127.0.0.1\n"
    "	listen on ::1\n"
    "	tls { certificate \"b.pem\" key \"b.key\" }\n"
    "	limits { connections 1000; head 16K; body 1M; idle 60s; head-timeout 10s;\n"
    "		handshake-timeout 10s; requests 10000 }\n"
    "	location \"/health\" { respond 200 \"ok\\n\" type \"text/plain\" header "
    "\"Cache-Control\" \"no-store\" }\n"
    "	location \"/echo\" { echo }\n"
    "	location \"/\" { respond 200 \"Hello, world!\\n\" }\n"
    "}\n";

static void example_is_understood(void **state)
{
	(void)state;
	struct conf_options options = {.directory = "/etc/bulkhead"};
	struct conf *conf = parse_with(example, &options, "");
	assert_false(conf->strict);
	assert_true(conf->log.console && conf->log.syslog && !conf->log.journal);
	assert_int_equal(conf->log.syslog_facility, LOG_DAEMON);
	assert_string_equal(conf->log.syslog_path, "/dev/log");
	assert_int_equal(conf->drain_ms, 10000);
	assert_int_equal(conf->ports_count, 3);

	const struct conf_port *port = &conf->ports[1];
	assert_int_equal(port->number, 8001);
	assert_string_equal(port->user, "www-data");
	assert_int_equal(port->workers, 4);
	assert_int_equal(port->threads, 1);
	assert_int_equal(port->addresses_count, 1);
	assert_string_equal(port->addresses[0], "*");
	assert_string_equal(port->certificates[0].certificate, "/etc/bulkhead/cert.pem");
	assert_string_equal(port->certificates[0].key, "/etc/bulkhead/key.pem");
	assert_int_equal(port->where.line, 10);
	assert_int_equal(port->hosts[0].locations_count, 1);
	assert_string_equal(port->hosts[0].locations[0].path, "/");
	assert_int_equal(port->hosts[0].locations[0].handler, CONF_RESPOND);
	assert_int_equal(respond_of(&port->hosts[0].locations[0])->status, 200);
	assert_string_equal(respond_of(&port->hosts[0].locations[0])->body, "Hello, world!\n");
	assert_int_equal(respond_of(&port->hosts[0].locations[0])->body_len, 14);
	assert_string_equal(respond_of(&port->hosts[0].locations[0])->type,
			    "text/plain; charset=utf-8");

	port = &conf->ports[2];
	assert_int_equal(port->addresses_count, 2);
	assert_string_equal(port->addresses[1], "::1");
	assert_string_equal(port->certificates[0].certificate, "/etc/bulkhead/b.pem");
	assert_int_equal(port->limits.connections, 1000);
	assert_int_equal(port->hosts[0].locations_count, 3);
	assert_string_equal(port->hosts[0].locations[0].path, "/health");
	assert_string_equal(respond_of(&port->hosts[0].locations[0])->type, "text/plain");
	assert_int_equal(respond_of(&port->hosts[0].locations[0])->headers_count, 1);
	assert_string_equal(respond_of(&port->hosts[0].locations[0])->headers[0].value, "no-store");
	assert_string_equal(port->hosts[0].locations[1].path, "/echo");
	assert_int_equal(port->hosts[0].locations[1].handler, CONF_ECHO);
	assert_string_equal(port->hosts[0].locations[2].path, "/");
	conf_free(conf);
}

static void defaults_are_filled_in(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 1 { echo }");
	const struct conf_port *port = &conf->ports[0];
	assert_false(conf->strict);
	assert_null(port->user);
	assert_null(port->group);
	assert_null(port->key_user);
	assert_int_equal(port->chroot, CONF_CHROOT_DEFAULT);
	assert_null(port->chroot_path);
	assert_int_equal(port->keyholders, 0);
	assert_int_equal(port->watchdog_ms, 5000);
	assert_int_equal(port->tickets_ms, 21600000);
	assert_false(conf->log.console || conf->log.syslog || conf->log.journal);
	assert_string_equal(conf->log.journal_path, "/run/systemd/journal/socket");
	assert_int_equal(conf->drain_ms, 10000);
	assert_int_equal(port->workers, 1);
	assert_int_equal(port->access, CONF_ACCESS_ON);
	assert_int_equal(port->restart.backoff_min_ms, 100);
	assert_int_equal(port->restart.backoff_max_ms, 30000);
	assert_int_equal(port->restart.park_after, 5);
	assert_int_equal(port->restart.park_window_ms, 60000);
	assert_int_equal(port->restart.while_parked, CONF_PARKED_REFUSE);
	assert_int_equal(port->limits.connections, 10000);
	assert_int_equal(port->limits.requests, 10000);
	assert_int_equal(port->limits.head_bytes, 16384);
	assert_int_equal(port->limits.body_bytes, 1048576);
	assert_int_equal(port->limits.idle_ms, 60000);
	assert_int_equal(port->limits.head_ms, 10000);
	assert_int_equal(port->limits.handshake_ms, 10000);
	assert_int_equal(port->limits.body_ms, 30000);
	assert_int_equal(port->limits.write_ms, 30000);
	assert_int_equal(port->limits.memory_bytes, 221 << 20);
	assert_int_equal(port->limits.core_bytes, 0);
	assert_int_equal(port->limits.signatures, 10000);
	conf_free(conf);
}

/* A port overrides single values; the top level may come after it. */
static void ports_inherit_what_they_do_not_set(void **state)
{
	(void)state;
	struct conf *conf =
	    parse("port 1 {\n"
		  "	echo; access log off; restart { while parked queue }\n"
		  "	limits { idle 5s; body 0 } tls { certificate \"/p\" key \"/q\"\n"
		  "	certificate \"/r\" key \"/s\" } }\n"
		  "port 2 { echo }\n" TLS "workers 3; access log errors\n"
		  "restart { backoff 1s to 2s; park after 7 in 1m }\n"
		  "limits { idle 7s; head 2K; body-timeout 1m; write-timeout 2m }\n");
	const struct conf_port *one = &conf->ports[0], *two = &conf->ports[1];
	assert_int_equal(one->workers, 3);
	assert_int_equal(one->access, CONF_ACCESS_OFF);
	assert_int_equal(one->restart.while_parked, CONF_PARKED_QUEUE);
	assert_int_equal(one->restart.backoff_min_ms, 1000);
	assert_int_equal(one->restart.park_after, 7);
	assert_int_equal(one->limits.idle_ms, 5000);
	assert_int_equal(one->limits.body_bytes, 0);
	assert_int_equal(one->limits.head_bytes, 2048);
	assert_int_equal(one->limits.body_ms, 60000);
	assert_int_equal(one->limits.write_ms, 120000);
	assert_int_equal(one->certificates_count, 2);
	assert_string_equal(one->certificates[1].key, "/s");
	assert_int_equal(two->access, CONF_ACCESS_ERRORS);
	assert_int_equal(two->restart.while_parked, CONF_PARKED_REFUSE);
	assert_int_equal(two->limits.idle_ms, 7000);
	assert_int_equal(two->limits.body_bytes, 1048576);
	assert_int_equal(two->certificates_count, 1);
	assert_string_equal(two->certificates[0].key, "/k");
	conf_free(conf);
}

/* Each statement is inherited separately: a port's user does not replace the group. */
static void accounts_are_inherited(void **state)
{
	(void)state;
	struct conf_options options = {.directory = "/etc/bulkhead"};
	struct conf *conf =
	    parse_with("port 1 { echo user \"1001\" chroot \"empty\" }\n"
		       "port 2 { echo group \"h\" key user \"l\" chroot off }\n"
		       "port 3 { echo limits { memory 64M core 1G signatures 1 } }\n" TLS
		       "user \"u\" group \"g\" key user \"k\" chroot \"/empty\" privileges strict\n"
		       "limits { memory 1024G core 1M signatures 1000000 }",
		       &options, "");
	const struct conf_port *one = &conf->ports[0], *two = &conf->ports[1],
			       *three = &conf->ports[2];
	assert_true(conf->strict);
	assert_string_equal(one->user, "1001");
	assert_string_equal(one->group, "g");
	assert_string_equal(one->key_user, "k");
	assert_int_equal(one->chroot, CONF_CHROOT_PATH);
	assert_string_equal(one->chroot_path, "/etc/bulkhead/empty");
	assert_int_equal(one->limits.memory_bytes, UINT64_C(1) << 40);
	assert_int_equal(one->limits.core_bytes, 1 << 20);
	assert_int_equal(one->limits.signatures, 1000000);
	assert_string_equal(two->user, "u");
	assert_string_equal(two->group, "h");
	assert_string_equal(two->key_user, "l");
	assert_int_equal(two->chroot, CONF_CHROOT_OFF);
	assert_null(two->chroot_path);
	assert_int_equal(three->chroot, CONF_CHROOT_PATH);
	assert_string_equal(three->chroot_path, "/empty");
	assert_int_equal(three->limits.memory_bytes, 64 << 20);
	assert_int_equal(three->limits.core_bytes, 1 << 30);
	assert_int_equal(three->limits.signatures, 1);
	conf_free(conf);
}

static void tickets_have_a_lifetime_or_are_off(void **state)
{
	(void)state;
	struct conf *conf =
	    parse("tickets lifetime 1h " TLS "port 1 { echo tickets off }\nport 2 { echo }\n"
		  "port 3 { echo tickets lifetime 1m }\nport 4 { echo tickets lifetime 7d }");
	assert_int_equal(conf->ports[0].tickets_ms, 0);
	assert_int_equal(conf->ports[1].tickets_ms, 3600000);
	assert_int_equal(conf->ports[2].tickets_ms, 60000);
	assert_int_equal(conf->ports[3].tickets_ms, 7 * 86400000);
	conf_free(conf);
	told_tls("port 1 { echo tickets lifetime 59s }",
		 "2:32 tickets lifetime 59s is out of range; it can be 1m to 7d\n");
	told_tls("port 1 { echo tickets lifetime 8d }",
		 "2:32 tickets lifetime 8d is out of range; it can be 1m to 7d\n");
	told_tls("tickets off tickets off\nport 1 { echo }",
		 "2:13 duplicate `tickets`; the first one is at line 2\n");
}

static void a_watchdog_has_a_limit_or_is_off(void **state)
{
	(void)state;
	struct conf *conf =
	    parse("watchdog 1m " TLS "port 1 { echo watchdog off }\nport 2 { echo }\n"
		  "port 3 { echo watchdog 3s }");
	assert_int_equal(conf->ports[0].watchdog_ms, 0);
	assert_int_equal(conf->ports[1].watchdog_ms, 60000);
	assert_int_equal(conf->ports[2].watchdog_ms, 3000);
	conf_free(conf);
	told_tls("port 1 { echo watchdog 2s }",
		 "2:24 watchdog 2s is out of range; it can be 3s to 1d\n");
	told_tls("port 1 { echo watchdog on }",
		 "2:24 expected a duration such as 10s or `off`, found `on`\n");
}

/* The value for all ports is at most the number of a port's event loops; auto is not bounded. */
static void keyholders_are_bounded_by_loops(void **state)
{
	(void)state;
	struct conf_options options = {.threads_built = true};
	struct conf *conf = parse_with("port 1 { echo }\n"
				       "port 2 { echo workers 2 threads 3 }\n"
				       "port 3 { echo workers 3 keyholders auto }\n"
				       "port 4 { echo workers 2 threads 2 keyholders 4 }\n"
				       "port 5 { echo workers 64 threads 64 keyholders 64 }\n"
				       "keyholders 5 " TLS,
				       &options, "");
	assert_int_equal(conf->ports[0].keyholders, 1);
	assert_int_equal(conf->ports[1].keyholders, 5);
	assert_int_equal(conf->ports[2].keyholders, 0);
	assert_int_equal(conf->ports[3].keyholders, 4);
	assert_int_equal(conf->ports[4].keyholders, 64);
	conf_free(conf);
	parse_with(TLS "port 1 { echo workers 2 threads 2 keyholders 5 }", &options,
		   "2:1 port 1 has more keyholders (5) than event loops (4, its workers times its "
		   "threads): some would never sign\n");
	options.workers = 1;
	parse_with(TLS "port 1 { echo workers 2 keyholders 2 }", &options,
		   "2:1 port 1 has more keyholders (2) than event loops (1, its workers times its "
		   "threads): some would never sign\n");
	/* After these errors the number of loops is unknown. */
	told_tls("port 1 { echo keyholders 2 workers 65 }",
		 "2:36 workers 65 is out of range; it can be 1 to 64\n");
	told_tls("port 1 { echo keyholders 2 threads 2 }",
		 "2:28 this bulkhead was built without threads; build it with `make THREADS=1`, or "
		 "use `workers`\n");
	told_tls("port 1 { echo keyholders 2 workers }", "2:36 expected a number, found `}`\n");
	told_tls("workers 0\nport 1 { echo keyholders 2 }",
		 "2:9 workers 0 is out of range; it can be 1 to 64\n");
}

static void facilities_may_be_words(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "log to syslog facility user user \"u\" port 1 { echo }");
	assert_int_equal(conf->log.syslog_facility, LOG_USER);
	assert_string_equal(conf->ports[0].user, "u");
	conf_free(conf);
	conf = parse(TLS "log to syslog facility syslog\nkey user \"k\" port 1 { echo }");
	assert_int_equal(conf->log.syslog_facility, LOG_SYSLOG);
	assert_string_equal(conf->ports[0].key_user, "k");
	conf_free(conf);
}

static void strings_are_unescaped(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 1 { respond 200 \"a\\n\\r\\t\\\"\\\\\\x00\\xfFz\" }");
	const struct conf_respond *respond = respond_of(&conf->ports[0].hosts[0].locations[0]);
	assert_int_equal(respond->body_len, 9);
	assert_memory_equal(respond->body, "a\n\r\t\"\\\0\xffz", 9);
	conf_free(conf);
}

static void separators_are_optional(void **state)
{
	(void)state;
	struct conf *conf = parse(";;" TLS ";port 1{;echo;}port 2{respond 204;;};\r\n"
				  "port 3{listen on 127.0.0.1 listen on#x\n::1;echo}");
	assert_int_equal(conf->ports_count, 3);
	assert_int_equal(conf->ports[2].addresses_count, 2);
	conf_free(conf);
}

static void addresses_have_one_form(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 1 { echo listen on 0:0::1 listen on FD00::0:1 "
				      "listen on 10.0.0.1 }");
	assert_string_equal(conf->ports[0].addresses[0], "::1");
	assert_string_equal(conf->ports[0].addresses[1], "fd00::1");
	assert_string_equal(conf->ports[0].addresses[2], "10.0.0.1");
	conf_free(conf);
}

static void locations_are_sorted_and_trimmed(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 1 { echo location \"/b/\" { echo } "
				      "location \"/long/er\" { echo } location \"/a\" { echo } }");
	const struct conf_port *port = &conf->ports[0];
	assert_int_equal(port->hosts[0].locations_count, 4);
	assert_string_equal(port->hosts[0].locations[0].path, "/long/er");
	assert_string_equal(port->hosts[0].locations[1].path, "/a");
	assert_string_equal(port->hosts[0].locations[2].path, "/b");
	assert_string_equal(port->hosts[0].locations[3].path, "/");
	conf_free(conf);
}

static void options_override(void **state)
{
	(void)state;
	struct conf_options options = {.workers = 2, .certificate = "/oc", .key = "/ok"};
	struct conf *conf = parse_with("port 1 { workers 9 echo }"
				       "port 2 { echo tls { certificate \"/c\" key \"/k\" } }",
				       &options, "");
	assert_int_equal(conf->ports[0].workers, 2);
	assert_string_equal(conf->ports[0].certificates[0].certificate, "/oc");
	assert_string_equal(conf->ports[0].certificates[0].key, "/ok");
	assert_string_equal(conf->ports[1].certificates[0].certificate, "/c");
	conf_free(conf);

	options = (struct conf_options){.workers = 65};
	parse_with(TLS "port 1 { echo }", &options,
		   "0:0 workers 65 is out of range; it can be 1 to 64\n");
	options = (struct conf_options){.key = "/k"};
	parse_with(TLS "port 1 { echo }", &options,
		   "0:0 a certificate and a key go together: give both or none\n");
}

static void faults_are_rules_of_a_location(void **state)
{
	(void)state;
	struct conf *conf =
	    parse(TLS "port 1 { location \"/a\" { fault crash signal KILL\n"
		      "	probability 0.01 seed 7 respond 201 fault drip rate 5 }\n"
		      "location \"/b\" { fault control } } port 2 { echo }\n"
		      "port 3 { limits { memory 64M } location \"/\" { fault leak-memory } }\n"
		      "faults enabled");
	assert_true(conf->faults);
	assert_true(conf->ports[0].faults && !conf->ports[1].faults && conf->ports[2].faults);
	const struct conf_location *l = &conf->ports[0].hosts[0].locations[0];
	assert_int_equal(l->handler, CONF_RESPOND);
	assert_int_equal(respond_of(l)->status, 201);
	assert_int_equal(l->faults_count, 2);
	assert_int_equal(l->faults[0].kind, FAULT_CRASH);
	assert_int_equal(l->faults[0].probability, 10000);
	assert_int_equal(l->faults[1].rate, 5);
	assert_int_equal(conf->ports[0].hosts[0].locations[1].handler, CONF_FAULT_CONTROL);
	l = &conf->ports[2].hosts[0].locations[0]; /* no handler of its own */
	assert_int_equal(l->handler, CONF_RESPOND);
	assert_int_equal(respond_of(l)->status, 200);
	assert_string_equal(respond_of(l)->body, "no fault\n");

	char *text = dump(conf, &conf->ports[0]); /* the text for its children */
	assert_non_null(strstr(text, "\ndrain 10s\nfaults enabled\nport 1 {\n"));
	assert_non_null(strstr(text, "	location \"/a\" {\n"
				     "		fault crash when before how signal signal KILL "
				     "probability 0.01 seed 7\n"
				     "		fault drip bytes 100 rate 5\n"
				     "		methods \"GET\" \"HEAD\"\n"
				     "		respond 201 type"));
	assert_non_null(strstr(text, "	location \"/b\" {\n		fault control\n	}\n"));
	free(text);
	conf_free(conf);
}

/* Every word of the catalogue; some mean something else elsewhere. */
static void every_fault_can_be_configured(void **state)
{
	(void)state;
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		const char *kind = fault_info((enum fault_kind)k)->name;
		const bool proxied = fault_info((enum fault_kind)k)->of_proxy;
		const struct fault_parameter *p;
		for (size_t i = 0; (p = fault_parameter((enum fault_kind)k, i)) != NULL; i++) {
			for (size_t c = 0; c == 0 || (p->choices != NULL && p->choices[c] != NULL);
			     c++) {
				char *text = NULL;
				assert_true(
				    asprintf(&text,
					     TLS "faults enabled limits { memory 64M } port 1 { "
						 "location \"/\" { fault %s %s %s %s fault %s } }",
					     kind, p->name,
					     p->choices != NULL ? p->choices[c] : p->preset,
					     proxied ? "proxy to \"http://127.0.0.1:9\"" : "echo",
					     kind) > 0);
				struct conf *conf = parse(text);
				const struct conf_location *l =
				    &conf->ports[0].hosts[0].locations[0];
				assert_int_equal(l->handler, proxied ? CONF_PROXY : CONF_ECHO);
				assert_int_equal(l->faults_count, 2);
				assert_int_equal(l->faults[0].kind, k);
				assert_int_equal(l->faults[0].given, 1U << i);
				assert_int_equal(l->faults[1].given, 0);
				conf_free(conf);
				free(text);
			}
		}
	}
}

#define GET_HEAD (CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD))

/* Beside the handler, before it or after it, in a location or in the port that has a handler. */
static void methods_belong_to_a_handler(void **state)
{
	(void)state;
	static const struct {
		const char *block;
		unsigned methods;
	} cases[] = {
	    {"respond 200", GET_HEAD},
	    {"echo", CONF_METHODS_ANY},
	    {"methods any respond 200", CONF_METHODS_ANY},
	    {"respond 200 \"x\" methods any", CONF_METHODS_ANY},
	    {"respond 200 \"x\" type \"a/b\" header \"A\" \"b\" methods \"POST\"",
	     CONF_METHOD_BIT(CONF_POST)},
	    {"methods \"GET\"\n\"POST\"; respond 201", GET_HEAD | CONF_METHOD_BIT(CONF_POST)},
	    {"methods \"HEAD\" respond 200", CONF_METHOD_BIT(CONF_HEAD)},
	    {"methods \"PUT\" \"DELETE\" \"PATCH\" \"OPTIONS\" echo",
	     CONF_METHOD_BIT(CONF_PUT) | CONF_METHOD_BIT(CONF_DELETE) |
		 CONF_METHOD_BIT(CONF_PATCH) | CONF_METHOD_BIT(CONF_OPTIONS)},
	    {"methods \"GET\" \"HEAD\" \"POST\" \"PUT\" \"PATCH\" \"DELETE\" \"OPTIONS\" echo",
	     CONF_METHODS_ANY},
	};
	for (size_t i = 0; i < CONF_COUNT(cases); i++) {
		char *text = NULL;
		assert_true(asprintf(&text, TLS "port 1 { %s }\nport 2 { location \"/\" { %s } }",
				     cases[i].block, cases[i].block) > 0);
		struct conf *conf = parse(text);
		for (size_t k = 0; k < 2; k++) {
			assert_int_equal(conf->ports[k].hosts[0].locations[0].methods,
					 cases[i].methods);
			char *port = dump(conf, &conf->ports[k]);
			struct conf *child = parse(port); /* what a worker has of it */
			assert_int_equal(child->ports[0].hosts[0].locations[0].methods,
					 cases[i].methods);
			free(port);
			conf_free(child);
		}
		conf_free(conf);
		free(text);
	}
	/* Those of the port's own handler are no location's. */
	struct conf *conf = parse(TLS "port 1 { methods any respond 200\n"
				      "location \"/a\" { respond 200 } }\n"
				      "port 2 { location \"/b\" { fault exit methods \"POST\" }\n"
				      "location \"/c\" { fault control } } faults enabled");
	assert_int_equal(conf->ports[0].hosts[0].locations[0].methods, GET_HEAD);
	assert_int_equal(conf->ports[0].hosts[0].locations[1].methods, CONF_METHODS_ANY);
	assert_int_equal(conf->ports[1].hosts[0].locations[0].methods, CONF_METHOD_BIT(CONF_POST));
	assert_int_equal(conf->ports[1].hosts[0].locations[1].methods, 0);
	conf_free(conf);
}

static void methods_that_are_none_are_told(void **state)
{
	(void)state;
	told_tls("port 1 { methods \"post\" echo }",
		 "2:18 methods are in capital letters: \"POST\"\n");
	told_tls("port 1 { methods \"POTS\" \"CONNECT\" \"TRACE\" echo }",
		 "2:18 unknown method \"POTS\"; did you mean \"POST\"?\n"
		 "2:25 this server never answers CONNECT\n"
		 "2:35 this server never answers TRACE\n");
	told_tls("port 1 { methods \"GET, POST\" echo }",
		 "2:18 unknown method \"GET, POST\"; there are GET, HEAD, POST, PUT, DELETE, "
		 "OPTIONS and PATCH, each in quotes of its own\n");
	told_tls("port 1 { methods \"any\" \"GET\\x00\" echo }",
		 "2:18 for every method write `methods any`, without quotes\n"
		 "2:24 unknown method \"GET\\0\"; did you mean \"GET\"?\n");
	told_tls("port 1 { methods \"GET\" \"GET\" echo }",
		 "2:24 duplicate method \"GET\" in one statement\n");
	told_tls("port 1 { methods any methods \"GET\" echo }",
		 "2:22 duplicate `methods`; the first one is at line 2\n");
	told_tls("port 1 { methods any location \"/\" { echo } }",
		 "2:10 `methods` belongs to a handler, and this port has none outside of its "
		 "locations; write it in the location\n");
	told_tls("port 1 { location \"/\" { methods any } }",
		 "2:10 the location serves nothing: give it `respond` or `echo`\n");
	told_tls("faults enabled port 1 { location \"/\" { methods any fault control } }",
		 "2:40 `fault control` has its own methods, GET and POST; `methods` is for "
		 "`respond`, `echo`, `redirect`, `files` and `proxy`\n");
	told_tls("methods any port 1 { echo }",
		 "2:1 `methods` cannot be at the top level; it belongs in a port, host or "
		 "location block\n");
}

static void the_development_certificate_is_asked_for(void **state)
{
	(void)state;
	struct conf *conf = parse("tls development\nport 1 { echo }\nport 2 { echo tls { "
				  "certificate \"/c\" key \"/k\" } }\n");
	assert_true(conf_wants_development(conf));
	assert_true(conf->ports[0].certificates[0].development);
	assert_string_equal(conf->ports[0].certificates[0].certificate, "");
	assert_false(conf->ports[1].certificates[0].development);
	char *text = dump(conf, NULL);
	assert_non_null(strstr(text, "\ttls development\n"));
	free(text);
	/* With its paths a child has it as any other pair. */
	assert_int_equal(conf_set_development(conf, "/d/cert.pem", "/d/key.pem"), 0);
	assert_false(conf_wants_development(conf));
	text = dump(conf, &conf->ports[0]);
	assert_non_null(strstr(text, "certificate \"/d/cert.pem\" key \"/d/key.pem\"\n"));
	struct conf *child = parse(text);
	assert_string_equal(child->ports[0].certificates[0].key, "/d/key.pem");
	assert_string_equal(conf->ports[1].certificates[0].certificate, "/c");
	conf_free(child);
	free(text);
	conf_free(conf);

	/* A mistake beside it does no harm, whatever its order. */
	told("tls development " TLS TLS TLS TLS TLS "port 1 { echo }",
	     "1:17 duplicate `tls`; the first one is at line 1\n"
	     "2:1 duplicate `tls`; the first one is at line 1\n"
	     "3:1 duplicate `tls`; the first one is at line 1\n"
	     "4:1 duplicate `tls`; the first one is at line 1\n"
	     "5:1 duplicate `tls`; the first one is at line 1\n");
	told_tls("tls development port 1 { echo tls development tls development }",
		 "2:1 duplicate `tls`; the first one is at line 1\n"
		 "2:47 duplicate `tls`; the first one is at line 2\n");
	told("tls developement\nport 1 { echo }",
	     "1:5 unknown word `developement`; did you mean `development`?\n");
}

static void a_plain_port_has_no_certificate(void **state)
{
	static const char *const of_tls[] = {"keyholders", "key user", "certificate"};
	(void)state;
	struct conf *conf = parse("key user \"k\" tickets lifetime 1h\n"
				  "port 1 { tls off echo workers 2 }\n"
				  "port 2 { echo tls { certificate \"/c\" key \"/k\" } }\n"
				  "tls { certificate \"/a\" key \"/b\" }\n");
	const struct conf_port *plain = &conf->ports[0];
	assert_true(plain->plain);
	assert_false(conf->ports[1].plain);
	assert_int_equal(plain->certificates_count, 0);
	assert_int_equal(plain->hosts[0].certificates_count, 0);
	assert_int_equal(plain->keyholders, 0);
	assert_int_equal(plain->tickets_ms, 0);
	assert_null(plain->key_user);
	assert_string_equal(conf->ports[1].key_user, "k");
	char *text = dump(conf, plain);
	assert_non_null(strstr(text, "\ttls off\n"));
	for (size_t i = 0; i < sizeof(of_tls) / sizeof(of_tls[0]); i++)
		assert_null(strstr(text, of_tls[i]));
	struct conf *child = parse(text);
	assert_true(child->ports[0].plain);
	char *again = dump(child, &child->ports[0]);
	assert_string_equal(again, text);
	free(again);
	conf_free(child);
	free(text);
	conf_free(conf);

	/* from the top level; a port may have TLS nevertheless */
	conf = parse("tls off\nport 1 { echo }\nport 2 { echo tls { certificate \"/c\" key "
		     "\"/k\" } }\nport 3 { echo tls development }\n");
	assert_true(conf->ports[0].plain);
	assert_false(conf->ports[1].plain);
	assert_false(conf->ports[2].plain);
	conf_free(conf);

	/* the certificate of the command line is for all ports without a tls of their own */
	const struct conf_options options = {.certificate = "/c", .key = "/k"};
	conf = parse_with("tls off\nport 1 { echo }\nport 2 { tls off echo }\n", &options, "");
	assert_false(conf->ports[0].plain);
	assert_true(conf->ports[1].plain);
	conf_free(conf);
}

static void tls_off_contradicts_what_is_of_tls(void **state)
{
	static const struct {
		const char *statement, *word;
	} cases[] = {{"keyholders 1", "keyholders"},
		     {"keyholders auto", "keyholders"},
		     {"key user \"k\"", "key user"},
		     {"tickets off", "tickets"},
		     {"tickets lifetime 1h", "tickets"}};
	char text[512], expected[512];
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *statement = cases[i / 2].statement;
		const bool before = i % 2 == 0;
		(void)snprintf(text, sizeof(text), "port 1 {\n%s\n%s\necho }",
			       before ? statement : "tls off", before ? "tls off" : statement);
		(void)snprintf(expected, sizeof(expected),
			       "%d:1 `%s` has no effect without TLS, and this port has `tls off` "
			       "at line %d: keep one of them\n",
			       before ? 2 : 3, cases[i / 2].word, before ? 3 : 2);
		told(text, expected);
	}
	told(
	    "tls off\nport 1 { tickets off echo }",
	    "2:10 `tickets` has no effect without TLS, and this port has `tls off` at line 1: keep "
	    "one of them\n");
	told("port 1 { tls off tls off echo }",
	     "1:18 duplicate `tls`; the first one is at line 1\n");
	told("port 1 { tls off\ntls { certificate \"a\" key \"b\" } echo }",
	     "2:1 certificates contradict `tls off` at line 1: keep one of them\n");
	told("port 1 { tls off\ntls development echo }",
	     "2:1 certificates contradict `tls off` at line 1: keep one of them\n");
	told("port 1 { tls { certificate \"a\" key \"b\" }\ntls off echo }",
	     "2:1 `tls off` contradicts the certificates at line 1: keep one of them\n");
	told("tls development\ntls off port 1 { echo }",
	     "2:1 `tls off` contradicts the certificates at line 1: keep one of them\n");
	const char *text_443 = "port 443 { tls off echo }";
	struct told warned = {.len = 0};
	struct conf *conf = NULL;
	assert_int_equal(
	    conf_parse_text(text_443, strlen(text_443), "text", NULL, gather, &warned, &conf), 0);
	assert_string_equal(warned.text, "1:12 warning: port 443 has `tls off`: clients expect "
					 "HTTPS on it, and plain HTTP on port 80\n");
	conf_free(conf);
}

static void a_plain_port_has_no_fault_of_tls(void **state)
{
	char text[512], expected[512];
	(void)state;
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		const struct fault_info *info = fault_info((enum fault_kind)k);
		(void)snprintf(text, sizeof(text),
			       "faults enabled port 1 { tls off location \"/\" {\nfault status\n"
			       "fault %s } }",
			       info->name);
		(void)snprintf(expected, sizeof(expected),
			       "2:1 `fault %s` needs TLS, and this port has `tls off`\n",
			       info->name);
		if (info->of_tls)
			told(text, expected);
		else if (!info->of_proxy)
			conf_free(parse(text));
	}
}

static void threads_need_a_build(void **state)
{
	(void)state;
	struct conf_options options = {.threads_built = true};
	struct conf *conf = parse_with(TLS "port 1 { threads 4 echo }", &options, "");
	assert_int_equal(conf->ports[0].threads, 4);
	conf_free(conf);
	parse_with(TLS "port 1 { threads 65 echo }", &options,
		   "2:18 threads 65 is out of range; it can be 1 to 64\n");
	told_tls("port 1 { threads 1 echo }",
		 "2:10 this bulkhead was built without threads; build it with `make THREADS=1`, or "
		 "use `workers`\n");
}

/* --- the canonical text ----------------------------------------------------------------------- */

static void dump_parses_to_itself(void **state)
{
	(void)state;
	struct conf_options options = {.directory = "/etc", .threads_built = true};
	const char *texts[] = {
	    example,
	    TLS "port 9 { threads 3 respond 404 \"\\x00\\x7f\\xc3\\xa4\\\\\\\"\\n\" header \"a\" "
		"\"a\\t\\x80\" }"
		"log to journal path \"j\" log to syslog path \"s\" facility local7 drain 0 "
		"log rate off "
		"control \"s\\\"\"",
	    TLS "port 65535 { listen on * respond 599 \"\" limits { body 1024G idle 10ms } "
		"location \"/\\\"\\\\\" { echo } } access log off",
	    TLS "control off privileges strict user \"u\\\"\" group \"0\" key user \"k\" chroot "
		"\"e\" keyholders 9 "
		"limits { memory 65M core 5 signatures 7 } port 1 { echo } "
		"port 2 { echo user \"v\" chroot off workers 12 threads 2 } "
		"port 3 { echo workers 7 keyholders 7 } port 4 { echo keyholders auto }",
	};
	for (size_t i = 0; i < CONF_COUNT(texts); i++) {
		struct conf *conf = parse_with(texts[i], &options, "");
		char *first = dump(conf, NULL);
		struct conf *again = parse_with(first, &options, "");
		char *second = dump(again, NULL);
		assert_string_equal(first, second);
		for (size_t j = 0; j < conf->ports_count; j++) {
			char *port = dump(conf, &conf->ports[j]);
			struct conf *child = parse_with(port, &options, "");
			char *port_again = dump(child, &child->ports[0]);
			assert_int_equal(child->ports_count, 1);
			assert_string_equal(port, port_again);
			conf_free(child);
			free(port);
			free(port_again);
		}
		conf_free(conf);
		conf_free(again);
		free(first);
		free(second);
	}
}

static void dump_is_canonical(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 80 { respond 200 \"\\xe4\\r\" }");
	char *text = dump(conf, NULL);
	assert_string_equal(text, "privileges lenient\n"
				  "drain 10s\n"
				  "log rate 5000\n"
				  "port 80 {\n"
				  "	listen on *\n"
				  "	workers 1\n"
				  "	keyholders auto\n"
				  "	access log on\n"
				  "	watchdog 5s\n"
				  "	tickets lifetime 6h\n"
				  "	restart {\n"
				  "		backoff 100ms to 30s\n"
				  "		park after 5 in 1m\n"
				  "		while parked refuse\n"
				  "	}\n"
				  "	limits {\n"
				  "		connections 10000\n"
				  "		requests 10000\n"
				  "		head 16K\n"
				  "		body 1M\n"
				  "		idle 1m\n"
				  "		head-timeout 10s\n"
				  "		handshake-timeout 10s\n"
				  "		body-timeout 30s\n"
				  "		write-timeout 30s\n"
				  "		lag 1s\n"
				  "		memory 221M\n"
				  "		core 0\n"
				  "		signatures 10000\n"
				  "	}\n"
				  "	tls {\n"
				  "		certificate \"/c\" key \"/k\"\n"
				  "	}\n"
				  "	location \"/\" {\n"
				  "		methods \"GET\" \"HEAD\"\n"
				  "		respond 200 \"\\xe4\\r\" type \"text/plain; "
				  "charset=utf-8\"\n"
				  "	}\n"
				  "}\n");
	free(text);
	conf_free(conf);
}

/* Derived from the complete port, in any order of statements; explicit values are kept. */
static void memory_follows_the_other_limits(void **state)
{
	(void)state;
	const struct conf_options options = {.threads_built = true, .workers = 0};
	struct conf *conf =
	    parse_with("port 1 { echo limits { connections 64 } }\n"
		       "port 2 { limits { connections 1000000 } echo workers 4 }\n"
		       "port 3 { echo limits { connections 100 } threads 3 }\n"
		       "port 4 { echo limits { memory 0 } }\n"
		       "port 5 { echo limits { connections 1000000; memory 64M } }\n" TLS,
		       &options, "");
	assert_int_equal(conf->ports[0].limits.memory_bytes, UINT64_C(65) << 20);
	assert_int_equal(conf->ports[1].limits.memory_bytes, UINT64_C(3971) << 20);
	assert_int_equal(conf->ports[2].limits.memory_bytes, UINT64_C(354) << 20);
	assert_int_equal(conf->ports[3].limits.memory_bytes, 0);
	assert_int_equal(conf->ports[4].limits.memory_bytes, UINT64_C(64) << 20);
	conf_free(conf);
}

/* The default of `trailers` is `head`, wherever that comes from; it is dumped only if it differs.
 */
static void trailers_are_as_the_head_by_default(void **state)
{
	(void)state;
	static const struct {
		const char *top, *own;
		uint64_t bytes;
		const char *dumped; /* NULL: not in it */
	} cases[] = {
	    {"", "", 16384, NULL},
	    {"", "head 2K", 2048, NULL},
	    {"head 4K", "", 4096, NULL},
	    {"head 4K", "head 64K", 65536, NULL},
	    {"head 4K; trailers 1K", "head 64K", 1024, "\t\ttrailers 1K\n"},
	    {"trailers 1K", "trailers 0", 0, "\t\ttrailers 0\n"},
	    {"trailers 0", "trailers 64K", 65536, "\t\ttrailers 64K\n"},
	    {"", "trailers 16K", 16384, NULL},
	};
	for (size_t i = 0; i < CONF_COUNT(cases); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text),
			       TLS "limits { %s } port 1 { echo limits { %s } }", cases[i].top,
			       cases[i].own);
		struct conf *conf = parse(text);
		assert_int_equal(conf->ports[0].limits.trailers_bytes, cases[i].bytes);
		char *dumped = dump(conf, &conf->ports[0]);
		struct conf *again = parse(dumped);
		if (cases[i].dumped != NULL)
			assert_non_null(strstr(dumped, cases[i].dumped));
		else
			assert_null(strstr(dumped, "trailers"));
		conf_free(again);
		free(dumped);
		conf_free(conf);
	}
}

static void the_log_has_a_rate(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint32_t rate;
		const char *dumped;
	} rates[] = {{"", 5000, "\nlog rate 5000\n"},
		     {"log rate 1", 1, "\nlog rate 1\n"},
		     {"log rate 1000000000", 1000000000, "\nlog rate 1000000000\n"},
		     {"log rate off log to console", 0, "\nlog rate off\n"}};
	char text[256];
	for (size_t i = 0; i < CONF_COUNT(rates); i++) {
		(void)snprintf(text, sizeof(text), TLS "%s\nport 1 { echo }", rates[i].text);
		struct conf *conf = parse(text);
		assert_int_equal(conf->log.rate, rates[i].rate);
		char *dumped = dump(conf, NULL);
		assert_non_null(strstr(dumped, rates[i].dumped));
		free(dumped);
		dumped = dump(conf, &conf->ports[0]); /* not a child's business */
		assert_null(strstr(dumped, "log rate"));
		assert_null(strstr(dumped, "log to"));
		free(dumped);
		conf_free(conf);
	}
	told_tls("log rate 0\nport 1 { echo }",
		 "2:10 log rate 0 is out of range; it can be 1 to 1000000000\n");
	told_tls("log rate 1000000001\nport 1 { echo }",
		 "2:10 log rate 1000000001 is out of range; it can be 1 to 1000000000\n");
	told_tls("log rate 5 log rate off\nport 1 { echo }",
		 "2:12 duplicate `log rate`; the first one is at line 2\n");
	told_tls("log rate on\nport 1 { echo }", "2:10 expected a number or `off`, found `on`\n");
}

/* A port's text holds its inherited values, since a child has no other text. */
static void dump_of_a_port_is_complete(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "user \"u\" group \"g\" key user \"k\" chroot \"/e\" "
				      "keyholders 3 privileges strict\n"
				      "port 1 { echo workers 2 } port 2 { echo chroot off }");
	char *text = dump(conf, &conf->ports[0]);
	const char *begin = "privileges strict\n"
			    "drain 10s\n"
			    "port 1 {\n"
			    "	listen on *\n"
			    "	user \"u\"\n"
			    "	group \"g\"\n"
			    "	key user \"k\"\n"
			    "	chroot \"/e\"\n"
			    "	workers 2\n"
			    "	keyholders 2\n"
			    "	access log on\n";
	assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
	free(text);
	text = dump(conf, &conf->ports[1]);
	assert_non_null(strstr(text, "	chroot off\n	workers 1\n	keyholders 1\n"));
	free(text);
	conf_free(conf);
}

/* --- single checks ---------------------------------------------------------------------------- */

static void ports_are_checked(void **state)
{
	(void)state;
	told_tls("port 0 { echo }\nport 65536 { echo }\nport x { echo }",
		 "2:6 port 0 is out of range; it can be 1 to 65535\n"
		 "3:6 port 65536 is out of range; it can be 1 to 65535\n"
		 "4:6 `x` is not a number; port can be 1 to 65535\n");
	told_tls("port 80 { echo }\nport 81 { echo }\n port 80 { echo }\nport 80 { echo }",
		 "4:2 duplicate port 80; the first one is at line 2\n"
		 "5:1 duplicate port 80; the first one is at line 2\n");
	told_tls("port 8443 { }",
		 "2:1 port 8443 serves nothing: give it `respond`, `echo` or a `location`\n");
	told_tls("", "0:0 there is no port; give at least one `port N { ... }`\n");
	told_tls(
	    "port 1 { echo workers 4 limits { connections 3 } }",
	    "2:1 port 1 has more workers (4) than connections (3): some would never have one\n");
}

static void certificates_are_checked(void **state)
{
	(void)state;
	told("port 1 { echo }",
	     "1:1 port 1 has no certificate: write `tls { certificate \"file\" "
	     "key \"file\" }` in it or at the top level, or `tls development`; or `tls off` "
	     "for plain HTTP\n");
	told("tls { certificate \"/c\" }\nport 1 { echo }",
	     "1:7 the certificate has no key: write `key \"file\"` after it\n");
	told("tls { certificate \"/c\"\ncertificate \"/d\" key \"/k\" }\nport 1 { echo }",
	     "1:7 the certificate has no key: write `key \"file\"` after it\n");
	told("tls { key \"/k\" }\nport 1 { echo }",
	     "1:7 the key has no certificate: write `certificate \"file\"` before it\n");
	told_tls("port 1 { echo tls { } }", "2:15 the tls block has no certificate: write "
					    "`certificate \"file\" key \"file\"` in it\n");
	told_tls("port 1 { echo tls { certificate \"\" key \"/k\" } }",
		 "2:33 a certificate's file name cannot be empty\n");
}

static void values_are_checked(void **state)
{
	(void)state;
	told_tls(
	    "port 1 { echo limits {\nconnections 0\nhead 65K\nbody 2000G\nidle 9ms\n"
	    "head-timeout 2d\nrequests -1\nbody-timeout 5x } }",
	    "3:13 connections 0 is out of range; it can be 1 to 1000000\n"
	    "4:6 head 65K is out of range; it can be 1K to 64K\n"
	    "5:6 body 2000G is out of range; it can be 0 to 1024G\n"
	    "6:6 idle 9ms is out of range; it can be 10ms to 1d\n"
	    "7:14 head-timeout 2d is out of range; it can be 10ms to 1d\n"
	    "8:10 `-1` is not a number; requests can be 1 to 1000000000\n"
	    "9:14 `5x` is not a duration such as 250ms, 10s or 5m; body-timeout can be 10ms to "
	    "1d\n");
	told_tls("port 1 { echo workers 65 }\ndrain 99999999999999999999\n"
		 "restart { backoff 2s to 1s; park after 0 in 1s }",
		 "2:23 workers 65 is out of range; it can be 1 to 64\n"
		 "3:7 drain 99999999999999999999 is out of range; it can be 0ms to 1d\n"
		 "4:19 backoff goes from the shorter time to the longer: 2s is more than 1s\n"
		 "4:40 park after 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 { echo }\nuser \"\"\nlog to syslog facility kern",
		 "3:6 a user's name cannot be empty\n"
		 "4:24 unknown facility `kern`; there are auth, authpriv, cron, daemon, ftp, lpr, "
		 "mail, news, syslog, user, uucp and local0 to local7\n");
	told_tls("port 1 { echo }\nlog to syslog facility deamon path \"/a\\x00b\"",
		 "3:24 unknown facility `deamon`; did you mean `daemon`?\n"
		 "3:36 a socket's path cannot contain a control character or NUL byte\n");
}

static void accounts_are_checked(void **state)
{
	(void)state;
	told_tls("port 1 { echo user \"\"\ngroup \"123456789012345678901234567890123\"\n"
		 "key user \"a\\n\"\nchroot \"\" }\n"
		 "user \"123456789012345678901234567890123\" key user \"\" group \"\"",
		 "2:20 a user's name cannot be empty\n"
		 "3:7 a group's name has at most 32 bytes, this one has 33\n"
		 "4:10 a user's name cannot contain a control character or NUL byte\n"
		 "5:8 a directory cannot be empty\n"
		 "6:6 a user's name has at most 32 bytes, this one has 33\n"
		 "6:51 a user's name cannot be empty\n"
		 "6:60 a group's name cannot be empty\n");
	told_tls("port 1 { echo keyholders 0\nlimits {\nmemory 1\nsignatures 1000001\n"
		 "core 1025G } }\nlimits { memory 65535K\nsignatures 0 core x }\n"
		 "keyholders 65\nport 2 { echo limits { memory 1025G } }",
		 "2:26 keyholders 0 is out of range; it can be 1 to 64\n"
		 "4:8 memory 1 is too little; it can be 0 (no limit), or 64M and more\n"
		 "5:12 signatures 1000001 is out of range; it can be 1 to 1000000\n"
		 "6:6 core 1025G is out of range; it can be 0 to 1024G\n"
		 "7:17 memory 65535K is too little; it can be 0 (no limit), or 64M and more\n"
		 "8:12 signatures 0 is out of range; it can be 1 to 1000000\n"
		 "8:19 `x` is not a size such as 16K or 1M; core can be 0 to 1024G\n"
		 "9:12 keyholders 65 is out of range; it can be 1 to 64\n"
		 "10:31 memory 1025G is out of range; it can be 0 to 1024G\n");
}

static void addresses_are_checked(void **state)
{
	(void)state;
	told_tls("port 1 { echo\nlisten on localhost\nlisten on 1.2.3\nlisten on ::ffff:1.2.3.4 }",
		 "3:11 `localhost` is not an address; write a numeric IPv4 or IPv6 address such as "
		 "127.0.0.1 or ::1, or `*` for all\n"
		 "4:11 `1.2.3` is not an address; write a numeric IPv4 or IPv6 address such as "
		 "127.0.0.1 or ::1, or `*` for all\n"
		 "5:11 `::ffff:1.2.3.4` is not an address; write a numeric IPv4 or IPv6 address "
		 "such as 127.0.0.1 or ::1, or `*` for all\n");
	told_tls("port 1 { echo\nlisten on ::1\nlisten on 0::1\nlisten on *\nlisten on 0.0.0.0\n"
		 "listen on 127.0.0.1 }",
		 "4:11 the port listens on ::1 already\n"
		 "5:11 * and ::1 overlap: one of them is in the other\n"
		 "7:11 127.0.0.1 and 0.0.0.0 overlap: one of them is in the other\n");
}

/* RFC 4007, 11.2: `address%zone_id`. */
static void zones_belong_to_link_local_addresses(void **state)
{
	(void)state;
	struct conf *conf =
	    parse(TLS "port 1 { echo listen on FE80::0:1%eth0 listen on fe80::1%eth1 "
		      "listen on fe80::1%2 listen on febf::1%br-0123.4567_a@ "
		      "listen on 10.0.0.1 }");
	assert_int_equal(conf->ports[0].addresses_count, 5);
	assert_string_equal(conf->ports[0].addresses[0], "fe80::1%eth0");
	assert_string_equal(conf->ports[0].addresses[1], "fe80::1%eth1");
	assert_string_equal(conf->ports[0].addresses[2], "fe80::1%2");
	assert_string_equal(conf->ports[0].addresses[3], "febf::1%br-0123.4567_a@");
	conf_free(conf);
	told_tls("port 1 { echo\nlisten on fe80::1\nlisten on fe80::1%\nlisten on ::1%lo\n"
		 "listen on 127.0.0.1%lo\nlisten on fe80::1%sixteen-letters-\n"
		 "listen on fe80::1%a/b\nlisten on fe80::1%a%b\nlisten on %eth0\n"
		 "listen on *%eth0\nlisten on fe80::1%Ã¤\nlisten on fec0::1%eth0 }",
		 "3:11 fe80::1 is on one link of this machine: name its interface, as in "
		 "fe80::1%eth0\n"
		 "4:11 the zone after the `%` is not the name of an interface\n"
		 "5:11 ::1 has no zone: only link-local addresses (fe80::/10) have one\n"
		 "6:11 127.0.0.1 has no zone: only link-local addresses (fe80::/10) have one\n"
		 "7:11 the zone after the `%` is not the name of an interface\n"
		 "8:11 the zone after the `%` is not the name of an interface\n"
		 "9:11 the zone after the `%` is not the name of an interface\n"
		 "10:11 `%eth0` is not an address; write a numeric IPv4 or IPv6 address such as "
		 "127.0.0.1 or ::1, or `*` for all\n"
		 "11:11 `*%eth0` is not an address; write a numeric IPv4 or IPv6 address such as "
		 "127.0.0.1 or ::1, or `*` for all\n"
		 "12:11 the zone after the `%` is not the name of an interface\n"
		 "13:11 fec0::1 has no zone: only link-local addresses (fe80::/10) have one\n");
	told_tls("port 1 { echo\nlisten on fe80::1%eth0\nlisten on fe80:0::1%eth0\nlisten on :: }",
		 "4:11 the port listens on fe80::1%eth0 already\n"
		 "5:11 :: and fe80::1%eth0 overlap: one of them is in the other\n");
}

/* Their names follow systemd.socket(5); the parser cannot know whether such sockets exist.
 */
static void sockets_are_named(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 1 { echo listen on socket \"https\" listen on socket "
				      "\"a b\" }\n"
				      "port 2 { echo listen on ::1 listen on socket \"https\" }");
	assert_int_equal(conf->ports[0].addresses_count, 0);
	assert_int_equal(conf->ports[0].sockets_count, 2);
	assert_string_equal(conf->ports[0].sockets[0], "https");
	assert_string_equal(conf->ports[0].sockets[1], "a b");
	assert_int_equal(conf->ports[1].addresses_count, 1);
	assert_int_equal(conf->ports[1].sockets_count, 1);
	conf_free(conf);
	char text[512];
	(void)snprintf(text, sizeof(text), TLS "port 1 { echo listen on socket \"%0256d\" }", 0);
	told(text, "2:32 a socket's name has at most 255 bytes, this one has 256\n");
	told_tls("port 1 { echo\nlisten on socket \"\"\nlisten on socket \"a:b\"\n"
		 "listen on socket \"\xc3\xa4\"\nlisten on socket \"a\\n\"\n"
		 "listen on socket \"a\" listen on socket \"a\"\nlisten on socket a }\n"
		 "listen on socket \"a\"",
		 "3:18 a socket's name cannot be empty\n"
		 "4:18 a socket's name has no `:` and is in ASCII\n"
		 "5:18 a socket's name has no `:` and is in ASCII\n"
		 "6:18 a socket's name cannot contain a control character or NUL byte\n"
		 "7:39 the port listens on the socket \"a\" already\n"
		 "8:18 a socket's name stands in double quotes: \"a\"\n"
		 "9:1 `listen` cannot be at the top level; it belongs in a port block\n");
}

static void redirections_lead_somewhere(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		const char *url;
	} good[] = {
	    {301, "https://www.example.org/"},
	    {302, "http://a"},
	    {303, "/new"},
	    {307, "/new/%41?b=c&d=(e)#f"},
	    {308, "HTTPS://[::1]:8443/a;b/@c/d,e*'!~_-."},
	    {308, "mailto:webmaster@example.org"},
	    {308, "https://${host}${target}"},
	    {301, "${scheme}://www.${host}:${port}${path}?${query}#a"},
	    {301, "https://a.example${remainder}"},
	    {302, "/login?from=${scheme}://${host}${target}"},
	    {302, "${remainder}?${query}"},
	    {302, "/${query}"},
	    {302, "https://${host}.example:${port}"},
	};
	for (size_t i = 0; i < CONF_COUNT(good); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text),
			       TLS "port 1 { location \"/old\" { redirect %u \"%s\" } }",
			       good[i].status, good[i].url);
		struct conf *conf = parse(text);
		const struct conf_location *l = &conf->ports[0].hosts[0].locations[0];
		const struct conf_redirect *redirect = l->options;
		assert_int_equal(l->handler, CONF_REDIRECT);
		assert_int_equal(l->methods, CONF_METHODS_ANY);
		assert_int_equal(redirect->status, good[i].status);
		assert_string_equal(redirect->url, good[i].url);
		char *dumped = dump(conf, &conf->ports[0]);
		(void)snprintf(text, sizeof(text), "\t\tredirect %u \"%s\"\n", good[i].status,
			       good[i].url);
		assert_non_null(strstr(dumped, text));
		conf_free(parse(dumped));
		free(dumped);
		conf_free(conf);
	}
}

static void redirections_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message; /* after "3:10 " plus the length of "redirect " ... */
	} cases[] = {
	    {"200 \"/a\"", "3:19 status 200 is out of range; it can be 301 to 308\n"},
	    {"304 \"/a\"", "3:19 status 304 is no redirection; there are 301 and 308 for good, 302 "
			   "and 307 for now, and 303 for the answer to a POST\n"},
	    {"permanent \"/a\"", "3:19 `permanent` is not a number; status can be 301 to 308\n"},
	    {"\"/a\"", "3:19 the status comes before the URL: `redirect 308 \"/a\"`\n"},
	    {"308 https://a", "3:23 a URL stands in double quotes: \"https://a\"\n"},
	    {"308", "3:23 expected a URL in quotes, found `}`\n"},
	    {"", "3:20 expected a status such as 308, found `}`\n"},
	    {"308 \"\"", "3:23 a URL cannot be empty\n"},
	    {"308 \"/a\\r\\nSet-Cookie: b\"",
	     "3:23 a URL cannot contain a control character or NUL "
	     "byte\n"},
	    {"308 \"/a\\x00b\"", "3:23 a URL cannot contain a control character or NUL byte\n"},
	    {"308 \"/a b\"", "3:23 a URL cannot contain ` `: write it as `%20`\n"},
	    {"308 \"/\\xc3\\xa4\"", "3:23 a URL cannot contain `\\303`: write it as `%C3`\n"},
	    {"308 \"/{uri}\"", "3:23 `{uri}` is a variable of another server: write `${target}`\n"},
	    {"308 \"/%{REQUEST_URI}\"",
	     "3:23 `%{REQUEST_URI}` is a variable of another server: write `${path}`\n"},
	    {"308 \"/%{HTTP_HOST}\"",
	     "3:23 `%{HTTP_HOST}` is a variable of another server: write `${host}`\n"},
	    {"308 \"/{}\"", "3:23 a URL cannot contain `{`: write it as `%7B`\n"},
	    {"308 \"/${hots}\"", "3:23 unknown variable `${hots}`; did you mean `${host}`?\n"},
	    {"308 \"/${x}\"", "3:23 unknown variable `${x}`; there are `${host}`, `${target}`, "
			      "`${path}`, `${query}`, `${remainder}`, `${scheme}`, `${port}`, "
			      "`${client}`, `${request-id}`, "
			      "`${client-certificate-subject}`, `${client-certificate-issuer}`, "
			      "`${client-certificate-serial}`, `${client-certificate-fingerprint}` "
			      "and `${client-certificate-san}`\n"},
	    {"308 \"/${host\"", "3:23 a variable such as `${host}` ends in `}`\n"},
	    {"308 \"/${}\"", "3:23 unknown variable `${}`; there are `${host}`, `${target}`, "
			     "`${path}`, `${query}`, `${remainder}`, `${scheme}`, `${port}`, "
			     "`${client}`, `${request-id}`, "
			     "`${client-certificate-subject}`, `${client-certificate-issuer}`, "
			     "`${client-certificate-serial}`, `${client-certificate-fingerprint}` "
			     "and `${client-certificate-san}`\n"},
	    {"308 \"//${host}/\"",
	     "3:23 a URL with a host begins with its scheme: \"https://${host}/\"\n"},
	    {"308 \"${host}/\"",
	     "3:23 a redirection leads to a whole URL such as "
	     "\"https://www.example.org/\", or to a path that begins with `/`\n"},
	    {"308 \"${query}\"",
	     "3:23 a redirection leads to a whole URL such as "
	     "\"https://www.example.org/\", or to a path that begins with `/`\n"},
	    {"308 \"https://${target}\"",
	     "3:23 `${target}` cannot be the host of a URL; `${host}` can\n"},
	    {"308 \"https://${remainder}\"",
	     "3:23 `${remainder}` cannot be the host of a URL; `${host}` can\n"},
	    {"308 \"https://a.example${query}\"",
	     "3:23 `${query}` cannot be the host of a URL; `${host}` can\n"},
	    {"308 \"https://${scheme}/\"",
	     "3:23 `${scheme}` cannot be the host of a URL; `${host}` can\n"},
	    {"308 \"/a%2\"", "3:23 in a URL two hexadecimal digits stand after `%`; `%` itself is "
			     "`%25`\n"},
	    {"308 \"//a/b\"", "3:23 a URL with a host begins with its scheme: \"https://a/b\"\n"},
	    {"308 \"www.example.org\"",
	     "3:23 a redirection leads to a whole URL such as "
	     "\"https://www.example.org/\", or to a path that begins with "
	     "`/`\n"},
	    {"308 \"https:/a\"",
	     "3:23 a redirection leads to a whole URL such as "
	     "\"https://www.example.org/\", or to a path that begins with `/`\n"},
	    {"308 \"/a\" echo", "3:28 the location already has a handler, at line 3\n"},
	};
	/* in a location, from the same column on */
	for (size_t i = 0; i < CONF_COUNT(cases); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text),
			       "port 1 { location \"/old\" { echo } location \"/x\" {"
			       "\n         redirect %s } }",
			       cases[i].text);
		told_tls(text, cases[i].message);
	}
	char text[4200], url[4100];
	memset(url, 'a', sizeof(url) - 1);
	url[0] = '/';
	url[4097] = '\0';
	(void)snprintf(text, sizeof(text), "port 1 { redirect 308 \"%s\" }", url);
	told_tls(text, "2:23 a URL has at most 4096 bytes, this one has 4097\n");
}

/* A warning, and what is served nevertheless. */
static void odd_redirections_are_warned_of(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"location \"/old\" { redirect 308 \"https://$host/\" }",
	     "2:41 warning: `$host` is sent as it stands: the variable is `${host}`\n"},
	    {"location \"/old\" { redirect 308 \"https://a$request_uri\" }",
	     "2:41 warning: `$request_uri` is sent as it stands: the variable is `${target}`\n"},
	    {"location \"/old\" { redirect 308 \"/$1\" }", ""},
	    {"location \"/old\" { redirect 308 \"/$user\" }",
	     "2:41 warning: `$user` is sent as it stands: a variable is written like `${host}`\n"},
	    {"redirect 308 \"/new${remainder}\"", "2:10 warning: clients are redirected in a "
						  "circle: \"/new${remainder}\" belongs to this "
						  "location\n"},
	    {"location \"/old\" { redirect 308 \"${target}\" }",
	     "2:10 warning: clients are redirected in a circle: \"${target}\" belongs to this "
	     "location\n"},
	    {"location \"/old\" { redirect 308 \"${remainder}\" } echo", ""},
	    {"location \"/old\" { redirect 308 \"/new${remainder}\" }", ""},
	    {"redirect 308 \"https://${host}${target}\"", ""},
	    {"redirect 308 \"https://${host}:${port}${target}\"",
	     "2:10 warning: clients are redirected in a circle: "
	     "\"https://${host}:${port}${target}\" "
	     "belongs to this location\n"},
	    {"redirect 308 \"http://${host}:${port}${target}\"", ""},
	    {"location \"/old\" { redirect 308 \"/old/new?a\" }",
	     "2:10 warning: clients are redirected in a circle: \"/old/new?a\" belongs to this "
	     "location\n"},
	    {"redirect 302 \"/login\"",
	     "2:10 warning: clients are redirected in a circle: \"/login\" belongs to this "
	     "location\n"},
	    {"redirect 302 \"/login\" location \"/login\" { echo }", ""},
	    {"location \"/old\" { redirect 308 \"/older\" }", ""},
	    {"location \"/old\" { redirect 308 \"https://a/old/new\" }", ""},
	};
	for (size_t i = 0; i < CONF_COUNT(cases); i++) {
		char text[256];
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		(void)snprintf(text, sizeof(text), TLS "port 1 { %s }", cases[i].text);
		assert_int_equal(
		    conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf), 0);
		assert_string_equal(told.text, cases[i].message);
		conf_free(conf);
	}
}

static void locations_are_checked(void **state)
{
	(void)state;
	told_tls("port 1 {\nlocation \"a\" { echo }\nlocation \"/a/../b\" { echo }\n"
		 "location \"/a//b\" { echo }\nlocation \"/a?b\" { echo }\n"
		 "location \"\" { echo }\nlocation \"/.\" { echo } }",
		 "3:10 a location's path begins with `/`\n"
		 "4:10 a location's path has no `.` or `..` in it\n"
		 "5:10 a location's path has no `//`\n"
		 "6:10 a location's path has no query or fragment: no `?`, no `#`\n"
		 "7:10 a location's path cannot be empty\n"
		 "8:10 a location's path has no `.` or `..` in it\n");
	told_tls("port 1 {\nlocation \"/a\" { echo }\necho\nlocation \"/a/\" { echo }\n"
		 "respond 200\nlocation \"/..a\" { } }",
		 "5:1 duplicate location \"/a\"; the first one is at line 3\n"
		 "6:1 duplicate location \"/\"; the first one is at line 4\n"
		 "7:1 the location serves nothing: give it `respond` or `echo`\n");
	told_tls("port 1 { location \"/\" { echo\nrespond 200 \"x\" type \"\" } }",
		 "3:1 the location already has a handler, at line 2\n"
		 "3:22 a type cannot be empty\n");
	told_tls("port 1 { respond 200 \"x\" type \"text\" }\n"
		 "port 2 { respond 200 \"x\" type \"a@b/c\" error 404 { respond \"\" type \"a/b; "
		 "c\" } }",
		 "2:31 a type has two parts: \"text/html\"\n"
		 "3:31 a type has two parts: \"text/html\"\n"
		 "3:67 what follows a type is `; name=value`: \"text/html; charset=utf-8\"\n");
}

static void responses_are_checked(void **state)
{
	(void)state;
	told_tls("port 1 { respond 199 }\nport 2 { respond 204 \"x\" }\n"
		 "port 3 { respond 304 \"\" type \"a/b\" type \"c/d\" }\nport 4 { respond ok }",
		 "2:18 status 199 is out of range; it can be 200 to 599\n"
		 "3:22 a response with status 204 has no body\n"
		 "4:36 duplicate `type` in one statement\n"
		 "5:18 `ok` is not a number; status can be 200 to 599\n");
	told_tls("port 1 { respond 200\nheader \"a b\" \"c\"\nheader \"\" \"c\"\n"
		 "header \"a\" \"c\\r\\nd: e\"\nheader \"a\" \"c\\x00\"\n"
		 "header \"content-length\" \"1\"\nheader \"Date\" \"x\"\n"
		 "header \"Connection\" \"x\"\nheader \"Transfer-Encoding\" \"x\"\n"
		 "header \"Content-Type\" \"x\" header \"a\" \" b\" }",
		 "3:8 `a b` is not a header name: letters, digits and !#$%&'*+-.^_`|~\n"
		 "4:8 `` is not a header name: letters, digits and !#$%&'*+-.^_`|~\n"
		 "5:12 a header value cannot contain a line end, a NUL byte or another control "
		 "character\n"
		 "6:12 a header value cannot contain a line end, a NUL byte or another control "
		 "character\n"
		 "7:8 the server makes `Content-Length` itself\n"
		 "8:8 the server makes `Date` itself\n"
		 "9:8 the server makes `Connection` itself\n"
		 "10:8 the server makes `Transfer-Encoding` itself\n"
		 "11:8 write `type \"...\"` for Content-Type\n"
		 "11:38 a header value cannot begin or end with a blank\n");
}

static void faults_are_checked(void **state)
{
	(void)state;
	told_tls(
	    "port 1 { location \"/\" { echo\nfault crash } location \"/f\" {\nfault control } }",
	    "3:1 `fault` needs `faults enabled` at the top level\n"
	    "4:1 `fault` needs `faults enabled` at the top level\n");
	told_tls(
	    "faults enabled port 1 { location \"/\" {\nfault crsh when after\n"
	    "fault abort whn after fault abort when\n\"aft\\ner\"\n"
	    "fault abort when after when after\nfault truncate bytes 5 after 5\n} }",
	    "3:7 there is no fault `crsh`; there are crash, abort, exit, stop, hang, "
	    "leak-memory, leak-descriptors, reset, truncate, drip, delay, status, malformed, "
	    "handshake, certificate, violation, keyholder or upstream\n"
	    "4:13 the fault abort has no `whn`; it takes when, probability or seed\n"
	    "4:35 `aft\\ner` is not allowed for `when`; it can be before, after-head, during or "
	    "after\n"
	    "6:24 `when` is given twice\n"
	    "7:1 a response is truncated after fewer bytes than it has: `after` must be less "
	    "than `bytes`\n");
	told_tls("faults enabled port 1 { location \"/\" {\nfault control fault stop }\n"
		 "location \"/a\" { fault control\necho }\n"
		 "location \"/b\" {\nfault leak-memory } limits { memory 0 } }",
		 "3:1 a location with `fault control` can have no other fault\n"
		 "5:1 the location already has a handler, at line 4\n"
		 "7:1 `fault leak-memory` needs a limit, and `memory 0` means no limit\n");
	told_tls("faults enabled faults enabled\nport 1 { echo\nfault stop\nfaults enabled }\n"
		 "port 2 { location \"/\" { fault\n} location \"/a\" { fault stop when } }",
		 "2:16 duplicate `faults`; the first one is at line 2\n"
		 "4:1 `fault` cannot be in a port block; it belongs in a location block\n"
		 "5:1 `faults` cannot be in a port block; it belongs at the top level\n"
		 "7:1 expected a fault such as crash, `certificate`, `control` or `upstream`, "
		 "found `}`\n"
		 "7:35 expected its value, a string, `after`, `header` or `socket`, found `}`\n");
}

static void duplicates_are_told(void **state)
{
	(void)state;
	told_tls(
	    "port 1 { echo\nworkers 1 workers 2\nlimits { head 1K head 2K } limits { } }\n"
	    "user \"a\"\nuser \"b\"\ndrain 1s drain 2s\naccess log on access log off\n"
	    "log to console log to syslog log to console\nlog to syslog path \"/a\" path \"/b\"\n"
	    "restart { backoff 1s to 1s backoff 1s to 1s }\ntls { certificate \"/\" key \"/\" }",
	    "3:11 duplicate `workers`; the first one is at line 3\n"
	    "4:18 duplicate `head`; the first one is at line 4\n"
	    "4:28 duplicate `limits`; the first one is at line 4\n"
	    "6:1 duplicate `user`; the first one is at line 5\n"
	    "7:10 duplicate `drain`; the first one is at line 7\n"
	    "8:15 duplicate `access`; the first one is at line 8\n"
	    "9:37 duplicate `console`; the first one is at line 9\n"
	    "10:8 duplicate `syslog`; the first one is at line 9\n"
	    "10:25 duplicate `path` in one statement\n"
	    "11:28 duplicate `backoff`; the first one is at line 11\n"
	    "12:1 duplicate `tls`; the first one is at line 1\n");
	told_tls("port 1 { echo\nuser \"a\" user \"b\"\nkey user \"a\" key user \"b\"\n"
		 "chroot off chroot \"/\"\nkeyholders 1 keyholders auto }\n"
		 "group \"a\" group \"b\"\nprivileges strict privileges lenient",
		 "3:10 duplicate `user`; the first one is at line 3\n"
		 "4:14 duplicate `key`; the first one is at line 4\n"
		 "5:12 duplicate `chroot`; the first one is at line 5\n"
		 "6:14 duplicate `keyholders`; the first one is at line 6\n"
		 "7:11 duplicate `group`; the first one is at line 7\n"
		 "8:19 duplicate `privileges`; the first one is at line 8\n");
}

static void socket_paths_are_bounded(void **state)
{
	(void)state;
	struct conf_options options = {.directory = "/a/folder/with/a/name"};
	char text[256];
	(void)snprintf(text, sizeof(text), TLS "port 1 { echo } log to journal path \"%0107d\"", 0);
	parse_with(text, &options,
		   "2:37 a socket's path has at most 107 bytes, this one has 129 in full\n");
	(void)snprintf(text, sizeof(text), TLS "port 1 { echo } log to journal path \"%0108d\"", 0);
	parse_with(text, &options,
		   "2:37 a socket's path has at most 107 bytes, this one has 108\n");
}

static void the_control_socket_is_a_path_or_off(void **state)
{
	(void)state;
	struct conf_options options = {.directory = "/etc/b"};
	struct conf *conf = parse_with(TLS "port 1 { echo }", &options, "");
	assert_int_equal(conf->control, CONF_CONTROL_DEFAULT);
	assert_null(conf->control_path);
	conf_free(conf);
	conf = parse_with(TLS "control \"run/ctl\" port 1 { echo }", &options, "");
	assert_int_equal(conf->control, CONF_CONTROL_PATH);
	assert_string_equal(conf->control_path, "/etc/b/run/ctl");
	char *text = dump(conf, NULL);
	assert_non_null(strstr(text, "\nlog rate 5000\ncontrol \"/etc/b/run/ctl\"\nport 1 {\n"));
	free(text);
	text = dump(conf, &conf->ports[0]); /* not a child's business */
	assert_null(strstr(text, "control"));
	free(text);
	conf_free(conf);
	conf = parse_with(TLS "control off port 1 { echo }", &options, "");
	assert_int_equal(conf->control, CONF_CONTROL_OFF);
	text = dump(conf, NULL);
	assert_non_null(strstr(text, "\ncontrol off\n"));
	free(text);
	conf_free(conf);
	told_tls("port 1 { echo control off }\ncontrol \"\"\ncontrol on",
		 "2:15 `control` cannot be in a port block; it belongs at the top level\n"
		 "3:9 a control socket's path cannot be empty\n"
		 "4:9 expected a path in quotes or `off`, found `on`\n");
	char path[256];
	(void)snprintf(path, sizeof(path), TLS "port 1 { echo } control \"/%097d\"", 0);
	conf_free(parse_with(path, &options, ""));
	(void)snprintf(path, sizeof(path), TLS "port 1 { echo } control \"%092d\"", 0);
	parse_with(path, &options,
		   "2:25 a control socket's path has at most 98 bytes, this one has 99 in full\n");
}

/* --- errors: one message each, and the next one is still found ------------------------------ */

static void misspelt_words_are_recognised(void **state)
{
	(void)state;
	told_tls("prot 8000 { respnd 200 \"x\" }\nport 8001 { echo wrokers 2 limts { hed 1K } }",
		 "2:1 unknown word `prot`; did you mean `port`?\n"
		 "2:13 unknown word `respnd`; did you mean `respond`?\n"
		 "3:18 unknown word `wrokers`; did you mean `workers`?\n"
		 "3:28 unknown word `limts`; did you mean `limits`?\n"
		 "3:36 unknown word `hed`; did you mean `head`?\n");
	told_tls(
	    "log to consle\nacess log on\naccess log onn\nport 1 { respond 200 \"x\" tpye \"y\" }",
	    "2:8 unknown word `consle`; did you mean `console`?\n"
	    "3:1 unknown word `acess`; did you mean `access`?\n"
	    "4:12 unknown word `onn`; did you mean `on`?\n"
	    "5:26 unknown word `tpye`; did you mean `type`?\n");
	told("tsl { certificate \"/c\" key \"/k\" }\nport 1 { echo }",
	     "1:1 unknown word `tsl`; did you mean `tls`?\n");
	told_tls(
	    "lisen on *\nport 1 { echo }",
	    "2:1 unknown word `lisen`; did you mean `listen`, which belongs in a port block?\n");
	told_tls("port 1 { echo nonsense { a { b } c } workers 0 }",
		 "2:15 unknown word `nonsense`; expected a statement that belongs in a port block, "
		 "such as `respond` or `location`\n"
		 "2:46 workers 0 is out of range; it can be 1 to 64\n");
}

static void what_was_expected_is_told(void **state)
{
	(void)state;
	told_tls(
	    "drain\nuser \"x\"\nport 1 { echo workers; access log maybe }\nuser www-data\n"
	    "port \"80\" { echo }\nport { echo }\nlog syslog\n1 2 3\nport 2 { respond \"x\" }\n"
	    "port 3 { location /x { echo } }\nworkers 0",
	    "3:1 expected a duration such as 10s, found `user`\n"
	    "4:22 expected a number, found `;`\n"
	    "4:35 expected `errors`, `off` or `on`, found `maybe`\n"
	    "5:6 a user's name stands in double quotes: \"www-data\"\n"
	    "6:6 `80` is written without quotes here\n"
	    "7:6 expected a port number, found `{`\n"
	    "8:5 expected `rate` or `to`, found `syslog`\n"
	    "9:1 expected a statement that belongs at the top level, such as `port` or `tls`, "
	    "found `1`\n"
	    "10:18 the status comes before the body: `respond 200 \"x\"`\n"
	    "11:19 a path stands in double quotes: \"/x\"\n"
	    "12:9 workers 0 is out of range; it can be 1 to 64\n");
	told_tls(
	    "port 1 { echo }\nlisten on *\nlocation \"/\" { echo; foo { } }\nhead 1K\nworkers 0",
	    "3:1 `listen` cannot be at the top level; it belongs in a port block\n"
	    "4:1 `location` cannot be at the top level; it belongs in a port or host block\n"
	    "5:1 `head` cannot be at the top level; it belongs in a limits or timeouts block\n"
	    "6:9 workers 0 is out of range; it can be 1 to 64\n");
}

static void new_values_are_expected(void **state)
{
	(void)state;
	told_tls("port 1 { echo\ngroup 7; chroot yes; keyholders \"x\"\nkey usr \"x\"\nkey server\n"
		 "limits { memory \"x\"; signatures; core } }\n"
		 "privilege strict\nprivileges lenint\nport 2 { privileges strict echo }",
		 "3:7 a group's name stands in double quotes: \"7\"\n"
		 "3:17 a directory stands in double quotes: \"yes\"; or write `off`\n"
		 "3:33 expected a number or `auto`, found the string \"x\"\n"
		 "4:5 unknown word `usr`; did you mean `user`?\n"
		 "5:5 expected `user`, found `server`\n"
		 "6:17 expected a size such as 256M, found the string \"x\"\n"
		 "6:32 expected a number, found `;`\n"
		 "6:39 expected a size such as 256M, found `}`\n"
		 "7:1 unknown word `privilege`; did you mean `privileges`?\n"
		 "8:12 unknown word `lenint`; did you mean `lenient`?\n"
		 "9:10 `privileges` cannot be in a port block; it belongs at the top level\n");
}

/* `key` is one statement in a tls block and another one, `key user`, outside. */
static void each_key_is_found_misplaced(void **state)
{
	(void)state;
	told_tls("port 1 { echo\nkey \"/k\" workers 2\nworkers 0 }\nkey \"/k\"\nworkers 0",
		 "3:1 `key` cannot be in a port block; it belongs in a tls block\n"
		 "4:9 workers 0 is out of range; it can be 1 to 64\n"
		 "5:1 `key` cannot be at the top level; it belongs in a tls block\n"
		 "6:9 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 { echo tls { certificate \"/a\" key user \"/b\" }\nworkers 0 }",
		 "2:38 `key user` cannot be in a tls block; it belongs at the top level or in a "
		 "port block\n"
		 "3:9 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("limits { key user \"a\" }\nport 1 { echo workers 0 }",
		 "2:10 `key` cannot be in a limits block; it belongs at the top level or in a "
		 "port or tls block\n"
		 "3:23 workers 0 is out of range; it can be 1 to 64\n");
	told("tls { certificate \"/c\" key \"/k\"\nkey user \"\"\nport 1 { echo workers 0 }",
	     "2:1 `key user` cannot be in a tls block: the `}` of the block opened at line 1 is "
	     "missing\n"
	     "2:10 a user's name cannot be empty\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 {\n\ttls {\n\tkey user \"\"\n\techo\n}\nport 2 { echo workers 0 }",
		 "4:2 `key user` cannot be in a tls block: the `}` of the block opened at line 3 "
		 "is missing\n"
		 "4:11 a user's name cannot be empty\n"
		 "7:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls(
	    "port 1 { echo tls {\ncertificate \"/c\" }\nkey \"/k\" } }\nport 2 { echo workers 0 }",
	    "3:1 the certificate has no key: write `key \"file\"` after it\n"
	    "4:1 `key` cannot be in a port block: there is a `}` too many before it\n"
	    "5:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 { key \"/k\"", "2:14 the file ends inside the block opened at line 2\n");
}

static void missing_braces_are_found(void **state)
{
	(void)state;
	told_tls("port 1 {\n\techo\nport 2 { echo }\nport 3 { echo workers 0 }",
		 "4:1 `port` cannot be in a port block: the `}` of the block opened at line 2 is "
		 "missing\n"
		 "5:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 {\n\tlocation \"/\" {\n\techo\n\tlocation \"/a\" { echo }\n}\n"
		 "port 2 { workers 0 echo }",
		 "5:2 `location` cannot be in a location block: the `}` of the block opened at "
		 "line 3 is missing\n"
		 "7:18 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1\n\techo\n}\nport 2 { echo workers 0 }",
		 "3:2 expected a port number or `{`, found `echo`\n"
		 "5:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 {\n\tlimits { head 1K } }\n\techo\n}\nport 2 { echo workers 0 }",
		 "4:2 `echo` cannot be at the top level: there is a `}` too many before it\n"
		 "6:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 { echo } }\nport 2 { echo workers 0 }",
		 "2:17 `}` closes nothing: no block is open\n"
		 "3:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 x\n{\n echo\n}\nport 2 { echo workers 0 }",
		 "2:8 `x` is not a number; port can be 1 to 65535\n"
		 "6:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 { port 2 { echo } echo workers 0 }",
		 "2:10 `port` cannot be in a port block; it belongs at the top level\n"
		 "2:39 workers 0 is out of range; it can be 1 to 64\n");
}

static void broken_strings_are_one_mistake(void **state)
{
	(void)state;
	told_tls("port 1 { respond 200 \"Hello }\nport 2 { respond 200 \"Hello\n}\n"
		 "port 3 { echo workers 0 }",
		 "2:22 the string has no closing quote on its line\n"
		 "3:22 the string has no closing quote on its line\n"
		 "5:23 workers 0 is out of range; it can be 1 to 64\n");
	told_tls("port 1 { respond 200 \"a\\q\\xg0\\x\" }",
		 "2:24 unknown escape `\\q`; there are \\n, \\r, \\t, \\\", \\\\, \\$ and "
		 "\\xHH\n"
		 "2:26 `\\x` takes two hexadecimal digits\n"
		 "2:30 `\\x` takes two hexadecimal digits\n");
	told_tls("port 1 { respond 200 \"a\\",
		 "2:25 the file ends inside the block opened at line 2\n");
	told_tls("user \"a", "2:6 the string has no closing quote on its line\n");
}

static void truncation_is_told_once(void **state)
{
	(void)state;
	told_tls("port 1 { echo", "2:14 the file ends inside the block opened at line 2\n");
	told_tls("port 1 {\nlimits {\nhead",
		 "4:5 the file ends inside the block opened at line 3\n");
	told_tls("port 1 {\nlocation \"/\" { # }\n",
		 "4:1 the file ends inside the block opened at line 3\n");
	told_tls(
	    "port 1 { echo }\ndrain",
	    "3:6 the file ends in the middle of a statement; expected a duration such as 10s\n");
	told_tls("port 1", "2:7 the file ends in the middle of a statement; expected a port number "
			   "or `{`\n");
}

/* Any truncated text: the parser ends, and reports one error or none. */
static void every_truncation_is_one_mistake(void **state)
{
	(void)state;
	for (size_t len = 0; len < strlen(example); len++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		(void)conf_parse_text(example, len, "text", NULL, gather, &told, &conf);
		bool no_port = strstr(told.text, "there is no port") != NULL;
		if (told.count > (no_port ? 2U : 1U)) /* which is true, too */
			fail_msg("cut at %zu:\n%s", len, told.text);
		conf_free(conf);
	}
}

/* Each word of the language, one letter dropped: one message, and it names the word. */
static void every_word_is_suggested(void **state)
{
	(void)state;
	struct conf_words list;
	conf_words_init(&list);
	assert_true(list.count < CONF_WORDS_MAX);
	for (size_t i = 0; i < list.count; i++) {
		const char *name = list.list[i].name;
		const char *names[CONF_WORDS_MAX];
		assert_ptr_equal(conf_words_find(&list, name, strlen(name)), &list.list[i]);
		for (size_t j = 0; j < list.count; j++)
			names[j] = list.list[j].name;
		if (strlen(name) > 4)
			assert_string_equal(
			    conf_suggest(name + 1, strlen(name) - 1, names, list.count), name);
	}
	const char *words[] = {"port", "path"};
	assert_null(conf_suggest("x", 1, words, 2));
	assert_null(conf_suggest("nothing-like-it", 15, words, 2));
	assert_string_equal(conf_suggest("prot", 4, words, 2), "port");
}

/* As a word processor makes them, or another language has them: each is one mistake, and what
 * follows is read. */
static void other_quotes_are_told(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
	    {"'", "'"},           {"`", "`"},           {"`", "'"},           {"\u201c", "\u201d"},
	    {"\u201d", "\u201d"}, {"\u201e", "\u201c"}, {"\u201e", "\u201d"}, {"\u2018", "\u2019"},
	    {"\u2019", "\u2019"}, {"\u201a", "\u2018"}, {"\u00ab", "\u00bb"}, {"\u00bb", "\u00ab"},
	    {"\u2039", "\u203a"}, {"\u203a", "\u2039"}, {"\uff02", "\uff02"}, {"\u201c", "\""},
	    {"\"", "\u201d"},     {"\"", "\u201c"},     {"\"", "\u00bb"},     {"\"", "'"},
	};
	static const char *const texts[] = {"Hello, world!", "a { b } c; d # e"};
	for (size_t i = 0; i < CONF_COUNT(pairs); i++)
		for (size_t k = 0; k < CONF_COUNT(texts); k++) {
			char text[256], want[256];
			(void)snprintf(text, sizeof(text),
				       TLS
				       "port 1 { respond 200 %s%s%s\n}\nport 2 { workers 0 echo }",
				       pairs[i][0], texts[k], pairs[i][1]);
			(void)snprintf(want, sizeof(want),
				       "2:22 strings stand in double quotes: \"%s\"\n"
				       "4:18 workers 0 is out of range; it can be 1 to 64\n",
				       texts[k]);
			told(text, want);
		}
	/* Where no string may stand there is one message, too; without its end it is a word. */
	told_tls("port 1 { workers '4' echo }", "2:18 strings stand in double quotes: \"4\"\n");
	told_tls("port '1' { echo }", "2:6 strings stand in double quotes: \"1\"\n");
	told_tls("port 1 { respond 200 'Hello }\nworkers 0",
		 "2:22 strings stand in double quotes: \"Hello\"\n"
		 "3:9 workers 0 is out of range; it can be 1 to 64\n");
	conf_free(parse(TLS "port 1 { respond 200 \"it's\" } # it's"));
}

/* What is wrong is said alone, with what to write; and the rest of the block is read. */
static void one_cause_and_what_to_write(void **state)
{
	(void)state;
	static const struct {
		const char *text, *told;
	} cases[] = {
	    {"port 1 { listen 8080; echo }",
	     "2:17 the port's number stands after `port`: `port 8080 { ... }`"},
	    {"port 1 { listen 443 ssl; echo }",
	     "2:17 the port's number stands after `port`: `port 443 { ... }`"},
	    {"port 1 { listen [::]:443 ssl http2; echo }",
	     "2:17 the port's number stands after `port`: `port 443 { ... }`, and in it `listen "
	     "on` "
	     "has the address alone"},
	    {"port 1 { listen on *:443 echo }",
	     "2:20 the port's number stands after `port`: `port 443 { ... }`; `listen on` has an "
	     "address without it"},
	    {"port 1 { listen on 443 echo }",
	     "2:20 the port's number stands after `port`: `port 443 { ... }`; `listen on` has an "
	     "address without it"},
	    {"port 1 { listen ::1; echo }", "2:17 `on` is missing: `listen on ::1`"},
	    {"port 1 { listen on \"::1\" echo }", "2:20 `::1` is written without quotes here"},
	    {"port 1 { limits { idle 60 s head 2K } echo }",
	     "2:27 no blank before a unit: write 60s"},
	    {"port 1 { limits { head 16 K } echo }", "2:27 no blank before a unit: write 16K"},
	    {"port 1 { limits { head\n16 K } echo }", "3:4 no blank before a unit: write 16K"},
	    {"port 1 { restart { park after 5 in 60 seconds } echo }",
	     "2:39 no blank before a unit: write 60s"},
	    {"port 1 { restart { backoff 100 ms to 30s } echo }",
	     "2:32 no blank before a unit: write 100ms"},
	    {"drain 1 min port 1 { echo }", "2:9 no blank before a unit: write 1m"},
	    {"drain 10sec port 1 { echo }",
	     "2:7 `10sec` is not a duration such as 250ms, 10s or 5m; is 10s meant? drain can be "
	     "0ms to 1d"},
	    {"limits { body 1MB } port 1 { echo }",
	     "2:15 `1MB` is not a size such as 16K or 1M; is 1M meant? body can be 0 to 1024G"},
	    {"faults enabled port 1 { location \"/\" { fault delay mean 50 ms max 1s when after } "
	     "}",
	     "2:60 no blank before a unit: write the number and `ms` as one word"},
	    {"faults enabled port 1 { location \"/\" { fault delay mean 50 ms\n} }",
	     "2:60 no blank before a unit: write the number and `ms` as one word"},
	    {"workers = 4 port 1 { echo }",
	     "2:9 leave out the `=`: blanks separate a statement from its values"},
	    {"workers: 4 port 1 { echo }", "2:1 unknown word `workers:`; did you mean `workers`?"},
	    {"drain : 4s port 1 { respond 200 \"x\" , type \"a/b\" }",
	     "2:7 leave out the `:`: blanks separate a statement from its values\n"
	     "2:37 leave out the `,`: blanks separate a statement from its values"},
	    {"// a port\nport 1 { echo }", "2:1 comments begin with `#`, up to the line's end"},
	    {"/* a port */\nport 1 { echo }", "2:1 comments begin with `#`, up to the line's end"},
	    {"port 1 { location /a { echo } }", "2:19 a path stands in double quotes: \"/a\""},
	    {"port 1 { echo user nobody; }",
	     "2:20 a user's name stands in double quotes: \"nobody\""},
	    {"port 1 { respond 200 hello }", "2:22 a body stands in double quotes: \"hello\""},
	    {"port 1 { echo methods GET\n}",
	     "2:23 a method stands in double quotes: \"GET\"; or write `any`"},
	    {"control /run/b\nport 1 { echo }",
	     "2:9 a path stands in double quotes: \"/run/b\"; or write `off`"},
	    {"port 1 { access log \"off\" echo }", "2:21 `off` is written without quotes here"},
	    {"port \"1\" { echo }", "2:6 `1` is written without quotes here"},
	    {"port 1 { tls on; echo }",
	     "2:14 expected `{`, `development` or `off`, found `on`; without `tls off` every port "
	     "is served with TLS"},
	    {"port 1 { tls \"off\"; echo }", "2:14 `off` is written without quotes here"},
	    {"port 1 { tls { off }\n echo }", "2:16 write `tls off`, without braces"},
	    {"port 1 { tls certificate \"a\" key \"b\"\n echo }",
	     "2:14 write `tls { certificate \"cert.pem\" key \"key.pem\" }`"},
	    {"port 127.0.0.1:8443 { echo }",
	     "2:6 a port is a number: `port 8443 { ... }`; `listen on` in it has the address"},
	    {"port *:8443 { echo }",
	     "2:6 a port is a number: `port 8443 { ... }`; `listen on` in it has the address"},
	    {"port 1 { respond 200 \"one\ntwo\nthree\" workers 0 }",
	     "2:22 the string has no closing quote on its line: write `\\n` for a line end in it, "
	     "or `<<END` for the lines up to one that is `END`\n"
	     "4:16 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 \"<p>\n {x}\n\" }\nport 2 { workers 0 echo }",
	     "2:22 the string has no closing quote on its line: write `\\n` for a line end in it, "
	     "or `<<END` for the lines up to one that is `END`\n"
	     "5:18 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 \"one\nlocation \"/a\" { workers 0 } }",
	     "2:22 the string has no closing quote on its line\n"
	     "3:17 `workers` cannot be in a location block; it belongs at the top level or in a "
	     "port block"},
	    {"port 1 { tls \"development\"; echo }",
	     "2:14 `development` is written without quotes here"},
	    {"port 1 { tls cert.pem key.pem\n echo }",
	     "2:14 write `tls { certificate \"cert.pem\" key \"key.pem\" }`"},
	    {"port 1 { tls \"cert.pem\" \"key.pem\"\n echo }",
	     "2:14 write `tls { certificate \"cert.pem\" key \"key.pem\" }`"},
	    {"port 1 { tls { off }\n echo }", "2:16 write `tls off`, without braces"},
	    {"port 1 { respond \"hello\" }",
	     "2:18 the status comes before the body: `respond 200 \"hello\"`"},
	    {"port 1 { respond 200 \"say \"hi\" to\"\n }",
	     "2:28 a double quote in a string is written `\\\"`"},
	    {"port 1 { location ~ /a { echo } }",
	     "2:19 a location has a path and no pattern: write `location \"/path\" { ... }`, which "
	     "is for the path and all paths below it"},
	    {"port 1 { location ^~ \"/a\" { echo } }",
	     "2:19 a location has a path and no pattern: write `location \"/path\" { ... }`, which "
	     "is for the path and all paths below it"},
	    {"port 1, 2 { echo }", "2:6 blanks separate the numbers of a port block: write `1`"},
	    {"port 1 { echo methods any \"GET\"\n}",
	     "2:27 `methods any` names all methods: leave the others out"},
	    {"port 1 { echo methods \"GET\" any\n}",
	     "2:29 for every method write `methods any` alone"},
	    {"port 1 { echo }\n</VirtualHost>",
	     "3:1 a block ends with `}`, not with `</VirtualHost>`"},
	    {"port 1 { respond 200; header \"a\" \"b\" }",
	     "2:30 expected `add`, `remove` or `set`, found the string \"a\""},
	    {"PORT 1 { Echo }", "2:1 unknown word `PORT`; did you mean `port`?\n"
				"2:10 unknown word `Echo`; did you mean `echo`?"},
	    {"port 1 { loc \"/\" { echo } }", "2:10 unknown word `loc`; did you mean `location`?"},
	    {"port 1 { lim { idle 1s } echo }", "2:10 unknown word `lim`; did you mean `limits`?"},
	    {"www.example.org { respond 200 }\nport 1 { echo }",
	     "2:1 unknown word `www.example.org`; what is served begins with a port, and its names "
	     "are in it: `port 443 { host \"www.example.org\" { ... } }`"},
	    {":8443 { respond 200 }\nport 1 { echo }",
	     "2:1 unknown word `:8443`; what is served begins with a port: `port 8443 { ... }`"},
	    {"port 1 { echo 200 }",
	     "2:15 expected a statement that belongs in a port block, such as "
	     "`respond` or `location`, found `200`"},
	    {"port 1 { echo limits { \"a\" } }",
	     "2:24 expected a statement that belongs in a limits block, such as `connections` or "
	     "`idle`, found the string \"a\""},
	    {"{ port 1 { echo } }",
	     "2:1 expected a statement that belongs at the top level, such as "
	     "`port` or `tls`, found `{`"},
	};
	for (size_t i = 0; i < CONF_COUNT(cases); i++) {
		char want[512];
		(void)snprintf(want, sizeof(want), "%s\n", cases[i].told);
		told_tls(cases[i].text, want);
	}
	conf_free(parse(TLS "port 1 { listen on :: echo }")); /* no sign */
	struct told told = {.len = 0};
	static const char star[] =
	    TLS "port 1 { location \"/a/*\" { echo } location \"/*b\" { echo } }";
	struct conf *conf = NULL;
	assert_int_equal(conf_parse_text(star, strlen(star), "text", NULL, gather, &told, &conf),
			 0);
	assert_string_equal(
	    told.text, "2:19 warning: `*` in a location's path is only itself: \"/a\" is for the "
		       "path and all paths below it\n");
	conf_free(conf);
	told.len = 0;
	static const char escape[] = TLS "port 1 { location \"/100%/%2\" { echo } "
					 "location exact \"/a%C3%bC\" { echo } }";
	assert_int_equal(
	    conf_parse_text(escape, strlen(escape), "text", NULL, gather, &told, &conf), 0);
	assert_string_equal(told.text,
			    "2:54 warning: `%C3` in a location's path is only itself: the paths of "
			    "requests are decoded before, so write the character in its place\n");
	conf_free(conf);
}

/* A warning where another server would put something in, and none for a dollar that means itself.
 */
static void what_is_taken_literally_is_warned_of(void **state)
{
	(void)state;
	static const struct {
		const char *text, *shown;
	} cases[] = {
	    {"200 \"you are $remote_addr\"", "$remote_addr"},
	    {"200 \"hi ${host}\"", "${host}"},
	    {"301 header \"Location\" \"https://a.example$request_uri\"", "$request_uri"},
	    {"301 header \"Location\" \"https://{host}{uri}\"", "{host}"},
	    {"301 header \"Location\" \"https://%{HTTP_HOST}/\"", "%{HTTP_HOST}"},
	    {"200 header \"X\" \"$own_name\"", "$own_name"},
	    {"200 \"it costs $5, or 4$, or $ 3\"", NULL},
	    {"200 header \"Price\" \"US$ 5, $4.50\"", NULL},
	    {"200 \"{\\\"$schema\\\": 1, \\\"$ref\\\": \\\"#\\\", \\\"host\\\": {}}\"", NULL},
	    {"200 \"{host} and {uri}\"", NULL},
	    {"200 \"^/a$|b$\"", NULL},
	    {"200 \"#!/bin/sh\\nfor path in $PATH; do echo $path $status; done\\n\"", NULL},
	    {"200 \"<script>a = `${path}`</script>\"", NULL},
	    {"200 \"<SCRIPT src=x></SCRIPT>$.get('/'), $host\"", NULL},
	};
	for (size_t i = 0; i < CONF_COUNT(cases); i++) {
		char text[512], want[128] = "";
		const int begin =
		    snprintf(text, sizeof(text), TLS "port 1 { respond %s }", cases[i].text);
		assert_true(begin > 0 && (size_t)begin < sizeof(text));
		if (cases[i].shown != NULL) {
			const char *value = cases[i].text + strlen(cases[i].text) - 2;
			while (*value != '"') /* the beginning of the last string */
				value--;
			(void)snprintf(
			    want, sizeof(want),
			    "2:%zu warning: `%s` is sent as it stands: there are no variables\n",
			    strlen("port 1 { respond ") + 1 + (size_t)(value - cases[i].text),
			    cases[i].shown);
		}
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		assert_int_equal(
		    conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf), 0);
		assert_string_equal(told.text, want);
		conf_free(conf);
	}
}

/* RFC 9110, 15.4, 15.5.2, 15.5.6 and 15.5.8; the case of a name does not matter. */
static void a_status_without_the_header_that_belongs_to_it_is_warned_of(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"206 \"x\"", "`Content-Range` with status 206: add `header \"Content-Range\" "
			  "\"bytes 0-9/100\"`\n"},
	    {"301", "`Location` with status 301: add `header \"Location\" "
		    "\"https://www.example.org/\"`\n"},
	    {"302", "`Location` with status 302: add `header \"Location\" "
		    "\"https://www.example.org/\"`\n"},
	    {"303 \"text\"", "`Location` with status 303: add `header \"Location\" "
			     "\"https://www.example.org/\"`\n"},
	    {"307 header \"X\" \"y\"", "`Location` with status 307: add `header \"Location\" "
				       "\"https://www.example.org/\"`\n"},
	    {"308 header \"Location2\" \"/\"", "`Location` with status 308: add `header "
					       "\"Location\" \"https://www.example.org/\"`\n"},
	    {"401", "`WWW-Authenticate` with status 401: add `header \"WWW-Authenticate\" "
		    "\"Basic\"`\n"},
	    {"407", "`Proxy-Authenticate` with status 407: add `header \"Proxy-Authenticate\" "
		    "\"Basic\"`\n"},
	    {"416", "`Content-Range` with status 416: add `header \"Content-Range\" "
		    "\"bytes */100\"`\n"},
	    {"426", "`Upgrade` with status 426: add `header \"Upgrade\" \"HTTP/2.0\"`\n"},
	    {"301 header \"Location\" \"/x\"", NULL},
	    {"302 \"text\" type \"a/b\" header \"X\" \"y\" header \"LOCATION\" \"\"", NULL},
	    {"401 header \"www-authenticate\" \"Basic\"", NULL},
	    {"405", NULL},
	    {"405 header \"allow\" \"\"", NULL},
	    {"416 header \"content-range\" \"bytes */5\"", NULL},
	    {"200", NULL},
	    {"201", NULL},
	    {"300", NULL},
	    {"304", NULL},
	    {"404", NULL},
	};
	static const struct {
		const char *before, *after;
	} places[] = {{"port 1 { respond ", " }"}, {"port 1 { location \"/\" { respond ", " } }"}};
	for (size_t i = 0; i < CONF_COUNT(cases) * 2; i++) {
		const char *before = places[i % 2].before, *shown = cases[i / 2].want;
		char text[512], want[256] = "";
		(void)snprintf(text, sizeof(text), TLS "%s%s%s", before, cases[i / 2].text,
			       places[i % 2].after);
		if (shown != NULL)
			(void)snprintf(want, sizeof(want), "2:%zu warning: clients expect a %s",
				       strlen(before) + 1, shown);
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		assert_int_equal(
		    conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf), 0);
		assert_string_equal(told.text, want);
		conf_free(conf);
	}
}

/* RFC 9110, 5.3. */
static void a_field_that_is_no_list_comes_once(void **state)
{
	(void)state;
	static const struct {
		const char *text, *messages;
	} cases[] = {
	    {"header \"Retry-After\" \"1\" header \"retry-after\" \"2\"",
	     "2:54 warning: a response has one `Retry-After`: clients ignore the others\n"},
	    {"header \"ETag\" \"a\" header \"X\" \"b\" header \"ETag\" \"a\"",
	     "2:62 warning: a response has one `ETag`: clients ignore the others\n"},
	    {"header \"Set-Cookie\" \"a=b\" header \"Set-Cookie\" \"c=d\"", ""},
	    {"header \"Vary\" \"A\" header \"Vary\" \"B\"", ""},
	};
	for (size_t i = 0; i < CONF_COUNT(cases); i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		char *text = NULL;
		assert_true(asprintf(&text, TLS "port 1 { respond 200 %s }", cases[i].text) > 0);
		assert_int_equal(
		    conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf), 0);
		assert_string_equal(told.text, cases[i].messages);
		conf_free(conf);
		free(text);
	}
}

/* One message, however much of the other server's language the statement has. */
static void words_of_other_servers_are_answered(void **state)
{
	(void)state;
	static const char *const must[] = {
	    "server_name",
	    "proxy_pass",
	    "root",
	    "reverse_proxy",
	    "bind",
	    "server",
	    "frontend",
	    "backend",
	    "worker_processes",
	    "ssl_certificate",
	    "ssl_certificate_key",
	    "return",
	    "error_log",
	    "access_log",
	    "keepalive_timeout",
	    "client_max_body_size",
	    "file_server",
	    "encode",
	    "DocumentRoot",
	    "documentroot",
	    "<VirtualHost",
	    "server.port",
	    "maxconn",
	};
	const char *word, *before = "";
	size_t count = 0;
	struct conf_words list;
	conf_words_init(&list);
	for (size_t i = 0; i < CONF_COUNT(must); i++)
		assert_non_null(conf_foreign_word(must[i], strlen(must[i])));
	for (; (word = conf_foreign_word_at(count)) != NULL; count++) {
		char text[512], want[512];
		assert_true(strcasecmp(before, word) < 0); /* it is searched by halves */
		const struct conf_keyword *here = conf_words_find(&list, word, strlen(word));
		assert_true(here == NULL || (here->blocks == 0 && here->token == T_INNER) ||
			    here->blocks == CONF_BLOCK_OPTIONS);
		const char *answer = conf_foreign_word(word, strlen(word));
		assert_true(answer != NULL && strlen(answer) < 160 &&
			    answer[strlen(answer) - 1] != '.');
		(void)snprintf(text, sizeof(text),
			       TLS "%s x { listen 443 ssl; y \"z\"; }\n"
				   "port 1 { %s /a b;\necho }\nport 2 { workers 0 echo }",
			       word, word);
		(void)snprintf(want, sizeof(want),
			       "2:1 Bulkhead has no `%s`: %s\n3:10 Bulkhead has no `%s`: %s\n"
			       "5:18 workers 0 is out of range; it can be 1 to 64\n",
			       word, answer, word, answer);
		told(text, want);
		before = word;
	}
	assert_true(count > 300);
	assert_null(conf_foreign_word("server\0x", 8));
}

/* A text may hold any bytes; comparisons stop at the end of the known word. */
static void a_text_that_goes_on_behind_a_nul_is_no_word(void **state)
{
	(void)state;
	struct conf_words list;
	conf_words_init(&list);
	assert_non_null(conf_words_find(&list, "on", 2));
	assert_null(conf_words_find(&list, "on\0", 3));
	assert_null(conf_words_find(&list, "on\0\0\0\0\0\0", 8));
	assert_null(conf_words_find(&list, "o", 1));
	assert_null(conf_words_find(&list, "", 0));
	told_tls("port \"on\\x00\\x00\\x00\" { echo }",
		 "2:6 expected a port number, found the string \"on\\0\\0\\0\"\n");
}

/* A configuration with this statement where it belongs: its end, and its messages. */
static int setting_try(const struct conf_statement *s, const char *text, struct told *told)
{
	const struct conf_options options = {.threads_built = true};
	struct conf *conf = NULL;
	char all[1024];
	const char *before = s->blocks == CONF_BLOCK_RESTART  ? "restart {"
			     : s->blocks == CONF_BLOCK_LIMITS ? "limits {"
			     : s->blocks == CONF_BLOCK_PORT   ? "port 1 { echo"
							      : "";
	(void)snprintf(all, sizeof(all), TLS "port 2 { echo } %s %s %s", before, text,
		       before[0] != '\0' ? "}" : "");
	*told = (struct told){.len = 0};
	int error = conf_parse_text(all, strlen(all), "text", &options, gather, told, &conf);
	conf_free(conf);
	return error;
}

/* The other values of the statement are the greatest. */
static void number_try(const struct conf_statement *s, const struct conf_piece *piece,
		       uint64_t number, bool good)
{
	struct told told;
	char value[NUM_TEXT_MAX], line[256];
	struct text text;
	text_init(&text, line, sizeof(line));
	text_addf(&text, "%s", s->word);
	for (const struct conf_piece *each = s->pieces; each->type != CONF_NONE; each++)
		text_addf(
		    &text, " %s %s", each->word != NULL ? each->word : "",
		    conf_quantity_format(each->type, each == piece ? number : each->most, value));
	assert_int_equal(setting_try(s, line, &told), good ? 0 : -EINVAL);
	assert_true(good || strstr(told.text, "is out of range; it can be ") != NULL ||
		    strstr(told.text, "is too little; it can be 0") != NULL ||
		    strstr(told.text, "from the shorter time to the longer") != NULL);
}

/* Of every number in the table: its bounds are accepted, the numbers beyond them are not. */
static void every_number_has_its_bounds(void **state)
{
	(void)state;
	size_t tried = 0;
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_statement *s = &conf_settings[i];
		for (const struct conf_piece *piece = s->pieces; piece->type != CONF_NONE;
		     piece++) {
			if (piece->size < sizeof(uint32_t) || piece->type == CONF_CHOICE ||
			    piece->type == CONF_STRING || piece->type == CONF_PATH)
				continue;
			/* `backoff 1d to 1ms` is refused for another reason */
			number_try(s, piece, piece->least, s->agree == NULL || piece == s->pieces);
			number_try(s, piece, piece->most, true);
			number_try(s, piece, piece->most + 1, false);
			if (piece->least > 0)
				number_try(s, piece, piece->least - 1, false);
			if (piece->floor > 0) {
				number_try(s, piece, piece->floor - 1, false);
				number_try(s, piece, piece->floor, true);
			}
			tried++;
		}
	}
	assert_true(tried >= 22);
}

/* Were there fewer, a duplicate of the last ones would pass unseen. */
static void blocks_remember_all_statements(void **state)
{
	(void)state;
	struct conf_words list;
	conf_words_init(&list);
	for (unsigned kind = CONF_BLOCK_TOP; kind <= CONF_BLOCK_LAST; kind <<= 1) {
		unsigned count = kind == CONF_BLOCK_TOP ? 4 - 1 : 0; /* log is four */
		for (size_t i = 0; i < list.count; i++)
			count += (list.list[i].blocks & kind) != 0;
		assert_true(count <= CONF_SEEN_MAX);
	}
}

static void messages_are_bounded(void **state)
{
	(void)state;
	char text[4096] = "";
	for (int i = 0; i < 200; i++)
		strcat(text, "drain x\n");
	struct told told = {.len = 0};
	struct conf *conf = NULL;
	assert_int_equal(conf_parse_text(text, strlen(text), "t", NULL, gather, &told, &conf),
			 -EINVAL);
	assert_int_equal(told.count, CONF_FINDINGS_MAX + 1);
	assert_non_null(strstr(told.text, "there are more errors; only the first ones are shown"));

	told_tls(
	    "port 1 { echo }\n\x01\x1b[31maaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
	    "x",
	    "3:1 unknown word "
	    "`\\001\\033[31maaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...`; expected a "
	    "statement that belongs at the top level, such as `port` or `tls`\n");
}

/* --- files ------------------------------------------------------------------------------------ */

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_conf.XXXXXX");
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
	(void)state;
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static char *in_folder(const char *name)
{
	static char path[2][512];
	static int at;
	at = !at;
	(void)snprintf(path[at], sizeof(path[at]), "%s/%s", folder, name);
	return path[at];
}

static void write_file(const char *name, const char *text, size_t len)
{
	FILE *out = fopen(in_folder(name), "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	fclose(out);
}

static void file(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static struct conf *parse_file(const char *name, const char *messages)
{
	struct told told = {.with_file = true};
	struct conf *conf = NULL;
	int error = conf_parse_file(in_folder(name), NULL, gather, &told, &conf);
	/* The folder's name is not the same twice. */
	char *cut;
	while ((cut = strstr(told.text, folder)) != NULL)
		memmove(cut, cut + strlen(folder) + 1, strlen(cut + strlen(folder) + 1) + 1);
	assert_string_equal(told.text, messages);
	assert_int_equal(error, messages[0] != '\0' ? -EINVAL : 0);
	return conf;
}

static void includes_are_read(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_folder("sub"), 0700), 0);
	file("good.conf",
	     "include \"sub/a.conf\"\nport 1 {\ninclude \"sub/port.conf\" workers 2 }");
	file("sub/a.conf", "tls { include \"pair.conf\" } user \"u\" chroot \"e\"");
	file("sub/pair.conf", "certificate \"./c.pem\" key \"../k.pem\"");
	file("sub/port.conf", "location \"/\" { include \"echo.conf\" } limits { include \"l\" }"
			      "restart { include \"/dev/../dev/null/\" }");
	file("sub/echo.conf", "echo");
	file("sub/l", "idle 1s");
	conf_free(parse_file("good.conf", "port.conf:1:78 cannot read /dev/../dev/null/: "
					  "Not a directory\n"));
	file("sub/port.conf", "location \"/\" { include \"echo.conf\" } limits { include \"l\" }");
	struct conf *conf = parse_file("good.conf", "");
	const struct conf_port *port = &conf->ports[0];
	assert_string_equal(port->user, "u");
	assert_string_equal(port->chroot_path, in_folder("sub/e"));
	assert_string_equal(port->certificates[0].certificate, in_folder("sub/c.pem"));
	assert_string_equal(port->certificates[0].key, in_folder("sub/../k.pem"));
	assert_string_equal(port->certificates[0].where.file, in_folder("sub/pair.conf"));
	assert_int_equal(port->limits.idle_ms, 1000);
	assert_int_equal(port->workers, 2);
	assert_int_equal(conf->files_count, 6);
	conf_free(conf);
}

static void relative_names_are_from_here(void **state)
{
	(void)state;
	char before[4096];
	struct conf *conf = NULL;
	struct told told = {.len = 0};
	assert_non_null(getcwd(before, sizeof(before)));
	file("here.conf", "tls { certificate \"c\" key \"sub/k\" } port 1 { echo }");
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(conf_parse_file("./here.conf", NULL, gather, &told, &conf), 0);
	assert_int_equal(chdir(before), 0);
	assert_string_equal(conf->ports[0].certificates[0].certificate, in_folder("c"));
	assert_string_equal(conf->ports[0].certificates[0].key, in_folder("sub/k"));
	conf_free(conf);
}

static void unreadable_files_are_told(void **state)
{
	(void)state;
	char *big = malloc(CONF_FILE_MAX + 1);
	memset(big, ' ', CONF_FILE_MAX + 1);
	write_file("big.conf", big, CONF_FILE_MAX + 1);
	free(big);
	parse_file("none.conf", "none.conf:0:0 cannot read none.conf: No such file or directory\n");
	parse_file(".", ".:0:0 cannot read .: it is a directory\n");
	parse_file("big.conf", "big.conf:0:0 big.conf is larger than 1 MiB\n");
	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	parse_file("fifo", "fifo:0:0 cannot read fifo: it is not a regular file\n");
	file("inc.conf",
	     TLS "include \"none.conf\"\ninclude \".\" port 1 { include \"big.conf\" }\n"
		 "include \"\" workers 0");
	parse_file("inc.conf", "inc.conf:2:9 cannot read none.conf: No such file or directory\n"
			       "inc.conf:3:9 cannot read .: it is a directory; write `include "
			       "\"./*.conf\"` for the files in it\n"
			       "inc.conf:3:30 big.conf is larger than 1 MiB\n"
			       "inc.conf:4:9 a file name cannot be empty\n"
			       "inc.conf:4:20 workers 0 is out of range; it can be 1 to 64\n");
	if (geteuid() != 0) {
		file("secret.conf", TLS);
		assert_int_equal(chmod(in_folder("secret.conf"), 0), 0);
		parse_file("secret.conf",
			   "secret.conf:0:0 cannot read secret.conf: Permission denied\n");
	}
	told("include \"/etc/passwd\"\nport 1 { echo }",
	     "1:1 include works only in files, and this text is not one\n");
}

static void odd_bytes_are_told(void **state)
{
	(void)state;
	static const char nul[] = TLS "port 1 {\n echo \0\n\0}\nworkers 0";
	write_file("nul.conf", nul, sizeof(nul) - 1);
	parse_file("nul.conf", "nul.conf:3:7 there is a NUL byte in the file: is it text?\n"
			       "nul.conf:5:9 workers 0 is out of range; it can be 1 to 64\n");
	file("bom.conf", "\xef\xbb\xbf" TLS "\r\nport 1 {\r\n echo\r\n}\r\n");
	conf_free(parse_file("bom.conf", ""));
	file("empty.conf", "");
	parse_file("empty.conf",
		   "empty.conf:0:0 there is no port; give at least one `port N { ... }`\n");
}

/* All files that match, in the order of their bytes; each one's mistakes are its own. */
static void patterns_include_what_matches(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_folder("conf.d"), 0700), 0);
	assert_int_equal(mkdir(in_folder("[odd]"), 0700), 0);
	file("pattern.conf", TLS "include \"conf.d/*.conf\" port 9 { echo }");
	struct conf *conf = parse_file("pattern.conf", ""); /* none is no mistake */
	assert_int_equal(conf->ports_count, 1);
	conf_free(conf);

	file("conf.d/b.conf", "port 2 { echo }");
	file("conf.d/B.conf", "port 3 { echo }");
	file("conf.d/a10.conf", "port 4 { tls { certificate \"x\" key \"y\" } echo }\n");
	file("conf.d/.hidden.conf", "nonsense");
	file("conf.d/b.conf~", "nonsense");
	conf = parse_file("pattern.conf", "");
	assert_int_equal(conf->ports_count, 4);
	assert_string_equal(conf->ports[1].certificates[0].certificate, in_folder("conf.d/x"));
	assert_int_equal(conf->files_count, 4); /* in the order in which they were read */
	static const char *const order[] = {"/B.conf", "/a10.conf", "/b.conf"};
	for (size_t i = 0; i < 3; i++)
		assert_non_null(strstr(conf->files[i + 1], order[i]));
	conf_free(conf);

	/* A statement or a block that one leaves open does not go on in the next. */
	file("conf.d/B.conf", "port 3 { echo");
	file("conf.d/a10.conf", "workers");
	file("conf.d/b.conf", "workers 0\nport 2 { echo }");
	parse_file("pattern.conf",
		   "B.conf:1:14 the file ends inside the block opened at line 1\n"
		   "a10.conf:1:8 the file ends in the middle of a statement; expected a number\n"
		   "b.conf:1:9 workers 0 is out of range; it can be 1 to 64\n");
	file("conf.d/B.conf", "respond");
	file("conf.d/a10.conf", "200");
	file("conf.d/b.conf", "\"x\"");
	parse_file(
	    "pattern.conf",
	    "B.conf:1:1 `respond` cannot be at the top level; it belongs in a port, "
	    "host, location or error block\n"
	    "a10.conf:1:1 expected a statement that belongs at the top level, such as `port` "
	    "or `tls`, found `200`\n"
	    "b.conf:1:1 expected a statement that belongs at the top level, such as `port` or "
	    "`tls`, found the string \"x\"\n");

	/* In every block; nested; and the including file's own folder is no pattern. */
	file("conf.d/B.conf", "idle 1s");
	file("conf.d/a10.conf", "head 2K;");
	file("conf.d/b.conf", "include \"[c]?.lim\" body 1K");
	file("conf.d/c1.lim", "core 1K");
	file("[odd]/in.conf", "include \"../conf.d/*.conf\" include \"none-*\"");
	file("[odd]/o.conf", TLS "port 1 { limits { include \"i[n].conf\" requests 7 } echo }");
	conf = parse_file("[odd]/o.conf", "");
	assert_int_equal(conf->ports[0].limits.idle_ms, 1000);
	assert_int_equal(conf->ports[0].limits.head_bytes, 2048);
	assert_int_equal(conf->ports[0].limits.core_bytes, 1024);
	assert_int_equal(conf->ports[0].limits.body_bytes, 1024);
	assert_int_equal(conf->ports[0].limits.requests, 7);
	conf_free(conf);

	/* What cannot be read is told, and its block does not miss what it may have had. */
	assert_int_equal(mkdir(in_folder("conf.d/d.conf"), 0700), 0);
	file("pattern.conf", "include \"conf.d/d*.conf\" port 9 { echo }");
	parse_file("pattern.conf",
		   "pattern.conf:1:9 cannot read conf.d/d.conf: it is a directory\n");
	file("conf.d/e\033[31m.conf", "");
	file("pattern.conf", TLS "include \"conf.d/e*.conf\" port 9 { echo }");
	parse_file("pattern.conf",
		   "pattern.conf:2:9 cannot include e\\033[31m.conf: its name has a "
		   "control character\n");
	/* A folder is no file, but what was meant is clear. */
	file("pattern.conf", TLS "include \"conf.d\" port 9 { echo }");
	parse_file("pattern.conf",
		   "pattern.conf:2:9 cannot read conf.d: it is a directory; write `include "
		   "\"conf.d/*.conf\"` for the files in it\n");
	file("pattern.conf", TLS "include \"conf.d/\" port 9 { echo }");
	parse_file("pattern.conf",
		   "pattern.conf:2:9 cannot read conf.d/: it is a directory; write `include "
		   "\"conf.d/*.conf\"` for the files in it\n");
	/* A file whose own name looks like a pattern that does not match it. */
	file("odd[1].conf", "port 2 { echo }");
	file("pattern.conf", TLS "include \"odd[1].conf\" port 9 { echo }");
	conf = parse_file("pattern.conf", "");
	assert_int_equal(conf->ports_count, 2);
	conf_free(conf);
	file("odd1.conf", "port 3 { echo }");
	conf = parse_file("pattern.conf", "");
	assert_int_equal(conf->ports[0].number, 3);
	conf_free(conf);
	file("loop.conf", TLS "include \"lo*.conf\" port 1 { echo }");
	parse_file("loop.conf",
		   "loop.conf:2:9 loop.conf includes itself, here or through the files "
		   "that include this one\n");
}

/* A pattern counts as many files as it finds. */
static void patterns_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_folder("many"), 0700), 0);
	for (int i = 0; i < 600; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "many/%03d.conf", i);
		file(name, ";");
	}
	file("many.conf", TLS "include \"many/*\" port 1 { echo }");
	conf_free(parse_file("many.conf", ""));
	file("many.conf", TLS "include \"many/*\"\ninclude \"many/*\" port 1 { echo }");
	parse_file("many.conf", "many.conf:3:9 more than 1000 files are included\n");
}

static void include_loops_are_told(void **state)
{
	(void)state;
	file("loop.conf", TLS "port 1 { echo }\ninclude \"loop2.conf\"");
	file("loop2.conf", "\ninclude \"loop.conf\"");
	parse_file("loop.conf",
		   "loop2.conf:2:9 loop.conf includes itself, here or through the files "
		   "that include this one\n");
	for (int i = 0; i < 20; i++) {
		char name[32], text[64];
		(void)snprintf(name, sizeof(name), "deep%d", i);
		(void)snprintf(text, sizeof(text), "include \"deep%d\"", i + 1);
		file(name, text);
	}
	parse_file("deep0", "deep15:1:1 files and blocks include each other more than 16 deep\n");
}

/* 2 to the power of 15 files, were there no bound on how many. */
static void include_bombs_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 15; i++) {
		char name[32], text[64];
		(void)snprintf(name, sizeof(name), "bomb%d", i);
		(void)snprintf(text, sizeof(text), "include \"bomb%d\" include \"bomb%d\"", i + 1,
			       i + 1);
		file(name, text);
	}
	file("bomb15", "");
	struct told told = {.with_file = true};
	struct conf *conf = NULL;
	assert_int_equal(conf_parse_file(in_folder("bomb0"), NULL, gather, &told, &conf), -EINVAL);
	assert_non_null(strstr(told.text, "more than 1000 files are included"));
	assert_true(told.count <= CONF_FINDINGS_MAX + 1);
}

static void included_files_end_what_they_begin(void **state)
{
	(void)state;
	file("i.conf", TLS "port 1 {\n include \"open.conf\"\n echo\n}\n"
			   "port 2 {\n include \"close.conf\"\n echo\n}\n"
			   "port 3 {\n include \"word.conf\"\n echo\n workers 0\n}\n");
	file("open.conf", "limits {\nidle 1s\n");
	file("close.conf", "workers 2\n}\n");
	file("word.conf", "workers");
	parse_file("i.conf",
		   "i.conf:13:10 workers 0 is out of range; it can be 1 to 64\n"
		   "open.conf:3:1 the file ends inside the block opened at line 1\n"
		   "close.conf:2:1 `}` closes nothing that this file opened\n"
		   "word.conf:1:8 the file ends in the middle of a statement; expected a number\n");
	file("dup.conf", TLS "include \"p.conf\"\nport 1 { echo }\ninclude \"p.conf\"");
	file("p.conf", "port 1 { echo }");
	parse_file("dup.conf", "dup.conf:3:1 duplicate port 1; the first one is at line 1 of "
			       "p.conf\n"
			       "p.conf:1:1 duplicate port 1; the first one is at line 1\n");
}

/* --- size ------------------------------------------------------------------------------------- */

static void many_ports_are_quick(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	fputs(TLS, out);
	for (int i = 1; i <= 65535; i++)
		(void)fprintf(out, "port %d{echo}", i);
	fclose(out);
	struct conf *conf = parse(text);
	assert_int_equal(conf->ports_count, 65535);
	conf_free(conf);
	free(text);
}

static void many_locations_are_bounded(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	fputs(TLS "port 1 {", out);
	for (int i = 0; i <= CONF_LOCATIONS_MAX; i++)
		(void)fprintf(out, "location \"/%d\"{echo}\n", i);
	fputs("}", out);
	fclose(out);
	told(text, "20002:1 a port has at most 20000 locations\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(example_is_understood),
	    cmocka_unit_test(defaults_are_filled_in),
	    cmocka_unit_test(ports_inherit_what_they_do_not_set),
	    cmocka_unit_test(accounts_are_inherited),
	    cmocka_unit_test(tickets_have_a_lifetime_or_are_off),
	    cmocka_unit_test(a_watchdog_has_a_limit_or_is_off),
	    cmocka_unit_test(keyholders_are_bounded_by_loops),
	    cmocka_unit_test(facilities_may_be_words),
	    cmocka_unit_test(strings_are_unescaped),
	    cmocka_unit_test(separators_are_optional),
	    cmocka_unit_test(addresses_have_one_form),
	    cmocka_unit_test(locations_are_sorted_and_trimmed),
	    cmocka_unit_test(options_override),
	    cmocka_unit_test(faults_are_rules_of_a_location),
	    cmocka_unit_test(every_fault_can_be_configured),
	    cmocka_unit_test(methods_belong_to_a_handler),
	    cmocka_unit_test(methods_that_are_none_are_told),
	    cmocka_unit_test(the_development_certificate_is_asked_for),
	    cmocka_unit_test(a_plain_port_has_no_certificate),
	    cmocka_unit_test(tls_off_contradicts_what_is_of_tls),
	    cmocka_unit_test(a_plain_port_has_no_fault_of_tls),
	    cmocka_unit_test(threads_need_a_build),
	    cmocka_unit_test(dump_parses_to_itself),
	    cmocka_unit_test(dump_is_canonical),
	    cmocka_unit_test(memory_follows_the_other_limits),
	    cmocka_unit_test(trailers_are_as_the_head_by_default),
	    cmocka_unit_test(the_log_has_a_rate),
	    cmocka_unit_test(dump_of_a_port_is_complete),
	    cmocka_unit_test(ports_are_checked),
	    cmocka_unit_test(certificates_are_checked),
	    cmocka_unit_test(values_are_checked),
	    cmocka_unit_test(accounts_are_checked),
	    cmocka_unit_test(addresses_are_checked),
	    cmocka_unit_test(zones_belong_to_link_local_addresses),
	    cmocka_unit_test(sockets_are_named),
	    cmocka_unit_test(redirections_lead_somewhere),
	    cmocka_unit_test(redirections_are_checked),
	    cmocka_unit_test(odd_redirections_are_warned_of),
	    cmocka_unit_test(locations_are_checked),
	    cmocka_unit_test(responses_are_checked),
	    cmocka_unit_test(faults_are_checked),
	    cmocka_unit_test(duplicates_are_told),
	    cmocka_unit_test(socket_paths_are_bounded),
	    cmocka_unit_test(the_control_socket_is_a_path_or_off),
	    cmocka_unit_test(misspelt_words_are_recognised),
	    cmocka_unit_test(what_was_expected_is_told),
	    cmocka_unit_test(new_values_are_expected),
	    cmocka_unit_test(each_key_is_found_misplaced),
	    cmocka_unit_test(missing_braces_are_found),
	    cmocka_unit_test(broken_strings_are_one_mistake),
	    cmocka_unit_test(truncation_is_told_once),
	    cmocka_unit_test(every_truncation_is_one_mistake),
	    cmocka_unit_test(every_word_is_suggested),
	    cmocka_unit_test(other_quotes_are_told),
	    cmocka_unit_test(one_cause_and_what_to_write),
	    cmocka_unit_test(a_status_without_the_header_that_belongs_to_it_is_warned_of),
	    cmocka_unit_test(a_field_that_is_no_list_comes_once),
	    cmocka_unit_test(words_of_other_servers_are_answered),
	    cmocka_unit_test(what_is_taken_literally_is_warned_of),
	    cmocka_unit_test(a_text_that_goes_on_behind_a_nul_is_no_word),
	    cmocka_unit_test(every_number_has_its_bounds),
	    cmocka_unit_test(blocks_remember_all_statements),
	    cmocka_unit_test(messages_are_bounded),
	    cmocka_unit_test(includes_are_read),
	    cmocka_unit_test(relative_names_are_from_here),
	    cmocka_unit_test(unreadable_files_are_told),
	    cmocka_unit_test(odd_bytes_are_told),
	    cmocka_unit_test(patterns_include_what_matches),
	    cmocka_unit_test(patterns_are_bounded),
	    cmocka_unit_test(include_loops_are_told),
	    cmocka_unit_test(include_bombs_are_bounded),
	    cmocka_unit_test(included_files_end_what_they_begin),
	    cmocka_unit_test(many_ports_are_quick),
	    cmocka_unit_test(many_locations_are_bounded),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
