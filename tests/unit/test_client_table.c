/* The clients that an event loop knows: their rates, their places, and that nobody can make another
 * one be refused. */
#include "net/client_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOUR         UINT64_C(3600)

static const struct limit_rate none = {0};
static const struct limit_rate fifty = {50 * HOUR, 100};
static const struct limit_rate twenty = {20 * HOUR, 40};

static void begin(struct client_table *t, uint32_t places)
{
	static const uint8_t secret[CLIENT_TABLE_SECRET] = "0123456789abcdef";
	assert_int_equal(client_table_init(t, places, &fifty, &twenty, secret), 0);
}

static struct network_address address(const char *text)
{
	struct network_address a = {0};
	assert_int_equal(network_address_parse(text, strlen(text), &a), 0);
	return a;
}

static struct network_address v4(uint32_t number)
{
	const uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
				  (uint8_t)(number >> 8), (uint8_t)number};
	return network_address_v4(bytes);
}

static bool request(struct client_table *t, struct client *c, uint64_t now_ms)
{
	return client_take(&c->requests, &t->requests, now_ms);
}

/* A connection that ends after one request. */
static bool visit(struct client_table *t, const struct network_address *a, uint64_t now_ms)
{
	struct client *c = client_enter(t, a, now_ms);
	assert_non_null(c);
	const bool taken = request(t, c, now_ms);
	client_leave(t, c);
	return taken;
}

static unsigned visits(struct client_table *t, const struct network_address *a, uint64_t now_ms)
{
	unsigned n = 0;
	while (n < 1000 && visit(t, a, now_ms))
		n++;
	return n;
}

static void a_client_is_an_address_or_the_first_half_of_one(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "::ffff:192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
	    {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
	    {"::1", "127.0.0.1", false},
	    {"::1", "0.0.0.1", false},
	    {"::", "0.0.0.0", false},
	    {"::1", "::2", true},
	    {"::ffff:0:0", "0.0.0.0", true},
	};
	struct client_table t;
	(void)state;
	begin(&t, 8);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct network_address a = address(cases[i].a), b = address(cases[i].b);
		struct client *c = client_enter(&t, &a, 1000), *d = client_enter(&t, &b, 1000);
		if ((c == d) != cases[i].same)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
		client_leave(&t, c);
		client_leave(&t, d);
	}
	client_table_release(&t);
}

static void a_client_has_its_burst_and_then_its_rate(void **state)
{
	const struct network_address a = address("192.0.2.1"), b = address("192.0.2.2");
	struct client_table t;
	(void)state;
	begin(&t, 8);
	assert_int_equal(visits(&t, &a, 1000), 100);
	assert_int_equal(visits(&t, &b, 1000), 100); /* another one has its own */
	assert_false(visit(&t, &a, 1019));
	assert_true(visit(&t, &a, 1020)); /* a fiftieth of a second */
	assert_false(visit(&t, &a, 1020));
	assert_int_equal(visits(&t, &a, 2020), 50);
	assert_int_equal(visits(&t, &a, 1000000), 100);
	/* handshakes are counted beside them, on the same clock */
	struct client *c = client_enter(&t, &a, 1000000);
	for (unsigned i = 0; i < 40; i++)
		assert_true(client_take(&c->handshakes, &t.handshakes, 1000000));
	assert_false(client_take(&c->handshakes, &t.handshakes, 1000000));
	client_leave(&t, c);
	client_table_release(&t);
}

static void slow_rates_are_kept_and_the_wait_is_exact(void **state)
{
	static const struct {
		struct limit_rate rate;
		uint64_t wait_ms;
	} cases[] = {
	    {{1, 1}, 3600000},              /* 1/h */
	    {{5 * 60, 2}, 12000},           /* 5/m */
	    {{HOUR, 1}, 1000},              /* 1/s */
	    {{3 * HOUR, 7}, 334},           /* rounded up */
	    {{LIMIT_RATE_MAX, 1000000}, 1}, /* the most */
	    {{1, 1000000}, 3600000},        /* 114 years of saving */
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct limit_rate *rate = &cases[i].rate;
		uint64_t now = 5000;
		struct bucket b = bucket_full(now);
		for (uint32_t n = 0; n < rate->burst; n++)
			assert_true(client_take(&b, rate, now));
		assert_false(client_take(&b, rate, now));
		const uint64_t wait = client_wait_ms(&b, rate);
		assert_int_equal(wait, cases[i].wait_ms);
		struct bucket early = b;
		assert_false(client_take(&early, rate, now + wait - 1));
		assert_true(client_take(&b, rate, now + wait));
		assert_int_equal(client_wait_ms(&b, rate) > 0, rate->per_hour < LIMIT_RATE_MAX);
	}
	struct bucket empty = {0, 0};
	for (unsigned n = 0; n < 1000; n++)
		assert_true(client_take(&empty, &none, 0)); /* without a limit */
}

/* The clock is monotonic, but a suspended machine or its end must do no harm. */
static void jumps_of_the_clock_favour_clients(void **state)
{
	const struct network_address a = address("192.0.2.1");
	const uint64_t starts[] = {0, 1, UINT32_MAX - 10, UINT64_MAX - 500, UINT64_MAX};
	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		struct client_table t;
		uint64_t now = starts[i];
		begin(&t, 8);
		assert_int_equal(visits(&t, &a, now), 100);
		now += 1000; /* past its end, too */
		assert_int_equal(visits(&t, &a, now), 50);
		assert_int_equal(visits(&t, &a, now + UINT64_C(1000) * 86400 * 365), 100);
		assert_true(visits(&t, &a, now) >= 1); /* back by a year */
		assert_int_equal(t.used, 1);
		client_table_release(&t);
	}
}

static void clients_are_forgotten_when_that_changes_nothing(void **state)
{
	struct client_table t;
	(void)state;
	begin(&t, 1000);
	for (uint32_t i = 0; i < 500; i++) {
		const struct network_address a = v4(i);
		assert_true(visit(&t, &a, 1000));
	}
	assert_int_equal(t.used, 500);
	/* a request later they are as new ones: two go for each that comes */
	for (uint32_t i = 0; i < 500; i++) {
		const struct network_address a = v4(0x0a000000 + i);
		assert_true(visit(&t, &a, 1020 + i / 10));
	}
	assert_true(t.used < 510);
	assert_int_equal(t.forgotten, 0);
	client_table_release(&t);
}

/* Or it would be logged again with its next connection. */
static void a_client_that_was_logged_is_remembered_for_a_minute(void **state)
{
	(void)state;
	for (uint64_t begin_ms = 0; begin_ms < 2500; begin_ms += 250)
		for (uint64_t passed_ms = 0; passed_ms < 70000; passed_ms += 450) {
			struct client_table t;
			begin(&t, 100);
			const struct network_address a = v4(1);
			uint64_t now_ms = begin_ms;
			struct client *c = client_enter(&t, &a, now_ms);
			assert_true(client_may_tell(c, now_ms));
			c->told_s = client_now_s(now_ms);
			assert_false(client_may_tell(c, now_ms));
			client_leave(&t, c);
			now_ms += passed_ms;
			for (uint32_t i = 2; i < 6; i++)
				client_leave(&t, client_enter(&t, (struct network_address[]){v4(i)},
							      now_ms));
			c = client_enter(&t, &a, now_ms);
			if (passed_ms <= 59000)
				assert_false(client_may_tell(c, now_ms));
			if (passed_ms >= 60000)
				assert_true(client_may_tell(c, now_ms));
			client_table_release(&t);
		}
}

/* 100,000 clients in a table of 4,096 places: none that keeps to its rate is refused, the memory is
 * the same, and one that does not and has a connection is refused all the time. */
static void many_clients_get_what_is_theirs(void **state)
{
	const struct network_address greedy = address("203.0.113.9");
	struct client_table t;
	uint64_t now = 1000;
	unsigned greedy_taken = 0;
	(void)state;
	begin(&t, 4096);
	const struct client *places = t.places;
	struct client *g = client_enter(&t, &greedy, now);
	for (uint32_t i = 0; i < 100000; i++) {
		const struct network_address a = v4(i * 2654435761U);
		now += i % 1000 == 0; /* a million a second */
		assert_true(visit(&t, &a, now));
		assert_true(visit(&t, &a, now));
		greedy_taken += request(&t, g, now) ? 1 : 0;
		assert_true(t.used <= 4096);
	}
	assert_true(t.forgotten > 0);
	assert_true(greedy_taken <= 100 + 5 + 1);
	assert_ptr_equal(t.places, places);
	client_leave(&t, g);
	client_table_release(&t);
}

/* The attack on fairness: one with many addresses fills the table again and again. A client that
 * comes back is at worst taken for a new one; and to be taken for one itself, the attacker needs
 * as many other addresses, of which each has as much. */
static void a_full_table_makes_nobody_be_refused(void **state)
{
	const struct network_address quiet = address("198.51.100.7"),
				     greedy = address("203.0.113.9");
	struct client_table t;
	(void)state;
	begin(&t, 256);
	unsigned refused = 0, passed = 0;
	for (uint32_t round = 0; round < 1000; round++) {
		for (uint32_t i = 0; i < 128; i++) { /* half of the places, always used up */
			const struct network_address a = v4(0x0a000000 + (round * 128 + i));
			(void)visits(&t, &a, 1000 + round);
		}
		refused += visit(&t, &quiet, 1000 + round) ? 0 : 1;
		passed += visit(&t, &greedy, 1000 + round) ? 1 : 0;
		for (unsigned i = 0; i < 10; i++)
			passed += visit(&t, &greedy, 1000 + round) ? 1 : 0;
	}
	assert_true(refused > 0 &&
		    refused < 1000 - 100); /* 1,000 in a second is more than its rate */
	/* neither was forgotten: it came back before as many others as there are places */
	assert_true(passed <= 100 + 50 + 1);
	client_table_release(&t);
}

static void a_client_with_a_connection_keeps_its_place(void **state)
{
	const struct network_address a = address("192.0.2.1");
	struct client_table t;
	struct client *held[8];
	(void)state;
	begin(&t, 8);
	for (uint32_t i = 0; i < 7; i++) {
		const struct network_address other = v4(i);
		held[i] = client_enter(&t, &other, 1000);
		assert_non_null(held[i]);
	}
	for (uint32_t i = 100; i < 200; i++) {
		const struct network_address other = v4(i);
		assert_int_equal(visits(&t, &other, 1000), 100);
	}
	for (uint32_t i = 0; i < 7; i++) {
		const struct network_address other = v4(i);
		assert_ptr_equal(client_enter(&t, &other, 1000), held[i]);
		assert_int_equal(held[i]->connections, 2);
	}
	held[7] = client_enter(&t, &a, 1000);
	assert_non_null(held[7]);
	const struct network_address late = v4(1000);
	assert_null(client_enter(&t, &late, 1000)); /* all places are kept */
	client_leave(&t, held[7]);
	held[7] = client_enter(&t, &late, 1000);
	assert_non_null(held[7]);
	client_table_release(&t);
}

/* Against a model that remembers all: a random order of all there is, in a small table. */
static void the_table_agrees_with_a_model(void **state)
{
	enum { ADDRESSES = 40, PLACES = 64 };
	struct {
		struct client *c;
		unsigned connections;
		struct bucket requests;
	} model[ADDRESSES] = {{0}};
	struct client_table t;
	uint64_t now = 1000;
	uint32_t x = 1;
	(void)state;
	begin(&t, PLACES);
	for (unsigned i = 0; i < ADDRESSES; i++)
		model[i].requests = bucket_full(now);
	for (unsigned step = 0; step < 200000; step++) {
		x = x * 1664525 + 1013904223;
		const unsigned i = (x >> 8) % ADDRESSES;
		const struct network_address a = v4(i * 65536);
		now += x >> 31;
		if ((x >> 16) % 3 == 0) {
			struct client *c = client_enter(&t, &a, now);
			assert_true(model[i].connections == 0 || c == model[i].c);
			model[i].c = c;
			model[i].connections++;
		} else if ((x >> 16) % 3 == 1 && model[i].connections > 0) {
			client_leave(&t, model[i].c);
			model[i].connections--;
		} else if (model[i].connections > 0) {
			assert_int_equal(request(&t, model[i].c, now),
					 client_take(&model[i].requests, &fifty, now));
		}
		if (model[i].connections > 0)
			assert_int_equal(model[i].c->connections, model[i].connections);
	}
	assert_int_equal(t.forgotten, 0);
	client_table_release(&t);
}

/* Neighbours do not share a chain more than chance has it, whatever the secret. */
static void chains_stay_short(void **state)
{
	enum { PLACES = 65536 };
	static const char *const secrets[] = {"0000000000000000", "abcdefghijklmnop"};
	(void)state;
	for (size_t s = 0; s < COUNT(secrets); s++) {
		struct client_table t;
		unsigned longest = 0;
		assert_int_equal(
		    client_table_init(&t, PLACES, &fifty, &twenty, (const uint8_t *)secrets[s]), 0);
		for (uint32_t i = 0; i < PLACES; i++) {
			const struct network_address a = v4(i << 4);
			assert_non_null(client_enter(&t, &a, 1000));
		}
		for (uint32_t i = 0; i <= t.chains_mask; i++) {
			unsigned len = 0;
			for (uint32_t at = t.chains[i]; at != UINT32_MAX; at = t.places[at].next)
				len++;
			longest = len > longest ? len : longest;
		}
		assert_true(longest < 14); /* a fair hash has 8 or 9 */
		client_table_release(&t);
	}
}

static void a_table_has_the_size_that_it_says(void **state)
{
	struct client_table t;
	(void)state;
	assert_int_equal(client_table_bytes(65536), 65536 * (64 + 4));
	assert_int_equal(client_table_bytes(1000), 1000 * 64 + 1024 * 4);
	begin(&t, 1);
	client_table_release(&t);
	client_table_release(&t); /* of zeros */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_client_is_an_address_or_the_first_half_of_one),
	    cmocka_unit_test(a_client_has_its_burst_and_then_its_rate),
	    cmocka_unit_test(slow_rates_are_kept_and_the_wait_is_exact),
	    cmocka_unit_test(jumps_of_the_clock_favour_clients),
	    cmocka_unit_test(clients_are_forgotten_when_that_changes_nothing),
	    cmocka_unit_test(a_client_that_was_logged_is_remembered_for_a_minute),
	    cmocka_unit_test(many_clients_get_what_is_theirs),
	    cmocka_unit_test(a_full_table_makes_nobody_be_refused),
	    cmocka_unit_test(a_client_with_a_connection_keeps_its_place),
	    cmocka_unit_test(the_table_agrees_with_a_model),
	    cmocka_unit_test(chains_stay_short),
	    cmocka_unit_test(a_table_has_the_size_that_it_says),
	};
	return cmocka_run_group_tests_name("client table", tests, NULL, NULL);
}
