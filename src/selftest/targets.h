/*
 * The upstreams of the selftest's ports; src/selftest only. All of them are a listener of its own,
 * so that no process connects to an upstream of the configuration.
 */
#ifndef SELFTEST_TARGETS_H
#define SELFTEST_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "copies.h"

/* Listens on a free port of 127.0.0.1. Returns the descriptor or -errno. */
int targets_listen(uint16_t *ret_port);

/* Puts that listener in the place of all endpoints of the port. A port that is tried has one
 * upstream more, by number and by name, so that it has a connector and a resolver. False: no
 * memory. */
bool targets_put(struct conf_port *, uint16_t port, bool tried, struct copies *);

#endif
