/* The mark of a file, which shows a change without reading it. Pure. */
#ifndef MASTER_MARK_H
#define MASTER_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* All zero: the file does not exist. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
	uint64_t mounts; /* beneath a document root (mounts.h); else 0 */
};

struct stat;

/* A file is known by where it is, its size and its times; a directory by where it is alone: what
 * changes in it is not a change of the port. What is mounted beneath it is not known from this. */
struct file_mark file_mark_of(const struct stat *);

bool file_mark_equal(const struct file_mark *, const struct file_mark *);
/* The order of two files by where they are; 0: they are the same file. */
int file_mark_order(const struct file_mark *, const struct file_mark *);

#endif
