/*
 * Parts of a configuration that is rewritten: copies with one owner; src/selftest only.
 */
#ifndef SELFTEST_COPIES_H
#define SELFTEST_COPIES_H

#include <stddef.h>

/* All zero: none. */
struct copies {
	void **list; /* owned, and so is each of them */
	size_t count, room;
};

/* A copy of so many bytes, which zeros follow; it lives until the release. NULL: no memory. */
void *copies_add(struct copies *, const void *data, size_t size, size_t zeros);
void copies_release(struct copies *);

#endif
