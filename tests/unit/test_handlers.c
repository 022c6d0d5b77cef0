/* The handlers respond and echo, through the protocol; and the JSON that echo writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http_peer.h"
#include "../json_check.h"
#include "base/json.h"

#define H     "Host: a\r\n"
#define START "HTTP/1.1 200 OK\r\nDate: " PEER_DATE "\r\n"

static const char *body_of(const struct peer *p)
{
	const char *end = strstr(peer_out(p), "\r\n\r\n");
	return end != NULL ? end + 4 : "";
}

static void echo_tells_what_it_sees(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_send(p,
		  "GET /./echo?a=b%20c&d=\"\\ HTTP/1.1\r\nHost: a:1\r\nX-Twice: 1\r\nx-twice: \t2 "
		  "\r\nEmpty:\r\n\r\n");
	assert_string_equal(
	    body_of(p),
	    "{\"method\":\"GET\",\"target\":\"/./echo?a=b%20c&d=\\\"\\\\\",\"path\":\"/echo\","
	    "\"query\":\"a=b%20c&d=\\\"\\\\\",\"version\":\"HTTP/1.1\",\"headers\":["
	    "[\"Host\",\"a:1\"],[\"X-Twice\",\"1\"],[\"x-twice\",\"2\"],[\"Empty\",\"\"]],"
	    "\"client\":{\"address\":\"127.0.0.1\",\"port\":12345},"
	    "\"tls\":{\"version\":\"TLS1.3\",\"cipher\":\"TLS_AES_128_GCM_SHA256\","
	    "\"group\":\"X25519\",\"server_name\":null,\"client_certificate\":null,\"resumed\":"
	    "true},"
	    "\"request_id\":\"id-1\"}\n");
	assert_memory_equal(peer_out(p), START "Content-Type: application/json\r\n",
			    sizeof(START "Content-Type: application/json\r\n") - 1);
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	assert_true(json_check(body_of(p), strlen(body_of(p))));
	peer_free(p);
}

static void echo_answers_every_method_it_names(void **state)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char want[32] = "{\"method\":\"";
		struct peer *p = peer_new();
		peer_add(p, methods[i]);
		peer_send(p, " /echo HTTP/1.0\r\n\r\n");
		strcat(want, methods[i]);
		assert_memory_equal(body_of(p), want, strlen(want));
		assert_non_null(strstr(body_of(p), "\"query\":null,\"version\":\"HTTP/1.0\""));
		assert_non_null(strstr(body_of(p), "\"headers\":[]"));
		peer_free(p);
	}
}

static void echo_head_has_the_same_head(void **state)
{
	struct peer *get = peer_new(), *head = peer_new();
	(void)state;
	peer_send(get, "GET /echo HTTP/1.1\r\nHost: abc\r\n\r\n");
	peer_send(head, "HEAD /echo HTTP/1.1\r\nHost: ab\r\n\r\n"); /* HEAD is one byte longer */
	assert_int_equal(head->out_len, (size_t)(body_of(get) - peer_out(get)));
	assert_memory_equal(head->out, get->out, head->out_len);
	peer_free(get);
	peer_free(head);
}

static void any_bytes_make_valid_json(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			struct buf out = BUF_INIT(4096);
			struct jsonout j = {.out = &out};
			const char s[] = {(char)a, (char)b, (char)0x9f, (char)0xbf, (char)a, 'z'};
			for (size_t n = 0; n <= sizeof(s); n++) {
				jsonout_add(&j, n == 0 ? "[" : ",");
				jsonout_add_string(&j, s, n);
			}
			jsonout_add(&j, "]\n");
			assert_false(j.failed);
			assert_true(json_check(buf_head(&out), buf_len(&out)));
			buf_release(&out);
		}
	}
}

static void json_escapes(void **state)
{
	static const char text[] = "a\"\\\n\x7f\0\xc3\xa4\xc3\xed\xa0\x80\xf0\x9f\x98\x80\xff";
	static const char want[] = "\"a\\\"\\\\\\u000a\\u007f\\u0000\xc3\xa4\\u00c3\\u00ed\\u00a0"
				   "\\u0080\xf0\x9f\x98\x80\\u00ff\"";
	struct buf out = BUF_INIT(4096);
	struct jsonout j = {.out = &out};
	(void)state;
	jsonout_add_string(&j, text, sizeof(text) - 1);
	assert_int_equal(buf_len(&out), sizeof(want) - 1);
	assert_memory_equal(buf_head(&out), want, sizeof(want) - 1);
	buf_release(&out);

	struct buf little = BUF_INIT(3);
	j = (struct jsonout){.out = &little};
	jsonout_add_text(&j, NULL);
	assert_true(j.failed);
	buf_release(&little);
}

/* The worst head: every byte of it is written as six, some of them three times. */
static void echo_holds_the_worst_head(void **state)
{
	struct peer *p = peer_new();
	char fields[2001], target[1001];
	(void)state;
	memset(fields, 0xff, sizeof(fields));
	fields[2000] = '\0';
	for (size_t i = 0; i < 999; i += 3)
		memcpy(target + i, "%FF", 4);
	peer_add(p, "GET /test?");
	p->location = (struct http_location){.handler = &handler_echo};
	for (int i = 0; i < 900; i++)
		peer_add(p, "\"");
	peer_add(p, " HTTP/1.1\r\n" H "X: ");
	peer_add(p, fields);
	peer_send(p, "\r\n\r\n");
	assert_int_equal(p->status, 200);
	assert_true(json_check(body_of(p), strlen(body_of(p))));
	peer_free(p);

	p = peer_new();
	p->location = (struct http_location){.handler = &handler_echo};
	peer_add(p, "GET /test/../");
	peer_add(p, target);
	peer_send(p, "/../test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(p->status, 200);
	assert_true(json_check(body_of(p), strlen(body_of(p))));
	peer_free(p);
}

static void respond_gives_what_it_was_told(void **state)
{
	static const struct http_header fields[] = {HTTP_HEADER("Content-Type", "text/plain"),
						    HTTP_HEADER("X-A", "b")};
	static const struct respond teapot = {
	    .status = 418, .fields = fields, .fields_count = 2, .body = "short\n", .body_len = 6};
	struct peer *p = peer_new();
	(void)state;
	p->location = (struct http_location){.handler = &handler_respond, .config = &teapot};
	peer_send(p, "GET /test HTTP/1.1\r\n" H "\r\n");
	assert_string_equal(
	    peer_out(p),
	    "HTTP/1.1 418 Unknown\r\nDate: " PEER_DATE
	    "\r\nContent-Type: text/plain\r\nX-A: b\r\nContent-Length: 6\r\n\r\nshort\n");
	peer_out_clear(p);
	peer_send(p, "POST /test HTTP/1.1\r\n" H "\r\n");
	assert_non_null(strstr(peer_out(p), "\r\nAllow: GET, HEAD, OPTIONS\r\n"));
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(echo_tells_what_it_sees),
	    cmocka_unit_test(echo_answers_every_method_it_names),
	    cmocka_unit_test(echo_head_has_the_same_head),
	    cmocka_unit_test(any_bytes_make_valid_json),
	    cmocka_unit_test(json_escapes),
	    cmocka_unit_test(echo_holds_the_worst_head),
	    cmocka_unit_test(respond_gives_what_it_was_told),
	};
	return cmocka_run_group_tests_name("handlers", tests, NULL, NULL);
}
