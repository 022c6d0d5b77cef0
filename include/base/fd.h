/*
 * Descriptors: a descriptor variable is -1 while it holds none.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>

/* Closes *fd unless it is -1 and makes it -1. errno is left alone. */
void fd_close(int *fd);

/* A sealed memfd (no writing, growing, shrinking, nor unsealing) that holds these bytes, close on
 * exec, offset 0. Returns the descriptor or -errno. See memfd_create(2), fcntl(2) F_ADD_SEALS. */
int fd_sealed_memory(const char *name, const void *data, size_t len);

/* Reads a whole file of at most max bytes into fresh memory (NUL-terminated behind ret_len; the
 * caller frees it, and wipes it if it is secret: no other copy is left). Where the file can seek it
 * is read from its beginning, and the descriptor's offset, which others may share, neither counts
 * nor changes. 0, -EFBIG when it is longer, else -errno. */
int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len);

#endif
