/* Filters in front of a handler: their order, who answers, who waits, and what they may change; and
 * the state that filters and handlers have in an event loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>

#include "../http_peer.h"
#include "handler/route.h"
#include "http/filter.h"

#define H     "Host: a\r\n"
#define GET   "GET /test HTTP/1.1\r\n" H "\r\n"
#define START "HTTP/1.1 200 OK\r\nDate: " PEER_DATE "\r\n"

/* What was called, a letter each; a filter's is in its config. */
static char calls[128];
static struct exchange *waiting;

static void note(char what, const void *config)
{
	const size_t n = strlen(calls);
	assert_true(n + 3 < sizeof(calls));
	calls[n] = what;
	calls[n + 1] = *(const char *)config;
}

static const char *called(void)
{
	static char copy[sizeof(calls)];
	memcpy(copy, calls, sizeof(calls));
	memset(calls, 0, sizeof(calls));
	return copy;
}

static enum filter_verdict noted_begin(struct exchange *ex, struct filter_use *use)
{
	assert_true(ex->inside);
	note('b', use->config);
	switch (((const char *)use->config)[1]) {
	case 'l':
		return FILTER_LEAVES;
	case 'a':
		exchange_answer(ex, 403, 0);
		return FILTER_ANSWERS;
	case 'o':
		ex->location = &peer_locations[0];
		return FILTER_ANSWERS;
	case 'w':
		waiting = ex;
		return FILTER_WAITS;
	}
	return FILTER_PASSES;
}

static void noted_head(struct exchange *ex, struct filter_use *use)
{
	assert_true(ex->inside);
	note('h', use->config);
	(void)exchange_add_field(ex, "By", 2, use->config, 1);
}

static long noted_give(struct exchange *ex, struct filter_use *use, uint8_t *out, size_t size)
{
	const long n = filter_give_next(ex, use, out, size);
	for (long i = 0; i < n; i++)
		out[i] = (uint8_t)toupper(out[i]);
	return n;
}

static void noted_end(struct exchange *ex, struct filter_use *use)
{
	(void)ex;
	note('e', use->config);
}

static const struct filter noted = {.begin = noted_begin, .head = noted_head, .end = noted_end};
static const struct filter shouting = {
    .begin = noted_begin, .head = noted_head, .give = noted_give, .end = noted_end};

static struct peer *peer_with(const struct http_location_filter *filters, unsigned count)
{
	struct peer *p = peer_new();
	memset(calls, 0, sizeof(calls));
	p->location = peer_locations[0];
	p->location.filters = filters;
	p->location.filters_count = count;
	return p;
}

static void filters_are_asked_inwards_and_heard_outwards(void **state)
{
	static const struct http_location_filter filters[] = {{.filter = &noted, .config = "1"},
							      {.filter = &shouting, .config = "2"},
							      {.filter = &noted, .config = "3"}};
	struct peer *p = peer_with(filters, 3);
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		peer_out_clear(p);
		peer_send(p, GET);
		assert_string_equal(peer_out(p),
				    START "Content-Type: text/plain\r\nBy: 3\r\nBy: 2\r\n"
					  "By: 1\r\nContent-Length: 14\r\n\r\nHELLO, WORLD!\n");
		assert_string_equal(called(), "b1b2b3h3h2h1e3e2e1");
	}
	peer_free(p);
}

static void one_that_leaves_is_not_called_again(void **state)
{
	static const struct http_location_filter filters[] = {{.filter = &shouting, .config = "1l"},
							      {.filter = &noted, .config = "2"}};
	struct peer *p = peer_with(filters, 2);
	(void)state;
	peer_send(p, GET);
	assert_non_null(strstr(peer_out(p), "\r\nBy: 2\r\n"));
	assert_non_null(strstr(peer_out(p), PEER_HELLO));
	assert_string_equal(called(), "b1b2h2e2");
	peer_free(p);
}

static void one_answers_in_place_of_the_handler(void **state)
{
	static const struct http_location_filter answers[] = {{.filter = &noted, .config = "1"},
							      {.filter = &noted, .config = "2a"},
							      {.filter = &noted, .config = "3"}};
	static const struct http_location_filter other[] = {{.filter = &noted, .config = "1o"},
							    {.filter = &noted, .config = "2"}};
	struct peer *p = peer_with(answers, 3);
	(void)state;
	peer_send(p, GET);
	assert_int_equal(p->status, 403);
	assert_string_equal(called(), "b1b2h2h1e2e1");
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_send(p,
		  "POST /test HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_int_equal(p->status, 403);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);

	p = peer_with(other, 2);
	p->location.handler = &handler_echo;
	peer_send(p, GET);
	assert_non_null(strstr(peer_out(p), "By: 1\r\nContent-Length: 14\r\n\r\n" PEER_HELLO));
	assert_string_equal(called(), "b1h1e1");
	peer_free(p);
}

/* What the protocol says about a location passes its filters, too. */
static void a_method_is_judged_after_the_filters(void **state)
{
	static const struct http_location_filter filters[] = {{.filter = &noted, .config = "1"}};
	struct peer *p = peer_with(filters, 1);
	(void)state;
	peer_send(p, "DELETE /test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(p->status, 405);
	assert_non_null(strstr(peer_out(p), "\r\nAllow: GET, HEAD, OPTIONS\r\nBy: 1\r\n"));
	assert_string_equal(called(), "b1h1e1");
	peer_free(p);
}

static void a_request_waits_with_its_body(void **state)
{
	static const struct http_location_filter filters[] = {{.filter = &noted, .config = "1w"},
							      {.filter = &noted, .config = "2"}};
	struct peer *p = peer_with(filters, 2);
	(void)state;
	p->location.handler = &handler_echo;
	peer_send(p, "POST /test HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nab");
	assert_int_equal(p->in_len, 2); /* the body is not taken */
	assert_false(http1_ops.wants_input(&p->http1.proto));
	assert_string_equal(called(), "b1");
	const unsigned woken = p->woken;
	filter_continue(waiting);
	assert_int_equal(p->woken, woken + 1);
	assert_ptr_equal(p->woken_for, waiting);
	peer_run(p);
	peer_send(p, "cd");
	assert_non_null(strstr(peer_out(p), "\r\n\r\nabcd"));
	assert_string_equal(called(), "b2h2h1e2e1");
	filter_continue(waiting); /* it does not wait */
	assert_string_equal(called(), "");

	peer_out_clear(p);
	peer_send(p, GET); /* its end has come before the handler begins */
	filter_continue(waiting);
	peer_run(p);
	assert_non_null(strstr(peer_out(p), "{\"method\":\"GET\""));
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_free(p);
}

/* A client that asks before it sends its body hears nothing until the request goes on. */
static void a_body_is_invited_when_the_request_goes_on(void **state)
{
	static const struct http_location_filter filters[] = {{.filter = &noted, .config = "1w"}};
	static const char post[] =
	    "POST /test HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n";
	struct peer *p = peer_with(filters, 1);
	(void)state;
	p->location.handler = &handler_echo;
	peer_send(p, post);
	assert_string_equal(peer_out(p), "");
	assert_false(http1_ops.wants_input(&p->http1.proto)); /* so no time of its runs */
	filter_continue(waiting);
	peer_run(p);
	assert_string_equal(peer_out(p), "HTTP/1.1 100 Continue\r\n\r\n");
	assert_true(http1_ops.wants_input(&p->http1.proto));
	peer_out_clear(p);
	peer_send(p, "body");
	assert_non_null(strstr(peer_out(p), "\r\n\r\nbody"));
	/* it does not have to wait for the answer */
	peer_out_clear(p);
	peer_send(p, post);
	peer_send(p, "body");
	filter_continue(waiting);
	peer_run(p);
	assert_non_null(strstr(peer_out(p), "\r\n\r\nbody"));
	/* and never hears that it may send it */
	peer_out_clear(p);
	peer_send(p, post);
	filter_answer(waiting, 403);
	peer_run(p);
	assert_int_equal(strncmp(peer_out(p), "HTTP/1.1 403 Forbidden\r\n", 24), 0);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);
}

static void one_that_waits_ends_with_its_exchange(void **state)
{
	static const struct http_location_filter filters[] = {{.filter = &noted, .config = "1"},
							      {.filter = &noted, .config = "2w"}};
	struct peer *p = peer_with(filters, 2);
	(void)state;
	peer_send(p, GET);
	peer_free(p); /* the client leaves */
	assert_string_equal(called(), "b1b2e2e1");
	/* refused while it waits: the answer is the protocol's alone */
	p = peer_with(filters, 2);
	peer_send(p, "POST /test HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nx\r\n");
	assert_int_equal(p->status, 400);
	assert_string_equal(called(), "b1b2e2e1");
	assert_null(strstr(peer_out(p), "By: "));
	peer_free(p);
}

/* --- state per loop --------------------------------------------------------------------------- */

static unsigned opened;

static int counted_open(struct http_loop *loop, const void *config, void **ret)
{
	assert_non_null(loop);
	if (config != NULL && strcmp(config, "fails") == 0)
		return -ENOMEM;
	opened++;
	*ret = calloc(1, sizeof(unsigned));
	return 0;
}

static void counted_close(void *local)
{
	opened--;
	free(local);
}

static void counted_begin(struct exchange *ex)
{
	++*(unsigned *)exchange_local(ex);
	exchange_respond(ex, 204, 0, NULL, 0);
}

static enum filter_verdict counted_filter(struct exchange *ex, struct filter_use *use)
{
	(void)ex;
	++*(unsigned *)use->local;
	return FILTER_LEAVES;
}

static const struct handler counted = {
    .methods = UINT32_MAX, .open = counted_open, .close = counted_close, .begin = counted_begin};
static const struct filter counting = {
    .open = counted_open, .close = counted_close, .begin = counted_filter};

static void state_belongs_to_a_loop_and_a_location(void **state)
{
	struct http_location_filter filters[] = {{.filter = &counting, .local = 1}};
	struct route list[] = {
	    {.location = {.handler = &counted, .local = 2, .filters = filters, .filters_count = 1}},
	    {.location = {.handler = &handler_echo}}};
	const struct routes routes = {.list = list, .count = 2, .locals = 2};
	struct peer *a = peer_new(), *b = peer_new();
	(void)state;
	assert_int_equal(routes_open(&routes, &a->loop), 0);
	assert_int_equal(routes_open(&routes, &b->loop), 0);
	assert_int_equal(opened, 2);
	/* as routes_open() does for the filters of the configuration */
	assert_int_equal(counted_open(&a->loop, NULL, &a->loop.locals[1]), 0);
	assert_int_equal(counted_open(&b->loop, NULL, &b->loop.locals[1]), 0);
	a->location = b->location = list[0].location;
	for (unsigned i = 0; i < 3; i++)
		peer_send(a, GET);
	peer_send(b, GET);
	assert_int_equal(*(unsigned *)a->loop.locals[1], 3);
	assert_int_equal(*(unsigned *)a->loop.locals[2], 3);
	assert_int_equal(*(unsigned *)b->loop.locals[1], 1);
	assert_int_equal(*(unsigned *)b->loop.locals[2], 1);
	counted_close(a->loop.locals[1]);
	counted_close(b->loop.locals[1]);
	routes_close(&routes, &a->loop);
	routes_close(&routes, &a->loop); /* it is closed */
	routes_close(&routes, &b->loop);
	assert_int_equal(opened, 0);

	list[0].location.config = "fails";
	assert_int_equal(routes_open(&routes, &a->loop), -ENOMEM);
	routes_close(&routes, &a->loop);
	assert_int_equal(opened, 0);
	peer_free(a);
	peer_free(b);
}

/* A filter takes fields away, whoever has made them: by its config, names without a case. */
static void taking_head(struct exchange *ex, struct filter_use *use)
{
	(void)exchange_add_field(ex, "X-Added", 7, "1", 1);
	(void)exchange_add_field(ex, "X-Other", 7, "2", 1);
	for (const char *const *name = use->config; *name != NULL; name++)
		assert_int_equal(exchange_remove_field(ex, *name, strlen(*name)), 0);
	(void)exchange_add_field(ex, "X-Last", 6, "3", 1);
}

static long late_give(struct exchange *ex, struct filter_use *use, uint8_t *out, size_t size)
{
	assert_int_equal(exchange_remove_field(ex, "date", 4), -EALREADY);
	return filter_give_next(ex, use, out, size);
}

static enum filter_verdict taking_begin(struct exchange *ex, struct filter_use *use)
{
	(void)ex;
	(void)use;
	return FILTER_PASSES;
}

static void one_takes_fields_away(void **state)
{
	static const struct filter taking = {
	    .begin = taking_begin, .head = taking_head, .give = late_give};
	static const struct http_header page_fields[] = {HTTP_HEADER("Content-Type", "text/html"),
							 HTTP_HEADER("X-Page", "1")};
	static const struct http_page page = {
	    .fields = page_fields, .fields_count = 2, .body = "page", .body_len = 4};
	static const struct http_status_page of_status = {.status = 405, .page = &page};
	static const struct http_pages pages = {.count = 1, .list = &of_status};
	static const char *const none[] = {NULL};
	static const char *const some[] = {"x-added", "CONTENT-TYPE", "x-none", NULL};
	static const char *const all[] = {"x-other", "x-added", "x-page", "content-type", NULL};
	static const struct {
		const char *const *names;
		const char *ok, *paged;
	} cases[] = {
	    {none, "Content-Type: text/plain\r\nX-Added: 1\r\nX-Other: 2\r\n",
	     "Content-Type: text/html\r\nX-Page: 1\r\nAllow: GET, HEAD, OPTIONS\r\n"
	     "X-Added: 1\r\nX-Other: 2\r\n"},
	    {some, "X-Other: 2\r\n", "X-Page: 1\r\nAllow: GET, HEAD, OPTIONS\r\nX-Other: 2\r\n"},
	    {all, "", "Allow: GET, HEAD, OPTIONS\r\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct http_location_filter filter = {.filter = &taking,
							    .config = cases[i].names};
		char expected[512];
		struct peer *p = peer_with(&filter, 1);
		peer_send(p, GET);
		(void)snprintf(expected, sizeof(expected),
			       START "%sX-Last: 3\r\nContent-Length: 14\r\n\r\n" PEER_HELLO,
			       cases[i].ok);
		assert_string_equal(peer_out(p), expected);
		p->location.pages = &pages;
		peer_out_clear(p);
		peer_send(p, "POST /test HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n");
		(void)snprintf(expected, sizeof(expected),
			       "%sX-Last: 3\r\nContent-Length: 4\r\n\r\npage", cases[i].paged);
		assert_string_equal(strstr(peer_out(p), PEER_DATE) + sizeof(PEER_DATE) + 1,
				    expected);
		peer_free(p);
	}
}

static bool holds_back;

static long holding_give(struct exchange *ex, struct filter_use *use, uint8_t *out, size_t size)
{
	return holds_back ? GIVE_LATER : filter_give_next(ex, use, out, size);
}

/* The handler has no more room before it is asked to give. */
static void one_that_holds_back_does_not_let_the_body_in(void **state)
{
	static const struct filter holding = {.begin = taking_begin, .give = holding_give};
	static const struct http_location_filter filter = {.filter = &holding, .config = ""};
	static uint8_t body[50000];
	struct peer *p = peer_with(&filter, 1);
	(void)state;
	p->location.handler = &handler_echo;
	holds_back = true;
	peer_send(p, "POST /test HTTP/1.1\r\n" H "Content-Length: 50000\r\n\r\n");
	assert_true(http1_ops.wants_input(&p->http1.proto));
	peer_give(p, body, sizeof(body));
	peer_run(p);
	assert_true(p->in_len > 0);
	assert_false(http1_ops.wants_input(&p->http1.proto));
	holds_back = false;
	exchange_wake(p->http1.exchange);
	peer_run(p);
	assert_int_equal(p->body_sent, sizeof(body));
	assert_int_equal(p->http1.state, HTTP1_IDLE);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(filters_are_asked_inwards_and_heard_outwards),
	    cmocka_unit_test(one_that_leaves_is_not_called_again),
	    cmocka_unit_test(one_answers_in_place_of_the_handler),
	    cmocka_unit_test(one_takes_fields_away),
	    cmocka_unit_test(one_that_holds_back_does_not_let_the_body_in),
	    cmocka_unit_test(a_method_is_judged_after_the_filters),
	    cmocka_unit_test(a_request_waits_with_its_body),
	    cmocka_unit_test(a_body_is_invited_when_the_request_goes_on),
	    cmocka_unit_test(one_that_waits_ends_with_its_exchange),
	    cmocka_unit_test(state_belongs_to_a_loop_and_a_location),
	};
	return cmocka_run_group_tests_name("http filter", tests, NULL, NULL);
}
