/* What makes a configuration short: each form means the same as the long one. */
#include <stdbool.h>

#include "conf/parser.h"
#include "conf_told.h"

/* --- what is compared ----------------------------------------------------------------------- */

static char workers[] = "WORKERS=3", empty[] = "EMPTY=", work[] = "WORK=1",
	    odd[] = "ODD=${W} ${env:WORKERS} \\n ; } #", quote[] = "QUOTE=a\"b\xc3\xa4";
static char *const environment[] = {workers, empty, odd, quote, work, NULL};
static const struct conf_options with_environment = {.threads_built = true,
						     .environment = environment};

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

/* Shows all that differ. */
static void told_all(const struct pair *pairs, size_t count)
{
	unsigned wrong = 0;
	for (size_t i = 0; i < count; i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		char *text = NULL, *messages = NULL;
		assert_true(asprintf(&text, TLS "%s", pairs[i].text) > 0);
		assert_true(asprintf(&messages, "%s\n", pairs[i].other) > 0);
		const int error = conf_parse_text(text, strlen(text), "text", &with_environment,
						  gather, &told, &conf);
		if (error != -EINVAL || strcmp(told.text, messages) != 0) {
			print_error("%s\n  gave\n%s  not\n%s", pairs[i].text, told.text, messages);
			wrong++;
		}
		conf_free(conf);
		free(text);
		free(messages);
	}
	assert_int_equal(wrong, 0);
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

/* A child, and the next version at an upgrade, can read every text that is accepted. */
static void content_of_many_ports_is_bounded(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	fputs(TLS "port 1-1000 { respond 200 \"", out);
	for (int i = 0; i < 150000; i++)
		fputc('x', out);
	fputs("\" }\n", out);
	fclose(out);
	told(text,
	     "2:1 the content of this block is too much for 1000 ports: written out, all blocks "
	     "for several ports have at most 256 MiB\n");
	struct conf *conf = NULL;
	text[strlen(TLS "port 1-1")] = ' '; /* 1-1 and 00 */
	text[strlen(TLS "port 1-1 ")] = '2';
	text[strlen(TLS "port 1-1 2")] = '0';
	conf = parse(text);
	assert_int_equal(conf->ports_count, 2);
	conf_free(conf);
	free(text);
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

/* --- names ------------------------------------------------------------------------------------ */

static void names_stand_for_values(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"define A \"x\" port 1 { respond 200 \"a${A}b\" }", "port 1 { respond 200 \"axb\" }"},
	    {"define A \"x\" define B \"${A}y${A}\" port 1 { respond 200 \"${B}${A}\" }",
	     "port 1 { respond 200 \"xyxx\" }"},
	    {"define EMPTY_ \"\" port 1 { respond 200 \"[${EMPTY_}]\" }",
	     "port 1 { respond 200 \"[]\" }"},
	    {"define D \"shop.example\" port 1 { tls { certificate \"/${D}.pem\" key \"/${D}.key\" "
	     "} "
	     "host \"${D}\" \"www.${D}\" { files \"/srv/${D}\" } location \"/${D}\" { redirect 308 "
	     "\"https://${D}${target}\" } }",
	     "port 1 { tls { certificate \"/shop.example.pem\" key \"/shop.example.key\" } host "
	     "\"shop.example\" \"www.shop.example\" { files \"/srv/shop.example\" } location "
	     "\"/shop.example\" { redirect 308 \"https://shop.example${target}\" } }"},
	    /* words */
	    {"define N \"4\" workers ${N} port 1 { echo }", "workers 4 port 1 { echo }"},
	    {"define N \"4\" limits { idle ${N}s body ${N}${N}K } port 1 { echo }",
	     "limits { idle 4s body 44K } port 1 { echo }"},
	    {"define A \"90\" define B \"on\" port ${A}01-${A}03 ${A} { access log ${B} listen on "
	     "127.0.0.${A} echo }",
	     "port 9001-9003 90 { access log on listen on 127.0.0.90 echo }"},
	    {"define W \"off\" access log ${W} chroot ${W} port 1 { tls ${W} echo }",
	     "access log off chroot off port 1 { tls off echo }"},
	    {"define S \"404\" port 1 { echo error ${S} { respond \"gone\" } }",
	     "port 1 { echo error 404 { respond \"gone\" } }"},
	    /* a value is not looked at again */
	    {"define A \"\\${A}\" port 1 { respond 200 \"${A}\" }",
	     "port 1 { respond 200 \"\\x24{A}\" }"},
	    {"define T \"${target}\" port 1 { redirect 308 \"https://a${T}\" }",
	     "port 1 { redirect 308 \"https://a${target}\" }"},
	    /* names like words of the language, and others */
	    {"define user \"u\" define use \"v\" define define \"w\" user \"${user}\" group "
	     "\"${use}${define}\" port 1 { echo }",
	     "user \"u\" group \"vw\" port 1 { echo }"},
	    {"define a-b_C9 \"u\" user \"${a-b_C9}\" port 1 { echo }",
	     "user \"u\" port 1 { echo }"},
	    /* not names */
	    {"define A \"x\" port 1 { respond 200 \"$A {A} $ ${ ${} ${A ${z} $${A}\" }",
	     "port 1 { respond 200 \"$A {A} $ ${ ${} ${A ${z} $x\" }"},
	    {"define A \"x\" port 1 { respond 200 \"\\${A} \\x24{A} \\\\${A}\" }",
	     "port 1 { respond 200 r\"${A} ${A} \\x\" }"},
	    /* bytes */
	    {"define A \"\\\"\\\\\\n\\xff\\x00}\" port 1 { respond 200 \"<${A}>\" }",
	     "port 1 { respond 200 \"<\\\"\\\\\\n\\xff\\x00}>\" }"},
	};
	SAME_ALL(pairs);
}

static void values_come_from_the_environment(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"workers ${env:WORKERS} port 1 { echo }", "workers 3 port 1 { echo }"},
	    {"workers ${env:NONE:-5} port 1 { echo }", "workers 5 port 1 { echo }"},
	    {"workers ${env:EMPTY:-6} port 1 { echo }", "workers 6 port 1 { echo }"},
	    {"workers ${env:WORKERS:-5} port 1 { echo }", "workers 3 port 1 { echo }"},
	    {"workers 1${env:EMPTY}2 port 1 { echo }", "workers 12 port 1 { echo }"},
	    {"port 1 { respond 200 \"[${env:EMPTY}]${env:NONE:-}\" }",
	     "port 1 { respond 200 \"[]\" }"},
	    {"port 1 { respond 200 \"${env:NONE:-a\\\"\\n:-${}\" }",
	     "port 1 { respond 200 \"a\\\"\\n:-${\" }"},
	    {"define W \"${env:WORKERS}\" workers ${W} port 1 { echo }",
	     "workers 3 port 1 { echo }"},
	    /* what it holds is text */
	    {"port 1 { respond 200 \"${env:ODD}\" }",
	     "port 1 { respond 200 r\"${W} ${env:WORKERS} \\n ; } #\" }"},
	    {"define W \"w\" port 1 { respond 200 \"${env:ODD}\" }",
	     "port 1 { respond 200 r\"${W} ${env:WORKERS} \\n ; } #\" }"},
	    {"port 1 { respond 200 \"\\${env:WORKERS}\" }",
	     "port 1 { respond 200 r\"${env:WORKERS}\" }"},
	    {"port 1 { respond 200 \"${env:QUOTE}\" }",
	     "port 1 { respond 200 \"a\\\"b\\xc3\\xa4\" }"},
	};
	SAME_ALL(pairs);
	struct conf *conf =
	    parse_with(TLS "port 1 { respond 200 \"${env:ODD}\" }", &with_environment, "");
	char *text = dump(conf, conf->ports);
	assert_non_null(strstr(text, "\"${W} \\x24{env:WORKERS} \\\\n ; } #\""));
	free(text);
	conf_free(conf);
	/* a text that is read without one is canonical */
	conf = parse(TLS "port 1 { respond 200 \"${env:WORKERS}\" }");
	assert_string_equal(respond_of(&conf->ports[0].hosts[0].locations[0])->body,
			    "${env:WORKERS}");
	stable(conf);
	conf_free(conf);
	static const char *const nested[] = {"${env:NONE:-${env:EMPTY}}", "${env:NONE:-a${B}}",
					     "${env:WORKERS:-${B}}", "${env:NONE:-a${host}/}"};
	for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++) {
		char source[256];
		(void)snprintf(source, sizeof(source), TLS "port 1 { respond 200 \"%s\" }",
			       nested[i]);
		conf_free(
		    parse_with(source, &with_environment,
			       "2:23 what follows `:-` is text, without names in it: `define` "
			       "one value with the other\n"));
	}
	told("tls development workers ${env:WORKERS} port 1 { echo }",
	     "1:25 this text is read without an environment: `${env:WORKERS}` has no value\n");
}

static void names_are_checked(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"define A \"x\"\ndefine A \"x\"\nport 1 { echo }",
	     "3:1 duplicate name `A`; the first one is at line 2"},
	    {"define host \"x\"\nport 1 { echo }",
	     "2:8 `${host}` is a variable of requests, or kept "
	     "for one: choose another name"},
	    {"define request-x \"x\"\nport 1 { echo }",
	     "2:8 `${request-x}` is a variable of requests, or kept for one: choose another name"},
	    {"define env \"x\"\nport 1 { echo }", "2:8 `${env}` is a variable of requests, or kept "
						  "for one: choose another name"},
	    {"define 9a \"x\"\nport 1 { echo }",
	     "2:8 `9a` is not a name: letters, digits, `_` and `-`, and a letter first"},
	    {"define a.b \"x\"\nport 1 { echo }",
	     "2:8 `a.b` is not a name: letters, digits, `_` and `-`, and a letter first"},
	    {"define $A \"x\"\nport 1 { echo }",
	     "2:8 the name stands here alone, without `$` and braces: `$A`"},
	    {"define ${A} \"x\"\nport 1 { echo }",
	     "2:8 the name stands here alone, without `$` and braces: `${A}`"},
	    {"define A=\"x\"\nport 1 { echo }",
	     "2:8 leave out the `=`: blanks separate a name from its value"},
	    {"define A = \"x\"\nport 1 { echo workers 0 }",
	     "2:10 leave out the `=`: blanks separate a statement from its values\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"define A 4\nport 1 { echo workers 0 }",
	     "2:10 a value stands in double quotes: \"4\"\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"define A\nport 1 { echo workers 0 }",
	     "3:1 expected a value in quotes, found `port`\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"define \"A\" \"x\"\nport 1 { echo workers 0 }",
	     "2:8 expected a name, found the string \"A\"\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"define\nport 1 { echo workers 0 }",
	     "3:1 expected a name, found `port`\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { define A \"x\"\necho workers 0 }",
	     "2:10 `define` cannot be in a port block; it belongs at the top level\n"
	     "3:14 workers 0 is out of range; it can be 1 to 64"},
	    {"Define A \"x\"\nport 1 { echo user \"${A}\" }",
	     "2:1 unknown word `Define`; did you mean `define`?"},
	    {"set $a \"x\";\nport 1 { echo }",
	     "2:1 Bulkhead has no `set`: write `define NAME \"value\"` at the top level, and "
	     "`${NAME}` for it"},
	    /* words */
	    {"workers ${N}\nport 1 { echo }", "2:9 no `define N` is before this; a value of the "
					      "environment is `${env:N}`"},
	    {"define NUMBER \"3\"\nworkers ${NUMBRE}\nport 1 { echo }",
	     "3:9 no `define NUMBRE` is before this; did you mean `${NUMBER}`?"},
	    {"define NUMBER \"3\"\nworkers ${number}\nport 1 { echo }",
	     "3:9 no `define number` is before this; did you mean `${NUMBER}`?"},
	    {"workers ${port}\nport 1 { echo }",
	     "2:9 `${port}` is a variable of requests, which cannot stand here"},
	    {"workers 1${N\nport 1 { echo }", "2:10 the `}` after this `${` is missing"},
	    {"workers ${env:N}\nport 1 { echo }",
	     "2:9 the environment has no `N`; for a value in its place write `${env:N:-value}`"},
	    {"workers ${env:}\nport 1 { echo }",
	     "2:9 `` is not the name of a variable of the environment; write `${env:NAME}` or "
	     "`${env:NAME:-value}`"},
	    {"workers ${env:A-3}\nport 1 { echo }",
	     "2:9 `A-3` is not the name of a variable of the environment; write `${env:NAME}` or "
	     "`${env:NAME:-value}`"},
	    {"define N \"a b\"\nworkers ${N}\nport 1 { echo }",
	     "3:9 `${N}` stands for \"a b\", and one word is needed here"},
	    {"define N \"\"\nworkers ${N}\nport 1 { echo }",
	     "3:9 `${N}` stands for \"\", and one word is needed here"},
	    {"define N \"x\"\nworkers ${N}\nport 1 { echo }",
	     "3:9 `x` is not a number; workers can be 1 to 64"},
	    {"workers $N\nport 1 { echo }", "2:9 `$N` is not a number; a defined value is written "
					    "`${N}`, and one of the environment "
					    "`${env:N}`"},
	    {"workers {$N}\nport 1 { echo workers 0 }",
	     "2:9 a value of the environment is written `${env:N}`\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"port {$N} { echo }\nport 1 { echo workers 0 }",
	     "2:6 a value of the environment is written `${env:N}`\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"define U \"www\"\nuser ${U}\nport 1 { echo workers 0 }",
	     "3:6 a user's name stands in double quotes: \"${U}\"\n"
	     "4:23 workers 0 is out of range; it can be 1 to 64"},
	    {"user ${U}\nport 1 { echo workers 0 }",
	     "2:6 no `define U` is before this; a value of the environment is `${env:U}`\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"faults enabled log to syslog facility ${F}\nport ${P} { error ${S} { respond \"\" } "
	     "listen on "
	     "${A} location \"/\" { fault ${K} } }",
	     "2:39 no `define F` is before this; a value of the environment is `${env:F}`\n"
	     "3:6 no `define P` is before this; a value of the environment is `${env:P}`\n"
	     "3:19 no `define S` is before this; a value of the environment is `${env:S}`\n"
	     "3:49 no `define A` is before this; a value of the environment is `${env:A}`\n"
	     "3:75 no `define K` is before this; a value of the environment is `${env:K}`"},
	    /* strings */
	    {"port 1 { respond 200 \"a${env:N}b${env:M\" }",
	     "2:24 the environment has no `N`; for a value in its place write `${env:N:-value}`\n"
	     "2:33 the `}` after this `${` is missing"},
	    {"port 1 { respond 200 \"a${A}\" }\ndefine A \"x\"",
	     "2:24 `${A}` stands before its `define` at line 3: move that before it"},
	    {"define A \"a\\q\"\nport 1 { respond 200 \"${A}\" header \"X\" \"${A}\" }",
	     "2:12 unknown escape `\\q`; there are \\n, \\r, \\t, \\\", \\\\, \\$ and \\xHH"},
	    {"define T \"a b\"\nport 1 { redirect 308 \"https://${T}/\" }",
	     "3:23 a URL cannot contain ` `: write it as `%20`"},
	};
	TOLD_ALL(pairs);
}

static void names_that_stay_as_they_are_are_warned_of(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"define SITE \"x\" port 1 { respond 200 \"a ${SIET}\" }",
	     "2:41 warning: `${SIET}` is taken as it stands; did you mean `${SITE}`?\n"},
	    {"define SITE \"x\" port 1 { respond 200 \"a ${other}\" }", ""},
	    {"port 1 { files \"/srv/${site}\" }", "2:16 warning: `${site}` is taken as it stands: "
						  "no `define` before it has this name\n"},
	    {"port 1 { files r\"/srv/${site}\" }", ""},
	    {"port 1 { respond 200 \"$host\" }",
	     "2:22 warning: `$host` is sent as it stands: there are no variables\n"},
	    {"port 1 { respond 200 r\"$host\" }", ""},
	    {"port 1 { location \"/${host}\" { echo } }",
	     "2:19 warning: `${host}` is taken as it stands: there are no variables here\n"},
	};
	for (size_t i = 0; i < CONF_COUNT(pairs); i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		char *text = NULL;
		assert_true(asprintf(&text, TLS "%s", pairs[i].text) > 0);
		assert_int_equal(conf_parse_text(text, strlen(text), "text", &with_environment,
						 gather, &told, &conf),
				 0);
		assert_string_equal(told.text, pairs[i].other);
		conf_free(conf);
		free(text);
	}
}

/* No value grows by itself, and all together are bounded. */
static void names_are_bounded(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	fputs(TLS "define A \"0123456789\"\n", out);
	for (char c = 'B'; c <= 'Z'; c++)
		(void)fprintf(out, "define %c \"${%c}${%c}${%c}${%c}\"\n", c, c - 1, c - 1, c - 1,
			      c - 1);
	fputs("port 1 { echo }", out);
	fclose(out);
	told(text, "14:11 all included files and the values of names together are larger than 64 "
		   "MiB\n");
	free(text);
	out = open_memstream(&text, &len);
	fputs(TLS "port 1 { echo }\n", out);
	for (int i = 0; i <= 1000; i++)
		(void)fprintf(out, "define N%d \"\"\n", i);
	fclose(out);
	told(text, "1003:1 at most 1000 names can be defined\n");
	free(text);
}

/* --- raw strings and texts -------------------------------------------------------------------- */

static void raw_strings_are_as_they_stand(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"port 1 { respond 200 r\"a\\n\\\" type \"a/b\" }",
	     "port 1 { respond 200 \"a\\\\n\\\\\" type \"a/b\" }"},
	    {"define A \"x\" port 1 { respond 200 r\"${A} ${env:WORKERS} ${env:NONE}\" }",
	     "port 1 { respond 200 \"\\${A} \\${env:WORKERS} \\${env:NONE}\" }"},
	    {"user r\"u\" port 1 { respond 200 r\"\" }", "user \"u\" port 1 { respond 200 \"\" }"},
	    {"port 1 { respond 200 r\"#;{}'\" }", "port 1 { respond 200 \"#;{}'\" }"},
	    {"port 1 { redirect 308 r\"https://${host}/\" }",
	     "port 1 { redirect 308 \"https://${host}/\" }"},
	};
	SAME_ALL(pairs);
	static const struct pair wrong[] = {
	    {"port 1 { respond 200 r\"a\n}\nport 2 { echo workers 0 }",
	     "2:22 the string has no closing quote on its line\n"
	     "4:23 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 r\"a\"b\"\n }\nport 2 { echo workers 0 }",
	     "2:26 a raw string ends at its first double quote: leave out the `r` and write "
	     "`\\\"`, or write `r<<END` for the lines up to one that is `END`\n"
	     "4:23 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 r \"a\"\n }", "2:22 a body stands in double quotes: \"r\""},
	    {"port 1 { respond 200 R\"a\"\n }", "2:22 a body stands in double quotes: \"R\""},
	};
	TOLD_ALL(wrong);
}

static void texts_are_lines(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"port 1 { respond 200 <<END\na\nb\nEND\n}", "port 1 { respond 200 \"a\\nb\\n\" }"},
	    {"port 1 { respond 200 <<END }\na\nEND", "port 1 { respond 200 \"a\\n\" }"},
	    {"port 1 { respond 200 <<END type \"a/b\" } # x\na\nEND\nport 2 { echo }",
	     "port 1 { respond 200 \"a\\n\" type \"a/b\" } port 2 { echo }"},
	    {"port 1 { respond 200 <<END\na\nEND\ntype \"a/b\" }",
	     "port 1 { respond 200 \"a\\n\" type \"a/b\" }"},
	    {"port 1 { respond 200 <<E }\nE", "port 1 { respond 200 \"\" }"},
	    {"port 1 { respond 200 <<E }\n\nE\n", "port 1 { respond 200 \"\\n\" }"},
	    {"port 1 { respond 200 <<E; }\nE2\nEE\nxE\nE \t\r\n",
	     "port 1 { respond 200 \"E2\\nEE\\nxE\\n\" }"},
	    {"port 1 { respond 200 <<E }\n\t\"{};#\\n\\\"\n\t\tx\n\n\t\n\tE",
	     "port 1 { respond 200 \"\\\"{};#\\\\n\\\\\\\"\\n\\tx\\n\\n\\n\" }"},
	    {"port 1 { respond 200 <<E }\n  a\n    b\n  E",
	     "port 1 { respond 200 \"a\\n  b\\n\" }"},
	    {"port 1 { respond 200 <<E }\n  a\n    b\nE",
	     "port 1 { respond 200 \"  a\\n    b\\n\" }"},
	    {"port 1 { respond 200 <<E }\na\r\nE\r\n", "port 1 { respond 200 \"a\\r\\n\" }"},
	    /* names are replaced, in a raw one they are not */
	    {"define A \"x\\ny\" port 1 { respond 200 <<E }\n${A} \\${A} ${b} $A ${env:WORKERS} "
	     "${env:NONE:-\\n}\nE",
	     "port 1 { respond 200 \"x\\ny \\\\x\\ny ${b} $A 3 \\\\n\\n\" }"},
	    {"define A \"x\" port 1 { respond 200 r<<E }\n${A} \\n ${env:NONE}\nE",
	     "port 1 { respond 200 \"\\${A} \\\\n \\${env:NONE}\\n\" }"},
	    /* two, and as other values */
	    {"port 1 { location \"/a\" { respond 200 <<A } location \"/b\" { respond 200 <<B } "
	     "}\na\nB\nA\nb\nA\nB\nport 2 { echo }",
	     "port 1 { location \"/a\" { respond 200 \"a\\nB\\n\" } location \"/b\" { respond 200 "
	     "\"b\\nA\\n\" } } port 2 { echo }"},
	    {"define A <<E port 1 { respond 200 \"${A}\" }\nx\nE",
	     "port 1 { respond 200 \"x\\n\" }"},
	    {"port 1 { error 404 { respond <<E } echo }\nx\nE",
	     "port 1 { error 404 { respond \"x\\n\" } echo }"},
	};
	SAME_ALL(pairs);
}

static void texts_are_checked(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    /* lines and columns after one are right */
	    {"port 1 { respond 200 <<E } port 2 { workers 0 echo }\na\nb\nE\nport 3 { workers 0 "
	     "echo }",
	     "2:45 workers 0 is out of range; it can be 1 to 64\n"
	     "6:18 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 <<E }\na\n  E  \t\nport 3 { workers 0 echo }",
	     "3:1 the blanks before the closing `E` are left out of each line, and this line does "
	     "not begin with them\n"
	     "5:18 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 <<E }\n\ta\n        b\n c\n\tE",
	     "4:1 the blanks before the closing `E` are left out of each line, and this line does "
	     "not begin with them"},
	    {"port 1 { respond 200 <<E }\n\ta ${env:NONE}\n\tb\n\tx${env:NONE}\n\tE",
	     "3:4 the environment has no `NONE`; for a value in its place write "
	     "`${env:NONE:-value}`\n"
	     "5:3 the environment has no `NONE`; for a value in its place write "
	     "`${env:NONE:-value}`"},
	    {"port 1 { respond 200 <<END }\na\nport 2 { workers 0 echo }",
	     "2:22 the text that begins after this line has no end: no line is `END` alone"},
	    {"port 1 { location \"/\" {\n respond 200 <<END\na\n}\n}\nport 2 { workers 0 echo }",
	     "3:14 the text that begins after this line has no end: no line is `END` alone"},
	    {"port 1 { respond 200 <<END }",
	     "2:22 the text that begins after this line has no end: no line is `END` alone"},
	    {"port 1 { respond 200 <<END\na\nEND }\nport 2 { workers 0 echo }",
	     "2:22 the text that begins after this line has no end: `END` stands alone on its "
	     "line, "
	     "and line 4 has more\n"
	     "5:18 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 <<END\na\n  END; }\nport 2 { workers 0 echo }",
	     "2:22 the text that begins after this line has no end: `END` stands alone on its "
	     "line, "
	     "and line 4 has more\n"
	     "5:18 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 <<-END }\na\nEND\nport 2 { workers 0 echo }",
	     "2:22 write `<<END`, which leaves out the blanks before `END` in each line; in "
	     "`r<<END` nothing is replaced\n"
	     "5:18 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { respond 200 <<\"END\" }\na\nEND\nport 2 { workers 0 echo }",
	     "2:22 write `<<END`, which leaves out the blanks before `END` in each line; in "
	     "`r<<END` nothing is replaced\n"
	     "5:18 workers 0 is out of range; it can be 1 to 64"},
	    {"user <<E\nu\nE\nport 1 { echo }",
	     "2:6 a user's name cannot contain a control character or NUL byte"},
	};
	TOLD_ALL(pairs);
}

/* --- blocks with names ------------------------------------------------------------------------ */

static void blocks_stand_in_several_places(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"block b { echo } port 1 { use b } port 2 { use b }",
	     "port 1 { echo } port 2 { echo }"},
	    {"block b { location \"/a\" { echo } error 404 { respond \"x\" } }\nport 1 { host "
	     "\"h\" { "
	     "use b } host \"i\" { use b } location \"/\" { echo } }",
	     "port 1 { host \"h\" { location \"/a\" { echo } error 404 { respond \"x\" } } host "
	     "\"i\" { "
	     "location \"/a\" { echo } error 404 { respond \"x\" } } location \"/\" { echo } }"},
	    {"block b { idle 5s } limits { use b } port 1 { echo }",
	     "limits { idle 5s } port 1 { echo }"},
	    {"block b { index \"a\" } port 1 { files \"/w\" { use b } }",
	     "port 1 { files \"/w\" { index \"a\" } }"},
	    {"block b { certificate \"/x\" key \"/y\" } port 1 { tls { use b } echo }",
	     "port 1 { tls { certificate \"/x\" key \"/y\" } echo }"},
	    {"block b { backoff 1s to 2s } restart { use b } port 1 { echo }",
	     "restart { backoff 1s to 2s } port 1 { echo }"},
	    {"block b { respond \"x\" } port 1 { echo error 404 { use b } }",
	     "port 1 { echo error 404 { respond \"x\" } }"},
	    {"block b { port 1 { echo } workers 2 } use b", "port 1 { echo } workers 2"},
	    {"block b { } port 1 { use b echo use b }", "port 1 { echo }"},
	    {"define S \"s\" block b { header set \"X\" \"${S} ${host}\" always } use b port 1-2 { "
	     "use b "
	     "echo }",
	     "header set \"X\" \"s ${host}\" always port 1-2 { header set \"X\" \"s ${host}\" "
	     "always "
	     "echo }"},
	    {"block a { echo } block b { workers 2 use a } port 1-2 { use b }",
	     "port 1-2 { workers 2 echo }"},
	    {"block port { echo } port 1 { use port }", "port 1 { echo }"},
	    {"block b { workers ${N} } define N \"2\" port 1 { use b echo }",
	     "port 1 { workers 2 echo }"},
	    {"block b { respond 200 \"}\" header \"X\" r\"\\\" # }\n} port 1 { use b }",
	     "port 1 { respond 200 \"}\" header \"X\" \"\\\\\" }"},
	    {"block b { respond 200 <<E }\n}\nE\nport 1 { use b }",
	     "port 1 { respond 200 \"}\\n\" }"},
	    {"define A <<E block b { respond 200 <<F } port 1 { use b location \"/a\" { respond "
	     "201 "
	     "\"${A}\" } }\n}\nE\nf\nF\nport 2 { use b }",
	     "port 1 { respond 200 \"f\\n\" location \"/a\" { respond 201 \"}\\n\" } } port 2 { "
	     "respond 200 \"f\\n\" }"},
	    {"block b { respond 200 <<E\n}\nE\n} port 1 { use b }",
	     "port 1 { respond 200 \"}\\n\" }"},
	    {"define X <<E block b { respond 200 \"${X}\"\n}\nE\n} port 1 { use b }",
	     "port 1 { respond 200 \"}\\n\" }"},
	};
	SAME_ALL(pairs);
}

static void blocks_with_names_are_checked(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"port 1 { use b echo }", "2:14 no `block b { ... }` is before this"},
	    {"block b { echo }\nport 1 { use other }",
	     "3:14 no `block other { ... }` is before this"},
	    {"block common { echo }\nport 1 { use comon }",
	     "3:14 no `block comon` is before this; did you mean `use common`?"},
	    {"port 1 { use b }\nblock b { echo }", "2:14 no `block b { ... }` is before this"},
	    {"block b { echo }\nblock b { echo }\nport 1 { use b }",
	     "3:1 duplicate block `b`; the first one is at line 2"},
	    {"block 9 { echo }\nport 1 { echo workers 0 }",
	     "2:7 `9` is not a name: letters, digits, `_` and `-`, and a letter first\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"block \"b\" { echo }\nport 1 { echo workers 0 }",
	     "2:7 expected a name, found the string \"b\"\n"
	     "3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"block { echo }\nport 1 { echo workers 0 }",
	     "2:7 expected a name, found `{`\n3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"block b\nport 1 { echo workers 0 }",
	     "3:1 expected `{`, found `port`\n3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { echo use \"b\"\nworkers 0 }",
	     "2:19 expected the name of a block, found the string \"b\"\n"
	     "3:9 workers 0 is out of range; it can be 1 to 64"},
	    {"port 1 { block b { echo }\nuse b workers 0 }",
	     "2:10 `block` cannot be in a port block; it belongs at the top level\n"
	     "3:5 no `block b { ... }` is before this\n"
	     "3:15 workers 0 is out of range; it can be 1 to 64"},
	    {"block b { echo\nport 1 { use b }",
	     "3:17 the file ends inside the block opened at line 2"},
	    {"block b { use b }\nport 1 { use b echo }",
	     "2:11 the block `b` uses itself, here or through the blocks that it uses"},
	    {"block c { echo }\nblock a { use b }\nblock b { use a }\nport 1 { use b use c }",
	     "3:11 the block `b` uses itself, here or through the blocks that it uses"},
	    /* a mistake in it is told once, where it is */
	    {"block b {\n  workers 0\n\tech\n}\nport 1 { use b }\nport 2-9 { use b }\nport 10 { "
	     "use "
	     "b }",
	     "3:11 workers 0 is out of range; it can be 1 to 64\n"
	     "4:2 unknown word `ech`; did you mean `echo`?"},
	    {"block b { workers }\nport 1 { use b\necho }",
	     "2:20 the block ends in the middle of a statement; expected a number"},
	    {"block b { limits {\n idle } }\nport 1 { use b\necho }",
	     "3:7 expected a duration such as 10s, found `}`"},
	    {"block b { location \"/\" { echo } }\nport 1 { location \"/a\" { use b\n echo } }",
	     "2:11 `location` cannot be in a location block; it belongs in a port or host block"},
	    {"(common) { echo }\nport 1 { echo workers 0 }",
	     "2:1 a block with a name is written `block common { ... }`, and `use common` in its "
	     "places\n3:23 workers 0 is out of range; it can be 1 to 64"},
	    {"Use b\nport 1 { echo }", "2:1 unknown word `Use`; did you mean `use`?\n2:5 no `block "
				       "b { ... }` is before this"},
	};
	TOLD_ALL(pairs);
}

static void blocks_that_nothing_uses_are_warned_of(void **state)
{
	(void)state;
	struct told told = {.len = 0};
	struct conf *conf = NULL;
	static const char text[] = TLS "block a { nonsense } block b { echo } port 1 { use b }";
	assert_int_equal(conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf),
			 0);
	conf_free(conf);
	assert_string_equal(told.text, "2:1 warning: nothing uses the block `a`, so its statements "
				       "were not checked\n");
}

static void uses_are_bounded(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	fputs(TLS "block b0 { }\n", out);
	for (int i = 1; i <= 10; i++)
		(void)fprintf(out,
			      "block b%d { use b%d use b%d use b%d use b%d use b%d use b%d }\n", i,
			      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	fputs("port 1 { echo use b10 }", out);
	fclose(out);
	told(text, "3:12 blocks are used more than 100000 times\n");
	free(text);
	out = open_memstream(&text, &len);
	fputs(TLS "block b0 { }\n", out);
	for (int i = 1; i <= 20; i++)
		(void)fprintf(out, "block b%d { use b%d }\n", i, i - 1);
	fputs("port 1 { echo use b20 }", out);
	fclose(out);
	told(text, "8:12 files and blocks include each other more than 16 deep\n");
	free(text);
}

/* Ten thousand hosts with the same block. */
static void many_uses_are_quick(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	fputs(TLS "block b { echo error 404 { respond \"x\" } }\nport 1 {\n", out);
	for (int i = 0; i < 10000; i++)
		(void)fprintf(out, "host \"h%d\" { use b }\n", i);
	fputs("}", out);
	fclose(out);
	struct conf *conf = parse(text);
	assert_int_equal(conf->ports[0].hosts_count, 10001);
	conf_free(conf);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_block_is_for_several_ports),
	    cmocka_unit_test(each_port_of_a_block_is_one_of_its_own),
	    cmocka_unit_test(numbers_of_ports_are_checked),
	    cmocka_unit_test(warnings_of_a_block_come_once),
	    cmocka_unit_test(content_of_many_ports_is_bounded),
	    cmocka_unit_test(all_ports_there_are),
	    cmocka_unit_test(names_stand_for_values),
	    cmocka_unit_test(values_come_from_the_environment),
	    cmocka_unit_test(names_are_checked),
	    cmocka_unit_test(names_that_stay_as_they_are_are_warned_of),
	    cmocka_unit_test(names_are_bounded),
	    cmocka_unit_test(raw_strings_are_as_they_stand),
	    cmocka_unit_test(texts_are_lines),
	    cmocka_unit_test(texts_are_checked),
	    cmocka_unit_test(blocks_stand_in_several_places),
	    cmocka_unit_test(blocks_with_names_are_checked),
	    cmocka_unit_test(blocks_that_nothing_uses_are_warned_of),
	    cmocka_unit_test(uses_are_bounded),
	    cmocka_unit_test(many_uses_are_quick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
