/* connector: what a check of an upstream finds, and when that changes the upstream's state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "connector/check.h"
#include "gateway.h"

/* --- an upstream ------------------------------------------------------------------------------ */

/* Answers each connection with the present text. */
static struct {
	struct loop_io io; /* first */
	uint16_t port;
	const char *answer; /* NULL: it is silent */
	bool resets;
	unsigned asked;
	char request[4096];
} server;

struct guest {
	struct loop_io io; /* first */
};

static struct guest guests[64];

static void guest_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	const struct linger reset = {.l_onoff = 1};
	const ssize_t n = recv(io->fd, server.request, sizeof(server.request) - 1, 0);
	(void)events;
	if (n <= 0) {
		loop_close(loop, io);
		return;
	}
	server.request[n] = '\0';
	server.asked++;
	if (server.answer == NULL)
		return;
	(void)!write(io->fd, server.answer, strlen(server.answer));
	if (server.resets)
		(void)setsockopt(io->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	loop_close(loop, io);
}

static void server_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	const int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	(void)events;
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
		if (guests[i].io.fd < 0) {
			guests[i].io = (struct loop_io){.fd = fd, .ready = guest_ready};
			assert_int_equal(loop_add(loop, &guests[i].io, EPOLLIN), 0);
			return;
		}
	close(fd);
}

static void server_begin(void)
{
	memset(&server, 0, sizeof(server));
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
		guests[i].io.fd = -1;
	server.io = (struct loop_io){.fd = tcp_listener("127.0.0.1", &server.port, 64),
				     .ready = server_ready};
	assert_int_equal(loop_add(&gateway.loop, &server.io, EPOLLIN), 0);
}

static void server_end(void)
{
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
		if (guests[i].io.fd >= 0)
			loop_close(&gateway.loop, &guests[i].io);
	if (server.io.fd >= 0)
		loop_close(&gateway.loop, &server.io);
}

/* --- its checks ------------------------------------------------------------------------------- */

static struct checks checks;
static const struct ipc_health *row;

static void begin(enum conf_probe probe)
{
	gateway_begin();
	gateway_log();
	server_begin();
	(void)gateway_endpoint("127.0.0.1", server.port, false);
	gateway.upstream.probe = probe;
	gateway.upstream.probe_target = "/health?x=1";
	gateway.upstream.probe_every_ms = 20;
	gateway.upstream.probe_ms = 2000;
	gateway.upstream.probe_least = 200;
	gateway.upstream.probe_most = 299;
}

static void go(void)
{
	gateway_prepare();
	row = &gateway.healths->list[0];
	checks = (struct checks){.loop = &gateway.loop,
				 .dialer = &gateway.dialer,
				 .health = &gateway.health,
				 .port = &gateway.port};
	assert_int_equal(checks_begin(&checks), 0);
}

static void end(void)
{
	checks_end(&checks);
	server_end();
	gateway_end();
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void a_good_answer_is_up(void **state)
{
	char host[64];
	(void)state;
	begin(CONF_PROBE_GET);
	server.answer = OK;
	go();
	gateway_until(row->state == IPC_HEALTH_UP);
	assert_int_equal(row->checks, 1); /* the first one decides */
	assert_string_equal(row->why, "");
	assert_string_equal(gateway_logged(), "");
	(void)snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", server.port);
	assert_int_equal(strncmp(server.request, "GET /health?x=1 HTTP/1.1\r\n", 26), 0);
	assert_non_null(strstr(server.request, host));
	assert_non_null(strstr(server.request, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(server.request, "\r\nUser-Agent: bulkhead-check\r\n"));
	gateway_until(row->checks >= 5);
	assert_int_equal(row->checks_failed, 0);
	end();
}

static void each_fault_is_down_with_its_reason(void **state)
{
	static char long_head[40000], flood[2000];
	static const struct {
		const char *answer, *why;
	} cases[] = {
	    {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
	     "503 from /health?x=1"},
	    {"HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
	     "301 from /health?x=1"},
	    {"HTTP/1.1 404 Not Found\r\n\r\n", "404 from /health?x=1"},
	    {"SSH-2.0-OpenSSH_9.2\r\n", NULL},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", NULL},
	    {"HTTP/1.1 200 OK\r\nA: b", "it closed the connection without an answer"},
	    {"", "it closed the connection without an answer"},
	    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", NULL},
	    {flood, NULL},
	    {long_head, NULL},
	};
	(void)state;
	memset(long_head, 'x', sizeof(long_head) - 1);
	memcpy(long_head, "HTTP/1.1 200 OK\r\nA: ", 20);
	for (int i = 0; i < 40; i++)
		strcat(flood, "HTTP/1.1 102 Processing\r\n\r\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(CONF_PROBE_GET);
		server.answer = cases[i].answer;
		go();
		gateway_until(row->checks > 0);
		if (row->state != IPC_HEALTH_DOWN)
			fail_msg("up in spite of %.40s", cases[i].answer);
		if (cases[i].why != NULL)
			assert_string_equal(row->why, cases[i].why);
		assert_true(row->why[0] != '\0');
		const char *line = gateway_logged();
		if (strstr(line, row->why) == NULL ||
		    strstr(line, "upstream api: http://127.0.0.1:") == NULL ||
		    strstr(line, " is down: ") == NULL)
			fail_msg("logged: %s", line);
		end();
	}
}

static void interim_responses_are_not_the_answer(void **state)
{
	(void)state;
	begin(CONF_PROBE_GET);
	server.answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
			"HTTP/1.1 102 Processing\r\n\r\n" OK;
	go();
	gateway_until(row->checks > 0);
	assert_int_equal(row->state, IPC_HEALTH_UP);
	end();
}

static void silence_is_down_when_the_time_is_over(void **state)
{
	(void)state;
	begin(CONF_PROBE_GET);
	gateway.upstream.probe_ms = 100;
	go();
	gateway_until(row->checks > 0);
	assert_int_equal(row->state, IPC_HEALTH_DOWN);
	assert_string_equal(row->why, "no answer in 100ms from /health?x=1");
	end();
}

static void a_reset_is_down(void **state)
{
	(void)state;
	begin(CONF_PROBE_GET);
	server.answer = "";
	server.resets = true;
	go();
	gateway_until(row->checks > 0);
	assert_int_equal(row->state, IPC_HEALTH_DOWN);
	assert_true(row->why[0] != '\0');
	end();
}

static void nobody_there_is_down(void **state)
{
	(void)state;
	begin(CONF_PROBE_CONNECT);
	loop_close(&gateway.loop, &server.io);
	go();
	gateway_until(row->checks > 0);
	assert_int_equal(row->state, IPC_HEALTH_DOWN);
	assert_string_equal(row->why, "Connection refused");
	end();
}

static void a_connection_is_enough_if_no_more_is_asked(void **state)
{
	(void)state;
	begin(CONF_PROBE_CONNECT);
	go();
	gateway_until(row->checks >= 3);
	assert_int_equal(row->state, IPC_HEALTH_UP);
	assert_int_equal(server.asked, 0);
	end();
}

static void three_bad_ones_are_down_and_two_good_ones_up(void **state)
{
	static const char bad[] = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";
	uint64_t seen;
	(void)state;
	begin(CONF_PROBE_GET);
	server.answer = OK;
	go();
	gateway_until(row->checks >= 1);
	server.answer = bad;
	for (seen = row->checks_failed; seen < 2;) {
		assert_int_equal(row->state, IPC_HEALTH_UP);
		gateway_until(row->checks_failed > seen);
		seen = row->checks_failed;
	}
	assert_int_equal(row->state, IPC_HEALTH_UP);
	server.answer = OK; /* one good one in between: it begins again */
	const uint64_t then = row->checks;
	gateway_until(row->checks > then);
	server.answer = bad;
	gateway_until(row->state == IPC_HEALTH_DOWN);
	assert_true(row->checks_failed >= 5);
	assert_non_null(strstr(gateway_logged(), "is down: 500 from /health?x=1"));
	server.answer = OK;
	const uint64_t down = row->checks - row->checks_failed;
	gateway_until(row->state == IPC_HEALTH_UP);
	assert_int_equal(row->checks - row->checks_failed, down + 2);
	assert_non_null(strstr(gateway_logged(), "is up"));
	end();
}

/* A connector goes on where the one before it has stopped, whatever that has left. */
static void memory_is_mended(enum conf_probe probe, uint32_t left, uint32_t expected)
{
	begin(probe);
	gateway_prepare();
	struct ipc_health *mine = &gateway.healths->list[0];
	mine->changes = 7;
	mine->state = left;
	mine->order = IPC_ORDER_DRAIN; /* the master's */
	memset(mine->why, 'x', sizeof(mine->why));
	health_release(&gateway.health);
	assert_int_equal(
	    health_init(&gateway.health, gateway.healths, &gateway.port, &gateway.log, 1), 0);
	assert_int_equal(mine->changes % 2, 0);
	assert_int_equal(mine->state, expected);
	assert_int_equal(mine->order, IPC_ORDER_DRAIN);
	assert_int_equal(strlen(mine->why), sizeof(mine->why) - 1);
	server_end();
	gateway_end();
}

static void memory_of_another_connector_is_mended(void **state)
{
	(void)state;
	memory_is_mended(CONF_PROBE_GET, 99, IPC_HEALTH_UNKNOWN);
	memory_is_mended(CONF_PROBE_GET, IPC_HEALTH_DOWN, IPC_HEALTH_DOWN);
	memory_is_mended(CONF_PROBE_CONNECT, IPC_HEALTH_UP, IPC_HEALTH_UP);
	/* nobody would find out that it works again */
	memory_is_mended(CONF_PROBE_OFF, IPC_HEALTH_DOWN, IPC_HEALTH_UNKNOWN);
}

static void the_log_is_not_flooded(void **state)
{
	unsigned lines = 0;
	(void)state;
	begin(CONF_PROBE_OFF);
	gateway_prepare();
	for (int i = 0; i < 1000; i++)
		for (int k = 0; k < HEALTH_FALL; k++)
			(void)health_checked(&gateway.health, 0, i % 2 == 0, "why", 1000);
	for (const char *c = gateway_logged(); *c != '\0'; c++)
		lines += *c == '\n';
	assert_true(lines >= 100 && lines <= 201);
	for (int k = 0; k < HEALTH_RISE; k++)
		(void)health_checked(&gateway.health, 0, true, "why", 900000);
	assert_non_null(strstr(gateway_logged(), "changes of upstreams were not logged"));
	server_end();
	gateway_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_answer_is_up),
	    cmocka_unit_test(each_fault_is_down_with_its_reason),
	    cmocka_unit_test(interim_responses_are_not_the_answer),
	    cmocka_unit_test(silence_is_down_when_the_time_is_over),
	    cmocka_unit_test(a_reset_is_down),
	    cmocka_unit_test(nobody_there_is_down),
	    cmocka_unit_test(a_connection_is_enough_if_no_more_is_asked),
	    cmocka_unit_test(three_bad_ones_are_down_and_two_good_ones_up),
	    cmocka_unit_test(memory_of_another_connector_is_mended),
	    cmocka_unit_test(the_log_is_not_flooded),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
