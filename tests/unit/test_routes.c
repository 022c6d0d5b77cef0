/* From a request to its host and its location, through the protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "served.h"

/* --- hosts ------------------------------------------------------------------------------------ */

static struct conf_location at_default[] = {AT("/", "default")};
static struct conf_location at_shop[] = {AT("/", "shop")};
static struct conf_location at_star[] = {AT("/", "star")};
static struct conf_location at_deep[] = {AT("/", "deep")};
static struct conf_location at_number[] = {AT("/", "number")};

static char *shop_names[] = {TEXT("shop.example"), TEXT("www.shop.example"),
			     TEXT("xn--bcher-kva.example")};
static char *star_names[] = {TEXT("*.shop.example")};
static char *deep_names[] = {TEXT("*.deep.shop.example")};
static char *number_names[] = {TEXT("127.0.0.1"), TEXT("[2001:db8::1]"), TEXT("[::1]")};

static struct conf_host hosts[] = {
    {.locations = at_default, .locations_count = 1},
    {.names = shop_names, .names_count = 3, .locations = at_shop, .locations_count = 1},
    {.names = star_names, .names_count = 1, .locations = at_star, .locations_count = 1},
    {.names = deep_names, .names_count = 1, .locations = at_deep, .locations_count = 1},
    {.names = number_names, .names_count = 3, .locations = at_number, .locations_count = 1},
};
#define HOSTS (sizeof(hosts) / sizeof(hosts[0]))

static void a_host_is_found_by_its_name(void **state)
{
	static const struct {
		const char *name, *host;
	} cases[] = {
	    {"shop.example", "shop"},
	    {"SHOP.Example", "shop"},
	    {"shop.example.", "shop"},
	    {"shop.example:8443", "shop"}, /* the port chooses no host */
	    {"shop.example.:1", "shop"},
	    {"shop.example:", "shop"},
	    {"www.shop.example", "shop"}, /* the exact name before the wildcard */
	    {"xn--bcher-kva.example", "shop"},
	    {"XN--BCHER-KVA.EXAMPLE", "shop"},
	    {"cdn.shop.example", "star"},
	    {"CDN.shop.example.:443", "star"},
	    {"a_b.shop.example", "star"},
	    {"1.shop.example", "star"},
	    {"*.shop.example", "star"},
	    {"deep.shop.example", "star"},
	    {"a.deep.shop.example", "deep"},
	    {"a.cdn.shop.example", "default"}, /* a star is one label */
	    {".shop.example", "default"},
	    {"shop.example..", "default"},
	    {"shop.example.org", "default"},
	    {"ashop.example", "default"},
	    {"example", "default"},
	    {".", "default"},
	    {"other", "default"},
	    {"127.0.0.1", "number"},
	    {"127.0.0.1:80", "number"},
	    {"127.0.0.01", "default"},
	    {"[2001:db8::1]", "number"},
	    {"[2001:DB8:0::0:1]:443", "number"},
	    {"[2001:db8:0:0:0:0:0:1]", "number"},
	    {"[0:0:0:0:0:0:0:1]", "number"},
	    {"[::1]", "number"},
	    {"[::2]", "default"},
	};
	struct served s;
	(void)state;
	serve(&s, hosts, HOSTS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = ask_host(&s, cases[i].name);
		if (strcmp(got, cases[i].host) != 0)
			fail_msg("%s is served by %s", cases[i].name, got);
		assert_int_equal(peer_phase(s.peer), PROTO_IDLE);
	}
	serve_end(&s);
}

static void names_have_bounds(void **state)
{
	struct served s;
	char name[1000];
	(void)state;
	serve(&s, hosts, HOSTS);
	for (size_t len = 1; len < 600; len++) {
		memset(name, 'a', len);
		name[len] = '\0';
		assert_string_equal(ask_host(&s, name), "default");
		memcpy(name + len, ".shop.example", 14);
		assert_string_equal(ask_host(&s, name),
				    len + 13 <= HTTP_HOST_NAME_MAX ? "star" : "default");
	}
	serve_end(&s);
}

static void the_target_comes_before_the_field(void **state)
{
	struct served s;
	(void)state;
	serve(&s, hosts, HOSTS);
	assert_string_equal(
	    ask(&s, "GET https://Shop.example:1/ HTTP/1.1\r\nHost: cdn.shop.example\r\n\r\n"),
	    "shop");
	assert_string_equal(ask(&s, "GET http://nowhere/ HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
			    "default");
	assert_string_equal(ask(&s, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "default");
	assert_string_equal(ask(&s, "GET / HTTP/1.0\r\nHost: shop.example\r\n\r\n"), "shop");
	serve_end(&s);
}

static void a_port_of_hosts_only_has_no_others(void **state)
{
	struct conf_host only[HOSTS];
	struct served s;
	(void)state;
	memcpy(only, hosts, sizeof(only));
	only[0].locations_count = 0;
	serve(&s, only, HOSTS);
	assert_string_equal(ask_host(&s, "shop.example"), "shop");
	assert_string_equal(ask_host(&s, "other.example:1"), "421 Misdirected Request\n");
	assert_int_equal(s.peer->refusal, REFUSE_HOST_UNKNOWN);
	assert_string_equal(s.peer->excerpt, "other.example:1");
	assert_int_equal(peer_phase(s.peer), PROTO_IDLE); /* the next request may be for a host */
	assert_string_equal(ask_host(&s, "shop.example"), "shop");
	assert_int_equal(s.peer->refusal, REFUSE_NOT);
	(void)ask(&s, "OPTIONS * HTTP/1.1\r\nHost: other\r\n\r\n"); /* the server's, for any host */
	assert_int_equal(s.peer->status, 204);
	(void)ask(&s, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(s.peer->status, 421);
	serve_end(&s);
}

static void another_certificate_is_another_connection(void **state)
{
	struct conf_host own[HOSTS];
	struct served s;
	(void)state;
	memcpy(own, hosts, sizeof(own));
	own[1].certificates_first = 1;
	own[3].certificates_first = 1;
	serve(&s, own, HOSTS);
	assert_string_equal(ask_host(&s, "cdn.shop.example"), "star");
	assert_string_equal(ask_host(&s, "shop.example"), "421 Misdirected Request\n");
	assert_int_equal(s.peer->refusal, REFUSE_HOST_ELSEWHERE);
	assert_string_equal(s.peer->excerpt, "shop.example");
	assert_int_equal(peer_phase(s.peer), PROTO_IDLE);
	(void)ask(&s, "OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n");
	assert_int_equal(s.peer->status, 421);
	(void)ask(&s, "GET /%zz HTTP/1.1\r\nHost: shop.example\r\n\r\n");
	assert_int_equal(s.peer->status, 421);
	assert_string_equal(ask(&s, "POST / HTTP/1.1\r\nHost: shop.example\r\n"
				    "Content-Length: 5\r\n\r\nhello"),
			    "421 Misdirected Request\n");
	assert_int_equal(peer_phase(s.peer), PROTO_IDLE);

	s.peer->client.policy = 1; /* its SNI was a name of the host */
	assert_string_equal(ask_host(&s, "shop.example"), "shop");
	assert_string_equal(ask_host(&s, "a.deep.shop.example"),
			    "deep"); /* the same certificates */
	assert_string_equal(ask_host(&s, "other"), "421 Misdirected Request\n");

	s.peer->client.tls = NULL; /* plain HTTP has no certificates */
	assert_string_equal(ask_host(&s, "other"), "default");
	serve_end(&s);
}

static void a_body_that_was_not_invited_ends_the_connection(void **state)
{
	struct conf_host own[2] = {hosts[0], hosts[1]};
	struct served s;
	(void)state;
	own[1].certificates_first = 1;
	serve(&s, own, 2);
	(void)ask(&s, "POST / HTTP/1.1\r\nHost: shop.example\r\nExpect: 100-continue\r\n"
		      "Content-Length: 5\r\n\r\n");
	assert_int_equal(s.peer->status, 421);
	assert_int_equal(peer_phase(s.peer), PROTO_CLOSING);
	serve_end(&s);
}

/* --- locations -------------------------------------------------------------------------------- */

static void a_location_is_found_by_its_path(void **state)
{
	struct conf_location locations[] = {
	    AT("/deep/er/still", "still"),    AT("/deep/er", "er"), AT("/deep", "deep"),
	    EXACTLY("/deep", "deep exactly"), AT("/de", "de"),      EXACTLY("/old/", "old slash"),
	    EXACTLY("/old", "old"),           EXACTLY("/", "home"), AT("/%41", "escape"),
	    AT("/\xc3\xa4", "umlaut"),
	};
	struct conf_host host = {.locations = locations,
				 .locations_count = sizeof(locations) / sizeof(locations[0])};
	static const struct {
		const char *path, *location;
	} cases[] = {
	    {"/", "home"},
	    {"/?a", "home"},
	    {"/.", "home"},
	    {"/x/..", "home"},
	    {"/x", NULL},
	    {"//", "home"},
	    {"//deep", "deep exactly"},
	    {"///deep//er//x", "er"},
	    {"/x/..//deep/x", "deep"},
	    {"/%2fdeep/x", "deep"},
	    {"/deep", "deep exactly"},
	    {"/deep?a", "deep exactly"},
	    {"/d%65ep", "deep exactly"},
	    {"/deep/", "deep"},
	    {"/deep%2f", "deep"},
	    {"/deep/x", "deep"},
	    {"/deep/e", "deep"},
	    {"/deep/er", "er"},
	    {"/deep/er/", "er"},
	    {"/deep/er/stil", "er"},
	    {"/deep/er/still", "still"},
	    {"/deep/er/still/x/y", "still"},
	    {"/deep/er/stills", "er"},
	    {"/deep/ers", "deep"},
	    {"/deeper", NULL},
	    {"/dee", NULL},
	    {"/de", "de"},
	    {"/de/ep", "de"},
	    {"/deep//", "deep"},
	    {"/Deep", NULL},
	    {"/old", "old"},
	    {"/old/", "old slash"},
	    {"/old//", "old slash"},
	    {"//old", "old"},
	    {"/old/x", NULL},
	    {"/olds", NULL},
	    {"/%2541", "escape"},
	    {"/A", NULL},
	    {"/%c3%a4/x", "umlaut"},
	};
	struct served s;
	(void)state;
	serve(&s, &host, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = ask_path(&s, cases[i].path);
		const char *want =
		    cases[i].location != NULL ? cases[i].location : "404 Not Found\n";
		if (strcmp(got, want) != 0)
			fail_msg("%s is served by %s", cases[i].path, got);
	}
	serve_end(&s);
}

static void the_same_path_in_another_host_is_another_location(void **state)
{
	struct conf_location first[] = {AT("/a", "first"), AT("/", "first root")};
	struct conf_location second[] = {AT("/b", "second"), EXACTLY("/a", "second a")};
	char *names[] = {TEXT("b")};
	struct conf_host two[] = {
	    {.locations = first, .locations_count = 2},
	    {.names = names, .names_count = 1, .locations = second, .locations_count = 2}};
	struct served s;
	(void)state;
	serve(&s, two, 2);
	assert_string_equal(ask(&s, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), "first");
	assert_string_equal(ask(&s, "GET /a HTTP/1.1\r\nHost: b\r\n\r\n"), "second a");
	assert_string_equal(ask(&s, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"), "first root");
	assert_string_equal(ask(&s, "GET /b HTTP/1.1\r\nHost: b\r\n\r\n"), "second");
	assert_string_equal(ask(&s, "GET / HTTP/1.1\r\nHost: b\r\n\r\n"), "404 Not Found\n");
	serve_end(&s);
}

/* Ten thousand locations, and each of them found; a walk of the list is the judge. */
static void many_locations(void **state)
{
	enum { MANY = 10000 };
	struct conf_location *locations = calloc(MANY, sizeof(*locations));
	char(*paths)[32] = calloc(MANY, sizeof(*paths));
	struct conf_host host = {.locations = locations, .locations_count = MANY};
	struct served s;
	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "/%zu/%zu", i % 97, i);
		locations[i] = (struct conf_location){.path = paths[i], .handler = CONF_ECHO};
	}
	serve(&s, &host, 1);
	const struct http_routes *http = &s.routes.http;
	for (size_t i = 0; i < MANY; i++) {
		char below[40];
		const size_t len = strlen(paths[i]);
		(void)snprintf(below, sizeof(below), "%s/x", paths[i]);
		const struct http_location *l = http->find(http, http->default_host, below, len);
		assert_ptr_equal(l, &s.routes.list[i].location);
		assert_ptr_equal(http->find(http, http->default_host, below, len + 2), l);
		assert_null(
		    http->find(http, http->default_host, below, strcspn(below + 1, "/") + 1));
	}
	serve_end(&s);
	free(locations);
	free(paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_host_is_found_by_its_name),
	    cmocka_unit_test(names_have_bounds),
	    cmocka_unit_test(the_target_comes_before_the_field),
	    cmocka_unit_test(a_port_of_hosts_only_has_no_others),
	    cmocka_unit_test(another_certificate_is_another_connection),
	    cmocka_unit_test(a_body_that_was_not_invited_ends_the_connection),
	    cmocka_unit_test(a_location_is_found_by_its_path),
	    cmocka_unit_test(the_same_path_in_another_host_is_another_location),
	    cmocka_unit_test(many_locations),
	};
	return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
