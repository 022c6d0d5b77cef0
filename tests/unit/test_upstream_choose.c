/* Which endpoint gets a request: balance, failures, health, slow start, backups; and retries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "upstream/budget.h"
#include "upstream/choose.h"

#define PEERS 8

struct group {
	struct conf_upstream conf;
	struct conf_endpoint endpoints[PEERS];
	char urls[PEERS][32];
	struct ipc_health health[PEERS];
	struct upstream_peer peers[PEERS];
	struct upstream_balance balance;
	uint64_t now_ms;
};

static void group_init(struct group *g, uint32_t count, enum conf_balance balance)
{
	memset(g, 0, sizeof(*g));
	g->now_ms = 1000000;
	g->conf.endpoints_count = count;
	g->conf.balance = balance;
	g->conf.fail_after = 3;
	g->conf.fail_pause_ms = 10000;
	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf(g->urls[i], sizeof(g->urls[i]), "http://10.0.0.%u:80", i + 1);
		g->endpoints[i].url = g->urls[i];
	}
	upstream_balance_init(&g->balance, &g->conf, g->endpoints, g->health, g->peers, 0);
}

enum outcome { SUCCEEDED, FAILED, UNDECIDED };

/* How a choice ends at once. */
static enum upstream_change end(struct group *g, struct upstream_tried *tried, enum outcome outcome)
{
	enum upstream_change change = UPSTREAM_AS_BEFORE;
	if (outcome == SUCCEEDED)
		change = upstream_chosen_works(&g->balance, tried, g->now_ms);
	const enum upstream_change last =
	    upstream_chosen_end(&g->balance, tried, outcome == FAILED, g->now_ms);
	return change == UPSTREAM_AS_BEFORE ? last : change;
}

static uint32_t pick(struct group *g, struct upstream_tried *tried, uint64_t hash)
{
	return upstream_choose(&g->balance, tried, hash, g->now_ms);
}

/* One request from its choice to its end. */
static uint32_t ask(struct group *g, uint64_t hash, enum outcome outcome)
{
	struct upstream_tried tried = {0};
	const uint32_t i = pick(g, &tried, hash);
	if (i != UPSTREAM_NO_PEER)
		(void)end(g, &tried, outcome);
	return i;
}

static void count(struct group *g, unsigned requests, unsigned ret[PEERS])
{
	memset(ret, 0, PEERS * sizeof(ret[0]));
	for (unsigned n = 0; n < requests; n++) {
		const uint32_t i =
		    ask(g, upstream_hash_text((const char *)&n, sizeof(n)), SUCCEEDED);
		if (i != UPSTREAM_NO_PEER)
			ret[i]++;
	}
}

/* --- balance ---------------------------------------------------------------------------------- */

static void round_robin_takes_turns(void **state)
{
	(void)state;
	struct group g;
	unsigned got[PEERS];
	group_init(&g, 3, CONF_ROUND_ROBIN);
	for (uint32_t n = 0; n < 9; n++)
		assert_int_equal(ask(&g, 0, SUCCEEDED), n % 3);
	g.health[1].state = IPC_HEALTH_DOWN;
	count(&g, 100, got);
	assert_int_equal(got[0], 50);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], 50);
	g.health[1].state = IPC_HEALTH_UP;
	count(&g, 300, got);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(got[i], 98, 102);
}

static void loops_need_not_begin_with_the_same_endpoint(void **state)
{
	(void)state;
	struct group g;
	group_init(&g, 3, CONF_ROUND_ROBIN);
	for (uint32_t turn = 0; turn < 7; turn++) {
		upstream_balance_init(&g.balance, &g.conf, g.endpoints, g.health, g.peers, turn);
		assert_int_equal(ask(&g, 0, SUCCEEDED), turn % 3);
	}
}

static void the_least_busy_endpoint_is_chosen(void **state)
{
	(void)state;
	struct group g;
	struct upstream_tried tried[12] = {0};
	unsigned got[PEERS] = {0};
	group_init(&g, 3, CONF_LEAST_CONNECTIONS);
	for (unsigned n = 0; n < 9; n++)
		got[pick(&g, &tried[n], 0)]++;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(got[i], 3);
	for (unsigned n = 0; n < 9; n++)
		if (tried[n].list[0] == 1)
			(void)end(&g, &tried[n], UNDECIDED);
	for (unsigned n = 9; n < 12; n++)
		assert_int_equal(pick(&g, &tried[n], 0), 1);
}

static void equally_busy_endpoints_take_turns(void **state)
{
	(void)state;
	struct group g;
	unsigned got[PEERS];
	group_init(&g, 4, CONF_LEAST_CONNECTIONS);
	count(&g, 400, got);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(got[i], 100);
}

static void a_hash_goes_to_one_endpoint_and_few_move_when_one_fails(void **state)
{
	(void)state;
	struct group g;
	enum { KEYS = 8000 };
	static uint32_t before[KEYS];
	unsigned got[PEERS] = {0}, moved = 0;
	group_init(&g, PEERS, CONF_HASH_HEADER);
	for (uint32_t n = 0; n < KEYS; n++) {
		before[n] = ask(&g, upstream_hash_text((char *)&n, sizeof(n)), SUCCEEDED);
		got[before[n]]++;
	}
	for (unsigned i = 0; i < PEERS; i++)
		assert_in_range(got[i], KEYS / PEERS * 8 / 10, KEYS / PEERS * 12 / 10);
	g.health[5].state = IPC_HEALTH_DOWN;
	for (uint32_t n = 0; n < KEYS; n++) {
		const uint32_t now = ask(&g, upstream_hash_text((char *)&n, sizeof(n)), SUCCEEDED);
		assert_int_not_equal(now, 5);
		if (before[n] != 5)
			assert_int_equal(now, before[n]);
		moved += now != before[n];
	}
	assert_int_equal(moved, got[5]);
	g.health[5].state = IPC_HEALTH_UP;
	for (uint32_t n = 0; n < KEYS; n++)
		assert_int_equal(ask(&g, upstream_hash_text((char *)&n, sizeof(n)), SUCCEEDED),
				 before[n]);
}

static void a_hash_does_not_depend_on_the_order_of_endpoints(void **state)
{
	(void)state;
	struct group a, b;
	group_init(&a, PEERS, CONF_HASH_CLIENT);
	group_init(&b, PEERS, CONF_HASH_CLIENT);
	for (uint32_t i = 0; i < PEERS; i++)
		b.endpoints[i].url = a.urls[PEERS - 1 - i];
	upstream_balance_init(&b.balance, &b.conf, b.endpoints, b.health, b.peers, 3);
	for (uint64_t n = 0; n < 1000; n++) {
		const struct network_address client = {n << 20, n};
		const uint64_t hash = upstream_hash_client(&client);
		assert_int_equal(ask(&a, hash, SUCCEEDED), PEERS - 1 - ask(&b, hash, SUCCEEDED));
	}
}

static void all_addresses_of_an_ipv6_client_are_one(void **state)
{
	(void)state;
	struct network_address a, b, c;
	assert_int_equal(network_address_parse("2001:db8::1", 11, &a), 0);
	assert_int_equal(network_address_parse("2001:db8::ffff:2", 16, &b), 0);
	assert_int_equal(network_address_parse("192.0.2.1", 9, &c), 0);
	assert_true(upstream_hash_client(&a) == upstream_hash_client(&b));
	assert_true(upstream_hash_client(&a) != upstream_hash_client(&c));
}

/* --- what is not used ------------------------------------------------------------------------- */

static void an_endpoint_is_tried_once_by_a_request(void **state)
{
	(void)state;
	static const enum conf_balance ways[] = {CONF_ROUND_ROBIN, CONF_LEAST_CONNECTIONS,
						 CONF_HASH_CLIENT};
	for (unsigned w = 0; w < 3; w++) {
		struct group g;
		struct upstream_tried tried = {0};
		unsigned seen = 0;
		group_init(&g, 5, ways[w]);
		for (unsigned n = 0; n < 5; n++) {
			const uint32_t i = pick(&g, &tried, 42);
			assert_true(i < 5 && (seen & 1u << i) == 0);
			seen |= 1u << i;
			(void)end(&g, &tried, FAILED);
		}
		assert_int_equal(pick(&g, &tried, 42), UPSTREAM_NO_PEER);
		assert_int_equal(upstream_choose_wait_ms(&g.balance, g.now_ms), 0);
	}
}

static void a_request_does_not_try_for_ever(void **state)
{
	(void)state;
	struct group g;
	struct upstream_tried tried = {.count = UPSTREAM_TRIES_MAX,
				       .list = {9, 9, 9, 9, 9, 9, 9, 9}};
	group_init(&g, 5, CONF_ROUND_ROBIN);
	assert_int_equal(pick(&g, &tried, 0), UPSTREAM_NO_PEER);
}

static void orders_and_checks_take_endpoints_out(void **state)
{
	(void)state;
	struct group g;
	unsigned got[PEERS];
	group_init(&g, 4, CONF_ROUND_ROBIN);
	g.health[0].order = IPC_ORDER_DRAIN;
	g.health[1].order = IPC_ORDER_DOWN;
	g.health[2].state = IPC_HEALTH_DOWN;
	count(&g, 10, got);
	assert_int_equal(got[3], 10);
	g.health[3].state = IPC_HEALTH_DOWN;
	assert_int_equal(ask(&g, 0, SUCCEEDED), UPSTREAM_NO_PEER);
	g.health[0].order = 77; /* memory that another process writes */
	g.health[0].state = 88;
	assert_int_equal(ask(&g, 0, SUCCEEDED), 0);
}

static void backups_wait_until_nothing_else_is_left(void **state)
{
	(void)state;
	struct group g;
	unsigned got[PEERS];
	group_init(&g, 4, CONF_LEAST_CONNECTIONS);
	g.peers[2].backup = g.peers[3].backup = true;
	count(&g, 10, got);
	assert_int_equal(got[0] + got[1], 10);
	g.health[0].state = g.health[1].state = IPC_HEALTH_DOWN;
	count(&g, 10, got);
	assert_int_equal(got[2], 5);
	assert_int_equal(got[3], 5);
	/* also for one request that has had all the others */
	g.health[0].state = g.health[1].state = IPC_HEALTH_UP;
	struct upstream_tried tried = {0};
	for (unsigned n = 0; n < 4; n++) {
		const uint32_t i = pick(&g, &tried, 0);
		assert_int_equal(i >= 2, n >= 2);
		(void)end(&g, &tried, FAILED);
	}
}

/* --- failures --------------------------------------------------------------------------------- */

/* Makes the first endpoint fail so often, with nothing else in the way. */
static enum upstream_change fail_first(struct group *g, unsigned times)
{
	enum upstream_change change = UPSTREAM_AS_BEFORE;
	for (unsigned n = 0; n < times; n++) {
		struct upstream_tried tried = {0};
		g->health[1].state = IPC_HEALTH_DOWN;
		assert_int_equal(pick(g, &tried, 0), 0);
		g->health[1].state = IPC_HEALTH_UNKNOWN;
		change = end(g, &tried, FAILED);
	}
	return change;
}

static void failures_in_a_row_pause_an_endpoint(void **state)
{
	(void)state;
	struct group g;
	group_init(&g, 2, CONF_ROUND_ROBIN);
	assert_int_equal(fail_first(&g, 2), UPSTREAM_AS_BEFORE);
	assert_int_equal(fail_first(&g, 1), UPSTREAM_PAUSED);
	assert_int_equal(upstream_choose_wait_ms(&g.balance, g.now_ms), 10000);
	for (unsigned n = 0; n < 10; n++)
		assert_int_equal(ask(&g, 0, SUCCEEDED), 1);
	g.now_ms += 9999;
	for (unsigned n = 0; n < 10; n++)
		assert_int_equal(ask(&g, 0, SUCCEEDED), 1);
	assert_int_equal(upstream_choose_wait_ms(&g.balance, g.now_ms), 1);
	g.now_ms += 1;
	assert_int_equal(ask(&g, 0, SUCCEEDED) + ask(&g, 0, SUCCEEDED), 1);
	assert_int_equal(g.peers[0].failures, 0);
}

static void what_is_paused_is_used_if_nothing_else_is_left(void **state)
{
	(void)state;
	struct group g;
	unsigned got[PEERS];
	group_init(&g, 4, CONF_ROUND_ROBIN);
	g.peers[2].backup = g.peers[3].backup = true;
	for (unsigned n = 0; n < 6; n++)
		(void)ask(&g, 0, FAILED);
	for (unsigned n = 0; n < 6; n++) /* backups come before what is paused */
		assert_true(ask(&g, 0, FAILED) >= 2);
	for (unsigned n = 0; n < 10; n++) /* all are; it does not matter how long */
		assert_true(ask(&g, 0, FAILED) < 2);
	assert_int_equal(upstream_choose_wait_ms(&g.balance, g.now_ms), 10000);
	count(&g, 100, got); /* one that works again is taken back by its first success */
	assert_int_equal(got[0] + got[1], 100);
	g.health[0].state = g.health[1].state = IPC_HEALTH_DOWN;
	g.health[2].order = g.health[3].order = IPC_ORDER_DRAIN;
	assert_int_equal(ask(&g, 0, SUCCEEDED), UPSTREAM_NO_PEER);
}

static void a_request_without_a_key_takes_turns(void **state)
{
	(void)state;
	struct group g;
	unsigned got[PEERS] = {0};
	group_init(&g, 3, CONF_HASH_HEADER);
	for (unsigned n = 0; n < 9; n++)
		got[ask(&g, UPSTREAM_NO_HASH, SUCCEEDED)]++;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(got[i], 3);
	assert_true(upstream_hash_text("", 0) != UPSTREAM_NO_HASH);
}

static void a_success_ends_the_row(void **state)
{
	(void)state;
	struct group g;
	group_init(&g, 2, CONF_ROUND_ROBIN);
	for (unsigned n = 0; n < 5; n++) {
		assert_int_equal(fail_first(&g, 2), UPSTREAM_AS_BEFORE);
		(void)ask(&g, 0, SUCCEEDED);
		(void)ask(&g, 0, SUCCEEDED);
		assert_int_equal(g.peers[0].failures, 0);
	}
}

/* A request that gets the first endpoint, although the second one works. */
static void pick_first(struct group *g, struct upstream_tried *tried)
{
	g->health[1].state = IPC_HEALTH_DOWN;
	*tried = (struct upstream_tried){0};
	assert_int_equal(pick(g, tried, 0), 0);
	g->health[1].state = IPC_HEALTH_UNKNOWN;
}

static void one_request_tries_after_the_pause(void **state)
{
	(void)state;
	struct group g;
	struct upstream_tried trial = {0}, other = {0};
	group_init(&g, 2, CONF_ROUND_ROBIN);
	(void)fail_first(&g, 3);
	g.now_ms += 10000;
	pick_first(&g, &trial);
	assert_true(trial.trial);
	assert_int_equal(pick(&g, &other, 0), 1);
	(void)end(&g, &other, SUCCEEDED);
	/* the client of it left: the next one tries */
	assert_int_equal(end(&g, &trial, UNDECIDED), UPSTREAM_AS_BEFORE);
	pick_first(&g, &trial);
	/* it fails: another pause */
	assert_int_equal(end(&g, &trial, FAILED), UPSTREAM_AS_BEFORE);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(ask(&g, 0, SUCCEEDED), 1);
	g.now_ms += 10000;
	pick_first(&g, &trial);
	assert_int_equal(end(&g, &trial, SUCCEEDED), UPSTREAM_WORKS_AGAIN);
	assert_int_equal(ask(&g, 0, SUCCEEDED) + ask(&g, 0, SUCCEEDED), 1);
}

static void requests_from_before_a_pause_do_not_lengthen_it(void **state)
{
	(void)state;
	struct group g;
	struct upstream_tried old[2] = {0}, trial = {0};
	group_init(&g, 2, CONF_ROUND_ROBIN);
	pick_first(&g, &old[0]);
	pick_first(&g, &old[1]);
	(void)fail_first(&g, 3);
	g.now_ms += 5000;
	assert_int_equal(end(&g, &old[0], FAILED), UPSTREAM_AS_BEFORE);
	assert_int_equal(upstream_choose_wait_ms(&g.balance, g.now_ms), 5000);
	g.now_ms += 5000;
	pick_first(&g, &trial);
	/* nor do they end the trial */
	(void)end(&g, &old[1], FAILED);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(ask(&g, 0, SUCCEEDED), 1);
	assert_int_equal(end(&g, &trial, SUCCEEDED), UPSTREAM_WORKS_AGAIN);
}

/* A tunnel, events, a long download. */
static void a_long_request_judges_its_endpoint_when_it_is_answered(void **state)
{
	(void)state;
	struct group g;
	struct upstream_tried trial = {0}, tried;
	group_init(&g, 2, CONF_ROUND_ROBIN);
	(void)fail_first(&g, 3);
	g.now_ms += 10000;
	pick_first(&g, &trial);
	assert_int_equal(upstream_chosen_works(&g.balance, &trial, g.now_ms), UPSTREAM_WORKS_AGAIN);
	assert_int_equal(ask(&g, 0, SUCCEEDED) + ask(&g, 0, SUCCEEDED), 1);
	/* it ends a row of failures as any other does */
	(void)fail_first(&g, 2);
	pick_first(&g, &tried);
	assert_int_equal(upstream_chosen_works(&g.balance, &tried, g.now_ms), UPSTREAM_AS_BEFORE);
	assert_int_equal(fail_first(&g, 2), UPSTREAM_AS_BEFORE);
	assert_int_equal(fail_first(&g, 1), UPSTREAM_PAUSED);
	/* the end of one that was tried once is no success now, nor the end of another's trial */
	g.now_ms += 10000;
	struct upstream_tried other;
	pick_first(&g, &other);
	assert_int_equal(end(&g, &trial, UNDECIDED), UPSTREAM_AS_BEFORE);
	assert_int_equal(end(&g, &tried, UNDECIDED), UPSTREAM_AS_BEFORE);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(ask(&g, 0, SUCCEEDED), 1);
	assert_int_equal(end(&g, &other, SUCCEEDED), UPSTREAM_WORKS_AGAIN);
}

/* An endpoint that answers each request and then cuts it off is of no use either. */
static void responses_that_are_cut_in_a_row_pause_an_endpoint(void **state)
{
	(void)state;
	struct group g;
	struct upstream_tried tried[3], trial;
	enum upstream_change change = UPSTREAM_AS_BEFORE;
	for (unsigned together = 0; together < 2; together++) {
		group_init(&g, 2, CONF_ROUND_ROBIN);
		for (unsigned n = 0; n < 3 && together; n++) {
			pick_first(&g, &tried[n]);
			(void)upstream_chosen_works(&g.balance, &tried[n], g.now_ms);
		}
		for (unsigned n = 0; n < 3; n++) {
			assert_int_equal(change, UPSTREAM_AS_BEFORE);
			if (!together) {
				pick_first(&g, &tried[n]);
				(void)upstream_chosen_works(&g.balance, &tried[n], g.now_ms);
			}
			change = end(&g, &tried[n], FAILED);
		}
		assert_int_equal(change, UPSTREAM_PAUSED);
		change = UPSTREAM_AS_BEFORE;
		/* the head of a response says nothing about that, but a long one is in nobody's way
		 */
		g.now_ms += 10000;
		pick_first(&g, &trial);
		assert_int_equal(upstream_chosen_works(&g.balance, &trial, g.now_ms),
				 UPSTREAM_AS_BEFORE);
		pick_first(&g, &tried[0]);
		assert_true(tried[0].trial);
		assert_int_equal(end(&g, &tried[0], UNDECIDED), UPSTREAM_AS_BEFORE);
		/* cut again: another pause */
		assert_int_equal(end(&g, &trial, FAILED), UPSTREAM_AS_BEFORE);
		for (unsigned n = 0; n < 4; n++)
			assert_int_equal(ask(&g, 0, SUCCEEDED), 1);
		g.now_ms += 10000;
		pick_first(&g, &trial);
		assert_int_equal(end(&g, &trial, SUCCEEDED), UPSTREAM_WORKS_AGAIN);
	}
}

static void a_single_endpoint_is_always_used(void **state)
{
	(void)state;
	struct group g;
	group_init(&g, 1, CONF_ROUND_ROBIN);
	for (unsigned n = 0; n < 20; n++)
		assert_int_equal(ask(&g, 0, FAILED), 0);
}

static void fail_off_pauses_none(void **state)
{
	(void)state;
	struct group g;
	group_init(&g, 2, CONF_ROUND_ROBIN);
	g.conf.fail_after = 0;
	for (uint32_t n = 0; n < 20; n++)
		assert_int_equal(ask(&g, 0, FAILED), n % 2);
}

/* --- slow start ------------------------------------------------------------------------------- */

static void an_endpoint_that_is_back_gets_more_and_more(void **state)
{
	(void)state;
	static const enum conf_balance ways[] = {CONF_ROUND_ROBIN, CONF_HASH_HEADER};
	for (unsigned w = 0; w < 2; w++) {
		struct group g;
		unsigned got[PEERS], before = 0;
		group_init(&g, 2, ways[w]);
		g.conf.slow_start_ms = 30000;
		g.health[0].state = IPC_HEALTH_UP;
		g.health[0].since_ms = g.now_ms;
		for (unsigned s = 0; s <= 30; s += 10) {
			count(&g, 1000, got);
			assert_true(got[0] > before || s == 0);
			before = got[0];
			g.now_ms += 10000;
		}
		assert_in_range(got[0], 450, 550);
		g.now_ms -= 40000;
		count(&g, 1000, got);
		assert_true(got[0] < 20);
		g.health[0].since_ms = UINT64_MAX; /* memory that another process writes */
		count(&g, 1000, got);
		assert_in_range(got[0], 450, 550);
	}
}

static void least_connections_start_slowly_too(void **state)
{
	(void)state;
	struct group g;
	static struct upstream_tried tried[100];
	memset(tried, 0, sizeof(tried));
	unsigned got[PEERS] = {0};
	group_init(&g, 2, CONF_LEAST_CONNECTIONS);
	g.conf.slow_start_ms = 30000;
	g.peers[0].back_ms = g.now_ms - 3000; /* a tenth of its time */
	for (unsigned n = 0; n < 100; n++)
		got[pick(&g, &tried[n], 0)]++;
	assert_in_range(got[0], 5, 12);
}

static void what_was_paused_starts_slowly(void **state)
{
	(void)state;
	struct group g;
	unsigned got[PEERS];
	group_init(&g, 2, CONF_ROUND_ROBIN);
	g.conf.slow_start_ms = 30000;
	(void)fail_first(&g, 3);
	g.now_ms += 10000;
	while (ask(&g, 0, SUCCEEDED) != 0)
		;
	count(&g, 100, got);
	assert_true(got[0] < 5);
	g.now_ms += 30000;
	count(&g, 100, got);
	assert_int_equal(got[0], 50);
}

/* --- retries ---------------------------------------------------------------------------------- */

static void retries_are_a_part_of_the_requests(void **state)
{
	(void)state;
	struct upstream_budget b = upstream_budget_new();
	unsigned retries = 0;
	for (unsigned n = 0; n < UPSTREAM_RETRIES_RESERVE; n++)
		assert_true(upstream_budget_spend(&b));
	assert_false(upstream_budget_spend(&b));
	for (unsigned n = 0; n < 1000; n++) {
		upstream_budget_earn(&b, 20);
		retries += upstream_budget_spend(&b);
	}
	assert_int_equal(retries, 200);
	for (unsigned n = 0; n < 100000; n++)
		upstream_budget_earn(&b, 20);
	for (retries = 0; upstream_budget_spend(&b);)
		retries++;
	assert_int_equal(retries, UPSTREAM_RETRIES_MAX);
	upstream_budget_earn(&b, 0);
	assert_false(upstream_budget_spend(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_robin_takes_turns),
	    cmocka_unit_test(loops_need_not_begin_with_the_same_endpoint),
	    cmocka_unit_test(the_least_busy_endpoint_is_chosen),
	    cmocka_unit_test(equally_busy_endpoints_take_turns),
	    cmocka_unit_test(a_hash_goes_to_one_endpoint_and_few_move_when_one_fails),
	    cmocka_unit_test(a_hash_does_not_depend_on_the_order_of_endpoints),
	    cmocka_unit_test(all_addresses_of_an_ipv6_client_are_one),
	    cmocka_unit_test(an_endpoint_is_tried_once_by_a_request),
	    cmocka_unit_test(a_request_does_not_try_for_ever),
	    cmocka_unit_test(orders_and_checks_take_endpoints_out),
	    cmocka_unit_test(backups_wait_until_nothing_else_is_left),
	    cmocka_unit_test(failures_in_a_row_pause_an_endpoint),
	    cmocka_unit_test(a_success_ends_the_row),
	    cmocka_unit_test(one_request_tries_after_the_pause),
	    cmocka_unit_test(requests_from_before_a_pause_do_not_lengthen_it),
	    cmocka_unit_test(a_long_request_judges_its_endpoint_when_it_is_answered),
	    cmocka_unit_test(responses_that_are_cut_in_a_row_pause_an_endpoint),
	    cmocka_unit_test(a_single_endpoint_is_always_used),
	    cmocka_unit_test(what_is_paused_is_used_if_nothing_else_is_left),
	    cmocka_unit_test(a_request_without_a_key_takes_turns),
	    cmocka_unit_test(fail_off_pauses_none),
	    cmocka_unit_test(an_endpoint_that_is_back_gets_more_and_more),
	    cmocka_unit_test(least_connections_start_slowly_too),
	    cmocka_unit_test(what_was_paused_starts_slowly),
	    cmocka_unit_test(retries_are_a_part_of_the_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
