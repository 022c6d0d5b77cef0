/*
 * The mounter: a process that makes document roots which a process cannot leave.
 *
 * A worker that was taken over would leave a plain directory by "..". So it is handed a copy of the
 * directory's mount that begins at the directory and is attached nowhere: there, ".." stays where
 * it is, and no file or directory can be changed, whatever the worker calls (open_tree(2) with
 * OPEN_TREE_CLONE, mount_setattr(2)); only a FIFO in it can be written, if Landlock does not deny
 * that. Mounts beneath the directory are part of the copy as they are when it is
 * made.
 *
 * Such copies take CAP_SYS_ADMIN, which a master must not keep. So it starts a mounter before it
 * gives the capability up, whether or not a port serves files yet: a reload may bring them. The
 * mounter has that capability and no other, and a list of seven system calls: it opens nothing, and
 * does nothing but send a read-only copy of each directory that the master sends it. It ends with
 * the master. It is forked and not executed, so it has a copy of the master's memory; nobody but
 * the master can send it anything.
 */
#ifndef SANDBOX_MOUNTER_H
#define SANDBOX_MOUNTER_H

#include <sys/types.h>

struct sandbox_mounter {
	int fd; /* close on exec; -1: there is none */
	pid_t pid;
};

/* Forks it, from a process with one thread, before sandbox_master(). Its descriptors except its own
 * channel are closed there. Returns 0, or -errno and the mounter has fd -1: -EPERM without the
 * capability. */
int sandbox_mounter_start(struct sandbox_mounter *ret);

/* Makes a copy of an open directory (O_PATH is enough). Returns a descriptor that closes on exec,
 * or -errno. Waits a second at most; a mounter that has ended, or does not answer, is none any
 * longer (fd -1). */
int sandbox_mounter_copy(struct sandbox_mounter *, int dir_fd);

#endif
