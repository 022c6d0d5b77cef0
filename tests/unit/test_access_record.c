/* A request as a log record: the line, and the values in it, of heads as they come. */
#include "worker/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "access.h"
#include "http/request.h"

static struct access_record record;
static const struct http_client client = {.address = "2001:db8::1", .port = 443};

/* As a worker does, with a head that is complete. */
static void of_head(const char *head)
{
	static struct exchange ex;
	size_t scan = 0;
	ex = (struct exchange){.client = &client, .status = 200, .id = "1-2"};
	const long n = http_request_parse(head, strlen(head), 65536, &scan, &ex.request);
	if (n < 0)
		ex.refusal = (enum http_refusal) - n;
	assert_int_not_equal(n, 0);
	access_record_make(&record, &ex, 1234);
	assert_int_equal(strlen(record.line), record.len);
	for (size_t i = 1; i < record.values_count; i++)
		assert_true(record.values[i].name > record.values[i - 1].name);
}

static void of_target(const char *method, const char *target)
{
	static char head[70000];
	(void)snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, target);
	of_head(head);
}

static void assert_value(enum ipc_field name, const char *expected)
{
	for (size_t i = 0; i < record.values_count; i++) {
		const struct log_value *v = &record.values[i];
		if (v->name != name)
			continue;
		if (expected == NULL || v->len != strlen(expected) ||
		    memcmp(v->data, expected, v->len) != 0)
			fail_msg("%s is %.*s", ipc_field_names[name], (int)v->len, v->data);
		return;
	}
	if (expected != NULL)
		fail_msg("no %s", ipc_field_names[name]);
}

static void a_request_has_all_values(void **state)
{
	(void)state;
	of_target("GET", "/path?query=1");
	assert_string_equal(record.line, "Received GET request from ('2001:db8::1', 443) "
					 "\"GET /path?query=1 HTTP/1.1\" 200 0 1.2ms");
	assert_value(IPC_FIELD_STATUS, "200");
	assert_value(IPC_FIELD_BYTES, "0");
	assert_value(IPC_FIELD_DURATION, "1234");
	assert_value(IPC_FIELD_CLIENT, "2001:db8::1");
	assert_value(IPC_FIELD_REQUEST_ID, "1-2");
	assert_value(IPC_FIELD_REASON, NULL);
	assert_value(IPC_FIELD_METHOD, "GET");
	assert_value(IPC_FIELD_PATH, "/path");
	assert_value(IPC_FIELD_HOST, "h");
}

static void a_head_that_cannot_be_read_has_its_reason(void **state)
{
	(void)state;
	of_head("hello\r\n\r\n");
	assert_string_equal(record.line, "Received malformed request from ('2001:db8::1', 443) "
					 "\"-\" 200 0 1.2ms request-line \"hello\"");
	assert_value(IPC_FIELD_METHOD, NULL);
	assert_value(IPC_FIELD_PATH, NULL);
	assert_value(IPC_FIELD_HOST, NULL);
	assert_value(IPC_FIELD_REASON, "request-line");
	of_target("FETCH", "/x?y"); /* some locations take it */
	assert_string_equal(record.line, "Received FETCH request from ('2001:db8::1', 443) "
					 "\"FETCH /x?y HTTP/1.1\" 200 0 1.2ms");
	assert_value(IPC_FIELD_METHOD, "FETCH");
	assert_value(IPC_FIELD_PATH, "/x");
}

/* The path is that of the protocol, where it has found one, and as escaped as the line. */
static void every_form_of_a_target_has_a_path(void **state)
{
	(void)state;
	static const struct {
		const char *method, *target, *path;
	} cases[] = {
	    {"GET", "/", "/"},
	    {"GET", "/a/b?c=d?e", "/a/b"},
	    {"GET", "/?u=http://x/y", "/"},
	    {"GET", "/a\"b\\c?d", "/a\\\"b\\\\c"},
	    {"GET", "/a%2f..%2Fb", "/a%2f..%2Fb"},
	    {"GET", "http://example.org/a?b", "/a"},
	    {"GET", "https://example.org:8000/", "/"},
	    {"GET", "http://example.org", "/"},
	    {"GET", "http://example.org?x=/", "/"},
	    {"GET", "http://[::1]/x://y", "/x://y"},
	    {"OPTIONS", "*", "*"},
	    {"CONNECT", "example.org:443", "example.org:443"},
	    {"GET", "ftp://example.org/a?b", "/a"}, /* these are refused */
	    {"GET", "*", "*"},
	    {"GET", "a/b", "a/b"},
	    {"GET", "http:///a", "/a"},
	    {"FETCH", "http://example.org/a?b", "/a"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		of_target(cases[i].method, cases[i].target);
		assert_value(IPC_FIELD_PATH, cases[i].path);
	}
}

static void a_target_that_is_cut_has_the_rest_of_its_path(void **state)
{
	(void)state;
	static char target[RECORD_TARGET_MAX + 100];
	size_t lengths[] = {RECORD_TARGET_MAX - 1, RECORD_TARGET_MAX, RECORD_TARGET_MAX + 1,
			    RECORD_TARGET_MAX + 2, RECORD_TARGET_MAX + 50};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		(void)snprintf(target, sizeof(target), "http://");
		memset(target + 7, 'h', lengths[i] - 7);
		(void)snprintf(target + lengths[i], 20, "/path?query");
		of_target("GET", target); /* the path begins at or beyond the cut */
		assert_value(IPC_FIELD_PATH, lengths[i] < RECORD_TARGET_MAX ? "/..." : "/");
		assert_non_null(strstr(record.line, "... HTTP/1.1\" 200 0 1.2ms"));
	}
}

/* The whole record, as long as it can be, has room. */
static void the_longest_record_has_all_of_its_parts(void **state)
{
	(void)state;
	static char bytes[70000];
	memset(bytes, '"', sizeof(bytes));
	static struct transport_certificate shown;
	const struct transport_facts facts = {.client = &shown};
	memset(shown.subject, '"', sizeof(shown.subject) - 1);
	memset(shown.serial, 'f', sizeof(shown.serial) - 1);
	memset(shown.fingerprint, 'f', sizeof(shown.fingerprint) - 1);
	memset(shown.issuer, '"', sizeof(shown.issuer) - 1);
	memset(shown.names, '"', sizeof(shown.names) - 1);
	static char url[300];
	memset(url, 'u', sizeof(url) - 1);
	const struct exchange_upstream upstream = {.url = url,
						   .connect_ns = UINT64_MAX,
						   .head_ns = UINT64_MAX,
						   .total_ns = UINT64_MAX,
						   .attempts = UINT32_MAX,
						   .reason = "never with a refusal",
						   .id = url,
						   .id_len = 128};
	const struct access a = {.client = "2001:db8:1111:2222:3333:4444:255.255.255.255",
				 .tls = &facts,
				 .client_port = 65535,
				 .method = bytes,
				 .method_len = 1000,
				 .target = bytes,
				 .target_len = sizeof(bytes),
				 .version = "HTTP/1.1",
				 .host = "host.example",
				 .status = 999,
				 .bytes = UINT64_MAX,
				 .duration_us = UINT64_MAX,
				 .request_id = "ffffffff-ffffffffffffffff",
				 .refusal = REFUSE_CHUNK_EXTENSIONS_TOO_LONG,
				 .excerpt = bytes,
				 .excerpt_len = 1000,
				 .excerpt_cut = true,
				 .user = bytes,
				 .user_len = 255,
				 .upstream = &upstream};
	access_record_of(&record, &a);
	assert_true(record.len < LOG_TEXT_MAX - 100);
	assert_non_null(strstr(record.line, "... HTTP/1.1\" 999 18446744073709551615 "
					    "18446744073709551.6ms chunk-extensions-too-long \""));
	assert_non_null(strstr(record.line, "\\\"...\" user \"\\\""));
	assert_non_null(strstr(record.line, "\\\"...\" upstream \"uuu"));
	assert_non_null(strstr(record.line, "total 18446744073709.6ms attempts 4294967295"));
	assert_value(IPC_FIELD_DURATION, "18446744073709551615");
	assert_value(IPC_FIELD_CLIENT_SUBJECT, shown.subject);
	assert_value(IPC_FIELD_CLIENT_SAN, shown.names);
	assert_int_equal(record.values_count, IPC_FIELDS);
}

/* One name has one form in the log, whatever the client wrote. */
static void the_host_is_the_one_that_was_asked_for(void **state)
{
	static char head[2000], long_name[600];
	static const struct {
		const char *target, *host, *value;
	} cases[] = {
	    {"/", "Shop.EXAMPLE", "shop.example"},
	    {"/", "shop.example.:8443", "shop.example"},
	    {"/", "[2001:DB8:0::7]:443", "[2001:db8::7]"},
	    {"/", "192.0.2.7:80", "192.0.2.7"},
	    {"/", "a%22b", "a%22b"},
	    {"/", "a_b;c='d'", "a_b;c='d'"},
	    {"http://other.example/", "shop.example", "other.example"},
	    {"/", "a\"b", NULL}, /* these are refused */
	    {"/", "a\tb", NULL},
	    {"/", "", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
			       cases[i].target, cases[i].host);
		of_head(head);
		assert_value(IPC_FIELD_HOST, cases[i].value);
	}
	of_head("GET / HTTP/1.0\r\n\r\n");
	assert_value(IPC_FIELD_HOST, NULL);
	memset(long_name, 'a', sizeof(long_name) - 1);
	for (size_t len = HTTP_HOST_NAME_MAX - 1; len < sizeof(long_name); len++) {
		(void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %.*s\r\n\r\n", (int)len,
			       long_name);
		of_head(head);
		long_name[len] = '\0';
		assert_value(IPC_FIELD_HOST, len <= HTTP_HOST_NAME_MAX ? long_name : NULL);
		long_name[len] = 'a';
	}
}

/* Bytes that no parser lets through are escaped all the same. */
static void no_host_forges_a_value(void **state)
{
	static const struct access a = {.client = "::1",
					.method = "GET",
					.method_len = 3,
					.version = "HTTP/1.1",
					.host = "a\n\377\"b"};
	(void)state;
	access_record_of(&record, &a);
	assert_value(IPC_FIELD_HOST, "a\\n\\377\\\"b");
}

static void an_upstream_has_its_part(void **state)
{
	static const struct exchange_upstream good = {
	    .url = "http://127.0.0.1:9000", .head_ns = 1234567, .total_ns = 2000000, .attempts = 1};
	static const struct exchange_upstream bad = {.url = "unix:/run/app.sock",
						     .connect_ns = 150000,
						     .attempts = 2,
						     .reason = "upstream-cut",
						     .id = "7b3f-a1",
						     .id_len = 7};
	static const struct exchange_upstream none = {.reason = "upstream-none"};
	struct access a = {.client = "::1",
			   .method = "GET",
			   .method_len = 3,
			   .target = "/",
			   .target_len = 1,
			   .version = "HTTP/1.1",
			   .status = 200};
#define LINE "Received GET request from ('::1', 0) \"GET / HTTP/1.1\" 200 0 0.0ms"
	(void)state;
	a.upstream = &good;
	access_record_of(&record, &a);
	assert_string_equal(record.line,
			    LINE " upstream \"http://127.0.0.1:9000\" head 1.2ms total 2.0ms");
	assert_value(IPC_FIELD_UPSTREAM, "http://127.0.0.1:9000");
	assert_value(IPC_FIELD_UPSTREAM_CONNECT, NULL);
	assert_value(IPC_FIELD_UPSTREAM_HEAD, "1234");
	assert_value(IPC_FIELD_UPSTREAM_TOTAL, "2000");
	assert_value(IPC_FIELD_UPSTREAM_ATTEMPTS, "1");
	assert_value(IPC_FIELD_REASON, NULL);
	assert_value(IPC_FIELD_UPSTREAM_REQUEST_ID, NULL);
	a.upstream = &bad;
	access_record_of(&record, &a);
	assert_string_equal(record.line, LINE " upstream-cut upstream \"unix:/run/app.sock\""
					      " connect 0.2ms attempts 2");
	assert_value(IPC_FIELD_UPSTREAM_CONNECT, "150");
	assert_value(IPC_FIELD_UPSTREAM_HEAD, NULL);
	assert_value(IPC_FIELD_UPSTREAM_ATTEMPTS, "2");
	assert_value(IPC_FIELD_REASON, "upstream-cut");
	assert_value(IPC_FIELD_UPSTREAM_REQUEST_ID, "7b3f-a1");
	a.upstream = &none;
	access_record_of(&record, &a);
	assert_string_equal(record.line, LINE " upstream-none");
	assert_value(IPC_FIELD_UPSTREAM, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_has_all_values),
	    cmocka_unit_test(a_head_that_cannot_be_read_has_its_reason),
	    cmocka_unit_test(every_form_of_a_target_has_a_path),
	    cmocka_unit_test(a_target_that_is_cut_has_the_rest_of_its_path),
	    cmocka_unit_test(the_host_is_the_one_that_was_asked_for),
	    cmocka_unit_test(no_host_forges_a_value),
	    cmocka_unit_test(an_upstream_has_its_part),
	    cmocka_unit_test(the_longest_record_has_all_of_its_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
