/* master/ground/port: the only writer of a port's state, and what it notes for the turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "master/ground/state.h"

static struct master master;
static struct conf_port conf = {.number = 8000};
static struct port port;

static void nothing(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	(void)timer;
}

static int begin(void **state)
{
	(void)state;
	master = (struct master){.settled = true};
	port = (struct port){.master = &master, .conf = &conf};
	assert_int_equal(loop_init(&master.loop), 0);
	assert_int_equal(loop_timer_init(&master.loop, &port.backoff, nothing), 0);
	assert_int_equal(loop_timer_init(&master.loop, &port.limit, nothing), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	loop_timer_release(&master.loop, &port.backoff);
	loop_timer_release(&master.loop, &port.limit);
	loop_release(&master.loop);
	return 0;
}

static void every_change_of_the_state_is_noted(void **state)
{
	(void)state;
	for (unsigned from = PORT_STARTING; from <= PORT_STOPPED; from++)
		for (unsigned to = PORT_STARTING; to <= PORT_STOPPED; to++) {
			port_become(&port, (enum port_state)from);
			master.changed = false;
			port_become(&port, (enum port_state)to);
			assert_int_equal(port.state, to);
			assert_int_equal(master.changed, from != to);
		}
}

static void a_change_that_was_noted_stays_noted(void **state)
{
	(void)state;
	port_become(&port, PORT_SERVING);
	master.changed = true;
	port_become(&port, PORT_SERVING);
	assert_true(master.changed);
}

static void the_backoff_runs_in_that_state_alone(void **state)
{
	(void)state;
	for (unsigned to = PORT_STARTING; to <= PORT_STOPPED; to++) {
		port_wait(&port, 1000);
		assert_int_equal(port.state, PORT_BACKOFF);
		assert_true(loop_timer_is_set(&port.backoff));
		assert_true(port.backoff.deadline_ms == master.loop.now_ms + 1000);
		port_become(&port, (enum port_state)to);
		assert_int_equal(loop_timer_is_set(&port.backoff), to == PORT_BACKOFF);
	}
}

static void another_wait_is_a_change_since_its_reason_may_be_another(void **state)
{
	(void)state;
	port_wait(&port, 1000);
	master.changed = false;
	port_wait(&port, 2000);
	assert_true(master.changed);
	assert_true(port.backoff.deadline_ms == master.loop.now_ms + 2000);
}

static void the_limit_of_a_drain_ends_with_the_last_process(void **state)
{
	(void)state;
	for (unsigned to = PORT_STARTING; to <= PORT_STOPPED; to++) {
		loop_timer_set(&master.loop, &port.limit, master.loop.now_ms + 1000);
		port_become(&port, (enum port_state)to);
		assert_int_equal(loop_timer_is_set(&port.limit), to != PORT_STOPPED);
	}
}

static void the_first_port_that_is_lost_is_the_reason(void **state)
{
	char why[4 * sizeof(master.roll.lost)];
	struct conf_port second = {.number = 8001};
	struct port other = {.master = &master, .conf = &second};
	(void)state;
	memset(why, 'a', sizeof(why));
	why[sizeof(why) - 1] = '\0';
	port_lose(&port, why);
	port_lose(&other, "later");
	assert_int_equal(master.roll.lost_port, 8000);
	assert_int_equal(strlen(master.roll.lost), sizeof(master.roll.lost) - 1);
	assert_int_equal(strspn(master.roll.lost, "a"), sizeof(master.roll.lost) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_change_of_the_state_is_noted, begin, end),
	    cmocka_unit_test_setup_teardown(a_change_that_was_noted_stays_noted, begin, end),
	    cmocka_unit_test_setup_teardown(the_backoff_runs_in_that_state_alone, begin, end),
	    cmocka_unit_test_setup_teardown(
		another_wait_is_a_change_since_its_reason_may_be_another, begin, end),
	    cmocka_unit_test_setup_teardown(the_limit_of_a_drain_ends_with_the_last_process, begin,
					    end),
	    cmocka_unit_test_setup_teardown(the_first_port_that_is_lost_is_the_reason, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
