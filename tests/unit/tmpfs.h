#ifndef TESTS_UNIT_TMPFS_H
#define TESTS_UNIT_TMPFS_H

#include <linux/magic.h>
#include <stdbool.h>
#include <sys/vfs.h>

/* Are temporary files in memory? That file system cannot read without waiting (RWF_NOWAIT), nor
 * does it remember names that are not there (RESOLVE_CACHED), so that less is kept of it. */
static inline bool is_tmpfs(void)
{
	struct statfs fs;
	return statfs("/tmp", &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

#endif
