/* The statement `compress`: what it means, what is wrong with it, and the canonical text. */
#include "conf_told.h"

#define PORT(text) "port 8 { echo tls off\n" text "\n}"

static const struct conf_compress *of(const struct conf_filters *filters)
{
	return filters != NULL ? filters->options[CONF_FILTER_COMPRESS] : NULL;
}

static void the_defaults_are_sensible(void **state)
{
	struct conf *conf = parse(PORT("compress br gzip"));
	const struct conf_compress *c = of(conf->ports[0].filters);
	(void)state;
	assert_int_equal(c->codings_count, 2);
	assert_int_equal(c->codings[0], COMPRESSION_BR);
	assert_int_equal(c->codings[1], COMPRESSION_GZIP);
	assert_int_equal(c->levels[COMPRESSION_GZIP], 5);
	assert_int_equal(c->levels[COMPRESSION_ZSTD], 3);
	assert_int_equal(c->levels[COMPRESSION_BR], 4);
	assert_int_equal(c->least, 1024);
	assert_int_equal(c->types_count, 10);
	assert_string_equal(c->types[0], "text/*");
	stable(conf);
	conf_free(conf);
}

static void options_take_the_place_of_defaults(void **state)
{
	struct conf *conf = parse(PORT("compress zstd { types \"*\" \"a/*+b\" least 2M "
				       "level zstd 9 }"));
	const struct conf_compress *c = of(conf->ports[0].filters);
	(void)state;
	assert_int_equal(c->codings_count, 1);
	assert_int_equal(c->levels[COMPRESSION_ZSTD], 9);
	assert_int_equal(c->least, 2 << 20);
	assert_int_equal(c->types_count, 2);
	assert_string_equal(c->types[1], "a/*+b");
	stable(conf);
	conf_free(conf);
}

static void an_inner_place_has_its_own(void **state)
{
	struct conf *conf = parse("compress gzip { least 5 }\n"
				  "port 1 { tls off echo location \"/a\" { compress off echo } }\n"
				  "port 2 { tls off compress br echo host \"h\" { echo } }\n"
				  "port 3 { tls off compress off echo }");
	(void)state;
	assert_int_equal(of(conf->ports[0].filters)->least, 5);
	assert_int_equal(of(conf->ports[0].hosts[0].locations[0].filters)->codings_count, 0);
	assert_int_equal(of(conf->ports[1].filters)->codings[0], COMPRESSION_BR);
	assert_ptr_equal(conf->ports[1].hosts[1].filters, conf->ports[1].filters);
	assert_int_equal(of(conf->ports[2].filters)->codings_count, 0);
	stable(conf);
	conf_free(conf);
}

/* A port that compresses anywhere has memory for it. */
static void memory_is_added(void **state)
{
	static const struct {
		const char *text;
		uint64_t megabytes;
	} cases[] = {
	    {PORT(""), 221},
	    {PORT("compress off"), 221},
	    {PORT("compress gzip"), 221 + 64},
	    {PORT("location \"/a\" { compress br echo }"), 221 + 64},
	    {PORT("host \"h\" { compress br echo }"), 221 + 64},
	    {PORT("compress br location \"/b\" { compress off echo } host \"h\" { compress off "
		  "echo }"),
	     221 + 64},
	    {PORT("threads 3 compress gzip"), 221 + 2 * 144 + 3 * 64},
	    {PORT("compress gzip limits { memory 64M }"), 64},
	};
	const struct conf_options options = {.threads_built = true};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *conf = parse_with(cases[i].text, &options, "");
		assert_int_equal(conf->ports[0].limits.memory_bytes, cases[i].megabytes << 20);
		conf_free(conf);
	}
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *messages;
	} rows[] = {
	    {"compress", "3:1 expected `br`, `gzip`, `off` or `zstd`, found `}`\n"},
	    {"compress on", "2:10 expected `br`, `gzip`, `off` or `zstd`, found `on`\n"},
	    {"compress \"gzip\"", "2:10 `gzip` is written without quotes here\n"},
	    {"compress gzip gzip", "2:15 duplicate `gzip` in one statement\n"},
	    {"compress off gzip", "2:14 nothing follows `compress off`\n"},
	    {"compress off { }", "2:14 nothing follows `compress off`\n"},
	    {"compress off { least 1K level gzip 3 }", "2:14 nothing follows `compress off`\n"},
	    {"compress off gzip { least 1K }", "2:14 nothing follows `compress off`\n"},
	    {"compress gzip compress br",
	     "2:15 duplicate `compress`; the first one is at line 2\n"},
	    {"compress gzip { least 0 }", "2:23 least 0 is out of range; it can be 1 to 1G\n"},
	    {"compress gzip { types }", "2:23 expected a media type in quotes, found `}`\n"},
	    {"compress gzip { types \"text\" }",
	     "2:23 a type has two parts and no parameters: \"text/html\"; one `*` may stand for a "
	     "part, as in \"text/*\", or for all types\n"},
	    {"compress gzip { types \"text/html; charset=utf-8\" }",
	     "2:23 a type has two parts and no parameters: \"text/html\"; one `*` may stand for a "
	     "part, as in \"text/*\", or for all types\n"},
	    {"compress gzip { types \"*/*\" }",
	     "2:23 a type has two parts and no parameters: \"text/html\"; one `*` may stand for a "
	     "part, as in \"text/*\", or for all types\n"},
	    {"compress gzip { types \"\" }", "2:23 a type cannot be empty\n"},
	    {"compress gzip { types \"text/*\" \"TEXT/*\" }",
	     "2:32 duplicate type \"TEXT/*\" in one statement\n"},
	    {"compress gzip { types \"text/*\" types \"a/b\" }",
	     "2:32 duplicate `types`; the first one is at line 2\n"},
	    {"compress gzip { level gzip 10 }",
	     "2:28 level gzip 10 is out of range; it can be 1 to "
	     "9\n"},
	    {"compress gzip { level gzip 0 }", "2:28 level gzip 0 is out of range; it can be 1 to "
					       "9\n"},
	    {"compress br { level br 7 }", "2:24 level br 7 is out of range; it can be 1 to 6\n"},
	    {"compress gzip { level br 3 }", "2:23 this `compress` does not name `br`\n"},
	    {"compress gzip { level gzip 3 level gzip 3 }", "2:30 duplicate `level gzip`\n"},
	    {"level gzip 3",
	     "2:1 `level` cannot be in a port block; it belongs in a compress block\n"},
	    {"compress gzip level gzip 3",
	     "2:15 `level` cannot be in a port block; it belongs in a compress block\n"},
	    {"index \"a\"", "2:1 `index` cannot be in a port block; it belongs in a files block\n"},
	    {"compress gzip { echo }", "2:17 `echo` cannot be in a compress block; it belongs in a "
				       "port, host or location block\n"},
	    {"compress gzip { listing on }",
	     "2:17 expected a statement that belongs in a compress block, such as `least` or "
	     "`types`, found `listing`\n"},
	    {"compress gzip { foo }",
	     "2:17 unknown word `foo`; expected a statement that belongs in "
	     "a compress block, such as `least` or `types`\n"},
	    {"gzip on;",
	     "2:1 Bulkhead has no `gzip`: write `compress gzip zstd br { least 1K types "
	     "\"text/*\" }`\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text), "port 8 { echo tls off\n%s\n}", rows[i].text);
		struct conf *conf = parse_with(text, NULL, rows[i].messages);
		conf_free(conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_defaults_are_sensible),
	    cmocka_unit_test(options_take_the_place_of_defaults),
	    cmocka_unit_test(an_inner_place_has_its_own),
	    cmocka_unit_test(memory_is_added),
	    cmocka_unit_test(mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
