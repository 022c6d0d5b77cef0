/* master/sockets: the variables, the descriptors, and the port that gets each socket. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "master/sockets.h"

static struct err err;

static void names_belong_to_descriptors(void **state)
{
	struct sockets s;
	(void)state;
	assert_int_equal(sockets_parse(&s, 42, "42", "4", "https:a b::https", &err), 0);
	assert_int_equal(s.count, 4);
	assert_string_equal(s.list[0].name, "https");
	assert_string_equal(s.list[1].name, "a b");
	assert_string_equal(s.list[2].name, "unknown");
	assert_string_equal(s.list[3].name, "https");
	assert_int_equal(s.list[3].fd, 6);
	free(s.list);
	assert_int_equal(sockets_parse(&s, 42, "42", "2", "x\n", &err), 0);
	assert_string_equal(s.list[0].name, "x?");
	assert_string_equal(s.list[1].name, "unknown");
	free(s.list);
}

static void what_is_not_for_us_is_left(void **state)
{
	static const char *const pids[] = {"43", "42", "42", NULL, "43"};
	static const char *const counts[] = {"1", "0", NULL, "1", "many"};
	struct sockets s;
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(sockets_parse(&s, 42, pids[i], counts[i], "x", &err), 0);
		assert_int_equal(s.count, 0);
	}
}

static void nonsense_is_an_error(void **state)
{
	struct sockets s;
	(void)state;
	assert_int_equal(sockets_parse(&s, 42, "x", "1", NULL, &err), -1);
	assert_string_equal(err.text, "LISTEN_PID is not a valid number");
	assert_int_equal(sockets_parse(&s, 42, "42", "-1", NULL, &err), -1);
	assert_string_equal(err.text, "LISTEN_FDS is not a valid number");
	assert_int_equal(sockets_parse(&s, 42, "42", "4097", NULL, &err), -1);
	assert_int_equal(s.count, 0);
}

static void the_table_is_searched_by_name_and_port(void **state)
{
	struct socket_passed list[] = {{"https", 11, "127.0.0.1", 443, ""},
				       {"https", 12, "127.0.0.1", 8443, ""},
				       {"https", 13, "127.0.0.1", 443, ""},
				       {"other", 14, "127.0.0.1", 443, ""},
				       {"pipe", 15, "127.0.0.1", 0, "not a socket"}};
	struct sockets s = {list, 5};
	size_t at = 0;
	(void)state;
	assert_int_equal(sockets_find(&s, "https", 443, &at)->fd, 11);
	assert_int_equal(sockets_find(&s, "https", 443, &at)->fd, 13);
	assert_null(sockets_find(&s, "https", 443, &at));
	at = 0;
	assert_null(sockets_find(&s, "pipe", 0, &at));
	sockets_miss(&s, "https", 80, &err);
	assert_string_equal(err.text, "the socket \"https\" listens on port 443, not on 80");
	sockets_miss(&s, "pipe", 80, &err);
	assert_string_equal(
	    err.text, "the descriptor that was passed as the socket \"pipe\" is not a socket");
	sockets_miss(&s, "x", 80, &err);
	assert_string_equal(err.text, "there is no socket \"x\": the service manager has passed "
				      "\"https\", \"https\", \"https\", \"other\", \"pipe\"");
	s.count = 0;
	sockets_miss(&s, "x", 80, &err);
	assert_string_equal(err.text,
			    "there is no socket \"x\": the service manager has passed none");
}

static void what_no_port_claims_is_listed(void **state)
{
	struct socket_passed list[] = {{"https", 11, "127.0.0.1", 443, ""},
				       {"https", 12, "127.0.0.1", 8443, ""},
				       {"pipe", 13, "127.0.0.1", 0, "not a socket"}};
	char *names[] = {(char[]){"pipe"}, (char[]){"https"}};
	struct conf_port port = {.number = 443, .sockets = names, .sockets_count = 2};
	struct conf conf = {.ports = &port, .ports_count = 1};
	struct sockets s = {list, 3};
	char room[256];
	struct text t;
	(void)state;
	text_init(&t, room, sizeof(room));
	assert_int_equal(sockets_unclaimed(&s, &conf, &t), 2);
	assert_string_equal(room, "socket \"https\" (port 8443), socket \"pipe\" (not a socket)");
}

static int listener(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

/* Real descriptors with the protocol's numbers. */
static void they_are_taken_once(void **state)
{
	struct sockets s;
	char pid[16];
	(void)state;
	int one = fcntl(listener(), F_DUPFD, 100),
	    two = fcntl(socket(AF_INET, SOCK_STREAM, 0), F_DUPFD, 100),
	    three = fcntl(socket(AF_UNIX, SOCK_STREAM, 0), F_DUPFD, 100);
	int saved = fcntl(3, F_DUPFD, 100);
	assert_true(dup2(one, 3) == 3 && dup2(two, 4) == 4 && dup2(three, 5) == 5);
	close(6);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "4", 1);
	setenv("LISTEN_FDNAMES", "a:b:c:d", 1);
	assert_int_equal(sockets_take(&s, &err), 0);
	assert_int_equal(s.count, 4);
	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_FDNAMES"));
	assert_string_equal(s.list[0].wrong, "");
	assert_true(s.list[0].fd >= 10 && s.list[0].port != 0);
	assert_string_equal(s.list[0].address, "127.0.0.1");
	assert_int_equal(fcntl(s.list[0].fd, F_GETFD), FD_CLOEXEC);
	assert_true((fcntl(s.list[0].fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_string_equal(s.list[1].wrong, "a connection, not a listening socket (Accept=yes?)");
	assert_string_equal(s.list[2].wrong, "not a TCP socket");
	assert_string_equal(s.list[3].wrong, "not there");
	for (int fd = 3; fd < 7; fd++)
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	sockets_release(&s);
	if (saved >= 0)
		(void)dup2(saved, 3);
	assert_int_equal(sockets_take(&s, &err), 0);
	assert_int_equal(s.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_belong_to_descriptors),
	    cmocka_unit_test(what_is_not_for_us_is_left),
	    cmocka_unit_test(nonsense_is_an_error),
	    cmocka_unit_test(the_table_is_searched_by_name_and_port),
	    cmocka_unit_test(what_no_port_claims_is_listed),
	    cmocka_unit_test(they_are_taken_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
