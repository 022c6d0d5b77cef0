/* master/systemd/notify: signs of life within a long turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/ground/state.h"
#include "master/systemd/notify.h"

static struct master m;
static int manager_fd;

/* The service manager is a socket with a name that the kernel chooses. */
static int begin(void **state)
{
	struct notify *n = &m.notify;
	const sa_family_t family = AF_UNIX;
	(void)state;
	n->address_len = sizeof(n->address);
	manager_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return bind(manager_fd, (const struct sockaddr *)&family, sizeof(family)) < 0 ||
	       getsockname(manager_fd, (struct sockaddr *)&n->address, &n->address_len) < 0;
}

static int end(void **state)
{
	(void)state;
	return close(manager_fd) | close(m.notify.fd);
}

static bool has_come(void)
{
	char room[64];
	const ssize_t len = recv(manager_fd, room, sizeof(room), 0);
	return len == 10 && memcmp(room, "WATCHDOG=1", 10) == 0;
}

static void a_sign_of_life_is_sent_when_it_is_time(void **state)
{
	(void)state;
	m.notify.alive_ms = 1000000;
	m.notify.alive_sent_ms = clock_ms();
	notify_alive(&m);
	assert_false(has_come());
	m.notify.alive_sent_ms = clock_ms() - m.notify.alive_ms / 2;
	notify_alive(&m);
	assert_true(has_come());
	notify_alive(&m);
	assert_false(has_come());
}

static void none_is_sent_to_nobody(void **state)
{
	(void)state;
	m.notify.alive_sent_ms = 0;
	m.notify.alive_ms = 0;
	notify_alive(&m);
	assert_false(has_come());
	const int fd = m.notify.fd;
	m.notify.alive_ms = 1;
	m.notify.fd = -1;
	notify_alive(&m);
	assert_false(has_come());
	m.notify.fd = fd;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sign_of_life_is_sent_when_it_is_time),
	    cmocka_unit_test(none_is_sent_to_nobody),
	};
	return cmocka_run_group_tests_name("notify", tests, begin, end);
}
