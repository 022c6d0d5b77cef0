/*
 * The upstreams of the selftest's ports; src/selftest only. All of them are a listener of its own,
 * so that no process connects to an upstream of the configuration.
 */
#ifndef SELFTEST_TARGETS_H
#define SELFTEST_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent.h"
#include "base/err.h"
#include "conf/conf.h"
#include "copies.h"

/* Unix sockets that every user may connect to: one that an upstream is, and two that no attempt
 * must reach. The path of the second begins that of the first. */
enum { TARGETS_LISTED, TARGETS_BEGINNING, TARGETS_OTHER, TARGETS_LOCAL };

#define TARGETS_END ".sock" /* of the first one's path, beyond that of the second */

struct targets_local {
	char folder[PATH_ROOM / 2]; /* "": there is none */
	char paths[TARGETS_LOCAL][PATH_ROOM];
	int fds[TARGETS_LOCAL]; /* listening; -1: not yet */
	bool reachable;         /* all folders above can be entered by every user */
};

#define TARGETS_LOCAL_INIT            \
	{                             \
		.fds = { -1, -1, -1 } \
	}

/* Makes them in a folder of their own in base. 0, or -1 and a sentence. */
int targets_local_make(struct targets_local *, const char *base, struct err *);
void targets_local_remove(struct targets_local *);

/* Listens on a free port of 127.0.0.1. Returns the descriptor or -errno. */
int targets_listen(uint16_t *ret_port);

/* Puts that listener in the place of all endpoints of the port. A port that is tried has one
 * upstream more, by number and by name, so that it has a connector and a resolver, and by that path
 * of a Unix socket, unless it is NULL. False: no memory. */
bool targets_put(struct conf_port *, uint16_t port, bool tried, const char *path, struct copies *);

#endif
