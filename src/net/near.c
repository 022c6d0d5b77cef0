/* Runs in the master, for listeners, and in connectors. Must never block. */
#include "net/near.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>

static bool is_loopback_v4(const uint8_t *bytes)
{
	return bytes[0] == 127;
}

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	switch (address->sa_family) {
	case AF_INET:
		return is_loopback_v4((const uint8_t *)&v4->sin_addr);
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) &&
			is_loopback_v4(&v6->sin6_addr.s6_addr[12]));
	default:
		return false;
	}
}

void net_near(int fd, const struct sockaddr *address)
{
	static const char name[] = "reno";
	if (is_loopback(address))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name) - 1);
}
