/* Connections of an event loop, between those who ask and a connector that the test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/connect.h"
#include "worker/connects.h"

#define NONE (-1)

/* A connection that is wanted, and what became of it. */
struct asked {
	struct upstream_ask ask; /* first */
	int result;              /* NONE: not yet */
	int fd, error;
	struct upstream_service *service;
	struct asked *then_ask, *then_forget; /* what whoever is answered does */
};

struct connects {
	struct worker_loop *loop;
	struct worker worker;
	struct role role;
	struct conf_port port;
	struct conf_endpoint endpoints[2];
	struct upstream_service *service;
	int connector; /* its end of the channel */
	int master;    /* … and of the worker's channel */
	int log;       /* what was logged */
};

static void note(struct upstream_ask *ask, enum upstream_connected result, int fd, int error,
		 const struct network_address *address)
{
	struct asked *a = (struct asked *)ask;
	assert_non_null(address);
	assert_int_equal(a->result, NONE); /* once */
	a->result = (int)result;
	a->fd = fd;
	a->error = error;
	if (a->then_ask != NULL)
		assert_true(a->service->ask(a->service, &a->then_ask->ask));
	if (a->then_forget != NULL)
		a->service->forget(a->service, &a->then_forget->ask);
}

static uint64_t clock_now_ms = 1000000;

/* The clock of the loop (tests.mk), which the tests alone move. */
uint64_t __wrap_clock_ns(void);
uint64_t __wrap_clock_ns(void)
{
	return clock_now_ms * 1000000;
}

static void connects_begin(struct connects *c)
{
	int channel[2], master[2], log[2];
	*c = (struct connects){
	    .endpoints = {{.url = "http://127.0.0.1:9000"}, {.url = "unix:/run/api.sock"}}};
	c->loop = calloc(1, sizeof(*c->loop));
	assert_non_null(c->loop);
	c->port.endpoints = c->endpoints;
	c->port.endpoints_count = 2;
	c->worker.port = &c->port;
	c->worker.role = &c->role;
	c->loop->worker = &c->worker;
	assert_int_equal(loop_init(&c->loop->loop), 0);
	assert_int_equal(pipe2(log, O_CLOEXEC | O_NONBLOCK), 0);
	log_init(&c->loop->log, LOG_ROLE_WORKER, 1, 1, 0);
	log_adopt(&c->loop->log, LOG_SINK_CONSOLE, log[1]);
	assert_int_equal(ipc_channel(master), 0);
	c->role.channel_fd = master[0];
	c->master = master[1];
	assert_int_equal(ipc_connect_channel(channel), 0);
	assert_int_equal(connects_open(c->loop, channel[0]), 0);
	c->service = c->loop->http.upstreams;
	c->connector = channel[1];
	c->log = log[0];
}

static void connects_end(struct connects *c)
{
	connects_close(c->loop);
	assert_null(c->loop->http.upstreams);
	assert_int_equal(c->loop->loop.timers, 0);
	loop_release(&c->loop->loop);
	log_close(&c->loop->log);
	close(c->connector);
	close(c->role.channel_fd);
	close(c->master);
	close(c->log);
	free(c->loop);
}

static void turn(struct connects *c)
{
	assert_int_equal(loop_turn(&c->loop->loop, 0), 0);
}

static void later(struct connects *c, uint64_t ms)
{
	clock_now_ms += ms;
	turn(c);
	c->loop->loop.now_ms = clock_now_ms;
}

static struct asked asked_of(struct connects *c, uint32_t endpoint, uint64_t ms)
{
	c->loop->loop.now_ms = clock_now_ms;
	return (struct asked){
	    .ask = {.endpoint = endpoint, .until_ms = clock_now_ms + ms, .answered = note},
	    .service = c->service,
	    .result = NONE,
	    .fd = NONE};
}

static bool ask(struct connects *c, struct asked *a)
{
	return c->service->ask(c->service, &a->ask);
}

static struct ipc_connect_request connector_gets(struct connects *c)
{
	struct ipc_connect_request r;
	assert_int_equal(ipc_connect_receive_request(c->connector, &r), 1);
	return r;
}

static void connector_has_none(struct connects *c)
{
	struct ipc_connect_request r;
	assert_int_equal(ipc_connect_receive_request(c->connector, &r), -EAGAIN);
}

static void connector_says(struct connects *c, uint64_t id, uint32_t status, int error, int fd)
{
	const struct ipc_connect_answer answer = {.id = id, .status = status, .error = error};
	assert_int_equal(ipc_connect_answer(c->connector, &answer, fd), 0);
	turn(c);
}

/* How often the master was told since it was asked last. */
static unsigned silences(struct connects *c)
{
	struct ipc_message m;
	unsigned count = 0;
	while (ipc_receive(c->master, ipc_from_worker, IPC_SERVING, &m) == 1) {
		assert_int_equal(m.type, IPC_KEY_SILENT);
		count++;
	}
	return count;
}

static unsigned lines(struct connects *c, const char *with)
{
	char text[65536];
	unsigned count = 0;
	const ssize_t n = read(c->log, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	for (const char *at = text; (at = strstr(at, with)) != NULL; at++)
		count++;
	return count;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void each_answer_is_that_of_its_ask(void **state)
{
	static const struct {
		uint32_t status;
		enum upstream_connected result;
		int error;
	} cases[] = {{IPC_CONNECT_REFUSED, UPSTREAM_REFUSED, ECONNREFUSED},
		     {IPC_CONNECT_TIMED_OUT, UPSTREAM_TIMED_OUT, 0},
		     {IPC_CONNECT_UNRESOLVED, UPSTREAM_UNRESOLVED, 0},
		     {IPC_CONNECT_FULL, UPSTREAM_FULL, EMFILE}};
	struct connects c;
	struct asked asks[4];
	uint64_t ids[4];
	(void)state;
	connects_begin(&c);
	for (unsigned i = 0; i < 4; i++) {
		asks[i] = asked_of(&c, i % 2, 2000);
		assert_true(ask(&c, &asks[i]));
		const struct ipc_connect_request r = connector_gets(&c);
		ids[i] = r.id;
		assert_int_equal(r.endpoint, i % 2);
		assert_int_equal(r.timeout_ms, 2000);
		assert_true(i == 0 || ids[i] > ids[i - 1]);
	}
	for (unsigned i = 4; i-- > 0;) { /* in any order */
		connector_says(&c, ids[i], cases[i].status, cases[i].error, -1);
		assert_int_equal(asks[i].result, cases[i].result);
		assert_int_equal(asks[i].error, cases[i].error);
		assert_int_equal(asks[i].fd, -1);
	}
	later(&c, 10000);
	assert_int_equal(silences(&c), 0);
	connects_end(&c);
}

/* Has it been closed on this side? */
static bool is_closed(int other_end)
{
	char byte;
	return read(other_end, &byte, 1) == 0;
}

static void a_connection_belongs_to_whoever_asked(void **state)
{
	struct connects c;
	int pair[2];
	(void)state;
	connects_begin(&c);
	struct asked a = asked_of(&c, 0, 2000);
	assert_true(ask(&c, &a));
	assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
	connector_says(&c, connector_gets(&c).id, IPC_CONNECTED, 0, pair[1]);
	close(pair[1]);
	assert_int_equal(a.result, UPSTREAM_CONNECTED);
	assert_true(a.fd >= 0);
	assert_int_equal(fcntl(a.fd, F_GETFD), FD_CLOEXEC);
	assert_false(is_closed(pair[0]));
	close(a.fd);
	assert_true(is_closed(pair[0]));
	close(pair[0]);
	connects_end(&c);
}

/* A connector may be late, or hostile. */
static void a_connection_that_nobody_asked_for_is_closed(void **state)
{
	struct connects c;
	(void)state;
	connects_begin(&c);
	struct asked forgotten = asked_of(&c, 0, 2000), other = asked_of(&c, 0, 2000);
	assert_true(ask(&c, &forgotten));
	assert_true(ask(&c, &other));
	const uint64_t id = connector_gets(&c).id;
	c.service->forget(c.service, &forgotten.ask);
	const uint64_t ids[] = {id, id + 1000, UINT64_MAX};
	for (unsigned i = 0; i < 3; i++) {
		int pair[2];
		assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
		connector_says(&c, ids[i], IPC_CONNECTED, 0, pair[1]);
		close(pair[1]);
		assert_true(is_closed(pair[0]));
		close(pair[0]);
	}
	assert_int_equal(forgotten.result, NONE);
	assert_int_equal(other.result, NONE);
	c.service->forget(c.service, &other.ask);
	connects_end(&c);
}

static void a_malformed_answer_is_reported_and_changes_nothing(void **state)
{
	struct connects c;
	(void)state;
	connects_begin(&c);
	struct asked a = asked_of(&c, 0, 2000);
	assert_true(ask(&c, &a));
	const uint64_t id = connector_gets(&c).id;
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(write(c.connector, "nonsense", 8), 8);
		turn(&c);
	}
	assert_in_range(lines(&c, "malformed"), 1, CONNECTS_LINES_AT_ONCE);
	assert_int_equal(a.result, NONE);
	connector_says(&c, id, IPC_CONNECT_REFUSED, ECONNREFUSED, -1);
	assert_int_equal(a.result, UPSTREAM_REFUSED);
	connects_end(&c);
}

/* --- time ------------------------------------------------------------------------------------- */

static void a_connector_that_is_silent_costs_the_time_of_the_ask(void **state)
{
	struct connects c;
	(void)state;
	connects_begin(&c);
	struct asked a = asked_of(&c, 0, 5000), b = asked_of(&c, 0, 200), d = asked_of(&c, 1, 300);
	assert_true(ask(&c, &a));
	assert_true(ask(&c, &b));
	assert_true(ask(&c, &d));
	later(&c, 199);
	assert_int_equal(b.result, NONE);
	later(&c, 1 + CONNECTS_GRACE_MS);
	assert_int_equal(b.result, UPSTREAM_SILENT);
	assert_int_equal(d.result, NONE);
	assert_int_equal(silences(&c), 1);
	later(&c, 100);
	assert_int_equal(d.result, UPSTREAM_SILENT);
	assert_int_equal(silences(&c), 0); /* it was told just now */
	assert_int_equal(a.result, NONE);
	later(&c, 4600 + CONNECTS_GRACE_MS);
	assert_int_equal(a.result, UPSTREAM_SILENT);
	assert_int_equal(silences(&c), 1);
	connects_end(&c);
}

/* Many are due at once, and their answers come one after the other. */
static void a_connector_that_is_late_is_not_silent(void **state)
{
	struct connects c;
	(void)state;
	connects_begin(&c);
	struct asked a = asked_of(&c, 0, 200), b = asked_of(&c, 0, 200), d = asked_of(&c, 0, 5000);
	assert_true(ask(&c, &a));
	assert_true(ask(&c, &b));
	assert_true(ask(&c, &d));
	const uint64_t id = connector_gets(&c).id;
	later(&c, 201);
	connector_says(&c, id, IPC_CONNECT_TIMED_OUT, 0, -1);
	assert_int_equal(a.result, UPSTREAM_TIMED_OUT);
	later(&c, CONNECTS_GRACE_MS);
	assert_int_equal(b.result, UPSTREAM_TIMED_OUT);
	assert_int_equal(silences(&c), 0);
	later(&c, 5000); /* nothing since then */
	assert_int_equal(d.result, UPSTREAM_SILENT);
	assert_int_equal(silences(&c), 1);
	connects_end(&c);
}

/* The loop was busy, and looks at the time first. */
static void what_has_come_counts_before_the_time(void **state)
{
	struct connects c;
	(void)state;
	connects_begin(&c);
	struct asked a = asked_of(&c, 0, 200), b = asked_of(&c, 0, 200);
	assert_true(ask(&c, &a));
	assert_true(ask(&c, &b));
	const uint64_t id = connector_gets(&c).id;
	const struct ipc_connect_answer answer = {
	    .id = id, .status = IPC_CONNECT_REFUSED, .error = ECONNREFUSED};
	assert_int_equal(ipc_connect_answer(c.connector, &answer, -1), 0);
	later(&c, 10000);
	assert_int_equal(a.result, UPSTREAM_REFUSED);
	assert_int_equal(b.result, UPSTREAM_TIMED_OUT); /* it lives */
	assert_int_equal(silences(&c), 0);
	connects_end(&c);
}

static void an_answer_at_the_last_moment_counts(void **state)
{
	struct connects c;
	(void)state;
	connects_begin(&c);
	struct asked a = asked_of(&c, 0, 200);
	assert_true(ask(&c, &a));
	const uint64_t id = connector_gets(&c).id;
	later(&c, 200);
	connector_says(&c, id, IPC_CONNECT_TIMED_OUT, ETIMEDOUT, -1);
	assert_int_equal(a.result, UPSTREAM_TIMED_OUT);
	assert_int_equal(a.error, ETIMEDOUT);
	later(&c, 1000);
	assert_int_equal(silences(&c), 0);
	connects_end(&c);
}

/* Those that are answered together may ask and forget from within. */
static void whoever_is_answered_may_ask_and_forget(void **state)
{
	struct connects c;
	(void)state;
	connects_begin(&c);
	struct asked more = asked_of(&c, 0, 200), gone = asked_of(&c, 0, 200);
	struct asked first = asked_of(&c, 0, 200);
	first.then_ask = &more;
	first.then_forget = &gone;
	assert_true(ask(&c, &first));
	assert_true(ask(&c, &gone));
	later(&c, 200 + CONNECTS_GRACE_MS);
	assert_int_equal(first.result, UPSTREAM_SILENT);
	assert_int_equal(gone.result, NONE);
	assert_int_equal(more.result, NONE); /* its time was over when it came: the next turn */
	later(&c, 1);
	assert_int_equal(more.result, UPSTREAM_SILENT);
	connects_end(&c);
}

/* --- a connector that dies -------------------------------------------------------------------- */

static void what_a_dead_connector_had_taken_is_asked_again(void **state)
{
	struct connects c;
	struct asked asks[3];
	(void)state;
	connects_begin(&c);
	for (unsigned i = 0; i < 3; i++) {
		asks[i] = asked_of(&c, i % 2, 2000);
		assert_true(ask(&c, &asks[i]));
	}
	uint64_t last = 0;
	for (unsigned i = 0; i < 3; i++)
		last = connector_gets(&c).id;
	later(&c, 500);
	connector_says(&c, 0, IPC_CONNECT_AGAIN, 0, -1);
	for (unsigned i = 0; i < 3; i++) {
		const struct ipc_connect_request r = connector_gets(&c);
		assert_true(r.id > last);
		last = r.id;
		assert_int_equal(r.endpoint, i % 2);
		assert_int_equal(r.timeout_ms, 1500); /* that are left */
		connector_says(&c, r.id, IPC_CONNECT_REFUSED, ECONNREFUSED, -1);
		assert_int_equal(asks[i].result, UPSTREAM_REFUSED);
	}
	connector_has_none(&c);
	connects_end(&c);
}

/* More than the channel holds: they follow when the successor has read. */
static void all_are_asked_again_even_if_the_channel_is_full(void **state)
{
	struct connects c;
	static struct asked asks[IPC_CONNECT_PENDING_MAX];
	unsigned count = 0, taken = 0, answered = 0;
	(void)state;
	connects_begin(&c);
	while (count < IPC_CONNECT_PENDING_MAX) {
		asks[count] = asked_of(&c, 0, 60000);
		if (ask(&c, &asks[count])) {
			count++;
			continue;
		}
		(void)connector_gets(&c); /* the first connector reads, and dies over it */
		taken++;
	}
	struct asked more = asked_of(&c, 0, 60000);
	assert_false(ask(&c, &more)); /* so many at most */
	connector_says(&c, 0, IPC_CONNECT_AGAIN, 0, -1);
	struct ipc_connect_request r;
	for (unsigned i = 0; i < 4 * IPC_CONNECT_PENDING_MAX; i++, turn(&c))
		if (ipc_connect_receive_request(c.connector, &r) == 1) {
			const struct ipc_connect_answer answer = {.id = r.id,
								  .status = IPC_CONNECT_REFUSED};
			assert_int_equal(ipc_connect_answer(c.connector, &answer, -1), 0);
		}
	for (unsigned i = 0; i < count; i++)
		answered += asks[i].result == UPSTREAM_REFUSED;
	assert_int_equal(answered, count);
	assert_true(taken == 0 || answered > taken);
	assert_true(ask(&c, &more));
	c.service->forget(c.service, &more.ask);
	connects_end(&c);
}

static void a_full_channel_is_refused_at_once(void **state)
{
	struct connects c;
	static struct asked asks[IPC_CONNECT_PENDING_MAX + 1];
	unsigned count = 0;
	(void)state;
	connects_begin(&c);
	do
		asks[count] = asked_of(&c, 0, 1000);
	while (ask(&c, &asks[count++]));
	assert_true(count - 1 <= IPC_CONNECT_PENDING_MAX);
	assert_int_equal(asks[count - 1].result, NONE); /* it never will be */
	later(&c, 1000 + CONNECTS_GRACE_MS);
	for (unsigned i = 0; i < count - 1; i++)
		assert_int_equal(asks[i].result, UPSTREAM_SILENT);
	assert_int_equal(silences(&c), 1);
	connects_end(&c);
}

/* --- the log ---------------------------------------------------------------------------------- */

static void lines_about_endpoints_are_bounded(void **state)
{
	struct connects c;
	(void)state;
	connects_begin(&c);
	c.service->tell(c.service, 1, "refuses connections: Connection refused");
	assert_int_equal(lines(&c, "unix:/run/api.sock refuses connections: Connection refused"),
			 1);
	for (unsigned i = 0; i < 1000; i++)
		c.service->tell(c.service, 0, "is silent");
	assert_int_equal(lines(&c, "http://127.0.0.1:9000 is silent"), CONNECTS_LINES_AT_ONCE - 1);
	later(&c, 1000);
	c.service->tell(c.service, 0, "works again");
	assert_int_equal(lines(&c, "works again; 981 more lines about upstreams left out"), 1);
	connects_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_answer_is_that_of_its_ask),
	    cmocka_unit_test(a_connection_belongs_to_whoever_asked),
	    cmocka_unit_test(a_connection_that_nobody_asked_for_is_closed),
	    cmocka_unit_test(a_malformed_answer_is_reported_and_changes_nothing),
	    cmocka_unit_test(a_connector_that_is_silent_costs_the_time_of_the_ask),
	    cmocka_unit_test(a_connector_that_is_late_is_not_silent),
	    cmocka_unit_test(what_has_come_counts_before_the_time),
	    cmocka_unit_test(an_answer_at_the_last_moment_counts),
	    cmocka_unit_test(whoever_is_answered_may_ask_and_forget),
	    cmocka_unit_test(what_a_dead_connector_had_taken_is_asked_again),
	    cmocka_unit_test(all_are_asked_again_even_if_the_channel_is_full),
	    cmocka_unit_test(a_full_channel_is_refused_at_once),
	    cmocka_unit_test(lines_about_endpoints_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
