/* Listening sockets: each bounds the kernel's memory for its connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/passed.h"

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* The kernel doubles the requested size and allows at most net.core.rmem_max. */
static int receive_bytes(void)
{
	unsigned max = 0;
	FILE *f = fopen("/proc/sys/net/core/rmem_max", "re");
	if (f != NULL) {
		assert_int_equal(fscanf(f, "%u", &max), 1);
		(void)fclose(f);
	}
	return 2 * (max > 0 && max < NET_RECEIVE_BYTES ? (int)max : NET_RECEIVE_BYTES);
}

static void assert_bounded(int fd)
{
	assert_int_equal(option(fd, SOL_SOCKET, SO_RCVBUF), receive_bytes());
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), NET_UNSENT_BYTES);
}

/* A connection accepted from it. */
static void assert_inherited(int listener)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	char client[ADDRESS_TEXT_MAX];
	struct network_address number, local;
	uint16_t port;
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(poll(&ready, 1, 10000), 1);
	accepted = net_accept(listener, client, &number, &port);
	assert_true(accepted >= 0);
	assert_string_equal(client, "127.0.0.1");
	assert_int_equal(network_address_parse("127.0.0.1", 9, &local), 0);
	assert_true(number.high == local.high && number.low == local.low);
	assert_bounded(accepted);
	close(accepted);
	close(fd);
}

static void connections_are_bounded(void **state)
{
	int fd = net_bind("127.0.0.1", 0, NULL, 0);
	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(net_listen(fd), 0);
	assert_bounded(fd);
	assert_inherited(fd);
	close(fd);
}

/* The same for a socket that another process has made. */
static void connections_of_a_passed_socket_are_bounded(void **state)
{
	const struct sockaddr_in any = {.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char address[NET_LISTEN_MAX];
	uint16_t port;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_null(net_take_passed(fd, address, &port));
	assert_string_equal(address, "127.0.0.1");
	assert_bounded(fd);
	assert_inherited(fd);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connections_are_bounded),
	    cmocka_unit_test(connections_of_a_passed_socket_are_bounded),
	};
	return cmocka_run_group_tests_name("net listen", tests, NULL, NULL);
}
