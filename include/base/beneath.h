/*
 * Which files of a set lie beneath a directory, for many files and many directories: each path is
 * resolved once, and a directory finds its files without looking at the others.
 */
#ifndef BASE_BENEATH_H
#define BASE_BENEATH_H

#include <stdbool.h>
#include <stddef.h>

struct beneath_file {
	char *real;       /* without links; owned */
	const char *path; /* as it was given; borrowed */
};

/* An empty one, of zeros, has no files and may be released. */
struct beneath {
	struct beneath_file *files; /* owned; those of a directory stand together */
	size_t count;
};

/* Resolves each different path once; one that leads to no file is left out. Returns 0 or -ENOMEM.
 */
int beneath_init(struct beneath *, const char *const *paths, size_t count);
/* Takes files whose paths are known, with the list. */
void beneath_take(struct beneath *, struct beneath_file *files, size_t count);
void beneath_release(struct beneath *);

/* Is the path this one, or beneath it? Both are without links, "." and "..". */
bool beneath_covers(const char *real, const char *path);

/* How many of the files are beneath this real path, or are it; the first is *ret (untouched if
 * there is none), and the others follow it. */
size_t beneath_find(const struct beneath *, const char *real, const struct beneath_file **ret);

#endif
