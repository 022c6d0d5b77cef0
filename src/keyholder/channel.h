/*
 * The channels to the event loops of the workers; src/keyholder only.
 */
#ifndef KEYHOLDER_CHANNEL_H
#define KEYHOLDER_CHANNEL_H

#include <bsd/sys/queue.h>

#include "net/loop.h"
#include "role/role.h"
#include "sign.h"

LIST_HEAD(channel_list, channel);

struct keyholder {
	struct role *role;
	struct loop loop;
	struct keyring keys;
	struct channel_list channels;
	uint64_t garbage;           /* this many more answers are malformed: a fault on purpose */
	struct loop_timer log_tick; /* runs while dropped log records must be reported */
	bool ended;
};

/* Takes ownership of the descriptor. False: it could not be added (out of memory), and is
 * closed. */
bool channel_add(struct keyholder *, int fd, const struct ipc_key_channels *whose);
void channel_close_all(struct keyholder *);

#endif
