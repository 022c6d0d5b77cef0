/*
 * Where a port's document roots are, as a worker is handed it: the master knows the file system,
 * and the worker sees nothing of it (base/root.h says what it needs these texts for).
 *
 * A sealed memory with three texts for each root, each with a NUL at its end.
 */
#ifndef IPC_PLACES_H
#define IPC_PLACES_H

#include <stddef.h>

#include "base/root.h"

/* Makes the memory from rest, written and real of the roots. Returns a descriptor or -errno. */
int ipc_places_create(const struct root *, size_t count);

/* Reads the memory and lets the texts of the roots point into *ret, which the caller frees after
 * them. Returns 0; or -EBADMSG if it has not exactly count places, or another -errno. */
int ipc_places_read(int fd, struct root *, size_t count, char **ret);

#endif
