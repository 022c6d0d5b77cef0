/* The pages of errors: which one a response gets, and what of it stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "served.h"

#define PAGE(text)                                                                              \
	&(const struct conf_respond)                                                            \
	{                                                                                       \
		.body = text, .body_len = sizeof(text) - 1, .type = "text/x-" text, .status = 0 \
	}
static uint32_t not_found[] = {404},
		some[] = {400, 404, 405, 408, 413, 421, 431, 500, 501, 503, 505};
#define ERROR(of, text)                                                           \
	{                                                                         \
		.statuses = (of), .statuses_count = sizeof(of) / sizeof((of)[0]), \
		.respond = PAGE(text)                                             \
	}

static struct conf_error port_errors[] = {ERROR(some, "port")};
static struct conf_error host_errors[] = {ERROR(not_found, "host")};
static struct conf_error location_errors[] = {ERROR(not_found, "location")};

static struct conf_header retry[] = {{"Retry-After", "5"}, {"ETag", "\"a\""}, {"X-Kept", "b"}};

#define STATUS(where, code)                                                 \
	{                                                                   \
		.path = TEXT(where), .handler = CONF_RESPOND, .methods = 3, \
		.options = &(const struct conf_respond){.body = "own",      \
							.body_len = 3,      \
							.type = "text/own", \
							.headers = retry,   \
							.headers_count = 3, \
							.status = (code)},  \
	}

static struct conf_location at_port[] = {STATUS("/404", 404), STATUS("/503", 503),
					 STATUS("/403", 403), STATUS("/200", 200),
					 STATUS("/204", 204)};
static struct conf_location at_host[] = {{.path = TEXT("/own"),
					  .handler = CONF_RESPOND,
					  .methods = 3,
					  .options = PAGE("no status"), /* which becomes 500 */
					  .errors = location_errors,
					  .errors_count = 1},
					 STATUS("/404", 404),
					 STATUS("/503", 503),
					 EXACTLY("/only", "only")};
static char *names[] = {TEXT("host")};
static struct conf_host hosts[] = {{.locations = at_port, .locations_count = 5},
				   {.names = names,
				    .names_count = 1,
				    .locations = at_host,
				    .locations_count = 4,
				    .errors = host_errors,
				    .errors_count = 1}};

static void serve_pages(struct served *s)
{
	serve_errors(s, hosts, 2, port_errors, 1);
}

/* Has the answer this body, its type, and this status? */
static void assert_page(struct served *s, const char *request, unsigned status, const char *page)
{
	char type[64];
	const char *got = ask(s, request);
	(void)snprintf(type, sizeof(type), "\r\nContent-Type: text/x-%s\r\n", page);
	if (strcmp(got, page) != 0 || s->peer->status != status)
		fail_msg("%s: %u, %s", request, s->peer->status, got);
	assert_non_null(strstr(peer_out(s->peer), type));
	assert_null(strstr(peer_out(s->peer), "text/plain"));
	assert_null(strstr(peer_out(s->peer), "text/own"));
	assert_int_equal(s->peer->body_sent, strlen(page));
}

#define GET(path, host) "GET " path " HTTP/1.1\r\nHost: " host "\r\n\r\n"

static void the_most_specific_page_wins(void **state)
{
	struct served s;
	(void)state;
	serve_pages(&s);
	assert_page(&s, GET("/none", "other"), 404, "port");
	assert_page(&s, GET("/404", "other"), 404, "port");
	assert_page(&s, GET("/none", "host"), 404, "host");
	assert_page(&s, GET("/404", "host"), 404, "host");
	assert_page(&s, GET("/503", "host"), 503, "port");
	assert_page(&s, GET("/own", "host"), 500, "port");
	assert_page(&s, "DELETE /own HTTP/1.1\r\nHost: host\r\n\r\n", 405, "port");
	assert_non_null(strstr(peer_out(s.peer), "\r\nAllow: GET, HEAD, OPTIONS\r\n"));
	serve_end(&s);
}

static void what_is_not_about_the_body_stays(void **state)
{
	struct served s;
	(void)state;
	serve_pages(&s);
	assert_page(&s, GET("/503", "a"), 503, "port");
	assert_string_equal(peer_out(s.peer),
			    "HTTP/1.1 503 Service Unavailable\r\nDate: " PEER_DATE
			    "\r\nRetry-After: 5\r\nX-Kept: b\r\nContent-Type: text/x-port\r\n"
			    "Content-Length: 4\r\n\r\nport");
	serve_end(&s);
}

/* Of a name that both have there is one line, that of the page, unless the field is a list (RFC
 * 9110, 5.3). */
static void a_field_that_both_have_comes_once(void **state)
{
	static struct conf_header own[] = {
	    {"retry-after", "1"}, {"Vary", "Accept"}, {"X-Frame-Options", "DENY"}, {"X-Own", "a"}};
	static struct conf_header paged[] = {
	    {"Retry-After", "60"}, {"Vary", "Cookie"}, {"x-frame-options", "SAMEORIGIN"}};
	static uint32_t busy[] = {503};
	const struct conf_respond respond = {.body = "own",
					     .body_len = 3,
					     .type = "text/own",
					     .headers = own,
					     .headers_count = 4,
					     .status = 503};
	const struct conf_respond page = {.body = "back soon",
					  .body_len = 9,
					  .type = "text/plain",
					  .headers = paged,
					  .headers_count = 3};
	struct conf_error errors[] = {{.statuses = busy, .statuses_count = 1, .respond = &page}};
	struct conf_location locations[] = {
	    {.path = TEXT("/"), .handler = CONF_RESPOND, .methods = 3, .options = &respond}};
	struct conf_host host = {.locations = locations, .locations_count = 1};
	struct served s;
	(void)state;
	serve_errors(&s, &host, 1, errors, 1);
	assert_string_equal(ask(&s, GET("/", "a")), "back soon");
	assert_string_equal(peer_out(s.peer),
			    "HTTP/1.1 503 Service Unavailable\r\nDate: " PEER_DATE
			    "\r\nVary: Accept\r\nX-Own: a\r\nContent-Type: text/plain\r\n"
			    "Retry-After: 60\r\nVary: Cookie\r\nx-frame-options: SAMEORIGIN\r\n"
			    "Content-Length: 9\r\n\r\nback soon");
	serve_end(&s);
}

static void other_statuses_stay_as_they_are(void **state)
{
	struct served s;
	(void)state;
	serve_pages(&s);
	assert_string_equal(ask(&s, GET("/200", "a")), "own");
	assert_string_equal(ask(&s, GET("/403", "a")), "own");
	assert_non_null(strstr(peer_out(s.peer), "ETag: \"a\"\r\n"));
	assert_string_equal(ask(&s, GET("/204", "a")), "");
	serve_end(&s);
}

static void head_has_the_head_of_get(void **state)
{
	static const char *const paths[] = {"/none", "/404", "/503"};
	struct served s;
	(void)state;
	serve_pages(&s);
	for (size_t i = 0; i < 3; i++) {
		char get[1024], request[128];
		(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
			       paths[i]);
		const char *body = ask(&s, request);
		const size_t len = (size_t)(body - peer_out(s.peer));
		memcpy(get, peer_out(s.peer), len);
		(void)snprintf(request, sizeof(request), "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n",
			       paths[i]);
		assert_string_equal(ask(&s, request), "");
		assert_int_equal(s.peer->out_len, len);
		assert_memory_equal(peer_out(s.peer), get, len);
		assert_int_equal(s.peer->body_sent, 0);
	}
	serve_end(&s);
}

static void refusals_have_the_pages_of_what_is_known(void **state)
{
	static const struct {
		const char *request;
		unsigned status;
		const char *page;
	} cases[] = {
	    {"hello\r\n\r\n", 400, "port"},
	    {"GET / HTTP/1.1\r\n\r\n", 400, "port"},
	    {"GET / HTTP/3.0\r\nHost: host\r\n\r\n", 505, "port"},
	    {"BREW / HTTP/1.1\r\nHost: host\r\n\r\n", 501, "port"},
	    {"GET /%zz HTTP/1.1\r\nHost: host\r\n\r\n", 400, "port"},
	    {"POST /own HTTP/1.1\r\nHost: host\r\nContent-Length: 100001\r\n\r\n", 413, "port"},
	    {"CONNECT host:1 HTTP/1.1\r\nHost: host\r\n\r\n", 405, "port"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct served s;
		serve_pages(&s);
		s.peer->loop.explains = true;
		assert_page(&s, cases[i].request, cases[i].status, cases[i].page);
		assert_int_equal(peer_phase(s.peer), PROTO_CLOSING);
		serve_end(&s);
	}
	struct served s;
	serve_pages(&s);
	peer_send(s.peer, "GET / HT");
	peer_expire(s.peer);
	assert_page(&s, "", 408, "port");
	serve_end(&s);
}

/* The page of a host is not for a connection that was made for another. */
static void a_misdirected_request_has_the_page_of_the_port(void **state)
{
	static uint32_t misdirected[] = {421};
	struct conf_error errors[] = {ERROR(misdirected, "secret")};
	struct conf_host own[] = {hosts[0], hosts[1]};
	struct served s;
	(void)state;
	own[1].certificates_first = 1;
	own[1].errors = errors;
	serve_errors(&s, own, 2, port_errors, 1);
	assert_page(&s, GET("/", "host"), 421, "port");
	s.peer->client.policy = 1;
	assert_page(&s, GET("/", "other"), 421, "port");
	serve_end(&s);
}

static void a_page_can_be_a_file(void **state)
{
	static const struct conf_respond file = {.file = 1}, typed = {.file = 1, .type = "a/b"};
	static uint32_t five[] = {500};
	struct conf_error errors[] = {
	    {.statuses = not_found, .statuses_count = 1, .respond = &file},
	    {.statuses = five, .statuses_count = 1, .respond = &typed}};
	struct served s;
	(void)state;
	serve_errors(&s, hosts, 1, errors, 2);
	assert_string_equal(ask(&s, GET("/none", "a")), "<p>file</p>\n");
	assert_non_null(strstr(peer_out(s.peer), "\r\nContent-Type: text/html\r\n"));
	serve_end(&s);
}

/* A body that comes in pieces, and goes out in pieces. */
static void a_long_page_is_given_in_parts(void **state)
{
	static char text[50000];
	const struct conf_respond page = {.body = text, .body_len = sizeof(text), .type = "a/b"};
	struct conf_error errors[] = {
	    {.statuses = not_found, .statuses_count = 1, .respond = &page}};
	struct served s;
	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	serve_errors(&s, hosts, 1, errors, 1);
	s.peer->pull = 700;
	const char *body =
	    ask(&s, "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	assert_memory_equal(body, text, sizeof(text));
	assert_int_equal(s.peer->body_sent, sizeof(text));
	assert_int_equal(peer_phase(s.peer), PROTO_IDLE);
	serve_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_most_specific_page_wins),
	    cmocka_unit_test(what_is_not_about_the_body_stays),
	    cmocka_unit_test(a_field_that_both_have_comes_once),
	    cmocka_unit_test(other_statuses_stay_as_they_are),
	    cmocka_unit_test(head_has_the_head_of_get),
	    cmocka_unit_test(refusals_have_the_pages_of_what_is_known),
	    cmocka_unit_test(a_misdirected_request_has_the_page_of_the_port),
	    cmocka_unit_test(a_page_can_be_a_file),
	    cmocka_unit_test(a_long_page_is_given_in_parts),
	};
	return cmocka_run_group_tests_name("pages of errors", tests, NULL, NULL);
}
