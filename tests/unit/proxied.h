/*
 * A worker's loop with one client's connection (or several), a location with `proxy`, and an
 * upstream that the test plays: a socketpair for each connection that is asked for.
 */
#ifndef UNIT_PROXIED_H
#define UNIT_PROXIED_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "conf/kinds.h"
#include "handler/route.h"
#include "ipc/use.h"
#include "upstream/upstream.h"
#include "worker/conn.h"

#define GATEWAY_ENDPOINTS 3
#define GATEWAY_LINKS     64
#define GATEWAY_PATIENCE  5000 /* ms, after which a test has failed */

#define H "Host: a\r\n"

static struct gateway {
	struct conf conf;
	struct conf_port port;
	struct conf_host host;
	struct conf_location location;
	struct conf_proxy proxy;
	struct conf_upstream upstream;
	struct conf_endpoint endpoints[GATEWAY_ENDPOINTS];
	struct ipc_slot slot;
	struct role role;
	struct worker worker;
	struct worker_loop *loop;
	struct handler_means means;
	struct routes routes;

	struct upstream_service service;
	struct upstream_asks asks;
	struct loop_task answer;
	bool tcp;             /* its connections are of TCP, which knows resets */
	int room;             /* for what these send (SO_SNDBUF); 0: what the kernel has */
	bool silent;          /* it answers nothing by itself */
	unsigned full;        /* so many asks are refused */
	const char *greeting; /* what the far end says at once; NULL: nothing */
	bool holds;           /* it has what it hands over for a while itself: held */
	int held;
	enum upstream_connected results[GATEWAY_ENDPOINTS]; /* 0 is UPSTREAM_CONNECTED */
	int error;                                          /* ... with this errno, if any */
	int links[GATEWAY_LINKS]; /* the far ends, in the order of the connections; -1: closed */
	uint32_t link_endpoints[GATEWAY_LINKS];
	unsigned links_count, asked, forgotten;
	char told[1024];
	struct ipc_healths *health;
	struct ipc_endpoint_use endpoint_use[GATEWAY_ENDPOINTS];
	struct ipc_upstream_use upstream_use;
} g;

/* --- the service ------------------------------------------------------------------------------ */

/* A pair, as of socketpair(2). */
static void gateway_pair(int pair[2])
{
	const int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(to);
	if (!g.tcp) {
		assert_int_equal(socketpair(AF_UNIX, kind, 0, pair), 0);
		return;
	}
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &len), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(pair[0], (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	pair[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(pair[1] >= 0);
	close(listener);
}

static void gateway_answer_one(struct upstream_ask *ask, enum upstream_connected result)
{
	static const struct network_address none;
	int pair[2] = {-1, -1};
	TAILQ_REMOVE(&g.asks, ask, link);
	if (result == UPSTREAM_CONNECTED) {
		gateway_pair(pair);
		if (g.room > 0)
			assert_int_equal(
			    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &g.room, sizeof(g.room)), 0);
		assert_true(g.links_count < GATEWAY_LINKS);
		g.link_endpoints[g.links_count] = ask->endpoint;
		g.links[g.links_count++] = pair[1];
		if (g.greeting != NULL)
			assert_int_equal(send(pair[1], g.greeting, strlen(g.greeting), 0),
					 strlen(g.greeting));
		if (g.holds)
			assert_true((g.held = fcntl(pair[0], F_DUPFD_CLOEXEC, 0)) >= 0);
	}
	ask->answered(ask, result, pair[0],
		      result == UPSTREAM_REFUSED && g.error == 0 ? ECONNREFUSED : g.error, &none);
}

static void gateway_answer(struct loop *loop, struct loop_task *task)
{
	struct upstream_ask *ask;
	(void)loop;
	(void)task;
	while ((ask = TAILQ_FIRST(&g.asks)) != NULL)
		gateway_answer_one(ask, g.results[ask->endpoint]);
}

static bool gateway_ask(struct upstream_service *service, struct upstream_ask *ask)
{
	(void)service;
	if (g.full > 0) {
		g.full--;
		return false;
	}
	g.asked++;
	TAILQ_INSERT_TAIL(&g.asks, ask, link);
	if (!g.silent)
		loop_soon(&g.loop->loop, &g.answer);
	return true;
}

static void gateway_forget(struct upstream_service *service, struct upstream_ask *ask)
{
	(void)service;
	g.forgotten++;
	TAILQ_REMOVE(&g.asks, ask, link);
}

static void gateway_tell(struct upstream_service *service, uint32_t endpoint, const char *what)
{
	char line[300];
	(void)service;
	(void)snprintf(line, sizeof(line), "%u %s\n", endpoint, what);
	strncat(g.told, line, sizeof(g.told) - strlen(g.told) - 1);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* What a test may change before gateway_open(). */
static inline int gateway_prepare(void **state)
{
	(void)state;
	memset(&g, 0, sizeof(g));
	TAILQ_INIT(&g.asks);
	g.answer.run = gateway_answer;
	g.conf = (struct conf){.drain_ms = 10000};
	g.upstream = (struct conf_upstream){.name = "u",
					    .endpoints_count = 1,
					    .fail_after = 3,
					    .fail_pause_ms = 10000,
					    .connect_ms = GATEWAY_PATIENCE,
					    .head_ms = GATEWAY_PATIENCE,
					    .between_ms = GATEWAY_PATIENCE,
					    .connections = 8,
					    .queue = 8,
					    .queue_ms = GATEWAY_PATIENCE,
					    .keep = 4,
					    .keep_ms = GATEWAY_PATIENCE,
					    .retry_methods = CONF_METHOD_BIT(CONF_GET) |
							     CONF_METHOD_BIT(CONF_PUT),
					    .retry_percent = 100};
	static const char *const urls[] = {"http://127.0.0.1:9000", "http://127.0.0.1:9001",
					   "http://127.0.0.1:9002"};
	for (uint16_t i = 0; i < GATEWAY_ENDPOINTS; i++)
		g.endpoints[i] = (struct conf_endpoint){
		    .url = urls[i], .host = "127.0.0.1", .port = (uint16_t)(9000 + i)};
	g.proxy =
	    (struct conf_proxy){.forwarded = 0, .buffer_request = 16384, .buffer_response = 16384};
	g.location = (struct conf_location){
	    .path = (char *)(uintptr_t) "/", .handler = CONF_PROXY, .options = &g.proxy};
	g.host = (struct conf_host){.locations = &g.location, .locations_count = 1};
	g.port = (struct conf_port){.hosts = &g.host,
				    .hosts_count = 1,
				    .plain = true,
				    .workers = 1,
				    .threads = 1,
				    .access = CONF_ACCESS_OFF,
				    .upstreams = &g.upstream,
				    .upstreams_count = 1,
				    .endpoints = g.endpoints,
				    .endpoints_count = GATEWAY_ENDPOINTS,
				    .limits = {.connections = 100,
					       .requests = 100000,
					       .head_bytes = 16384,
					       .trailers_bytes = 16384,
					       .body_bytes = UINT64_C(1) << 40,
					       .idle_ms = GATEWAY_PATIENCE,
					       .head_ms = GATEWAY_PATIENCE,
					       .handshake_ms = GATEWAY_PATIENCE,
					       .body_ms = GATEWAY_PATIENCE,
					       .write_ms = GATEWAY_PATIENCE}};
	return 0;
}

static inline void gateway_open(void)
{
	g.health = calloc(1, sizeof(*g.health) + GATEWAY_ENDPOINTS * sizeof(g.health->list[0]));
	g.health->count = GATEWAY_ENDPOINTS;
	g.role =
	    (struct role){.conf = &g.conf, .port = &g.port, .slots = &g.slot, .slots_count = 1};
	log_init(&g.role.log, LOG_ROLE_WORKER, 1, 1, 0);
	g.loop = calloc(1, sizeof(*g.loop));
	g.worker = (struct worker){.role = &g.role,
				   .phase = WORKER_SERVING,
				   .port = &g.port,
				   .pool = 1,
				   .loops = g.loop,
				   .loops_count = 1,
				   .descriptors_each = 1};
	assert_int_equal(worker_loop_init(g.loop, &g.worker, 0), 0);
	g.service = (struct upstream_service){.ask = gateway_ask,
					      .forget = gateway_forget,
					      .tell = gateway_tell,
					      .health = g.health,
					      .endpoint_use = g.endpoint_use,
					      .upstream_use = &g.upstream_use};
	routes_close(&g.worker.routes, &g.loop->http);
	g.loop->http.upstreams = &g.service;
	g.means = (struct handler_means){.port = 8443, .conf = &g.port};
	assert_int_equal(routes_init(&g.routes, &g.port, &g.means), 0);
	assert_int_equal(routes_open(&g.routes, &g.loop->http), 0);
	g.loop->http.routes = &g.routes.http;
}

static inline void gateway_turns(int count)
{
	while (count-- > 0)
		assert_int_equal(loop_turn(&g.loop->loop, 0), 0);
}

/* Ends everything; nothing may be left. */
static inline int gateway_close(void **state)
{
	(void)state;
	if (g.loop == NULL)
		return 0;
	while (!LIST_EMPTY(&g.loop->conns))
		conn_free(LIST_FIRST(&g.loop->conns));
	gateway_turns(3);
	assert_true(TAILQ_EMPTY(&g.asks));
	for (int i = 0; i < GATEWAY_ENDPOINTS; i++)
		assert_int_equal(g.endpoint_use[i].active, 0);
	assert_int_equal(g.upstream_use.queued, 0);
	assert_int_equal(g.upstream_use.tunnels, 0);
	/* what is held is what is idle */
	struct holding sum = {0};
	uint64_t idle = 0;
	holdings_add_up(&g.loop->holdings, &sum);
	for (int i = 0; i < GATEWAY_ENDPOINTS; i++)
		idle += g.endpoint_use[i].idle;
	assert_int_equal(sum.descriptors, idle);
	assert_true(idle > 0 || sum.memory_bytes == 0);
	routes_close(&g.routes, &g.loop->http);
	for (int i = 0; i < GATEWAY_ENDPOINTS; i++)
		assert_int_equal(g.endpoint_use[i].idle, 0);
	g.loop->http.upstreams = NULL;
	worker_loop_release(g.loop);
	routes_release(&g.routes);
	for (unsigned i = 0; i < g.links_count; i++)
		fd_close(&g.links[i]);
	free(g.loop);
	free(g.health);
	g.loop = NULL;
	return 0;
}

/* --- clients and upstreams -------------------------------------------------------------------- */

static inline int client_new(void)
{
	static const struct http_client client = {.address = "192.0.2.1", .port = 1234};
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	assert_int_equal(conn_new(g.loop, pair[0], &client), 0);
	return pair[1];
}

static inline void say(int fd, const char *text)
{
	const size_t len = strlen(text);
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* The connection with that number, from 0, when there is one. */
static inline int far(unsigned number)
{
	const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
	while (g.links_count <= number) {
		assert_true(clock_ms() < until);
		assert_int_equal(loop_turn(&g.loop->loop, 10), 0);
	}
	return g.links[number];
}

static inline void far_reset(unsigned number)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	assert_int_equal(setsockopt(g.links[number], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)),
			 0);
	fd_close(&g.links[number]);
}

static inline void far_end(unsigned number)
{
	fd_close(&g.links[number]);
}

/* Runs the loop until this text has come, and it alone. */
static inline void hear(int fd, const char *text)
{
	const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
	const size_t want = strlen(text);
	char *got = calloc(1, want + 1);
	size_t len = 0;
	while (len < want) {
		const ssize_t n = read(fd, got + len, want - len);
		if (n > 0) {
			len += (size_t)n;
			continue;
		}
		if (n == 0 || errno != EAGAIN || clock_ms() >= until)
			break;
		assert_int_equal(loop_turn(&g.loop->loop, 10), 0);
	}
	got[len] = '\0';
	assert_string_equal(got, text);
	free(got);
}

/* ... until this has come at the end of other text, which is returned; to free(). */
static inline char *hear_until(int fd, const char *end)
{
	const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
	const size_t size = (size_t)1 << 20;
	char *got = calloc(1, size);
	size_t len = 0;
	while (len < strlen(end) || strcmp(got + len - strlen(end), end) != 0) {
		const ssize_t n = read(fd, got + len, 1);
		if (n > 0) {
			len += (size_t)n;
			assert_true(len < size - 1);
			continue;
		}
		if (n == 0 || errno != EAGAIN || clock_ms() >= until) {
			print_error("%s\n", got);
			fail_msg("%s has not come: %s", end, n == 0 ? "end" : strerror(errno));
		}
		assert_int_equal(loop_turn(&g.loop->loop, 10), 0);
	}
	return got;
}

/* ... until the end, after this text. */
static inline void hear_end(int fd)
{
	const uint64_t until = clock_ms() + GATEWAY_PATIENCE;
	char byte;
	ssize_t n;
	while ((n = read(fd, &byte, 1)) < 0 && errno == EAGAIN) {
		assert_true(clock_ms() < until);
		assert_int_equal(loop_turn(&g.loop->loop, 10), 0);
	}
	if (n > 0)
		fail_msg("more has come: %c", byte);
}

/* Nothing comes in a few turns. */
static inline void hear_nothing(int fd)
{
	char byte;
	gateway_turns(5);
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
}

/* A request's head as it came upstream, but for X-Request-Id. */
static inline void hear_request(int fd, const char *text)
{
	char *head = hear_until(fd, "\r\n\r\n"), *id = strstr(head, "X-Request-Id: ");
	if (id != NULL)
		memmove(id, strchr(id, '\n') + 1, strlen(strchr(id, '\n') + 1) + 1);
	assert_string_equal(head, text);
	free(head);
}

/* A response with its status; the rest of its head does not matter. */
static inline void hear_status(int fd, unsigned status)
{
	char start[32];
	(void)snprintf(start, sizeof(start), "HTTP/1.1 %u ", status);
	char *head = hear_until(fd, "\r\n\r\n");
	if (strncmp(head, start, strlen(start)) != 0)
		fail_msg("%s", head);
	free(head);
}

#endif
