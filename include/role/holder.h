/*
 * A holder: what a keyholder, a verifier and a connector have in common. It never faces clients. It
 * serves the event loops of its port's workers, each on its own channel; any worker may have been
 * taken over.
 *
 *   starting ──READY──> serving ──DRAIN──> exit 0
 *      └── FAILED, exit EX_CONFIG         (the master dies: exit at once)
 *
 * It ignores SIGTERM: if a whole process group gets it, the workers finish first, and they need
 * what it holds. No request may end the process.
 */
#ifndef ROLE_HOLDER_H
#define ROLE_HOLDER_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "ipc/channel.h"
#include "net/loop.h"
#include "role/role.h"

struct holder;

/* A channel to an event loop of a worker. */
struct holder_channel {
	struct loop_io io; /* first */
	struct holder *owner;
	LIST_ENTRY(holder_channel) link;
	struct ipc_key_channels whose;
	struct bucket requests; /* that it may still make; for the role */
	uint64_t refused;       /* … refusals that were not logged yet */
	uint64_t tell_next_ms;  /* the next refusal is logged at this time at the earliest */
};

LIST_HEAD(holder_channel_list, holder_channel);

struct holder_ops {
	/* A channel has something: receives and answers one request, since an honest loop has only
	 * one pending, and the other channels get their turn. Returns 1; 0 if the worker is gone;
	 * -EBADMSG, or another -errno of receiving. */
	int (*serve)(struct holder_channel *);
	/* The master passes on a worker's request for a fault. NULL: there are none. */
	void (*fault)(struct holder *, const struct ipc_fault *);
	/* The others may be NULL. The event loop is made, and the process is not sealed yet; and it
	 * is about to be released. */
	void (*begun)(struct holder *);
	void (*ending)(struct holder *);
	/* A channel takes answers again, if the role has asked the loop for EPOLLOUT. */
	void (*writable)(struct holder_channel *);
	/* A channel is about to be closed and freed. */
	void (*closed)(struct holder_channel *);
	/* A message of the master that only this role knows. It takes what it needs from it. */
	void (*told)(struct holder *, struct ipc_message *);
	/* Bytes of the role's own struct, all zero at first, which begins with a struct
	 * holder_channel. 0: it has none. */
	size_t channel_size;
	const struct ipc_permit *permits; /* from the master; NULL: ipc_to_keyholder */
	const char *protocol;             /* "the key protocol", for the log */
	int turn_requests; /* served before it looks whether the master has sent something; 0:
			      as many as there are events in a turn */
};

struct holder {
	struct role *role;
	const struct holder_ops *ops;
	struct loop loop;
	struct holder_channel_list channels;
	struct loop_timer log_tick; /* runs while dropped log records must be reported */
	bool ended;
};

/* Makes the event loop, seals the process, and serves until the master ends it. Then everything is
 * released, the role included; returns the exit status (sysexits(3)). role and ops are set. */
int holder_run(struct holder *);

/* Does the channel pay for one request, of so many a second? */
bool holder_pays(struct holder_channel *, uint64_t per_second, uint64_t capacity);
/* Logs a refused request, now and then: "refused worker 1 3 signatures: why". */
void holder_refused(struct holder_channel *, const char *what, const char *why);

#endif
