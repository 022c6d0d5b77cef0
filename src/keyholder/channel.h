/*
 * The channels to the workers' event loops: src/keyholder only.
 */
#ifndef KEYHOLDER_CHANNEL_H
#define KEYHOLDER_CHANNEL_H

#include <bsd/sys/queue.h>

#include "net/loop.h"
#include "rate.h"
#include "role/role.h"
#include "sign.h"

LIST_HEAD(channel_list, channel);

struct keyholder {
	struct role *role;
	struct loop loop;
	struct keyring keys;
	struct channel_list channels;
	uint64_t garbage;           /* so many more answers are none: a fault on purpose */
	struct loop_timer log_tick; /* while there are drops to tell */
	bool ended;
};

/* Takes over the descriptor; false when it cannot (memory), and it is closed. */
bool channel_add(struct keyholder *, int fd, const struct ipc_key_channels *whose);
void channel_close_all(struct keyholder *);

#endif
