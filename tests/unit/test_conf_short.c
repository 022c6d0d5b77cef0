/* What makes a configuration short: each form means the same as the long one. */
#include <stdbool.h>

#include "conf/parser.h"
#include "conf_told.h"

/* --- what is compared ----------------------------------------------------------------------- */

static const struct conf_options with_environment = {.threads_built = true};

/* The canonical text of the short form is that of the long one, and is stable. */
static void same(const char *shorter, const char *longer)
{
	struct conf *a = parse_with(shorter, &with_environment, "");
	struct conf *b = parse_with(longer, &with_environment, "");
	char *s = dump(a, NULL), *l = dump(b, NULL);
	assert_string_equal(s, l);
	stable(a);
	conf_free(a);
	conf_free(b);
	free(s);
	free(l);
}

struct pair {
	const char *text, *other;
};

static void same_all(const struct pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *shorter = NULL, *longer = NULL;
		assert_true(asprintf(&shorter, TLS "%s", pairs[i].text) > 0);
		assert_true(asprintf(&longer, TLS "%s", pairs[i].other) > 0);
		same(shorter, longer);
		free(shorter);
		free(longer);
	}
}

static void told_all(const struct pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *text = NULL, *messages = NULL;
		assert_true(asprintf(&text, TLS "%s", pairs[i].text) > 0);
		assert_true(asprintf(&messages, "%s\n", pairs[i].other) > 0);
		assert_null(parse_with(text, &with_environment, messages));
		free(text);
		free(messages);
	}
}

#define SAME_ALL(pairs) same_all(pairs, CONF_COUNT(pairs))
#define TOLD_ALL(pairs) told_all(pairs, CONF_COUNT(pairs))

/* --- several ports in one block --------------------------------------------------------------- */

static void a_block_is_for_several_ports(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"port 80 8080 { echo }", "port 80 { echo } port 8080 { echo }"},
	    {"port 3-5 { echo }", "port 3 { echo } port 4 { echo } port 5 { echo }"},
	    {"port 3-3 { echo }", "port 3 { echo }"},
	    {"port 9 1-2 7 { echo } port 8 { echo }",
	     "port 9 { echo } port 1 { echo } port 2 { echo } port 7 { echo } port 8 { echo }"},
	    {"port 65534-65535 { echo }", "port 65534 { echo } port 65535 { echo }"},
	    {"port 80\n8080\n{ echo }", "port 80 { echo } port 8080 { echo }"},
	    {"port 1-2 { tls off workers 2 limits { idle 3s } listen on ::1 listen on socket \"w\" "
	     "error 404 { respond file \"/e\" } host \"a\" { files \"/w\" { index \"i\" } } "
	     "location \"/b\" { respond 200 file \"/f\" } location \"/\" { redirect 308 "
	     "\"https://${host}:${port}${target}\" } }",
	     "port 1 { tls off workers 2 limits { idle 3s } listen on ::1 listen on socket \"w\" "
	     "error 404 { respond file \"/e\" } host \"a\" { files \"/w\" { index \"i\" } } "
	     "location \"/b\" { respond 200 file \"/f\" } location \"/\" { redirect 308 "
	     "\"https://${host}:${port}${target}\" } }"
	     "port 2 { tls off workers 2 limits { idle 3s } listen on ::1 listen on socket \"w\" "
	     "error 404 { respond file \"/e\" } host \"a\" { files \"/w\" { index \"i\" } } "
	     "location \"/b\" { respond 200 file \"/f\" } location \"/\" { redirect 308 "
	     "\"https://${host}:${port}${target}\" } }"},
	    {"port 1 2 { echo tls { certificate \"/x\" key \"/y\" unknown name refuse } host \"h\" "
	     "{ "
	     "tls { certificate \"/z\" key \"/y\" } respond 200 } }",
	     "port 1 { echo tls { certificate \"/x\" key \"/y\" unknown name refuse } host \"h\" { "
	     "tls { certificate \"/z\" key \"/y\" } respond 200 } }"
	     "port 2 { echo tls { certificate \"/x\" key \"/y\" unknown name refuse } host \"h\" { "
	     "tls { certificate \"/z\" key \"/y\" } respond 200 } }"},
	};
	SAME_ALL(pairs);
}

static void each_port_of_a_block_is_one_of_its_own(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 9000-9010 { echo location \"/x\" { files \"/b\" } "
				      "location \"/y\" { files \"/a\" } }");
	assert_int_equal(conf->ports_count, 11);
	for (size_t i = 0; i < 11; i++) {
		const struct conf_port *port = &conf->ports[i];
		assert_int_equal(port->number, 9000 + i);
		assert_ptr_equal(conf_port_find(conf, port->number), port);
		assert_int_equal(port->roots_count, 2);
		assert_int_equal(port->where.line, 2);
		assert_int_equal(port->certificates_count, 1);
	}
	conf_free(conf);
}

static void numbers_of_ports_are_checked(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"port 5-3 { echo }",
	     "2:6 a range goes from the smaller number to the greater: write `3-5`"},
	    {"port 9000- { echo }",
	     "2:6 `9000-` is no range of ports, which is one word: `9000-9010`"},
	    {"port -9010 { echo }",
	     "2:6 `-9010` is no range of ports, which is one word: `9000-9010`"},
	    {"port - { echo }", "2:6 `-` is no range of ports, which is one word: `9000-9010`"},
	    {"port 1-2-3 { echo }",
	     "2:6 `1-2-3` is no range of ports, which is one word: `9000-9010`"},
	    {"port 9000 - 9010 { echo }",
	     "2:11 `-` is no range of ports, which is one word: `9000-9010`"},
	    {"port 9000 to 9010 { echo }", "2:11 a range of ports is one word: `9000-9010`"},
	    {"port 9000..9010 { echo }", "2:6 a range of ports is written `9000-9010`"},
	    {"port 9000:9010 { echo }", "2:6 a range of ports is written `9000-9010`"},
	    {"port 9000\xe2\x80\x93"
	     "9010 { echo }",
	     "2:6 a range of ports is written `9000-9010`"},
	    {"port 1.2.3.4:80 { echo }",
	     "2:6 a port is a number: `port 80 { ... }`; `listen on` in "
	     "it has the address"},
	    {"port 80, 81 { echo }", "2:6 blanks separate the numbers of a port block: write `80`"},
	    {"port 80,81 { echo }", "2:6 blanks separate the numbers of a port block: `80,81`"},
	    {"port 0-5 { echo }", "2:6 port 0 is out of range; it can be 1 to 65535"},
	    {"port 65535-65536 { echo }", "2:6 port 65536 is out of range; it can be 1 to 65535"},
	    {"port 80 x { echo }", "2:9 `x` is not a number; port can be 1 to 65535"},
	    {"port a-b { echo }", "2:6 `a-b` is not a number; port can be 1 to 65535"},
	    {"port 80-8080 { echo }", "2:6 a port block is for at most 1000 ports, this one for "
				      "8001; the two ports alone are "
				      "`port 80 8080 { ... }`"},
	    {"port 1-1000 2000 { echo }", "2:13 a port block is for at most 1000 ports"},
	    {"port 80 80 { echo }", "2:9 duplicate port 80; the first one is at line 2"},
	    {"port 1-5 { echo }\nport 3 { echo }",
	     "3:1 duplicate port 3; the first one is at line 2"},
	    {"port 3 { echo }\nport 1-5 { echo }",
	     "3:6 duplicate port 3; the first one is at line 2"},
	    {"port 1-500 { echo }\nport 400-600 7 { echo }",
	     "3:6 duplicate ports 400 to 500; the first ones are at line 2\n"
	     "3:14 duplicate port 7; the first one is at line 2"},
	    {"port 1-10 { echo }\nport 5-20 { echo }\nport 1-20 { echo }",
	     "3:6 duplicate ports 5 to 10; the first ones are at line 2\n"
	     "4:6 duplicate ports 1 to 10; the first ones are at line 2\n"
	     "4:6 duplicate ports 11 to 20; the first ones are at line 3"},
	    /* what is said of the block is said once */
	    {"port 1-9 { }",
	     "2:1 port 1-9 serves nothing: give it `respond`, `echo` or a `location`"},
	    {"port 1 2 { }",
	     "2:1 each of these ports serves nothing: give it `respond`, `echo` or a `location`"},
	    {"port 1-9 { echo workers 0 }", "2:25 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1-900 { echo workers 3 limits { connections 2 } }",
	     "2:1 port 1-900 has more workers (3) than connections (2): some would never have one"},
	    {"port 1-900 { echo echo }",
	     "2:19 duplicate location \"/\"; the first one is at line 2"},
	};
	TOLD_ALL(pairs);
}

static void warnings_of_a_block_come_once(void **state)
{
	(void)state;
	struct conf *conf = NULL;
	struct told told = {.len = 0};
	static const char text[] =
	    TLS "port 440-449 { tls off echo location \"/a*\" { respond 301 } }\n"
		"port 79-89 { tls off redirect 308 \"http://${host}${target}\" }\n"
		"port 90-99 { tls off redirect 308 \"http://${host}${target}\" }\n";
	assert_int_equal(conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf),
			 0);
	conf_free(conf);
	assert_string_equal(
	    told.text,
	    "2:16 warning: port 443 has `tls off`: clients expect HTTPS on it, and plain HTTP on "
	    "port 80\n"
	    "2:38 warning: `*` in a location's path is only itself: \"/a\" is for the path and all "
	    "paths below it\n"
	    "2:54 warning: clients expect a `Location` with status 301: add `header \"Location\" "
	    "\"https://www.example.org/\"`\n"
	    "3:22 warning: clients are redirected in a circle: \"http://${host}${target}\" belongs "
	    "to this location\n");
}

static void all_ports_there_are(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	fputs(TLS, out);
	for (unsigned i = 1; i <= 65535; i += 1000)
		(void)fprintf(out, "port %u-%u { echo }\n", i, i + 999 < 65535 ? i + 999 : 65535);
	fflush(out);
	struct conf *conf = parse(text);
	assert_int_equal(conf->ports_count, 65535);
	conf_free(conf);
	for (unsigned i = 0; i < 66; i++)
		(void)fprintf(out, "port 1-1000 { echo }\n");
	fclose(out);
	told(text, "133:6 there are more ports than numbers\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_block_is_for_several_ports),
	    cmocka_unit_test(each_port_of_a_block_is_one_of_its_own),
	    cmocka_unit_test(numbers_of_ports_are_checked),
	    cmocka_unit_test(warnings_of_a_block_come_once),
	    cmocka_unit_test(all_ports_there_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
