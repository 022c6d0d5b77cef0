/* Runs in a child of the selftest's master, on order. Must never write into a file, nor create one
 * except under the path in the order. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"

static int open_result(long fd)
{
	if (fd < 0)
		return -errno;
	(void)syscall(SYS_close, fd);
	return 0;
}

int try_open_leaked(struct agent *a, const struct order *o)
{
	return open_result(syscall(SYS_openat, a->root_fd, o->path + 1, O_RDONLY | O_CLOEXEC));
}

int try_open_path(struct agent *a, const struct order *o)
{
	(void)a;
	return open_result(syscall(SYS_openat, AT_FDCWD, o->path, O_RDONLY | O_CLOEXEC));
}

int try_open_write(struct agent *a, const struct order *o)
{
	(void)a;
	return open_result(syscall(SYS_openat, AT_FDCWD, o->path, O_WRONLY | O_CLOEXEC));
}

int try_open_moved(struct agent *a, const struct order *o)
{
	if (syscall(SYS_fchdir, a->root_fd) < 0)
		return -errno;
	return open_result(syscall(SYS_openat, AT_FDCWD, o->path + 1, O_RDONLY | O_CLOEXEC));
}

int try_create(struct agent *a, const struct order *o)
{
	return open_result(syscall(SYS_openat, a->root_fd, o->path + 1,
				   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}
