/*
 * Descriptors: a descriptor variable is -1 while it holds none.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Closes *fd unless it is -1, then sets it to -1. Leaves errno alone. */
void fd_close(int *fd);

/* Makes a sealed memfd with these bytes: it cannot be written, grown, shrunk or unsealed. Close on
 * exec, offset 0. Returns the descriptor or -errno. See memfd_create(2) and F_ADD_SEALS in
 * fcntl(2). */
int fd_sealed_memory(const char *name, const void *data, size_t len);

/* Makes a memfd of so many zeros, sealed against resizing and more seals, but not against writing.
 * Close on exec. Returns the descriptor or -errno. */
int fd_shared_memory(const char *name, size_t bytes);
/* Another descriptor of such a memory, by which it can neither be written nor be mapped for
 * writing. Needs /proc. Returns it or -errno. */
int fd_read_only(int fd);

/* Reads a whole file of at most max bytes into new memory, with a NUL after the ret_len bytes. The
 * caller frees it, and wipes it first if it is secret: this function leaves no other copy. A file
 * that can seek is read from its beginning; the descriptor's offset, which other processes may
 * share, is neither used nor changed. Returns 0, -EFBIG when the file is longer than max, else
 * -errno. */
int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len);

/* The bytes that the page cache has. -EAGAIN: none; -EOPNOTSUPP: the file system (like overlayfs
 * and tmpfs) or the kernel cannot read without waiting; else another -errno. */
ssize_t fd_read_cached(int fd, void *out, size_t size, uint64_t at);

#endif
