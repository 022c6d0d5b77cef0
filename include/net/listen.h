/*
 * Listening sockets and what comes out of them.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#define NET_ADDRESS_MAX 46 /* INET6_ADDRSTRLEN: a numeric address with its terminator */

/*
 * A bound and listening TCP socket on a numeric IPv4 or IPv6 address: non-blocking, close on exec,
 * SO_REUSEADDR, IPV6_V6ONLY, TCP_NODELAY (which accepted sockets inherit). Returns the descriptor
 * or -errno; -EINVAL when the address is not numeric.
 */
int net_listen(const char *address, uint16_t port);

/* Accepts one connection: non-blocking, close on exec. Returns the descriptor and the peer's
 * numeric address and port, or -errno (accept(2)). */
int net_accept(int listener_fd, char address[NET_ADDRESS_MAX], uint16_t *ret_port);

#endif
