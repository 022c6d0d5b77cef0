/*
 * What the master hands to its next version: its whole state, as records (record.h) in a sealed
 * memory, with the numbers of the descriptors that stay open over the execve(2).
 *
 *   state      the version of the format; another version is refused
 *   configuration, master, kept, control, socket, root
 *   port       and of it: listener, file, certificate, death, child, key_channel, report
 *   end
 *
 * MASTER_STATE_VERSION must change whenever an older or newer program could misunderstand these
 * records, the messages of ipc/channel.h or the memory of ipc/slot.h and ipc/tickets.h, because
 * children of the old program continue under the new master. The sizes of those are compared, too.
 */
#ifndef MASTER_HANDED_H
#define MASTER_HANDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define MASTER_STATE_VERSION 2
/* the check prints this, and nothing else does */
#define MASTER_CONSENT  "goes on from this state"
#define STATE_BYTES_MAX ((size_t)256 << 20)

struct master;

/* The descriptors that must stay open. */
struct kept {
	int *fds;
	size_t made; /* the first so many were made for the state, and are of no other use */
	size_t count;
	size_t room;
	bool failed;
};

/* Writes the state into a sealed memory and lists the descriptors that belong to it, without the
 * memory's own. Returns the memory's descriptor, or -errno. Call kept_release() in any case. */
int state_save(const struct master *, struct kept *);
/* Closes the descriptors that were made for this alone, and the memory (-errno: none). */
void kept_release(struct kept *, int state_fd);

/* Creates configurations and ports from the state. Touches no descriptors except those of
 * configurations, and starts nothing. Returns 0, or -1 and a sentence: the master cannot be used
 * then. */
int state_restore(struct master *, int state_fd, struct err *);

#endif
