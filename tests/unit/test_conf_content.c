/* What locations and errors send: exact locations, bodies from files, redirections with parts of
 * the request; and the settings of a tls block. */
#include "conf_told.h"

#include "conf/parser.h"

/* A text and its messages; those with warnings alone are a configuration that is stable. */
struct text_case {
	const char *text, *messages;
};

static void cases_run(const struct text_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		char *text = NULL;
		assert_true(asprintf(&text, TLS "port 1 { %s }", cases[i].text) > 0);
		(void)conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf);
		assert_string_equal(told.text, cases[i].messages);
		if (conf != NULL)
			conf_free(conf);
		free(text);
	}
}

#define CASES_RUN(cases) cases_run(cases, CONF_COUNT(cases))

/* --- exact locations -------------------------------------------------------------------------- */

static void a_location_may_be_exact(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 1 { location \"/a\" { echo }\n"
				      "location exact \"/a\" { respond 200 }\n"
				      "location exact \"/a/\" { respond 201 }\n"
				      "location exact \"/\" { respond 202 } echo }");
	const struct conf_host *host = &conf->ports[0].hosts[0];
	assert_int_equal(host->locations_count, 5);
	assert_string_equal(host->locations[0].path, "/a/");
	assert_true(host->locations[0].exact);
	assert_string_equal(host->locations[1].path, "/a");
	assert_true(host->locations[1].exact);
	assert_false(host->locations[2].exact);
	assert_string_equal(host->locations[3].path, "/");
	assert_true(host->locations[3].exact);
	assert_false(host->locations[4].exact);
	stable(conf);
	conf_free(conf);
}

static void exact_locations_are_checked(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
	    {"location exact \"/a\" { echo } location exact \"/a\" { echo }",
	     "2:39 duplicate location exact \"/a\"; the first one is at line 2\n"},
	    {"location exact \"/a*\" { echo }", ""},
	    {"location exact \"a\" { echo }", "2:25 a location's path begins with `/`\n"},
	    {"location exact /a { echo }", "2:25 a path stands in double quotes: \"/a\"\n"},
	    {"location = \"/a\" { echo }",
	     "2:19 for one path alone write `location exact \"/path\"`\n"},
	    {"location { echo }", "2:19 expected a path in quotes or `exact`, found `{`\n"},
	    {"exact \"/a\" { echo }",
	     "2:10 `exact` is not a statement of its own; it is part of `location`\n"},
	    {"location exact \"/a\" { redirect 308 \"/a\" }",
	     "2:10 warning: clients are redirected in a circle: \"/a\" belongs to this location\n"},
	    {"location exact \"/a\" { redirect 308 \"/a/\" } location \"/a\" { echo }", ""},
	    {"location exact \"/a\" { redirect 308 \"${path}/\" }", ""},
	};
	CASES_RUN(cases);
}

/* --- bodies from files ------------------------------------------------------------------------ */

static void body_is(const struct conf_port *port, uint32_t number, const char *path)
{
	assert_in_range(number, 1, port->bodies_count);
	assert_string_equal(port->bodies[number - 1].path, path);
}

/* Numbered in the order of the canonical text, each path once. */
static void bodies_are_files_of_the_port(void **state)
{
	(void)state;
	const struct conf_options options = {.directory = "/etc/bulkhead"};
	struct conf *conf = parse_with(
	    TLS "port 1 {\n"
		"host \"a\" { error 500 { respond file \"/e\" } respond 200 file \"/b\" }\n"
		"location \"/1\" { respond 201 file \"x.json\" type \"application/json\" }\n"
		"location \"/long\" { respond 200 file \"/b\" error 404 { respond file \"/e\" } }\n"
		"error 404 410 { respond file \"p.html\" type \"text/html\" }\n"
		"respond 200 \"text\" }",
	    &options, "");
	const struct conf_port *port = &conf->ports[0];
	const struct conf_host *host = &port->hosts[0];
	assert_int_equal(port->bodies_count, 4);
	assert_string_equal(port->bodies[0].path, "/etc/bulkhead/p.html");
	assert_int_equal(port->bodies[0].where.line, 6);
	body_is(port, respond_of(&host->locations[0])->file, "/b");
	assert_null(respond_of(&host->locations[0])->type);
	body_is(port, host->locations[0].errors[0].respond->file, "/e");
	body_is(port, respond_of(&host->locations[1])->file, "/etc/bulkhead/x.json");
	assert_string_equal(respond_of(&host->locations[1])->type, "application/json");
	assert_int_equal(respond_of(&host->locations[2])->file, 0);
	assert_int_equal(port->errors_count, 1);
	assert_int_equal(port->errors[0].statuses_count, 2);
	assert_int_equal(port->errors[0].statuses[1], 410);
	body_is(port, port->errors[0].respond->file, "/etc/bulkhead/p.html");
	assert_int_equal(host->errors_count, 0);
	body_is(port, port->hosts[1].errors[0].respond->file, "/e");
	body_is(port, respond_of(&port->hosts[1].locations[0])->file, "/b");
	for (int again = 0; again < 2; again++) { /* as a child reads it: the same numbers */
		char *text = dump(conf, &conf->ports[0]);
		struct conf *child = parse(text);
		assert_int_equal(child->ports[0].bodies_count, 4);
		for (size_t i = 0; i < 4; i++)
			assert_string_equal(child->ports[0].bodies[i].path, port->bodies[i].path);
		conf_free(child);
		free(text);
	}
	stable(conf);
	conf_free(conf);
}

static void bodies_are_checked(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
	    {"respond 200 \"a\" file \"/b\"", "2:31 a response has one body: a text or a file\n"},
	    {"respond 200 file \"/a\" file \"/b\"",
	     "2:37 a response has one body: a text or a file\n"},
	    {"respond 204 file \"/a\"", "2:27 a response with status 204 has no body\n"},
	    {"respond 205 \"a\"", "2:22 a response with status 205 has no body\n"},
	    {"respond 205 \"\"", ""},
	    {"respond 304 file \"/a\"", "2:27 a response with status 304 has no body\n"},
	    {"respond 200 file \"\"", "2:27 a file name cannot be empty\n"},
	    {"respond 200 file /a", "2:27 a file name stands in double quotes: \"/a\"\n"},
	    {"respond 200 type \"a/b\" file \"/a\" header \"X\" \"y\"", ""},
	    {"file \"/a\"", "2:10 `file` is not a statement of its own; it is part of `respond`\n"},
	};
	CASES_RUN(cases);
}

/* --- errors ----------------------------------------------------------------------------------- */

static void errors_have_bodies(void **state)
{
	(void)state;
	struct conf *conf =
	    parse(TLS "port 1 { echo\n"
		      "error 404 { respond \"no\\n\" }\n"
		      "error 500 503 { respond \"\" header \"Retry-After\" \"9\" }\n"
		      "location \"/a\" { echo error 404 { respond \"x\" type "
		      "\"text/html\" } } }");
	const struct conf_port *port = &conf->ports[0];
	assert_int_equal(port->errors_count, 2);
	assert_string_equal(port->errors[0].respond->body, "no\n");
	assert_string_equal(port->errors[0].respond->type, "text/plain; charset=utf-8");
	assert_int_equal(port->errors[1].respond->headers_count, 1);
	assert_int_equal(port->hosts[0].locations[0].errors_count, 1);
	assert_string_equal(port->hosts[0].locations[0].errors[0].respond->type, "text/html");
	stable(conf);
	conf_free(conf);
}

static void errors_are_checked(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
	    {"echo error 404 { }", "2:15 the error block has no body: write `respond \"text\"` or "
				   "`respond file \"file\"` in it\n"},
	    {"echo error 404 { respond type \"a/b\" }",
	     "2:15 the error block has no body: write `respond \"text\"` or `respond file "
	     "\"file\"` in it\n"},
	    {"echo error 404 { respond \"a\" respond \"b\" }",
	     "2:39 duplicate `respond`; the first one is at line 2\n"},
	    {"echo error 404 404 { respond \"a\" }",
	     "2:25 duplicate `error 404`; the first one is at line 2\n"},
	    {"echo error 404 { respond \"a\" } error 500 404 { respond \"b\" }",
	     "2:51 duplicate `error 404`; the first one is at line 2\n"},
	    {"echo error 404 { respond \"a\" } location \"/a\" { echo error 404 { respond \"b\" } "
	     "}\n"
	     "host \"b\" { echo error 404 { respond \"c\" } }",
	     ""},
	    {"echo error 200 { respond \"a\" }",
	     "2:21 status 200 is out of range; it can be 400 to 599\n"},
	    {"echo error x { respond \"a\" }",
	     "2:21 `x` is not a number; status can be 400 to 599\n"},
	    {"echo error { respond \"a\" }", "2:21 expected a status such as 404, found `{`\n"},
	    {"echo error 404 ;", "2:25 expected a status such as 404 or `{`, found `;`\n"},
	    {"echo error 404 \"/404.html\"",
	     "2:25 expected a status such as 404 or `{`, found the string \"/404.html\"\n"},
	    {"echo error 404 { respond 404 \"a\" }",
	     "2:35 `respond` has no status in an error, whose own stays: leave out `404`\n"},
	    {"echo error 404 { echo }",
	     "2:27 `echo` cannot be in an error block; it belongs in a port, host or location "
	     "block\n"},
	    {"echo error 404 { respond \"a\" file \"/b\" }",
	     "2:44 a response has one body: a text or a file\n"},
	    {"echo error 404 { methods any respond \"a\" }",
	     "2:27 `methods` cannot be in an error block; it belongs in a port, host or location "
	     "block\n"},
	};
	CASES_RUN(cases);
	told_tls("error 404 { respond \"a\" }\nport 1 { echo }",
		 "2:1 `error` cannot be at the top level; it belongs in a port, host or location "
		 "block\n");
}

/* --- the settings of a tls block -------------------------------------------------------------- */

static void unknown_names_can_be_refused(void **state)
{
	(void)state;
	struct conf *conf = parse("tls { certificate \"/c\" key \"/k\" }\n"
				  "port 1 { echo tls { unknown name refuse } }\n"
				  "port 2 { echo }\n"
				  "port 3 { echo tls { unknown name refuse certificate \"/d\" key "
				  "\"/e\" } }\n"
				  "port 4 { tls off echo }");
	assert_true(conf->ports[0].refuses_unknown);
	assert_string_equal(conf->ports[0].certificates[0].certificate, "/c");
	assert_false(conf->ports[1].refuses_unknown);
	assert_true(conf->ports[2].refuses_unknown);
	assert_string_equal(conf->ports[2].certificates[0].certificate, "/d");
	stable(conf);
	conf_free(conf);
	conf = parse("tls { unknown name refuse }\n"
		     "port 1 { echo tls { certificate \"/d\" key \"/e\" } }\n"
		     "port 2 { echo tls development } port 3 { echo tls off }");
	assert_true(conf->ports[0].refuses_unknown);
	assert_true(conf->ports[1].refuses_unknown);
	assert_false(conf->ports[2].refuses_unknown);
	stable(conf);
	conf_free(conf);
	static const struct text_case cases[] = {
	    {"echo tls { unknown name }", "2:34 expected `refuse`, found `}`\n"},
	    {"echo tls { unknown refuse }", "2:29 expected `name`, found `refuse`\n"},
	    {"echo tls { unknown name refuse unknown name refuse }",
	     "2:41 duplicate `unknown name`; the first one is at line 2\n"},
	    {"unknown name refuse echo",
	     "2:10 `unknown` cannot be in a port block; it belongs in a tls block\n"},
	    {"host \"a\" { echo tls { unknown name refuse certificate \"/a\" key \"/b\" } }",
	     "2:32 `unknown name` is for a whole port: write it in the `tls` block of the port\n"},
	};
	CASES_RUN(cases);
	told("tls { unknown name refuse }\nport 1 { echo }",
	     "2:1 port 1 has no certificate: write `tls { certificate \"file\" key \"file\" }` in "
	     "it "
	     "or at the top level, or `tls development`; or `tls off` for plain HTTP\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_location_may_be_exact),
	    cmocka_unit_test(exact_locations_are_checked),
	    cmocka_unit_test(bodies_are_files_of_the_port),
	    cmocka_unit_test(bodies_are_checked),
	    cmocka_unit_test(errors_have_bodies),
	    cmocka_unit_test(errors_are_checked),
	    cmocka_unit_test(unknown_names_can_be_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
