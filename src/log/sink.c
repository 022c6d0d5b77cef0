/* Runs in every process. Must never wait for the reader of a sink, nor raise SIGPIPE where a flag
 * can prevent it. */
#include "record.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int sink_connect(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, len + 1);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int sink_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -errno : fd;
}

/* A confined process has no send(2), because send(2) can take another address. */
static enum log_way way_of(int fd, bool may_send)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && (flags & O_NONBLOCK) != 0)
		return LOG_WAY_NONBLOCK;
	return may_send && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? LOG_WAY_SEND
								       : LOG_WAY_POLL;
}

/* error: 0 or -errno */
static void sink_state(struct log_sink *s, int error)
{
	s->broken = error < 0;
	s->error = -error;
	s->full = false;
}

static void sink_take(struct log_sink *s, int fd, bool may_send)
{
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	s->fd = fd;
	s->way = way_of(fd, may_send);
	sink_state(s, 0);
}

int log_open(struct log *l, enum log_sink_kind kind, const char *path)
{
	struct log_sink *s = &l->sinks[kind];
	int error = 0;
	int fd = kind == LOG_SINK_CONSOLE ? console_open() : sink_socket();
	if (fd < 0)
		return fd;
	if (kind != LOG_SINK_CONSOLE)
		error = sink_connect(fd, path);
	if (error == -ENAMETOOLONG) { /* no daemon can have such a path */
		fd_close(&fd);
		return error;
	}
	fd_close(&s->fd);
	sink_take(s, fd, true);
	if (l->keeps && s->queue == NULL)
		s->queue = queue_new();
	sink_state(s, error);
	return 0;
}

int log_probe(const char *path)
{
	int fd = sink_socket();
	if (fd < 0)
		return fd;
	const int error = sink_connect(fd, path);
	fd_close(&fd);
	return error;
}

int log_reconnect(struct log *l, enum log_sink_kind kind, const char *path)
{
	struct log_sink *s = &l->sinks[kind];
	if (s->fd < 0 || kind == LOG_SINK_CONSOLE)
		return -EBADF;
	int error = sink_connect(s->fd, path);
	sink_state(s, error);
	return error;
}

void log_adopt(struct log *l, enum log_sink_kind kind, int fd)
{
	log_shut(l, kind);
	sink_take(&l->sinks[kind], fd, false);
}

void log_shut(struct log *l, enum log_sink_kind kind)
{
	struct log_sink *s = &l->sinks[kind];
	if (kind != LOG_SINK_MASTER)
		fd_close(&s->fd);
	s->fd = -1;
	for (size_t at = 0, len; queue_at(s->queue, &at, &len) != NULL;) {
		s->dropped++;
		s->dropped_total++;
	}
	free(s->queue);
	s->queue = NULL;
}

void log_close(struct log *l)
{
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		log_shut(l, (enum log_sink_kind)kind);
}

static ssize_t write_once(const struct log_sink *s, struct iovec *iov, int count)
{
	if (s->way == LOG_WAY_SEND) {
		struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
		return sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (s->way == LOG_WAY_POLL) {
		/* The terminal or pipe is shared and in blocking mode, and setting O_NONBLOCK would
		 * affect the others. So poll first: a record is shorter than PIPE_BUF, and a pipe
		 * that polls writable has room for that. Another writer may still take the room
		 * between the two calls. */
		struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
		int n = poll(&ready, 1, 0);
		if (n == 0)
			errno = EAGAIN;
		if (n <= 0)
			return -1;
	}
	return writev(s->fd, iov, count);
}

/* Is there no reader any more (unix(7), pipe(7), a terminal that hung up)? */
static bool is_gone(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case ENOENT:
	case EPIPE:
	case ENXIO:
	case EIO:
	case EBADF:
		return true;
	default: /* full, too long, out of memory or space: the next record may fit */
		return false;
	}
}

/* Will the sink take more as soon as its reader has read? */
static bool is_full(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ENOMEM;
}

bool sink_write(struct log_sink *s, struct iovec *iov, int count)
{
	size_t total = 0;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;

	ssize_t n;
	do
		n = write_once(s, iov, count);
	while (n < 0 && errno == EINTR);

	if (n < 0) {
		const bool full = is_full(errno);
		if (errno != ENOTCONN ||
		    !s->broken) /* keep the error of connect(), which says more */
			sink_state(s, is_gone(errno) ? -errno : 0);
		s->full = full;
		return false;
	}
	sink_state(s, 0);
	if (n > 0)
		s->torn = (size_t)n < total;
	return (size_t)n == total;
}

bool sink_mark(const struct log_sink *s)
{
	return send(s->fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) == 0 || !is_full(errno);
}

/* Sent data counts as the sender's memory until the receiver reads it: unix(7), SIOCOUTQ. */
bool sink_is_unread(const struct log_sink *s)
{
	int bytes = 0;
	return ioctl(s->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}
