/* The statement `files`: its folder and the block of its options. */
#include "conf_told.h"

#include "conf/parser.h"

static const struct conf_files *files_of(const struct conf_location *location)
{
	assert_int_equal(location->handler, CONF_FILES);
	return location->options;
}

static void files_have_defaults(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 1 { files \"/srv\" }");
	const struct conf_files *files = files_of(&conf->ports[0].hosts[0].locations[0]);
	assert_string_equal(files->path, "/srv");
	assert_int_equal(files->index_count, 1);
	assert_string_equal(files->index[0], "index.html");
	assert_false(files->listing || files->hidden || files->no_symlinks || files->unkept);
	assert_null(files->fallback);
	assert_null(files->cache);
	assert_string_equal(files->charset, "utf-8");
	assert_int_equal(files->precompressed_count, 0);
	assert_int_equal(files->types_count, 0);
	assert_int_equal(conf->ports[0].hosts[0].locations[0].methods,
			 CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD));
	stable(conf);
	conf_free(conf);
}

static void every_option_is_understood(void **state)
{
	(void)state;
	const struct conf_options options = {.directory = "/etc/bulkhead"};
	struct conf *conf =
	    parse_with(TLS "port 1 { location \"/\" { files \"shop\" {\n"
			   "	index \"index.html\" \"index.htm\"; listing on\n"
			   "	fallback \"/app.html\" precompressed zstd br gzip\n"
			   "	cache \"public, max-age=3600\"\n"
			   "	hidden serve symlinks none keep off\n"
			   "	type \"application/wasm\" \".WASM\" \"wat\" type \"text/x-log\"\n"
			   "	type \"image/avif\" \"avif\" charset \"ISO-8859-1\"\n"
			   "} methods \"GET\" } }",
		       &options, "");
	const struct conf_location *location = &conf->ports[0].hosts[0].locations[0];
	const struct conf_files *files = files_of(location);
	assert_string_equal(files->path, "/etc/bulkhead/shop");
	assert_int_equal(location->methods, CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD));
	assert_int_equal(files->index_count, 2);
	assert_string_equal(files->index[1], "index.htm");
	assert_true(files->listing && files->hidden && files->no_symlinks && files->unkept);
	assert_string_equal(files->fallback, "/app.html");
	assert_int_equal(files->precompressed_count, 3);
	assert_int_equal(files->precompressed[0], CONF_ZSTD);
	assert_int_equal(files->precompressed[1], CONF_BR);
	assert_int_equal(files->precompressed[2], CONF_GZIP);
	assert_string_equal(files->cache, "public, max-age=3600");
	assert_int_equal(files->types_count, 3);
	assert_int_equal(files->types[0].extensions_count, 2);
	assert_string_equal(files->types[0].extensions[0], "wasm");
	assert_int_equal(files->types[1].extensions_count, 0);
	assert_string_equal(files->types[1].type, "text/x-log");
	assert_string_equal(files->types[2].extensions[0], "avif");
	assert_string_equal(files->charset, "ISO-8859-1");
	stable(conf);
	conf_free(conf);
}

static void options_can_be_off(void **state)
{
	(void)state;
	struct conf *conf =
	    parse(TLS "port 1 { files \"/srv\" { index off precompressed off\n"
		      "cache off charset off listing off hidden deny keep on symlinks "
		      "beneath } }");
	const struct conf_files *files = files_of(&conf->ports[0].hosts[0].locations[0]);
	assert_int_equal(files->index_count, 0);
	assert_int_equal(files->precompressed_count, 0);
	assert_null(files->cache);
	assert_null(files->charset);
	assert_false(files->listing || files->hidden || files->no_symlinks);
	stable(conf);
	conf_free(conf);
}

/* Each folder once, in the order of the canonical text. */
static void folders_are_roots_of_the_port(void **state)
{
	(void)state;
	struct conf *conf =
	    parse(TLS "port 1 { host \"a\" { files \"/b\" }\n"
		      "host \"b\" { files \"/c\" location \"/x\" { files \"/b\" } }\n"
		      "location \"/1\" { files \"/a\" } location \"/22\" { files "
		      "\"/b\" { listing on } } echo }\n"
		      "port 2 { files \"/c\" }");
	const struct conf_port *port = &conf->ports[0];
	static const char *const paths[] = {"/b", "/a", "/c"};
	assert_int_equal(port->roots_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(port->roots[i].path, paths[i]);
	for (size_t h = 0; h < port->hosts_count; h++)
		for (size_t i = 0; i < port->hosts[h].locations_count; i++) {
			const struct conf_location *l = &port->hosts[h].locations[i];
			if (l->handler == CONF_FILES)
				assert_string_equal(port->roots[files_of(l)->root].path,
						    files_of(l)->path);
		}
	assert_int_equal(conf->ports[1].roots_count, 1);
	stable(conf);
	char *text = dump(conf, port);
	struct conf *child = parse(text);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(child->ports[0].roots[i].path, paths[i]);
	conf_free(child);
	free(text);
	conf_free(conf);
}

/* Warnings, and what is served nevertheless. */
static void what_files_cannot_answer(void **state)
{
	(void)state;
	static const struct {
		const char *text, *messages;
		unsigned methods;
	} cases[] = {
	    {"location \"/\" { methods any files \"/a\" }",
	     "2:25 warning: `files` answers only GET and HEAD; other methods get 405, whatever is "
	     "listed here\n",
	     3},
	    {"location \"/\" { files \"/a\" methods \"HEAD\" \"POST\" }",
	     "2:36 warning: `files` answers only GET and HEAD; other methods get 405, whatever is "
	     "listed here\n",
	     2},
	    {"location \"/\" { files \"/a\" methods \"HEAD\" }", "", 2},
	    {"location \"/\" { files \"/a\" methods \"GET\" }", "", 3},
	    {"location \"/\" { files \"/a\" methods \"POST\" }",
	     "2:36 `files` answers only GET and HEAD: leave `methods` out\n", 0},
	    {"location exact \"/a\" { files \"/a\" }",
	     "2:10 warning: this path is that of the folder, which clients are sent to with a "
	     "slash "
	     "at its end, and an exact location does not cover that: leave `exact` out\n",
	     3},
	    {"location exact \"/\" { files \"/a\" }", "", 3},
	    {"location exact \"/a/\" { files \"/a\" }", "", 3},
	};
	for (size_t i = 0; i < CONF_COUNT(cases); i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		char *text = NULL;
		assert_true(asprintf(&text, TLS "port 1 { %s }", cases[i].text) > 0);
		(void)conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf);
		assert_string_equal(told.text, cases[i].messages);
		assert_true((conf == NULL) == (cases[i].methods == 0));
		if (conf != NULL) {
			assert_int_equal(conf->ports[0].hosts[0].locations[0].methods,
					 cases[i].methods);
			conf_free(conf);
		}
		free(text);
	}
}

static void files_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message; /* in column 12 of line 3 */
	} options[] = {
	    {"index \"\"", "3:7 an index cannot be empty"},
	    {"index \"/app.html\"",
	     "3:7 an index is the name of a file in each folder, without a `/`; for one file in "
	     "place of all that do not exist write `fallback \"/file\"`"},
	    {"index \"..\"",
	     "3:7 an index is the name of a file in each folder, without a `/`; for one file in "
	     "place of all that do not exist write `fallback \"/file\"`"},
	    {"index \"a\" \"a\"", "3:11 duplicate index \"a\" in one statement"},
	    {"index off \"a\"", "3:11 nothing follows `index off`"},
	    {"index \"a\" index \"b\"", "3:11 duplicate `index`; the first one is at line 3"},
	    {"index a", "3:7 a file name stands in double quotes: \"a\"; or write `off`"},
	    {"index \"a\" b", "3:11 a file name stands in double quotes: \"b\""},
	    {"listing maybe", "3:9 expected `off` or `on`, found `maybe`"},
	    {"listing on listing off", "3:12 duplicate `listing`; the first one is at line 3"},
	    {"fallback \"app.html\"",
	     "3:10 a fallback is a path beneath the folder: it begins with `/`"},
	    {"fallback \"/a/\"", "3:10 a fallback is a file: it does not end with `/`"},
	    {"fallback \"/\"", "3:10 a fallback is a file: it does not end with `/`"},
	    {"fallback \"/../etc/passwd\"",
	     "3:10 a fallback has no `//`, and no `.` or `..` in it"},
	    {"fallback \"/a//b\"", "3:10 a fallback has no `//`, and no `.` or `..` in it"},
	    {"precompressed deflate",
	     "3:15 expected `br`, `gzip`, `off` or `zstd`, found `deflate`"},
	    {"precompressed br br", "3:18 duplicate `br` in one statement"},
	    {"precompressed off br", "3:19 nothing follows `precompressed off`"},
	    {"cache \"\"", "3:7 a value of Cache-Control cannot be empty; write `cache off`, or "
			   "leave the statement out"},
	    {"cache \"a\\nb\"", "3:7 a value of Cache-Control cannot contain a control character "
				"or NUL byte"},
	    {"cache \" a\"", "3:7 a value of Cache-Control cannot begin or end with a blank"},
	    {"cache 1h", "3:7 a value of Cache-Control stands in double quotes: \"1h\"; or write "
			 "`off`"},
	    {"hidden allow", "3:8 expected `deny` or `serve`, found `allow`"},
	    {"symlinks follow", "3:10 expected `beneath` or `none`, found `follow`"},
	    {"keep open", "3:6 expected `off` or `on`, found `open`"},
	    {"type \"html\"", "3:6 a type has two parts: \"text/html\""},
	    {"type \"text/\"", "3:6 a type has two parts: \"text/html\""},
	    {"type \"/html\"", "3:6 a type has two parts: \"text/html\""},
	    {"type \"a@b/c\" \"x\"", "3:6 a type has two parts: \"text/html\""},
	    {"type \"a/b@\" \"x\"", "3:6 a type has two parts: \"text/html\""},
	    {"type \"text/html/x\"", "3:6 a type has two parts: \"text/html\""},
	    {"type \"text /html\"", "3:6 a type has two parts: \"text/html\""},
	    {"type \"text/html, text/css\"", "3:6 a type has two parts: \"text/html\""},
	    {"type \"text/html; \"", "3:6 a type cannot begin or end with a blank"},
	    {"type \"\"", "3:6 a type cannot be empty"},
	    {"type \"text/html;\"",
	     "3:6 what follows a type is `; name=value`: \"text/html; charset=utf-8\""},
	    {"type \"text/html; charset\"",
	     "3:6 what follows a type is `; name=value`: \"text/html; charset=utf-8\""},
	    {"type \"text/html charset=utf-8\"",
	     "3:6 what follows a type is `; name=value`: \"text/html; charset=utf-8\""},
	    {"type \"text/html\" \"tar.gz\"",
	     "3:18 an extension is what follows the last dot of a name, such as \"html\""},
	    {"type \"text/html\" \"*.html\"",
	     "3:18 an extension is what follows the last dot of a name, such as \"html\""},
	    {"type \"text/html\" \"\"", "3:18 an extension cannot be empty"},
	    {"type \"text/html\" \"a\" \".A\"", "3:22 the extension \".A\" has a type already"},
	    {"type \"text/html\" \"a\" type \"text/css\" \"a\"",
	     "3:38 the extension \"a\" has a type already"},
	    {"type \"text/html\" type \"text/css\"",
	     "3:18 two types are for all files; the first one is at line 3: name the extensions, "
	     "`type \"text/html\" \"html\"`"},
	    {"charset \"a b\"", "3:9 a charset is a name such as \"utf-8\""},
	    {"charset \"\"", "3:9 a charset cannot be empty"},
	    {"echo", "3:1 `echo` cannot be in a files block; it belongs in a port, host or "
		     "location block"},
	    {"indx \"a\"", "3:1 unknown word `indx`; did you mean `index`?"},
	    {"1", "3:1 expected a statement that belongs in a files block, such as `index` or "
		  "`listing`, found `1`"},
	};
	for (size_t i = 0; i < CONF_COUNT(options); i++) {
		char *text = NULL, *message = NULL;
		assert_true(asprintf(&text, "port 1 { files \"/srv\" {\n%s\n} }", options[i].text) >
			    0);
		assert_true(asprintf(&message, "%s\n", options[i].message) > 0);
		told_tls(text, message);
		free(text);
		free(message);
	}
	told_tls("port 1 { files }", "2:16 expected a folder in quotes, found `}`\n");
	told_tls("port 1 { files /srv }", "2:16 a folder stands in double quotes: \"/srv\"\n");
	told_tls("port 1 { files \"\" }", "2:16 a folder's name cannot be empty\n");
	told_tls("port 1 { location \"/\" { files \"/a\" files \"/b\" { index \"/\" } } }",
		 "2:36 the location already has a handler, at line 2\n"
		 "2:55 an index is the name of a file in each folder, without a `/`; for one file "
		 "in place of all that do not exist write `fallback \"/file\"`\n");
	told_tls("port 1 { index \"a\" echo }",
		 "2:10 `index` cannot be in a port block; it belongs in a files block\n");
	told_tls("port 1 { respond 200 { } }",
		 "2:22 expected a statement that belongs in a port block, such as `respond` or "
		 "`location`, found `{`\n");
	told_tls("port 1 { files \"/a\" { index \"a\"",
		 "2:32 the file ends inside the block opened at line 2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_have_defaults),
	    cmocka_unit_test(every_option_is_understood),
	    cmocka_unit_test(options_can_be_off),
	    cmocka_unit_test(folders_are_roots_of_the_port),
	    cmocka_unit_test(what_files_cannot_answer),
	    cmocka_unit_test(files_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
