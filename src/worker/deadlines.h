/* The limits of time of a connection: one timer, for the one that comes first; src/worker only. */
#ifndef WORKER_DEADLINES_H
#define WORKER_DEADLINES_H

#include "worker/conn.h"

/* Sets the timer for what the connection waits for now. Call it at the end of each turn. */
void deadline_update(struct conn *);

/* The limits have changed: what it waits for begins again with deadline_update(). */
void deadline_restart(struct conn *);

/* Its PROXY header is complete, which takes of the time for what follows. */
void deadline_header_done(struct conn *);

/* The connection lingers from now on: sets its bounds. */
void deadline_linger(struct conn *);
/* The worker begins to drain while the connection lingers: shortens the bounds. */
void deadline_linger_drain(struct conn *);

enum deadline {
	DEADLINE_WAITS,   /* the client was fast enough: nothing is to be done */
	DEADLINE_GOES_ON, /* something changed: the connection needs a turn */
	DEADLINE_ENDS,    /* the connection ends */
	DEADLINE_RESETS,  /* the connection ends by a reset */
};

/* The timer has expired: what does that mean? */
enum deadline deadline_expire(struct conn *);

#endif
