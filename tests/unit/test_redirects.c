/* Redirections with parts of the request: where each request is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "served.h"

struct redirect_case {
	const char *url;      /* of the configuration */
	const char *location; /* that redirects */
	const char *target;   /* of the request, for Host: Www.Example:8443 */
	const char *want;     /* Location; NULL: it is refused */
};

static const struct redirect_case cases[] = {
    /* as it is configured */
    {"https://a.example/b?c#d", "/", "/x?y", "https://a.example/b?c#d"},
    {"/b", "/", "/x?y", "/b"},
    {"/$b${c}${", "/", "/x", "/$b${c}${"}, /* no variables; the configuration refuses them */

    /* the main use: from port 80 to 443 */
    {"https://${host}${target}", "/", "/", "https://www.example/"},
    {"https://${host}${target}", "/", "/a/b?c=d", "https://www.example/a/b?c=d"},
    {"https://${host}${target}", "/", "/a/./../b?", "https://www.example/a/./../b?"},
    {"https://${host}${target}", "/", "/%2e%2F%c3%a4", "https://www.example/%2e%2F%c3%a4"},
    {"https://${host}${target}", "/", "http://Other.example:1?a", "https://other.example/?a"},
    {"https://${host}${target}", "/", "http://[2001:DB8::0:1]:80/a", "https://[2001:db8::1]/a"},
    {"https://${host}:${port}${target}", "/", "/a", "https://www.example:8443/a"},
    {"${scheme}://${host}/", "/", "/a", "https://www.example/"},

    /* the parts */
    {"/new${remainder}", "/old", "/old", "/new"},
    {"/new${remainder}", "/old", "/old/", "/new/"},
    {"/new${remainder}", "/old", "/old/a%20b/c?d", "/new/a%20b/c"},
    {"/new${remainder}", "/", "/a", "/new/a"},
    {"/new${remainder}", "/", "/", "/new/"},
    {"/new${remainder}", "/old", "/x/../old/./a", "/new/a"},
    {"/new${remainder}?${query}", "/old", "/old/a?b=c", "/new/a?b=c"},
    {"/new${remainder}?${query}", "/old", "/old/a", "/new/a"},
    {"/new${remainder}?${query}", "/old", "/old/a?", "/new/a"},
    {"/new?to=${path}", "/", "/a%2fb/./c", "/new?to=/a%2fb/c"},
    {"/new?a&${query}", "/", "/?b", "/new?a&b"},
    {"/new?a&${query}", "/", "/", "/new?a&"},
    {"${remainder}", "/old", "/old", "/"},
    {"${remainder}", "/old", "/old/a", "/a"},
    {"${remainder}?a", "/old", "/old", "/?a"},

    /* what cannot stand in a URL is encoded */
    {"/new?${query}", "/", "/?\"<>\\^`{|}[]", "/new?%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D"},
    {"/new?${query}", "/", "/?%zz%4%41%", "/new?%25zz%254%41%25"},
    {"https://${host}${target}", "/", "/a\\b|c[d]", "https://www.example/a%5Cb%7Cc%5Bd%5D"},
    {"/new${remainder}", "/old", "/old/\"'|", "/new/%22'%7C"},

    /* never to another site */
    {"${target}", "/", "//evil.example/a", "/evil.example/a"},
    {"${target}", "/", "///evil.example", "/evil.example"},
    {"${target}", "/", "/\\evil.example", "/%5Cevil.example"},
    {"${path}", "/", "//evil.example", "/evil.example"},
    {"${path}", "/", "/%2fevil.example", "/evil.example"},
    {"${path}", "/", "/.//evil.example", "/evil.example"},
    {"${path}", "/", "/a/..//evil.example", "/evil.example"},
    {"${remainder}", "/old", "/old//evil.example", "/evil.example"},
    {"${remainder}", "/old", "/old/%2fevil.example", "/evil.example"},
    {"/${query}", "/", "/?/evil.example", "/evil.example"},
    {"${query}", "/", "/?https://evil.example", "/https://evil.example"},
    {"${query}", "/", "/?//evil.example", "/evil.example"},
    {"${query}", "/", "/", "/"},
    {"https://a.example${remainder}", "/old", "/old/@evil.example",
     "https://a.example/@evil.example"},
    {"https://a.example${remainder}", "/", "/.evil.example", "https://a.example/.evil.example"},
    {"https://a.example${query}", "/", "/?.evil.example", "https://a.example/?.evil.example"},
    {"https://a.example${query}", "/", "/?@evil.example", "https://a.example/?@evil.example"},
    {"https://${host}${remainder}${query}", "/old", "/old?.b", "https://www.example/?.b"},
    {"https://${host}${target}", "/", "//evil.example/", "https://www.example//evil.example/"},
};

static void serve_redirect(struct served *s, struct conf_redirect *redirect,
			   struct conf_location *at, const char *url, const char *path)
{
	static struct conf_host host;
	*redirect = (struct conf_redirect){.status = 308, .url = url};
	*at = (struct conf_location){.path = TEXT(path),
				     .handler = CONF_REDIRECT,
				     .methods = CONF_METHODS_ANY,
				     .options = redirect};
	host = (struct conf_host){.locations = at, .locations_count = 1};
	serve(s, &host, 1);
}

/* The Location of the answer; NULL: it has none. */
static const char *location_of(const struct served *s, char out[16384])
{
	const char *field = strstr(peer_out(s->peer), "\r\nLocation: ");
	if (field == NULL)
		return NULL;
	field += strlen("\r\nLocation: ");
	const size_t len = strcspn(field, "\r\n");
	memcpy(out, field, len);
	out[len] = '\0';
	return out;
}

static void each_request_is_sent_where_it_belongs(void **state)
{
	char got[16384], request[2048];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_redirect redirect;
		struct conf_location at;
		struct served s;
		serve_redirect(&s, &redirect, &at, cases[i].url, cases[i].location);
		(void)snprintf(request, sizeof(request),
			       "GET %s HTTP/1.1\r\nHost: Www.Example.:8443\r\n\r\n",
			       cases[i].target);
		peer_send(s.peer, request);
		const char *location = location_of(&s, got);
		if (location == NULL || strcmp(location, cases[i].want) != 0)
			fail_msg("%s of %s: %s", cases[i].url, cases[i].target, location);
		assert_int_equal(s.peer->status, 308);
		assert_int_equal(peer_phase(s.peer), PROTO_IDLE);
		serve_end(&s);
	}
}

static void without_a_host_there_is_none_to_name(void **state)
{
	struct conf_redirect redirect;
	struct conf_location at;
	struct served s;
	char got[16384], request[2048], name[500];
	(void)state;
	serve_redirect(&s, &redirect, &at, "https://${host}${target}", "/");
	peer_send(s.peer, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_int_equal(s.peer->status, 400);
	assert_int_equal(s.peer->refusal, REFUSE_HOST_MISSING);
	assert_null(location_of(&s, got));
	assert_int_equal(peer_phase(s.peer), PROTO_IDLE);
	peer_out_clear(s.peer);
	peer_send(s.peer, "GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
	assert_string_equal(location_of(&s, got), "https://a/a");

	memset(name, 'a', 300);
	name[300] = '\0';
	(void)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
	peer_out_clear(s.peer);
	peer_send(s.peer, request);
	assert_int_equal(s.peer->status, 400);
	assert_int_equal(s.peer->refusal, REFUSE_HOST_FORM);
	serve_end(&s);

	serve_redirect(&s, &redirect, &at, "https://other.example${target}", "/");
	peer_send(s.peer, "GET /a HTTP/1.0\r\n\r\n");
	assert_string_equal(location_of(&s, got), "https://other.example/a");
	serve_end(&s);
}

static void plain_http_has_its_scheme(void **state)
{
	struct conf_redirect redirect;
	struct conf_location at;
	struct served s;
	char got[16384];
	(void)state;
	serve_redirect(&s, &redirect, &at, "${scheme}://new.example:${port}${target}", "/");
	s.peer->client.tls = NULL;
	peer_send(s.peer, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_string_equal(location_of(&s, got), "http://new.example:8443/a");
	serve_end(&s);
}

/* A byte is written as it is, or as three; the longest URL has 8192. */
static void a_url_has_a_bound(void **state)
{
	static const struct {
		const char *url, *before;
		size_t own;
	} all[] = {{"https://h.example${target}", "/", 17},
		   {"/new${remainder}", "/", 4},
		   {"/?${query}", "/?", 2},
		   {"${target}", "/", 0}};
	static char request[20000], got[16384];
	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (unsigned triple = 0; triple < 2; triple++)
			for (size_t len = 8180 - all[i].own; len <= 8200; len++) {
				struct conf_redirect redirect;
				struct conf_location at;
				struct served s;
				const size_t n = triple ? len / 3 : len;
				size_t at_byte;
				serve_redirect(&s, &redirect, &at, all[i].url, "/");
				s.peer->limits.head_bytes = 16384;
				at_byte = (size_t)sprintf(request, "GET %s", all[i].before);
				memset(request + at_byte, triple ? '"' : 'a', n);
				(void)strcpy(request + at_byte + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
				peer_send(s.peer, request);
				const char *location = location_of(&s, got);
				const size_t slash = all[i].url[1] != '?';
				const size_t whole = all[i].own + slash + (triple ? n * 3 : n);
				assert_int_equal(s.peer->status, whole <= 8192 ? 308 : 414);
				assert_int_equal(location != NULL ? strlen(location) : 0,
						 whole <= 8192 ? whole : 0);
				assert_int_equal(s.peer->refusal, whole <= 8192
								      ? REFUSE_NOT
								      : REFUSE_REDIRECT_TOO_LONG);
				serve_end(&s);
			}
}

/* Whatever a client sends, the head has the lines that it should have. */
static void no_byte_splits_a_response(void **state)
{
	struct conf_redirect redirect;
	struct conf_location at;
	char got[16384];
	(void)state;
	for (unsigned c = 1; c < 256; c++)
		for (unsigned form = 0; form < 3; form++) {
			struct served s;
			char request[128];
			static const char *const before[] = {"GET /a", "GET /?a",
							     "GET / HTTP/1.1\r\nHost: a"};
			static const char *const after[] = {"X: HTTP/1.1\r\nHost: a\r\n\r\n",
							    "X: HTTP/1.1\r\nHost: a\r\n\r\n",
							    "X\r\n\r\n"};
			serve_redirect(&s, &redirect, &at, "https://${host}${path}?${query}", "/");
			const int n =
			    sprintf(request, "%s%c%s", before[form], (char)c, after[form]);
			peer_give(s.peer, request, (size_t)n);
			peer_run(s.peer);
			const char *location = location_of(&s, got);
			if (location != NULL) {
				assert_int_equal(strspn(location,
							"abcdefghijklmnopqrstuvwxyz"
							"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
							"-._~!$&'()*+,;=:@/?%"),
						 strlen(location));
				assert_int_equal(s.peer->status, 308);
			}
			assert_null(strstr(peer_out(s.peer), "\nX"));
			serve_end(&s);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_request_is_sent_where_it_belongs),
	    cmocka_unit_test(without_a_host_there_is_none_to_name),
	    cmocka_unit_test(plain_http_has_its_scheme),
	    cmocka_unit_test(a_url_has_a_bound),
	    cmocka_unit_test(no_byte_splits_a_response),
	};
	return cmocka_run_group_tests_name("redirections", tests, NULL, NULL);
}
