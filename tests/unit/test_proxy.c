/* The handler `proxy`, with the upstream played by the test: what goes there, what comes back, and
 * what becomes of connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "proxied.h"
#include "upstream/pool.h"

#define GET     "GET /a?b HTTP/1.1\r\n" H "\r\n"
#define DATE    "Date: Mon, 07 Nov 1994 08:49:37 GMT\r\n"
#define OK(n)   "HTTP/1.1 200 OK\r\n" DATE "Content-Length: " #n "\r\n\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static int begin(void **state)
{
	(void)gateway_prepare(state);
	gateway_open();
	return 0;
}

static void exchange_simply(int client, unsigned link)
{
	say(client, GET);
	hear_request(far(link), GET);
	say(far(link), OK(5) "hello");
	hear(client, OK(5) "hello");
}

/* One request with these bytes goes upstream as want; the response is given and passed on. */
static void pass(const char *request, const char *want, const char *response, const char *back)
{
	int client = client_new();
	say(client, request);
	hear_request(far(g.links_count > 0 ? g.links_count - 1 : 0), want);
	say(far(g.links_count - 1), response);
	hear(client, back);
	hear_nothing(client);
	close(client);
	gateway_turns(3);
}

static void a_request_is_answered(void **state)
{
	int client = client_new();
	(void)state;
	exchange_simply(client, 0);
	exchange_simply(client, 0); /* on the same connection */
	assert_int_equal(g.asked, 1);
	assert_int_equal(g.endpoint_use[0].idle, 1);
	assert_int_equal(g.endpoint_use[0].requests, 2);
	assert_int_equal(g.endpoint_use[0].responses[2], 2);
	close(client);
}

/* Its own copy of a connection is closed by the connector a moment after it was handed over, and
 * epoll forgets a connection only with its last copy. */
static void a_connection_that_ends_is_watched_no_more_whoever_has_it(void **state)
{
	int client = client_new();
	(void)state;
	g.holds = true;
	say(client, GET);
	hear_request(far(0), GET);
	say(far(0),
	    "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\nContent-Length: 5\r\n\r\nhello");
	hear(client, OK(5) "hello");
	gateway_turns(3);
	say(far(0), "more");
	struct pollfd events = {.fd = g.loop->loop.epoll_fd, .events = POLLIN};
	assert_int_equal(poll(&events, 1, 0), 0);
	close(g.held);
	close(client);
}

/* --- framing of responses --------------------------------------------------------------------- */

static void responses_keep_their_framing(void **state)
{
	(void)state;
	pass(GET, GET, "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n",
	     "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n");
	pass(GET, GET, "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
	     "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n");
	pass(GET, GET, "HTTP/1.1 204 No Content\r\n" DATE "\r\n",
	     "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
	pass(GET, GET,
	     "HTTP/1.1 304 Not Modified\r\n" DATE "ETag: \"a\"\r\nContent-Length: 5\r\n\r\n",
	     "HTTP/1.1 304 Not Modified\r\n" DATE "ETag: \"a\"\r\nContent-Length: 5\r\n\r\n");
	pass("HEAD / HTTP/1.1\r\n" H "\r\n", "HEAD / HTTP/1.1\r\n" H "\r\n", OK(5), OK(5));
	pass(GET, GET, OK(0), OK(0));
	assert_int_equal(g.asked, 1); /* all on one connection */
	assert_int_equal(g.endpoint_use[0].idle, 1);
	/* an HTTP/1.0 client cannot read chunks */
	int client = client_new();
	say(client, "GET / HTTP/1.0\r\n\r\n");
	free(hear_until(far(0), "\r\n\r\n"));
	say(far(0), "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n");
	hear(client, "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\nhello");
	hear_end(client);
	close(client);
}

static void a_body_to_the_end_of_the_connection_is_chunked(void **state)
{
	int client = client_new();
	(void)state;
	say(client, GET);
	hear_request(far(0), GET);
	say(far(0), "HTTP/1.0 200 OK\r\n" DATE "\r\nhello");
	hear(client, "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n5\r\nhello\r\n");
	say(far(0), "you");
	hear(client, "3\r\nyou\r\n");
	far_end(0);
	hear(client, "0\r\n\r\n");
	exchange_simply(client, 1);
	close(client);
}

static void large_bodies_stream_with_back_pressure(void **state)
{
	const size_t size = (size_t)32 << 20;
	static char block[65536];
	int client = client_new();
	size_t sent = 0, got = 0, most = 0;
	char head[128];
	(void)state;
	say(client, GET);
	hear_request(far(0), GET);
	(void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n" DATE "Content-Length: %zu\r\n\r\n",
		       size);
	say(far(0), head);
	hear(client, head);
	/* a client that reads nothing stops the upstream */
	for (int idle = 0; idle < 50;) {
		const ssize_t n = write(far(0), block, sizeof(block));
		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		gateway_turns(1);
	}
	assert_true(sent < (size_t)8 << 20);
	while (got < size) {
		const size_t left = size - sent < sizeof(block) ? size - sent : sizeof(block);
		const ssize_t w = left > 0 ? write(far(0), block, left) : 0;
		sent += w > 0 ? (size_t)w : 0;
		const ssize_t n = read(client, block, sizeof(block));
		got += n > 0 ? (size_t)n : 0;
		most = sent - got > most ? sent - got : most;
		gateway_turns(1);
	}
	assert_int_equal(sent, size);
	assert_int_equal(got, size);
	gateway_turns(2);
	assert_int_equal(g.endpoint_use[0].idle, 1);
	exchange_simply(client, 0);
	close(client);
}

/* What follows an interim response with framing fields may be read in two ways, so nothing but the
 * response to this request is read there. */
static void a_doubtful_interim_response_ends_its_connection(void **state)
{
	static const char *const fields[] = {"Connection: close", "Content-Length: 5",
					     "Transfer-Encoding: chunked"};
	char response[256];
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		int client = client_new();
		say(client, GET);
		hear_request(far(i), GET);
		(void)snprintf(response, sizeof(response),
			       "HTTP/1.1 100 Continue\r\n%s\r\n\r\n" OK(0), fields[i]);
		say(far(i), response);
		hear(client, "HTTP/1.1 100 Continue\r\n\r\n" OK(0));
		assert_int_equal(g.endpoint_use[0].idle, 0);
		hear_end(far(i));
		close(client);
	}
}

static void trailers_pass(void **state)
{
	(void)state;
	pass(GET, GET,
	     "HTTP/1.1 200 OK\r\n" DATE CHUNKED
	     "\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n",
	     "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n");
	int client = client_new();
	say(client,
	    "POST / HTTP/1.1\r\n" H CHUNKED "\r\n3\r\nabc\r\n0\r\nX-Sum: 2\r\nHost: b\r\n\r\n");
	hear_request(far(0), "POST / HTTP/1.1\r\n" H CHUNKED "\r\n");
	hear(far(0), "3\r\nabc\r\n0\r\nX-Sum: 2\r\n\r\n");
	say(far(0), OK(0));
	hear(client, OK(0));
	close(client);
}

static void interim_responses_pass(void **state)
{
	(void)state;
	pass(GET, GET, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK(0),
	     "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK(0));
	pass(GET, GET, "HTTP/1.1 100 Continue\r\n\r\n" OK(0),
	     "HTTP/1.1 100 Continue\r\n\r\n" OK(0));
}

/* --- request bodies --------------------------------------------------------------------------- */

#define POST(n) "POST / HTTP/1.1\r\n" H "Content-Length: " #n "\r\n\r\n"

static void request_bodies_stream(void **state)
{
	int client = client_new();
	(void)state;
	say(client, POST(10) "hello");
	hear_request(far(0), POST(10));
	hear(far(0), "hello");
	say(client, "w");
	hear(far(0), "w");
	say(client, "orld");
	hear(far(0), "orld");
	say(far(0), OK(0));
	hear(client, OK(0));
	/* the head alone first, on a kept connection; and all at once */
	say(client, POST(2));
	hear_request(far(0), POST(2));
	say(client, "ab");
	hear(far(0), "ab");
	say(far(0), OK(0));
	hear(client, OK(0));
	say(client, POST(2) "ab");
	hear_request(far(0), POST(2));
	hear(far(0), "ab");
	say(far(0), OK(0));
	hear(client, OK(0));
	say(client, POST(0));
	hear_request(far(0), POST(0));
	say(far(0), OK(0));
	hear(client, OK(0));
	assert_int_equal(g.asked, 1);
	close(client);
}

static void a_slow_upstream_stops_the_client(void **state)
{
	const size_t size = (size_t)32 << 20;
	static char block[65536];
	int client = client_new();
	size_t sent = 0, got = 0;
	char head[128];
	(void)state;
	(void)snprintf(head, sizeof(head), "POST / HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n",
		       size);
	say(client, head);
	hear_request(far(0), head);
	for (int idle = 0; idle < 50;) {
		const ssize_t n = write(client, block, sizeof(block));
		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		gateway_turns(1);
	}
	assert_true(sent < (size_t)8 << 20);
	while (got < size) {
		const size_t left = size - sent < sizeof(block) ? size - sent : sizeof(block);
		const ssize_t w = left > 0 ? write(client, block, left) : 0;
		sent += w > 0 ? (size_t)w : 0;
		const ssize_t n = read(far(0), block, sizeof(block));
		got += n > 0 ? (size_t)n : 0;
		gateway_turns(1);
	}
	say(far(0), OK(0));
	hear(client, OK(0));
	gateway_turns(2);
	assert_int_equal(g.endpoint_use[0].idle, 1);
	close(client);
}

#define EXPECTS "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"

static void the_upstream_invites_the_body(void **state)
{
	int client = client_new();
	(void)state;
	say(client, EXPECTS);
	char *head = hear_until(far(0), "\r\n\r\n");
	assert_non_null(strstr(head, "Expect: 100-continue\r\n"));
	free(head);
	hear_nothing(client);
	say(far(0), "HTTP/1.1 100 Continue\r\n\r\n");
	hear(client, "HTTP/1.1 100 Continue\r\n\r\n");
	say(client, "hello");
	hear(far(0), "hello");
	say(far(0), OK(0));
	hear(client, OK(0));
	/* it refuses */
	say(client, EXPECTS);
	free(hear_until(far(0), "\r\n\r\n"));
	say(far(0), "HTTP/1.1 403 Forbidden\r\n" DATE "Content-Length: 0\r\n\r\n");
	hear(client,
	     "HTTP/1.1 403 Forbidden\r\n" DATE "Content-Length: 0\r\nConnection: close\r\n\r\n");
	hear_end(client);
	hear_end(far(0)); /* it may still wait for the body */
	close(client);
}

/* Many servers know nothing of 100 Continue, and many clients wait only for a moment. */
static void a_client_that_does_not_wait_has_its_own_time(void **state)
{
	int client = client_new();
	(void)state;
	g.upstream.head_ms = 30;
	say(client, EXPECTS);
	free(hear_until(far(0), "\r\n\r\n"));
	say(client, "he");
	hear(far(0), "he");
	for (const uint64_t until = clock_ms() + 100; clock_ms() < until;)
		assert_int_equal(loop_turn(&g.loop->loop, 10), 0);
	hear_nothing(client);
	g.upstream.head_ms = GATEWAY_PATIENCE;
	say(client, "llo");
	hear(far(0), "llo");
	say(far(0), OK(0));
	hear(client, OK(0));
	close(client);
}

/* RFC 9110, 15.2: a proxy passes on every interim response that it has not asked for itself. */
static void each_100_passes(void **state)
{
	int client = client_new();
	(void)state;
	say(client, EXPECTS);
	free(hear_until(far(0), "\r\n\r\n"));
	say(client, "he");
	hear(far(0), "he");
	say(far(0), "HTTP/1.1 100 Continue\r\n\r\n");
	hear(client, "HTTP/1.1 100 Continue\r\n\r\n");
	say(client, "llo");
	hear(far(0), "llo");
	say(far(0), "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" OK(0));
	hear(client, "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" OK(0));
	say(client, "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n" CHUNKED "\r\n0\r\n\r\n");
	free(hear_until(far(0), "\r\n\r\n0\r\n\r\n"));
	say(far(0), "HTTP/1.1 100 Continue\r\n\r\n" OK(0));
	hear(client, "HTTP/1.1 100 Continue\r\n\r\n" OK(0));
	say(client, GET);
	hear_request(far(0), GET);
	say(far(0), "HTTP/1.1 100 Continue\r\n\r\n" OK(0));
	hear(client, "HTTP/1.1 100 Continue\r\n\r\n" OK(0));
	say(client, "GET / HTTP/1.0\r\n" H "\r\n");
	free(hear_until(far(0), "\r\n\r\n"));
	say(far(0), "HTTP/1.1 100 Continue\r\n\r\n" OK(0));
	hear(client, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\nConnection: close\r\n\r\n");
	hear_end(client);
	close(client);
}

static void an_early_response_passes(void **state)
{
	int client = client_new();
	(void)state;
	say(client, POST(10) "he");
	hear_request(far(0), POST(10));
	hear(far(0), "he");
	say(far(0), "HTTP/1.1 413 Content Too Large\r\n" DATE "Content-Length: 2\r\n\r\nno");
	hear(client, "HTTP/1.1 413 Content Too Large\r\n" DATE "Content-Length: 2\r\n\r\nno");
	hear_end(far(0));
	say(client, "llo wor!" GET); /* it goes on, and so does its connection */
	hear_request(far(1), GET);
	say(far(1), OK(0));
	hear(client, OK(0));
	close(client);
}

/* The upstream echoes a body while it comes. */
static void both_directions_run_at_once(void **state)
{
	int client = client_new();
	(void)state;
	say(client, "POST / HTTP/1.1\r\n" H CHUNKED "\r\n3\r\nabc\r\n");
	hear_request(far(0), "POST / HTTP/1.1\r\n" H CHUNKED "\r\n");
	hear(far(0), "3\r\nabc\r\n");
	say(far(0), "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n3\r\nABC\r\n");
	hear(client, "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n3\r\nABC\r\n");
	say(client, "1\r\nd\r\n");
	hear(far(0), "1\r\nd\r\n");
	say(far(0), "1\r\nD\r\n");
	hear(client, "1\r\nD\r\n");
	say(client, "0\r\n\r\n");
	hear(far(0), "0\r\n\r\n");
	say(far(0), "0\r\n\r\n");
	hear(client, "0\r\n\r\n");
	gateway_turns(2);
	assert_int_equal(g.endpoint_use[0].idle, 1);
	close(client);
}

/* --- methods ---------------------------------------------------------------------------------- */

static void any_method_but_two_passes(void **state)
{
	(void)state;
	pass("PROPFIND / HTTP/1.1\r\n" H "Depth: 1\r\n\r\n",
	     "PROPFIND / HTTP/1.1\r\n" H "Depth: 1\r\n\r\n", OK(0), OK(0));
	pass("DELETE /x HTTP/1.1\r\n" H "\r\n", "DELETE /x HTTP/1.1\r\n" H "\r\n", OK(0), OK(0));
	static const char *const refused[] = {"CONNECT a:443 HTTP/1.1\r\n" H "\r\n",
					      "TRACE / HTTP/1.1\r\n" H "\r\n"};
	for (size_t i = 0; i < 2; i++) {
		int client = client_new();
		say(client, refused[i]);
		hear_status(client, 405);
		close(client);
	}
	int client = client_new();
	say(client, "OPTIONS / HTTP/1.1\r\n" H "Max-Forwards: 0\r\n\r\n");
	hear_status(client, 204);
	close(client);
	hear_nothing(far(0));
}

/* --- tunnels ---------------------------------------------------------------------------------- */

#define UPGRADE "GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"
#define SWITCHED                                    \
	"HTTP/1.1 101 Switching Protocols\r\n" DATE \
	"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"

static int tunnel(void)
{
	int client = client_new();
	say(client, UPGRADE);
	char *head = hear_until(far(0), "\r\n\r\n");
	assert_non_null(strstr(head, "Upgrade: websocket\r\n"));
	assert_non_null(strstr(head, "Connection: "));
	free(head);
	say(far(0), SWITCHED "hi");
	hear(client, SWITCHED "hi");
	say(client, "hello");
	hear(far(0), "hello");
	assert_int_equal(g.upstream_use.tunnels, 1);
	return client;
}

static void tunnels_run_both_ways(void **state)
{
	int client = tunnel();
	(void)state;
	for (int i = 0; i < 3; i++) {
		say(far(0), "you");
		hear(client, "you");
		say(client, "me");
		hear(far(0), "me");
	}
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	hear_end(far(0));
	say(far(0), "last");
	hear(client, "last");
	far_end(0);
	hear_end(client);
	close(client);
	gateway_turns(3);
	assert_int_equal(g.upstream_use.tunnels, 0);
}

static void an_upstream_may_end_a_tunnel_first(void **state)
{
	int client = tunnel();
	(void)state;
	assert_int_equal(shutdown(far(0), SHUT_WR), 0);
	hear_end(client);
	say(client, "more");
	hear(far(0), "more");
	close(client);
	hear_end(far(0));
}

/* One that has closed, not only its half: what the client says then reaches nobody. */
static void a_tunnel_whose_upstream_is_gone_ends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		g.tcp = i % 2 > 0;
		int client = client_new();
		say(client, UPGRADE);
		free(hear_until(far(i), "\r\n\r\n"));
		say(far(i), SWITCHED "bye");
		hear(client, SWITCHED);
		if (i < 2)
			gateway_turns(2);
		far_end(i); /* its last bytes still arrive */
		hear(client, "bye");
		hear_end(client);
		const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
		while (g.loop->conns_count > 0) {
			assert_true(clock_ms() < until);
			(void)send(client, "more", 4, MSG_NOSIGNAL);
			assert_int_equal(loop_turn(&g.loop->loop, 1), 0);
		}
		close(client);
	}
}

/* Bytes for the half that is open go on; silence ends it, and no later byte makes it last. */
static void a_tunnel_of_one_half_ends_in_silence(void **state)
{
	(void)state;
	g.upstream.between_ms = 50;
	for (unsigned i = 0; i < 2; i++) {
		g.tcp = i > 0;
		int client = client_new();
		say(client, UPGRADE);
		free(hear_until(far(i), "\r\n\r\n"));
		say(far(i), SWITCHED);
		hear(client, SWITCHED);
		assert_int_equal(shutdown(far(i), SHUT_WR), 0);
		hear_end(client);
		hear_end(far(i));
		const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
		while (g.loop->conns_count > 0) {
			assert_true(clock_ms() < until);
			(void)send(client, "more", 4, MSG_NOSIGNAL);
			assert_int_equal(loop_turn(&g.loop->loop, 1), 0);
		}
		close(client);
		assert_string_equal(g.told, "");
	}
}

static uint64_t failures(void)
{
	uint64_t sum = 0;
	for (int i = 0; i < IPC_TRIEDS; i++)
		sum += g.endpoint_use[0].failed[i];
	return sum;
}

/* A client could pause each endpoint so. */
static void what_ends_a_tunnel_is_no_failure_of_the_endpoint(void **state)
{
	enum { SILENCE, CUT, CUT_AFTER_BYTES, WAYS };
	(void)state;
	g.tcp = true;
	g.upstream.fail_after = 1;
	for (unsigned i = 0; i < WAYS; i++) {
		g.upstream.between_ms = i == SILENCE ? 20 : GATEWAY_PATIENCE;
		int client = client_new();
		say(client, UPGRADE);
		free(hear_until(far(i), "\r\n\r\n"));
		say(far(i), SWITCHED);
		hear(client, SWITCHED);
		if (i == CUT_AFTER_BYTES) {
			say(far(i), "half a fr");
			hear(client, "half a fr");
		}
		if (i != SILENCE)
			far_reset(i);
		hear_end(client);
		close(client);
		assert_int_equal(failures(), 0);
		assert_int_equal(g.endpoint_use[0].paused, 0);
		assert_string_equal(g.told, "");
		assert_int_equal(g.upstream_use.tunnels, 0);
	}
}

static void a_drain_ends_tunnels_in_time(void **state)
{
	int client = tunnel();
	(void)state;
	g.loop->http.drain_ms = 40;
	g.worker.phase = WORKER_DRAINING;
	worker_loop_follow(g.loop);
	say(far(0), "you");
	hear(client, "you");
	hear_end(client);
	hear_end(far(0));
	close(client);
}

static void an_upgrade_may_be_refused(void **state)
{
	(void)state;
	g.proxy.no_upgrade = true;
	int client = client_new();
	say(client, UPGRADE);
	char *head = hear_until(far(0), "\r\n\r\n");
	assert_null(strstr(head, "pgrade"));
	free(head);
	say(far(0), SWITCHED);
	hear_status(client, 502);
	close(client);
}

/* --- what an upstream does wrong -------------------------------------------------------------- */

static const char *const malformed[] = {
    "hello\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.1 99 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : y\nZ: z\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
};

static void malformed_responses_are_502(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		int client = client_new();
		say(client, GET);
		hear_request(far((unsigned)i), GET);
		say(far((unsigned)i), malformed[i]);
		hear_status(client, 502);
		hear(client, "502 Bad Gateway\n");
		hear_end(far((unsigned)i));
		close(client);
	}
	assert_int_equal(g.endpoint_use[0].failed[IPC_TRIED_MALFORMED],
			 sizeof(malformed) / sizeof(malformed[0]));
	assert_non_null(strstr(g.told, "0 sent no valid response"));
}

static void floods_of_interim_responses_end(void **state)
{
	int client = client_new();
	(void)state;
	say(client, GET);
	hear_request(far(0), GET);
	for (int i = 0; i < 100; i++)
		(void)!write(far(0), "HTTP/1.1 102 Processing\r\n\r\n", 27);
	gateway_turns(10);
	char *all = hear_until(client, "502 Bad Gateway\n");
	assert_non_null(strstr(all, "HTTP/1.1 502 Bad Gateway\r\n"));
	free(all);
	close(client);
}

static void a_response_that_is_cut_never_looks_complete(void **state)
{
	static const char *const cut[] = {
	    "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 5\r\n\r\nhel",
	    "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n5\r\nhel",
	    "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n3\r\nhel\r\n",
	    "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n3\r\nhel\r\n0\r\n",
	    "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n3\r\nhelXX",
	};
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		int client = client_new();
		say(client, GET);
		hear_request(far(i), GET);
		say(far(i), cut[i]);
		far_end(i);
		char *all = hear_until(client, "hel");
		free(all);
		char rest[64] = "";
		const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
		ssize_t n;
		size_t len = 0;
		while ((n = read(client, rest + len, sizeof(rest) - 1 - len)) != 0) {
			assert_true(clock_ms() < until);
			len += n > 0 ? (size_t)n : 0;
			gateway_turns(1);
		}
		assert_null(strstr(rest, "0\r\n\r\n"));
		close(client);
	}
	assert_int_equal(g.endpoint_use[0].failed[IPC_TRIED_CUT] +
			     g.endpoint_use[0].failed[IPC_TRIED_MALFORMED],
			 5);
}

static int begin_tcp(void **state)
{
	(void)begin(state);
	g.tcp = true;
	return 0;
}

/* The kernel reports a reset once: here to the call that sends the body on. */
static void a_reset_is_no_end_of_a_response(void **state)
{
	int client = client_new();
	(void)state;
	say(client, POST(6) "ab");
	hear_request(far(0), POST(6));
	hear(far(0), "ab");
	say(far(0), "HTTP/1.1 200 OK\r\n" DATE "\r\npart");
	hear(client, "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n4\r\npart\r\n");
	gateway_turns(2);
	say(client, "cd");
	far_reset(0);
	hear_end(client);
	close(client);
}

static void an_end_in_the_head_is_502(void **state)
{
	static const char *const heads[] = {"", "H", "HTTP/1.1 200 OK\r\n",
					    "HTTP/1.1 200 OK\r\nA: b\r\n"};
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		int client = client_new();
		say(client, GET);
		hear_request(far(i), GET);
		say(far(i), heads[i]);
		far_end(i);
		hear_status(client, 502);
		hear(client, "502 Bad Gateway\n");
		close(client);
	}
}

static void a_response_that_is_followed_by_bytes_ends_its_connection(void **state)
{
	int client = client_new();
	(void)state;
	say(client, GET);
	hear_request(far(0), GET);
	say(far(0), OK(5) "helloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	hear(client, OK(5) "hello");
	exchange_simply(client, 1);
	/* and later, while it is idle */
	say(far(1), OK(4) "evil");
	gateway_turns(3);
	hear_end(far(1));
	exchange_simply(client, 2);
	assert_int_equal(g.endpoint_use[0].idle, 1);
	close(client);
}

/* The next request and the bytes come in the same turn, the request first. */
static void bytes_before_a_request_are_no_response_to_it(void **state)
{
	int client = client_new();
	(void)state;
	exchange_simply(client, 0);
	gateway_turns(2);
	say(client, GET);
	say(far(0), OK(4) "evil");
	hear_request(far(1), GET);
	hear_end(far(0));
	say(far(1), OK(5) "hello");
	hear(client, OK(5) "hello");
	close(client);
}

/* A response that ends where a read of the link does, so that what follows is still in the socket.
 */
static void say_to_the_brim(int fd, const char *more)
{
	static char all[65536 + 256];
	const size_t brim = 65536; /* LINK_READ */
	size_t head = 0;
	for (int i = 0; i < 2; i++) /* the second time with its length known */
		head = (size_t)snprintf(all, sizeof(all),
					"HTTP/1.1 200 OK\r\n" DATE "Content-Length: %zu\r\n\r\n",
					i == 0 ? brim - 100 : brim - head);
	memset(all + head, 'x', brim - head);
	memcpy(all + brim, more, strlen(more));
	assert_int_equal(send(fd, all, brim + strlen(more), MSG_NOSIGNAL), brim + strlen(more));
}

static void hear_the_brim(int fd)
{
	static char block[65536];
	const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
	for (size_t got = 0; got < sizeof(block);) {
		const ssize_t n = read(fd, block, sizeof(block) - got);
		got += n > 0 ? (size_t)n : 0;
		assert_true(clock_ms() < until);
		if (n < 0)
			gateway_turns(1);
	}
}

/* The connection is given back and taken again in one turn, which has nothing to report of it. */
static void bytes_that_were_not_read_yet_are_no_response_either(void **state)
{
	int client = client_new(), other = client_new();
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		say(client, i == 0 ? GET : GET GET); /* the same client may be the next, too */
		hear_request(far(2 * i), GET);
		say_to_the_brim(far(2 * i), OK(4) "evil");
		if (i == 0)
			say(other, GET);
		hear_the_brim(client);
		hear_end(far(2 * i));
		hear_request(far(2 * i + 1), GET);
		say(far(2 * i + 1), OK(5) "hello");
		hear(i == 0 ? other : client, OK(5) "hello");
		far_end(2 * i + 1);
		gateway_turns(2);
	}
	/* without such bytes it goes on */
	say(client, GET);
	hear_request(far(4), GET);
	say_to_the_brim(far(4), "");
	hear_the_brim(client);
	exchange_simply(client, 4);
	close(client);
	close(other);
}

static int begin_paged(void **state)
{
	static uint32_t statuses[] = {503};
	static const struct conf_respond respond = {.body = "busy", .body_len = 4};
	static struct conf_error error = {
	    .statuses = statuses, .statuses_count = 1, .respond = &respond};
	(void)gateway_prepare(state);
	g.location.errors = &error;
	g.location.errors_count = 1;
	gateway_open();
	return 0;
}

/* An upstream that is busy says so on each new connection, before the head has left. */
static void a_response_may_come_before_its_request(void **state)
{
	int client = client_new();
	(void)state;
	g.greeting = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno";
	say(client, POST(4));
	hear_status(client, 503);
	hear(client, "busy");
	hear_end(far(0));
	say(client, "abcd");
	g.greeting = NULL;
	exchange_simply(client, 1);
	close(client);
}

/* --- time ------------------------------------------------------------------------------------- */

static void a_silent_upstream_is_504(void **state)
{
	int client = client_new();
	(void)state;
	g.upstream.head_ms = 30;
	say(client, GET);
	hear_request(far(0), GET);
	say(far(0), "HTTP/1.1 2"); /* a byte now and then is no head */
	hear_status(client, 504);
	hear(client, "504 Gateway Timeout\n");
	hear_end(far(0));
	assert_int_equal(g.endpoint_use[0].failed[IPC_TRIED_HEAD], 1);
	close(client);
}

static void a_body_may_not_stop(void **state)
{
	int client = client_new();
	(void)state;
	g.upstream.between_ms = 30;
	say(client, GET);
	hear_request(far(0), GET);
	say(far(0), "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 5\r\n\r\nhel");
	hear(client, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 5\r\n\r\nhel");
	hear_end(client);
	hear_end(far(0));
	assert_int_equal(g.endpoint_use[0].failed[IPC_TRIED_BETWEEN], 1);
	close(client);
}

static void kept_connections_have_their_time(void **state)
{
	int client = client_new();
	(void)state;
	g.upstream.keep_ms = 20;
	exchange_simply(client, 0);
	hear_end(far(0));
	assert_int_equal(g.endpoint_use[0].idle, 0);
	close(client);
}

/* --- connections ------------------------------------------------------------------------------ */

static void a_connection_that_fails_is_told(void **state)
{
	static const struct {
		enum upstream_connected result;
		unsigned status;
		enum ipc_tried tried;
	} cases[] = {{UPSTREAM_REFUSED, 502, IPC_TRIED_REFUSED},
		     {UPSTREAM_TIMED_OUT, 504, IPC_TRIED_CONNECT},
		     {UPSTREAM_UNRESOLVED, 502, IPC_TRIED_UNRESOLVED},
		     {UPSTREAM_FULL, 503, IPC_TRIED_FULL},
		     {UPSTREAM_SILENT, 503, IPC_TRIED_FULL}};
	uint64_t before;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		before = g.endpoint_use[0].failed[cases[i].tried];
		int client = client_new();
		g.results[0] = cases[i].result;
		g.upstream.fail_after = 0;
		say(client, GET);
		hear_status(client, cases[i].status);
		assert_int_equal(g.endpoint_use[0].failed[cases[i].tried], before + 1);
		close(client);
	}
	assert_non_null(strstr(g.told, "0 refuses connections: Connection refused"));
}

/* A connector that hangs or lacks something is no reason to pause its endpoints. */
static void no_endpoint_is_blamed_for_the_connector(void **state)
{
	static const enum upstream_connected whose[] = {UPSTREAM_FULL, UPSTREAM_SILENT,
							UPSTREAM_TIMED_OUT};
	(void)state;
	g.upstream.fail_after = 1;
	g.upstream.fail_pause_ms = 3600000;
	for (size_t i = 0; i < 3; i++) {
		int client = client_new();
		g.results[0] = whose[i];
		say(client, GET);
		hear_status(client, i < 2 ? 503 : 504);
		assert_int_equal(g.endpoint_use[0].paused, i == 2);
		close(client);
	}
}

static bool kernel_lacks_memory;

int epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
	if (kernel_lacks_memory && op == EPOLL_CTL_ADD) {
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, set, op, fd, event);
}

/* The link of the only request has no memory for what comes next. */
static void lack_memory(void)
{
	struct upstream_pools *pools = g.service.pools;
	struct upstream_link *l = TAILQ_FIRST(&pools->pools[0]->links);
	l->in.max = 1;
}

/* Nor for what this process or its kernel lacks, before a response, in it, or for the link itself.
 */
static void no_endpoint_is_blamed_for_a_lack_of_memory(void **state)
{
	static char block[65536];
	ssize_t n;
	(void)state;
	g.upstream.fail_after = 1;
	for (unsigned i = 0; i < 4; i++) {
		int client = client_new();
		kernel_lacks_memory = i == 3;
		say(client, GET);
		if (i < 3)
			hear_request(far(i), GET);
		if (i == 0)
			lack_memory();
		if (i < 3)
			say(far(i), "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 10000000\r\n\r\n");
		if (i == 1 || i == 2)
			hear(client, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 10000000\r\n\r\n");
		else
			hear_status(client, 503);
		if (i == 1) {
			lack_memory();
			say(far(i), "more");
		}
		if (i == 2) { /* the client reads again: so does the link */
			for (int idle = 0; idle < 50; gateway_turns(1))
				idle = write(far(i), block, sizeof(block)) > 0 ? 0 : idle + 1;
			kernel_lacks_memory = true;
		}
		const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
		while ((i == 1 || i == 2) && (n = read(client, block, sizeof(block))) != 0) {
			assert_true(clock_ms() < until);
			gateway_turns(n < 0);
		}
		kernel_lacks_memory = false;
		assert_int_equal(g.endpoint_use[0].failed[IPC_TRIED_FULL], i + 1);
		assert_int_equal(g.endpoint_use[0].failed[IPC_TRIED_CUT], 0);
		assert_int_equal(g.endpoint_use[0].paused, 0);
		close(client);
	}
	assert_non_null(strstr(g.told, "out of memory"));
	assert_non_null(strstr(g.told, strerror(ENOMEM)));
}

static int begin_three(void **state)
{
	(void)gateway_prepare(state);
	g.upstream.endpoints_count = 3;
	gateway_open();
	return 0;
}

static void another_endpoint_is_tried(void **state)
{
	int client = client_new();
	(void)state;
	g.results[0] = g.results[1] = UPSTREAM_REFUSED;
	for (int i = 0; i < 3; i++) {
		say(client,
		    POST(2) "ab"); /* nothing of it was sent, so it does not matter what it is */
		hear_request(far(0), POST(2));
		hear(far(0), "ab");
		assert_int_equal(g.link_endpoints[0], 2);
		say(far(0), OK(0));
		hear(client, OK(0));
	}
	assert_true(g.upstream_use.retries > 0);
	g.results[2] = UPSTREAM_REFUSED;
	far_end(0);
	gateway_turns(3);
	say(client, GET);
	hear_status(client, 502);
	close(client);
}

/* The request that tries a paused endpoint may be a tunnel, or events: it is judged by its head. */
static void a_long_request_keeps_no_endpoint_paused(void **state)
{
	int clients[3] = {client_new(), client_new(), client_new()};
	unsigned first = 0;
	(void)state;
	g.upstream.fail_after = 1;
	g.upstream.fail_pause_ms = 1;
	g.health->list[1].state = g.health->list[2].state = IPC_HEALTH_DOWN;
	g.results[0] = UPSTREAM_REFUSED;
	say(clients[0], GET);
	hear_status(clients[0], 502);
	hear(clients[0], "502 Bad Gateway\n");
	assert_int_equal(g.endpoint_use[0].paused, 1);
	g.results[0] = UPSTREAM_CONNECTED;
	for (const uint64_t until = clock_ms() + 2; clock_ms() <= until;)
		gateway_turns(1);
	say(clients[0], GET);
	hear_request(far(0), GET);
	assert_null(strstr(g.told, "works again"));
	say(far(0), "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n4\r\npart\r\n");
	hear(clients[0], "HTTP/1.1 200 OK\r\n" DATE CHUNKED "\r\n4\r\npart\r\n");
	assert_non_null(strstr(g.told, "0 works again\n"));
	g.health->list[1].state = IPC_HEALTH_UP;
	for (unsigned i = 1; i < 3; i++) {
		say(clients[i], GET);
		hear_request(far(i), GET);
		first += g.link_endpoints[i] == 0;
	}
	assert_int_equal(first, 1);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
}

/* The same connector would be asked for each endpoint, and would have no more room for them. */
static void what_is_lacking_here_is_not_looked_for_elsewhere(void **state)
{
	static const enum upstream_connected lacks[] = {UPSTREAM_SILENT, UPSTREAM_FULL};
	int client = client_new();
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		if (i < 2)
			g.results[0] = g.results[1] = g.results[2] = lacks[i];
		else
			g.full = 3; /* it cannot even be asked */
		say(client, GET);
		hear_status(client, 503);
		hear(client, "503 Service Unavailable\n");
		assert_int_equal(g.asked, i < 2 ? i + 1 : 2);
	}
	assert_int_equal(g.full, 2);
	assert_int_equal(g.upstream_use.retries + g.upstream_use.retries_refused, 0);
	/* but local ports are counted for each address */
	g.full = 0;
	g.error = EADDRNOTAVAIL;
	say(client, GET);
	hear_status(client, 503);
	assert_int_equal(g.asked, 2 + 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(g.endpoint_use[i].paused, 0);
	close(client);
}

/* An upstream is killed in the middle of its requests: those that do no harm go elsewhere. */
static void a_request_that_nobody_answered_goes_elsewhere(void **state)
{
	int client = client_new();
	(void)state;
	say(client, GET);
	hear_request(far(0), GET);
	far_end(0);
	hear_request(far(1), GET);
	assert_int_not_equal(g.link_endpoints[1], g.link_endpoints[0]);
	far_end(1);
	hear_request(far(2), GET);
	far_end(2); /* each endpoint once */
	hear_status(client, 502);
	hear(client, "502 Bad Gateway\n");
	say(client, POST(0));
	hear_request(far(3), POST(0));
	far_end(3);
	hear_status(client, 502);
	assert_int_equal(g.links_count, 4);
	close(client);
}

/* The end of a kept connection and the next request come in the same turn. */
static void a_kept_connection_may_be_gone(void **state)
{
	int client = client_new();
	(void)state;
	exchange_simply(client, 0);
	say(client, GET);
	far_end(0);
	hear_request(far(1), GET);
	say(far(1), OK(5) "hello");
	hear(client, OK(5) "hello");
	/* one that must not be repeated is not sent on such a connection */
	say(client, POST(2) "ab");
	far_end(1);
	hear_request(far(2), POST(2));
	hear(far(2), "ab");
	say(far(2), OK(0));
	hear(client, OK(0));
	close(client);
}

static void a_request_that_may_have_been_processed_is_not_repeated(void **state)
{
	int client = client_new();
	(void)state;
	exchange_simply(client, 0);
	say(client, GET);
	hear_request(far(0), GET);
	say(far(0), "HTTP/1.1 200");
	gateway_turns(2);
	far_end(0);
	hear_status(client, 502);
	hear(client, "502 Bad Gateway\n");
	say(client, POST(4) "ab"); /* a part of the body has gone */
	hear_request(far(1), POST(4));
	hear(far(1), "ab");
	far_end(1);
	hear_status(client, 502);
	assert_int_equal(g.asked, 2);
	close(client);
}

static int begin_narrow(void **state)
{
	(void)gateway_prepare(state);
	g.upstream.connections = 1;
	g.upstream.queue = 2;
	gateway_open();
	return 0;
}

static void requests_wait_for_connections(void **state)
{
	int clients[4];
	(void)state;
	for (int i = 0; i < 4; i++) {
		clients[i] = client_new();
		say(clients[i], GET);
		gateway_turns(2);
	}
	hear_status(clients[3], 503); /* two wait */
	hear(clients[3], "503 Service Unavailable\n");
	assert_int_equal(g.upstream_use.queue_full, 1);
	assert_int_equal(g.upstream_use.queued, 2);
	for (int i = 0; i < 3; i++) {
		hear_request(far(0), GET);
		say(far(0), OK(0));
		hear(clients[i], OK(0));
		gateway_turns(2);
	}
	assert_int_equal(g.asked, 1);
	for (int i = 0; i < 4; i++)
		close(clients[i]);
}

static int begin_narrow_three(void **state)
{
	(void)gateway_prepare(state);
	g.upstream.connections = 1;
	g.upstream.endpoints_count = 3;
	gateway_open();
	return 0;
}

/* Those whose turn it is while the connector has no room keep the others waiting no longer. */
static void a_failure_keeps_nobody_in_the_queue(void **state)
{
	int clients[4];
	(void)state;
	for (int i = 0; i < 4; i++) {
		clients[i] = client_new();
		say(clients[i], GET);
		gateway_turns(2);
	}
	assert_int_equal(g.upstream_use.queued, 3);
	g.full = 2;
	for (unsigned i = 0; i < 2; i++) {
		hear_request(far(i), GET);
		say(far(i),
		    "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\nContent-Length: 0\r\n\r\n");
		hear(clients[3 * i], OK(0));
	}
	for (int i = 1; i < 3; i++)
		hear_status(clients[i], 503);
	assert_int_equal(g.full, 0);
	for (int i = 0; i < 4; i++)
		close(clients[i]);
}

static int begin_impatient(void **state)
{
	(void)gateway_prepare(state);
	g.upstream.connections = 1;
	g.upstream.queue_ms = 20;
	gateway_open();
	return 0;
}

static void a_request_waits_only_for_a_time(void **state)
{
	int clients[3];
	(void)state;
	for (int i = 0; i < 3; i++) {
		clients[i] = client_new();
		say(clients[i], GET);
		gateway_turns(2);
	}
	close(clients[1]); /* gives up its place */
	hear_status(clients[2], 503);
	assert_int_equal(g.upstream_use.queue_late, 1);
	assert_int_equal(g.upstream_use.queued, 0);
	hear_request(far(0), GET);
	say(far(0), OK(0));
	hear(clients[0], OK(0));
	close(clients[0]);
	close(clients[2]);
}

static void idle_connections_are_bounded(void **state)
{
	int clients[8];
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		clients[i] = client_new();
		say(clients[i], GET);
		hear_request(far(i), GET);
	}
	for (unsigned i = 0; i < 6; i++) {
		say(far(i), OK(0));
		hear(clients[i], OK(0));
	}
	assert_int_equal(g.endpoint_use[0].idle, 4);
	hear_end(far(0)); /* those that were used the longest time ago */
	hear_end(far(1));
	exchange_simply(clients[0], 5); /* most recently used first */
	for (unsigned i = 0; i < 6; i++)
		close(clients[i]);
}

static void a_client_that_leaves_ends_the_request(void **state)
{
	int client = client_new();
	(void)state;
	say(client, GET);
	hear_request(far(0), GET);
	close(client);
	hear_end(far(0));
	assert_int_equal(g.endpoint_use[0].failed[IPC_TRIED_CLIENT], 1);
	/* and while a connection is awaited */
	g.silent = true;
	client = client_new();
	say(client, GET);
	gateway_turns(2);
	assert_int_equal(g.asked, 2);
	close(client);
	gateway_turns(2);
	assert_int_equal(g.forgotten, 1);
}

#define TEST(name)        cmocka_unit_test_setup_teardown(name, begin, gateway_close)
#define TEST_OF(name, by) cmocka_unit_test_setup_teardown(name, by, gateway_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_request_is_answered),
	    TEST(a_connection_that_ends_is_watched_no_more_whoever_has_it),
	    TEST(responses_keep_their_framing),
	    TEST(a_body_to_the_end_of_the_connection_is_chunked),
	    TEST(large_bodies_stream_with_back_pressure),
	    TEST(a_doubtful_interim_response_ends_its_connection),
	    TEST(trailers_pass),
	    TEST(interim_responses_pass),
	    TEST(request_bodies_stream),
	    TEST(a_slow_upstream_stops_the_client),
	    TEST(the_upstream_invites_the_body),
	    TEST(a_client_that_does_not_wait_has_its_own_time),
	    TEST(each_100_passes),
	    TEST(an_early_response_passes),
	    TEST(both_directions_run_at_once),
	    TEST(any_method_but_two_passes),
	    TEST(tunnels_run_both_ways),
	    TEST(an_upstream_may_end_a_tunnel_first),
	    TEST(a_tunnel_whose_upstream_is_gone_ends),
	    TEST(a_tunnel_of_one_half_ends_in_silence),
	    TEST(what_ends_a_tunnel_is_no_failure_of_the_endpoint),
	    TEST(a_drain_ends_tunnels_in_time),
	    TEST(an_upgrade_may_be_refused),
	    TEST(malformed_responses_are_502),
	    TEST(floods_of_interim_responses_end),
	    TEST(a_response_that_is_cut_never_looks_complete),
	    TEST_OF(a_reset_is_no_end_of_a_response, begin_tcp),
	    TEST(an_end_in_the_head_is_502),
	    TEST(a_response_that_is_followed_by_bytes_ends_its_connection),
	    TEST(bytes_before_a_request_are_no_response_to_it),
	    TEST(bytes_that_were_not_read_yet_are_no_response_either),
	    TEST_OF(a_response_may_come_before_its_request, begin_paged),
	    TEST(a_silent_upstream_is_504),
	    TEST(a_body_may_not_stop),
	    TEST(kept_connections_have_their_time),
	    TEST(a_connection_that_fails_is_told),
	    TEST(no_endpoint_is_blamed_for_the_connector),
	    TEST(no_endpoint_is_blamed_for_a_lack_of_memory),
	    TEST_OF(another_endpoint_is_tried, begin_three),
	    TEST_OF(a_long_request_keeps_no_endpoint_paused, begin_three),
	    TEST_OF(what_is_lacking_here_is_not_looked_for_elsewhere, begin_three),
	    TEST_OF(a_request_that_nobody_answered_goes_elsewhere, begin_three),
	    TEST(a_kept_connection_may_be_gone),
	    TEST(a_request_that_may_have_been_processed_is_not_repeated),
	    TEST_OF(requests_wait_for_connections, begin_narrow),
	    TEST_OF(a_failure_keeps_nobody_in_the_queue, begin_narrow_three),
	    TEST_OF(a_request_waits_only_for_a_time, begin_impatient),
	    TEST(idle_connections_are_bounded),
	    TEST(a_client_that_leaves_ends_the_request),
	};
	(void)signal(SIGPIPE, SIG_IGN); /* as in a worker */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
