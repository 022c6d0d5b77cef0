/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/mark.h"

#include <sys/stat.h>

static bool time_equal(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

struct file_mark file_mark_of(const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return (struct file_mark){.device = st->st_dev, .inode = st->st_ino};
	return (struct file_mark){.device = st->st_dev,
				  .inode = st->st_ino,
				  .size = st->st_size,
				  .modified = st->st_mtim,
				  .changed = st->st_ctim};
}

bool file_mark_equal(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mounts == b->mounts && time_equal(&a->modified, &b->modified) &&
	       time_equal(&a->changed, &b->changed);
}

int file_mark_order(const struct file_mark *a, const struct file_mark *b)
{
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return a->inode == b->inode ? 0 : a->inode < b->inode ? -1 : 1;
}
