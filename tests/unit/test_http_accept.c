/* What a client accepts: RFC 9110, 12.5. And the media types of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/accept.h"
#include "http/media.h"

static void request_read(const char *fields, struct http_request *r, struct http_asks *asks,
			 char *head, size_t size)
{
	size_t scan = 0;
	const int n = snprintf(head, size, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	assert_int_equal(http_request_parse(head, (size_t)n, size, &scan, r), n);
	http_asks_read(r, asks);
}

/* --- content codings -------------------------------------------------------------------------- */

static void codings_have_their_quality(void **state)
{
	static const struct {
		const char *fields;
		unsigned identity, br, zstd, gzip;
	} cases[] = {
	    {"", 1, 0, 0, 0},
	    {"Accept-Encoding:\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip\r\n", 1, 0, 0, 2000},
	    {"Accept-Encoding: GZip\r\n", 1, 0, 0, 2000},
	    {"Accept-Encoding: x-gzip\r\n", 1, 0, 0, 2000},
	    {"Accept-Encoding: gzip, deflate, br, zstd\r\n", 1, 2000, 2000, 2000},
	    {"Accept-Encoding: gzip;q=0.5\r\n", 1, 0, 0, 1000},
	    {"Accept-Encoding: gzip ; q=0.5\r\n", 1, 0, 0, 1000},
	    {"Accept-Encoding: gzip;Q=0.123, br;q=1.000\r\n", 1, 2000, 0, 246},
	    {"Accept-Encoding: gzip;q=0\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=0.000\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=0.001\r\n", 1, 0, 0, 2},
	    {"Accept-Encoding: gzip;q=1.\r\n", 1, 0, 0, 2000},
	    {"Accept-Encoding: gzip;q=0.\r\n", 1, 0, 0, 0},
	    /* malformed weights exclude */
	    {"Accept-Encoding: gzip;q=2\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=1.1\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=0.1234\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=x\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=-1\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=.5\r\n", 1, 0, 0, 0},
	    /* identity */
	    {"Accept-Encoding: identity\r\n", 2000, 0, 0, 0},
	    {"Accept-Encoding: identity;q=0\r\n", 0, 0, 0, 0},
	    {"Accept-Encoding: identity;q=0, gzip\r\n", 0, 0, 0, 2000},
	    {"Accept-Encoding: gzip;q=0.5, identity;q=0.8\r\n", 1600, 0, 0, 1000},
	    /* all others */
	    {"Accept-Encoding: *\r\n", 2000, 2000, 2000, 2000},
	    {"Accept-Encoding: *;q=0\r\n", 0, 0, 0, 0},
	    {"Accept-Encoding: gzip, *;q=0\r\n", 0, 0, 0, 2000},
	    {"Accept-Encoding: identity, *;q=0\r\n", 2000, 0, 0, 0},
	    {"Accept-Encoding: *;q=0, identity;q=0.1\r\n", 200, 0, 0, 0},
	    {"Accept-Encoding: *;q=0.5, br;q=0\r\n", 1000, 0, 1000, 1000},
	    {"Accept-Encoding: gzip;q=0, *\r\n", 2000, 2000, 2000, 0},
	    /* several fields, empty and unknown elements, the first of two */
	    {"Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", 1, 2000, 0, 2000},
	    {"Accept-Encoding: br\r\nUser-Agent: x\r\nAccept-Encoding: gzip\r\n", 1, 2000, 0, 2000},
	    {"Accept-Encoding: ,, gzip ,,\r\n", 1, 0, 0, 2000},
	    {"Accept-Encoding: deflate, compress, x\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzip;q=0, gzip\r\n", 1, 0, 0, 0},
	    {"Accept-Encoding: gzipx, xgzip, gzi\r\n", 1, 0, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request r;
		struct http_asks asks;
		struct http_codings c;
		char head[1024];
		request_read(cases[i].fields, &r, &asks, head, sizeof(head));
		http_codings_read(&r, &asks, &c);
		if (c.quality[HTTP_IDENTITY] != cases[i].identity ||
		    c.quality[HTTP_BR] != cases[i].br || c.quality[HTTP_ZSTD] != cases[i].zstd ||
		    c.quality[HTTP_GZIP] != cases[i].gzip)
			fail_msg("%s: identity %u br %u zstd %u gzip %u", cases[i].fields,
				 c.quality[HTTP_IDENTITY], c.quality[HTTP_BR], c.quality[HTTP_ZSTD],
				 c.quality[HTTP_GZIP]);
	}
}

/* --- media types a client wants --------------------------------------------------------------- */

static void json_is_sent_only_to_those_who_want_it_more(void **state)
{
	static const struct {
		const char *fields;
		bool json;
	} cases[] = {
	    {"", false},
	    {"Accept: */*\r\n", false},
	    {"Accept: text/html\r\n", false},
	    {"Accept: application/json\r\n", true},
	    {"Accept: Application/JSON\r\n", true},
	    {"Accept: application/*\r\n", true},
	    {"Accept: application/json, */*;q=0.1\r\n", true},
	    {"Accept: application/json, text/html\r\n", false},
	    {"Accept: application/json;q=0.9, text/html;q=0.8\r\n", true},
	    {"Accept: application/json;q=0.1, text/html;q=0.2\r\n", false},
	    {"Accept: text/*;q=0.3, text/html;q=0.7, application/json;q=0.5\r\n", false},
	    {"Accept: application/json;q=0\r\n", false},
	    {"Accept: application/json;q=0, */*\r\n", false},
	    {"Accept: application/json;profile=\"a,b;q=0\", text/html;q=0.1\r\n", false},
	    {"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n", false},
	    {"Accept: text/plain\r\nAccept: application/json\r\n", true},
	    {"Accept: application/json;q=oops\r\n", false},
	    /* what is sent is UTF-8 */
	    {"Accept: application/json;charset=utf-8\r\n", true},
	    {"Accept: application/json; Charset=\"UTF-8\", text/html;q=0.9\r\n", true},
	    {"Accept: application/json, text/html;charset=utf-8\r\n", false},
	    {"Accept: application/json;charset=latin1\r\n", false},
	    {"Accept: application/json;charset=utf-8;profile=x\r\n", false},
	    {"Accept: \"application/json\"\r\n", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request r;
		struct http_asks asks;
		char head[1024];
		request_read(cases[i].fields, &r, &asks, head, sizeof(head));
		if (http_accepts_json(&r, &asks) != cases[i].json)
			fail_msg("%s", cases[i].fields);
	}
}

/* --- media types of files --------------------------------------------------------------------- */

static void assert_type(const struct media_table *t, const char *name, const char *expected)
{
	const struct media_row *row = media_find(t, name, strlen(name));
	if (row == NULL ? expected != NULL
			: expected == NULL || row->type_len != strlen(expected) ||
			      memcmp(row->type, expected, row->type_len) != 0)
		fail_msg("%s: %.*s, expected %s", name, row != NULL ? (int)row->type_len : 4,
			 row != NULL ? row->type : "none", expected);
}

static void a_table_is_read(void **state)
{
	static const char text[] = "# comment\n"
				   "\n"
				   "text/html\t\thtml htm HTM # not this\n"
				   "application/x-none\n"
				   "image/png png\r\n"
				   "text/other html other\n"
				   "  text/blanks  blanks\n"
				   "no-slash wrong1\n"
				   "/x wrong2\n"
				   "x/ wrong3\n"
				   "te(xt/x wrong4\n"
				   "text/x\x01y wrong5\n"
				   "text/dot a.b dot\n"
				   "text/last last";
	struct media_table t = {0};
	(void)state;
	assert_type(&t, "x.html", NULL);
	assert_int_equal(media_read(&t, text, sizeof(text) - 1), 0);
	assert_type(&t, "x.html", "text/html");
	assert_type(&t, "x.HtMl", "text/html");
	assert_type(&t, "a/b.c/x.htm", "text/html");
	assert_type(&t, "x.tar.png", "image/png");
	assert_type(&t, "x.other", "text/other");
	assert_type(&t, "x.blanks", "text/blanks");
	assert_type(&t, "x.dot", "text/dot");
	assert_type(&t, "x.last", "text/last");
	assert_type(&t, "x.not", NULL);
	assert_type(&t, "x.wrong1", NULL);
	assert_type(&t, "x.wrong2", NULL);
	assert_type(&t, "x.wrong3", NULL);
	assert_type(&t, "x.wrong4", NULL);
	assert_type(&t, "x.wrong5", NULL);
	assert_type(&t, "x.b", NULL);
	assert_type(&t, "", NULL);
	assert_type(&t, "png", NULL);
	assert_type(&t, ".png", NULL);
	assert_type(&t, "a/.png", NULL);
	assert_type(&t, "x.", NULL);
	assert_type(&t, "a.png/x", NULL);
	assert_type(&t, "a.png/", NULL);
	media_release(&t);
}

static void many_rows_are_found(void **state)
{
	struct media_table t = {0};
	char extension[16], name[32];
	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		const int n = snprintf(extension, sizeof(extension), "e%u", i);
		assert_int_equal(media_add(&t, extension, (size_t)n, "a/b", 3), 0);
	}
	assert_int_equal(t.count, 5000);
	for (unsigned i = 0; i < 6000; i++) {
		(void)snprintf(name, sizeof(name), "x.e%u", i);
		assert_type(&t, name, i < 5000 ? "a/b" : NULL);
	}
	media_release(&t);
}

static void types_are_known_without_a_table(void **state)
{
	struct media_table t = {0};
	(void)state;
	assert_int_equal(media_add(&t, "md", 2, "text/x-own", 10), 0);
	assert_int_equal(media_add_known(&t), 0);
	assert_type(&t, "index.html", "text/html");
	assert_type(&t, "a.js", "text/javascript");
	assert_type(&t, "a.mjs", "text/javascript");
	assert_type(&t, "a.css", "text/css");
	assert_type(&t, "a.svg", "image/svg+xml");
	assert_type(&t, "a.woff2", "font/woff2");
	assert_type(&t, "a.wasm", "application/wasm");
	assert_type(&t, "a.mp4", "video/mp4");
	assert_type(&t, "a.docx",
		    "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
	assert_type(&t, "README.md", "text/x-own");
	media_release(&t);
}

static void text_has_a_charset(void **state)
{
	(void)state;
	assert_true(media_has_charset("text/html", 9));
	assert_true(media_has_charset("Text/Plain", 10));
	assert_true(media_has_charset("application/javascript", 22));
	assert_false(media_has_charset("text/html; charset=utf-8", 24));
	assert_false(media_has_charset("application/json", 16));
	assert_false(media_has_charset("image/svg+xml", 13));
	assert_false(media_has_charset("text/", 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(codings_have_their_quality),
	    cmocka_unit_test(json_is_sent_only_to_those_who_want_it_more),
	    cmocka_unit_test(a_table_is_read),
	    cmocka_unit_test(many_rows_are_found),
	    cmocka_unit_test(types_are_known_without_a_table),
	    cmocka_unit_test(text_has_a_charset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
