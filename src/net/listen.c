/* net_bind and net_listen run in the master, net_accept in workers. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_parse(const char *text, uint16_t port, union address *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return sizeof(a->v4);
	}
	if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		return sizeof(a->v6);
	}
	return 0;
}

static void reuse_port(int fd)
{
	const int on = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

int net_bind(const char *address, uint16_t port, const int *beside, size_t count)
{
	union address a;
	socklen_t len = address_parse(address, port, &a);
	if (len == 0)
		return -EINVAL;

	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	const int on = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (a.any.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
		int error = -errno;
		fd_close(&fd);
		return error;
	}
	net_bound(fd); /* before it listens: the scale of windows depends on it */
	int failed = bind(fd, &a.any, len);
	if (failed && errno == EADDRINUSE && count > 0) {
		reuse_port(fd);
		for (size_t i = 0; i < count; i++)
			reuse_port(beside[i]);
		failed = bind(fd, &a.any, len);
	}
	if (failed) {
		int error = -errno;
		fd_close(&fd);
		return error;
	}
	return fd;
}

void net_bound(int fd)
{
	const int receive = NET_RECEIVE_BYTES, unsent = NET_UNSENT_BYTES;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

void net_unlinger(int fd)
{
	const struct linger off = {0};
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

bool net_listens(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens != 0;
}

int net_listen(int fd)
{
	return listen(fd, SOMAXCONN) < 0 ? -errno : 0;
}

int net_accept(int listener_fd, char address[NET_ADDRESS_MAX], uint16_t *ret_port)
{
	union address a = {0};
	socklen_t len = sizeof(a);
	int fd = accept4(listener_fd, &a.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	net_unlinger(fd);
	if (a.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr)) {
		/* On a socket for both families, which is somebody else's (net/passed.h). */
		(void)inet_ntop(AF_INET, &a.v6.sin6_addr.s6_addr[12], address, NET_ADDRESS_MAX);
		*ret_port = ntohs(a.v6.sin6_port);
	} else if (a.any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &a.v6.sin6_addr, address, NET_ADDRESS_MAX);
		*ret_port = ntohs(a.v6.sin6_port);
	} else {
		(void)inet_ntop(AF_INET, &a.v4.sin_addr, address, NET_ADDRESS_MAX);
		*ret_port = ntohs(a.v4.sin_port);
	}
	return fd;
}
