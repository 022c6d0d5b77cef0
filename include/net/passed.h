/*
 * A listening socket that another process (systemd) made and passed to this one.
 */
#ifndef NET_PASSED_H
#define NET_PASSED_H

#include <stdint.h>

#include "net/listen.h"

/*
 * Takes over a descriptor that is a listening TCP socket over IPv4 or IPv6: makes it like one of
 * net_listen() (non-blocking, close on exec, TCP_NODELAY), sets the numeric address and port it
 * listens on, and returns NULL. For any other descriptor it returns static text that completes "it
 * is …", and changes neither the descriptor nor the outputs.
 */
const char *net_take_passed(int fd, char address[NET_LISTEN_MAX], uint16_t *ret_port);

#endif
