/* Connections that stay on the machine: which they are, and that they are not paced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/near.h"
#include "skip.h"

#define NAME_MAX_BYTES 16 /* TCP_CA_NAME_MAX */

static void control_of(int fd, char name[NAME_MAX_BYTES + 1])
{
	socklen_t len = NAME_MAX_BYTES;
	memset(name, 0, NAME_MAX_BYTES + 1);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
}

/* A socket with another congestion control than reno; -1: there is none. */
static int other_socket(int family)
{
	static const char *const names[] = {"cubic", "bbr", "dctcp", "vegas", "westwood"};
	const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, names[i],
			       (socklen_t)strlen(names[i])) == 0)
			return fd;
	close(fd);
	return -1;
}

static void only_loopback_addresses_are_near(void **state)
{
	static const struct {
		int family;
		const char *address;
		bool near;
	} cases[] = {
	    {AF_INET, "127.0.0.1", true},
	    {AF_INET, "127.255.255.254", true},
	    {AF_INET, "126.0.0.1", false},
	    {AF_INET, "128.0.0.1", false},
	    {AF_INET, "0.0.0.0", false},
	    {AF_INET, "1.0.0.127", false},
	    {AF_INET6, "::1", true},
	    {AF_INET6, "::ffff:127.0.0.9", true},
	    {AF_INET6, "::ffff:10.0.0.1", false},
	    {AF_INET6, "::", false},
	    {AF_INET6, "fe80::1", false},
	    {AF_INET6, "2001:db8::1", false},
	    {AF_INET6, "7f00::1", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
		struct sockaddr_in v4 = {.sin_family = AF_INET};
		char before[NAME_MAX_BYTES + 1], after[NAME_MAX_BYTES + 1];
		const int family = cases[i].family, fd = other_socket(family);
		if (fd < 0)
			skip_because("needs a second congestion control");
		control_of(fd, before);
		assert_int_equal(
		    inet_pton(family, cases[i].address,
			      family == AF_INET ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr),
		    1);
		net_near(fd, family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6);
		control_of(fd, after);
		if (strcmp(after, cases[i].near ? "reno" : before) != 0)
			fail_msg("%s: %s", cases[i].address, after);
		close(fd);
	}
}

static void a_path_is_left_alone(void **state)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr path = {.sa_family = AF_UNIX};
	(void)state;
	net_near(fd, &path);
	assert_int_equal(close(fd), 0);
}

static void a_listener_passes_it_on(void **state)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char name[NAME_MAX_BYTES + 1], client[ADDRESS_TEXT_MAX];
	struct network_address number;
	uint16_t port;
	(void)state;
	const int listener = net_bind("127.0.0.1", 0, NULL, 0);
	assert_true(listener >= 0);
	assert_int_equal(net_listen(listener), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, len), 0);
	const int accepted = net_accept(listener, client, &number, &port);
	assert_true(accepted >= 0);
	control_of(accepted, name);
	assert_string_equal(name, "reno");
	close(accepted);
	close(fd);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_loopback_addresses_are_near),
	    cmocka_unit_test(a_path_is_left_alone),
	    cmocka_unit_test(a_listener_passes_it_on),
	};
	return cmocka_run_group_tests_name("net near", tests, NULL, NULL);
}
