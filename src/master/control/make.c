/*
 * Runs in the master: makes a control socket with a name. Must never take it away from another
 * server that answers on it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/control/control.h"

#define BACKLOG      64
#define PATH_MADE_AT ".%d" /* the temporary name until it listens */

static int address_make(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlcpy(a->sun_path, path, sizeof(a->sun_path)) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

/* Does a server answer on it? 1, 0, or -errno; -EINVAL: the file exists and is not a socket. A full
 * backlog counts as an answer. */
int control_is_answered(const char *path)
{
	struct sockaddr_un a;
	struct stat st;
	int error = address_make(&a, path);
	if (error < 0)
		return error;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EINVAL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	fd_close(&fd);
	if (error == 0 || error == -EAGAIN)
		return 1;
	return error == -ECONNREFUSED || error == -ENOENT ? 0 : error;
}

/* Binds a socket to this name with mode 0600 from the first moment on. */
static int bound(const char *path)
{
	struct sockaddr_un a;
	int error = address_make(&a, path);
	if (error < 0)
		return error;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	const mode_t before = umask(0177);
	error = bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	(void)umask(before);
	if (error < 0) {
		fd_close(&fd);
		return error;
	}
	return fd;
}

/* It listens before it gets its name, so that no other server takes it for one that is left
 * over. */
int control_socket_make(const char *path, struct control_socket *ret)
{
	char made_at[sizeof(ret->path)];
	struct stat st = {.st_ino = 0};
	int answered = control_is_answered(path);
	if (answered != 0)
		return answered < 0 ? answered : -EADDRINUSE;
	int n = snprintf(made_at, sizeof(made_at), "%s" PATH_MADE_AT, path, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(made_at))
		return -ENAMETOOLONG;
	int fd = bound(made_at);
	if (fd < 0)
		return fd;
	int error = 0;
	if (listen(fd, BACKLOG) < 0 || lstat(made_at, &st) < 0 || rename(made_at, path) < 0)
		error = -errno;
	if (error < 0) {
		(void)unlink(made_at);
		fd_close(&fd);
		return error;
	}
	*ret = (struct control_socket){.fd = fd, .device = st.st_dev, .inode = st.st_ino};
	(void)strlcpy(ret->path, path, sizeof(ret->path));
	return 0;
}
