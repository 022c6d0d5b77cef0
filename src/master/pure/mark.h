/* The mark of a file, which shows a change without reading it. Pure. */
#ifndef MASTER_MARK_H
#define MASTER_MARK_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* All zero: the file does not exist. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

bool file_mark_equal(const struct file_mark *, const struct file_mark *);

#endif
