/* Refused requests: the answer, and whether the connection stays open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "../http_peer.h"

#define H     "Host: a\r\n"
#define GET   "GET / HTTP/1.1\r\n" H "\r\n"
#define CL5   "Content-Length: 5\r\n"
#define CHUNK "Transfer-Encoding: chunked\r\n"

struct error_case {
	const char *request;
	unsigned status;
	bool close;
};

static const struct error_case cases[] = {
    {"GET /none HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET /none HTTP/1.0\r\n\r\n", 404, true},
    {"POST /none HTTP/1.1\r\n" H CL5 "\r\nhello", 404, false},
    {"POST /none HTTP/1.1\r\n" H CHUNK "\r\n5\r\nhello\r\n0\r\n\r\n", 404, false},
    {"POST /none HTTP/1.1\r\n" H CL5 "Expect: 100-continue\r\n\r\n", 404, true},
    {"POST /none HTTP/1.1\r\n" H CL5 "Expect: 100-continue\r\n\r\nhello", 404, true},
    {"POST / HTTP/1.1\r\n" H CL5 "\r\nhello", 405, false},
    {"POST / HTTP/1.1\r\n" H CL5 "Expect: 100-continue\r\n\r\n", 405, true},
    {"DELETE / HTTP/1.1\r\n" H "\r\n", 405, false},
    {"TRACE / HTTP/1.1\r\n" H "\r\n", 405, false},
    {"CONNECT a:443 HTTP/1.1\r\n" H "\r\n", 405, true},
    {"BREW / HTTP/1.1\r\n" H "\r\n", 501, true},
    {"GET / HTTP/3.0\r\n" H "\r\n", 505, true},
    {"GET / HTTP/1.1\n", 400, true},
    {"GET /%zz HTTP/1.1\r\n" H "\r\n", 400, true},
    {"GET /%00 HTTP/1.1\r\n" H "\r\n", 400, true},
    {"GET /../etc/passwd HTTP/1.1\r\n" H "\r\n", 400, true},
    {"GET / HTTP/1.1\r\n" H "Expect: a-pony\r\n" CL5 "\r\nhello", 417, true},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 100001\r\n\r\n", 413, true},
    {"POST /none HTTP/1.1\r\n" H "Content-Length: 100001\r\n\r\n", 413, true},
    {"POST /none HTTP/1.1\r\n" H "Content-Length: 99999999999999\r\nExpect: 100-continue\r\n\r\n",
     413, true},
    {"POST /echo HTTP/1.1\r\n" H CHUNK "\r\n186a1\r\n", 413, true},
    {"POST /none HTTP/1.1\r\n" H CHUNK "\r\n5\r\nhello\r\n1869c\r\n", 413, true},
    {"POST /echo HTTP/1.1\r\n" H CHUNK "\r\nffffffffffffffff\r\nx", 413, true},
    {"POST /echo HTTP/1.1\r\n" H CHUNK "\r\nx\r\n", 400, true},
    {"POST /none HTTP/1.1\r\n" H CHUNK "\r\nx\r\n", 400, true},
    {"POST /none HTTP/1.1\r\n" H CHUNK "\r\n5\r\nhelloo\r\n", 400, true},
    {"POST /echo HTTP/1.1\r\n" H CHUNK "\r\n5\r\nhelloo\r\n", 400, true},
    {"POST / HTTP/1.1\r\n" H CL5 CHUNK "\r\nhello", 400, true},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, true},
};

/* The answer has the status, a body of one line, and Connection: close where the connection
 * ends. */
static void assert_answer(const struct peer *p, unsigned status, bool close)
{
	char start[80], body[80];
	const char *out = peer_out(p), *end = strstr(out, "\r\n\r\n");
	int n = snprintf(body, sizeof(body), "%u %s\n", status, http_reason(status));
	(void)snprintf(start, sizeof(start), "HTTP/1.1 %u %s\r\nDate: ", status,
		       http_reason(status));
	assert_memory_equal(out, start, strlen(start));
	assert_non_null(end);
	assert_memory_equal(end + 4, body, (size_t)n);
	(void)snprintf(start, sizeof(start), "\r\nContent-Length: %d\r\n", n);
	assert_non_null(strstr(out, start));
	assert_non_null(strstr(out, "\r\nContent-Type: text/plain\r\n"));
	const char *closing = strstr(out, "\r\nConnection: close\r\n");
	assert_int_equal(closing != NULL && closing < end, close);
	const char *allow = strstr(out, "\r\nAllow: ");
	assert_int_equal(allow != NULL && allow < end, status == 405);
}

static void refusals_have_their_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct error_case *c = &cases[i];
		struct peer *p = peer_new();
		peer_add(p, c->request);
		peer_add(p, GET);
		peer_run(p);
		assert_answer(p, c->status, c->close);
		const char *second = strstr(peer_out(p) + 8, "HTTP/1.1 200 OK");
		assert_int_equal(second == NULL, c->close);
		assert_int_equal(peer_phase(p), c->close ? PROTO_CLOSING : PROTO_IDLE);
		if (c->close && strstr(c->request, "HTTP/1.0") == NULL)
			assert_true(http1_ops.lingers(&p->http1.proto));
		assert_int_equal(p->done, c->close ? 1 : 2);
		assert_int_equal(p->begun, p->done);
		if (c->close)
			assert_int_equal(p->status, c->status);
		peer_free(p);
	}
}

/* Byte by byte, pulled after each: the same status, or the connection broken off where the answer
 * had begun. */
static void refusals_come_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct error_case *c = &cases[i];
		struct peer *p = peer_new();
		const char *out = peer_out(p);
		for (size_t at = 0; c->request[at] != '\0'; at++) {
			peer_give(p, c->request + at, 1);
			peer_run(p);
		}
		out = peer_out(p);
		if (peer_phase(p) == PROTO_ABORTED)
			assert_memory_equal(out, "HTTP/1.1 200 OK", 15);
		else
			assert_answer(p, c->status, c->close);
		peer_free(p);
	}
}

static void limits_of_the_head(void **state)
{
	struct peer *p = peer_new();
	char text[6000];
	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "GET /", 5);
	peer_give(p, text, 3000);
	assert_int_equal(peer_phase(p), PEER_HEAD);
	peer_give(p, text + 3000, 3000);
	peer_run(p);
	assert_answer(p, 414, true);
	assert_int_equal(p->refusal, REFUSE_TARGET_TOO_LONG);
	peer_free(p);

	p = peer_new();
	memcpy(text, "PUT / HTTP/1.1\r\nX: ", 19);
	peer_give(p, text, sizeof(text));
	peer_run(p);
	assert_answer(p, 431, true);
	assert_string_equal(p->method, "PUT");
	peer_free(p);

	p = peer_new(); /* a method that is longer than a head */
	memset(text, 'M', sizeof(text));
	peer_give(p, text, sizeof(text));
	peer_run(p);
	assert_answer(p, 501, true);
	peer_free(p);
}

/* A request line that fits the head is served; RFC 9112, 3 recommends at least 8000 bytes. */
static void targets_are_as_long_as_the_head(void **state)
{
	static const size_t lengths[] = {4095, 4096, 4097, 8000, 8191, 16300, 65400};
	static char text[LIMIT_HEAD_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = lengths[i];
		struct peer *p = peer_new();
		p->limits.head_bytes = len + 30;
		memset(text, 'x', sizeof(text));
		memcpy(text, "GET /test/", 10);
		memcpy(text + 4 + len, " HTTP/1.1\r\nHost: a\r\n\r\n", 22);
		p->location = (struct http_location){.handler = &handler_echo};
		peer_give(p, text, 4 + len + 22);
		peer_run(p);
		assert_memory_equal(peer_out(p), "HTTP/1.1 200 OK\r\n", 17);
		const char *path = strstr(peer_out(p), "\"path\":\"/test/x");
		assert_non_null(path);
		assert_int_equal(strspn(path + 14, "x"), len - 6);
		peer_free(p);
	}
}

static void options_are_told(void **state)
{
	static const struct {
		const char *request;
		const char *allow;
	} asked[] = {
	    {"OPTIONS / HTTP/1.1\r\n" H "\r\n", "Allow: GET, HEAD, OPTIONS\r\n\r\n"},
	    {"OPTIONS / HTTP/1.1\r\n" H CL5 "\r\nhello", "Allow: GET, HEAD, OPTIONS\r\n\r\n"},
	    {"OPTIONS * HTTP/1.1\r\n" H "\r\n",
	     "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n\r\n"},
	};
	struct peer *p;
	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		char want[256];
		p = peer_new();
		peer_send(p, asked[i].request);
		(void)snprintf(want, sizeof(want),
			       "HTTP/1.1 204 No Content\r\nDate: " PEER_DATE "\r\n%s",
			       asked[i].allow);
		assert_string_equal(peer_out(p), want);
		assert_int_equal(peer_phase(p), PROTO_IDLE);
		peer_free(p);
	}
	p = peer_new();
	peer_send(p, "OPTIONS /none HTTP/1.1\r\n" H "\r\n");
	assert_answer(p, 404, false);
	peer_free(p);
	p = peer_new(); /* echo answers OPTIONS itself */
	peer_send(p, "OPTIONS /echo HTTP/1.1\r\n" H CL5 "\r\nhello");
	assert_non_null(strstr(peer_out(p), "\r\n\r\nhello"));
	peer_free(p);
	p = peer_new();
	peer_send(p, "TRACE /echo HTTP/1.1\r\n" H "\r\n");
	assert_non_null(
	    strstr(peer_out(p), "\r\nAllow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"));
	peer_free(p);
}

static void refusals_of_head_have_no_body(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_send(p, "HEAD /none HTTP/1.1\r\n" H "\r\n");
	assert_string_equal(peer_out(p),
			    "HTTP/1.1 404 Not Found\r\nDate: " PEER_DATE
			    "\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n");
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_free(p);
}

static void bytes_behind_a_refusal_are_dropped(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_add(p, "POST / HTTP/1.1\r\n" H "Content-Length: x\r\n\r\n");
	assert_false(http1_ops.wants_input(&p->http1.proto));
	peer_add(p, GET);
	assert_int_equal(p->in_len, 0);
	peer_run(p);
	peer_add(p, GET);
	assert_int_equal(p->in_len, 0);
	peer_run(p);
	assert_answer(p, 400, true);
	assert_int_equal(p->begun, 1);
	peer_free(p);
}

/* The answer has begun: there is no second one, and no clean end that would make it look whole. */
static void broken_body_breaks_a_begun_response(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_send(p, "POST /echo HTTP/1.1\r\n" H CHUNK "\r\n5\r\nhello\r\n");
	peer_send(p, "x\r\n");
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	assert_null(strstr(peer_out(p), "0\r\n\r\n"));
	assert_null(strstr(peer_out(p), "400"));
	assert_int_equal(p->done, 1);
	assert_int_equal(p->status, 200);
	assert_int_equal(p->body_sent, 5);
	peer_free(p);

	p = peer_new();
	p->limits.body_bytes = 8;
	peer_send(p, "POST /echo HTTP/1.1\r\n" H CHUNK "\r\n5\r\nhello\r\n");
	peer_send(p, "4\r\n");
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	peer_free(p);

	p = peer_new(); /* complete already: only the rest of the body is broken */
	peer_send(p, "HEAD /echo HTTP/1.1\r\n" H CHUNK "\r\n5\r\nhello\r\n");
	peer_send(p, "x\r\n");
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_true(http1_ops.lingers(&p->http1.proto));
	assert_int_equal(p->done, 1);
	peer_free(p);
}

static void limits_run_out(void **state)
{
	const struct proto_ops *ops = &http1_ops;
	struct peer *p = peer_new();
	(void)state;
	peer_expire(p);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_false(ops->lingers(&p->http1.proto));
	peer_run(p);
	assert_int_equal(p->out_len, 0);
	assert_int_equal(p->begun, 0);
	peer_free(p);

	p = peer_new();
	peer_add(p, "GET / HTTP/1.1\r\nHo");
	assert_int_equal(peer_phase(p), PEER_HEAD);
	peer_expire(p);
	peer_run(p);
	assert_answer(p, 408, true);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_true(ops->lingers(&p->http1.proto));
	assert_int_equal(p->done, 1);
	assert_int_equal(p->status, 408);
	assert_string_equal(p->method, "");
	peer_free(p);

	p = peer_new();
	peer_send(p, "POST /none HTTP/1.1\r\n" H CL5 "\r\nhel");
	assert_int_equal(peer_phase(p), PEER_BODY);
	peer_expire(p);
	peer_run(p);
	assert_answer(p, 408, true);
	peer_free(p);

	p = peer_new();
	peer_send(p, "POST /echo HTTP/1.1\r\n" H CL5 "\r\nhel");
	peer_expire(p);
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	assert_int_equal(p->done, 1);
	peer_free(p);

	p = peer_new(); /* answered, and the rest of the body does not come */
	peer_send(p, "HEAD /echo HTTP/1.1\r\n" H CL5 "\r\nhel");
	peer_expire(p);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_true(ops->lingers(&p->http1.proto));
	peer_free(p);

	p = peer_new(); /* complete: it is not the client that is waited for */
	peer_add(p, GET);
	assert_true(ops->deadline(&p->http1.proto, 1) > p->limits.body_ms + p->limits.head_ms + 1);
	assert_null(ops->expired(&p->http1.proto, p->limits.body_ms + p->limits.head_ms + 1));
	peer_run(p);
	assert_int_equal(p->status, 200);
	peer_free(p);
}

/* No byte of a bad request comes back. */
static void client_bytes_stay_away(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_send(p, "ZQZQ /ZQZQ?ZQZQ HTTP/1.1\r\nHost: ZQZQ\r\nZQZQ: ZQZQ\r\n\r\n");
	assert_answer(p, 501, true);
	assert_null(strstr(peer_out(p), "ZQ"));
	peer_free(p);
	p = peer_new();
	peer_send(p, "GET /ZQZQ HTTP/1.1\r\nHost: ZQZQ\r\n\r\n");
	assert_answer(p, 404, false);
	assert_null(strstr(peer_out(p), "ZQ"));
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refusals_have_their_answers),
	    cmocka_unit_test(refusals_come_byte_by_byte),
	    cmocka_unit_test(limits_of_the_head),
	    cmocka_unit_test(targets_are_as_long_as_the_head),
	    cmocka_unit_test(options_are_told),
	    cmocka_unit_test(refusals_of_head_have_no_body),
	    cmocka_unit_test(bytes_behind_a_refusal_are_dropped),
	    cmocka_unit_test(broken_body_breaks_a_begun_response),
	    cmocka_unit_test(limits_run_out),
	    cmocka_unit_test(client_bytes_stay_away),
	};
	return cmocka_run_group_tests_name("http1 errors", tests, NULL, NULL);
}
