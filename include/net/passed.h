/*
 * A listening socket that somebody else has made and handed to this process.
 */
#ifndef NET_PASSED_H
#define NET_PASSED_H

#include <stdint.h>

#include "net/listen.h"

/*
 * Is this descriptor a listening TCP socket over IPv4 or IPv6? If so it becomes like one of
 * net_listen(): non-blocking, close on exec, TCP_NODELAY; NULL, and the
 * numeric address and the port it listens on. Otherwise what it is instead, as static text that
 * follows "is", and both are untouched.
 */
const char *net_take_passed(int fd, char address[NET_LISTEN_MAX], uint16_t *ret_port);

#endif
