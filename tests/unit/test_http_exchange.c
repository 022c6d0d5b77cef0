/* The contract between the protocol and a handler, tried with unusual handlers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http_peer.h"

#define H     "Host: a\r\n"
#define DATE  "Date: " PEER_DATE "\r\n"
#define START "HTTP/1.1 200 OK\r\n" DATE
#define GET   "GET /test HTTP/1.1\r\n" H "\r\n"

/* A handler that follows a script. */
struct script {
	bool respond_in_begin, respond_in_end;
	unsigned answer_in_end; /* with exchange_answer() */
	unsigned status;
	uint64_t length;
	long gives[8]; /* give()'s answers, in turn */
	size_t room;   /* bytes that take() takes before it blocks */

	struct exchange *ex;
	unsigned begun, ended, taken_ends, given;
	size_t taken;
};

static struct script *script_of(struct exchange *ex)
{
	return (struct script *)(uintptr_t)ex->config;
}

static void odd_respond(struct exchange *ex)
{
	const struct script *s = script_of(ex);
	exchange_respond(ex, s->status, s->length, NULL, 0);
}

static void odd_begin(struct exchange *ex)
{
	struct script *s = script_of(ex);
	s->ex = ex;
	s->begun++;
	if (s->respond_in_begin)
		odd_respond(ex);
}

static size_t odd_take(struct exchange *ex, const uint8_t *data, size_t len)
{
	struct script *s = script_of(ex);
	size_t n = len < s->room ? len : s->room;
	(void)data;
	s->room -= n;
	s->taken += n;
	return n;
}

static void odd_take_end(struct exchange *ex)
{
	struct script *s = script_of(ex);
	s->taken_ends++;
	if (s->answer_in_end != 0)
		exchange_answer(ex, s->answer_in_end, 0);
	if (s->respond_in_end)
		odd_respond(ex);
}

static long odd_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct script *s = script_of(ex);
	long n = s->gives[s->given++ % 8];
	if (n > 0 && (size_t)n <= size)
		memset(out, 'g', (size_t)n);
	return n;
}

static void odd_end(struct exchange *ex)
{
	script_of(ex)->ended++;
}

static const struct handler odd = {
    .methods = HTTP_METHOD_BIT(HTTP_GET) | HTTP_METHOD_BIT(HTTP_POST),
    .begin = odd_begin,
    .take = odd_take,
    .take_end = odd_take_end,
    .give = odd_give,
    .end = odd_end,
};
static const struct handler mute = {
    .methods = HTTP_METHOD_BIT(HTTP_GET),
    .begin = odd_begin,
    .end = odd_end,
};

static struct peer *peer_for(const struct handler *handler, struct script *s)
{
	struct peer *p = peer_new();
	p->location = (struct http_location){.handler = handler, .config = s};
	return p;
}

static void later_and_woken(void **state)
{
	struct script s = {.respond_in_end = true,
			   .status = 200,
			   .length = 6,
			   .gives = {GIVE_LATER, 4, GIVE_LATER, GIVE_LATER, 2}};
	struct peer *p = peer_for(&odd, &s);
	(void)state;
	peer_add(p, GET);
	assert_true(peer_pull(p) > 0);
	assert_string_equal(peer_out(p), START "Content-Length: 6\r\n\r\n");
	assert_int_equal(peer_phase(p), PROTO_BUSY);
	assert_int_equal(p->woken, 0);
	exchange_wake(s.ex);
	assert_int_equal(p->woken, 1);
	assert_int_equal(peer_pull(p), 4);
	assert_string_equal(peer_out(p), START "Content-Length: 6\r\n\r\ngggg");
	assert_int_equal(peer_pull(p), 0);
	assert_int_equal(peer_pull(p), 2);
	assert_string_equal(peer_out(p), START "Content-Length: 6\r\n\r\ngggggg");
	assert_int_equal(s.ended, 1);
	assert_int_equal(p->done, 1);
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_free(p);
}

static void response_from_outside_wakes(void **state)
{
	struct script s = {.status = 201, .length = 0};
	struct peer *p = peer_for(&odd, &s);
	(void)state;
	peer_send(p, GET);
	assert_int_equal(p->out_len, 0);
	assert_int_equal(peer_phase(p), PROTO_BUSY);
	odd_respond(s.ex);
	assert_int_equal(p->woken, 1);
	exchange_respond(s.ex, 404, 5, NULL, 0); /* ignored */
	peer_run(p);
	assert_string_equal(peer_out(p),
			    "HTTP/1.1 201 Created\r\n" DATE "Content-Length: 0\r\n\r\n");
	peer_free(p);
}

/* What serves a location may find out late that it cannot: a gateway, when nobody answers it. */
static void an_answer_may_come_after_the_request(void **state)
{
	struct script s = {.answer_in_end = 503};
	struct peer *p = peer_for(&odd, &s);
	(void)state;
	peer_send(p, GET);
	assert_int_equal(p->status, 503);
	assert_int_equal(peer_phase(p), PROTO_IDLE);

	s = (struct script){0};
	peer_out_clear(p);
	peer_send(p, GET);
	assert_int_equal(p->out_len, 0);
	const unsigned woken = p->woken;
	exchange_answer(s.ex, 502, 0);
	assert_int_equal(p->woken, woken + 1);
	peer_run(p);
	assert_string_equal(peer_out(p), "HTTP/1.1 502 Bad Gateway\r\n" DATE
					 "Content-Type: text/plain\r\nContent-Length: 16\r\n\r\n"
					 "502 Bad Gateway\n");
	assert_int_equal(p->done, 2);

	s = (struct script){.room = 100}; /* while the body comes: when it has come */
	peer_out_clear(p);
	peer_send(p, "POST /test HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nab");
	exchange_answer(s.ex, 502, 0);
	peer_run(p);
	assert_int_equal(p->out_len, 0);
	peer_send(p, "cd");
	assert_int_equal(p->done, 3);
	assert_int_equal(p->status, 502);

	s = (struct script){.room = 100}; /* at once, where no body may come */
	peer_out_clear(p);
	peer_send(p,
		  "POST /test HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	exchange_answer(s.ex, 503, 0);
	assert_int_equal(p->woken, woken + 2);
	peer_run(p);
	assert_int_equal(p->status, 503);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);
}

static void unknown_length_by_version(void **state)
{
	struct script s = {.respond_in_begin = true,
			   .status = 200,
			   .length = HTTP_LENGTH_UNKNOWN,
			   .gives = {300, 1, GIVE_END, GIVE_FAIL}};
	struct peer *p = peer_for(&odd, &s);
	(void)state;
	peer_send(p, GET);
	const char *body = strstr(peer_out(p), "\r\n\r\n") + 4;
	assert_memory_equal(body, "12c\r\nggg", 8);
	assert_string_equal(body + 5 + 300, "\r\n1\r\ng\r\n0\r\n\r\n");
	assert_non_null(strstr(peer_out(p), "\r\nTransfer-Encoding: chunked\r\n\r\n"));
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	assert_int_equal(p->body_sent, 301);
	peer_free(p);

	s.given = 0;
	p = peer_for(&odd, &s);
	peer_send(p, "GET /test HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	body = strstr(peer_out(p), "\r\n\r\n") + 4;
	assert_int_equal(strlen(body), 301);
	assert_memory_equal(peer_out(p), START "Connection: close\r\n\r\n",
			    sizeof(START "Connection: close\r\n\r\n") - 1);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);
}

/* Chunks that fill the available room, down to the least. */
static void chunks_fit_any_room(void **state)
{
	struct script s = {.respond_in_begin = true,
			   .status = 200,
			   .length = HTTP_LENGTH_UNKNOWN,
			   .gives = {1, 15, 16, 17, 100, GIVE_END}};
	(void)state;
	for (size_t pull = PROTO_OUTPUT_MIN; pull < 700; pull++) {
		struct peer *p = peer_for(&odd, &s);
		s.given = 0;
		p->pull = pull;
		peer_send(p, GET);
		assert_int_equal(peer_phase(p), PROTO_IDLE);
		const char *at = strstr(peer_out(p), "\r\n\r\n") + 4;
		size_t body = 0;
		for (unsigned long n; (n = strtoul(at, (char **)&at, 16)) > 0; at += 2 + n + 2) {
			assert_memory_equal(at, "\r\n", 2);
			assert_memory_equal(at + 2 + n, "\r\n", 2);
			body += n;
		}
		assert_string_equal(at, "\r\n\r\n");
		assert_int_equal(body, 149);
		peer_free(p);
	}
}

static void broken_promises_break_off(void **state)
{
	static const struct {
		uint64_t length;
		long give;
	} cases[] = {{10, GIVE_END},
		     {10, GIVE_FAIL},
		     {10, 11},
		     {HTTP_LENGTH_UNKNOWN, GIVE_FAIL},
		     {HTTP_LENGTH_UNKNOWN, 1000000}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct script s = {.respond_in_begin = true,
				   .status = 200,
				   .length = cases[i].length,
				   .gives = {5, cases[i].give}};
		struct peer *p = peer_for(&odd, &s);
		peer_send(p, GET);
		assert_int_equal(peer_phase(p), PROTO_ABORTED);
		assert_int_equal(s.ended, 1);
		assert_int_equal(p->done, 1);
		assert_false(http1_ops.lingers(&p->http1.proto));
		peer_free(p);
	}
}

static void statuses_are_kept_in_range(void **state)
{
	static const struct {
		unsigned status;
		const char *want;
	} cases[] = {
	    {100, "HTTP/1.1 500 Internal Server Error\r\n" DATE "Content-Length: 0\r\n\r\n"},
	    {600, "HTTP/1.1 500 Internal Server Error\r\n" DATE "Content-Length: 0\r\n\r\n"},
	    {304, "HTTP/1.1 304 Not Modified\r\n" DATE "\r\n"},
	    {299, "HTTP/1.1 299 Unknown\r\n" DATE "Content-Length: 0\r\n\r\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* Without give() a length cannot be kept, and is not promised. */
		struct script s = {
		    .respond_in_begin = true, .status = cases[i].status, .length = 7};
		struct peer *p = peer_for(&mute, &s);
		peer_send(p, GET);
		assert_string_equal(peer_out(p), cases[i].want);
		assert_int_equal(peer_phase(p), PROTO_IDLE);
		peer_free(p);
	}
}

static void early_response_leaves_the_body_to_be_dropped(void **state)
{
	struct script s = {.respond_in_begin = true, .status = 200, .length = 0, .room = 3};
	struct peer *p = peer_for(&odd, &s);
	(void)state;
	peer_send(p, "POST /test HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n12345");
	assert_string_equal(peer_out(p), START "Content-Length: 0\r\n\r\n");
	assert_int_equal(peer_phase(p), PEER_BODY);
	assert_int_equal(s.taken, 3);
	assert_int_equal(p->in_len, 0);
	assert_int_equal(p->done, 0);
	peer_send(p, "67890");
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	assert_int_equal(s.taken_ends, 0);
	assert_int_equal(s.ended, 1);
	assert_int_equal(p->body_received, 10);
	peer_free(p);
}

static void early_answer_to_expect_closes(void **state)
{
	struct script s = {.respond_in_begin = true, .status = 403, .length = 0};
	struct peer *p = peer_for(&odd, &s);
	(void)state;
	peer_send(p,
		  "POST /test HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n");
	assert_string_equal(peer_out(p), "HTTP/1.1 403 Forbidden\r\n" DATE
					 "Content-Length: 0\r\nConnection: close\r\n\r\n");
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_true(http1_ops.lingers(&p->http1.proto));
	peer_free(p);
}

static void wake_reopens_take(void **state)
{
	struct script s = {.respond_in_end = true, .status = 200, .length = 0, .room = 3};
	struct peer *p = peer_for(&odd, &s);
	(void)state;
	peer_send(p, "POST /test HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n12345");
	assert_int_equal(p->in_len, 2);
	assert_int_equal(peer_phase(p), PROTO_BUSY);
	assert_false(peer_offer(p));
	s.room = 10;
	exchange_wake(s.ex);
	peer_run(p);
	assert_int_equal(s.taken, 5);
	assert_int_equal(s.taken_ends, 1);
	assert_string_equal(peer_out(p), START "Content-Length: 0\r\n\r\n");
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_free(p);
}

/* The handler is told once, even if another answers in its place. */
static void refused_in_the_body_ends_the_handler(void **state)
{
	struct script s = {.respond_in_begin = true, .status = 200, .length = 5, .room = 100};
	struct peer *p = peer_for(&odd, &s);
	(void)state;
	peer_add(p, "POST /test HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\naX");
	peer_run(p);
	assert_int_equal(s.begun, 1);
	assert_int_equal(s.ended, 1);
	assert_int_equal(s.given, 0);
	assert_int_equal(p->status, 400);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(later_and_woken),
	    cmocka_unit_test(response_from_outside_wakes),
	    cmocka_unit_test(an_answer_may_come_after_the_request),
	    cmocka_unit_test(unknown_length_by_version),
	    cmocka_unit_test(chunks_fit_any_room),
	    cmocka_unit_test(broken_promises_break_off),
	    cmocka_unit_test(statuses_are_kept_in_range),
	    cmocka_unit_test(early_response_leaves_the_body_to_be_dropped),
	    cmocka_unit_test(early_answer_to_expect_closes),
	    cmocka_unit_test(wake_reopens_take),
	    cmocka_unit_test(refused_in_the_body_ends_the_handler),
	};
	return cmocka_run_group_tests_name("http exchange", tests, NULL, NULL);
}
