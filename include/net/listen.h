/*
 * Listening sockets and what comes out of them.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_ADDRESS_MAX 46 /* INET6_ADDRSTRLEN: a numeric address with its terminator */
/* One to listen on: a link-local one has a zone, `fe80::1%eth0` (RFC 4007, 11; netdevice(7)). */
#define NET_LISTEN_MAX (NET_ADDRESS_MAX + 16)

/*
 * A TCP socket that is bound to a numeric IPv4 or IPv6 address and does not listen yet:
 * non-blocking, close on exec, SO_REUSEADDR, IPV6_V6ONLY, TCP_NODELAY (which accepted sockets
 * inherit). Returns the descriptor or -errno; -EINVAL when the address is not numeric, -ENODEV
 * when its zone is neither an interface nor the number of one.
 *
 * beside: sockets that listen on the port already, of the caller's own user. Where the address
 * covers theirs, or theirs covers it (0.0.0.0 and 127.0.0.1), the system asks for SO_REUSEPORT on
 * both (socket(7)), so they are given it, too, and go on: a client comes to the socket that says
 * its address more closely. No other user can join them.
 */
int net_bind(const char *address, uint16_t port, const int *beside, size_t count);

/* Now it listens; nothing changes if it did already. 0 or -errno. */
int net_listen(int fd);

/* Does it listen? Not if it was shut down (shutdown(2), or by whoever administers the machine,
 * ss -K); net_listen() has it listen again then, on the same address. */
bool net_listens(int fd);

/* Takes SO_LINGER off (socket(7)). A connection inherits it from its listener, and with it either
 * loses what its client has not read or keeps its process in close(2). */
void net_unlinger(int fd);

/*
 * Bounds the kernel's memory for each connection that will come out of it (they inherit this): that
 * is everybody's on the machine (tcp_mem, tcp(7)), and in no limit of a process. What a client
 * sends and nobody reads has NET_RECEIVE_BYTES, what is written and not yet sent NET_UNSENT_BYTES.
 * What is sent and not acknowledged is bounded by the client's window, and by tcp_wmem.
 *
 * The price is that an upload has at most that much under way: NET_RECEIVE_BYTES in each round
 * trip. So much is allowed on each system (net.core.rmem_max, 208 KiB unless it was changed); the
 * kernel accounts for twice as much, with its own needs.
 */
#define NET_RECEIVE_BYTES (192 * 1024)
#define NET_UNSENT_BYTES  (256 * 1024)
void net_bound(int fd);

/* Accepts one connection: non-blocking, close on exec, SO_LINGER off. Returns the descriptor and
 * the peer's numeric address and port, or -errno (accept(2)). */
int net_accept(int listener_fd, char address[NET_ADDRESS_MAX], uint16_t *ret_port);

#endif
