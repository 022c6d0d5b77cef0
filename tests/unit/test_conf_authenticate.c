/* The statement authenticate: its forms, what is said of mistakes, and how files are numbered. */
#include "conf/kinds.h"
#include "conf/parser.h"
#include "conf_told.h"

#include <stdbool.h>

#define PORT "port 8443 { tls { certificate \"/c\" key \"/k\" } "

static const struct conf_authenticate *of(const struct conf_filters *filters)
{
	return filters != NULL ? filters->options[CONF_FILTER_AUTHENTICATE] : NULL;
}

static void all_forms_are_read(void **state)
{
	static const struct {
		const char *text, *realm, *path;
	} rows[] = {
	    {"authenticate off", NULL, NULL},
	    {"authenticate off;", NULL, NULL},
	    {"authenticate basic \"staff\" file \"/p/staff\"", "staff", "/p/staff"},
	    {"authenticate basic \"staff\" file \"/p/staff\";", "staff", "/p/staff"},
	    {"authenticate\nbasic\n\"staff\"\nfile\n\"/p/staff\"", "staff", "/p/staff"},
	    {"authenticate basic \"\\\"x\\\" \\\\\" file \"/p\"", "\"x\" \\", "/p"},
	    {"authenticate basic \"Caf\u00e9\" file \"/p\"", "Caf\u00e9", "/p"},
	};
	(void)state;
	for (size_t i = 0; i < CONF_COUNT(rows); i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		char *text = NULL;
		assert_true(asprintf(&text, PORT "location \"/\" { %s echo } }", rows[i].text) > 0);
		if (conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf) != 0)
			fail_msg("%s: %s", rows[i].text, told.text);
		assert_int_equal(told.count, 0);
		const struct conf_authenticate *a = of(conf->ports->hosts[0].locations[0].filters);
		assert_non_null(a);
		if (rows[i].realm == NULL) {
			assert_null(a->realm);
			assert_int_equal(conf->ports->passwords_count, 0);
		} else {
			assert_string_equal(a->realm, rows[i].realm);
			assert_string_equal(a->path, rows[i].path);
			assert_int_equal(conf->ports->passwords_count, 1);
			assert_string_equal(conf->ports->passwords[0].path, rows[i].path);
		}
		stable(conf);
		conf_free(conf);
		free(text);
	}
}

static void mistakes_are_named(void **state)
{
#define SAY                                                                                  \
	"2:1 say for what the passwords are, and where: `authenticate basic \"staff\" file " \
	"\"staff.htpasswd\"`\n"
#define ALONE "2:18 nothing follows `authenticate off`\n"
	static const struct {
		const char *text, *messages;
	} rows[] = {
	    {"authenticate", "3:1 expected `basic` or `off`, found `}`\n"},
	    {"authenticate;", "2:13 expected `basic` or `off`, found `;`\n"},
	    {"authenticate on", "2:14 expected `basic` or `off`, found `on`\n"},
	    {"authenticate digest \"staff\" file \"/p\"",
	     "2:14 expected `basic` or `off`, found `digest`\n"},
	    {"authenticate \"staff\" file \"/p\"",
	     "2:14 expected `basic` or `off`, found the string \"staff\"\n"},
	    {"authenticate basic staff file \"/p\"",
	     SAY "2:20 a realm stands in double quotes: \"staff\"\n"},
	    {"authenticate basic", SAY},
	    {"authenticate basic;", SAY},
	    {"authenticate basic \"staff\"", SAY},
	    {"authenticate basic file \"/p\"", SAY},
	    {"authenticate off \"staff\"", ALONE},
	    {"authenticate off file \"/p\"", ALONE},
	    {"authenticate off \"staff\" file \"/p\"", ALONE},
	    {"authenticate basic \"staff\" file /p",
	     SAY "2:33 a file stands in double quotes: \"/p\"\n"},
	    {"authenticate basic \"staff\" file", SAY "3:1 expected a file in quotes, found `}`\n"},
	    {"authenticate basic \"staff\" file \"/p\" file \"/q\"",
	     "2:38 duplicate `file` in one statement\n"},
	    {"authenticate basic \"staff\" \"/p\"",
	     SAY "2:28 expected a statement that belongs in a port block, such as `respond` or "
		 "`location`, found the string \"/p\"\n"},
	    {"authenticate basic \"\" file \"/p\"", "2:20 a realm cannot be empty\n"},
	    {"authenticate basic \"staff\" file \"\"", "2:33 a file name cannot be empty\n"},
	    {"authenticate basic \"a\\nb\" file \"/p\"",
	     "2:20 a realm cannot contain a control character or NUL byte\n"},
	    {"authenticate basic \"a\\rb\" file \"/p\"",
	     "2:20 a realm cannot contain a control character or NUL byte\n"},
	    {"authenticate basic \"staff\" file \"/p\"\nauthenticate off",
	     "3:1 a second `authenticate`; the first one is at line 2\n"},
	    {"authenticate off authenticate off",
	     "2:18 a second `authenticate`; the first one is at line 2\n"},
	    {"authentificate basic \"staff\" file \"/p\"",
	     "2:1 unknown word `authentificate`; did you mean `authenticate`?\n"},
	};
	(void)state;
	for (size_t i = 0; i < CONF_COUNT(rows); i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		char *text = NULL;
		assert_true(asprintf(&text, PORT "echo\n%s\n}", rows[i].text) > 0);
		const int error =
		    conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf);
		assert_string_equal(told.text, rows[i].messages);
		assert_int_equal(error, -EINVAL);
		assert_null(conf);
		free(text);
	}
}

/* A string that long, or one byte more. */
static void lengths_are_bounded(void **state)
{
	static const struct {
		size_t realm, path;
		const char *messages;
	} rows[] = {
	    {1, 2, ""},
	    {256, 4095, ""},
	    {257, 2, "1:71 a realm has at most 256 bytes, this one has 257\n"},
	    {1, 4096, "1:80 a file name has at most 4095 bytes, this one has 4096\n"},
	};
	char realm[300] = {0}, path[5000] = {0};
	(void)state;
	for (size_t i = 0; i < CONF_COUNT(rows); i++) {
		char *text = NULL;
		memset(realm, 'r', sizeof(realm) - 1);
		memset(path, 'p', sizeof(path) - 1);
		path[0] = '/';
		realm[rows[i].realm] = path[rows[i].path] = '\0';
		assert_true(asprintf(&text, PORT "echo authenticate basic \"%s\" file \"%s\" }",
				     realm, path) > 0);
		conf_free(parse_with(text, NULL, rows[i].messages));
		free(text);
	}
}

/* --- places ----------------------------------------------------------------------------------- */

static const char places[] =
    "authenticate basic \"top\" file \"/p/top\"\n"
    "port 1 { tls { certificate \"/c\" key \"/k\" } location \"/\" { echo }\n"
    "	location \"/z\" { authenticate basic \"z\" file \"/p/z\" echo }\n"
    "	location \"/a\" { authenticate basic \"a\" file \"/p/a\" echo }\n"
    "	location \"/off\" { authenticate off echo }\n"
    "	host \"h\" { authenticate basic \"h\" file \"/p/m\" location \"/\" { echo }\n"
    "		location \"/z\" { authenticate basic \"other\" file \"/p/z\" echo } } }\n"
    "port 2 { tls { certificate \"/c\" key \"/k\" } authenticate off\n"
    "	location \"/\" { echo } location \"/b\" { authenticate basic \"b\" file \"/p/b\" echo } }\n"
    "port 3 { tls { certificate \"/c\" key \"/k\" } authenticate basic \"3\" file \"/p/3\" echo }\n"
    "port 4 { tls { certificate \"/c\" key \"/k\" } echo }\n";

/* By the path of a location. */
static const char *realm_at(const struct conf_host *h, const char *path)
{
	for (size_t i = 0; i < h->locations_count; i++)
		if (strcmp(h->locations[i].path, path) == 0) {
			const struct conf_authenticate *a = of(h->locations[i].filters);
			return a != NULL && a->realm != NULL ? a->realm : "-";
		}
	return "?";
}

static void inner_places_have_what_outer_ones_say(void **state)
{
	(void)state;
	struct conf *conf = parse(places);
	const struct conf_port *p = conf->ports;
	assert_string_equal(of(p[0].filters)->realm, "top");
	assert_string_equal(realm_at(&p[0].hosts[0], "/"), "top");
	assert_string_equal(realm_at(&p[0].hosts[0], "/z"), "z");
	assert_string_equal(realm_at(&p[0].hosts[0], "/a"), "a");
	assert_string_equal(realm_at(&p[0].hosts[0], "/off"), "-");
	assert_string_equal(realm_at(&p[0].hosts[1], "/"), "h");
	assert_string_equal(realm_at(&p[0].hosts[1], "/z"), "other");
	assert_string_equal(realm_at(&p[1].hosts[0], "/"), "-");
	assert_string_equal(realm_at(&p[1].hosts[0], "/b"), "b");
	assert_string_equal(realm_at(&p[2].hosts[0], "/"), "3");
	assert_string_equal(realm_at(&p[3].hosts[0], "/"), "top");
	/* each port has the files of its places and no others */
	static const char *const files[4][4] = {
	    {"/p/a", "/p/m", "/p/top", "/p/z"}, {"/p/b"}, {"/p/3"}, {"/p/top"}};
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 4; k++) {
			const bool has = k < p[i].passwords_count;
			assert_int_equal(has, files[i][k] != NULL);
			if (has)
				assert_string_equal(p[i].passwords[k].path, files[i][k]);
		}
	stable(conf);
	conf_free(conf);
}

/* The master hands the files over in the order of its text, and a child finds them by that of its
 * own. */
static void the_child_numbers_files_as_the_master_does(void **state)
{
	(void)state;
	struct conf *conf = parse(places);
	for (size_t i = 0; i < conf->ports_count; i++) {
		const struct conf_port *master = &conf->ports[i];
		char *text = dump(conf, master);
		struct conf *child = parse(text);
		assert_int_equal(child->ports->passwords_count, master->passwords_count);
		for (size_t k = 0; k < master->passwords_count; k++)
			assert_string_equal(child->ports->passwords[k].path,
					    master->passwords[k].path);
		conf_free(child);
		free(text);
	}
	conf_free(conf);
}

static char *many_files(unsigned count)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	(void)fprintf(out, PORT "\n");
	for (unsigned i = 0; i < count; i++)
		(void)fprintf(out,
			      "location \"/%u\" { authenticate basic \"r\" file \"/p/%u\" echo }\n",
			      i, i * 37 % count);
	(void)fprintf(out,
		      "location \"/again\" { authenticate basic \"other\" file \"/p/0\" echo } }");
	fclose(out);
	return text;
}

static void a_port_has_64_files(void **state)
{
	(void)state;
	char *text = many_files(CONF_PASSWORDS_MAX);
	struct conf *conf = parse(text);
	assert_int_equal(conf->ports->passwords_count, CONF_PASSWORDS_MAX);
	for (size_t k = 1; k < CONF_PASSWORDS_MAX; k++)
		assert_true(
		    strcmp(conf->ports->passwords[k - 1].path, conf->ports->passwords[k].path) < 0);
	stable(conf);
	conf_free(conf);
	free(text);
	text = many_files(CONF_PASSWORDS_MAX + 1);
	told(text, "66:46 a port has at most 64 password files\n");
	free(text);
}

/* --- plain ports ------------------------------------------------------------------------------ */

static void passwords_on_a_plain_port_are_warned_of(void **state)
{
#define WARNED \
	" warning: passwords cross the network in plain text, since this port has `tls off`\n"
	static const struct {
		const char *text, *messages;
	} rows[] = {
	    {"port 80 { tls off authenticate basic \"a\" file \"/p\" echo }", "1:19" WARNED},
	    {"port 80 { tls off\nlocation \"/\" { echo }\nlocation \"/in\" {\nauthenticate basic "
	     "\"a\" file \"/p\" echo } }",
	     "4:1" WARNED},
	    {"tls off authenticate basic \"a\" file \"/p\"\nport 80 { echo }", "1:9" WARNED},
	    {"port 80 { tls off authenticate off echo }", ""},
	    {"authenticate basic \"a\" file \"/p\"\nport 80 { tls off authenticate off echo }", ""},
	    {PORT "authenticate basic \"a\" file \"/p\" echo }", ""},
	};
	(void)state;
	for (size_t i = 0; i < CONF_COUNT(rows); i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		assert_int_equal(conf_parse_text(rows[i].text, strlen(rows[i].text), "text", NULL,
						 gather, &told, &conf),
				 0);
		assert_string_equal(told.text, rows[i].messages);
		conf_free(conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_forms_are_read),
	    cmocka_unit_test(mistakes_are_named),
	    cmocka_unit_test(lengths_are_bounded),
	    cmocka_unit_test(inner_places_have_what_outer_ones_say),
	    cmocka_unit_test(the_child_numbers_files_as_the_master_does),
	    cmocka_unit_test(a_port_has_64_files),
	    cmocka_unit_test(passwords_on_a_plain_port_are_warned_of),
	};
	return cmocka_run_group_tests_name("authenticate's statement", tests, NULL, NULL);
}
