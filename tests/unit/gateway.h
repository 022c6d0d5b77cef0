/* A port with upstreams, its event loop and what surrounds a connector, without a process. */
#ifndef TESTS_UNIT_GATEWAY_H
#define TESTS_UNIT_GATEWAY_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "connector/dial.h"
#include "connector/endpoints.h"
#include "connector/health.h"
#include "ipc/addresses.h"
#include "ipc/health.h"
#include "log/log.h"
#include "net/loop.h"

#define GATEWAY_ENDPOINTS 8

static struct {
	struct loop loop;
	struct log log;
	int log_fd;
	struct conf_port port;
	struct conf_endpoint endpoints[GATEWAY_ENDPOINTS];
	struct conf_upstream upstream;
	char urls[GATEWAY_ENDPOINTS][128];
	union ipc_address *places; /* of numbers, then of names */
	struct ipc_name *names;
	struct endpoints table;
	struct dialer dialer;
	struct ipc_healths *healths;
	struct health health;
} gateway;

static inline void gateway_begin(void)
{
	memset(&gateway, 0, sizeof(gateway));
	gateway.port.endpoints = gateway.endpoints;
	gateway.port.upstreams = &gateway.upstream;
	gateway.port.upstreams_count = 1;
	gateway.upstream.name = "api";
	assert_int_equal(loop_init(&gateway.loop), 0);
	log_init(&gateway.log, LOG_ROLE_WORKER, 8443, 0, 0);
	gateway.log_fd = -1;
}

static inline void gateway_log(void)
{
	int fds[2];
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	gateway.log_fd = fds[0];
	log_adopt(&gateway.log, LOG_SINK_CONSOLE, fds[1]);
}

/* What was logged since the last look. */
static inline const char *gateway_logged(void)
{
	static char text[16384];
	const ssize_t n = read(gateway.log_fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static inline uint32_t gateway_endpoint(const char *host, uint16_t port, bool named)
{
	const uint32_t i = (uint32_t)gateway.port.endpoints_count++;
	assert_true(i < GATEWAY_ENDPOINTS);
	(void)snprintf(gateway.urls[i], sizeof(gateway.urls[i]), "http://%s:%u", host, port);
	gateway.endpoints[i] = (struct conf_endpoint){
	    .url = gateway.urls[i], .host = host, .port = port, .named = named};
	gateway.upstream.endpoints_count = i + 1;
	return i;
}

static inline uint32_t gateway_socket(const char *path)
{
	const uint32_t i = gateway_endpoint("", 0, false);
	(void)snprintf(gateway.urls[i], sizeof(gateway.urls[i]), "unix:%s", path);
	gateway.endpoints[i].host = NULL;
	gateway.endpoints[i].path = path;
	return i;
}

static inline void gateway_prepare(void)
{
	const size_t fixed = endpoints_fixed(&gateway.port, NULL);
	const size_t names = endpoints_names(&gateway.port);
	const size_t all =
	    sizeof(struct ipc_healths) + GATEWAY_ENDPOINTS * sizeof(struct ipc_health);
	gateway.places =
	    calloc(fixed + names * 2 * IPC_NAME_ADDRESSES_MAX + 1, sizeof(*gateway.places));
	gateway.names = calloc(names + 1, sizeof(*gateway.names));
	gateway.healths = calloc(1, all);
	assert_int_equal(endpoints_fixed(&gateway.port, gateway.places), fixed);
	const struct ipc_block block = {.places = gateway.places,
					.count = fixed,
					.names_first = fixed,
					.names = gateway.names,
					.names_count = names};
	assert_int_equal(endpoints_init(&gateway.table, &gateway.port, &block), 0);
	gateway.dialer =
	    (struct dialer){.loop = &gateway.loop, .endpoints = &gateway.table, .sockets_max = 64};
	assert_int_equal(health_init(&gateway.health, gateway.healths, &gateway.port, &gateway.log,
				     gateway.loop.now_ms),
			 0);
}

/* As a resolver would. */
static inline void gateway_resolve(size_t name, const union ipc_address *list, size_t count)
{
	struct ipc_name *n = &gateway.names[name];
	const uint32_t turn = n->turn + 1;
	if (count > 0)
		memcpy(&gateway.places[gateway.table.block.names_first +
				       ipc_names_place(name, turn, 0)],
		       list, count * sizeof(*list));
	n->counts[turn & 1] = (uint32_t)count;
	n->turn = turn;
}

static inline void gateway_end(void)
{
	assert_int_equal(gateway.dialer.sockets, 0);
	health_release(&gateway.health);
	endpoints_release(&gateway.table);
	free(gateway.healths);
	free(gateway.names);
	free(gateway.places);
	log_close(&gateway.log);
	if (gateway.log_fd >= 0)
		close(gateway.log_fd);
	loop_release(&gateway.loop);
}

/* Turns until the condition holds; a test that waits longer than this has failed. */
#define gateway_until(condition)                                           \
	do {                                                               \
		const uint64_t until_begun_ms = gateway.loop.now_ms;       \
		while (!(condition)) {                                     \
			assert_int_equal(loop_turn(&gateway.loop, 20), 0); \
			if (gateway.loop.now_ms - until_begun_ms > 20000)  \
				fail_msg("never: %s", #condition);         \
		}                                                          \
	} while (0)

static union ipc_address address_of(const char *text, uint16_t port)
{
	struct network_address a;
	union ipc_address ret;
	assert_int_equal(network_address_parse(text, strlen(text), &a), 0);
	ipc_address_put(&ret, &a, port);
	return ret;
}

/* A listener; *port 0: any, which is then in it. */
static inline int tcp_listener(const char *host, uint16_t *port, int backlog)
{
	union ipc_address a = address_of(host, *port);
	socklen_t len =
	    a.any.sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	const int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, &a.any, len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &a.any, &len), 0);
	*port = ntohs(((struct sockaddr_in *)&a.storage)->sin_port);
	return fd;
}

#endif
