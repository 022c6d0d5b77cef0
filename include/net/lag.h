/*
 * How far an event loop is behind, and which requests it should shed for that.
 *
 * What has come waits for its turn in the kernel's list of ready descriptors. A probe is one more
 * entry of that list: the time from its writing to its turn is the time that a request would have
 * waited. A loop that is idle has no probes, and a busy one has two system calls for one every 20
 * ms.
 *
 * A loop is behind if every probe of a whole window waited for longer than the limit: then the list
 * does not get shorter by itself (the idea is CoDel's, RFC 8289, 3). It sheds a share of the new
 * requests that doubles with each further window, and halves with each in which a probe was in
 * time: so the others are served in time, instead of all of them late.
 */
#ifndef NET_LAG_H
#define NET_LAG_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

#define LAG_PROBE_MS  20
#define LAG_WINDOW_MS 100 /* at least; a longer limit has a window as long as itself */
#define LAG_SHARES    64  /* of these parts, 60 are shed at most */

struct lag {
	struct loop_io probe; /* first; an eventfd, or -1 */
	uint64_t limit_ms;
	uint64_t sent_ns;  /* of the probe under way; 0: none is */
	uint64_t next_ms;  /* the next probe, at the earliest */
	uint64_t begun_ms; /* of the window; 0: none has begun */
	uint64_t least_ms; /* that a probe of the window has waited */
	uint64_t last_ms;  /* that the last probe has waited */
	unsigned share;    /* of LAG_SHARES parts of requests that are shed */
	unsigned sum;      /* which one is next */
	uint64_t shed;     /* requests */
};

/* Before the process is sealed. 0 or -errno. */
int lag_init(struct lag *, struct loop *, uint64_t limit_ms);
void lag_release(struct lag *, struct loop *);

/* A request came: is it to be shed? Sends a probe, too, when it is time for one. */
bool lag_sheds(struct lag *, struct loop *);

/* For lag.c and its test: a probe has waited so long; pure. */
void lag_note(struct lag *, uint64_t waited_ms, uint64_t now_ms);

#endif
