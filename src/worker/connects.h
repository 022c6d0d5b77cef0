/*
 * Connections to a port's upstreams, of an event loop, between the handler proxy and the port's
 * connector; src/worker only.
 *
 *   ask ──> asked ──> answered
 *             └─ the connector died ──> asked again
 *
 * The connector gets as much time as the ask has. What it has not answered by then, and a moment
 * later, fails here. Unless it has answered others since then, no endpoint is blamed for that, and
 * the master looks whether it hangs. A
 * connector that ends meanwhile
 * is no failure: its successor finds the requests in the channel, and those that the dead one had
 * taken are sent again. While the worker drains, its requests go on to get their connections.
 *
 * A connector that was taken over can send any descriptor that it has. It has no file, and no
 * socket but those that it made and its channels. So it can be the other end of a connection, which
 * it could be anyway: with https it fails as any stranger does. A descriptor that is no connection
 * fails at its first use. One that blocks stops this loop until the watchdog ends the worker; that
 * could not be prevented by a look at it, because its sender may change that at any time. None of
 * this reaches beyond the port.
 */
#ifndef WORKER_CONNECTS_H
#define WORKER_CONNECTS_H

#include "upstream/service.h"
#include "worker/loop.h"

/* After the end of its time, how long an ask waits for the connector to say so, and why. */
#define CONNECTS_GRACE_MS 100
/* The master is told at most so often that the connector does not answer. */
#define CONNECTS_SILENT_MS 1000
/* Lines of the log about endpoints: so many at once, and so many a second. */
#define CONNECTS_LINES_AT_ONCE    20
#define CONNECTS_LINES_PER_SECOND 1

/* Takes the channel. Returns 0 or -errno, and then the descriptor is closed. */
int connects_open(struct worker_loop *, int fd);
/* After the last exchange has ended, and all who ask. */
void connects_close(struct worker_loop *);

#endif
