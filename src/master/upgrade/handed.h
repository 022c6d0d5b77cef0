/*
 * What the master hands to its next version: everything it knows, as records (record.h) in a sealed
 * memory, with the numbers of the descriptors that stay open over the execve(2).
 *
 *   state      the version of all this; ends what it does not fit
 *   configuration, master, kept, control, socket, root
 *   port       and of it: listener, file, certificate, death, child, key_channel, report
 *   end
 *
 * MASTER_STATE_VERSION is another one whenever an older or newer program could misunderstand these
 * records, the messages of ipc/channel.h or the memory of ipc/slot.h and ipc/tickets.h: children of
 * the old program go on under the new master. The sizes of those are compared, too.
 */
#ifndef MASTER_HANDED_H
#define MASTER_HANDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define MASTER_STATE_VERSION 2
#define MASTER_CONSENT       "goes on from this state" /* what the check says, and only it */
#define STATE_BYTES_MAX      ((size_t)256 << 20)

struct master;

/* The descriptors that are to stay open. */
struct kept {
	int *fds;
	size_t made; /* of these, the first ones: made for the state, and of no use without it */
	size_t count;
	size_t room;
	bool failed;
};

/* Writes the state into a sealed memory and tells which descriptors go with it, the memory's own
 * excepted. The memory, or -errno; kept_release() is to be called either way. */
int state_save(const struct master *, struct kept *);
/* Closes what was made for this alone, the memory (-errno: there is none) included. */
void kept_release(struct kept *, int state_fd);

/* Makes configurations and ports of it; touches no descriptor but those of configurations, and
 * starts nothing. 0, or -1 and a sentence: then the master is of no use. */
int state_restore(struct master *, int state_fd, struct err *);

#endif
