/* Upstreams and what is passed on to them: what the text means, and the messages about it. */
#include "conf_told.h"

#include "conf/parser.h"

#define GOOD "port 8 { tls off\n"

static const struct conf_proxy *proxy_at(const struct conf_port *port, const char *path)
{
	for (size_t h = 0; h < port->hosts_count; h++)
		for (size_t i = 0; i < port->hosts[h].locations_count; i++) {
			const struct conf_location *l = &port->hosts[h].locations[i];
			if (strcmp(l->path, path) != 0)
				continue;
			assert_int_equal(l->handler, CONF_PROXY);
			return l->options;
		}
	fail();
	return NULL;
}

static const struct conf_upstream *upstream_at(const struct conf_port *port, const char *path)
{
	const struct conf_proxy *proxy = proxy_at(port, path);
	assert_true(proxy->upstream < port->upstreams_count);
	return &port->upstreams[proxy->upstream];
}

/* Messages without an error. */
static struct conf *warned(const char *text, const char *messages)
{
	struct told told = {.len = 0};
	struct conf *conf = NULL;
	assert_int_equal(conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf),
			 0);
	assert_string_equal(told.text, messages);
	return conf;
}

/* --- meaning ---------------------------------------------------------------------------------- */

static void the_defaults_are_those_of_the_manual(void **state)
{
	(void)state;
	struct conf *conf = parse(GOOD "location \"/a\" { proxy to \"http://a.example\" } }");
	const struct conf_port *port = &conf->ports[0];
	const struct conf_proxy *proxy = proxy_at(port, "/a");
	const struct conf_upstream *u = upstream_at(port, "/a");
	assert_true(u->anonymous);
	assert_string_equal(u->name, "http://a.example");
	assert_int_equal(u->balance, CONF_ROUND_ROBIN);
	assert_int_equal(u->probe, CONF_PROBE_OFF);
	assert_int_equal(u->fail_after, 3);
	assert_int_equal(u->fail_pause_ms, 10000);
	assert_int_equal(u->slow_start_ms, 0);
	assert_int_equal(u->connect_ms, 2000);
	assert_int_equal(u->head_ms, 30000);
	assert_int_equal(u->between_ms, 60000);
	assert_int_equal(u->connections, 512);
	assert_int_equal(u->queue, 100);
	assert_int_equal(u->queue_ms, 5000);
	assert_int_equal(u->keep, 32);
	assert_int_equal(u->keep_ms, 60000);
	assert_int_equal(u->retry_methods, CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD) |
					       CONF_METHOD_BIT(CONF_PUT) |
					       CONF_METHOD_BIT(CONF_DELETE) |
					       CONF_METHOD_BIT(CONF_OPTIONS));
	assert_int_equal(u->retry_percent, 20);
	assert_false(u->tls);
	assert_int_equal(u->certificate, 0);
	assert_null(proxy->path_from);
	assert_int_equal(proxy->host, CONF_PROXY_HOST_KEEP);
	assert_int_equal(proxy->forwarded, CONF_FORWARDED | CONF_X_FORWARDED);
	assert_int_equal(proxy->buffer_request, 16384);
	assert_int_equal(proxy->buffer_response, 16384);
	assert_true(proxy->via);
	assert_false(proxy->keep_server);
	assert_false(proxy->make_traceparent);
	assert_false(proxy->no_upgrade);
	assert_int_equal(port->hosts[0].locations[0].methods, CONF_METHODS_ANY);
	assert_int_equal(port->trusted_count, 0);
	stable(conf);
	conf_free(conf);
}

static void each_statement_has_its_effect(void **state)
{
	(void)state;
	struct conf *conf = parse(GOOD "location \"/a\" { proxy to \"api\" }\n"
				       "upstream \"api\" {\n"
				       "to \"http://127.0.0.1:9000\"\n to \"unix:/run/a.sock\"\n"
				       "backup \"http://b\" \"http://[::1]:81\"\n"
				       "balance hash header \"X-Tenant\"\n"
				       "check \"/health?x=1\" every 9s expect 204 timeout 3s\n"
				       "fail after 7 pause 1m\n slow start 30s\n"
				       "timeouts { connect 1s; head 2s; between 3s }\n"
				       "connections 200\n queue 10 for 1s\n keep 5 for 2s\n"
				       "retry \"GET\" \"POST\" budget 50%\n"
				       "} }");
	const struct conf_port *port = &conf->ports[0];
	const struct conf_upstream *u = upstream_at(port, "/a");
	const struct conf_endpoint *e = port->endpoints + u->endpoints_first;
	assert_string_equal(u->name, "api");
	assert_false(u->anonymous);
	assert_int_equal(u->endpoints_count, 4);
	assert_string_equal(e[0].url, "http://127.0.0.1:9000");
	assert_string_equal(e[0].host, "127.0.0.1");
	assert_int_equal(e[0].port, 9000);
	assert_false(e[0].named || e[0].backup);
	assert_string_equal(e[1].url, "unix:/run/a.sock");
	assert_string_equal(e[1].path, "/run/a.sock");
	assert_null(e[1].host);
	assert_int_equal(e[1].port, 0);
	assert_string_equal(e[2].url, "http://b");
	assert_int_equal(e[2].port, 80);
	assert_true(e[2].named && e[2].backup);
	assert_string_equal(e[3].host, "::1");
	assert_string_equal(e[3].url, "http://[::1]:81");
	assert_int_equal(u->balance, CONF_HASH_HEADER);
	assert_string_equal(u->balance_header, "X-Tenant");
	assert_int_equal(u->probe, CONF_PROBE_GET);
	assert_string_equal(u->probe_target, "/health?x=1");
	assert_int_equal(u->probe_every_ms, 9000);
	assert_int_equal(u->probe_ms, 3000);
	assert_int_equal(u->probe_least, 204);
	assert_int_equal(u->probe_most, 204);
	assert_int_equal(u->fail_after, 7);
	assert_int_equal(u->fail_pause_ms, 60000);
	assert_int_equal(u->slow_start_ms, 30000);
	assert_int_equal(u->connect_ms, 1000);
	assert_int_equal(u->head_ms, 2000);
	assert_int_equal(u->between_ms, 3000);
	assert_int_equal(u->connections, 200);
	assert_int_equal(u->queue, 10);
	assert_int_equal(u->queue_ms, 1000);
	assert_int_equal(u->keep, 5);
	assert_int_equal(u->keep_ms, 2000);
	assert_int_equal(u->retry_methods, CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_POST));
	assert_int_equal(u->retry_percent, 50);
	stable(conf);
	conf_free(conf);
}

static void what_can_be_off_is_off(void **state)
{
	(void)state;
	struct conf *conf = parse(GOOD "proxy to \"http://a\" {\n"
				       "check off fail off slow start off queue off keep off\n"
				       "retry off balance least-connections\n"
				       "forwarded off via off upgrade off } }");
	const struct conf_upstream *u = upstream_at(&conf->ports[0], "/");
	const struct conf_proxy *proxy = proxy_at(&conf->ports[0], "/");
	assert_int_equal(u->balance, CONF_LEAST_CONNECTIONS);
	assert_int_equal(u->probe, CONF_PROBE_OFF);
	assert_int_equal(u->fail_after, 0);
	assert_int_equal(u->slow_start_ms, 0);
	assert_int_equal(u->queue, 0);
	assert_int_equal(u->keep, 0);
	assert_int_equal(u->retry_methods, 0);
	assert_int_equal(proxy->forwarded, 0);
	assert_false(proxy->via);
	assert_true(proxy->no_upgrade);
	stable(conf);
	conf_free(conf);
}

static void options_of_the_proxy_are_its_own(void **state)
{
	(void)state;
	struct conf *conf = parse(
	    GOOD "upstream \"u\" { to \"http://a\" check connect every 1s balance hash client\n"
		 "retry any }\n"
		 "location \"/a/b\" { proxy to \"u\" { path replace \"/a/\" \"/x/y/\"\n"
		 "host \"Other.EXAMPLE:8080\" buffer request 256K buffer response 4K\n"
		 "forwarded x-forwarded server keep traceparent make } methods \"POST\" }\n"
		 "location \"/c\" { path strip \"/c\" proxy to \"u\" { host upstream forwarded "
		 "forwarded } }\n"
		 "location exact \"/d\" { proxy to \"u\" { host \"[::1]\" path replace \"/\" "
		 "\"/app\" } } }");
	const struct conf_port *port = &conf->ports[0];
	const struct conf_proxy *proxy = proxy_at(port, "/a/b");
	assert_int_equal(port->upstreams_count, 1);
	assert_int_equal(port->upstreams[0].probe, CONF_PROBE_CONNECT);
	assert_int_equal(port->upstreams[0].probe_ms, 1000);
	assert_int_equal(port->upstreams[0].balance, CONF_HASH_CLIENT);
	assert_int_equal(port->upstreams[0].retry_methods, CONF_METHODS_ANY);
	assert_string_equal(proxy->path_from, "/a");
	assert_string_equal(proxy->path_to, "/x/y");
	assert_int_equal(proxy->host, CONF_PROXY_HOST_NAME);
	assert_string_equal(proxy->host_name, "other.example:8080");
	assert_int_equal(proxy->buffer_request, 256 << 10);
	assert_int_equal(proxy->buffer_response, 4 << 10);
	assert_int_equal(proxy->forwarded, CONF_X_FORWARDED);
	assert_true(proxy->keep_server);
	assert_true(proxy->make_traceparent);
	proxy = proxy_at(port, "/c");
	assert_string_equal(proxy->path_from, "/c");
	assert_string_equal(proxy->path_to, "/");
	assert_int_equal(proxy->host, CONF_PROXY_HOST_UPSTREAM);
	assert_int_equal(proxy->forwarded, CONF_FORWARDED);
	proxy = proxy_at(port, "/d");
	assert_string_equal(proxy->host_name, "[::1]");
	assert_string_equal(proxy->path_from, "/");
	assert_string_equal(proxy->path_to, "/app");
	stable(conf);
	conf_free(conf);
}

static void urls_have_one_form(void **state)
{
	(void)state;
	static const struct {
		const char *given, *url;
	} urls[] = {
	    {"HTTP://Example.ORG", "http://example.org"},
	    {"http://a:80", "http://a"},
	    {"http://a:443", "http://a:443"},
	    {"https://a.:443", "https://a"},
	    {"https://a:80", "https://a:80"},
	    {"http://[0:0::1]:80", "http://[::1]"},
	    {"http://127.0.0.1:1", "http://127.0.0.1:1"},
	    {"http://my_service:65535", "http://my_service:65535"},
	    {"http://b\xc3\xbc"
	     "cher.example",
	     "http://xn--bcher-kva.example"},
	    {"unix:/run/a.sock", "unix:/run/a.sock"},
	    {"UNIX:/a", "unix:/a"},
	};
	for (size_t i = 0; i < CONF_COUNT(urls); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text), GOOD "proxy to \"%s\" }", urls[i].given);
		struct conf *conf = parse(text);
		assert_string_equal(conf->ports[0].endpoints[0].url, urls[i].url);
		stable(conf);
		conf_free(conf);
	}
}

/* Their numbers are those that a child makes of the canonical text. */
static void upstreams_are_numbered(void **state)
{
	(void)state;
	struct conf *conf = parse(
	    TLS "port 8 {\n"
		"location \"/z\" { proxy to \"http://z\" }\n"
		"location \"/b\" { proxy to \"two\" }\n"
		"host \"h\" { proxy to \"http://z:80\" location \"/long\" { proxy to "
		"\"https://s\" { certificate \"/uc\" key \"/uk\" } } }\n"
		"upstream \"two\" { backup \"https://b\" to \"https://a\" certificate \"/uc\" "
		"key \"/uk\" verify authority \"/ca\" }\n"
		"upstream \"one\" { to \"https://x\" verify name \"n\" }\n"
		"location \"/y\" { proxy to \"http://z\" { keep off } }\n"
		"location \"/x\" { proxy to \"one\" } }");
	const struct conf_port *port = &conf->ports[0];
	assert_int_equal(port->upstreams_count, 5);
	assert_string_equal(port->upstreams[0].name, "two");
	assert_string_equal(port->upstreams[1].name, "one");
	assert_int_equal(proxy_at(port, "/b")->upstream, 0);
	assert_int_equal(proxy_at(port, "/x")->upstream, 1);
	assert_int_equal(proxy_at(port, "/z")->upstream, proxy_at(port, "/")->upstream);
	assert_int_not_equal(proxy_at(port, "/z")->upstream, proxy_at(port, "/y")->upstream);
	assert_int_equal(port->endpoints_count, 6);
	assert_string_equal(port->endpoints[0].url, "https://a");
	assert_string_equal(port->endpoints[1].url, "https://b");
	assert_true(port->endpoints[1].backup);
	assert_int_equal(port->upstreams[1].endpoints_first, 2);
	assert_int_equal(port->upstream_authorities_count, 2);
	assert_string_equal(port->upstream_authorities[0].path, "/ca");
	assert_string_equal(port->upstream_authorities[port->upstreams[1].authority].path,
			    CONF_SYSTEM_AUTHORITIES);
	assert_string_equal(port->upstreams[1].verify_name, "n");

	/* the pair of two upstreams, after that of the hosts, which no host has */
	assert_int_equal(port->certificates_count, 2);
	assert_string_equal(port->certificates[1].certificate, "/uc");
	assert_string_equal(port->certificates[1].key, "/uk");
	assert_int_equal(port->upstreams[0].certificate, 2);
	assert_int_equal(upstream_at(port, "/long")->certificate, 2);
	for (size_t h = 0; h < port->hosts_count; h++) {
		assert_int_equal(port->hosts[h].certificates_first, 0);
		assert_int_equal(port->hosts[h].certificates_count, 1);
	}

	char *text = dump(conf, port);
	struct conf *child = parse(text);
	const struct conf_port *same = &child->ports[0];
	assert_int_equal(same->upstreams_count, port->upstreams_count);
	for (size_t i = 0; i < port->upstreams_count; i++) {
		assert_string_equal(same->upstreams[i].name, port->upstreams[i].name);
		assert_int_equal(same->upstreams[i].endpoints_first,
				 port->upstreams[i].endpoints_first);
		assert_int_equal(same->upstreams[i].authority, port->upstreams[i].authority);
		assert_int_equal(same->upstreams[i].certificate, port->upstreams[i].certificate);
	}
	for (size_t i = 0; i < port->endpoints_count; i++)
		assert_string_equal(same->endpoints[i].url, port->endpoints[i].url);
	conf_free(child);
	free(text);
	stable(conf);
	conf_free(conf);
}

static void a_plain_port_may_have_keys(void **state)
{
	(void)state;
	struct conf *conf =
	    parse("key user \"k\" port 8 { tls off keyholders 1 proxy to \"https://a\" "
		  "{ certificate \"/c\" key \"/k\" } }");
	const struct conf_port *port = &conf->ports[0];
	assert_int_equal(port->certificates_count, 1);
	assert_int_equal(port->upstreams[0].certificate, 1);
	assert_int_equal(port->hosts[0].certificates_count, 0);
	assert_string_equal(port->key_user, "k");
	assert_int_equal(port->keyholders, 1);
	stable(conf);
	conf_free(conf);

	/* Verifiers of passwords have that user, too; without either it is a mistake. */
	conf =
	    warned("port 8 { tls off key user \"k\" echo authenticate basic \"r\" file \"/p\" }",
		   "1:36 warning: passwords cross the network in plain text, since this port has "
		   "`tls off`\n");
	assert_string_equal(conf->ports[0].key_user, "k");
	char *text = dump(conf, NULL);
	assert_non_null(strstr(text, "\tkey user \"k\"\n"));
	free(text);
	conf_free(conf);
	conf = parse("key user \"k\" port 8 { tls off echo }");
	assert_null(conf->ports[0].key_user);
	stable(conf);
	conf_free(conf);
	told("port 8 { tls off key user \"k\" proxy to \"https://a\" }",
	     "1:18 `key user` has no effect without TLS, and this port has `tls off` at line 1: "
	     "keep "
	     "one of them\n");
}

static void ports_of_one_block_have_the_same(void **state)
{
	(void)state;
	struct conf *conf =
	    parse("port 8 9 { tls off upstream \"u\" { to \"http://a\" } location "
		  "\"/\" { proxy to \"u\" } location \"/b\" { proxy to \"http://b\" } }");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(conf->ports[i].upstreams_count, 2);
		assert_string_equal(upstream_at(&conf->ports[i], "/")->name, "u");
	}
	stable(conf);
	conf_free(conf);
}

static void trust_is_inherited(void **state)
{
	(void)state;
	struct conf *conf = parse("trust 10.0.0.0/8 ::1 connect user \"c\"\n"
				  "port 1 { tls off proxy to \"http://a\" }\n"
				  "port 2 { tls off proxy to \"http://a\" trust off connect user "
				  "\"d\" }\n"
				  "port 3 { tls off echo trust 192.0.2.1 }");
	assert_int_equal(conf->ports[0].trusted_count, 2);
	assert_int_equal(conf->ports[0].trusted[0].bits, 104);
	assert_string_equal(conf->ports[0].connect_user, "c");
	assert_int_equal(conf->ports[1].trusted_count, 0);
	assert_string_equal(conf->ports[1].connect_user, "d");
	assert_int_equal(conf->ports[2].trusted_count, 1);
	assert_null(conf->ports[2].connect_user); /* it has no connector */
	stable(conf);
	conf_free(conf);
}

static void rules_for_requests_are_inherited(void **state)
{
	(void)state;
	struct conf *conf = parse("request header set \"A\" \"1\"\n"
				  "port 1 { tls off request header add \"B\" \"${client}\"\n"
				  "header set \"R\" \"x\"\n"
				  "location \"/a\" { proxy to \"http://a\" request header remove "
				  "\"Cookie\" }\n"
				  "location \"/b\" { proxy to \"http://a\" } }");
	const struct conf_location *a = &conf->ports[0].hosts[0].locations[0];
	const struct conf_headers *rules = a->filters->options[CONF_FILTER_REQUEST];
	assert_int_equal(rules->rules_count, 1);
	assert_int_equal(rules->rules[0].operation, CONF_HEADER_REMOVE);
	assert_string_equal(rules->rules[0].name, "Cookie");
	assert_null(rules->rules[0].value);
	const struct conf_headers *outer = rules->outer;
	assert_string_equal(outer->rules[0].name, "B");
	assert_string_equal(outer->rules[0].value, "${client}");
	assert_string_equal(outer->outer->rules[0].name, "A");
	assert_null(outer->outer->outer);
	const struct conf_location *b = &conf->ports[0].hosts[0].locations[1];
	assert_ptr_equal(b->filters->options[CONF_FILTER_REQUEST], outer);
	const struct conf_headers *responses = b->filters->options[CONF_FILTER_HEADER];
	assert_int_equal(responses->rules_count, 1);
	stable(conf);
	conf_free(conf);
}

/* A limit of memory that nobody has given is enough for what goes on. */
static void memory_is_added(void **state)
{
	(void)state;
	static const char *const options[] = {"connections 1", "connections 1000",
					      "connections 1000 buffer response 1M"};
	uint64_t before = 0;
	for (size_t i = 0; i < CONF_COUNT(options); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text), GOOD "proxy to \"http://a\" { %s } }",
			       options[i]);
		struct conf *conf = parse(text);
		assert_true(conf->ports[0].limits.memory_bytes > before);
		before = conf->ports[0].limits.memory_bytes;
		stable(conf);
		conf_free(conf);
	}
	assert_true(before > (UINT64_C(1000) << 20) && before < (UINT64_C(1500) << 20));
	struct conf *conf = parse(GOOD "limits { connections 10 } proxy to \"http://a\" { buffer "
				       "response 1M } }");
	assert_true(conf->ports[0].limits.memory_bytes < (UINT64_C(100) << 20));
	conf_free(conf);
}

/* Its own words stand elsewhere for something else. */
static void words_mean_what_their_block_says(void **state)
{
	(void)state;
	struct conf *conf =
	    parse("log to syslog path \"/dev/log\"\n" TLS "port 8 {\n"
		  "limits { connections 7 clients 64 }\n"
		  "location \"/f\" { files \"/srv\" { keep off index \"a\" } }\n"
		  "location \"/p\" { proxy to \"http://a\" { keep 3 connections 9 host keep\n"
		  "timeouts { connect 1s } path strip \"/p\" } }\n"
		  "proxy protocol off connect user \"c\"\n"
		  "host \"keep\" { proxy to \"http://a\" } }");
	const struct conf_port *port = &conf->ports[0];
	assert_int_equal(port->limits.connections, 7);
	assert_int_equal(upstream_at(port, "/p")->connections, 9);
	assert_int_equal(upstream_at(port, "/p")->keep, 3);
	assert_string_equal(port->hosts[1].names[0], "keep");
	stable(conf);
	conf_free(conf);
}

/* The example of the manual, and of those who ask what a gateway is written like. */
static void an_example_is_read(void **state)
{
	(void)state;
	struct conf *conf = parse(
	    TLS "port 8443 {\n"
		"	upstream \"api\" {\n"
		"		to \"http://127.0.0.1:9000\" \"http://127.0.0.1:9001\" "
		"\"unix:/run/app/api.sock\"\n"
		"		balance least-connections   # in turn without it\n"
		"		check \"/health\" every 5s expect 200\n"
		"		timeouts { connect 2s; head 30s; between 60s }\n"
		"		connections 200\n"
		"		keep 32 for 60s\n"
		"	}\n"
		"	location \"/api\" { proxy to \"api\" }\n"
		"	location \"/v2\"  { proxy to \"https://orders.internal:8443\" { verify "
		"authority \"/etc/ssl/internal-ca.pem\" name \"orders.internal\" }  path replace "
		"\"/v2\" \"/\" }\n"
		"	location \"/ws\"  { proxy to \"http://127.0.0.1:9100\" }\n"
		"}\n");
	const struct conf_port *port = &conf->ports[0];
	assert_int_equal(port->upstreams_count, 3);
	assert_int_equal(port->endpoints_count, 5);
	assert_string_equal(proxy_at(port, "/v2")->path_to, "/");
	assert_true(upstream_at(port, "/v2")->tls);
	stable(conf);
	conf_free(conf);
}

/* --- messages --------------------------------------------------------------------------------- */

struct row {
	const char *text, *messages;
};

static const struct row mistakes[] = {
    {"proxy to \"apx\"", "2:10 there is no upstream \"apx\": write `upstream \"apx\" { to "
			 "\"http://127.0.0.1:9000\" }` in the port\n"},
    {"upstream \"api\" { to \"http://a\" } proxy to \"apx\"",
     "2:1 warning: nothing uses the upstream \"api\": write `proxy to \"api\"` in a location\n"
     "2:43 unknown upstream \"apx\"; did you mean \"api\"?\n"},
    {"proxy to \"localhost\"",
     "2:10 there is no upstream \"localhost\"; the URL of a host is \"http://localhost\"\n"},
    {"proxy to \"127.0.0.1:9000\"",
     "2:10 \"127.0.0.1:9000\" is not a URL: write \"http://127.0.0.1:9000\"\n"},
    {"proxy to \"\"", "2:10 the name of an upstream cannot be empty\n"},
    {"proxy to \"http://a/\"",
     "2:10 the URL of an upstream has no path: write \"http://a\"; a path that clients ask for is "
     "passed on as it is, and `path replace` or `path strip` in the location changes it\n"},
    {"proxy to \"http://a/b/c\"", "2:10 the URL of an upstream has no path: write \"http://a\", "
				  "and in the location `path replace \"/its/path\" \"/b/c\"`\n"},
    {"proxy to \"http://a?x\"",
     "2:10 the URL of an upstream has no query and no fragment: write \"http://a\"\n"},
    {"proxy to \"http://a#x\"",
     "2:10 the URL of an upstream has no query and no fragment: write \"http://a\"\n"},
    {"proxy to \"http://u:p@a\"", "2:10 the URL of an upstream has no user in it; write `request "
				  "header set \"Authorization\" \"Basic ...\"` in the location\n"},
    {"proxy to \"http://\"",
     "2:10 the URL has no host: write one such as \"http://127.0.0.1:9000\"\n"},
    {"proxy to \"http://:80\"",
     "2:10 the URL has no host: write one such as \"http://127.0.0.1:9000\"\n"},
    {"proxy to \"http://a:0\"", "2:10 the port in `a:0` is not a number from 1 to 65535\n"},
    {"proxy to \"http://a:99999\"", "2:10 the port in `a:99999` is not a number from 1 to 65535\n"},
    {"proxy to \"http://a:\"", "2:10 the port in `a:` is not a number from 1 to 65535\n"},
    {"proxy to \"http://::1\"", "2:10 an IPv6 address stands in brackets: \"http://[::1]:9000\"\n"},
    {"proxy to \"http://[::1\"", "2:10 `[::1` is not an IPv6 address in brackets\n"},
    {"proxy to \"http://[::1]9\"", "2:10 `[::1]9` is not an IPv6 address in brackets\n"},
    {"proxy to \"http://[fe80::1%eth0]\"", "2:10 the address of an upstream has no zone\n"},
    {"proxy to \"http://[fe80::1]\"",
     "2:10 fe80::1 is on one link of this machine, and the address of an upstream has no zone\n"},
    {"proxy to \"http://[::ffff:1.2.3.4]\"",
     "2:10 an IPv4 address is written without brackets, as four numbers\n"},
    {"proxy to \"http://1.2.3\"", "2:10 `1.2.3` is not an IPv4 address, which has four numbers\n"},
    {"proxy to \"http://1.2.3.256:9\"",
     "2:10 `1.2.3.256` is not an IPv4 address, which has four numbers\n"},
    {"proxy to \"http://*.a\"", "2:10 `*.a` is not the name of one host\n"},
    {"proxy to \"http://a..b\"", "2:10 a host's name has no empty label\n"},
    {"proxy to \"ftp://a\"", "2:10 `ftp:` cannot be asked; the URL of an upstream begins with "
			     "`http://`, `https://` or `unix:`\n"},
    {"proxy to \"ws://a\"", "2:10 `ws:` cannot be asked: WebSockets go through `http://`\n"},
    {"proxy to \"fastcgi://a\"", "2:10 `fastcgi:` cannot be asked: upstreams speak HTTP: put a "
				 "server between that speaks FastCGI\n"},
    {"proxy to \"//a\"", "2:10 a Unix socket is written \"unix://a\"\n"},
    {"proxy to \"/run/a.sock\"", "2:10 a Unix socket is written \"unix:/run/a.sock\"\n"},
    {"proxy to \"unix:a.sock\"",
     "2:10 after `unix:` stands the absolute path of a socket: \"unix:/run/app.sock\"\n"},
    {"proxy to \"unix:\"",
     "2:10 after `unix:` stands the absolute path of a socket: \"unix:/run/app.sock\"\n"},
    {"proxy to \"unix://run/a\"",
     "2:10 a Unix socket is written \"unix:/run/app.sock\", with one `/`\n"},
    {"proxy to \"http://unix:/run/a:/x\"",
     "2:10 a Unix socket is written \"unix:/run/app.sock\"\n"},
    {"proxy to \"http://a b\"", "2:10 a URL cannot contain ` `\n"},
    {"proxy to http://a",
     "2:10 a URL or the name of an upstream stands in double quotes: \"http://a\"\n"},
    {"proxy \"http://a\"", "2:7 write `proxy to \"http://a\"`\n"},
    {"proxy_pass http://a;", "2:1 Bulkhead has no `proxy_pass`: write `proxy to "
			     "\"http://127.0.0.1:9000\"` in a location\n"},
    {"proxy to \"http://a\" \"http://b\"",
     "2:21 several URLs make an upstream: write `upstream \"api\" { to ... }` in the port, and "
     "`proxy to \"api\"`\n"},
    {"upstream \"x\" { }\nproxy to \"x\"",
     "2:1 the upstream has no endpoint: write `to \"http://127.0.0.1:9000\"` in it\n"},
    {"upstream \"x\" { backup \"http://a\" }\nproxy to \"x\"",
     "2:1 the upstream has only backups, which are used while no other endpoint can be: write `to` "
     "in place of `backup`\n"},
    {"upstream \"x\" { to \"http://a\" \"https://b\" }\nproxy to \"x\"",
     "2:30 \"http://a\" and \"https://b\" in one upstream: some requests would be encrypted, and "
     "others not; make two upstreams of them\n"},
    {"upstream \"x\" { to \"https://b\" \"unix:/a\" }\nproxy to \"x\"",
     "2:31 \"https://b\" and \"unix:/a\" in one upstream: some requests would be encrypted, and "
     "others not; make two upstreams of them\n"},
    {"upstream \"x\" { to \"http://a\" \"http://A:80\" }\nproxy to \"x\"",
     "2:30 duplicate endpoint \"http://a\"; the first one is at line 2\n"},
    {"upstream \"x\" { to \"http://a\" verify off certificate \"c\" key \"k\" }\nproxy to \"x\"",
     "2:37 warning: anyone between this server and the upstream can read and change all of it; for "
     "certificates of an authority of your own write `verify authority \"file\"`\n"
     "2:37 `verify` has no effect: no endpoint of the upstream begins with `https://`\n"
     "2:41 `certificate` has no effect: no endpoint of the upstream begins with `https://`\n"},
    {"upstream \"x\" { to \"https://a\" check \"/h\" certificate \"c\" key \"k\" }\nproxy to \"x\"",
     "2:31 the process that checks has no key, and this upstream is shown a certificate: write "
     "`check connect`\n"},
    {"upstream \"x\" { to \"http://a\" balance hash }\nproxy to \"x\"",
     "2:30 `balance hash` needs to know of what: `balance hash client` or `balance hash header "
     "\"name\"`\n"},
    {"upstream \"x\" { to \"http://a\" balance hash header }\nproxy to \"x\"",
     "2:30 `balance hash` needs to know of what: `balance hash client` or `balance hash header "
     "\"name\"`\n"},
    {"upstream \"x\" { to \"http://a\" balance hash header \"a b\" }\nproxy to \"x\"",
     "2:50 \"a b\" is not a header name: letters, digits and !#$%&'*+-.^_`|~\n"},
    {"upstream \"x\" { to \"http://a\" balance round-robin client }\nproxy to \"x\"",
     "2:50 `client` stands after `balance hash`\n"},
    {"upstream \"x\" { to \"http://a\" balance hash client \"x\" }\nproxy to \"x\"",
     "2:50 only `balance hash header` has a name after it\n"},
    {"upstream \"x\" { to \"http://a\" balance random }\nproxy to \"x\"",
     "2:38 expected `hash`, `least-connections` or `round-robin`, found `random`\n"},
    {"upstream \"x\" { to \"http://a\" check \"health\" check \"/x\" }\nproxy to \"x\"",
     "2:36 the path of a check begins with `/`: `check \"/health\"`\n"
     "2:45 duplicate `check`; the first one is at line 2\n"},
    {"upstream \"x\" { to \"http://a\" check \"/a b\" every 10ms expect 600 timeout 0 }\nproxy to "
     "\"x\"",
     "2:36 the path of a check is sent as it stands: other bytes than those of a URL are written "
     "as %XX\n"
     "2:49 every 10ms is out of range; it can be 100ms to 1d\n"
     "2:61 expect 600 is out of range; it can be 200 to 599\n"
     "2:73 timeout 0 is out of range; it can be 10ms to 1m\n"},
    {"upstream \"x\" { to \"http://a\" check \"/\" expect 300-200 }\nproxy to \"x\"",
     "2:47 statuses go from the smaller one to the greater one\n"},
    {"upstream \"x\" { to \"http://a\" check connect expect 200 }\nproxy to \"x\"",
     "2:44 `check connect` asks for nothing: leave out `expect`\n"},
    {"upstream \"x\" { to \"http://a\" check off every 5s }\nproxy to \"x\"",
     "2:40 nothing follows `check off`\n"},
    {"upstream \"x\" { to \"http://a\" check \"/\" every 1s timeout 2s }\nproxy to \"x\"",
     "2:30 a check would begin before the one before it has ended: `timeout` is at most the time "
     "of `every`\n"},
    {"upstream \"x\" { to \"http://a\" fail after 0 pause 1ms }\nproxy to \"x\"",
     "2:41 fail after 0 is out of range; it can be 1 to 1000\n"
     "2:49 fail pause 1ms is out of range; it can be 10ms to 1d\n"},
    {"upstream \"x\" { to \"http://a\" fail off pause 1s }\nproxy to \"x\"",
     "2:39 nothing follows `fail off`\n"},
    {"upstream \"x\" { to \"http://a\" fail 3 }\nproxy to \"x\"",
     "2:35 expected `after` or `off`, found `3`\n"},
    {"upstream \"x\" { to \"http://a\" slow 3s }\nproxy to \"x\"",
     "2:35 expected `start`, found `3s`\n"},
    {"upstream \"x\" { to \"http://a\" slow start 1ms slow start off }\nproxy to \"x\"",
     "2:41 slow start 1ms is out of range; it can be 100ms to 1d\n"
     "2:45 duplicate `slow`; the first one is at line 2\n"},
    {"upstream \"x\" { to \"http://a\" timeouts { connect 1ms head 30 between 2d connect 3s } "
     "timeouts { } }\nproxy to \"x\"",
     "2:49 connect 1ms is out of range; it can be 10ms to 1h\n"
     "2:69 between 2d is out of range; it can be 10ms to 1d\n"
     "2:72 duplicate `connect`; the first one is at line 2\n"
     "2:85 duplicate `timeouts`; the first one is at line 2\n"},
    {"upstream \"x\" { to \"http://a\" timeouts { idle 3s } }\nproxy to \"x\"",
     "2:41 `idle` cannot be in a timeouts block; it belongs in a limits block\n"},
    {"upstream \"x\" { to \"http://a\" connect 3s }\nproxy to \"x\"",
     "2:30 `connect` cannot be in an upstream block; it belongs at the top level or in a port or "
     "timeouts block\n"},
    {"upstream \"x\" { to \"http://a\" connections 0 queue 0 keep 0 }\nproxy to \"x\"",
     "2:42 connections 0 is out of range; it can be 1 to 1000000\n"
     "2:50 queue 0 is out of range; it can be 1 to 1000000\n"
     "2:57 keep 0 is out of range; it can be 1 to 1000000\n"},
    {"upstream \"x\" { to \"http://a\" queue 5 for 1ms keep 5 for 2d }\nproxy to \"x\"",
     "2:42 queue for 1ms is out of range; it can be 10ms to 1h\n"
     "2:57 keep for 2d is out of range; it can be 10ms to 1d\n"},
    {"upstream \"x\" { to \"http://a\" queue off for 5s }\nproxy to \"x\"",
     "2:40 nothing follows `queue off`\n"},
    {"upstream \"x\" { to \"http://a\" retry \"get\" \"FOO\" \"GET\" \"GET\" budget 20 }\nproxy to "
     "\"x\"",
     "2:36 methods are in capital letters: \"GET\"\n"
     "2:42 unknown method \"FOO\"; there are GET, HEAD, POST, PUT, DELETE, OPTIONS and PATCH, each "
     "in quotes of its own\n"
     "2:54 duplicate method \"GET\" in one statement\n"
     "2:67 `20` is not a part of the requests; budget can be 1% to 100%\n"},
    {"upstream \"x\" { to \"http://a\" retry any \"GET\" }\nproxy to \"x\"",
     "2:40 `retry any` names all methods: leave the others out\n"},
    {"upstream \"x\" { to \"http://a\" retry off \"GET\" }\nproxy to \"x\"",
     "2:40 nothing follows `retry off`\n"},
    {"upstream \"x\" { to \"http://a\" retry \"GET\" budget 0% }\nproxy to \"x\"",
     "2:49 `0%` is not a part of the requests; budget can be 1% to 100%\n"},
    {"upstream \"x\" { to \"http://a\" retry GET }\nproxy to \"x\"",
     "2:36 a method stands in double quotes: \"GET\"; or write `any`, `budget` or `off`\n"},
    {"upstream \"x\" { to \"https://a\" verify }\nproxy to \"x\"",
     "2:38 expected `authority`, `name` or `off`, found `}`\n"},
    {"upstream \"x\" { to \"https://a\" verify off name \"x\" }\nproxy to \"x\"",
     "2:38 warning: anyone between this server and the upstream can read and change all of it; for "
     "certificates of an authority of your own write `verify authority \"file\"`\n"
     "2:42 nothing follows `verify off`\n"},
    {"upstream \"x\" { to \"https://a\" verify name \"x\" off off off }\nproxy to \"x\"",
     "2:47 `verify off` verifies no name: leave one of them out\n"
     "2:47 warning: anyone between this server and the upstream can read and change all of it; for "
     "certificates of an authority of your own write `verify authority \"file\"`\n"
     "2:51 nothing follows `verify off`\n"},
    {"upstream \"x\" { to \"https://a\" verify name \"*.x\" verify off }\nproxy to \"x\"",
     "2:43 the name that is verified is that of one host\n"
     "2:49 duplicate `verify`; the first one is at line 2\n"
     "2:56 warning: anyone between this server and the upstream can read and change all of it; for "
     "certificates of an authority of your own write `verify authority \"file\"`\n"},
    {"upstream \"x\" { to \"https://a\" certificate \"x\" }\nproxy to \"x\"",
     "2:47 expected `key`, found `}`\n"},
    {"upstream \"x y\" { to \"https://a\" }\nproxy to \"x\"",
     "2:10 an upstream's name is of letters, digits, `-`, `_` and `.`; \"x y\" has others\n"},
    {"upstream \"http://x\" { to \"https://a\" }\nproxy to \"x\"",
     "2:10 an upstream has a name of your choice, and the URL stands in its block: `to "
     "\"http://x\"`\n"},
    {"upstream x { to \"https://a\" }\nproxy to \"x\"",
     "2:10 an upstream's name stands in double quotes: \"x\"\n"},
    {"upstream \"x\" { to \"https://a\" } upstream \"x\" { to \"http://b\" }\nproxy to \"x\"",
     "2:42 duplicate upstream \"x\"; the first one is at line 2\n"},
    {"upstream \"x\" { server 127.0.0.1:8080; }\nproxy to \"x\"",
     "2:16 Bulkhead has no `server` here: write `to \"http://127.0.0.1:9000\"`\n"},
    {"upstream \"x\" { to \"http://a\" host keep }\nproxy to \"x\"",
     "2:30 `host` cannot be in an upstream block; it belongs in a port or proxy block\n"},
    {"upstream \"x\" { to \"http://a\" }\nproxy to \"x\" { keep 5 timeouts { connect 5s } retry "
     "off balance round-robin verify off certificate \"a\" key \"b\" queue 5 for 5s }",
     "3:16 `keep` belongs in the block `upstream \"x\"`: all that go there share it\n"
     "3:23 `timeouts` belongs in the block `upstream \"x\"`: all that go there share it\n"
     "3:53 `retry` belongs in the block `upstream \"x\"`: all that go there share it\n"
     "3:57 `balance` belongs in the block `upstream \"x\"`: all that go there share it\n"
     "3:84 `verify` belongs in the block `upstream \"x\"`: all that go there share it\n"
     "3:88 `certificate` belongs in the block `upstream \"x\"`: all that go there share it\n"
     "3:112 `queue` belongs in the block `upstream \"x\"`: all that go there share it\n"},
    {"proxy to \"http://a\" { keep 5 timeouts { connect 5s } to \"http://b\" }",
     "2:54 expected a statement that belongs in a proxy block, such as `path` or `host`, found "
     "`to`\n"},
    {"location \"/a\" { path strip \"/a\" echo }",
     "2:17 `path` changes what `proxy` passes on, and this location has another handler\n"},
    {"location \"/a\" { path strip \"/b\" proxy to \"http://a\" }",
     "2:17 the paths of this location begin with \"/a\", and so not always with \"/b\"\n"},
    {"location \"/a\" { path strip \"/a/b\" proxy to \"http://a\" }",
     "2:17 the paths of this location begin with \"/a\", and so not always with \"/a/b\"\n"},
    {"location \"/ab\" { path strip \"/a\" proxy to \"http://a\" }",
     "2:18 the paths of this location begin with \"/ab\", and so not always with \"/a\"\n"},
    {"location \"/a\" { path replace \"/a\" proxy to \"http://a\" }",
     "2:17 `path replace` needs what comes in its place: `path replace \"/a\" \"/\"`\n"},
    {"location \"/a\" { path strip \"/a\" \"/b\" proxy to \"http://a\" }",
     "2:33 `path strip` takes a path away and puts none in its place: for that write `path "
     "replace`\n"},
    {"location \"/a\" { path strip \"/a\" proxy to \"http://a\" { path strip \"/a\" } }",
     "2:17 duplicate `path`; the other one is at line 2\n"},
    {"location \"/a\" { path strip \"a\" proxy to \"http://a\" }", "2:28 a path begins with `/`\n"},
    {"location \"/a\" { path \"/a\" proxy to \"http://a\" }",
     "2:22 expected `replace` or `strip`, found the string \"/a\"\n"},
    {"location \"/a\" { proxy to \"http://a\" proxy to \"http://b\" { keep 0 } }",
     "2:37 the location already has a handler, at line 2\n"
     "2:64 keep 0 is out of range; it can be 1 to 1000000\n"},
    {"location \"/a\" { proxy to \"http://a\" { buffer request 1K buffer request 16K buffer 5K "
     "host \"a/b\" via maybe forwarded none } }",
     "2:54 buffer 1K is out of range; it can be 4K to 64M\n"
     "2:83 expected `request` or `response`, found `5K`\n"},
    {"server { listen 80; }",
     "2:1 Bulkhead has no `server`: a port is written `port 443 { ... }`\n"},
    {"path strip \"/a\" proxy to \"http://a\"",
     "2:1 `path` cannot be in a port block; it belongs in a location or proxy block\n"},
    {"trust off 10.0.0.0/8 trust 10.0.0.1/8 echo",
     "2:11 nothing follows `trust off`\n"
     "2:22 duplicate `trust`; the first one is at line 2\n"
     "2:28 `10.0.0.1/8` has bits after its length: the network is `10.0.0.0/8`, and one address is "
     "`10.0.0.1`\n"},
    {"connect user \"a\" connect user \"b\" echo",
     "2:18 duplicate `connect user`; the first one is at line 2\n"},
    {"host \"a\" { proxy protocol off echo }",
     "2:18 `proxy protocol` is for whole connections: write it in the port, or at the top level\n"},
    {"timeouts { connect 5s } echo",
     "2:1 `timeouts` cannot be in a port block; it belongs in an upstream block\n"},
    {"keep 5 echo",
     "2:1 `keep` cannot be in a port block; it belongs in a files or upstream block\n"},
    {"connections 5 echo",
     "2:1 `connections` cannot be in a port block; it belongs in a limits or upstream block\n"},
    {"balance roundrobin",
     "2:1 Bulkhead has no `balance`: write `balance least-connections`, `round-robin`, `hash "
     "client` or `hash header \"X\"` in an `upstream`\n"},
    {"location \"/a\" { proxy to \"http://a\" { timeout 5s } }",
     "2:39 Bulkhead has no `timeout` here: write `timeouts { connect 2s; head 30s; between 60s "
     "}`\n"},
};

static const struct row warnings[] = {
    {"upstream \"x\" { to \"http://a\" }\necho",
     "2:1 warning: nothing uses the upstream \"x\": write `proxy to \"x\"` in a location\n"},
    {"upstream \"x\" { to \"https://a\" verify off }\nproxy to \"x\"",
     "2:38 warning: anyone between this server and the upstream can read and change all of it; for "
     "certificates of an authority of your own write `verify authority \"file\"`\n"},
    {"location \"/a\" { proxy to \"http://127.0.0.1:8\" } location \"/b\" { proxy to "
     "\"http://localhost:8\" }",
     "2:26 warning: \"http://127.0.0.1:8\" is this port itself: a request would go round until no "
     "connection is left\n"
     "2:74 warning: \"http://localhost:8\" is this port itself: a request would go round until no "
     "connection is left\n"},
    {"trust * 10.0.0.0/8 echo", "2:7 warning: every client may say here what address it has: list "
				"the addresses of your proxies alone\n"
				"2:9 warning: 10.0.0.0/8 is in *, which is listed already\n"},
    {"location \"/x\" { request header set \"A\" \"b\" echo }",
     "2:1 warning: `request header` changes what `proxy` passes on, and this location has "
     "another handler\n"},
};

static void mistakes_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONF_COUNT(mistakes); i++) {
		char text[1024];
		(void)snprintf(text, sizeof(text), GOOD "%s\n}", mistakes[i].text);
		assert_null(parse_with(text, NULL, mistakes[i].messages));
	}
}

static void doubts_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONF_COUNT(warnings); i++) {
		char text[1024];
		(void)snprintf(text, sizeof(text), GOOD "%s\n}", warnings[i].text);
		conf_free(warned(text, warnings[i].messages));
	}
}

/* A missing brace, a misspelt word: what follows is read as if nothing were wrong. */
static void the_rest_is_read_after_a_mistake(void **state)
{
	(void)state;
	told(GOOD "upstream \"u\" {\n to \"http://a\"\n kep 5 for 60s\n connections 0\n"
		  "timeouts {\n conect 1s\n head 0\n }\n}\nproxy to \"u\" }\n"
		  "port 9 { workers 0 tls off echo }",
	     "4:2 unknown word `kep`; did you mean `keep`?\n"
	     "5:14 connections 0 is out of range; it can be 1 to 1000000\n"
	     "7:2 unknown word `conect`; did you mean `connect`?\n"
	     "8:7 head 0 is out of range; it can be 10ms to 1d\n"
	     "12:18 workers 0 is out of range; it can be 1 to 64\n");
	told(GOOD "upstream \"u\" {\n to \"http://a\"\n timeouts {\n head 1s\n"
		  "location \"/\" { proxy to \"u\" }\n}\n"
		  "port 9 { workers 0 tls off echo }",
	     "6:1 `location` cannot be in a timeouts block: the `}` of the block opened at line 4 "
	     "is missing\n"
	     "8:18 workers 0 is out of range; it can be 1 to 64\n");
}

/* Whatever bytes the text has, a terminal shows the messages as they are. */
static void messages_have_no_raw_bytes(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "proxy to \"h\xff://x\"",
	    "proxy to \"http://a/\xff\"",
	    "proxy to \"http://a\xff/\"",
	    "proxy to \"x\xff:y\"",
	    "proxy to \"n\xff\"",
	    "proxy to \"n\xff\" { keep 1 timeouts { head 1s } }",
	    "upstream \"u\" { to \"unix:/\xff\" \"unix:/\xff\" \"https://a\" } proxy to \"u\"",
	    "location \"/\xff\" { proxy to \"http://a\" path strip \"/\xfe\" }",
	    "location \"/\xff\" { proxy to \"http://a\" path replace \"/\xff\" }",
	    "upstream \"\xff\" { to \"http://a\" } echo",
	};
	for (size_t i = 0; i < CONF_COUNT(texts); i++) {
		char text[256];
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		(void)snprintf(text, sizeof(text), GOOD "%s }", texts[i]);
		assert_int_equal(
		    conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf),
		    -EINVAL);
		assert_int_not_equal(told.len, 0);
		for (size_t k = 0; k < told.len; k++)
			assert_true((unsigned char)told.text[k] < 0x7f &&
				    (told.text[k] == '\n' || told.text[k] >= ' '));
	}
}

static void numbers_have_bounds(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	fputs("port 8 { tls off echo\n", out);
	for (unsigned i = 0; i <= CONF_UPSTREAMS_MAX; i++)
		(void)fprintf(out, "location \"/%u\" { proxy to \"http://127.0.0.1:%u\" }\n", i,
			      i + 100);
	fputs("}\n", out);
	fclose(out);
	told(text, "11:17 a port has at most 1024 upstreams, with those of `proxy to` a URL\n");
	free(text);

	out = open_memstream(&text, &len);
	assert_non_null(out);
	fputs("port 8 { tls off proxy to \"u\" upstream \"u\" {\n", out);
	for (unsigned i = 0; i <= CONF_ENDPOINTS_MAX; i++)
		(void)fprintf(out, "to \"http://127.0.0.1:%u\"\n", i + 100);
	fputs("} }\n", out);
	fclose(out);
	told(text, "4098:4 a port has at most 4096 endpoints\n");
	free(text);

	char path[CONF_SOCKET_PATH_MAX + 2], url[512];
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[CONF_SOCKET_PATH_MAX] = '\0';
	(void)snprintf(url, sizeof(url), GOOD "proxy to \"unix:%s\" }", path);
	conf_free(parse(url));
	path[CONF_SOCKET_PATH_MAX] = 'a';
	path[CONF_SOCKET_PATH_MAX + 1] = '\0';
	(void)snprintf(url, sizeof(url), GOOD "proxy to \"unix:%s\" }", path);
	told(url, "2:10 a socket's path has at most 107 bytes, this one has 108\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_defaults_are_those_of_the_manual),
	    cmocka_unit_test(each_statement_has_its_effect),
	    cmocka_unit_test(what_can_be_off_is_off),
	    cmocka_unit_test(options_of_the_proxy_are_its_own),
	    cmocka_unit_test(urls_have_one_form),
	    cmocka_unit_test(upstreams_are_numbered),
	    cmocka_unit_test(a_plain_port_may_have_keys),
	    cmocka_unit_test(ports_of_one_block_have_the_same),
	    cmocka_unit_test(trust_is_inherited),
	    cmocka_unit_test(rules_for_requests_are_inherited),
	    cmocka_unit_test(memory_is_added),
	    cmocka_unit_test(words_mean_what_their_block_says),
	    cmocka_unit_test(an_example_is_read),
	    cmocka_unit_test(mistakes_are_named),
	    cmocka_unit_test(doubts_are_told),
	    cmocka_unit_test(the_rest_is_read_after_a_mistake),
	    cmocka_unit_test(messages_have_no_raw_bytes),
	    cmocka_unit_test(numbers_have_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
