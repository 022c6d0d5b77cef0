/*
 * Listening sockets, and accepting connections from them.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/network.h"

/* An address to listen on. A link-local one has a zone: `fe80::1%eth0` (RFC 4007, 11;
 * netdevice(7)). */
#define NET_LISTEN_MAX (ADDRESS_TEXT_MAX + 16)

/*
 * Makes a TCP socket and binds it to a numeric IPv4 or IPv6 address, without listening yet:
 * non-blocking, close on exec, SO_REUSEADDR, IPV6_V6ONLY, TCP_NODELAY (which accepted sockets
 * inherit). Returns the descriptor or -errno: -EINVAL when the address is not numeric, -ENODEV when
 * its zone is neither the name nor the number of an interface.
 *
 * beside: sockets of the same user that already listen on the port. If one address covers the other
 * (0.0.0.0 and 127.0.0.1), the kernel wants SO_REUSEPORT on both sockets (socket(7)), so this
 * function sets it on all of them. A client then reaches the socket with the more specific address.
 * No other user can join them.
 */
int net_bind(const char *address, uint16_t port, const int *beside, size_t count);

/* Starts to listen; does nothing if the socket already listens. Returns 0 or -errno. */
int net_listen(int fd);

/* Does the socket listen? It does not after a shutdown, by shutdown(2) or by the administrator with
 * ss -K. net_listen() then makes it listen on the same address again. */
bool net_listens(int fd);

/* Turns SO_LINGER off (socket(7)). A connection inherits it from its listener, and would then
 * either lose data that its client has not read, or block its process in close(2). */
void net_unlinger(int fd);

/*
 * Bounds the kernel memory of each connection accepted from this socket (connections inherit the
 * bounds). The whole machine shares that memory (tcp_mem, tcp(7)), and no limit of a process counts
 * it. NET_RECEIVE_BYTES bounds data that a client sent and the worker has not read,
 * NET_UNSENT_BYTES data that was written and not sent yet. Data that was sent and not acknowledged
 * is bounded by the client's window and by tcp_wmem.
 *
 * The price: an upload has at most NET_RECEIVE_BYTES in flight in each round trip. Every system
 * allows that size (net.core.rmem_max is 208 KiB by default); the kernel accounts twice as much,
 * for its overhead.
 */
#define NET_RECEIVE_BYTES (192 * 1024)
#define NET_UNSENT_BYTES  (256 * 1024)
void net_bound(int fd);

/* Accepts one connection: non-blocking, close on exec, SO_LINGER off. Returns the descriptor, and
 * sets the peer's address, as text and as a number, and port; or returns -errno (accept(2)). */
int net_accept(int listener_fd, char address[ADDRESS_TEXT_MAX], struct network_address *ret_number,
	       uint16_t *ret_port);

/* The address that the peer of a connection has connected to, as net_accept() writes it. Returns 0
 * or -errno. */
int net_local_address(int fd, char address[ADDRESS_TEXT_MAX]);

#endif
