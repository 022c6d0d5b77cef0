/* The hosts of a port: their names, certificates and locations, and the messages about them. */
#include "conf_told.h"

#include "conf/parser.h"

/* --- meaning ---------------------------------------------------------------------------------- */

static const struct conf_host *host_of(const struct conf_port *port, const char *name)
{
	for (size_t i = 1; i < port->hosts_count; i++)
		for (size_t k = 0; k < port->hosts[i].names_count; k++)
			if (strcmp(port->hosts[i].names[k], name) == 0)
				return &port->hosts[i];
	return NULL;
}

static void hosts_have_locations_of_their_own(void **state)
{
	(void)state;
	struct conf *conf =
	    parse(TLS "port 1 {\n"
		      "	location \"/a\" { echo }\n"
		      "	host \"shop.example\" \"www.shop.example\" {\n"
		      "		methods \"GET\"  respond 200 \"shop\"\n"
		      "		location \"/a/b\" { echo } location \"/a\" { respond 404 }\n"
		      "	}\n"
		      "	host \"*.shop.example\" { redirect 308 \"https://shop.example/\" }\n"
		      "	echo methods \"POST\"\n"
		      "}");
	const struct conf_port *port = &conf->ports[0];
	assert_int_equal(port->hosts_count, 3);
	assert_int_equal(port->hosts[0].names_count, 0);
	assert_int_equal(port->hosts[0].locations_count, 2);
	assert_string_equal(port->hosts[0].locations[0].path, "/a");
	assert_int_equal(port->hosts[0].locations[0].handler, CONF_ECHO);
	assert_int_equal(port->hosts[0].locations[1].methods, CONF_METHOD_BIT(CONF_POST));
	const struct conf_host *shop = &port->hosts[1];
	assert_int_equal(shop->where.line, 4);
	assert_int_equal(shop->names_count, 2);
	assert_string_equal(shop->names[1], "www.shop.example");
	assert_int_equal(shop->locations_count, 3);
	assert_string_equal(shop->locations[0].path, "/a/b");
	assert_string_equal(shop->locations[1].path, "/a");
	assert_int_equal(shop->locations[1].handler, CONF_RESPOND);
	assert_string_equal(shop->locations[2].path, "/");
	assert_int_equal(shop->locations[2].methods,
			 CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD));
	assert_string_equal(port->hosts[2].names[0], "*.shop.example");
	stable(conf);
	conf_free(conf);
}

/* The default host may have nothing: then it serves nobody. */
static void a_port_may_have_named_hosts_alone(void **state)
{
	(void)state;
	struct conf *conf = parse(TLS "port 1 { host \"a\" { echo } }");
	assert_int_equal(conf->ports[0].hosts_count, 2);
	assert_int_equal(conf->ports[0].hosts[0].locations_count, 0);
	stable(conf);
	conf_free(conf);
}

static void names_have_one_form(void **state)
{
	(void)state;
	static const struct {
		const char *given, *name;
	} names[] = {
	    {"shop.example", "shop.example"},
	    {"WWW.Shop.EXAMPLE.", "www.shop.example"},
	    {"localhost", "localhost"},
	    {"*.Example.org.", "*.example.org"},
	    {"*.org", "*.org"},
	    {"my_host", "my_host"},
	    {"_dmarc.example.org", "_dmarc.example.org"},
	    {"1.2.3", "1.2.3"},
	    {"123", "123"},
	    {"-a-.b--c", "-a-.b--c"},
	    {"b\xc3\xbc"
	     "cher.example",
	     "xn--bcher-kva.example"},
	    {"B\xc3\x9c"
	     "CHER.example",
	     "xn--bcher-kva.example"},
	    {"bu\xcc\x88"
	     "cher.example.",
	     "xn--bcher-kva.example"}, /* not composed */
	    {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
	    {"*.stra\xc3\x9f"
	     "e.example",
	     "*.xn--strae-oqa.example"},
	    {"\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82jp", "xn--r8jz45g.jp"}, /* ideographic dot */
	    {"10.0.0.1", "10.0.0.1"},
	    {"10.0.0.1.", "10.0.0.1"},
	    {"::1", "[::1]"},
	    {"[::1]", "[::1]"},
	    {"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]"},
	    {"[2001:0db8::0001]", "[2001:db8::1]"},
	};
	for (size_t i = 0; i < CONF_COUNT(names); i++) {
		char *text = NULL;
		assert_true(asprintf(&text, TLS "port 1 { host \"%s\" { echo } }", names[i].given) >
			    0);
		struct conf *conf = parse(text);
		assert_string_equal(conf->ports[0].hosts[1].names[0], names[i].name);
		stable(conf);
		conf_free(conf);
		free(text);
	}
}

#define LABEL_9  "123456789."
#define LABEL_63 "123456789012345678901234567890123456789012345678901234567890123"

/* In `port 1 { host "..." { echo } }` on the second line: all in column 15. */
static void names_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *given, *message;
	} names[] = {
	    {"", "a host's name cannot be empty"},
	    {".", "a host's name has no empty label"},
	    {"a..b", "a host's name has no empty label"},
	    {"*.", "\"*\" is not the name of a host: what stands in the port outside of `host` "
		   "serves all names that no host has"},
	    {"a\\x00b", "a host's name cannot contain a control character or NUL byte"},
	    {"a b", "a host's name cannot contain ` `"},
	    {"a@b", "a host's name cannot contain `@`"},
	    {"a%2eb", "a host's name cannot contain `%`"},
	    {"*", "\"*\" is not the name of a host: what stands in the port outside of `host` "
		  "serves all names that no host has"},
	    {"_", "\"_\" is not the name of a host: what stands in the port outside of `host` "
		  "serves all names that no host has"},
	    {"a.*.b", "`*` stands for one whole label, the first one: \"*.example.org\""},
	    {"*a.b", "`*` stands for one whole label, the first one: \"*.example.org\""},
	    {"*.*.b", "`*` stands for one whole label, the first one: \"*.example.org\""},
	    {"www.*", "`*` stands for one whole label, the first one: \"*.example.org\""},
	    {".example.org", "a host's name does not begin with a dot: write \"example.org\" "
			     "\"*.example.org\""},
	    {"~^www\\\\.", "a host has names and no pattern: \"*.example.org\" is for all names "
			   "with one label more than \"example.org\""},
	    {"(a|b).example", "a host has names and no pattern: \"*.example.org\" is for all "
			      "names with one label more than \"example.org\""},
	    {"https://a.example/b", "a host's name has no scheme and no path: \"a.example\""},
	    {"a.example/b", "a host's name has no scheme and no path: \"a.example\""},
	    {"/", "a host's name has no scheme and no path"},
	    {"a.example:443", "a host's name has no port: write \"a.example\"; the number stands "
			      "after `port`"},
	    {"[::1]:443", "an IPv6 address is written \"::1\" or \"[::1]\", without a zone or a "
			  "port"},
	    {"fe80::1%eth0", "an IPv6 address is written \"::1\" or \"[::1]\", without a zone or a "
			     "port"},
	    {"[10.0.0.1]", "an IPv6 address is written \"::1\" or \"[::1]\", without a zone or a "
			   "port"},
	    {LABEL_63 "4.example", "a label of a host's name has at most 63 bytes"},
	    {LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63,
	     "a host's name has at most 253 bytes, this one has 255"},
	    {"\xff.example", "\"\\377.example\" cannot be the name of a host: string encoding "
			     "error"},
	    {"\xe2\x98\x83\xe2\x80\x8b.example", /* a snowman and no blank */
	     "\"\\342\\230\\203\\342\\200\\213.example\" cannot be the name of a host: string "
	     "contains a disallowed character"},
	};
	for (size_t i = 0; i < CONF_COUNT(names); i++) {
		char *text = NULL, *message = NULL;
		assert_true(asprintf(&text, "port 1 { host \"%s\" { echo } }", names[i].given) > 0);
		assert_true(asprintf(&message, "2:15 %s\n", names[i].message) > 0);
		told_tls(text, message);
		free(text);
		free(message);
	}
}

static void longest_names_are_taken(void **state)
{
	(void)state;
	struct conf *conf =
	    parse(TLS "port 1 { host \"" LABEL_63 "." LABEL_63 "." LABEL_63
		      "." LABEL_9 LABEL_9 LABEL_9 LABEL_9 LABEL_9 LABEL_9 "0.\" { echo } }");
	assert_int_equal(strlen(conf->ports[0].hosts[1].names[0]), 253);
	conf_free(conf);
}

static void duplicate_names_are_told(void **state)
{
	(void)state;
	told_tls("port 1 {\nhost \"a\" \"B\" { echo }\nhost \"c\" \"b.\" { echo }\n"
		 "host \"::1\" \"c\" \"[0::1]\" { echo }\n}\n"
		 "port 2 { host \"a\" { echo } }",
		 "4:10 duplicate name \"b\" of a host; the first one is at line 3\n"
		 "5:12 duplicate name \"c\" of a host; the first one is at line 4\n"
		 "5:16 duplicate name \"[::1]\" of a host; the first one is at line 5\n");
}

static void blocks_of_hosts_are_checked(void **state)
{
	(void)state;
	told_tls("port 1 { host \"a\" { } }",
		 "2:10 the host serves nothing: give it `respond`, `echo` or a `location`\n");
	told_tls("port 1 { }",
		 "2:1 port 1 serves nothing: give it `respond`, `echo` or a `location`\n");
	told_tls("port 1 { host \"a\" { methods \"GET\" location \"/a\" { echo } } }",
		 "2:21 `methods` belongs to a handler, and this host has none outside of its "
		 "locations; write it in the location\n");
	told_tls("port 1 { host \"a\" {\nlocation \"/a\" { echo }\nlocation \"/a/\" { echo }\n"
		 "echo respond 200 } location \"/a\" { echo } }",
		 "4:1 duplicate location \"/a\"; the first one is at line 3\n"
		 "5:6 duplicate location \"/\"; the first one is at line 5\n");
	told_tls("port 1 { host \"a\" { echo tls { certificate \"a\" } } }",
		 "2:32 the certificate has no key: write `key \"file\"` after it\n");
	told_tls(
	    "port 1 { host \"a\" { echo tls development tls { certificate \"a\" key \"b\" } } }",
	    "2:42 duplicate `tls`; the first one is at line 2\n");
	told_tls("port 1 { host a.example { echo } }",
		 "2:15 a name stands in double quotes: \"a.example\"\n");
	told_tls("port 1 { host { echo } }", "2:15 expected a name in quotes, found `{`\n");
	told_tls("port 1 { host \"a\" b { echo } }",
		 "2:19 a name stands in double quotes: \"b\"\n");
	told_tls("port 1 { host \"a\" ; echo }",
		 "2:19 expected a name in quotes or `{`, found `;`\n");
	told_tls("port 1 { host \"a\", \"b\" { echo } }",
		 "2:18 leave out the `,`: blanks separate a statement from its values\n");
	told_tls(
	    "port 1 { host \"a\" { limits { } echo } }",
	    "2:21 `limits` cannot be in a host block; it belongs at the top level or in a port "
	    "block\n");
	told_tls("port 1 { host \"a\" { host \"b\" { echo } echo } }",
		 "2:21 `host` cannot be in a host block; it belongs in a port or proxy block\n");
	told_tls("host \"a\" { echo }\nport 1 { echo }",
		 "2:1 `host` cannot be at the top level; it belongs in a port or proxy block\n");
	told_tls("port 1 { hots \"a\" { echo } }",
		 "2:10 unknown word `hots`; did you mean `host`?\n");
	told_tls("port 1 { host \"a\" { ecko } }",
		 "2:21 unknown word `ecko`; did you mean `echo`?\n");
	told_tls("port 1 { host \"a\" { 1 } }",
		 "2:21 expected a statement that belongs in a host block, such as `respond` or "
		 "`location`, found `1`\n");
}

static void braces_of_hosts_are_found(void **state)
{
	(void)state;
	told_tls("port 1 {\nhost \"a\" {\necho\nhost \"b\" { echo }\n}\n",
		 "5:1 `host` cannot be in a host block: the `}` of the block opened at line 3 is "
		 "missing\n");
	told_tls("port 1 {\nhost \"a\" {\nlocation \"/a\" {\necho\nport 2 { echo }\n",
		 "6:1 `port` cannot be in a location block: the `}` of the block opened at line 4 "
		 "is missing\n");
	told_tls("port 1 {\nhost \"a\" {\necho\n",
		 "5:1 the file ends inside the block opened at line 3\n");
	told_tls("port 1 {\nhost \"a\" { echo } }\nhost \"b\" { echo }\n}\n",
		 "4:1 `host` cannot be at the top level: there is a `}` too many before it\n");
}

/* --- certificates ----------------------------------------------------------------------------- */

#define PAIR(name) "certificate \"/" name "\" key \"/" name ".key\" "

static void part_is(const struct conf_port *port, const char *name, unsigned first, unsigned count)
{
	const struct conf_host *host = host_of(port, name);
	assert_non_null(host);
	assert_int_equal(host->certificates_first, first);
	assert_int_equal(host->certificates_count, count);
}

static void hosts_have_their_part_of_the_certificates(void **state)
{
	(void)state;
	struct conf *conf = parse("tls { " PAIR(
	    "c") "}\nport 1 {\n"
		 "host \"a\" { echo tls { " PAIR("e") PAIR(
		     "r") "} }\n"
			  "host \"b\" { echo }\n"
			  "host \"c\" { echo tls { " PAIR("r") PAIR(
			      "e") "} }\n"
				   "host \"d\" { echo tls { " PAIR("e") PAIR(
				       "r") "} }\n"
					    "host \"e\" { echo tls { " PAIR(
						"c") "} }\n"
						     "host \"f\" { echo tls { " PAIR("e") "} }\n"
											  "}");
	const struct conf_port *port = &conf->ports[0];
	assert_int_equal(port->certificates_count, 6);
	assert_int_equal(port->hosts[0].certificates_first, 0);
	assert_int_equal(port->hosts[0].certificates_count, 1);
	assert_string_equal(port->certificates[1].certificate, "/e");
	assert_string_equal(port->certificates[2].key, "/r.key");
	part_is(port, "a", 1, 2);
	part_is(port, "b", 0, 1);
	part_is(port, "c", 3, 2);
	part_is(port, "d", 1, 2);
	part_is(port, "e", 0, 1);
	part_is(port, "f", 5, 1);
	stable(conf);
	conf_free(conf);
}

/* As with other servers: the first host stands in for the default host. */
static void a_default_host_without_certificates_has_those_of_the_first(void **state)
{
	(void)state;
	struct conf *conf = parse("port 1 { echo host \"a\" { echo tls { " PAIR(
	    "a") "} }\n"
		 "host \"b\" { echo tls { " PAIR("b") "} } }");
	assert_int_equal(conf->ports[0].hosts[0].certificates_count, 1);
	part_is(&conf->ports[0], "a", 0, 1);
	part_is(&conf->ports[0], "b", 1, 1);
	stable(conf);
	conf_free(conf);
	told(
	    "port 1 { echo\nhost \"a\" { echo tls { " PAIR("a") "} }\nhost \"b\" { echo } }",
	    "3:1 the host has no certificate: write `tls { certificate \"file\" key \"file\" }` in "
	    "it, in the port or at the top level\n");
	told("port 1 { host \"a\" { echo } }",
	     "1:1 port 1 has no certificate: write `tls { certificate \"file\" key \"file\" }` in "
	     "it or at the top level, or `tls development`; or "
	     "`tls off` for plain HTTP\n");
	told("port 1 { host \"a\" { echo tls { } } host \"b\" { echo } }",
	     "1:26 the tls block has no certificate: write `certificate \"file\" key \"file\"` in "
	     "it\n");
}

static void hosts_of_a_plain_port_have_no_certificates(void **state)
{
	(void)state;
	struct conf *conf = parse("port 80 { tls off host \"a\" { echo } host \"b\" { echo } }");
	assert_int_equal(conf->ports[0].hosts[2].certificates_count, 0);
	stable(conf);
	conf_free(conf);
	told("port 80 { tls off\nhost \"a\" { echo tls { " PAIR(
		 "a") "} }\n"
		      "host \"b\" { tls development echo } }",
	     "2:1 the host has certificates, and its port has `tls off` at line 1: keep one of "
	     "them\n"
	     "3:1 the host has certificates, and its port has `tls off` at line 1: keep one of "
	     "them\n");
	told_tls(
	    "port 443 { host \"a\" { tls off echo } }",
	    "2:23 `tls off` is for a whole port: its hosts are served on the same connections; "
	    "write it in a port of its own\n");
}

static void the_development_certificate_can_be_a_host_s(void **state)
{
	(void)state;
	struct conf *conf =
	    parse(TLS "port 1 { echo host \"localhost\" { echo tls development } }");
	assert_true(conf_wants_development(conf));
	stable(conf);
	assert_int_equal(conf_set_development(conf, "/dev.pem", "/dev.key"), 0);
	assert_string_equal(conf->ports[0].certificates[1].certificate, "/dev.pem");
	stable(conf);
	conf_free(conf);
}

/* --- size ------------------------------------------------------------------------------------- */

struct writing {
	FILE *out;
	char *text;
	size_t len;
};

static void writing_begin(struct writing *w)
{
	w->out = open_memstream(&w->text, &w->len);
	assert_non_null(w->out);
	fputs(TLS "port 1 {\n", w->out);
}

static const char *writing_end(struct writing *w)
{
	fputs("}", w->out);
	fclose(w->out);
	return w->text;
}

/* 10000 hosts with two names, a certificate and a redirection each; and all of them again as the
 * text that a child gets. */
static void many_hosts_are_quick(void **state)
{
	(void)state;
	struct writing w;
	writing_begin(&w);
	for (int i = 0; i < CONF_HOSTS_MAX; i++)
		(void)fprintf(w.out,
			      "host \"h%d.example\" \"*.h%d.example\" { redirect 308 "
			      "\"https://a.example/%d\"\n"
			      "tls { certificate \"/%d\" key \"/%d.key\" } }\n",
			      i, i, i, i % 1000, i % 1000);
	struct conf *conf = parse(writing_end(&w));
	assert_int_equal(conf->ports[0].hosts_count, 1 + CONF_HOSTS_MAX);
	assert_int_equal(conf->ports[0].certificates_count, 1001);
	stable(conf);
	conf_free(conf);
	free(w.text);
}

static void hosts_and_their_names_are_bounded(void **state)
{
	(void)state;
	struct writing w;
	writing_begin(&w);
	for (int i = 0; i <= CONF_HOSTS_MAX; i++)
		(void)fprintf(w.out, "host \"%d\" {echo}\n", i);
	told(writing_end(&w), "10003:1 a port has at most 10000 hosts\n");
	free(w.text);
	writing_begin(&w);
	fputs("host\n", w.out);
	for (int i = 0; i <= CONF_HOST_NAMES_MAX; i++)
		(void)fprintf(w.out, "\"%d\"\n", i);
	fputs("{echo}\n", w.out);
	told(writing_end(&w), "100004:1 the hosts of a port have at most 100000 names\n");
	free(w.text);
	writing_begin(&w);
	for (int i = 0; i < CONF_CERTIFICATES_MAX; i++)
		(void)fprintf(w.out, "host \"%d\" {echo tls {certificate \"/%d\" key \"/%d\"}}\n",
			      i, i, i);
	told(writing_end(&w), "2:1 a port has at most 4096 certificates, with those of its hosts; "
			      "this one has 4097\n");
	free(w.text);
}

static void hosts_count_in_the_memory_limit(void **state)
{
	(void)state;
	struct writing w;
	struct conf *conf = parse(TLS "port 1 { echo }");
	const uint64_t before = conf->ports[0].limits.memory_bytes;
	conf_free(conf);
	writing_begin(&w);
	for (int i = 0; i < 1000; i++)
		(void)fprintf(w.out, "host \"%d\" {echo tls {certificate \"/%d\" key \"/%d\"}}\n",
			      i, i, i);
	conf = parse(writing_end(&w));
	assert_true(conf->ports[0].limits.memory_bytes >= before + 25 * 1000 * 1000);
	conf_free(conf);
	free(w.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts_have_locations_of_their_own),
	    cmocka_unit_test(a_port_may_have_named_hosts_alone),
	    cmocka_unit_test(names_have_one_form),
	    cmocka_unit_test(names_are_checked),
	    cmocka_unit_test(longest_names_are_taken),
	    cmocka_unit_test(duplicate_names_are_told),
	    cmocka_unit_test(blocks_of_hosts_are_checked),
	    cmocka_unit_test(braces_of_hosts_are_found),
	    cmocka_unit_test(hosts_have_their_part_of_the_certificates),
	    cmocka_unit_test(a_default_host_without_certificates_has_those_of_the_first),
	    cmocka_unit_test(hosts_of_a_plain_port_have_no_certificates),
	    cmocka_unit_test(the_development_certificate_can_be_a_host_s),
	    cmocka_unit_test(many_hosts_are_quick),
	    cmocka_unit_test(hosts_and_their_names_are_bounded),
	    cmocka_unit_test(hosts_count_in_the_memory_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
