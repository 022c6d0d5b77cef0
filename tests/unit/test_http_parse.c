/* Heads, targets, hosts and paths: accepted forms, and refused ones with their status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"

/* Parses a copy of the exact size, so that a sanitizer sees a read past the end. */
static long parse(const char *text, size_t len, size_t head_max, struct http_request *r)
{
	static char *copy;
	size_t scan = 0;
	free(copy);
	copy = malloc(len > 0 ? len : 1);
	memcpy(copy, text, len);
	return http_request_parse(copy, len, head_max, &scan, r);
}

/* The status that answers it, negative, in place of the reason. */
static long answered(long result)
{
	return result < 0 ? -(long)http_refusal_facts((enum http_refusal) - result)->status
			  : result;
}

#define H "Host: a\r\n"
#define CASE(text, want)                     \
	{                                    \
		text, sizeof(text) - 1, want \
	}

struct head_case {
	const char *text;
	size_t len;
	int want; /* 0: accepted, all of it */
};

static const struct head_case heads[] = {
    CASE("GET / HTTP/1.1\r\n" H "\r\n", 0),
    CASE("GET / HTTP/1.0\r\n\r\n", 0),
    CASE("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 0),
    CASE("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n", 0),
    CASE("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n", 400),
    CASE("GET / HTTP/1.2\r\n" H "\r\n", 0),
    CASE("GET / HTTP/1.9\r\n" H "\r\n", 0),
    /* request line */
    CASE("GET  / HTTP/1.1\r\n" H "\r\n", 400),
    CASE(" GET / HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET /  HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET / HTTP/1.1 \r\n" H "\r\n", 400),
    CASE("GET\t/ HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET /\tHTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET /\r\n" H "\r\n", 400),
    CASE("GET\r\n" H "\r\n", 400),
    CASE("GET \r\n" H "\r\n", 400),
    CASE("/ HTTP/1.1\r\n" H "\r\n", 400),
    CASE("G(T / HTTP/1.1\r\n" H "\r\n", 400),
    CASE("G\0T / HTTP/1.1\r\n" H "\r\n", 400),
    /* a method that only some locations take */
    CASE("get / HTTP/1.1\r\n" H "\r\n", 0),
    CASE("BREW / HTTP/1.1\r\n" H "\r\n", 0),
    CASE("GETT / HTTP/1.1\r\n" H "\r\n", 0),
    CASE("PROPFIND / HTTP/1.1\r\n" H "\r\n", 0),
    CASE("PROPFIND / HTTP/1.1\r\n" H "X : y\r\n\r\n", 400),
    CASE("PROPFIND * HTTP/1.1\r\n" H "\r\n", 400),
    /* version */
    CASE("GET / HTTP/2.0\r\n" H "\r\n", 505),
    CASE("GET / HTTP/0.9\r\n\r\n", 505),
    CASE("PRI * HTTP/2.0\r\n\r\n", 505),
    CASE("GET / http/1.1\r\n" H "\r\n", 400),
    CASE("GET / HTTP/1\r\n" H "\r\n", 400),
    CASE("GET / HTTP/11\r\n" H "\r\n", 400),
    CASE("GET / HTTP/1.10\r\n" H "\r\n", 400),
    CASE("GET / HTTP/1.\r\n" H "\r\n", 400),
    CASE("GET / HTTP/x.1\r\n" H "\r\n", 400),
    CASE("GET / HTTP/1,1\r\n" H "\r\n", 400),
    CASE("GET / HTTPS/1.1\r\n" H "\r\n", 400),
    CASE("GET / HTTP/1.1", 1), /* nothing yet */
    /* line ends and control characters */
    CASE("GET / HTTP/1.1\n" H "\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    CASE("\nGET / HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET / HTTP/1.1\r\r\n" H "\r\n", 400),
    CASE("GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "\rX: b\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X: a\x0b\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X: a\tb \xff\xc3\xa4\r\n\r\n", 0),
    /* fields */
    CASE("GET / HTTP/1.1\r\n" H " folded\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "\tfolded\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n " H "\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X\t: a\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X\0: a\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X(y): a\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X\xe4: a\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H "X:\r\nY:a\r\nZ: \t \r\n\r\n", 0),
    /* Content-Length */
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 007\r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551614\r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551615\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 1 1\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 1.0\r\n\r\n", 400),
    /* Transfer-Encoding */
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "transfer-encoding: CHUNKED \r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    CASE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n", 501),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 501),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 501),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
	 501),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked,\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: , chunked\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 400),
    CASE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chun ked\r\n\r\n", 400),
    /* Host */
    CASE("GET / HTTP/1.1\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\n" H H "\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\n\r\n", 400),
    CASE("GET / HTTP/1.0\r\n" H H "\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    CASE("GET / HTTP/1.1\r\nHost: a:8000\r\n\r\n", 0),
    CASE("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 0),
    /* Expect */
    CASE("POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", 417),
    CASE("POST / HTTP/1.1\r\n" H "Expect:\r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "Expect: , ,100-continue ,\r\nContent-Length: 1\r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 0),
    CASE("POST / HTTP/1.1\r\n" H "Expect: 100-continue, tea\r\n\r\n", 417),
    CASE("POST / HTTP/1.1\r\n" H "Expect: 100-continue=1\r\n\r\n", 417),
    CASE("POST / HTTP/1.0\r\nExpect: anything\r\n\r\n", 0),
    /* target */
    CASE("GET /a?b#c HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET /\x01 HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET /\x7f HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET /\0 HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET a HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET ?a HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET * HTTP/1.1\r\n" H "\r\n", 400),
    CASE("OPTIONS * HTTP/1.1\r\n" H "\r\n", 0),
    CASE("OPTIONS ** HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET http://b/ HTTP/1.1\r\n" H "\r\n", 0),
    CASE("GET http://b/ HTTP/1.1\r\n\r\n", 400),
    CASE("GET HTTPS://b:1?q HTTP/1.1\r\n" H "\r\n", 0),
    CASE("GET http:///x HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET http://u@b/ HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET ftp://b/ HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET http:/b HTTP/1.1\r\n" H "\r\n", 400),
    CASE("GET b:443 HTTP/1.1\r\n" H "\r\n", 400),
    CASE("CONNECT b:443 HTTP/1.1\r\n" H "\r\n", 0),
    CASE("CONNECT b HTTP/1.1\r\n" H "\r\n", 400),
    CASE("CONNECT b: HTTP/1.1\r\n" H "\r\n", 400),
    CASE("CONNECT /b HTTP/1.1\r\n" H "\r\n", 400),
    CASE("CONNECT http://b/ HTTP/1.1\r\n" H "\r\n", 400),
};

static void heads_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		const struct head_case *c = &heads[i];
		struct http_request r;
		long want = c->want == 0 ? (long)c->len : c->want == 1 ? 0 : -c->want;
		long got = answered(parse(c->text, c->len, 4096, &r));
		if (got != want)
			print_error("%s\n", c->text);
		assert_int_equal(got, want);
	}
}

/* The result does not depend on the pieces, and it comes at the same byte or later. */
static void splits_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct http_request r;
		const struct head_case *c = &heads[i];
		long whole = parse(c->text, c->len, 64, &r), got = 0;
		size_t scan = 0;
		for (size_t n = 0; n <= c->len && got == 0; n++)
			got = http_request_parse(c->text, n, 64, &scan, &r);
		assert_int_equal(got, whole);
	}
}

static void assert_slice(const struct http_request *r, struct http_slice s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(http_slice_at(r, s), want, s.len);
}

static void request_is_filled(void **state)
{
	static const char text[] = "\r\nPOST /a/b%20c?x=1&y HTTP/1.1\r\nHost: example.org:80\r\n"
				   "X-Empty:\r\nconteNt-lengTH:\t 12 \t\r\nX: a  b \r\n"
				   "Connection: foo ,, Close\r\nExpect: 100-continue\r\n\r\nbody";
	struct http_request r;
	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, 4096, &r), sizeof(text) - 5);
	assert_int_equal(r.head_len, sizeof(text) - 5);
	assert_int_equal(r.method, HTTP_POST);
	assert_int_equal(r.version_minor, 1);
	assert_slice(&r, r.method_text, "POST");
	assert_slice(&r, r.target, "/a/b%20c?x=1&y");
	assert_slice(&r, r.path, "/a/b%20c");
	assert_true(r.query_present);
	assert_slice(&r, r.query, "x=1&y");
	assert_slice(&r, r.host, "example.org:80");
	assert_int_equal(r.fields_count, 6);
	assert_slice(&r, r.fields[1].name, "X-Empty");
	assert_slice(&r, r.fields[1].value, "");
	assert_slice(&r, r.fields[3].value, "a  b");
	assert_slice(&r, http_request_field(&r, "content-length")->value, "12");
	assert_null(http_request_field(&r, "content-lengt"));
	assert_null(http_request_field(&r, "x-"));
	assert_int_equal(r.framing, HTTP_BODY_LENGTH);
	assert_int_equal(r.content_length, 12);
	assert_false(r.keep_alive);
	assert_true(r.expect_continue);
}

static void target_forms(void **state)
{
	struct http_request r;
	(void)state;
#define PARSE(text) assert_true(parse(text, sizeof(text) - 1, 4096, &r) > 0)
	PARSE("GET http://B.example:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n");
	assert_slice(&r, r.host, "B.example:81");
	assert_slice(&r, r.path, "/p");
	assert_slice(&r, r.query, "q");
	PARSE("GET https://b HTTP/1.1\r\nHost: other\r\n\r\n");
	assert_slice(&r, r.path, "");
	assert_false(r.query_present);
	PARSE("GET https://b?q HTTP/1.1\r\nHost: other\r\n\r\n");
	assert_slice(&r, r.path, "");
	assert_slice(&r, r.query, "q");
	PARSE("GET /? HTTP/1.1\r\nHost: other\r\n\r\n");
	assert_true(r.query_present);
	assert_slice(&r, r.query, "");
	PARSE("OPTIONS * HTTP/1.1\r\nHost: other\r\n\r\n");
	assert_slice(&r, r.path, "*");
	PARSE("CONNECT [::1]:443 HTTP/1.1\r\nHost: other\r\n\r\n");
	assert_slice(&r, r.host, "[::1]:443");
}

static void persistence(void **state)
{
	static const struct {
		const char *head;
		bool keep_alive;
	} cases[] = {
	    {"GET / HTTP/1.1\r\n" H "\r\n", true},
	    {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false},
	    {"GET / HTTP/1.1\r\n" H "Connection: keep-alive, CLOSE\r\n\r\n", false},
	    {"GET / HTTP/1.1\r\n" H "Connection: a\r\nConnection: close\r\n\r\n", false},
	    {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", true},
	    {"GET / HTTP/1.0\r\n\r\n", false},
	    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
	    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request r;
		assert_true(parse(cases[i].head, strlen(cases[i].head), 4096, &r) > 0);
		assert_int_equal(r.keep_alive, cases[i].keep_alive);
	}
}

static void limits_have_their_status(void **state)
{
	struct http_request r;
	char text[8192];
	(void)state;

	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	assert_int_equal(parse(text, 1023, 1024, &r), 0);
	assert_int_equal(parse(text, 1024, 1024, &r), -REFUSE_TARGET_TOO_LONG);
	assert_int_equal(parse(text, 8192, 1024, &r), -REFUSE_TARGET_TOO_LONG);
	assert_int_equal(r.method_text.len, 0); /* the line was not read to its end */
	assert_int_equal(r.excerpt.off, 0);
	assert_int_equal(r.excerpt.len, 1024);
	assert_true(r.excerpt_cut);

	size_t n = (size_t)sprintf(text, "GET /x HTTP/1.1\r\n" H "X: ");
	text[n] = 'a';
	assert_int_equal(parse(text, 1023, 1024, &r), 0);
	assert_int_equal(parse(text, 1024, 1024, &r), -REFUSE_HEAD_TOO_LONG);
	assert_slice(&r, r.target, "/x");

	/* A head of exactly the limit is fine, whatever follows it. */
	memcpy(text + 1020, "\r\n\r\n", 4);
	assert_int_equal(parse(text, 8192, 1024, &r), 1024);
	assert_int_equal(parse(text, 8192, 1023, &r), -REFUSE_HEAD_TOO_LONG);
}

static void fields_are_counted(void **state)
{
	struct http_request r;
	char text[2048] = "GET / HTTP/1.0\r\n";
	(void)state;
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		strcat(text, "A: b\r\n");
	strcat(text, "\r\n");
	assert_true(parse(text, strlen(text), 4096, &r) > 0);
	assert_int_equal(r.fields_count, HTTP_HEADERS_MAX);
	strcpy(text + strlen(text) - 2, "A: b\r\n\r\n");
	assert_int_equal(parse(text, strlen(text), 4096, &r), -REFUSE_FIELDS_TOO_MANY);
}

/* RFC 9112, 3: an unknown method is 501, a target that is too long is 414, however long the
 * line is. A line that is not a request line is 400 even then. */
static void long_lines_are_judged_by_what_they_are(void **state)
{
	static const struct {
		const char *begin;
		char fill;
		enum http_refusal want;
	} cases[] = {
	    {"", 'M', REFUSE_METHOD_TOO_LONG},
	    {"GET", 'M', REFUSE_METHOD_TOO_LONG},
	    {"\r\n", 'M', REFUSE_METHOD_TOO_LONG},
	    {"GET /", 'a', REFUSE_TARGET_TOO_LONG},
	    {"PATCH https://a/?", '%', REFUSE_TARGET_TOO_LONG},
	    {"\r\nGET /", 'a', REFUSE_TARGET_TOO_LONG},
	    {"GET / ", 'H', REFUSE_TARGET_TOO_LONG},
	    {"BREW /", 'a', REFUSE_METHOD_UNKNOWN},
	    {"get /", 'a', REFUSE_METHOD_UNKNOWN},
	    {"", '\0', REFUSE_METHOD_BYTE},
	    {"", '\x80', REFUSE_METHOD_BYTE},
	    {"GET@", 'a', REFUSE_METHOD_BYTE},
	    {"", ' ', REFUSE_REQUEST_LINE},
	    {"GET ", ' ', REFUSE_REQUEST_LINE},
	    {"GET /", '\x80', REFUSE_TARGET_BYTE},
	    {"GET /#", 'a', REFUSE_TARGET_BYTE},
	    {"GET /\t", 'a', REFUSE_TARGET_BYTE},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request r;
		char text[3000];
		size_t scan = 0;
		memset(text, cases[i].fill, sizeof(text));
		memcpy(text, cases[i].begin, strlen(cases[i].begin));
		assert_int_equal(parse(text, sizeof(text), 1024, &r), -(int)cases[i].want);
		assert_int_equal(r.method_text.len, 0);
		assert_true(r.excerpt_cut);
		assert_int_equal(r.excerpt.off + r.excerpt.len, 1024);
		for (size_t n = 0; n < 1024; n++)
			assert_int_equal(http_request_parse(text, n, 1024, &scan, &r), 0);
		assert_int_equal(http_request_parse(text, 1024, 1024, &scan, &r),
				 -(int)cases[i].want);
	}
}

/* An error in the first line counts before the length of the head does. */
static void long_heads_are_judged_by_their_first_line(void **state)
{
	static const struct {
		const char *line;
		enum http_refusal want;
	} cases[] = {
	    {"GET / HTTP/1.1", REFUSE_HEAD_TOO_LONG},
	    {"GET / HTTP/2.0", REFUSE_VERSION_UNKNOWN},
	    {"BREW / HTTP/1.1", REFUSE_HEAD_TOO_LONG},
	    {"GET a HTTP/1.1", REFUSE_TARGET_FORM},
	    {"hello", REFUSE_REQUEST_LINE},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request r;
		char text[2000];
		memset(text, 'x', sizeof(text));
		int n = sprintf(text, "%s\r\nX: ", cases[i].line);
		text[n] = 'x';
		assert_int_equal(parse(text, sizeof(text), 1024, &r), -(int)cases[i].want);
		assert_false(r.excerpt_cut);
	}
}

/* A head that comes byte by byte is searched once, not once per byte. */
static void scan_goes_on_where_it_stopped(void **state)
{
	struct http_request r;
	size_t scan = 0;
	(void)state;
	assert_int_equal(http_request_parse("GET / HTTP/1.1\r\nX", 17, 4096, &scan, &r), 0);
	assert_int_equal(scan, 17);
}

static void hosts_are_judged(void **state)
{
	static const char *const good[] = {"a",      "a.b-c_d~e", "127.0.0.1:1",           "[::1]",
					   "a:",     "%41b",      "[fe80::1.2.3.4]:65535", "a,b;c",
					   "a:00080"};
	static const char *const bad[] = {"",
					  ":80",
					  "a:b",
					  "a:65536",
					  "a:123456",
					  "[::1",
					  "[]",
					  "[:]",
					  "[::1]x",
					  "[::g]",
					  "%4",
					  "%zz",
					  "a b",
					  "a\\b",
					  "a?",
					  "a#",
					  "u@a",
					  "a:1:2",
					  "[::1]80",
					  "a\"b",
					  "\xc3\xa4",
					  "[:::]",
					  "[1::2::3]",
					  "[1:2]",
					  "[1.2.3.4]",
					  "[1:2:3:4:5:6:7:8:9]",
					  "[::12345]",
					  "[::1.2.3]",
					  "[::1.2.3.256]",
					  "[0000:0000:0000:0000:0000:0000:255.255.255.2551]",
					  "[v1.a]"};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(http_host_valid(good[i], strlen(good[i]), false));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(http_host_valid(bad[i], strlen(bad[i]), false));
}

static void paths_are_normalized(void **state)
{
	static const struct {
		const char *path;
		const char *want; /* NULL: 400 */
	} cases[] = {
	    {"", "/"},
	    {"/", "/"},
	    {"/a/b", "/a/b"},
	    {"/a/", "/a/"},
	    {"//", "/"},
	    {"///", "/"},
	    {"/a//b", "/a/b"},
	    {"//a///b//", "/a/b/"},
	    {"/a%2f/b%2F%2fc/%2f", "/a/b/c/"},
	    {"/a/..//b", "/b"},
	    {"/.//..//a", "/a"},
	    {"//..", "/"},
	    {"/.", "/"},
	    {"/./", "/"},
	    {"/a/.", "/a/"},
	    {"/a/./b", "/a/b"},
	    {"/a/..", "/"},
	    {"/a/../b", "/b"},
	    {"/a/b/../../c", "/c"},
	    {"/a//../b", "/a/b"},
	    {"/...", "/..."},
	    {"/.a/..b/c..", "/.a/..b/c.."},
	    {"/%61%2f%62", "/a/b"},
	    {"/a/%2e%2E/b", "/b"},
	    {"/a%2f..%2fb", "/b"},
	    {"/%252e", "/%2e"},
	    {"/%ff", "/\xff"},
	    {"/..", NULL},
	    {"/../", NULL},
	    {"/a/../..", NULL},
	    {"/%2e%2e/a", NULL},
	    {"/%", NULL},
	    {"/%4", NULL},
	    {"/%4g", NULL},
	    {"/%g4", NULL},
	    {"/%00", NULL},
	    {"a", NULL},
	    {"/./..", NULL},
	    {"/%3f%23", "/?#"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64];
		long n = http_path_normalize(cases[i].path, strlen(cases[i].path), out, NULL,
					     sizeof(out));
		if (cases[i].want == NULL) {
			assert_int_equal(answered(n), -400);
			continue;
		}
		assert_int_equal(n, strlen(cases[i].want));
		assert_memory_equal(out, cases[i].want, (size_t)n);
	}
	char out[4];
	assert_int_equal(http_path_normalize("/abc", 4, out, NULL, 4), 4);
	assert_int_equal(http_path_normalize("/abcd", 5, out, NULL, 4), -REFUSE_TARGET_TOO_LONG);
	assert_int_equal(http_path_normalize("/a", 2, out, NULL, 1), -REFUSE_TARGET_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(heads_are_judged),
	    cmocka_unit_test(splits_change_nothing),
	    cmocka_unit_test(request_is_filled),
	    cmocka_unit_test(target_forms),
	    cmocka_unit_test(persistence),
	    cmocka_unit_test(limits_have_their_status),
	    cmocka_unit_test(long_lines_are_judged_by_what_they_are),
	    cmocka_unit_test(long_heads_are_judged_by_their_first_line),
	    cmocka_unit_test(fields_are_counted),
	    cmocka_unit_test(scan_goes_on_where_it_stopped),
	    cmocka_unit_test(hosts_are_judged),
	    cmocka_unit_test(paths_are_normalized),
	};
	return cmocka_run_group_tests_name("http parse", tests, NULL, NULL);
}
