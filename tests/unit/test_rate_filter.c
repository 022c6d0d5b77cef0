/* `rate`: how many bytes of a response go out in which time, and how often the loop is woken for
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http_peer.h"
#include "filter/kinds.h"
#include "net/loop.h"

extern const struct filter_kind filter_kind_rate;

#define GET    "GET /test HTTP/1.1\r\nHost: a\r\n\r\n"
#define K      UINT64_C(1024)
#define LENGTH 3000000

static char content[LENGTH];

struct paced {
	struct loop events;
	struct conf_rate conf;
	struct http_location_filter filter;
	struct respond respond;
	struct peer *peer;
	unsigned wakes;
};

static void paced_begin(struct paced *s, uint64_t per_second, size_t length)
{
	*s = (struct paced){.conf = {.bytes_per_second = per_second}};
	assert_int_equal(loop_init(&s->events), 0);
	s->events.now_ms = 1000000;
	s->respond = (struct respond){.status = 200,
				      .fields = peer_type,
				      .fields_count = 1,
				      .body = content,
				      .body_len = length};
	s->filter =
	    (struct http_location_filter){.filter = filter_kind_rate.filter, .config = &s->conf};
	s->peer = peer_new();
	s->peer->loop.events = &s->events;
	s->peer->location = (struct http_location){.path_len = 5,
						   .handler = &handler_respond,
						   .config = &s->respond,
						   .filters = &s->filter,
						   .filters_count = 1};
}

static void paced_end(struct paced *s)
{
	s->peer->http1.proto.ops->release(&s->peer->http1.proto);
	assert_int_equal(s->events.timers, 0);
	peer_free(s->peer);
	loop_release(&s->events);
}

/* Body bytes so far. */
static size_t given(const struct paced *s)
{
	const char *end = strstr(peer_out(s->peer), "\r\n\r\n");
	return end != NULL ? s->peer->out_len - (size_t)(end + 4 - peer_out(s->peer)) : 0;
}

/* The clock goes to the timer, which is due. False: none is set. */
static bool paced_wait(struct paced *s)
{
	if (s->events.heap_len == 0 || !loop_timer_is_set(s->events.heap[0]))
		return false;
	struct loop_timer *t = s->events.heap[0];
	assert_true(t->deadline_ms > s->events.now_ms);
	s->events.now_ms = t->deadline_ms;
	loop_timer_cancel(&s->events, t);
	t->expired(&s->events, t);
	s->wakes++;
	peer_run(s->peer);
	return true;
}

static void a_response_goes_out_at_its_rate(void **state)
{
	static const struct {
		uint64_t per_second;
		size_t length;
	} cases[] = {{K, 5000},
		     {10 * K, 100000},
		     {300 * K, 1000000},
		     {1024 * K, LENGTH},
		     {102400 * K, LENGTH}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct paced s;
		const uint64_t rate = cases[i].per_second;
		paced_begin(&s, rate, cases[i].length);
		const uint64_t begun = s.events.now_ms;
		const uint64_t quantum = rate / 20 > 4096 ? rate / 20 : rate < 4096 ? rate : 4096;
		peer_send(s.peer, GET);
		assert_int_equal(given(&s), quantum < cases[i].length ? quantum : cases[i].length);
		uint64_t last = s.events.now_ms;
		while (given(&s) < cases[i].length) {
			assert_true(paced_wait(&s));
			const uint64_t passed = s.events.now_ms - begun;
			assert_true(given(&s) <= rate * passed / 1000 + 2 * quantum);
			assert_true(given(&s) + quantum + 1 >= rate * passed / 1000 ||
				    given(&s) == cases[i].length);
			assert_true(s.events.now_ms - last <= 1001); /* no limit of time sees it */
			last = s.events.now_ms;
		}
		const uint64_t took = s.events.now_ms - begun;
		assert_true(s.wakes <= took / 10 + 1 && s.wakes <= cases[i].length / quantum + 1);
		assert_int_equal(s.peer->done, 1);
		assert_memory_equal(strstr(peer_out(s.peer), "\r\n\r\n") + 4, content,
				    cases[i].length);
		assert_int_equal(s.events.timers, 0);
		paced_end(&s);
	}
}

/* It gets the rest at its rate, too, and not all that it did not take. */
static void a_client_that_paused_saves_up_two_quanta(void **state)
{
	struct paced s;
	(void)state;
	paced_begin(&s, 100 * K, 1000000);
	peer_send(s.peer, GET);
	const size_t before = given(&s), quantum = 100 * K / 20;
	s.events.now_ms += 3600000;
	exchange_wake(s.peer->http1.exchange);
	peer_run(s.peer);
	assert_int_equal(given(&s), before + 2 * quantum);
	assert_true(paced_wait(&s));
	assert_int_equal(given(&s), before + 3 * quantum);
	paced_end(&s); /* in the middle: its timer ends with it */
}

/* Being called earlier than it asked for changes nothing. */
static void a_wake_from_elsewhere_gives_nothing_early(void **state)
{
	struct paced s;
	(void)state;
	paced_begin(&s, 100 * K, 1000000);
	peer_send(s.peer, GET);
	const size_t before = given(&s);
	for (unsigned i = 0; i < 40; i++) {
		s.events.now_ms++;
		exchange_wake(s.peer->http1.exchange);
		peer_run(s.peer);
		assert_int_equal(given(&s), before);
	}
	assert_true(paced_wait(&s));
	assert_int_equal(s.events.now_ms, 1000050);
	assert_int_equal(given(&s), before + 100 * K / 20);
	paced_end(&s);
}

static void what_has_no_body_has_no_timer(void **state)
{
	struct paced s;
	(void)state;
	paced_begin(&s, K, 100000);
	peer_send(s.peer, "HEAD /test HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(s.peer->done, 1);
	assert_int_equal(s.events.timers, 0);
	s.respond.status = 204;
	s.respond.body_len = 0;
	peer_send(s.peer, GET);
	assert_int_equal(s.peer->done, 2);
	paced_end(&s);
}

static int fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)(i * 2654435761U >> 13);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_response_goes_out_at_its_rate),
	    cmocka_unit_test(a_client_that_paused_saves_up_two_quanta),
	    cmocka_unit_test(a_wake_from_elsewhere_gives_nothing_early),
	    cmocka_unit_test(what_has_no_body_has_no_timer),
	};
	return cmocka_run_group_tests_name("rate filter", tests, fill, NULL);
}
