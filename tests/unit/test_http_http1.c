/* The state machine: persistence, pipelining, bodies, back-pressure, the ends of a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "../http_peer.h"

#define DATE        "Date: " PEER_DATE "\r\n"
#define H           "Host: a\r\n"
#define HEAD_       "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\nContent-Length: 14\r\n"
#define HELLO       HEAD_ "\r\n" PEER_HELLO
#define HELLO_CLOSE HEAD_ "Connection: close\r\n\r\n" PEER_HELLO
#define ECHO_                      \
	"HTTP/1.1 200 OK\r\n" DATE \
	"Content-Type: application/octet-stream\r\nX-Content-Type-Options: nosniff\r\n"
#define GET "GET / HTTP/1.1\r\n" H "\r\n"

static void assert_exchange(const char *request, const char *response, int phase)
{
	struct peer *p = peer_new();
	peer_send(p, request);
	assert_string_equal(peer_out(p), response);
	assert_int_equal(peer_phase(p), phase);
	assert_int_equal(p->begun, p->done + (phase == PEER_BODY));
	peer_free(p);
}

static void get_is_answered_in_one_piece(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_add(p, GET);
	assert_int_equal(p->begun, 1);
	assert_int_equal(p->done, 0);
	assert_int_equal(peer_phase(p), PROTO_BUSY);
	assert_int_equal(peer_pull(p), sizeof(HELLO) - 1);
	assert_string_equal(peer_out(p), HELLO);
	assert_int_equal(p->done, 1);
	assert_int_equal(p->status, 200);
	assert_int_equal(p->body_sent, 14);
	assert_string_equal(p->method, "GET");
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	assert_int_equal(peer_pull(p), 0);
	peer_free(p);
}

static void exchanges_are_used_again(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	for (int i = 0; i < 1000; i++) {
		peer_send(p, GET);
		assert_int_equal(p->loop.pool.count, 1);
	}
	assert_int_equal(p->done, 1000);
	peer_free(p);
}

static void free_list_is_capped(void **state)
{
	struct peer *p = peer_new();
	struct http1 many[HTTP_EXCHANGES_KEPT + 10];
	(void)state;
	for (size_t i = 0; i < HTTP_EXCHANGES_KEPT + 10; i++) {
		http1_ops.init(&many[i].proto, &p->loop, p, &p->client);
		(void)http1_ops.input(&many[i].proto, (const uint8_t *)GET, sizeof(GET) - 1);
	}
	assert_int_equal(p->loop.pool.count, 0);
	for (size_t i = 0; i < HTTP_EXCHANGES_KEPT + 10; i++)
		http1_ops.release(&many[i].proto);
	assert_int_equal(p->loop.pool.count, HTTP_EXCHANGES_KEPT);
	assert_int_equal(p->done, HTTP_EXCHANGES_KEPT + 10);
	peer_free(p);
}

static void versions_and_persistence(void **state)
{
	(void)state;
	assert_exchange(GET, HELLO, PROTO_IDLE);
	assert_exchange("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", HELLO_CLOSE,
			PROTO_CLOSING);
	assert_exchange("GET / HTTP/1.0\r\n\r\n", HELLO_CLOSE, PROTO_CLOSING);
	assert_exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
			HEAD_ "Connection: keep-alive\r\n\r\n" PEER_HELLO, PROTO_IDLE);
	assert_exchange("HEAD / HTTP/1.1\r\n" H "\r\n", HEAD_ "\r\n", PROTO_IDLE);
	assert_exchange("GET /nothing HTTP/1.1\r\n" H "\r\n",
			"HTTP/1.1 204 No Content\r\n" DATE "\r\n", PROTO_IDLE);
	assert_exchange("GET http://b?x HTTP/1.1\r\n" H "\r\n", HELLO, PROTO_IDLE);
}

static void clean_ends_do_not_linger(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_send(p, "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_false(http1_ops.lingers(&p->http1.proto));
	assert_false(http1_ops.wants_input(&p->http1.proto));
	peer_free(p);
}

static void pipelined_requests_wait_their_turn(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	peer_add(p, GET GET GET);
	assert_int_equal(p->begun, 1);
	assert_int_equal(p->in_len, 2 * (sizeof(GET) - 1));
	assert_false(http1_ops.wants_input(&p->http1.proto));
	peer_run(p);
	assert_string_equal(peer_out(p), HELLO HELLO HELLO);
	assert_int_equal(p->done, 3);
	peer_free(p);
}

static void last_allowed_response_says_so(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	p->limits.requests = 2;
	peer_send(p, GET GET GET);
	assert_string_equal(peer_out(p), HELLO HELLO_CLOSE);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_true(http1_ops.lingers(&p->http1.proto)); /* the third may have come later */
	peer_free(p);
}

static void bodies_come_back(void **state)
{
	(void)state;
	assert_exchange("POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" GET,
			ECHO_ "Content-Length: 5\r\n\r\nhello" HELLO, PROTO_IDLE);
	assert_exchange("PUT /echo HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n" GET,
			ECHO_ "Content-Length: 0\r\n\r\n" HELLO, PROTO_IDLE);
	assert_exchange("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
			"5\r\nhello\r\n8;x=y\r\n, world!\r\n0\r\nTrailer: x\r\n\r\n" GET,
			ECHO_
			"Transfer-Encoding: chunked\r\n\r\nd\r\nhello, world!\r\n0\r\n\r\n" HELLO,
			PROTO_IDLE);
	assert_exchange("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			ECHO_ "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", PROTO_IDLE);
	assert_exchange("HEAD /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" GET,
			ECHO_ "Content-Length: 5\r\n\r\n" HELLO, PROTO_IDLE);
	assert_exchange("POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
			ECHO_ "Content-Length: 5\r\nConnection: close\r\n\r\nhello", PROTO_CLOSING);
	assert_exchange("GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" GET, HELLO HELLO,
			PROTO_IDLE);
}

/* Input may be read and discarded as soon as none of it counts, and not before. */
static void input_is_ignored_behind_the_last_request(void **state)
{
	struct peer *p = peer_new();
	(void)state;
	assert_false(http1_ops.ignores_input(&p->http1.proto));
	peer_add(p, "GET / HT");
	assert_false(http1_ops.ignores_input(&p->http1.proto));
	peer_add(p, "TP/1.1\r\n" H "\r\n" GET); /* a second one may follow */
	assert_false(http1_ops.ignores_input(&p->http1.proto));
	peer_run(p);
	assert_int_equal(p->done, 2);
	assert_false(http1_ops.ignores_input(&p->http1.proto));
	peer_add(p, "POST /echo HTTP/1.1\r\n" H "Connection: close\r\nContent-Length: 2\r\n\r\na");
	assert_false(http1_ops.ignores_input(&p->http1.proto)); /* the body counts */
	peer_add(p, "b");
	assert_true(http1_ops.ignores_input(&p->http1.proto));
	peer_run(p);
	assert_true(http1_ops.ignores_input(&p->http1.proto));
	peer_free(p);

	p = peer_new();
	p->limits.requests = 1;
	peer_add(p, GET);
	assert_true(http1_ops.ignores_input(&p->http1.proto));
	peer_free(p);

	p = peer_new();
	peer_add(p, GET);
	http1_ops.drain(&p->http1.proto);
	assert_true(http1_ops.ignores_input(&p->http1.proto));
	peer_run(p);
	assert_true(http1_ops.ignores_input(&p->http1.proto));
	peer_free(p);

	p = peer_new();
	peer_add(p, "BREW / HTTP/1.1\r\n" H "\r\n");
	assert_true(http1_ops.ignores_input(&p->http1.proto));
	peer_free(p);
}

/* Only bytes of the body count as progress, whether a handler takes them or they are discarded.
 */
static void bytes_of_a_body_are_counted(void **state)
{
	static const struct {
		const char *piece;
		uint64_t received;
	} pieces[] = {
	    {"POST /none HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 0},
	    {"00005;a=b\r\n", 0},
	    {"hel", 3},
	    {"lo", 5},
	    {"\r\n1;x=\"y\"\r\n", 5},
	    {"!", 6},
	    {"\r\n0\r\nTrailer: x\r\n", 6},
	};
	struct peer *p = peer_new();
	(void)state;
	assert_int_equal(peer_body_received(p), 0);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		peer_send(p, pieces[i].piece);
		assert_int_equal(peer_phase(p), PEER_BODY);
		assert_int_equal(peer_body_received(p), pieces[i].received);
	}
	peer_send(p, "\r\n");
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	assert_int_equal(peer_body_received(p), 0);
	peer_send(p, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhel");
	assert_int_equal(peer_body_received(p), 3);
	peer_free(p);
}

/* Of chunks that came together, a handler gets all or none. */
static void chunks_are_read_ahead(void **state)
{
	static const char good[] =
	    "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
	static const char *const wrong[] = {
	    "zz\r\n",      "1\r\nab\r\n",      "0\r\nX : y\r\n\r\n",  "0\n",
	    "1;\r\na\r\n", "5\r\nhello\r\n\n", "ffffffffffffffff\r\n"};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const bool large = wrong[i][0] == 'f';
		struct peer *p = peer_new();
		char together[sizeof(good) + 32];
		(void)snprintf(together, sizeof(together), "%s%s", good, wrong[i]);
		peer_add(p, together);
		assert_int_equal(peer_body_received(p), 0);
		peer_run(p);
		assert_memory_equal(peer_out(p), large ? "HTTP/1.1 413 " : "HTTP/1.1 400 ", 13);
		assert_int_equal(peer_phase(p), PROTO_CLOSING);
		peer_free(p);
		/* in two pieces, the first one has gone on */
		p = peer_new();
		peer_send(p, good);
		peer_send(p, wrong[i]);
		assert_memory_equal(peer_out(p), "HTTP/1.1 200 ", 13);
		assert_int_equal(peer_phase(p), PROTO_ABORTED);
		peer_free(p);
	}
}

/* Every point at which three requests can be split, with output pulled in between and without. */
static void splits_change_nothing(void **state)
{
	static const char text[] =
	    GET "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello"
		"POST /none HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		"5;x\r\nhello\r\n0\r\nA: b\r\n\r\n"
		"\r\nHEAD / HTTP/1.1\r\n" H "Connection: close\r\n\r\n";
	struct peer *whole = peer_new();
	(void)state;
	peer_send(whole, text);
	assert_int_equal(whole->done, 4);
	for (size_t i = 0; i < 2 * sizeof(text); i++) {
		struct peer *p = peer_new();
		size_t at = i / 2;
		peer_give(p, text, at);
		if (i % 2 != 0)
			peer_run(p);
		peer_give(p, text + at, sizeof(text) - 1 - at);
		peer_run(p);
		assert_string_equal(peer_out(p), peer_out(whole));
		assert_int_equal(peer_phase(p), PROTO_CLOSING);
		peer_free(p);
	}
	struct peer *p = peer_new();
	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		peer_give(p, text + i, 1);
		peer_run(p);
	}
	assert_string_equal(peer_out(p), peer_out(whole));
	peer_free(p);
	peer_free(whole);
}

static void small_outputs_give_the_same(void **state)
{
	char value[2996], fields[3001];
	const struct http_header header = {"X", value, 1, sizeof(value) - 1};
	struct respond big = {.status = 200, .fields = &header, .fields_count = 1};
	struct peer *p = peer_new();
	char *body = malloc(50000);
	(void)state;

	memset(value, 'x', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	(void)snprintf(fields, sizeof(fields), "X: %s\r\n", value);
	memset(body, 'b', 50000);
	big.body = body;
	big.body_len = 50000;
	p->location = (struct http_location){.handler = &handler_respond, .config = &big};

	char want[4000];
	int head = snprintf(want, sizeof(want),
			    "HTTP/1.1 200 OK\r\n" DATE "%sContent-Length: 50000\r\n\r\n", fields);
	for (p->pull = PROTO_OUTPUT_MIN; p->pull < 5000; p->pull += 37) {
		peer_out_clear(p);
		peer_send(p, "GET /test HTTP/1.1\r\n" H "\r\n");
		assert_int_equal(p->out_len, (size_t)head + 50000);
		assert_memory_equal(p->out, want, (size_t)head);
		assert_memory_equal(p->out + head, body, 50000);
	}
	assert_int_equal(http1_ops.output(&p->http1.proto, p->out, PROTO_OUTPUT_MIN - 1), 0);
	peer_free(p);
	free(body);
}

/* A client that sends and does not read is made to wait, at a bounded number of bytes. */
static void back_pressure_reaches_the_client(void **state)
{
	struct peer *p = peer_new();
	char body[30000];
	(void)state;
	p->pull = PROTO_OUTPUT_MIN;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)('a' + i % 23);
	peer_add(p, "POST /echo HTTP/1.1\r\n" H "Content-Length: 60000\r\n\r\n");
	assert_true(http1_ops.wants_input(&p->http1.proto));
	peer_give(p, body, sizeof(body));
	assert_int_equal(p->in_len, sizeof(body) - 16384);
	assert_false(http1_ops.wants_input(&p->http1.proto));
	assert_int_equal(peer_phase(p), PROTO_BUSY);
	assert_false(peer_offer(p));

	assert_true(peer_pull(p) > 0);
	assert_true(http1_ops.wants_input(&p->http1.proto));
	assert_true(peer_offer(p));
	assert_false(http1_ops.wants_input(&p->http1.proto));
	peer_run(p);
	assert_int_equal(peer_phase(p), PEER_BODY);
	peer_give(p, body, sizeof(body));
	peer_run(p);
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	assert_int_equal(p->body_received, 60000);
	assert_int_equal(p->body_sent, 60000);
	const char *at = strstr(peer_out(p), "\r\n\r\n") + 4;
	assert_memory_equal(at, body, sizeof(body));
	assert_memory_equal(at + sizeof(body), body, sizeof(body));
	peer_free(p);
}

static void continue_is_sent_where_it_helps(void **state)
{
	static const char head[] =
	    "POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n";
	static const char answer[] = ECHO_ "Content-Length: 5\r\n\r\nhello";
	struct peer *p = peer_new();
	(void)state;
	peer_send(p, head);
	assert_string_equal(peer_out(p), "HTTP/1.1 100 Continue\r\n\r\n");
	assert_int_equal(peer_phase(p), PEER_BODY);
	peer_out_clear(p);
	peer_send(p, "hello" GET);
	assert_memory_equal(p->out, answer, sizeof(answer) - 1);
	assert_string_equal(peer_out(p) + sizeof(answer) - 1, HELLO);
	assert_int_equal(peer_phase(p), PROTO_IDLE);

	peer_out_clear(p);
	peer_add(p, head); /* a byte of the body came before we could ask */
	peer_add(p, "h");
	peer_run(p);
	peer_send(p, "ello");
	assert_string_equal(peer_out(p), answer);
	peer_free(p);

	assert_exchange("POST /echo HTTP/1.1\r\n" H
			"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
			"HTTP/1.1 100 Continue\r\n\r\n", PEER_BODY);
	assert_exchange("POST /echo HTTP/1.1\r\n" H
			"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n5",
			"", PEER_BODY);
	assert_exchange("POST /echo HTTP/1.1\r\n" H
			"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
			ECHO_ "Content-Length: 0\r\n\r\n", PROTO_IDLE);
	assert_exchange("GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n", HELLO, PROTO_IDLE);
	assert_exchange("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
			ECHO_ "Content-Length: 1\r\nConnection: close\r\n\r\nx", PROTO_CLOSING);
}

static void client_may_close_its_side(void **state)
{
	struct peer *p = peer_new();
	const struct proto_ops *ops = &http1_ops;
	(void)state;
	ops->input_ended(&p->http1.proto);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);

	p = peer_new();
	peer_add(p, "GET / HT");
	ops->input_ended(&p->http1.proto);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_int_equal(p->begun, 0);
	peer_free(p);

	p = peer_new(); /* every request is answered, pipelined or not */
	peer_add(p, GET GET GET "GET");
	ops->input_ended(&p->http1.proto);
	peer_run(p);
	assert_string_equal(peer_out(p), HELLO HELLO HELLO);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_false(ops->lingers(&p->http1.proto));
	peer_free(p);

	p = peer_new();
	peer_add(p, GET);
	ops->input_ended(&p->http1.proto);
	peer_run(p);
	assert_string_equal(peer_out(p), HELLO_CLOSE);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);

	p = peer_new(); /* a body that will never be complete */
	peer_send(p, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhel");
	ops->input_ended(&p->http1.proto);
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	assert_int_equal(p->done, 1);
	peer_free(p);
}

/* The end of input is known while back-pressure still holds back the rest of the body. */
static void end_waits_for_what_is_pending(void **state)
{
	struct peer *p = peer_new();
	char body[40000] = {0};
	(void)state;
	peer_add(p, "POST /echo HTTP/1.1\r\n" H "Content-Length: 40000\r\n\r\n");
	peer_give(p, body, sizeof(body));
	http1_ops.input_ended(&p->http1.proto);
	peer_run(p);
	assert_int_equal(p->body_sent, 40000);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);

	p = peer_new();
	peer_add(p, "POST /echo HTTP/1.1\r\n" H "Content-Length: 40001\r\n\r\n");
	peer_give(p, body, sizeof(body));
	http1_ops.input_ended(&p->http1.proto);
	assert_int_equal(peer_phase(p), PROTO_BUSY);
	peer_run(p);
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	peer_free(p);
}

static void drain_ends_at_the_next_boundary(void **state)
{
	const struct proto_ops *ops = &http1_ops;
	struct peer *p = peer_new();
	(void)state;
	ops->drain(&p->http1.proto); /* it has not asked anything yet, but is about to */
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_send(p, GET);
	assert_string_equal(peer_out(p), HELLO_CLOSE);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);

	p = peer_new();
	peer_send(p, GET);
	ops->drain(&p->http1.proto); /* between two requests */
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_false(ops->lingers(&p->http1.proto));
	peer_free(p);

	p = peer_new();
	peer_give(p, GET, sizeof(GET) - 2 - 1);
	ops->drain(&p->http1.proto);
	assert_int_equal(peer_phase(p), PEER_HEAD);
	peer_send(p, "\r\n");
	assert_string_equal(peer_out(p), HELLO_CLOSE);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);

	p = peer_new(); /* the head was put out already */
	peer_send(p, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhel");
	ops->drain(&p->http1.proto);
	assert_int_equal(peer_phase(p), PEER_BODY);
	peer_send(p, "lo" GET);
	assert_string_equal(peer_out(p), ECHO_ "Content-Length: 5\r\n\r\nhello");
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_int_equal(p->done, 1);
	peer_free(p);

	p = peer_new(); /* only a body that will be discarded is still coming */
	peer_send(p, "HEAD /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhel");
	ops->drain(&p->http1.proto);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_true(ops->lingers(&p->http1.proto));
	peer_free(p);
}

static void release_cancels_in_every_state(void **state)
{
	static const char text[] = "POST /echo HTTP/1.1\r\n" H
				   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" GET;
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(text); i++) {
		struct peer *p = peer_new();
		peer_give(p, text, i / 2);
		if (i % 2 != 0)
			(void)peer_pull(p);
		http1_ops.release(&p->http1.proto);
		http1_ops.release(&p->http1.proto);
		assert_int_equal(p->begun, p->done);
		peer_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(get_is_answered_in_one_piece),
	    cmocka_unit_test(exchanges_are_used_again),
	    cmocka_unit_test(free_list_is_capped),
	    cmocka_unit_test(versions_and_persistence),
	    cmocka_unit_test(clean_ends_do_not_linger),
	    cmocka_unit_test(pipelined_requests_wait_their_turn),
	    cmocka_unit_test(last_allowed_response_says_so),
	    cmocka_unit_test(bodies_come_back),
	    cmocka_unit_test(input_is_ignored_behind_the_last_request),
	    cmocka_unit_test(bytes_of_a_body_are_counted),
	    cmocka_unit_test(chunks_are_read_ahead),
	    cmocka_unit_test(splits_change_nothing),
	    cmocka_unit_test(small_outputs_give_the_same),
	    cmocka_unit_test(back_pressure_reaches_the_client),
	    cmocka_unit_test(continue_is_sent_where_it_helps),
	    cmocka_unit_test(client_may_close_its_side),
	    cmocka_unit_test(end_waits_for_what_is_pending),
	    cmocka_unit_test(drain_ends_at_the_next_boundary),
	    cmocka_unit_test(release_cancels_in_every_state),
	};
	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
