/* What is mounted beneath a folder, as one number. Pure. */
#ifndef MASTER_MOUNTS_H
#define MASTER_MOUNTS_H

#include <stdint.h>

#include "base/beneath.h"

/* All zero: there are none. */
struct mounts {
	struct beneath points;
	char *text; /* owned */
};

/* Takes a text like that of /proc/PID/mountinfo (proc(5)); it is the caller's, and the mounts',
 * which free it. A line that has not its form is left out. 0 or -ENOMEM: then the text was freed.
 */
int mounts_parse(struct mounts *ret, char *text);
void mounts_release(struct mounts *);

/* A number that is another one if anything was mounted there, or beneath it, or unmounted; 0 if
 * nothing is. Options of the mounts do not matter. */
uint64_t mounts_mark(const struct mounts *, const char *real);

#endif
