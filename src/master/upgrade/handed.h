/*
 * What the master hands to its next version: its whole state, as records (record.h) in a sealed
 * memory, with the numbers of the descriptors that stay open over the execve(2).
 *
 *   state      the version of the format; another version is refused
 *   configuration, master, kept, control, mounter, socket, root
 *   layout     of the memory of some children, and of it: member
 *   port       and of it: total, listener, file, certificate, death, child, key_channel, report
 *   end
 *
 * The format only grows, so that each version can take over from the next one, too; README.md has
 * the rules. MASTER_STATE_VERSION changes only if an older or newer program would misunderstand
 * these records, or if processes of the two could not live together: the messages of
 * ipc/channel.h, the packets of ipc/key.h and the memory of ipc/tickets.h, because children of the
 * old program continue under the new master. Version 2 is read, too (version2.h).
 */
#ifndef MASTER_HANDED_H
#define MASTER_HANDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define MASTER_STATE_VERSION 3
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
