/* A client that ends what it sends, through the handler `proxy`: what it has sent before reaches
 * the upstream, however slowly that reads; and a client that is gone is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxied.h"

#define TOTAL    100000  /* more than is read ahead of an upstream that does not read */
#define BOUND    2000000 /* of what the kernel and the gateway hold */
#define SWITCHED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"

static int begin(void **state)
{
	(void)gateway_prepare(state);
	g.upstream.connections = 1;
	gateway_open();
	return 0;
}

/* --- a transport that says when it ends, as TLS does -------------------------------------------
 */

static struct transport_ops worded;

static void worded_init(struct transport *t, const void *context, struct transport_wire *wire)
{
	(void)context;
	*t = (struct transport){.ops = &worded, .wire = wire};
}

static void worded_close(struct transport *t)
{
	(void)t;
}

static void client_transport(bool words)
{
	worded = transport_plain;
	worded.init = worded_init;
	worded.close = worded_close;
	g.loop->transport = words ? &worded : &transport_plain;
}

/* --- what it has sent --------------------------------------------------------------------------
 */

static const struct kind {
	const char *request, *answer, *end;
} kinds[] = {
    {"GET / HTTP/1.1\r\n" H "Upgrade: x\r\nConnection: upgrade\r\n\r\n", SWITCHED, ""},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\n", NULL, ""},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n186a0\r\n", NULL, "\r\n0\r\n\r\n"},
};

/* While the upstream does not read. */
static void send_all(int client, const char *end)
{
	static char bytes[TOTAL / 10];
	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < 10; i++) {
		assert_int_equal(send(client, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
		gateway_turns(1);
	}
	say(client, end);
	gateway_turns(2);
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	gateway_turns(5);
}

/* Nothing but the body has an x. */
static void hear_all(int fd, size_t total)
{
	const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
	size_t heard = 0;
	char bytes[4096];
	while (heard < total) {
		const ssize_t n = read(fd, bytes, sizeof(bytes));
		for (ssize_t i = 0; i < n; i++)
			heard += bytes[i] == 'x';
		if (n == 0)
			fail_msg("only %zu bytes have come", heard);
		assert_true(clock_ms() < until);
		assert_int_equal(loop_turn(&g.loop->loop, n > 0 ? 0 : 10), 0);
	}
}

static void what_was_sent_before_the_end_arrives(void **state)
{
	(void)state;
	g.room = 8192;
	for (unsigned i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *kind = &kinds[i / 2];
		client_transport(i % 2 > 0);
		int client = client_new();
		say(client, kind->request);
		if (kind->answer != NULL) {
			free(hear_until(far(i), "\r\n\r\n"));
			say(far(i), kind->answer);
			hear_status(client, 101);
		}
		send_all(client, kind->end);
		hear_all(far(i), TOTAL);
		close(client);
		far_end(i);
		gateway_turns(5);
	}
}

/* It sends as much as is taken, and the upstream does not read: that ends the taking, not the
 * connection. */
static size_t send_until_full(int client)
{
	static char bytes[1000];
	size_t sent = 0;
	memset(bytes, 'x', sizeof(bytes));
	for (int full = 0; full < 10;) {
		const ssize_t n = send(client, bytes, sizeof(bytes), MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		full = n > 0 ? 0 : full + 1;
		assert_true(sent < BOUND);
		gateway_turns(1);
	}
	return sent;
}

static void a_client_waits_for_an_upstream_that_does_not_read(void **state)
{
	static const char *const begins[][3] = {
	    {"GET / HTTP/1.1\r\n" H "Upgrade: x\r\nConnection: upgrade\r\n\r\n", SWITCHED, "101"},
	    {"POST / HTTP/1.1\r\n" H "Content-Length: 1000000000\r\n\r\n",
	     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200"},
	};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		int client = client_new();
		say(client, begins[i][0]);
		free(hear_until(far(i), "\r\n\r\n"));
		say(far(i), begins[i][1]);
		hear_status(client, (unsigned)atoi(begins[i][2]));
		for (int k = 0; k < 3; k++)
			hear_all(far(i), send_until_full(client));
		close(client);
		far_end(i);
		gateway_turns(5);
	}
}

/* --- one that is gone --------------------------------------------------------------------------
 */

/* There is nothing to be lost: it has not got as far as the upstream. */
static void one_that_leaves_the_queue_is_noticed(void **state)
{
	static const char *const requests[] = {
	    "GET / HTTP/1.1\r\n" H "\r\n",
	    "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
	    "POST / HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\nabc",
	};
	(void)state;
	client_transport(true);
	int first = client_new();
	say(first, requests[0]);
	free(hear_until(far(0), "\r\n\r\n"));
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		int client = client_new();
		say(client, requests[i]);
		gateway_turns(5);
		assert_int_equal(g.upstream_use.queued, 1);
		assert_int_equal(shutdown(client, SHUT_WR), 0);
		gateway_turns(5);
		assert_int_equal(g.upstream_use.queued, 0);
		close(client);
	}
	close(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_was_sent_before_the_end_arrives, begin,
					    gateway_close),
	    cmocka_unit_test_setup_teardown(a_client_waits_for_an_upstream_that_does_not_read,
					    begin, gateway_close),
	    cmocka_unit_test_setup_teardown(one_that_leaves_the_queue_is_noticed, begin,
					    gateway_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
