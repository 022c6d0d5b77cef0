/* Runs in the master, once for each socket that is passed to it. Must never trust the description
 * that came with a descriptor: it asks the kernel. */
#include "net/passed.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/near.h"

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static const char *listens_not(int fd)
{
	if (option(fd, SO_TYPE) < 0)
		return "not a socket";
	if (option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_PROTOCOL) != IPPROTO_TCP)
		return "not a TCP socket";
	if (option(fd, SO_ACCEPTCONN) != 1)
		return "a connection, not a listening socket (Accept=yes?)";
	return NULL;
}

/* Appends the zone in the form that net_bind() takes. */
static void zone_add(char address[NET_LISTEN_MAX], uint32_t index)
{
	char name[IF_NAMESIZE];
	const size_t len = strlen(address);
	if (index == 0)
		return;
	if (if_indextoname(index, name) != NULL)
		(void)snprintf(address + len, NET_LISTEN_MAX - len, "%%%s", name);
	else
		(void)snprintf(address + len, NET_LISTEN_MAX - len, "%%%u", (unsigned)index);
}

const char *net_take_passed(int fd, char address[NET_LISTEN_MAX], uint16_t *ret_port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = {0};
	socklen_t len = sizeof(a);
	const int on = 1;
	const char *wrong = listens_not(fd);
	if (wrong != NULL)
		return wrong;
	if (getsockname(fd, &a.any, &len) < 0 ||
	    (a.any.sa_family != AF_INET && a.any.sa_family != AF_INET6))
		return "neither an IPv4 nor an IPv6 socket";
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return "a socket that cannot be set up";
	net_unlinger(fd);
	net_bound(fd);
	net_near(fd, &a.any);
	if (a.any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &a.v4.sin_addr, address, ADDRESS_TEXT_MAX);
	} else {
		(void)inet_ntop(AF_INET6, &a.v6.sin6_addr, address, ADDRESS_TEXT_MAX);
		zone_add(address, a.v6.sin6_scope_id);
	}
	*ret_port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	return NULL;
}
