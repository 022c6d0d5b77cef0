/* The filters of places: what the configuration says of them, what inner places have from outer
 * ones, and what requests meet. */
#include "conf_told.h"

#include <strings.h>

#include "../http_peer.h"
#include "handler/route.h"
#include "net/transport.h"

/* --- a configuration that is served ----------------------------------------------------------- */

struct site {
	struct conf *conf;
	struct routes routes;
	struct peer *peer;
};

static void site_open(struct site *s, const char *text)
{
	static const struct handler_means means = {.port = 8443};
	struct told told = {.len = 0};
	const int error =
	    conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &s->conf);
	if (error != 0)
		print_error("%s", told.text);
	assert_int_equal(error, 0);
	assert_int_equal(routes_init(&s->routes, s->conf->ports, &means), 0);
	s->peer = peer_new();
	s->peer->loop.routes = &s->routes.http;
	assert_int_equal(routes_open(&s->routes, &s->peer->loop), 0);
}

static void site_close(struct site *s)
{
	struct peer *p = s->peer;
	p->http1.proto.ops->release(&p->http1.proto);
	routes_close(&s->routes, &p->loop);
	routes_release(&s->routes);
	p->loop.routes = &p->routes;
	http1_ops.init(&p->http1.proto, &p->loop, p, &p->client);
	peer_free(p);
	conf_free(s->conf);
}

/* The whole response. */
static const char *ask(struct site *s, const char *request)
{
	peer_out_clear(s->peer);
	peer_send(s->peer, request);
	return peer_out(s->peer);
}

static unsigned status_of(const char *response)
{
	assert_int_equal(strncmp(response, "HTTP/1.1 ", 9), 0);
	return (unsigned)atoi(response + 9);
}

/* --- the text --------------------------------------------------------------------------------- */

/* Exactly these messages, which may be warnings alone. */
static void says(const char *text, const char *messages)
{
	struct told told = {.len = 0};
	struct conf *conf = NULL;
	(void)conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf);
	assert_string_equal(told.text, messages);
	conf_free(conf);
}

#define NOT_ONE_NAME "2:13 the host of an origin is one name, without `*` or other signs\n"
#define VARY_TELLS                                                                              \
	"2:12 warning: this takes away what the server says in Vary, such as Accept-Encoding: " \
	"write `header add \"Vary\"`\n"

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *messages;
	} rows[] = {
	    {"allow;", "2:6 expected a network such as 10.0.0.0/8, found `;`\n"},
	    {"deny all", "2:6 for all addresses write `*` in place of `all`\n"},
	    {"allow any", "2:7 expected a network such as 10.0.0.0/8, found `any`\n"},
	    {"deny 10.0.0.1/8",
	     "2:6 `10.0.0.1/8` has bits after its length: the network is `10.0.0.0/8`, and one "
	     "address is `10.0.0.1`\n"},
	    {"deny 10.0.0.0/33", "2:6 the length in `10.0.0.0/33` is out of range; it can be 0 to "
				 "32 for IPv4, and 0 to 128 for IPv6\n"},
	    {"deny example.org",
	     "2:6 `example.org` is not a network; write one such as 10.0.0.0/8 or 2001:db8::/32, "
	     "an address, or `*` for all\n"},
	    {"deny 10.0.0.0/8 10.0.0.0/99",
	     "2:17 the length in `10.0.0.0/99` is out of range; it can be 0 to 32 for IPv4, and 0 "
	     "to 128 for IPv6\n"},
	    {"deny \"10.0.0.0/8\"", "2:6 `10.0.0.0/8` is written without quotes here\n"},
	    {"denny 10.0.0.0/8", "2:1 unknown word `denny`; did you mean `deny`?\n"},
	    {"allow 10.0.0.0/8",
	     "2:7 warning: `allow` keeps nobody out by itself: end the list with `deny *`\n"},
	    {"deny * allow 10.0.0.0/8", "2:14 warning: `allow 10.0.0.0/8` has no effect: `deny *` "
					"at line 2 comes first\n"},
	    {"deny 10.0.0.0/9 10.128.0.0/9 10.1.0.0/16",
	     "2:30 warning: `deny 10.1.0.0/16` has no effect: `deny 10.0.0.0/9` at line 2 comes "
	     "first\n"},
	    {"deny 10.0.0.0/9 10.0.0.0/8", ""},
	    /* one mistake has one message */
	    {"allow 10.0.0.0/8 deny all", "2:23 for all addresses write `*` in place of `all`\n"},
	    {"deny all allow 10.0.0.0/8", "2:6 for all addresses write `*` in place of `all`\n"},
	    {"allow 10.0.0.0/8 deny *, deny 10.0.0.0/8",
	     "2:23 `*,` is not a network; write one such as 10.0.0.0/8 or 2001:db8::/32, an "
	     "address, or `*` for all\n2:31 warning: `deny 10.0.0.0/8` has no effect: `allow "
	     "10.0.0.0/8` at line 2 comes first\n"},

	    {"cors origin",
	     "2:1 `cors origin` needs an origin such as \"https://app.example\", or `any`\n"},
	    {"cors origin any credentials on", "2:17 `credentials on` needs the origins by name: "
					       "with `any` every site could act as its "
					       "visitors\n"},
	    {"cors origin any \"https://a\"",
	     "2:1 `any` is for all origins: leave the others out\n"},
	    {"cors origin \"*\"", "2:13 for all origins write `any`, without quotes\n"},
	    {"cors origin \"null\"",
	     "2:13 \"null\" is the origin of many documents, and of no site\n"},
	    {"cors origin \"https://A\"",
	     "2:13 browsers send an origin in lower case: \"https://A\" would never be it\n"},
	    {"cors origin \"https://b\xc3\xbc"
	     "cher.example\"",
	     "2:13 browsers send a name with other letters than a to z in its form "
	     "\"xn--...\": write that\n"},
	    {"cors origin \"https://b\xc3\xbc"
	     "cher.example/\"",
	     "2:13 browsers send a name with other letters than a to z in its form "
	     "\"xn--...\": write that\n"},
	    {"cors origin \"https://xn--bcher-kva.example\" \"https://a_b-1.c:8443\" "
	     "\"http://127.0.0.1:1\" \"https://[::1]\" \"http://[2001:db8::1]:65535\" "
	     "\"app+x.y-z://localhost\"",
	     ""},
	    {"cors origin \"https://a:\"",
	     "2:13 `` is not the port of an origin: that is 1 to 65535\n"},
	    {"cors origin \"https://a:0\"",
	     "2:13 `0` is not the port of an origin: that is 1 to 65535\n"},
	    {"cors origin \"https://a:08443\"",
	     "2:13 `08443` is not the port of an origin: that is 1 to 65535\n"},
	    {"cors origin \"https://[::1]:65536\"",
	     "2:13 `65536` is not the port of an origin: that is 1 to 65535\n"},
	    {"cors origin \"https://a:b\"",
	     "2:13 `b` is not the port of an origin: that is 1 to 65535\n"},
	    {"cors origin \"https://a,b\"", NOT_ONE_NAME},
	    {"cors origin \"https://a b\"", NOT_ONE_NAME},
	    {"cors origin \"https://a;b\"", NOT_ONE_NAME},
	    {"cors origin \"https://u@a\"", NOT_ONE_NAME},
	    {"cors origin \"https://*.a\"", NOT_ONE_NAME},
	    {"cors origin \"https://a..b\"", NOT_ONE_NAME},
	    {"cors origin \"https://.a\"", NOT_ONE_NAME},
	    {"cors origin \"https://:8443\"", NOT_ONE_NAME},
	    {"cors origin \"https://::1\"", NOT_ONE_NAME},
	    {"cors origin \"https://[::1\"", NOT_ONE_NAME},
	    {"cors origin \"https://[a]\"", NOT_ONE_NAME},
	    {"cors origin \"https://[127.0.0.1]\"", NOT_ONE_NAME},
	    {"cors origin \"https://[::1]a\"", NOT_ONE_NAME},
	    {"cors origin \"a.example\"",
	     "2:13 \"a.example\" is not an origin: that is a scheme and a "
	     "host, such as \"https://app.example\"\n"},
	    {"cors origin \"https://a/\"", "2:13 an origin has no path: write \"https://a\"\n"},
	    {"cors origin \"https://*.a\"",
	     "2:13 the host of an origin is one name, without `*` or other signs\n"},
	    {"cors origin \"https://a:443\"",
	     "2:13 browsers leave the usual port out: write \"https://a\"\n"},
	    {"cors origin \"http://a:80\"",
	     "2:13 browsers leave the usual port out: write \"http://a\"\n"},
	    {"cors origin \"https://a\" \"https://a\"",
	     "2:25 duplicate \"https://a\" in one statement\n"},
	    {"cors origin any methods \"get\"", "2:25 unknown method \"get\"; there are GET, HEAD, "
						"POST, PUT, DELETE, OPTIONS and PATCH, "
						"each in quotes of its own\n"},
	    {"cors origin any headers \"A b\"",
	     "2:25 `A b` is not a header name: letters, digits and "
	     "!#$%&'+-.^_`|~\n"},
	    {"cors off max-age 1m", "2:10 nothing follows `cors off`\n"},
	    {"cors off max-age 1m expose \"A\"", "2:10 nothing follows `cors off`\n"},
	    {"cors origin any headers \"A\" any",
	     "2:1 `any` is for all headers: leave the others out\n"},
	    {"cors origin any headers any \"A\"",
	     "2:1 `any` is for all headers: leave the others out\n"},
	    {"cors origin any headers any headers any",
	     "2:29 duplicate `headers` in one statement\n"},
	    {"cors origin any headers;",
	     "2:24 expected a header name in quotes or `any`, found `;`\n"},
	    {"cors off \"https://a\"", "2:10 nothing follows `cors off`\n"},
	    {"cors origin any cors off", "2:17 duplicate `cors`; the first one is at line 2\n"},
	    {"cors origin \"https://a:8443\" \"http://a\" methods \"GET\" \"PUT\" headers \"A\" "
	     "\"B\" "
	     "expose \"C\" credentials on max-age 10m",
	     ""},

	    {"header \"A\" \"b\"",
	     "2:8 expected `add`, `remove` or `set`, found the string \"A\"\n"},
	    {"header set", "3:1 expected a header name in quotes, found `}`\n"},
	    {"header set \"A\"", "2:1 `header set` needs a value: `header set \"A\" \"value\"`\n"},
	    {"header add \"A\" always",
	     "2:1 `header add` needs a value: `header add \"A\" \"value\"`\n"},
	    {"header remove \"A\" \"b\"", "2:19 `header remove` has a name and no value\n"},
	    {"header set \"Date\" \"b\"", "2:12 the server makes `Date` itself\n"},
	    {"header remove \"connection\"", "2:15 the server makes `Connection` itself\n"},
	    {"header add \"content-length\" \"1\"",
	     "2:12 the server makes `Content-Length` itself\n"},
	    {"header add \"transfer-encoding\" \"a\"",
	     "2:12 the server makes `Transfer-Encoding` itself\n"},
	    {"header set \"Upgrade\" \"a\"", "2:12 the server makes `Upgrade` itself\n"},
	    {"header set \"Content-Range\" \"a\"",
	     "2:12 the server makes `Content-Range` itself\n"},
	    {"header set \"A b\" \"a\"", "2:12 `A b` is not a header name: letters, digits and "
					 "!#$%&'*+-.^_`|~\n"},
	    {"header set \"A\" \"a\\r\\nB: c\"",
	     "2:16 a header value cannot contain a line end, a NUL byte or another control "
	     "character\n"},
	    {"header set \"A\" \"a\\x00\"",
	     "2:16 a header value cannot contain a line end, a NUL byte or another control "
	     "character\n"},
	    {"header set \"A\" \"${hosts}\"",
	     "2:16 unknown variable `${hosts}`; did you mean `${host}`?\n"},
	    {"header set \"A\" \"${request_id}\"",
	     "2:16 unknown variable `${request_id}`; did you mean `${request-id}`?\n"},
	    {"header set \"A\" \"${host\"", "2:16 a variable such as `${host}` ends in `}`\n"},
	    {"header set \"Vary\" \"Accept-Language\"", VARY_TELLS},
	    {"header set \"vary\" \"Accept-Encoding\" always", VARY_TELLS},
	    {"header add \"Vary\" \"Accept-Language\" header remove \"Vary\" on 404", ""},
	    {"header set \"A\" \"$remote_addr\"",
	     "2:16 warning: `$remote_addr` is sent as it stands: the variable is `${client}`\n"},
	    {"header set \"A\" \"%{REMOTE_ADDR}\"",
	     "2:16 `%{REMOTE_ADDR}` is a variable of another server: write `${client}`\n"},
	    {"header set \"A\" \"b\" 404", "2:20 before a status stands `on`: `on 404`\n"},
	    {"header set \"A\" \"b\" 4\x1b\xff",
	     "2:20 before a status stands `on`: `on 4\\033\\377`\n"},
	    {"header set \"A\" \"b\" on 404 404", "2:27 duplicate status 404 in one statement\n"},
	    {"header set \"A\" \"b\" on 99",
	     "2:23 status 99 is out of range; it can be 200 to 599\n"},
	    {"header set \"A\" \"b\" always on 404",
	     "2:27 `always` is for every status: leave `on` out\n"},
	    {"header set \"A\" \"${client} ${port}\" on 200 404 header add \"A\" \"\"", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text), "port 8 { echo tls off\n%s\n}", rows[i].text);
		says(text, rows[i].messages);
	}
}

/* What the top level says is the port's own in the canonical text. */
static void the_canonical_text_means_the_same(void **state)
{
	static const char *const texts[] = {
	    "deny 192.0.2.0/24\nport 1 { tls off echo }\nport 2 { tls off allow * echo }",
	    "port 1 { tls off deny * host \"a\" { allow ::1 deny ::/1 location \"/\" { echo } "
	    "location \"/a\" { deny 8000::/1 ::ffff:1.2.3.4 echo } } }",
	    "header set \"A\" \"1\" always\nport 1 { tls off header add \"A\" \"${host}\" "
	    "respond 200 \"x\" header \"B\" \"c\" header remove \"B\" host \"h\" { header set "
	    "\"A\" \"2\" on 404 410 location \"/\" { echo header add \"C\" \"\\\"\" } } }",
	    "port 1 { tls off cors origin any headers any expose \"A\"\necho }",
	    "cors origin any max-age 0\nport 1 { tls off cors origin \"https://a\" \"https://b\" "
	    "methods "
	    "\"PUT\" \"GET\" headers \"A\" \"B\" expose \"C\" credentials on max-age 2h echo "
	    "location "
	    "\"/a\" { cors off\nmethods \"GET\" echo } location \"/b\" { cors origin any\nmethods "
	    "\"GET\" "
	    "echo } }",
	    "faults enabled port 1 { tls off deny 10.0.0.0/8 location \"/\" { fault crash } }",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		assert_int_equal(
		    conf_parse_text(texts[i], strlen(texts[i]), "text", NULL, gather, &told, &conf),
		    0);
		stable(conf);
		conf_free(conf);
	}
	struct conf *conf = parse(texts[0]);
	char *text = dump(conf, &conf->ports[0]);
	assert_non_null(strstr(text, "\n\tdeny 192.0.2.0/24\n"));
	free(text);
	text = dump(conf, &conf->ports[1]);
	assert_null(strstr(text, "deny"));
	free(text);
	conf_free(conf);
}

/* A port whose rules are the most there can be, with those of the top level, is one that its
 * processes can read. */
static void rules_of_the_top_level_count_in_each_port(void **state)
{
	static const struct {
		unsigned top, port, len;
		const char *messages;
	} rows[] = {
	    {0, 64, 10, ""},
	    {64, 0, 10, ""},
	    {40, 24, 10, ""},
	    {40, 25, 10, "66:1 with the 40 of the top level, a port has at most 64 header rules\n"},
	    {64, 1, 10, "66:1 with the 64 of the top level, a port has at most 64 header rules\n"},
	    {2, 2, 4000, ""},
	    {3, 2, 4000,
	     "6:1 the header rules of the top level and of a port have at most 16 KiB together\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		char value[4096], *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);
		memset(value, 'v', sizeof(value));
		for (unsigned k = 0; k < rows[i].top + rows[i].port; k++)
			(void)fprintf(out, "%sheader set \"A%u\" \"%.*s\"\n",
				      k == rows[i].top ? "port 1 { tls off echo\n" : "", k,
				      (int)rows[i].len, value);
		(void)fprintf(out, "%s}", rows[i].port == 0 ? "port 1 { tls off echo\n" : "");
		fclose(out);
		(void)conf_parse_text(text, len, "text", NULL, gather, &told, &conf);
		assert_string_equal(told.text, rows[i].messages);
		if (conf != NULL)
			stable(conf);
		conf_free(conf);
		free(text);
	}
}

/* --- which clients may come in ---------------------------------------------------------------- */

#define GET(path, host) "GET " path " HTTP/1.1\r\nHost: " host "\r\n\r\n"

static void clients_come_in_by_their_addresses(void **state)
{
	static const char text[] =
	    "deny 192.0.2.66 203.0.113.0/24\n"
	    "port 8443 { tls off\n"
	    "	location \"/\" { respond 200 \"root\" }\n"
	    "	location \"/lan\" { allow 10.0.0.0/8 fd00::/8 deny * echo }\n"
	    "	location \"/all\" { allow * deny 1.1.1.1 echo }\n"
	    "	host \"inner.example\" { allow 10.1.0.0/16 deny *\n"
	    "		location \"/a\" { echo }\n"
	    "		location \"/open\" { deny 10.1.2.3 echo } } }";
	static const struct {
		const char *address, *request;
		unsigned status;
	} rows[] = {
	    {"198.51.100.1", GET("/", "a"), 200},
	    {"192.0.2.66", GET("/", "a"), 403},
	    {"192.0.2.67", GET("/", "a"), 200},
	    {"::ffff:192.0.2.66", GET("/", "a"), 403},
	    {"203.0.113.255", GET("/", "a"), 403},
	    {"2001:db8::1", GET("/", "a"), 200},
	    {"203.0.113.255", GET("/all", "a"), 200}, /* it replaces the outer list */
	    {"1.1.1.1", GET("/all", "a"), 200},       /* the first that has it */
	    {"10.9.9.9", GET("/lan", "a"), 200},
	    {"fdff::1", GET("/lan/deep", "a"), 200},
	    {"fe00::1", GET("/lan", "a"), 403},
	    {"11.0.0.1", GET("/lan", "a"), 403},
	    {"11.0.0.1", "DELETE /lan HTTP/1.1\r\nHost: a\r\n\r\n", 403},
	    {"11.0.0.1", "OPTIONS /lan HTTP/1.1\r\nHost: a\r\n\r\n", 403},
	    {"10.1.0.1", GET("/a", "inner.example"), 200},
	    {"10.2.0.1", GET("/a", "inner.example"), 403},
	    {"10.2.0.1", GET("/open", "inner.example"), 200},
	    {"10.1.2.3", GET("/open", "inner.example"), 403},
	    /* a path without a location is the host's */
	    {"10.1.0.1", GET("/none", "inner.example"), 404},
	    {"10.2.0.1", GET("/none", "inner.example"), 403},
	};
	struct site s;
	(void)state;
	site_open(&s, text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(network_address_parse(rows[i].address, strlen(rows[i].address),
						       &s.peer->client.number),
				 0);
		const unsigned status = status_of(ask(&s, rows[i].request));
		if (status != rows[i].status)
			print_error("%s %s", rows[i].address, rows[i].request);
		assert_int_equal(status, rows[i].status);
	}
	site_close(&s);
}

static void a_port_without_locations_of_its_own_keeps_out_too(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, "port 1 { tls off deny 127.0.0.1 host \"a\" { echo } }");
	assert_int_equal(status_of(ask(&s, GET("/", "other"))), 403);
	assert_int_equal(status_of(ask(&s, GET("/", "a"))), 403);
	s.peer->client.number.low++;
	assert_int_equal(status_of(ask(&s, GET("/", "other"))), 421);
	assert_int_equal(status_of(ask(&s, GET("/", "a"))), 200);
	site_close(&s);
}

/* --- what is off ------------------------------------------------------------------------------ */

/* A request there costs as much as one of a port without filters. */
static void what_is_off_is_not_there(void **state)
{
	static const char text[] =
	    "deny 192.0.2.0/24 cors origin any authenticate basic \"staff\" file \"/p\"\n"
	    "compress gzip rate 1M/s\n"
	    "port 1 { tls off\n"
	    "	location \"/all\" { echo }\n"
	    "	location \"/none\" { allow * cors off\n authenticate off compress off rate off "
	    "echo }\n"
	    "	location \"/some\" { cors off\n authenticate off echo }\n"
	    "	location \"/allow\" { allow 10.0.0.0/8 ::1 allow * deny 10.0.0.1 echo }\n"
	    "	host \"off\" { allow * cors off\n authenticate off compress off rate off\n"
	    "		location \"/a\" { echo } location \"/b\" { compress gzip echo } } }";
	static const struct {
		size_t filters, finishers;
	} rows[] = {{5, 1}, {0, 0}, {3, 0}, {5, 1}, {0, 0}, {1, 0}};
	struct site s;
	(void)state;
	site_open(&s, text);
	assert_int_equal(s.routes.count, sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < s.routes.count; i++) {
		const struct http_location *l = &s.routes.list[i].location;
		assert_int_equal(l->filters_count, rows[i].filters);
		assert_int_equal(l->finishers != NULL ? l->finishers->count : 0, rows[i].finishers);
	}
	assert_int_equal(s.routes.hosts[1].nowhere.filters_count, 0);
	assert_int_equal(status_of(ask(&s, GET("/none", "a"))), 200);
	assert_int_equal(status_of(ask(&s, GET("/a", "off"))), 200);
	assert_int_equal(status_of(ask(&s, GET("/nowhere", "off"))), 404);
	site_close(&s);
}

/* --- headers of responses --------------------------------------------------------------------- */

/* The values of a field, in their order. */
static const char *values_of(const char *response, const char *name)
{
	static char out[20000];
	const char *end = strstr(response, "\r\n\r\n");
	out[0] = '\0';
	assert_non_null(end);
	for (const char *line = strstr(response, "\r\n") + 2; line < end;
	     line = strstr(line, "\r\n") + 2) {
		const size_t len = strlen(name);
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		if (out[0] != '\0')
			strcat(out, "|");
		strncat(out, line + len + 2, strcspn(line + len + 2, "\r"));
	}
	return out;
}

static void rules_change_the_heads_of_all_responses(void **state)
{
	static const char text[] =
	    "header set \"X-Top\" \"top\" always\n"
	    "header add \"X-Sum\" \"1\"\n"
	    "port 8443 { tls off\n"
	    "	header add \"X-Sum\" \"2\"\n"
	    "	header set \"X-Gone\" \"yes\" on 404 410\n"
	    "	error 404 { respond \"page\" type \"text/page\" header \"X-Page\" \"1\" }\n"
	    "	location \"/own\" { respond 200 \"own\" header \"X-Own\" \"1\" header \"x-own\" "
	    "\"2\" "
	    "header \"X-Kept\" \"3\"\n"
	    "		header remove \"X-OWN\"  header set \"content-type\" \"a/b\" }\n"
	    "	location \"/busy\" { respond 503 \"busy\" header \"Retry-After\" \"1\"\n"
	    "		header set \"Retry-After\" \"2\"  header set \"X-Sum\" \"3\" always }\n"
	    "	location \"/moved\" { redirect 308 \"/own\" header add \"X-Sum\" \"3\" }\n"
	    "	location \"/page\" { respond 404 \"own\" header remove \"X-Page\" always\n"
	    "		header set \"Content-Type\" \"text/other\" on 404 }\n"
	    "	host \"inner\" { header remove \"X-Top\" always location \"/a\" { respond 200 \"\" "
	    "} }\n"
	    "}";
	static const struct {
		const char *request, *name, *values;
	} rows[] = {
	    {GET("/own", "a"), "X-Own", ""},
	    {GET("/own", "a"), "X-Kept", "3"},
	    {GET("/own", "a"), "Content-Type", "a/b"},
	    {GET("/own", "a"), "X-Sum", "1|2"},
	    {GET("/own", "a"), "X-Top", "top"},
	    {"HEAD /own HTTP/1.1\r\nHost: a\r\n\r\n", "Content-Type", "a/b"},
	    {"DELETE /own HTTP/1.1\r\nHost: a\r\n\r\n", "X-Top", "top"}, /* 405 */
	    {"DELETE /own HTTP/1.1\r\nHost: a\r\n\r\n", "X-Sum", ""},
	    {"OPTIONS /own HTTP/1.1\r\nHost: a\r\n\r\n", "X-Sum", "1|2"}, /* 204 */
	    {GET("/busy", "a"), "Retry-After", "1"},
	    {GET("/busy", "a"), "X-Sum", "3"},
	    {GET("/moved", "a"), "X-Sum", "1|2|3"},
	    {GET("/moved", "a"), "Location", "/own"},
	    {GET("/page", "a"), "X-Page", ""},
	    {GET("/page", "a"), "Content-Type", "text/other"},
	    {GET("/page", "a"), "X-Gone", "yes"},
	    {GET("/none", "a"), "X-Gone", "yes"},
	    {GET("/none", "a"), "X-Page", "1"},
	    {GET("/none", "a"), "X-Top", "top"},
	    {GET("/a", "inner"), "X-Top", ""},
	    {GET("/none", "inner"), "X-Top", ""},
	    {GET("/none", "inner"), "X-Gone", "yes"},
	    {"GET /a HTTP/1.1\r\n\r\n", "X-Top", "top"}, /* 400, before a host is known */
	    {"GET /a HTTP/1.1\r\nHost: inner\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "X-Top",
	     ""}, /* 400, after it */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct site s;
		site_open(&s, text);
		const char *values = values_of(ask(&s, rows[i].request), rows[i].name);
		if (strcmp(values, rows[i].values) != 0)
			print_error("%s%s\n", rows[i].request, peer_out(s.peer));
		assert_string_equal(values, rows[i].values);
		site_close(&s);
	}
}

static void variables_stand_for_parts_of_the_request(void **state)
{
	static const struct {
		const char *text, *request, *value;
	} rows[] = {
	    {"${host}", GET("/", "Www.Example.:8443"), "www.example"},
	    {"${host}", "GET / HTTP/1.0\r\n\r\n", ""},
	    {"a${host}", "GET / HTTP/1.0\r\n\r\n", "a"},
	    {"${target}", GET("/l/%2e/a?b=c&d", "a"), "/l/%2e/a?b=c&d"},
	    {"${target}", GET("http://x/l?", "a"), "/l?"},
	    {"${path}", GET("//l/%2e/a%20b?c", "a"), "/l/a%20b"},
	    {"${query}", GET("/?a=b%0d%0aX:1", "a"), "a=b%0d%0aX:1"},
	    {"${query}", GET("/", "a"), ""},
	    {"${remainder}|", GET("/l/x/y", "a"), "/x/y|"},
	    {"${remainder}|", GET("/l", "a"), "|"},
	    {"${client}:${port} ${scheme}", GET("/", "a"), "127.0.0.1:8443 https"},
	    {"${request-id}", GET("/", "a"), "id-1"},
	    {"$${host}}${port}", GET("/", "a"), "$a}8443"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct site s;
		char text[512];
		(void)snprintf(text, sizeof(text),
			       "port 1 { tls off header set \"X-V\" \"%s\" always respond 200 \"\" "
			       "header \"X-V\" \"own\" location \"/l\" { echo } }",
			       rows[i].text);
		site_open(&s, text);
		assert_string_equal(values_of(ask(&s, rows[i].request), "X-V"), rows[i].value);
		site_close(&s);
	}
}

/* What a certificate says is one value of one header, and one part of a URL. */
static void variables_stand_for_parts_of_a_certificate(void **state)
{
	static const struct transport_certificate shown = {.subject = "CN=a\\, \"b\" & c?\xc3\xa4",
							   .issuer = "CN=ca",
							   .serial = "0f",
							   .fingerprint = "abcd",
							   .names = "DNS:a.example,URI:urn:a"};
	static const struct transport_certificate plain = {.subject = ""};
	static const struct {
		const struct transport_certificate *client;
		const char *text, *value, *url;
	} rows[] = {
	    {&shown, "${client-certificate-subject}", "CN=a\\, \"b\" & c?\xc3\xa4",
	     "/?CN%3Da%5C%2C%20%22b%22%20%26%20c%3F%C3%A4"},
	    {&shown, "${client-certificate-issuer}", "CN=ca", "/?CN%3Dca"},
	    {&shown, "${client-certificate-serial}-${client-certificate-fingerprint}", "0f-abcd",
	     "/?0f-abcd"},
	    {&shown, "${client-certificate-san}", "DNS:a.example,URI:urn:a",
	     "/?DNS%3Aa.example%2CURI%3Aurn%3Aa"},
	    {&plain, "${client-certificate-subject}${client-certificate-san}|", "|", NULL},
	    {NULL, "${client-certificate-subject}${client-certificate-issuer}a", "a", "/?a"},
	    {NULL, "${client-certificate-serial}${client-certificate-fingerprint}a", "a", "/?a"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct transport_facts facts = {.version = "TLS1.3",
						      .client = rows[i].client};
		struct site s;
		char text[512];
		(void)snprintf(text, sizeof(text),
			       "port 1 { tls off header set \"X-V\" \"%s\" respond 200 \"\" "
			       "location \"/r\" { redirect 307 \"/?%s\" } }",
			       rows[i].text, rows[i].url != NULL ? rows[i].text : "");
		for (int plain_port = 0; plain_port < 1 + (rows[i].client == NULL); plain_port++) {
			site_open(&s, text);
			s.peer->client.tls = plain_port ? NULL : &facts;
			assert_string_equal(values_of(ask(&s, GET("/", "a")), "X-V"),
					    rows[i].value);
			assert_string_equal(values_of(ask(&s, GET("/r", "a")), "Location"),
					    rows[i].url != NULL ? rows[i].url : "/?");
			site_close(&s);
		}
	}
}

/* --- requests that the server itself answers --- */

#define HOST_A       "\r\nHost: a\r\n"
#define TOO_LARGE    "Content-Length: 100001\r\n\r\n"
#define CHUNKS_LARGE "Transfer-Encoding: chunked\r\n\r\n186a1\r\n"

/* Each has the rules of the innermost place that is known. */
static void what_is_refused_has_the_rules_of_its_place(void **state)
{
	static const char text[] =
	    "port 1 { tls off header set \"X\" \"port\" always cors origin any\n"
	    "	location \"/\" { echo }\n"
	    "	host \"a\" { header set \"X\" \"host\" always\n"
	    "		location \"/l\" { header set \"X\" \"location\" always echo } }\n"
	    "	host \"b\" { deny * header set \"X\" \"b\" always location \"/l\" { echo } }\n"
	    "}";
	static const struct {
		const char *request, *rule;
		unsigned status;
	} rows[] = {
	    {"GET /l HTTP/1.1" HOST_A "\r\n", "location", 200},
	    {"GET /none HTTP/1.1" HOST_A "\r\n", "host", 404},
	    {"OPTIONS * HTTP/1.1" HOST_A "\r\n", "host", 204},
	    {"OPTIONS * HTTP/1.1\r\nHost: c\r\n\r\n", "port", 204},
	    {"OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n", "b", 403}, /* it meets the filters */
	    {"CONNECT a:443 HTTP/1.1" HOST_A "\r\n", "host", 405},
	    {"GET /l%00 HTTP/1.1" HOST_A "\r\n", "host", 400},
	    {"GET /../l HTTP/1.1" HOST_A "\r\n", "host", 400},
	    {"POST /l HTTP/1.1" HOST_A TOO_LARGE, "location", 413},
	    {"POST /none HTTP/1.1" HOST_A TOO_LARGE, "host", 413},
	    {"POST /l HTTP/1.1\r\nHost: b\r\n" TOO_LARGE, "b", 413},
	    {"POST /../l HTTP/1.1" HOST_A TOO_LARGE, "host", 413},
	    {"POST /l HTTP/1.1" HOST_A CHUNKS_LARGE, "location", 413},
	    {"POST /l HTTP/1.1" HOST_A "Transfer-Encoding: chunked\r\n\r\nx\r\n", "location", 400},
	    {"POST /l HTTP/1.1" HOST_A "Content-Length: x\r\n\r\n", "port", 400},
	    {"GET /l HTTP/1.1\r\n\r\n", "port", 400},
	    {"GET /l\r\n\r\n", "port", 400},
	    {"GET /l HTTP/3.0" HOST_A "\r\n", "port", 505},
	    {"GET /l HTTP/1.1" HOST_A "Expect: more\r\n\r\n", "port", 417},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct site s;
		site_open(&s, text);
		s.peer->client.tls = NULL;
		const char *response = ask(&s, rows[i].request);
		if (status_of(response) != rows[i].status ||
		    strcmp(values_of(response, "X"), rows[i].rule) != 0)
			fail_msg("%s%s", rows[i].request, response);
		assert_string_equal(values_of(response, "Access-Control-Allow-Origin"), "*");
		site_close(&s);
	}
}

static void a_host_that_is_not_there_has_the_rules_of_the_port(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, "port 1 { tls off header set \"X\" \"port\" always host \"a\" { header set "
		      "\"X\" \"host\" always location \"/\" { echo } } }");
	const char *response = ask(&s, GET("/", "unknown"));
	assert_int_equal(status_of(response), 421);
	assert_string_equal(values_of(response, "X"), "port");
	response = ask(&s, "OPTIONS * HTTP/1.1\r\nHost: unknown\r\n\r\n");
	assert_int_equal(status_of(response), 204);
	assert_string_equal(values_of(response, "X"), "port");
	s.peer->client.policy = 7;
	response = ask(&s, GET("/", "a"));
	assert_int_equal(status_of(response), 421);
	assert_string_equal(values_of(response, "X"), "port");
	site_close(&s);
}

/* What a client sends makes no header longer than it may be. */
static void a_value_that_is_too_long_is_refused(void **state)
{
	struct site s;
	char request[16000] = "GET /";
	(void)state;
	site_open(&s, "port 1 { tls off header add \"X-V\" \"${path}${path}${path}\" always "
		      "header set \"X-W\" \"1\" always respond 200 \"\" }");
	memset(request + 5, 'a', 3000);
	strcpy(request + 3005, " HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *response = ask(&s, request);
	assert_int_equal(status_of(response), 414);
	assert_string_equal(values_of(response, "X-W"), "1");
	assert_string_equal(values_of(response, "X-V"), "");
	assert_int_equal(s.peer->refusal, REFUSE_TARGET_TOO_LONG);
	assert_int_equal(status_of(ask(&s, GET("/", "a"))), 200);
	site_close(&s);
}

/* The same of all fields together, whatever the client asks for. */
static void values_that_are_too_long_together_are_refused(void **state)
{
	struct site s;
	char request[16000] = "GET /";
	(void)state;
	site_open(&s, "port 1 { tls off header set \"X-A\" \"${path}\" always "
		      "header set \"X-B\" \"${target}${path}\" always "
		      "header set \"X-C\" \"${target}${path}\" always "
		      "header set \"X-W\" \"1\" always respond 200 \"\" }");
	memset(request + 5, 'a', 3500);
	strcpy(request + 3505, " HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *response = ask(&s, request);
	assert_int_equal(status_of(response), 414);
	assert_string_equal(values_of(response, "X-W"), "1");
	assert_int_equal(s.peer->refusal, REFUSE_TARGET_TOO_LONG);
	/* what is refused for another reason stays so */
	strcpy(request + 3505, " HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
	response = ask(&s, request);
	assert_int_equal(status_of(response), 400);
	assert_string_equal(values_of(response, "X-W"), "1");
	site_close(&s);
}

/* --- what keeps a body as it is --------------------------------------------------------------- */

#define CODED "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"

/* A rule is the last word, so it says for the handler, too, that the body is encoded or must not
 * be changed. */
static void rules_keep_a_body_as_it_is(void **state)
{
	static const struct {
		const char *port, *location;
		bool compressed;
	} rows[] = {
	    {"", "", true},
	    {"", "header set \"Cache-Control\" \"no-transform\"", false},
	    {"", "header add \"cache-control\" \"max-age=1 ,\tNO-Transform, public\"", false},
	    {"", "header set \"Cache-Control\" \"no-transform\" always", false},
	    {"", "header set \"Cache-Control\" \"no-transform\" on 200", false},
	    {"", "header set \"Cache-Control\" \"no-transform\" on 404", true},
	    {"", "header set \"Cache-Control\" \"public, x-no-transform, \\\"no-transform\\\"\"",
	     true},
	    {"", "header set \"X-Cache-Control\" \"no-transform\"", true},
	    {"", "header set \"Content-Encoding\" \"gzip\"", false},
	    {"", "header add \"content-encoding\" \"aes128gcm\"", false},
	    {"", "header set \"Content-Encoding\" \"\"", true},
	    {"", "header remove \"Content-Encoding\" header remove \"Cache-Control\"", true},
	    {"header set \"Cache-Control\" \"no-transform\"", "", false},
	    {"header set \"Cache-Control\" \"no-transform\"",
	     "header add \"Cache-Control\" \"public\"", false},
	    {"header set \"Cache-Control\" \"no-transform\"",
	     "header set \"Cache-Control\" \"public\"", true},
	    {"header set \"Cache-Control\" \"no-transform\"", "header remove \"Cache-Control\"",
	     true},
	    {"header set \"Content-Encoding\" \"gzip\"", "header set \"Cache-Control\" \"public\"",
	     false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct site s;
		char text[1024];
		(void)snprintf(text, sizeof(text),
			       "port 1 { tls off compress gzip { least 1 } %s location \"/\" { "
			       "respond 200 \"aaaaaaaaaaaaaaaaaaaa\" type \"text/html\"\n%s } }",
			       rows[i].port, rows[i].location);
		site_open(&s, text);
		const char *response = ask(&s, CODED);
		const bool compressed = memmem(response, s.peer->out_len, "\x1f\x8b", 2) != NULL;
		if (compressed != rows[i].compressed)
			print_error("%s\n%s\n", text, response);
		assert_int_equal(compressed, rows[i].compressed);
		assert_int_equal(strstr(values_of(response, "Vary"), "Accept-Encoding") != NULL,
				 rows[i].compressed);
		site_close(&s);
	}
}

/* --- CORS ------------------------------------------------------------------------------------- */

#define ORIGIN(value)     "Origin: " value "\r\n"
#define PREFLIGHT(method) "Access-Control-Request-Method: " method "\r\n"
#define ASKED(headers) \
	ORIGIN("https://a") PREFLIGHT("GET") "Access-Control-Request-Headers: " headers "\r\n"
#define FROM(method, path, fields) method " " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

static void browsers_learn_which_sites_may_ask(void **state)
{
	static const char text[] =
	    "port 8443 { tls off\n"
	    "	cors origin \"https://a\" \"https://b:8443\" credentials on expose \"X-A\" "
	    "\"X-B\"\n"
	    "	location \"/\" { respond 200 \"\" header \"Access-Control-Allow-Origin\" \"*\" }\n"
	    "	location \"/busy\" { respond 503 \"\" }\n"
	    "	location \"/any\" { echo cors origin any methods \"GET\" \"PUT\" headers \"X\" "
	    "\"Y\" max-age "
	    "10m }\n"
	    "	location \"/off\" { echo cors off }\n"
	    "	location \"/all\" { echo cors origin \"https://a\" headers any credentials on }\n"
	    "	location \"/own\" { echo\n methods \"GET\" \"PUT\" }\n"
	    "	location \"/shut\" { deny * echo }\n"
	    "}";
	static const char allow[] = "Access-Control-Allow-Origin";
	static const struct {
		const char *request, *name, *values;
		unsigned status;
	} rows[] = {
	    {FROM("GET", "/", ORIGIN("https://a")), allow, "https://a", 200},
	    {FROM("GET", "/", ORIGIN("https://a")), "Vary", "Origin", 200},
	    {FROM("GET", "/", ORIGIN("https://a")), "Access-Control-Allow-Credentials", "true",
	     200},
	    {FROM("GET", "/", ORIGIN("https://a")), "Access-Control-Expose-Headers", "X-A, X-B",
	     200},
	    {FROM("GET", "/", ORIGIN("https://b:8443")), allow, "https://b:8443", 200},
	    {FROM("GET", "/", ORIGIN("https://b")), allow, "", 200},
	    {FROM("GET", "/", ORIGIN("https://aa")), allow, "", 200},
	    {FROM("GET", "/", ORIGIN("null")), allow, "", 200},
	    {FROM("GET", "/", ORIGIN("null")), "Access-Control-Allow-Credentials", "", 200},
	    {FROM("GET", "/", ""), allow, "", 200},
	    {FROM("GET", "/", ""), "Vary", "Origin", 200},
	    {FROM("GET", "/busy", ORIGIN("https://a")), allow, "https://a", 503},
	    {FROM("GET", "/shut", ORIGIN("https://a")), allow, "https://a", 403},
	    {FROM("PUT", "/", ORIGIN("https://a")), allow, "https://a", 405},
	    {FROM("GET", "/%zz", ORIGIN("https://a")), allow, "https://a", 400},
	    {FROM("OPTIONS", "/", ORIGIN("https://a") PREFLIGHT("GET")), allow, "https://a", 204},
	    {FROM("OPTIONS", "/", ORIGIN("https://a") PREFLIGHT("GET")),
	     "Access-Control-Allow-Methods", "GET, HEAD", 204},
	    {FROM("OPTIONS", "/own", ORIGIN("https://a") PREFLIGHT("GET")),
	     "Access-Control-Allow-Methods", "GET, HEAD, PUT", 204},
	    {FROM("OPTIONS", "/", ORIGIN("https://c") PREFLIGHT("GET")),
	     "Access-Control-Allow-Methods", "", 204},
	    {FROM("OPTIONS", "/", ORIGIN("https://a")), "Access-Control-Allow-Methods", "", 204},
	    {FROM("OPTIONS", "/shut", ORIGIN("https://a") PREFLIGHT("GET")),
	     "Access-Control-Allow-Methods", "", 403},
	    {FROM("OPTIONS", "/any", ORIGIN("null") PREFLIGHT("PUT")), allow, "*", 204},
	    {FROM("OPTIONS", "/any", ORIGIN("null") PREFLIGHT("PUT")),
	     "Access-Control-Allow-Methods", "GET, PUT", 204},
	    {FROM("OPTIONS", "/any", ORIGIN("null") PREFLIGHT("PUT")),
	     "Access-Control-Allow-Headers", "X, Y", 204},
	    {FROM("OPTIONS", "/any", ORIGIN("null") PREFLIGHT("PUT")), "Access-Control-Max-Age",
	     "600", 204},
	    {FROM("GET", "/any", ""), allow, "*", 200},
	    {FROM("GET", "/any", ""), "Vary", "", 200},
	    {FROM("GET", "/any", ORIGIN("x")), "Access-Control-Allow-Credentials", "", 200},
	    {FROM("OPTIONS", "/all", ASKED("x-a,x-b, authorization")),
	     "Access-Control-Allow-Headers", "x-a,x-b, authorization", 204},
	    {FROM("OPTIONS", "/all", ASKED("x-a")), "Vary", "Access-Control-Request-Headers|Origin",
	     204},
	    {FROM("OPTIONS", "/all", ASKED("x-a")), "Access-Control-Allow-Credentials", "true",
	     204},
	    {FROM("OPTIONS", "/all", ASKED("<x-a>")), "Access-Control-Allow-Headers", "", 204},
	    {FROM("OPTIONS", "/all", ASKED("x-a: b")), "Access-Control-Allow-Headers", "", 204},
	    {FROM("OPTIONS", "/all", ASKED("")), "Access-Control-Allow-Headers", "", 204},
	    {FROM("OPTIONS", "/all", ORIGIN("https://a") PREFLIGHT("GET")),
	     "Access-Control-Allow-Headers", "", 204},
	    {FROM("OPTIONS", "/all",
		  ORIGIN("https://c") PREFLIGHT("GET") "Access-Control-Request-Headers: x-a\r\n"),
	     "Access-Control-Allow-Headers", "", 200},
	    {FROM("OPTIONS", "/", ASKED("x-a")), "Access-Control-Allow-Headers", "", 204},
	    {FROM("GET", "/all", ASKED("x-a")), "Access-Control-Allow-Headers", "", 200},
	    {FROM("GET", "/off", ORIGIN("https://a")), allow, "", 200},
	    {FROM("GET", "/off", ORIGIN("https://a")), "Vary", "", 200},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct site s;
		site_open(&s, text);
		const char *response = ask(&s, rows[i].request);
		if (strcmp(values_of(response, rows[i].name), rows[i].values) != 0)
			print_error("%s%s\n", rows[i].request, response);
		assert_string_equal(values_of(response, rows[i].name), rows[i].values);
		assert_int_equal(status_of(response), rows[i].status);
		site_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mistakes_are_named),
	    cmocka_unit_test(the_canonical_text_means_the_same),
	    cmocka_unit_test(rules_of_the_top_level_count_in_each_port),
	    cmocka_unit_test(clients_come_in_by_their_addresses),
	    cmocka_unit_test(a_port_without_locations_of_its_own_keeps_out_too),
	    cmocka_unit_test(what_is_off_is_not_there),
	    cmocka_unit_test(browsers_learn_which_sites_may_ask),
	    cmocka_unit_test(rules_change_the_heads_of_all_responses),
	    cmocka_unit_test(variables_stand_for_parts_of_the_request),
	    cmocka_unit_test(variables_stand_for_parts_of_a_certificate),
	    cmocka_unit_test(what_is_refused_has_the_rules_of_its_place),
	    cmocka_unit_test(a_host_that_is_not_there_has_the_rules_of_the_port),
	    cmocka_unit_test(a_value_that_is_too_long_is_refused),
	    cmocka_unit_test(values_that_are_too_long_together_are_refused),
	    cmocka_unit_test(rules_keep_a_body_as_it_is),
	};
	return cmocka_run_group_tests_name("filters", tests, NULL, NULL);
}
