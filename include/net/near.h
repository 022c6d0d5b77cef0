/*
 * TCP connections that never leave this machine.
 */
#ifndef NET_NEAR_H
#define NET_NEAR_H

#include <sys/socket.h>

/*
 * If the address is a loopback one (RFC 6890: 127.0.0.0/8, ::1, and the former mapped), sets the
 * socket's congestion control to "reno" (tcp(7)), which every kernel has and every process may set.
 * Such a connection meets no congestion, so the system's choice can only cost there: BBR paces each
 * write by a timer, which takes about a fifth of the CPU of a proxied request. A listener's
 * connections inherit it. What the kernel refuses is left as it is.
 */
void net_near(int fd, const struct sockaddr *);

#endif
