/* Every reason for a refusal: a request that causes it, its record and its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "../http_peer.h"

#define H    "Host: a\r\n"
#define GET  "GET / HTTP/1.1\r\n"
#define BODY "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
#define MANY                                                                                       \
	"x: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\n" \
	"x: y\r\n"
#define LONG_EXTENSION                                                                       \
	"0;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaa"

struct refusal_case {
	enum http_refusal why;
	unsigned status;
	const char *text;    /* of the request … */
	char fill;           /* … and if this is not NUL, as many of these as the head may have */
	bool expires;        /* its time runs out then */
	const char *line;    /* in the record: the request line, "" where it was not readable */
	const char *excerpt; /* and the part at fault; a prefix, where it is truncated */
	bool cut;
};

static const struct refusal_case cases[] = {
    {REFUSE_BARE_LF, 400, "GET / HTTP/1.1\n" H "\n", 0, 0, "", "GET / HTTP/1.1\n", 0},
    {REFUSE_BARE_LF, 400, "\n" GET H "\r\n", 0, 0, "", "\n", 0},
    {REFUSE_BARE_LF, 400, GET H "X: secret\n\r\n", 0, 0, "GET / HTTP/1.1", "X", 0},
    {REFUSE_BARE_LF, 400, GET "Host: a\n", 0, 0, "GET / HTTP/1.1", "Host", 0},
    {REFUSE_BARE_LF, 400, GET H "\n", 0, 0, "GET / HTTP/1.1", "", 0},
    {REFUSE_BARE_CR, 400, "GET / HTTP/1.1\r\r\n" H "\r\n", 0, 0, "", "GET / HTTP/1.1\r", 0},
    {REFUSE_BARE_CR, 400, GET H "X: secret\r\r\n", 0, 0, "GET / HTTP/1.1", "X", 0},
    {REFUSE_BARE_CR, 400, GET H "\r\r\n", 0, 0, "GET / HTTP/1.1", "", 0},
    {REFUSE_BLANK_LINES, 400, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" GET, 0, 0, "", "", 0},
    {REFUSE_REQUEST_LINE, 400, "hello\r\n\r\n", 0, 0, "", "hello", 0},
    {REFUSE_REQUEST_LINE, 400, "GET /\r\n\r\n", 0, 0, "", "GET /", 0},
    {REFUSE_REQUEST_LINE, 400, "\r\nGET  / HTTP/1.1\r\n" H "\r\n", 0, 0, "", "GET  / HTTP/1.1", 0},
    {REFUSE_REQUEST_LINE, 400, " GET / HTTP/1.1\r\n" H "\r\n", 0, 0, "", " GET / HTTP/1.1", 0},
    {REFUSE_METHOD_BYTE, 400, "G(T / HTTP/1.1\r\n" H "\r\n", 0, 0, "", "G(T / HTTP/1.1", 0},
    {REFUSE_METHOD_BYTE, 400, "GET\t/ HTTP/1.1\r\n" H "\r\n", 0, 0, "", "GET\t/ HTTP/1.1", 0},
    {REFUSE_METHOD_UNKNOWN, 501, "BREW /pot HTTP/1.1\r\n" H "\r\n", 0, 0, "BREW /pot HTTP/1.1", "",
     0},
    {REFUSE_METHOD_UNKNOWN, 501, "BREW /", 'x', 0, "", "BREW /xxxxx", 1},
    {REFUSE_METHOD_TOO_LONG, 501, "GET", 'T', 0, "", "GETTTT", 1},
    {REFUSE_TARGET_BYTE, 400, "GET /a\x01 HTTP/1.1\r\n" H "\r\n", 0, 0, "", "GET /a\x01 HTTP/1.1",
     0},
    {REFUSE_TARGET_BYTE, 400, "GET /a\rX: b\r\n" H "\r\n", 0, 0, "", "GET /a\rX: b", 0},
    {REFUSE_METHOD_BYTE, 400, "GET\r/ HTTP/1.1\r\n" H "\r\n", 0, 0, "", "GET\r/ HTTP/1.1", 0},
    {REFUSE_TARGET_BYTE, 400, "GET /a#b HTTP/1.1\r\n" H "\r\n", 0, 0, "", "GET /a#b HTTP/1.1", 0},
    {REFUSE_TARGET_FORM, 400, "GET a HTTP/1.1\r\n" H "\r\n", 0, 0, "GET a HTTP/1.1", "", 0},
    {REFUSE_TARGET_TOO_LONG, 414, "GET /", 'x', 0, "", "GET /xxxxx", 1},
    {REFUSE_VERSION_FORM, 400, "GET / HTTP/1.1x\r\n" H "\r\n", 0, 0, "", "GET / HTTP/1.1x", 0},
    {REFUSE_VERSION_UNKNOWN, 505, "PRI * HTTP/2.0\r\n\r\n", 0, 0, "PRI * HTTP/2.0", "", 0},
    {REFUSE_PATH_ESCAPE, 400, "GET /%zz HTTP/1.1\r\n" H "\r\n", 0, 0, "GET /%zz HTTP/1.1", "", 0},
    {REFUSE_PATH_NUL, 400, "GET /%00 HTTP/1.1\r\n" H "\r\n", 0, 0, "GET /%00 HTTP/1.1", "", 0},
    {REFUSE_PATH_ABOVE_ROOT, 400, "GET /../a HTTP/1.1\r\n" H "\r\n", 0, 0, "GET /../a HTTP/1.1", "",
     0},
    {REFUSE_HEAD_TOO_LONG, 431, GET H "X: ", 'x', 0, "GET / HTTP/1.1", "", 0},
    {REFUSE_FIELDS_TOO_MANY, 431, GET H MANY MANY MANY MANY MANY MANY MANY MANY MANY "\r\n", 0, 0,
     "GET / HTTP/1.1", "", 0},
    {REFUSE_FIELD_FOLDED, 400, GET H "X: y\r\n secret\r\n\r\n", 0, 0, "GET / HTTP/1.1", "", 0},
    {REFUSE_FIELD_NAME, 400, GET H "X : secret\r\n\r\n", 0, 0, "GET / HTTP/1.1", "X ", 0},
    {REFUSE_FIELD_NAME, 400, GET H "Xyz\r\n\r\n", 0, 0, "GET / HTTP/1.1", "Xyz", 0},
    {REFUSE_FIELD_NAME, 400, GET H ": secret\r\n\r\n", 0, 0, "GET / HTTP/1.1", ":", 0},
    {REFUSE_FIELD_VALUE, 400, GET H "Cookie: secret\x01\r\n\r\n", 0, 0, "GET / HTTP/1.1", "Cookie",
     0},
    {REFUSE_HOST_MISSING, 400, GET "\r\n", 0, 0, "GET / HTTP/1.1", "", 0},
    {REFUSE_HOST_REPEATED, 400, GET H "Host: b\r\n\r\n", 0, 0, "GET / HTTP/1.1", "Host: b", 0},
    {REFUSE_HOST_FORM, 400, GET "Host:  a b \r\n\r\n", 0, 0, "GET / HTTP/1.1", "Host:  a b ", 0},
    {REFUSE_EXPECTATION, 417, GET H "Expect: tea\r\n\r\n", 0, 0, "GET / HTTP/1.1", "Expect: tea",
     0},
    {REFUSE_LENGTH_FORM, 400, GET H "Content-Length: 5, 5\r\n\r\n", 0, 0, "GET / HTTP/1.1",
     "Content-Length: 5, 5", 0},
    {REFUSE_LENGTH_REPEATED, 400, GET "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 0, 0,
     "GET / HTTP/1.1", "Content-Length: 6", 0},
    {REFUSE_CODING_FORM, 400, GET H "Transfer-Encoding: chunked, gzip\r\n\r\n", 0, 0,
     "GET / HTTP/1.1", "Transfer-Encoding: chunked, gzip", 0},
    {REFUSE_CODING_UNKNOWN, 501, GET H "Transfer-Encoding: gzip\r\n\r\n", 0, 0, "GET / HTTP/1.1",
     "", 0},
    {REFUSE_CODING_AND_LENGTH, 400, GET H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     0, 0, "GET / HTTP/1.1", "", 0},
    {REFUSE_CODING_ON_1_0, 400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 0,
     "GET / HTTP/1.0", "", 0},
    {REFUSE_BODY_TOO_LARGE, 413, "POST /echo HTTP/1.1\r\n" H "Content-Length: 100001\r\n\r\n", 0, 0,
     "POST /echo HTTP/1.1", "", 0},
    {REFUSE_BODY_TOO_LARGE, 413, BODY "186a1\r\n", 0, 0, "POST /echo HTTP/1.1", "", 0},
    {REFUSE_CHUNK_SIZE, 400, BODY "x\r\n", 0, 0, "POST /echo HTTP/1.1", "", 0},
    {REFUSE_CHUNK_EXTENSION, 400, BODY "5;\r\n", 0, 0, "POST /echo HTTP/1.1", "", 0},
    {REFUSE_CHUNK_LINE_TOO_LONG, 400, BODY LONG_EXTENSION, 0, 0, "POST /echo HTTP/1.1", "", 0},
    {REFUSE_CHUNK_END, 400, BODY "1\r\naa\r\n", 0, 0, "POST /echo HTTP/1.1", "", 0},
    {REFUSE_TRAILER_FORM, 400, BODY "0\r\n:\r\n", 0, 0, "POST /echo HTTP/1.1", "", 0},
    {REFUSE_TRAILER_TOO_LONG, 431, BODY "0\r\nX: ", 'x', 0, "POST /echo HTTP/1.1", "", 0},
    {REFUSE_TUNNEL, 405, "CONNECT a:443 HTTP/1.1\r\n" H "\r\n", 0, 0, "CONNECT a:443 HTTP/1.1", "",
     0},
    {REFUSE_HEAD_TIMEOUT, 408, GET, 0, 1, "", "", 0},
    {REFUSE_BODY_TIMEOUT, 408, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", 0, 1,
     "POST /echo HTTP/1.1", "", 0},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

/* As many 1-byte chunks as needed, together; too long for the table above. */
static void extensions_send(struct peer *p)
{
	char line[64];
	const int n = sprintf(line, "1;%040d\r\nx\r\n", 0);
	peer_add(p, "POST /none HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 500 && p->http1.exchange->refusal == REFUSE_NOT; i++)
		peer_give(p, line, (size_t)n);
}

/* step 0: in one piece. */
static struct peer *refused(const struct refusal_case *c, size_t step, bool explains)
{
	struct peer *p = peer_new();
	static char text[8192];
	size_t len = strlen(c->text);
	p->loop.explains = explains;
	memcpy(text, c->text, len);
	if (c->fill != '\0') {
		memset(text + len, c->fill, p->limits.head_bytes);
		len += p->limits.head_bytes;
	}
	for (size_t at = 0, n; at < len; at += n) {
		n = step == 0 || step > len - at ? len - at : step;
		peer_give(p, text + at, n);
	}
	if (c->expires)
		peer_expire(p);
	peer_run(p);
	return p;
}

/* Has no case in the table, because it needs more than a request. */
static bool is_elsewhere(enum http_refusal why)
{
	return why == REFUSE_CHUNK_EXTENSIONS_TOO_LONG ||
	       why == REFUSE_TOO_MANY ||     /* tests/system/test_client_limits.py */
	       why == REFUSE_HOST_UNKNOWN || /* test_routes.c */
	       why == REFUSE_SCHEME ||       /* test_gateway_hostile.py */
	       why == REFUSE_HOST_ELSEWHERE || why == REFUSE_REDIRECT_TOO_LONG;
}

static void each_has_its_case_its_word_and_its_status(void **state)
{
	(void)state;
	for (unsigned why = REFUSE_NOT + 1; why < HTTP_REFUSALS; why++) {
		const struct http_refusal_facts *facts = http_refusal_facts((enum http_refusal)why);
		bool found = is_elsewhere((enum http_refusal)why);
		assert_non_null(facts->word);
		assert_true(strlen(facts->word) > 0 && strlen(facts->word) < 32);
		assert_int_equal(strspn(facts->word, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(facts->word));
		assert_in_range(strlen(facts->text), 10, 100);
		assert_in_range(facts->status, 400, 505);
		for (unsigned other = REFUSE_NOT + 1; other < why; other++)
			assert_string_not_equal(facts->word,
						http_refusal_facts((enum http_refusal)other)->word);
		for (size_t i = 0; i < CASES; i++)
			found = found || cases[i].why == why;
		if (!found)
			fail_msg("%s is met by no case", facts->word);
	}
}

/* What the record calls a request that has no method to show: that is its fault in one word, and
 * "malformed" is for what is no HTTP. */
static void what_is_not_malformed_is_not_called_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		const struct http_refusal_facts *facts = http_refusal_facts(cases[i].why);
		const char *kind = http_refusal_kind(cases[i].why);
		if (cases[i].line[0] != '\0') /* there is a method */
			continue;
		if (facts->status == 400)
			assert_string_equal(kind, "malformed");
		else if (facts->status == 408)
			assert_string_equal(kind, "incomplete");
		else
			assert_true(strcmp(kind, "overlong") == 0 ||
				    strcmp(kind, "unsupported") == 0);
	}
}

static void assert_body(const struct peer *p, enum http_refusal why, bool explains)
{
	const struct http_refusal_facts *facts = http_refusal_facts(why);
	const char *body = strstr(peer_out(p), "\r\n\r\n");
	char want[256];
	int n = sprintf(want, "%u %s\n", facts->status, http_reason(facts->status));
	if (explains && facts->status != 408)
		(void)sprintf(want + n, "%s: %s\n", facts->word, facts->text);
	assert_non_null(body);
	assert_string_equal(body + 4, want);
	(void)sprintf(want, "\r\nContent-Length: %zu\r\n", strlen(body + 4));
	assert_non_null(strstr(peer_out(p), want));
	assert_non_null(strstr(peer_out(p), "\r\nConnection: close\r\n"));
}

static void assert_case(const struct refusal_case *c, size_t step, bool explains)
{
	struct peer *p = refused(c, step, explains);
	char status[32];
	if (p->refusal != c->why)
		print_error("%s\n", c->text);
	assert_int_equal(p->refusal, c->why);
	assert_int_equal(p->status, c->status);
	(void)sprintf(status, "HTTP/1.1 %u ", c->status);
	assert_memory_equal(peer_out(p), status, strlen(status));
	assert_body(p, c->why, explains);
	assert_string_equal(p->line, c->line);
	if (c->cut)
		assert_memory_equal(p->excerpt, c->excerpt, strlen(c->excerpt));
	else
		assert_string_equal(p->excerpt, c->excerpt);
	assert_int_equal(p->excerpt_cut, c->cut);
	assert_int_equal(p->done, 1);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_true(http1_ops.lingers(&p->http1.proto));
	peer_free(p);
}

static void each_is_met_recorded_and_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		assert_case(&cases[i], 0, false);
		assert_case(&cases[i], 0, true);
		assert_case(&cases[i], 1, true);
		assert_case(&cases[i], 7, true);
	}
	struct peer *p = peer_new();
	extensions_send(p);
	peer_run(p);
	assert_int_equal(p->refusal, REFUSE_CHUNK_EXTENSIONS_TOO_LONG);
	assert_body(p, p->refusal, false);
	peer_free(p);
}

/* Each case as one of HEAD, unless it is refused before its method is seen: the response has no
 * content (RFC 9110, 9.3.2). */
static void those_of_head_have_no_content(void **state)
{
	(void)state;
	unsigned tried = 0;
	for (size_t i = 0; i < CASES; i++) {
		static char text[8192];
		struct refusal_case c = cases[i];
		const size_t before = strspn(c.text, "\r\n");
		if (strncmp(c.text + before, "GET ", 4) != 0 || c.text[0] == '\n' ||
		    c.why == REFUSE_BLANK_LINES)
			continue;
		(void)sprintf(text, "%.*sHEAD%s", (int)before, c.text, c.text + before + 3);
		c.text = text;
		for (size_t step = 0; step < 8; step += 7) {
			struct peer *p = refused(&c, step, true);
			const char *body = strstr(peer_out(p), "\r\n\r\n");
			if (body == NULL || body[4] != '\0' || p->refusal != c.why)
				fail_msg("%s\n%s", text, peer_out(p));
			assert_null(strstr(peer_out(p), "\r\nContent-Length: 0\r\n"));
			assert_int_equal(p->status, c.status);
			peer_free(p);
		}
		tried++;
	}
	assert_in_range(tried, 30, CASES);
}

/* Only the protocol's refusals have a reason; a handler's error status has none. */
static void others_have_none(void **state)
{
	static const char *const requests[] = {GET H "\r\n", "GET /none HTTP/1.1\r\n" H "\r\n",
					       "DELETE / HTTP/1.1\r\n" H "\r\n"};
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct peer *p = peer_new();
		p->loop.explains = true;
		peer_send(p, requests[i]);
		assert_int_equal(p->refusal, REFUSE_NOT);
		assert_string_equal(p->excerpt, "");
		assert_null(strstr(peer_out(p), ": the "));
		peer_free(p);
	}
	struct peer *p = peer_new(); /* nor the request behind one that was refused late */
	peer_send(p, "POST /none HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nx");
	assert_int_equal(p->refusal, REFUSE_CHUNK_SIZE);
	struct http1 second;
	http1_ops.init(&second.proto, &p->loop, p, &p->client);
	http1_ops.input(&second.proto, (const uint8_t *)GET H "\r\n", sizeof(GET H "\r\n") - 1);
	uint8_t out[1024];
	http1_ops.output(&second.proto, out, sizeof(out));
	assert_int_equal(p->refusal, REFUSE_NOT);
	http1_ops.release(&second.proto);
	peer_free(p);
}

/* A response that had begun is broken off, and the record still has the reason. */
static void a_broken_body_has_its_reason(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_send(p, BODY "5\r\nhello\r\n");
	peer_send(p, "1;\r\n");
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	assert_int_equal(p->status, 200);
	assert_int_equal(p->refusal, REFUSE_CHUNK_EXTENSION);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_has_its_case_its_word_and_its_status),
	    cmocka_unit_test(each_is_met_recorded_and_told),
	    cmocka_unit_test(those_of_head_have_no_content),
	    cmocka_unit_test(what_is_not_malformed_is_not_called_so),
	    cmocka_unit_test(others_have_none),
	    cmocka_unit_test(a_broken_body_has_its_reason),
	};
	return cmocka_run_group_tests_name("http refusals", tests, NULL, NULL);
}
