/* Runs in a child of the selftest's master, on order. Must never reach beyond this machine: every
 * address is a loopback one or the selftest's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent.h"
#include "base/clock.h"

#define LOG_FLOOD_BYTES ((size_t)1 << 20) /* many times more than the stage's rate allows */
#define FLOOD_MS        300

/* --- new sockets ----------------------------------------------------------------------------- */

static int make(int family, int type)
{
	return attempt_result(syscall(SYS_socket, family, type | SOCK_CLOEXEC, 0));
}

int try_socket4(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return make(AF_INET, SOCK_DGRAM);
}

int try_socket6(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return make(AF_INET6, SOCK_STREAM);
}

int try_socket_unix(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return make(AF_UNIX, SOCK_DGRAM);
}

int try_socket_netlink(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return make(AF_NETLINK, SOCK_RAW);
}

/* --- sockets that were left open ------------------------------------------------------------- */

static struct sockaddr_in loopback4(uint32_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* An abstract name begins with '@' here, with 0 in the kernel. */
static socklen_t unix_address(const char *name, struct sockaddr_un *ret)
{
	size_t len = strlen(name);
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len >= sizeof(ret->sun_path))
		len = sizeof(ret->sun_path) - 1;
	memcpy(ret->sun_path, name, len);
	if (name[0] == '@')
		ret->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

int try_connect4(struct agent *a, const struct order *o)
{
	const struct sockaddr_in to = loopback4(o->port);
	return attempt_result(syscall(SYS_connect, a->tcp4_fd, &to, sizeof(to)));
}

int try_connect6(struct agent *a, const struct order *o)
{
	const struct sockaddr_in6 to = {.sin6_family = AF_INET6,
					.sin6_port = htons((uint16_t)o->port),
					.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int result = attempt_result(syscall(SYS_connect, a->tcp6_fd, &to, sizeof(to)));
	return a->tcp6_fd < 0 ? -EAFNOSUPPORT : result;
}

static int connect_unix(const struct agent *a, const struct order *o)
{
	struct sockaddr_un to;
	socklen_t len = unix_address(o->path, &to);
	return attempt_result(syscall(SYS_connect, a->unix_fd, &to, len));
}

int try_connect_path(struct agent *a, const struct order *o)
{
	return connect_unix(a, o);
}

int try_connect_abstract(struct agent *a, const struct order *o)
{
	return connect_unix(a, o);
}

int try_bind(struct agent *a, const struct order *o)
{
	const struct sockaddr_in any = loopback4(0);
	(void)o;
	return attempt_result(syscall(SYS_bind, a->tcp4_fd, &any, sizeof(any)));
}

int try_listen(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_listen, a->tcp4_fd, 1));
}

/* --- the role's own sockets ------------------------------------------------------------------- */

/* sendto(2) can take another address even on a connected unix datagram socket. */
int try_datagram(struct agent *a, const struct order *o)
{
	struct sockaddr_un to;
	socklen_t len = unix_address(o->path, &to);
	return attempt_result(
	    syscall(SYS_sendto, a->datagram_fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL, &to, len));
}

/* Reads nothing: permission is checked before the length. */
int try_read_error(struct agent *a, const struct order *o)
{
	char none;
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_read, STDERR_FILENO, &none, 0));
}

/* Writes for FLOOD_MS as fast as it can, since it may not wait for the log to take more: 0 when it
 * could write more than the limit. */
int try_log_flood(struct agent *a, const struct order *o)
{
	static const char block[4096] = "forged ";
	const uint64_t begun_ms = clock_ms();
	size_t taken = 0;
	int error = 0;
	(void)a;
	(void)o;
	while (clock_ms() - begun_ms < FLOOD_MS && taken <= LOG_FLOOD_BYTES) {
		long n = syscall(SYS_write, STDERR_FILENO, block, sizeof(block));
		if (n > 0)
			taken += (size_t)n;
		else
			error = -errno;
	}
	return taken > LOG_FLOOD_BYTES ? 0 : error;
}

/* With Fast Open, sendto(2) connects: no connect(2), and Landlock does not see it. */
int try_fastopen(struct agent *a, const struct order *o)
{
	const struct sockaddr_in to = loopback4(o->port);
	int result =
	    attempt_result(syscall(SYS_sendto, a->tcp4_fd, "x", 1,
				   MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, &to, sizeof(to)));
	return result == -EINPROGRESS ? 0 : result;
}

/* After shutdown of its input, a listener is an unconnected socket, for all processes that share
 * it. */
int try_unlisten(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_shutdown, a->listener_fd, SHUT_RD));
}

/* Each connection inherits the option from the listener: with a time of 0 every worker's
 * connections would be reset at their end, and data that clients have not read is lost. The value
 * used here has no effect if it succeeds. */
int try_linger(struct agent *a, const struct order *o)
{
	const struct linger off = {0};
	(void)o;
	return attempt_result(
	    syscall(SYS_setsockopt, a->listener_fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)));
}
