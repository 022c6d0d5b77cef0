/* What of the head of an upstream's response goes to the client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../proxy_head.h"

enum { KEEP_SERVER = 1, VIA = 2, CHUNKED = 4, TLS = 8, UPGRADE = 16, NO_DATE = 32 };

struct response_case {
	unsigned flags;
	const char *status;
	const char *sent; /* fields */
	const char *want; /* those for the client */
};

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define PLAIN(sent, want)                         \
	{                                         \
		NO_DATE, "1.1 200 OK", sent, want \
	}
#define SAME(text) PLAIN(text, text)

static const struct response_case cases[] = {
    SAME("A: 1\r\nB: 2\r\na: 3\r\nA: \r\n"),
    SAME("Set-Cookie: a=b; Path=/; Secure\r\nSet-Cookie: c=d; Domain=x\r\n"),
    SAME("Content-Type: text/html\r\nContent-Encoding: gzip\r\nETag: \"a\"\r\nVary: *\r\n"),
    SAME("Cache-Control: max-age=5\r\nAge: 3\r\nExpires: 0\r\nWWW-Authenticate: Basic\r\n"),
    SAME("X-Forwarded-For: a\r\nX-Request-Id: b\r\nVia: 1.1 c\r\nX_A: d\r\n"),
    PLAIN("A : 1\r\nB:2\r\nC:\t 3 \r\n", "A: 1\r\nB: 2\r\nC: 3\r\n"),
    /* of the connection: RFC 9110, 7.6.1 */
    PLAIN("Connection: close\r\nA: 1\r\n", "A: 1\r\n"),
    PLAIN("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: a\r\n", ""),
    PLAIN("Connection: A, b,,c\r\nA: 1\r\nB: 2\r\nC: 3\r\nA: 4\r\nD: 5\r\n", "D: 5\r\n"),
    PLAIN("Connection: Content-Length, Date\r\nContent-Length: 5\r\nA: 1\r\n", "A: 1\r\n"),
    PLAIN("Proxy-Authenticate: Basic\r\nProxy-Authentication-Info: a\r\nTE: trailers\r\n", ""),
    PLAIN("Upgrade: h2,h2c\r\nConnection: Upgrade\r\n", ""),
    PLAIN("Upgrade: websocket\r\n", ""),
    {NO_DATE, "1.1 426 x", "Upgrade: foo\r\nConnection: Upgrade\r\n", "Upgrade: foo\r\n"},
    {NO_DATE | UPGRADE, "1.1 101 x",
     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n",
     "Upgrade: websocket\r\nSec-WebSocket-Accept: a\r\n"},
    /* framing is made anew, except the length of what a 304 is about */
    PLAIN("Content-Length: 5\r\n", ""),
    PLAIN("Content_Length: 5\r\nTransfer_Encoding: chunked\r\n", ""),
    PLAIN("Transfer-Encoding: chunked\r\nTrailer: A\r\n", "Trailer: A\r\n"),
    PLAIN("Content-Length: 5\r\nTrailer: A\r\n", ""),
    {NO_DATE, "1.1 304 x", "Content-Length: 5\r\nETag: \"a\"\r\n",
     "Content-Length: 5\r\nETag: \"a\"\r\n"},
    {NO_DATE, "1.1 204 x", "Content-Length: 0\r\n", ""},
    {NO_DATE, "1.1 103 x", "Link: </a>; rel=preload\r\nConnection: B\r\nB: 1\r\n",
     "Link: </a>; rel=preload\r\n"},
    /* Date: RFC 9110, 6.6.1 */
    {0, "1.1 200 OK", DATE "A: 1\r\n", DATE "A: 1\r\n"},
    {0, "1.1 200 OK", "Date: Sunday, 06-Nov-94 08:49:37 GMT\r\n",
     "Date: Sunday, 06-Nov-94 08:49:37 GMT\r\n"},
    {0, "1.1 200 OK", DATE DATE, DATE},
    {0, "1.1 200 OK", "Date: now\r\n" DATE, DATE},
    PLAIN("Date: now\r\n", ""),
    PLAIN("Date:\r\n", ""),
    PLAIN("Connection: Date\r\n" DATE, ""),
    SAME("X_Date: a\r\n"),
    /* Server and Via, as the configuration says */
    PLAIN("Server: nginx\r\nA: 1\r\n", "A: 1\r\n"),
    {NO_DATE | KEEP_SERVER, "1.1 200 OK", "Server: nginx\r\n", "Server: nginx\r\n"},
    {NO_DATE | VIA, "1.1 200 OK", "Via: 1.1 a\r\n", "Via: 1.1 a\r\nVia: 1.1 bulkhead\r\n"},
    {NO_DATE | VIA, "1.0 200 OK", "", "Via: 1.0 bulkhead\r\n"},
};

/* The fields that the client gets, as lines. */
static const char *walk(struct proxy_head *p, unsigned flags, const char *status, const char *sent,
			bool *ret_date)
{
	static char head[4096], out[8192];
	static struct upstream_response r;
	struct upstream_asked asked = {0};
	struct proxy_walk w;
	struct http_header h;
	size_t scan = 0, n = 0;
	if ((flags & UPGRADE) != 0)
		asked = (struct upstream_asked){.upgrade = "websocket", .upgrade_len = 9};
	const int len = snprintf(head, sizeof(head), "HTTP/%s\r\n%s\r\n", status, sent);
	if (upstream_response_parse(head, (size_t)len, sizeof(head), &scan, &asked, &r) != len)
		fail_msg("not parsed: %s", head);
	assert_true(proxy_walk_begin(&w, p->ex, &p->place, &p->target, &r));
	out[0] = '\0';
	while (proxy_walk_next(&w, &h))
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s: %.*s\r\n", (int)h.name_len,
				      h.name, (int)h.value_len, h.value);
	*ret_date = w.has_date;
	return out;
}

static void begin(struct proxy_head *p, const char *head)
{
	assert_true(proxy_head_begin(p, head, strlen(head)));
}

static void each_field_goes_on_or_not(void **state)
{
	(void)state;
	struct proxy_head *p = proxy_head_new(NULL);
	unsigned failed = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct response_case *c = &cases[i];
		bool date;
		p->conf.keep_server = (c->flags & KEEP_SERVER) != 0;
		p->conf.via = (c->flags & VIA) != 0;
		begin(p, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		const char *got = walk(p, c->flags, c->status, c->sent, &date);
		if (strcmp(got, c->want) == 0 && date == ((c->flags & NO_DATE) == 0))
			continue;
		failed++;
		print_message("--- sent\n%s\n%s--- got\n%s--- want\n%s\n", c->status, c->sent, got,
			      c->want);
	}
	assert_int_equal(failed, 0);
	proxy_head_free(p);
}

static void connection_names_only_so_many_fields(void **state)
{
	(void)state;
	char head[1024];
	static struct upstream_response r;
	const struct upstream_asked asked = {0};
	struct proxy_walk w;
	struct proxy_head *p = proxy_head_new(NULL);
	begin(p, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	for (int extra = 0; extra < 2; extra++) {
		size_t scan = 0;
		int len = snprintf(head, sizeof(head), "HTTP/1.1 200 x\r\nConnection: a");
		for (int i = 1; i < UPSTREAM_OPTIONS_MAX + extra; i++)
			len += snprintf(head + len, sizeof(head) - (size_t)len, ",a");
		len += snprintf(head + len, sizeof(head) - (size_t)len, "\r\n\r\n");
		assert_int_equal(
		    upstream_response_parse(head, (size_t)len, 2048, &scan, &asked, &r), len);
		assert_int_equal(proxy_walk_begin(&w, p->ex, &p->place, &p->target, &r), !extra);
	}
	proxy_head_free(p);
}

/* --- Location --------------------------------------------------------------------------------- */

/* The client came to http://public.example, the upstream is http://10.0.0.9:9000. */
static const struct {
	const char *from, *to;   /* `path replace`; NULL: none */
	const char *sent, *want; /* NULL: as it was sent */
} locations[] = {
    {NULL, NULL, "/a", NULL},
    {NULL, NULL, "a", NULL},
    {NULL, NULL, "?a", NULL},
    {NULL, NULL, "#a", NULL},
    {NULL, NULL, "", NULL},
    {NULL, NULL, "//10.0.0.9:9000/a", NULL},
    {NULL, NULL, "http://other.example/a", NULL},
    {NULL, NULL, "http://public.example/a", NULL},
    {NULL, NULL, "https://10.0.0.9:9000/a", NULL},
    {NULL, NULL, "http://10.0.0.9/a", NULL},
    {NULL, NULL, "http://10.0.0.9:9000/a?b#c", "/a?b#c"},
    {NULL, NULL, "HTTP://10.0.0.9:9000/a", "/a"},
    {NULL, NULL, "http://10.0.0.9:9000", "/"},
    {NULL, NULL, "http://10.0.0.9:9000/", "/"},
    {NULL, NULL, "http://10.0.0.9:9000?a", "/?a"},
    {NULL, NULL, "http://10.0.0.9:9000#a", "/#a"},
    {NULL, NULL, "http://10.0.0.9:90001/a", NULL},
    {NULL, NULL, "http://10.0.0.9:9000.evil/a", NULL},
    {NULL, NULL, "http://10.0.0.9:9000@evil/a", NULL},
    {NULL, NULL, "http://10.0.0.9:9000//evil/a", "/.//evil/a"},
    {NULL, NULL, "http://10.0.0.9:9000/\\evil/a", "/./\\evil/a"},
    /* path strip "/v2" */
    {"/v2", "/", "/a", "/v2/a"},
    {"/v2", "/", "/", "/v2/"},
    {"/v2", "/", "/?a", "/v2/?a"},
    {"/v2", "/", "/v2/a", NULL},
    {"/v2", "/", "/v2", NULL},
    {"/v2", "/", "/v22", "/v2/v22"},
    {"/v2", "/", "a", NULL},
    {"/v2", "/", "//evil/a", NULL},
    {"/v2", "/", "http://10.0.0.9:9000/a", "/v2/a"},
    {"/v2", "/", "http://10.0.0.9:9000/v2/a", "/v2/a"},
    {"/v2", "/", "http://10.0.0.9:9000", "/v2/"},
    {"/v2", "/", "http://10.0.0.9:9000?a", "/v2/?a"},
    {"/v2", "/", "/\\evil/a", NULL},
    {"/v2", "/", "http://10.0.0.9:9000//evil/a", "/v2//evil/a"},
    {"/", "/app", "/app//evil", "/.//evil"},
    {"/", "/app", "http://10.0.0.9:9000/app//evil", "/.//evil"},
    {"/", "/app", "http://public.example/app//b", "http://public.example//b"},
    {"/v2", "/", "http://public.example/a?b", "http://public.example/v2/a?b"},
    {"/v2", "/", "http://public.example/v2/a", NULL},
    {"/v2", "/", "http://Public.Example/a", "http://Public.Example/v2/a"},
    {"/v2", "/", "https://public.example/a", NULL},
    {"/v2", "/", "http://other.example/a", NULL},
    /* path replace */
    {"/v2", "/app", "/app/a", "/v2/a"},
    {"/v2", "/app", "/app", "/v2"},
    {"/v2", "/app", "/app?a", "/v2?a"},
    {"/v2", "/app", "/apple", NULL},
    {"/v2", "/app", "/b", NULL},
    {"/v2", "/app", "http://10.0.0.9:9000/b", "/b"},
    {"/v2", "/app/", "/app/a", "/v2/a"},
    {"/", "/app", "/app/a", "/a"},
    {"/", "/app", "/app", "/"},
    {"/", "/app", "/app/", "/"},
    {"/a b", "/", "/c", "/a%20b/c"},
    {"/v2", "/v2/x", "/v2/x/a", "/v2/a"},
};

static void a_location_leads_back_to_where_the_client_is(void **state)
{
	(void)state;
	struct proxy_head *p = proxy_head_new(NULL);
	unsigned failed = 0;
	for (size_t i = 0; i < sizeof(locations) / sizeof(locations[0]); i++) {
		char sent[256], want[256];
		bool date;
		const char *to = locations[i].want != NULL ? locations[i].want : locations[i].sent;
		p->conf.path_from = locations[i].from;
		p->conf.path_to = locations[i].to;
		begin(p, "GET /v2/x HTTP/1.1\r\nHost: public.example\r\n\r\n");
		for (unsigned n = 0; n < 2; n++) {
			const char *name = n == 0 ? "Location" : "Content-Location";
			(void)snprintf(sent, sizeof(sent), "%s: %s\r\n", name, locations[i].sent);
			(void)snprintf(want, sizeof(want), "%s: %s\r\n", name, to);
			const char *got = walk(p, 0, "1.1 302 x", sent, &date);
			if (strcmp(got, want) == 0)
				continue;
			failed++;
			print_message("%s -> %s: %s gives %s not %s",
				      locations[i].from != NULL ? locations[i].from : "-",
				      locations[i].to != NULL ? locations[i].to : "-", sent, got,
				      want);
		}
	}
	assert_int_equal(failed, 0);
	proxy_head_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_field_goes_on_or_not),
	    cmocka_unit_test(connection_names_only_so_many_fields),
	    cmocka_unit_test(a_location_leads_back_to_where_the_client_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
