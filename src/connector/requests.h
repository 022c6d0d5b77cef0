/*
 * What the event loops of a port's workers have asked for: connections by number (ipc/connect.h).
 *
 * Each loop has a share of what can be under way, so none keeps the others from connecting. An
 * answer that a loop does not read waits as long as its request may last, then it is lost, and the
 * connection is closed.
 */
#ifndef CONNECTOR_REQUESTS_H
#define CONNECTOR_REQUESTS_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dial.h"
#include "health.h"
#include "ipc/connect.h"
#include "role/holder.h"

/* Of all loops together, under way or not read. A loop may have at least REQUESTS_SHARE_MIN. */
#define REQUESTS_MAX       4096
#define REQUESTS_SHARE_MIN 16

struct requests_channel;
TAILQ_HEAD(requests_list, ask);

struct requests {
	struct loop *loop;
	struct dialer *dialer;
	struct health *health;
	struct ipc_counters *counters; /* of the process, set after requests_init(); NULL: none */
	uint32_t endpoints;
	unsigned share; /* of one loop */
	size_t count;
	struct loop_timer tick;                            /* runs while answers wait */
	LIST_HEAD(requests_stuck, requests_channel) stuck; /* channels with answers that wait */
};

/* A channel of the holder. */
struct requests_channel {
	struct holder_channel holder; /* first */
	struct requests *owner;       /* NULL: it has asked for nothing */
	struct requests_list dialing, answers;
	unsigned count; /* of both */
	bool is_stuck;
	LIST_ENTRY(requests_channel) stuck;
};

/* loops: of all workers of the port. Returns 0 or -ENOMEM. */
int requests_init(struct requests *, struct loop *, struct dialer *, struct health *,
		  uint32_t endpoints, unsigned loops);
/* Its channels have left by then. */
void requests_release(struct requests *);

/* As struct holder_ops wants them. */
int requests_serve(struct requests *, struct requests_channel *);
void requests_writable(struct requests_channel *);
void requests_leave(struct requests_channel *);

#endif
