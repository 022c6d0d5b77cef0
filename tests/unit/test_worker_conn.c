/* A connection over the plain transport, in the loop of a worker that has no process of its own:
 * what it does with bytes, with time and with its end is the same for every transport. And whether
 * what runs out is a leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "worker/conn.h"
#include "worker/lack.h"

#define H         "Host: a\r\n"
#define GET       "GET / HTTP/1.1\r\n" H "\r\n"
#define HELLO     "hello\n"
#define PATIENCE  20000 /* ms, after which a test has failed */
#define UPLOAD    ((size_t)4 << 20)
#define TURNS_MAX 1000000

static struct conf conf;
static struct conf_port port;
static struct ipc_slot slot;
static struct role role;
static struct worker worker;
static struct worker_loop *loop;
static const struct respond hello = {.status = 200, .body = HELLO, .body_len = sizeof(HELLO) - 1};

static struct http_location served; /* what a test serves at "/served" */

static const struct http_location *find(const struct http_routes *routes,
					const struct http_host *host, const char *path, size_t len)
{
	(void)host;
	static const struct http_location root = {.handler = &handler_respond, .config = &hello};
	static const struct http_location echo = {.handler = &handler_echo};
	(void)routes;
	if (len == 7 && memcmp(path, "/served", 7) == 0)
		return &served;
	return len == 5 && memcmp(path, "/echo", 5) == 0 ? &echo : &root;
}

static int begin(void **state)
{
	static struct conf_host host;
	(void)state;
	conf = (struct conf){.drain_ms = 10000};
	port = (struct conf_port){.hosts = &host,
				  .hosts_count = 1,
				  .workers = 1,
				  .threads = 1,
				  .access = CONF_ACCESS_OFF,
				  .limits = {.connections = 100,
					     .requests = 10000,
					     .head_bytes = 4096,
					     .body_bytes = 2 * UPLOAD,
					     .idle_ms = PATIENCE,
					     .head_ms = PATIENCE,
					     .handshake_ms = PATIENCE,
					     .body_ms = PATIENCE,
					     .write_ms = PATIENCE}};
	slot = (struct ipc_slot){0};
	role = (struct role){.conf = &conf, .port = &port, .slots = &slot, .slots_count = 1};
	log_init(&role.log, LOG_ROLE_WORKER, 1, 1, 0);
	loop = calloc(1, sizeof(*loop));
	worker = (struct worker){.role = &role,
				 .phase = WORKER_SERVING,
				 .port = &port,
				 .pool = 1,
				 .loops = loop,
				 .loops_count = 1,
				 .descriptors_each = 1};
	assert_int_equal(worker_loop_init(loop, &worker, 0), 0);
	loop->transport = &transport_plain;
	static const struct http_host one;
	static const struct http_routes routes = {.find = find, .default_host = &one};
	loop->http.routes = &routes;
	return 0;
}

static int end(void **state)
{
	(void)state;
	worker_loop_release(loop);
	assert_int_equal(loop->conns_count, 0);
	assert_int_equal(slot.counters.connections, 0);
	assert_int_equal(loop->conns_held.descriptors, 0);
	assert_int_equal(loop->conns_held.memory_bytes, 0);
	free(loop);
	return 0;
}

static int client_new(void)
{
	static const struct http_client client = {.address = "192.0.2.1", .port = 1234};
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(conn_new(loop, pair[0], &client), 0);
	return pair[1];
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Runs the loop until the client has heard something: its length, or 0 at the end. */
static size_t hear(int fd, char *out, size_t size)
{
	const uint64_t until = clock_ms() + PATIENCE;
	for (;;) {
		ssize_t n = read(fd, out, size - 1);
		if (n >= 0 || errno == ECONNRESET) {
			out[n > 0 ? n : 0] = '\0';
			return n > 0 ? (size_t)n : 0;
		}
		assert_int_equal(errno, EAGAIN);
		assert_true(clock_ms() < until);
		assert_int_equal(loop_turn(&loop->loop, 10), 0);
	}
}

static void closed(int fd)
{
	char rest[4096];
	assert_int_equal(hear(fd, rest, sizeof(rest)), 0);
	close(fd);
	for (int i = 0; i < 100 && loop->conns_count > 0; i++)
		assert_int_equal(loop_turn(&loop->loop, 10), 0);
	assert_int_equal(loop->conns_count, 0);
}

static void requests_are_answered_without_a_handshake(void **state)
{
	char out[4096];
	int fd = client_new();
	(void)state;
	assert_int_equal(LIST_FIRST(&loop->conns)->state, CONN_OPEN);
	for (int i = 0; i < 3; i++) {
		send_text(fd, GET);
		(void)hear(fd, out, sizeof(out));
		assert_non_null(strstr(out, "HTTP/1.1 200 OK\r\n"));
		assert_non_null(strstr(out, "\r\n\r\n" HELLO));
	}
	assert_int_equal(slot.counters.requests, 3);
	assert_int_equal(slot.counters.accepted, 1);
	assert_int_equal(slot.counters.handshakes_full + slot.counters.handshakes_resumed, 0);
	assert_int_equal(loop->conns_held.descriptors, 1);
	shutdown(fd, SHUT_WR);
	closed(fd);
	for (int i = 0; i < IPC_FAILURES; i++)
		assert_int_equal(slot.counters.handshakes_failed[i], 0);
}

static void a_handler_sees_that_there_is_no_tls(void **state)
{
	char out[4096];
	int fd = client_new();
	(void)state;
	send_text(fd, "GET /echo HTTP/1.1\r\n" H "\r\n");
	(void)hear(fd, out, sizeof(out));
	assert_non_null(strstr(out, "\"client\":{\"address\":\"192.0.2.1\",\"port\":1234},"
				    "\"tls\":null,"));
	send_text(fd, "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	(void)hear(fd, out, sizeof(out));
	closed(fd);
}

static void a_request_may_come_byte_by_byte(void **state)
{
	char out[4096];
	int fd = client_new();
	(void)state;
	for (size_t i = 0; i < sizeof(GET) - 1; i++) {
		assert_int_equal(write(fd, &GET[i], 1), 1);
		assert_int_equal(loop_turn(&loop->loop, 0), 0);
	}
	(void)hear(fd, out, sizeof(out));
	assert_non_null(strstr(out, HELLO));
	close(fd);
}

/* The client writes all that the worker takes and reads nothing: the worker stops to read, and
 * holds no more than its bounds. Then the client reads, and gets every byte back in order. */
static void an_upload_waits_for_a_client_that_does_not_read(void **state)
{
	static uint8_t sent[UPLOAD], heard[UPLOAD + 4096];
	size_t up = 0, down = 0, turns = 0, stuck = 0;
	char head[200];
	int fd = client_new();
	(void)state;
	for (size_t i = 0; i < UPLOAD; i++)
		sent[i] = (uint8_t)(i * 2654435761U >> 13);
	snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n",
		 UPLOAD);
	send_text(fd, head);
	while (stuck < 50) {
		ssize_t n = write(fd, sent + up, UPLOAD - up);
		up += n > 0 ? (size_t)n : 0;
		stuck = n > 0 ? 0 : stuck + 1;
		assert_int_equal(loop_turn(&loop->loop, 0), 0);
	}
	const struct conn *c = LIST_FIRST(&loop->conns);
	assert_true(up < UPLOAD);
	assert_true(conn_blocked(c));
	assert_true(buf_len(&c->cipher_in) <= CONN_CIPHER_IN_MAX);
	assert_true(buf_len(&c->plain_in) <= CONN_PLAIN_IN_MAX);
	assert_true(buf_len(&c->cipher_out) <= CONN_CIPHER_OUT_MAX);
	const uint8_t *body = NULL;
	while (body == NULL || down < (size_t)(body - heard) + UPLOAD) {
		ssize_t n = write(fd, sent + up, UPLOAD - up);
		up += n > 0 ? (size_t)n : 0;
		n = read(fd, heard + down, sizeof(heard) - down);
		down += n > 0 ? (size_t)n : 0;
		assert_int_equal(loop_turn(&loop->loop, 0), 0);
		assert_true(turns++ < TURNS_MAX);
		if (body == NULL && (body = memmem(heard, down, "\r\n\r\n", 4)) != NULL)
			body += 4;
	}
	assert_memory_equal(body, sent, UPLOAD);
	close(fd);
}

static void a_silent_client_is_closed_after_idle(void **state)
{
	int fd = client_new();
	(void)state;
	close(fd); /* the limit is read when the connection begins */
	port.limits.idle_ms = 10;
	closed(client_new());
}

static void half_a_head_is_refused_after_its_limit(void **state)
{
	char out[4096];
	(void)state;
	port.limits.head_ms = 10;
	int fd = client_new();
	send_text(fd, "GET / HT");
	(void)hear(fd, out, sizeof(out));
	assert_non_null(strstr(out, "HTTP/1.1 408 "));
	closed(fd);
	assert_int_equal(slot.counters.responses[4], 1);
}

static void a_body_that_stalls_is_refused_after_its_limit(void **state)
{
	char out[4096];
	(void)state;
	port.limits.body_ms = 10;
	int fd = client_new();
	send_text(fd, "POST / HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc");
	(void)hear(fd, out, sizeof(out));
	assert_non_null(strstr(out, "HTTP/1.1 408 "));
	closed(fd);
}

static void a_client_that_takes_nothing_is_reset_after_its_limit(void **state)
{
	static const char request[] = GET GET GET GET GET GET GET GET;
	const uint64_t until = clock_ms() + PATIENCE;
	(void)state;
	port.limits.write_ms = 10;
	int fd = client_new();
	while (loop->conns_count > 0) {
		assert_true(clock_ms() < until);
		(void)!send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
		assert_int_equal(loop_turn(&loop->loop, 1), 0);
	}
	close(fd);
}

static void draining_ends_idle_connections_and_answers_the_others(void **state)
{
	char out[4096];
	(void)state;
	int idle = client_new(), busy = client_new();
	send_text(idle, GET);
	(void)hear(idle, out, sizeof(out));
	send_text(busy, "POST /echo HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabcde");
	(void)hear(busy, out, sizeof(out));
	struct conn *next;
	loop->draining = true;
	for (struct conn *c = LIST_FIRST(&loop->conns); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		conn_drain(c);
	}
	assert_int_equal(hear(idle, out, sizeof(out)), 0);
	close(idle);
	send_text(busy, "fghij");
	(void)hear(busy, out, sizeof(out));
	assert_non_null(strstr(out, "fghij"));
	closed(busy);
}

/* --- a transport that fails --- */

static long endless_give(struct exchange *ex, uint8_t *out, size_t size)
{
	(void)ex;
	memset(out, 'x', size);
	return (long)size;
}

static void endless_begin(struct exchange *ex)
{
	exchange_respond(ex, 200, HTTP_LENGTH_UNKNOWN, NULL, 0);
}

static struct transport_ops broken;
static unsigned received;

static void broken_init(struct transport *t, const void *context, struct transport_wire *wire)
{
	transport_plain.init(t, context, wire);
	t->ops = &broken;
}

/* One record is good, the next is not. */
static ssize_t broken_receive(struct transport *t, uint8_t *data, size_t size)
{
	return received++ == 0 ? transport_plain.receive(t, data, size) : TRANSPORT_FAILED;
}

/* What the kernel takes at once is up to the kernel, so nothing gets there. */
static enum transport_result broken_send(struct transport *t, const uint8_t *data, size_t len)
{
	(void)t;
	(void)data;
	(void)len;
	return TRANSPORT_OK;
}

/* It fails when its client's turn is used up and there is more output: that output is gone, and
 * the connection lingers without turns. */
static void a_connection_that_lingers_needs_no_turns(void **state)
{
	static const struct handler endless = {
	    .methods = UINT32_MAX, .begin = endless_begin, .give = endless_give};
	const uint64_t until = clock_ms() + PATIENCE;
	(void)state;
	broken = transport_plain;
	broken.init = broken_init;
	broken.receive = broken_receive;
	broken.send = broken_send;
	received = 0;
	loop->transport = &broken;
	served.handler = &endless;
	int fd = client_new();
	const struct conn *c = LIST_FIRST(&loop->conns);
	send_text(fd, "POST /served HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n");
	while (c->state != CONN_LINGER) {
		assert_true(clock_ms() < until);
		assert_int_equal(loop_turn(&loop->loop, 10), 0);
	}
	assert_false(c->again.queued);
	closed(fd);
}

static struct exchange *late;
static bool late_ready;

static void late_begin(struct exchange *ex)
{
	late = ex;
	exchange_respond(ex, 200, 3, NULL, 0);
}

static long late_give(struct exchange *ex, uint8_t *out, size_t size)
{
	(void)ex;
	(void)size;
	if (!late_ready)
		return GIVE_LATER;
	memcpy(out, "abc", 3);
	return 3;
}

/* To close it with bytes that were not read would reset it, and take the response away. */
static void a_client_that_goes_on_while_it_waits_is_not_reset(void **state)
{
	static const struct handler handler = {
	    .methods = UINT32_MAX, .begin = late_begin, .give = late_give};
	(void)state;
	served.handler = &handler;
	late = NULL;
	late_ready = false;
	int fd = client_new();
	const struct conn *c = LIST_FIRST(&loop->conns);
	send_text(fd, "GET /served HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	for (int i = 0; i < 100 && late == NULL; i++)
		assert_int_equal(loop_turn(&loop->loop, 10), 0);
	assert_non_null(late);
	send_text(fd, "more");
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_turn(&loop->loop, 1), 0);
	late_ready = true;
	exchange_wake(late);
	assert_int_equal(loop_turn(&loop->loop, 10), 0);
	assert_int_equal(loop->conns_count, 1);
	assert_int_equal(c->state, CONN_LINGER);
	char out[4096];
	assert_true(hear(fd, out, sizeof(out)) > 0);
	closed(fd);
}

/* --- ends without a word for them: only TCP has one ------------------------------------------- */

static int tcp_client_new(void)
{
	static const struct http_client client = {.address = "127.0.0.1", .port = 1234};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&at, len), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(conn_new(loop, accept4(listener, NULL, NULL, SOCK_NONBLOCK), &client), 0);
	close(listener);
	return fd;
}

static unsigned given;

static long failing_give(struct exchange *ex, uint8_t *out, size_t size)
{
	(void)ex;
	(void)size;
	if (given++ > 0)
		return GIVE_FAIL;
	memcpy(out, "abc", 3);
	return 3;
}

/* The end of the connection frames the response to HTTP/1.0, so a clean one would lie. */
static void a_cut_is_no_end(void **state)
{
	static const struct handler failing = {
	    .methods = UINT32_MAX, .begin = endless_begin, .give = failing_give};
	const uint64_t until = clock_ms() + PATIENCE;
	(void)state;
	for (int minor = 0; minor < 2; minor++) {
		char out[4096];
		ssize_t n = -1;
		given = 0;
		served.handler = &failing;
		int fd = tcp_client_new();
		send_text(fd, minor == 0 ? "GET /served HTTP/1.0\r\n\r\n"
					 : "GET /served HTTP/1.1\r\n" H "\r\n");
		while (loop->conns_count > 0) {
			assert_true(clock_ms() < until);
			assert_int_equal(loop_turn(&loop->loop, 10), 0);
		}
		while ((n = read(fd, out, sizeof(out))) > 0)
			;
		assert_int_equal(n, minor == 0 ? -1 : 0);
		assert_true(n == 0 || errno == ECONNRESET);
		close(fd);
	}
}

/* The far end of a tunnel. */
static struct {
	struct exchange *ex;
	char heard[256];
	size_t room;
	bool says_end;
	unsigned ends;
} far;

static void far_begin(struct exchange *ex)
{
	static const struct http_header fields[] = {HTTP_HEADER("Upgrade", "x")};
	far.ex = ex;
	assert_int_equal(exchange_upgrade(ex, fields, 1), 0);
}

static size_t far_take(struct exchange *ex, const uint8_t *data, size_t len)
{
	const size_t n = len < far.room ? len : far.room;
	(void)ex;
	strncat(far.heard, (const char *)data, n);
	far.room -= n;
	return n;
}

static void far_take_end(struct exchange *ex)
{
	(void)ex;
	far.ends++;
}

static long far_give(struct exchange *ex, uint8_t *out, size_t size)
{
	(void)ex;
	(void)out;
	(void)size;
	return far.says_end ? GIVE_END : GIVE_LATER;
}

static int tunnel_new(bool tcp)
{
	static const struct handler tunnel = {.methods = UINT32_MAX,
					      .begin = far_begin,
					      .take = far_take,
					      .take_end = far_take_end,
					      .give = far_give};
	char out[4096];
	memset(&far, 0, sizeof(far));
	far.room = SIZE_MAX;
	served.handler = &tunnel;
	int fd = tcp ? tcp_client_new() : client_new();
	send_text(fd, "GET /served HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: x\r\n\r\n");
	(void)hear(fd, out, sizeof(out));
	assert_non_null(strstr(out, "HTTP/1.1 101 "));
	return fd;
}

static void far_say_end(void)
{
	far.says_end = true;
	exchange_wake(far.ex);
}

static void a_client_of_a_tunnel_may_speak_after_the_end_of_the_other_half(void **state)
{
	const uint64_t until = clock_ms() + PATIENCE;
	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		char out[16];
		int fd = tunnel_new(tcp);
		far_say_end();
		assert_int_equal(hear(fd, out, sizeof(out)), 0);
		assert_int_equal(loop->conns_count, 1);
		send_text(fd, "still here");
		shutdown(fd, SHUT_WR);
		while (loop->conns_count > 0) {
			assert_true(clock_ms() < until);
			assert_int_equal(loop_turn(&loop->loop, 10), 0);
		}
		assert_string_equal(far.heard, "still here");
		assert_int_equal(far.ends, 1);
		close(fd);
	}
}

/* Both halves have ended, and the far end has no room for what is left: the loop must not spin. */
static void what_is_left_of_a_tunnel_waits_for_room(void **state)
{
	const uint64_t until = clock_ms() + PATIENCE;
	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		char out[16];
		int fd = tunnel_new(tcp);
		far.room = 1;
		far_say_end();
		assert_int_equal(hear(fd, out, sizeof(out)), 0);
		send_text(fd, "abc");
		while (far.room > 0)
			assert_int_equal(loop_turn(&loop->loop, 10), 0);
		send_text(fd, "def");
		shutdown(fd, SHUT_WR);
		const uint64_t before = clock_ms();
		unsigned turns = 0;
		while (clock_ms() < before + 50) {
			assert_int_equal(loop_turn(&loop->loop, 10), 0);
			turns++;
		}
		assert_true(turns < 50);
		assert_int_equal(loop->conns_count, 1);
		far.room = SIZE_MAX;
		exchange_wake(far.ex);
		while (loop->conns_count > 0) {
			assert_true(clock_ms() < until);
			assert_int_equal(loop_turn(&loop->loop, 10), 0);
		}
		assert_string_equal(far.heard, "abcdef");
		assert_int_equal(far.ends, 1);
		close(fd);
	}
}

/* --- other protocols on a plain port
 * ---------------------------------------------------------------------- */

static void other_protocols_are_recognized_by_their_first_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned kind; /* IPC_FAILURES: it may be HTTP */
	} cases[] = {
	    {"\x16", 1, IPC_FAILURE_MALFORMED},
	    {"\x16\x03\x01\x02\x00\x01", 6, IPC_FAILURE_MALFORMED},
	    {"\x15\x03\x03\x00\x02\x02\x00", 7, IPC_FAILURE_MALFORMED},
	    {"\x80\x2e\x01\x03\x01", 5, IPC_FAILURE_MALFORMED},
	    {"\x80\x2e\x02\x03\x01", 5, IPC_FAILURES},
	    {"GET / HTTP/1.1\r\n", 16, IPC_FAILURES},
	    {"\r\nGET /", 7, IPC_FAILURES},
	    {"\n\x16", 2, IPC_FAILURES},
	    {"PRI * HTTP/2.0\r\n", 16, IPC_FAILURES},
	    {"SSH-2.0-x\r\n", 11, IPC_FAILURES},
	    {"", 1, IPC_FAILURES},
	    {"PROXY TCP4 192.0.2.1 ", 21, IPC_FAILURE_PROXY},
	    {"PROXY UNKNOWN\r\n", 15, IPC_FAILURE_PROXY},
	    {"\r\n\r\n\0\r\nQUIT\n\x21", 13, IPC_FAILURE_PROXY},
	    {"PROXY / HTTP/1.1\r\n", 18, IPC_FAILURES},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned kind;
		const char *fault =
		    conn_plain_fault((const uint8_t *)cases[i].bytes, cases[i].len, &kind);
		assert_int_equal(fault != NULL ? kind : (unsigned)IPC_FAILURES, cases[i].kind);
	}
}

static void tls_is_closed_without_a_reset_and_counted(void **state)
{
	static const char hello_bytes[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more";
	char out[16];
	(void)state;
	port.plain = true;
	int fd = tcp_client_new();
	send_text(fd, hello_bytes);
	assert_int_equal(hear(fd, out, sizeof(out)), 0);
	assert_int_equal(slot.counters.handshakes_failed[IPC_FAILURE_MALFORMED], 1);
	assert_int_equal(slot.counters.requests, 0);
	send_text(fd, "what it had under way");
	assert_int_equal(loop_turn(&loop->loop, 10), 0);
	assert_int_equal(read(fd, out, sizeof(out)), 0); /* and no ECONNRESET */
	closed(fd);
}

static void a_client_that_says_nothing_has_the_time_of_a_head(void **state)
{
	const uint64_t until = clock_ms() + PATIENCE;
	char out[4096];
	(void)state;
	port.limits.head_ms = 10;
	closed(client_new());
	/* after a request it has the idle time */
	int fd = client_new();
	send_text(fd, GET);
	(void)hear(fd, out, sizeof(out));
	for (const uint64_t now = clock_ms(); clock_ms() < now + 50 && clock_ms() < until;)
		assert_int_equal(loop_turn(&loop->loop, 10), 0);
	assert_int_equal(loop->conns_count, 1);
	close(fd);
	port.limits.idle_ms = 10; /* which may be shorter */
	port.limits.head_ms = PATIENCE;
	closed(client_new());
}

/* --- what runs out --------------------------------------------------------------------------- */

static void descriptors_that_a_part_holds_are_no_leak(void **state)
{
	struct holding pool;
	(void)state;
	holdings_add(&loop->holdings, &pool);
	worker.descriptors_own = 10;
	worker.descriptors_max = 20;
	assert_true(lack_descriptors_leaked(&worker));
	holding_change(&pool, 9, 0);
	assert_true(lack_descriptors_leaked(&worker));
	int fd = client_new(); /* each part has its row, and they add up */
	assert_false(lack_descriptors_leaked(&worker));
	close(fd);
	while (loop->conns_count > 0)
		assert_int_equal(loop_turn(&loop->loop, 10), 0);
	assert_true(lack_descriptors_leaked(&worker));
	holding_change(&pool, 1, 0);
	assert_false(lack_descriptors_leaked(&worker));
	holding_change(&pool, -10, 0);
	assert_int_equal(pool.descriptors, 0);
}

static void memory_that_a_part_holds_is_no_leak(void **state)
{
	struct holding cache;
	(void)state;
	holdings_add(&loop->holdings, &cache);
	worker.memory_own = 1000000;
	port.limits.memory_bytes = 0; /* no limit, so nothing ran into it */
	assert_false(lack_memory_leaked(&worker));
	port.limits.memory_bytes = 2000000;
	assert_true(lack_memory_leaked(&worker));
	holding_change(&cache, 0, 999999);
	assert_true(lack_memory_leaked(&worker));
	holding_change(&cache, 0, 1);
	assert_false(lack_memory_leaked(&worker));
	holding_change(&cache, 0, -500000);
	assert_true(lack_memory_leaked(&worker));
	int fd = client_new();
	assert_true(loop->conns_held.memory_bytes > 1000000);
	assert_false(lack_memory_leaked(&worker));
	close(fd);
}

static void with_nothing_held_the_limit_itself_is_too_small(void **state)
{
	(void)state;
	worker.memory_own = 2000000;
	port.limits.memory_bytes = 1000000;
	assert_true(lack_memory_leaked(&worker));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(requests_are_answered_without_a_handshake),
	    TEST(a_handler_sees_that_there_is_no_tls),
	    TEST(a_request_may_come_byte_by_byte),
	    TEST(an_upload_waits_for_a_client_that_does_not_read),
	    TEST(a_silent_client_is_closed_after_idle),
	    TEST(half_a_head_is_refused_after_its_limit),
	    TEST(a_body_that_stalls_is_refused_after_its_limit),
	    TEST(a_client_that_takes_nothing_is_reset_after_its_limit),
	    TEST(draining_ends_idle_connections_and_answers_the_others),
	    TEST(a_connection_that_lingers_needs_no_turns),
	    TEST(a_client_that_goes_on_while_it_waits_is_not_reset),
	    TEST(a_cut_is_no_end),
	    TEST(a_client_of_a_tunnel_may_speak_after_the_end_of_the_other_half),
	    TEST(what_is_left_of_a_tunnel_waits_for_room),
	    TEST(other_protocols_are_recognized_by_their_first_bytes),
	    TEST(tls_is_closed_without_a_reset_and_counted),
	    TEST(a_client_that_says_nothing_has_the_time_of_a_head),
	    TEST(descriptors_that_a_part_holds_are_no_leak),
	    TEST(memory_that_a_part_holds_is_no_leak),
	    TEST(with_nothing_held_the_limit_itself_is_too_small),
	};
	return cmocka_run_group_tests_name("worker connections", tests, NULL, NULL);
}
