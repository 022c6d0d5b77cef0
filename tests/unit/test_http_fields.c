/* The fields of a response, those of a request as a walk, and who is named when a handler is
 * called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../http_peer.h"
#include "http/internal.h"

#define H     "Host: a\r\n"
#define GET   "GET /test HTTP/1.1\r\n" H "\r\n"
#define START "HTTP/1.1 200 OK\r\nDate: " PEER_DATE "\r\n"

static const struct http_header constant[] = {HTTP_HEADER("X-One", "1"), HTTP_HEADER("X-Two", "")};

/* What begin() of the tests' handler does. */
static void (*script)(struct exchange *);
static int result;
static unsigned ended;

static void run_script(struct exchange *ex)
{
	script(ex);
}

static void count_end(struct exchange *ex)
{
	(void)ex;
	ended++;
}

static const struct handler scripted = {
    .methods = HTTP_METHOD_BIT(HTTP_GET) | HTTP_METHOD_BIT(HTTP_POST),
    .begin = run_script,
    .end = count_end,
};

static struct peer *peer_with(void (*begin)(struct exchange *))
{
	struct peer *p = peer_new();
	script = begin;
	ended = 0;
	p->location = (struct http_location){.handler = &scripted};
	return p;
}

static void add(struct exchange *ex, const char *name, const char *value)
{
	result = exchange_add_field(ex, name, strlen(name), value, strlen(value));
}

static void both_kinds(struct exchange *ex)
{
	char value[] = "of the request";
	add(ex, "Early", value);
	exchange_respond(ex, 200, 0, constant, 2);
	add(ex, "Late", "\"q\"\t\xc3\xa4");
	memset(value, '!', sizeof(value)); /* it was copied */
}

static void constant_fields_come_before_added_ones(void **state)
{
	struct peer *p = peer_with(both_kinds);
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		peer_out_clear(p);
		peer_send(p, GET);
		assert_string_equal(peer_out(p),
				    START "X-One: 1\r\nX-Two: \r\nEarly: of the request\r\n"
					  "Late: \"q\"\t\xc3\xa4\r\nContent-Length: 0\r\n\r\n");
	}
	peer_free(p);
}

static const char *bad_name, *bad_value;
static size_t bad_value_len;

static void add_bad(struct exchange *ex)
{
	exchange_respond(ex, 200, 0, constant, 2);
	result = exchange_add_field(ex, bad_name, strlen(bad_name), bad_value, bad_value_len);
	add(ex, "Good", "1");
}

/* The response would be split, or be framed twice; or it would lack the field. */
static void a_field_that_cannot_be_is_a_500_and_never_sent(void **state)
{
	static const struct {
		const char *name, *value;
		size_t len;
	} cases[] = {{"X", "a\r\nSet-Cookie: b", 16},
		     {"X", "a\n", 2},
		     {"X", "\r", 1},
		     {"X", "a\0b", 3},
		     {"X", "\x7f", 1},
		     {"X\r\nY", "a", 1},
		     {"X:", "a", 1},
		     {"", "a", 1},
		     {"X Y", "a", 1},
		     {"content-length", "3", 1},
		     {"Transfer-Encoding", "chunked", 7},
		     {"Connection", "close", 5},
		     {"DATE", "now", 3}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer *p = peer_with(add_bad);
		bad_name = cases[i].name;
		bad_value = cases[i].value;
		bad_value_len = cases[i].len;
		peer_send(p, GET);
		assert_string_equal(peer_out(p),
				    "HTTP/1.1 500 Internal Server Error\r\nDate: " PEER_DATE
				    "\r\nContent-Type: text/plain\r\nContent-Length: 26\r\n\r\n"
				    "500 Internal Server Error\n");
		assert_int_equal(p->status, 500);
		assert_int_equal(ended, 1);
		assert_int_equal(peer_phase(p), PROTO_IDLE);
		peer_send(p, "GET / HTTP/1.1\r\n" H "\r\n");
		assert_int_equal(p->status, 200);
		peer_free(p);
	}
}

static void add_much(struct exchange *ex)
{
	char value[1000];
	unsigned n = 0;
	memset(value, 'v', sizeof(value));
	do
		result = exchange_add_field(ex, "Field", 5, value, sizeof(value));
	while (result == 0 && ++n < 1000);
	assert_int_equal(result, -ENOSPC);
	assert_in_range(n, 14, 16);
	assert_int_equal(exchange_add_field(ex, "F", 1, value, SIZE_MAX - 10), -ENOSPC);
	exchange_respond(ex, 200, 0, NULL, 0);
}

static void add_most(struct exchange *ex)
{
	char value[1000];
	memset(value, 'v', sizeof(value));
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(exchange_add_field(ex, "Field", 5, value, sizeof(value)), 0);
	exchange_respond(ex, 200, 0, NULL, 0);
}

static void too_many_bytes_of_fields_are_a_500(void **state)
{
	struct peer *p = peer_with(add_most);
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		peer_out_clear(p);
		p->pull = PROTO_OUTPUT_MIN + 31 * i; /* lines that are longer than the room */
		peer_send(p, GET);
		assert_int_equal(p->status, 200);
		assert_int_equal(p->out_len,
				 sizeof(START "Content-Length: 0\r\n\r\n") - 1 + 15 * 1009);
	}
	script = add_much;
	peer_send(p, GET);
	assert_int_equal(p->status, 500);
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_free(p);
}

static struct exchange *kept;

static void respond_long(struct exchange *ex)
{
	kept = ex;
	exchange_respond(ex, 200, 1, NULL, 0);
}

static long give_later(struct exchange *ex, uint8_t *out, size_t size)
{
	(void)ex;
	(void)out;
	(void)size;
	return GIVE_LATER;
}

static void a_field_after_the_head_is_too_late(void **state)
{
	static const struct handler slow = {
	    .methods = UINT32_MAX, .begin = respond_long, .give = give_later};
	struct peer *p = peer_new();
	(void)state;
	p->location = (struct http_location){.handler = &slow};
	peer_send(p, GET);
	assert_string_equal(peer_out(p), START "Content-Length: 1\r\n\r\n");
	add(kept, "Too", "late");
	assert_int_equal(result, -EALREADY);
	peer_free(p);
}

static void fields_are_walked(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\na: \t2 \r\nB:\r\n\r\n";
	static const char *const want[] = {"Host", "a", "A", "1", "a", "2", "B", ""};
	struct http_request r;
	struct http_header f;
	size_t scan = 0;
	unsigned at = 0, n = 0;
	(void)state;
	assert_true(http_request_parse(head, sizeof(head) - 1, 4096, &scan, &r) > 0);
	for (; http_request_next(&r, &at, &f); n++) {
		assert_int_equal(f.name_len, strlen(want[2 * n]));
		assert_memory_equal(f.name, want[2 * n], f.name_len);
		assert_int_equal(f.value_len, strlen(want[2 * n + 1]));
		assert_memory_equal(f.value, want[2 * n + 1], f.value_len);
	}
	assert_int_equal(n, 4);
	assert_false(http_request_next(&r, &at, &f));
}

static void a_walk_ends_and_stays_there(void **state)
{
	struct http_loop loop = {0};
	struct http_fields_walk none = {0}, walk = {0};
	struct exchange *ex = exchange_acquire(&loop, NULL, NULL);
	(void)state;
	assert_null(exchange_next_field(ex, &none));
	assert_null(exchange_next_field(ex, &none));
	add(ex, "A", "1");
	add(ex, "B", "2");
	ex->fields = constant;
	ex->fields_count = 1;
	for (const char *want = "XAB"; *want != '\0'; want++)
		assert_int_equal(exchange_next_field(ex, &walk)->name[0], *want);
	assert_null(exchange_next_field(ex, &walk));
	assert_null(exchange_next_field(ex, &walk));
	exchange_drop(ex);
	http_loop_release(&loop);
}

/* Two connections of one loop take turns. */
static void each_call_names_its_exchange(void **state)
{
	struct peer *a = peer_new(), *b = peer_new();
	(void)state;
	b->http1.loop = &a->loop;
	peer_add(a, "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n1");
	const struct exchange *first = a->http1.exchange;
	assert_ptr_equal(a->entered, first);
	assert_int_equal(a->enters, 1);
	peer_run(a);
	assert_int_equal(a->enters, 1); /* nothing else was shown meanwhile */
	peer_add(b, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n1");
	assert_ptr_equal(b->entered, b->http1.exchange);
	peer_send(a, "2");
	assert_int_equal(a->enters, 2);
	assert_ptr_equal(a->entered, first);
	a->loop.shown = NULL; /* the owner has shown something else */
	peer_send(a, "3");
	assert_int_equal(a->enters, 3);
	peer_send(b, "2");
	assert_int_equal(b->enters, 2);
	assert_null(a->loop.shown); /* the exchange has ended: the next in its memory is another */
	peer_send(a, "GET / HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(a->enters, 4);
	peer_send(a, "broken\r\n\r\n"); /* the protocol's own answers, too */
	assert_int_equal(a->enters, 5);
	b->http1.proto.ops->release(&b->http1.proto);
	b->http1.loop = &b->loop;
	peer_free(b);
	peer_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(constant_fields_come_before_added_ones),
	    cmocka_unit_test(a_field_that_cannot_be_is_a_500_and_never_sent),
	    cmocka_unit_test(too_many_bytes_of_fields_are_a_500),
	    cmocka_unit_test(a_field_after_the_head_is_too_late),
	    cmocka_unit_test(fields_are_walked),
	    cmocka_unit_test(a_walk_ends_and_stays_there),
	    cmocka_unit_test(each_call_names_its_exchange),
	};
	return cmocka_run_group_tests_name("http fields", tests, NULL, NULL);
}
