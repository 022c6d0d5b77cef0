/* The limits of time of HTTP/1.1's requests: when they begin, rest, go on, begin again, and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http_peer.h"

#define H       "Host: a\r\n"
#define POST    "POST /echo HTTP/1.1\r\n" H "Content-Length: 5000\r\n\r\n"
#define HEAD_MS 1000
#define BODY_MS 3000
#define WORK_MS 300000 /* a handler's, which no configuration has */

static const struct proto_ops *ops = &http1_ops;
static struct limits limits;

static struct peer *begin(void)
{
	struct peer *p = peer_new();
	limits = *p->loop.limits;
	limits.head_ms = HEAD_MS;
	limits.body_ms = BODY_MS;
	p->loop.limits = &limits;
	return p;
}

static uint64_t deadline(struct peer *p, uint64_t now)
{
	return ops->deadline(&p->http1.proto, now);
}

static const char *expired(struct peer *p, uint64_t now)
{
	return ops->expired(&p->http1.proto, now);
}

static void bytes(struct peer *p, size_t count)
{
	while (count-- > 0)
		peer_send(p, "x");
}

static void an_idle_connection_has_no_limit_of_a_request(void **state)
{
	struct peer *p = begin();
	(void)state;
	assert_true(deadline(p, 5) == PROTO_NO_DEADLINE);
	peer_send(p, "GET / HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	assert_true(deadline(p, 5) == PROTO_NO_DEADLINE);
	assert_null(expired(p, UINT64_MAX - 1));
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_free(p);
}

static void a_head_has_one_limit_however_it_trickles(void **state)
{
	struct peer *p = begin();
	(void)state;
	peer_add(p, "GE");
	assert_int_equal(deadline(p, 100), 100 + HEAD_MS);
	peer_add(p, "T / HTTP/1.1\r\n");
	assert_int_equal(deadline(p, 1000), 100 + HEAD_MS);
	assert_null(expired(p, 100 + HEAD_MS - 1));
	assert_string_equal(expired(p, 100 + HEAD_MS), "head-timeout");
	assert_null(expired(p, 100 + HEAD_MS)); /* only one request had it */
	peer_run(p);
	assert_int_equal(p->status, 408);
	peer_free(p);
}

static void the_next_head_has_a_limit_of_its_own(void **state)
{
	struct peer *p = begin();
	(void)state;
	peer_add(p, "GE");
	(void)deadline(p, 100);
	peer_send(p, "T / HTTP/1.1\r\n" H "\r\nGE");
	assert_int_equal(p->status, 200);
	assert_int_equal(deadline(p, 1000), 1000 + HEAD_MS);
	peer_free(p);
}

static void a_body_must_move_within_each_window(void **state)
{
	struct peer *p = begin();
	(void)state;
	peer_send(p, POST);
	assert_int_equal(deadline(p, 100), 100 + BODY_MS);
	bytes(p, 1023);
	assert_int_equal(deadline(p, 2000), 100 + BODY_MS);
	assert_null(expired(p, 100 + BODY_MS - 1));
	bytes(p, 1);
	assert_null(expired(p, 100 + BODY_MS)); /* 1024 bytes: the next window begins */
	assert_int_equal(deadline(p, 100 + BODY_MS), 100 + 2 * BODY_MS);
	bytes(p, 1023);
	assert_string_equal(expired(p, 100 + 2 * BODY_MS), "body-timeout");
	assert_null(expired(p, 100 + 2 * BODY_MS));
	peer_free(p);
}

static void a_window_rests_while_the_handler_takes_nothing(void **state)
{
	struct peer *p = begin();
	(void)state;
	peer_send(p, POST);
	assert_int_equal(deadline(p, 100), 100 + BODY_MS);
	p->http1.exchange->take_blocked = true;
	assert_int_equal(deadline(p, 1100), 1100 + WORK_MS);
	assert_null(expired(p, 100 + BODY_MS));
	assert_int_equal(deadline(p, 90000), 1100 + WORK_MS);
	p->http1.exchange->take_blocked = false;
	assert_int_equal(deadline(p, 100000), 100000 + BODY_MS - 1000);
	assert_string_equal(expired(p, 100000 + BODY_MS - 1000), "body-timeout");
	peer_free(p);
}

static void no_limit_runs_while_the_client_must_take_output(void **state)
{
	struct peer *head = begin(), *body = begin();
	(void)state;
	peer_add(head, "GE");
	peer_send(body, POST);
	(void)deadline(head, 100);
	(void)deadline(body, 100);
	ops->paused(&head->http1.proto, 700);
	ops->paused(&body->http1.proto, 700);
	assert_int_equal(deadline(head, 900), 800 + HEAD_MS);
	assert_int_equal(deadline(body, 900), 800 + BODY_MS);
	assert_null(expired(head, 799 + HEAD_MS));
	assert_null(expired(body, 799 + BODY_MS));
	assert_non_null(expired(head, 800 + HEAD_MS));
	assert_non_null(expired(body, 800 + BODY_MS));
	peer_free(head);
	peer_free(body);
}

static void the_next_body_has_a_limit_of_its_own(void **state)
{
	struct peer *p = begin();
	(void)state;
	for (uint64_t now = 100; now < 20000; now += 2000) {
		peer_send(p, POST);
		assert_int_equal(deadline(p, now), now + BODY_MS);
		bytes(p, 5000);
		assert_int_equal(peer_phase(p), PROTO_IDLE);
		assert_true(deadline(p, now + 1) == PROTO_NO_DEADLINE);
	}
	peer_free(p);
}

/* --- handlers --------------------------------------------------------------------------------- */

static struct exchange *worked_on;
static long gives;
static unsigned ended;

static void work_begin(struct exchange *ex)
{
	worked_on = ex;
}

static long work_give(struct exchange *ex, uint8_t *out, size_t size)
{
	(void)ex;
	const long n = gives;
	memset(out, 'w', size);
	gives = GIVE_LATER;
	return n;
}

static void work_end(struct exchange *ex)
{
	(void)ex;
	ended++;
}

static struct peer *working(void)
{
	static const struct handler handler = {
	    .methods = UINT32_MAX, .begin = work_begin, .give = work_give, .end = work_end};
	struct peer *p = begin();
	p->location = (struct http_location){.handler = &handler};
	gives = GIVE_LATER;
	ended = 0;
	peer_send(p, "GET /test HTTP/1.1\r\n" H "\r\n");
	return p;
}

static void a_handler_that_never_answers_is_a_500(void **state)
{
	struct peer *p = working();
	(void)state;
	assert_int_equal(deadline(p, 100), 100 + WORK_MS);
	assert_int_equal(deadline(p, 50000), 100 + WORK_MS);
	assert_null(expired(p, 100 + WORK_MS - 1));
	assert_string_equal(expired(p, 100 + WORK_MS), "handler");
	assert_int_equal(ended, 1);
	assert_null(expired(p, 100 + WORK_MS)); /* it ends once */
	peer_run(p);
	assert_int_equal(p->status, 500);
	assert_non_null(strstr(peer_out(p), "\r\nConnection: close\r\n"));
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	peer_free(p);
}

static void a_handler_that_stops_in_its_response_is_cut_off(void **state)
{
	struct peer *p = working();
	(void)state;
	exchange_respond(worked_on, 200, 100, NULL, 0);
	gives = 10;
	(void)deadline(p, 100);
	(void)peer_pull(p);
	assert_int_equal(deadline(p, 5000), 5000 + WORK_MS); /* bytes have moved */
	assert_int_equal(deadline(p, 6000), 5000 + WORK_MS);
	assert_string_equal(expired(p, 5000 + WORK_MS), "handler");
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	assert_int_equal(ended, 1);
	peer_free(p);
}

static void a_handler_may_ask_for_more_time(void **state)
{
	struct peer *p = working();
	(void)state;
	assert_int_equal(deadline(p, 100), 100 + WORK_MS);
	exchange_allow(worked_on, 7000);
	assert_int_equal(deadline(p, 200), 200 + 7000 + WORK_MS);
	assert_null(expired(p, 100 + WORK_MS));
	ops->paused(&p->http1.proto, 50); /* the client must take output first */
	assert_null(expired(p, 200 + 7000 + WORK_MS));
	assert_string_equal(expired(p, 250 + 7000 + WORK_MS), "handler");
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_idle_connection_has_no_limit_of_a_request),
	    cmocka_unit_test(a_head_has_one_limit_however_it_trickles),
	    cmocka_unit_test(the_next_head_has_a_limit_of_its_own),
	    cmocka_unit_test(a_body_must_move_within_each_window),
	    cmocka_unit_test(a_window_rests_while_the_handler_takes_nothing),
	    cmocka_unit_test(no_limit_runs_while_the_client_must_take_output),
	    cmocka_unit_test(the_next_body_has_a_limit_of_its_own),
	    cmocka_unit_test(a_handler_that_never_answers_is_a_500),
	    cmocka_unit_test(a_handler_that_stops_in_its_response_is_cut_off),
	    cmocka_unit_test(a_handler_may_ask_for_more_time),
	};
	return cmocka_run_group_tests_name("http deadlines", tests, NULL, NULL);
}
