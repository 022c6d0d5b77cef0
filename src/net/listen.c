/* Runs in the master, but for net_accept() and net_local_address(), which run in workers. Must
 * never block. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "net/near.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The zone of a link-local address: the name of an interface, else its number. */
static int zone_parse(const char *text, uint32_t *ret)
{
	uint64_t number;
	const unsigned index = if_nametoindex(text);
	if (index != 0) {
		*ret = index;
		return 0;
	}
	const int error = errno == ENXIO ? -ENODEV : -errno;
	if (error != -ENODEV || num_parse(text, strlen(text), 1, UINT32_MAX, &number) < 0)
		return error;
	*ret = (uint32_t)number;
	return 0;
}

static int zoned_parse(const char *text, struct sockaddr_in6 *a)
{
	char bare[ADDRESS_TEXT_MAX] = "";
	const char *zone = strchr(text, '%');
	const size_t len = zone == NULL ? strlen(text) : (size_t)(zone - text);
	if (len >= sizeof(bare))
		return -EINVAL;
	memcpy(bare, text, len);
	if (inet_pton(AF_INET6, bare, &a->sin6_addr) != 1)
		return -EINVAL;
	return zone == NULL ? 0 : zone_parse(zone + 1, &a->sin6_scope_id);
}

/* Parses the address; returns the length of the socket address or -errno. */
static int address_parse(const char *text, uint16_t port, union address *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return sizeof(a->v4);
	}
	const int error = zoned_parse(text, &a->v6);
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	return error < 0 ? error : (int)sizeof(a->v6);
}

static void reuse_port(int fd)
{
	const int on = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

int net_bind(const char *address, uint16_t port, const int *beside, size_t count)
{
	union address a;
	const int len = address_parse(address, port, &a);
	if (len < 0)
		return len;

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
	net_near(fd, &a.any);
	net_bound(fd); /* before it listens: TCP's window scale depends on the buffer size */
	int failed = bind(fd, &a.any, (socklen_t)len);
	if (failed && errno == EADDRINUSE && count > 0) {
		reuse_port(fd);
		for (size_t i = 0; i < count; i++)
			reuse_port(beside[i]);
		failed = bind(fd, &a.any, (socklen_t)len);
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

/* A socket for both families, which was passed in (net/passed.h), has mapped addresses. */
static void address_write(const union address *a, char text[ADDRESS_TEXT_MAX], uint16_t *ret_port)
{
	const bool is_v6 = a->any.sa_family == AF_INET6;
	if (is_v6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		(void)inet_ntop(AF_INET, &a->v6.sin6_addr.s6_addr[12], text, ADDRESS_TEXT_MAX);
	else if (is_v6)
		(void)inet_ntop(AF_INET6, &a->v6.sin6_addr, text, ADDRESS_TEXT_MAX);
	else
		(void)inet_ntop(AF_INET, &a->v4.sin_addr, text, ADDRESS_TEXT_MAX);
	*ret_port = ntohs(is_v6 ? a->v6.sin6_port : a->v4.sin_port);
}

int net_accept(int listener_fd, char address[ADDRESS_TEXT_MAX], struct network_address *ret_number,
	       uint16_t *ret_port)
{
	union address a = {0};
	socklen_t len = sizeof(a);
	int fd = accept4(listener_fd, &a.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	net_unlinger(fd);
	address_write(&a, address, ret_port);
	*ret_number = a.any.sa_family == AF_INET6 ? network_address_v6(&a.v6.sin6_addr)
						  : network_address_v4(&a.v4.sin_addr);
	return fd;
}

int net_local_address(int fd, char address[ADDRESS_TEXT_MAX])
{
	union address a = {0};
	socklen_t len = sizeof(a);
	uint16_t port;
	if (getsockname(fd, &a.any, &len) < 0)
		return -errno;
	address_write(&a, address, &port);
	return 0;
}
