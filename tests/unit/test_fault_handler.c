/* Faults of responses, through the protocol: the client's view, the location's own handler, and
 * the requests to the worker. Faults of processes are in tests/system/test_fault_kinds.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http_peer.h"
#include "../json_check.h"
#include "base/text.h"
#include "filter/fault.h"

#define H     "Host: a\r\n"
#define HEAD  "HTTP/1.1 200 OK\r\nDate: " PEER_DATE "\r\nContent-Type: text/plain\r\n"
#define HELLO HEAD "Content-Length: 14\r\n\r\n" PEER_HELLO

/* A peer whose "/test" has faults in front of a handler. */
struct faulty {
	struct peer *peer;
	struct loop loop;
	struct fault_services services;
	struct http_location_filter filter;
	void *locals[3];
	struct fault list[4];
	struct fault_rules rules;
	struct fault_control control;
	enum fault_flushed flushed;
	unsigned resets, armed, logged;
	char log[1024], said[512];
	size_t said_len;
};

static void note(void *owner, const char *line)
{
	struct faulty *f = owner;
	(void)snprintf(f->log, sizeof(f->log), "%s", line);
	f->logged++;
}

static enum fault_flushed flushed(void *owner, const void *connection)
{
	const struct faulty *f = owner;
	assert_ptr_equal(connection, f->peer);
	return f->flushed;
}

static struct faulty *current; /* facts that a connection alone does not show */

static void reset(void *connection)
{
	assert_ptr_equal(connection, current->peer);
	current->resets++;
}

static void say(void *connection, const void *data, size_t len)
{
	assert_ptr_equal(connection, current->peer);
	memcpy(current->said, data, len);
	current->said_len = len;
}

static void arm(void *owner, const struct fault *fault)
{
	(void)fault;
	((struct faulty *)owner)->armed++;
}

/* Paths below "/test", too. */
static const struct http_location *route(const struct http_routes *routes,
					 const struct http_host *host, const char *path, size_t len)
{
	(void)host;
	struct peer *p = (struct peer *)(uintptr_t)routes;
	assert_true(len >= 5 && memcmp(path, "/test", 5) == 0);
	p->location.path_len = 5;
	return &p->location;
}

static struct faulty *faulty_new(const char *const *rules, struct http_location own)
{
	static const struct fault_ops ops = {
	    .log = note, .flushed = flushed, .reset = reset, .say = say, .arm = arm};
	struct faulty *f = current = calloc(1, sizeof(*f));
	f->peer = peer_new();
	f->flushed = FAULT_FLUSHED;
	assert_int_equal(loop_init(&f->loop), 0);
	for (; rules[f->rules.count] != NULL; f->rules.count++) {
		const char *rule = rules[f->rules.count], *query = strchr(rule, '?');
		struct err err;
		assert_int_equal(fault_parse_query(&f->list[f->rules.count], rule,
						   (size_t)(query - rule), query + 1,
						   strlen(query + 1), &err),
				 0);
	}
	f->rules.list = f->list;
	f->services.ops = &ops;
	f->services.owner = f;
	f->peer->loop.faults = &f->services;
	f->peer->loop.events = &f->loop;
	f->peer->loop.locals = f->locals;
	assert_int_equal(filter_fault.open(&f->peer->loop, &f->rules, &f->locals[1]), 0);
	f->filter =
	    (struct http_location_filter){.filter = &filter_fault, .config = &f->rules, .local = 1};
	f->peer->routes.find = route;
	f->peer->location = own;
	f->peer->location.filters = &f->filter;
	f->peer->location.filters_count = 1;
	return f;
}

static bool no_runs(const struct faulty *f)
{
	return LIST_EMPTY(&((const struct fault_local *)f->locals[1])->runs);
}

static struct faulty *faulty(const char *rule)
{
	const char *const rules[] = {rule, NULL};
	return faulty_new(
	    rules, (struct http_location){.handler = &handler_respond, .config = &peer_hello});
}

static struct faulty *control(void)
{
	const char *const rules[] = {NULL};
	struct faulty *f = faulty_new(rules, (struct http_location){0});
	f->control = (struct fault_control){.path = "/test", .path_len = 5};
	f->peer->location = (struct http_location){
	    .handler = &handler_fault_control, .config = &f->control, .local = 2};
	assert_int_equal(handler_fault_control.open(&f->peer->loop, &f->control, &f->locals[2]), 0);
	return f;
}

static void faulty_free(struct faulty *f)
{
	peer_free(f->peer);
	filter_fault.close(f->locals[1]);
	if (f->locals[2] != NULL)
		handler_fault_control.close(f->locals[2]);
	loop_release(&f->loop);
	free(f);
}

/* Until the next timer has run. */
static void turn(struct faulty *f)
{
	unsigned before = f->peer->woken;
	for (unsigned i = 0; i < 1000 && f->peer->woken == before; i++)
		assert_int_equal(loop_turn(&f->loop, 10), 0);
	peer_run(f->peer);
}

static void get(struct faulty *f)
{
	peer_send(f->peer, "GET /test HTTP/1.1\r\n" H "\r\n");
}

static void what_is_spared_is_served_as_ever(void **state)
{
	struct faulty *f = faulty("status?probability=0");
	(void)state;
	get(f);
	assert_string_equal(peer_out(f->peer), HELLO);
	assert_int_equal(f->logged, 0);
	faulty_free(f);
}

static void the_first_rule_that_strikes_is_done(void **state)
{
	const char *const rules[] = {"status?code=501&probability=0", "status?code=502",
				     "status?code=503", NULL};
	struct faulty *f = faulty_new(
	    rules, (struct http_location){.handler = &handler_respond, .config = &peer_hello});
	(void)state;
	get(f);
	assert_int_equal(f->peer->status, 502);
	assert_string_equal(f->log, "fault id-1: status code 502 for GET /test");
	assert_non_null(strstr(peer_out(f->peer), "\r\nFault-Id: id-1\r\n"));
	faulty_free(f);
}

static void draws_are_of_the_rule_and_the_loop(void **state)
{
	struct faulty *f = faulty("status?code=503&probability=0.5&seed=9");
	(void)state;
	f->services.number = 3;
	for (uint64_t i = 0; i < 64; i++) {
		bool strikes = fault_strikes(&f->list[0], fault_draw(9, 3, i));
		get(f);
		assert_int_equal(f->peer->status, strikes ? 503 : 200);
	}
	faulty_free(f);
}

static void the_own_handler_serves_what_is_left(void **state)
{
	struct faulty *f = faulty("leak-descriptors?");
	(void)state;
	get(f);
	assert_string_equal(peer_out(f->peer),
			    HEAD "Fault-Id: id-1\r\nContent-Length: 14\r\n\r\n" PEER_HELLO);
	assert_int_equal(f->armed, 1);
	peer_out_clear(f->peer);
	peer_send(f->peer, "DELETE /test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 405);
	assert_non_null(
	    strstr(peer_out(f->peer), "\r\nAllow: GET, HEAD, OPTIONS\r\nFault-Id: id-1"));
	peer_send(f->peer, "OPTIONS /test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 204);
	peer_send(f->peer, "HEAD /test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 200);
	assert_int_equal(peer_phase(f->peer), PROTO_IDLE);
	assert_int_equal(f->armed, 4);
	faulty_free(f);
}

static void a_refusal_is_not_waited_for_by_who_expects_continue(void **state)
{
	struct faulty *f = faulty("status?probability=0");
	(void)state;
	peer_send(f->peer,
		  "PUT /test HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_int_equal(f->peer->status, 405);
	assert_non_null(strstr(peer_out(f->peer), "\r\nConnection: close\r\n"));
	faulty_free(f);
}

static void a_delay_comes_before_the_own_handler(void **state)
{
	const char *const rules[] = {"delay?mean=20ms", NULL};
	struct faulty *f = faulty_new(rules, (struct http_location){.handler = &handler_echo});
	(void)state;
	peer_send(f->peer, "POST /test HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nab");
	assert_int_equal(f->peer->out_len, 0);
	assert_int_equal(f->peer->in_len, 2); /* the body waits as well */
	turn(f);
	peer_send(f->peer, "cde");
	assert_non_null(
	    strstr(peer_out(f->peer), "Fault-Id: id-1\r\nContent-Length: 5\r\n\r\nabcde"));
	peer_out_clear(f->peer);
	get(f);
	assert_int_equal(f->peer->out_len, 0);
	turn(f);
	assert_non_null(strstr(peer_out(f->peer), "{\"method\":\"GET\""));
	assert_int_equal(peer_phase(f->peer), PROTO_IDLE);
	faulty_free(f);
}

static void a_client_that_goes_ends_a_delay(void **state)
{
	struct faulty *f = faulty("delay?mean=1h&max=1h");
	(void)state;
	get(f);
	http1_ops.release(&f->peer->http1.proto);
	assert_int_equal(peer_phase(f->peer), PROTO_ABORTED);
	assert_true(no_runs(f));
	faulty_free(f);
}

static void a_moment_is_waited_for_until_all_before_it_is_sent(void **state)
{
	struct faulty *f = faulty("reset?when=during");
	(void)state;
	f->flushed = FAULT_WAITING;
	get(f);
	assert_string_equal(peer_out(f->peer),
			    HEAD "Fault-Id: id-1\r\nContent-Length: 14\r\n\r\nHello, ");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(loop_turn(&f->loop, 20), 0);
	assert_int_equal(f->resets, 0);
	f->flushed = FAULT_FLUSHED;
	turn(f);
	assert_int_equal(f->resets, 1);
	faulty_free(f);
}

static void moments_are_in_their_order(void **state)
{
	static const struct {
		const char *rule;
		unsigned at_once;
		const char *body;
	} cases[] = {{"reset?when=before", 1, NULL}, {"reset?when=after-head", 0, ""}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct faulty *f = faulty(cases[i].rule);
		get(f);
		assert_int_equal(f->resets, cases[i].at_once);
		const char *end = strstr(peer_out(f->peer), "\r\n\r\n");
		if (cases[i].body == NULL)
			assert_int_equal(f->peer->out_len, 0);
		else
			assert_string_equal(end + 4, cases[i].body);
		if (!cases[i].at_once)
			turn(f);
		assert_int_equal(f->resets, 1);
		faulty_free(f);
	}
}

/* After its end, since it has no middle; and only if a connection is left to reset. */
static void a_response_without_a_body_is_struck_behind_its_end(void **state)
{
	struct faulty *f = faulty("reset?when=during");
	(void)state;
	peer_send(f->peer, "HEAD /test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(peer_phase(f->peer), PROTO_IDLE);
	assert_int_equal(f->resets, 0);
	for (unsigned i = 0; i < 100 && f->resets == 0; i++)
		assert_int_equal(loop_turn(&f->loop, 10), 0);
	assert_int_equal(f->resets, 1);
	assert_true(no_runs(f));
	peer_send(f->peer, "HEAD /test HTTP/1.1\r\n" H "\r\n");
	f->flushed = FAULT_GONE;
	for (unsigned i = 0; i < 100 && !no_runs(f); i++)
		assert_int_equal(loop_turn(&f->loop, 10), 0);
	assert_int_equal(f->resets, 1);
	peer_send(f->peer, "HEAD /test HTTP/1.1\r\n" H "\r\n"); /* is released with the loop */
	faulty_free(f);
}

static void a_truncated_response_breaks_off(void **state)
{
	struct faulty *f = faulty("truncate?bytes=100&after=7");
	(void)state;
	get(f);
	assert_non_null(strstr(peer_out(f->peer), "Content-Length: 100\r\n\r\nxxxxxxx"));
	assert_int_equal(strlen(strstr(peer_out(f->peer), "\r\n\r\n")), 4 + 7);
	turn(f);
	assert_int_equal(peer_phase(f->peer), PROTO_ABORTED);
	assert_int_equal(f->peer->body_sent, 7);
	faulty_free(f);
}

static void a_drip_comes_byte_by_byte(void **state)
{
	struct faulty *f = faulty("drip?bytes=4&rate=50");
	unsigned turns = 0;
	(void)state;
	get(f);
	assert_int_equal(strlen(strstr(peer_out(f->peer), "\r\n\r\n")), 4 + 1);
	for (; peer_phase(f->peer) != PROTO_IDLE && turns < 100; turns++)
		turn(f);
	assert_in_range(turns, 1, 3);
	assert_int_equal(f->peer->body_sent, 4);
	faulty_free(f);
}

static void what_is_malformed_is_said_and_nothing_else(void **state)
{
	static const char *const kinds[] = {"status-line", "header", "length", "chunk", "garbage"};
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		char rule[64];
		(void)snprintf(rule, sizeof(rule), "malformed?what=%s", kinds[i]);
		struct faulty *f = faulty(rule);
		get(f);
		assert_true(f->said_len > 20);
		assert_int_equal(memmem(f->said, f->said_len, "\r\nFault-Id: id-1\r\n", 18) != NULL,
				 i < 4);
		assert_int_equal(f->peer->out_len, 0);
		faulty_free(f);
	}
}

static void whatever_is_asked_for_is_done(void **state)
{
	struct faulty *f = control();
	(void)state;
	peer_send(f->peer, "GET /test/status?code=418 HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 418);
	peer_send(f->peer,
		  "POST /test//certificate?count=2 HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab");
	assert_int_equal(f->peer->status, 200);
	assert_int_equal(f->armed, 1);
	assert_string_equal(f->log, "fault id-1: certificate which wrong count 2 for POST "
				    "/test//certificate?count=2");
	peer_send(f->peer, "GET /test/status?probability=0 HTTP/1.1\r\n" H "\r\n");
	assert_non_null(strstr(peer_out(f->peer), "\r\n\r\nno fault\n"));
	peer_send(f->peer, "DELETE /test/status HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 405);
	assert_int_equal(peer_phase(f->peer), PROTO_IDLE);
	faulty_free(f);
}

static void what_may_not_be_asked_for_is_told(void **state)
{
	struct faulty *f = control();
	(void)state;
	peer_send(f->peer, "GET /test/crsh HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 404);
	assert_non_null(strstr(peer_out(f->peer), "there are crash, abort, exit"));
	peer_send(f->peer, "GET /test/crash?when=never HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 400);
	assert_non_null(strstr(peer_out(f->peer),
			       "`never` is not allowed for `when`; it can be before, after-head, "
			       "during or after\n"));
	peer_send(f->peer, "GET /test/leak-memory HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 400);
	assert_non_null(strstr(peer_out(f->peer), "no `limits { memory }`"));
	f->services.memory_limited = true;
	peer_send(f->peer, "GET /test/leak-memory HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 200);
	faulty_free(f);
}

static void a_plain_port_has_no_fault_of_tls(void **state)
{
	(void)state;
	struct faulty *f = control();
	f->services.plain = true;
	f->services.memory_limited = true;
	peer_send(f->peer, "GET /test/handshake HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(f->peer->status, 400);
	assert_non_null(
	    strstr(peer_out(f->peer), "fault handshake needs TLS, and the port has `tls off`\n"));
	faulty_free(f);
	for (int json = 0; json < 2; json++) {
		f = control();
		f->services.plain = true;
		peer_send(f->peer, json ? "GET /test/?format=json HTTP/1.1\r\n" H "\r\n"
					: "GET /test HTTP/1.1\r\n" H "\r\n");
		for (unsigned k = 0; k < FAULT_KINDS; k++) {
			const struct fault_info *info = fault_info((enum fault_kind)k);
			char entry[64];
			(void)snprintf(entry, sizeof(entry),
				       json ? "{\"kind\":\"%s\"" : "\n%s: ", info->name);
			assert_true((strstr(peer_out(f->peer), entry) == NULL) ==
				    (info->of_tls || info->of_proxy));
		}
		faulty_free(f);
	}
}

static void the_list_has_every_kind_and_parameter(void **state)
{
	static const char *const asks[] = {
	    "GET /test HTTP/1.1\r\n" H "\r\n", "GET /test/?format=json HTTP/1.1\r\n" H "\r\n",
	    "GET /test/ HTTP/1.1\r\n" H "Accept: text/html, application/json\r\n\r\n"};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct faulty *f = control();
		peer_send(f->peer, asks[i]);
		assert_int_equal(f->peer->status, 200);
		const char *body = strstr(peer_out(f->peer), "\r\n\r\n") + 4;
		assert_int_equal(json_check(body, strlen(body)), i > 0);
		for (unsigned k = 0; k < FAULT_KINDS; k++) {
			const struct fault_info *info = fault_info((enum fault_kind)k);
			char example[256];
			(void)snprintf(example, sizeof(example), "/test/%s?%s", info->name,
				       info->example);
			assert_true((strstr(body, example) != NULL) == !info->of_proxy);
			assert_true((strstr(body, info->effect) != NULL) == !info->of_proxy);
		}
		faulty_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_spared_is_served_as_ever),
	    cmocka_unit_test(the_first_rule_that_strikes_is_done),
	    cmocka_unit_test(draws_are_of_the_rule_and_the_loop),
	    cmocka_unit_test(the_own_handler_serves_what_is_left),
	    cmocka_unit_test(a_refusal_is_not_waited_for_by_who_expects_continue),
	    cmocka_unit_test(a_delay_comes_before_the_own_handler),
	    cmocka_unit_test(a_client_that_goes_ends_a_delay),
	    cmocka_unit_test(a_moment_is_waited_for_until_all_before_it_is_sent),
	    cmocka_unit_test(moments_are_in_their_order),
	    cmocka_unit_test(a_response_without_a_body_is_struck_behind_its_end),
	    cmocka_unit_test(a_truncated_response_breaks_off),
	    cmocka_unit_test(a_drip_comes_byte_by_byte),
	    cmocka_unit_test(what_is_malformed_is_said_and_nothing_else),
	    cmocka_unit_test(whatever_is_asked_for_is_done),
	    cmocka_unit_test(what_may_not_be_asked_for_is_told),
	    cmocka_unit_test(a_plain_port_has_no_fault_of_tls),
	    cmocka_unit_test(the_list_has_every_kind_and_parameter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
