/* Runs in every process; console_open() in the master only. Must never change the mode of a
 * terminal or pipe that others share, nor print a byte that controls a terminal. */
#include "record.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Reopening gives a separate file description for the same terminal, pipe or file, so that
 * O_NONBLOCK affects this process alone. That fails for a socket (ENXIO), without /proc, or for
 * another user's terminal; then a duplicate is used, and sink.c makes sure not to wait on it.
 */
int console_open(void)
{
	struct stat st;
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	if (flags < 0 || fstat(STDERR_FILENO, &st) < 0)
		return -errno;
	/* Two descriptions of one file have two offsets and would overwrite each other's data. */
	if (S_ISREG(st.st_mode) && (flags & O_APPEND) == 0)
		(void)fcntl(STDERR_FILENO, F_SETFL, flags | O_APPEND);

	int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

void console_layout(const struct log *l, const struct log_record *r, bool torn, struct log_wire *w)
{
	static const char newline = '\n';
	struct text t;
	text_init(&t, w->room, sizeof(w->room));
	if (torn)
		text_add_char(&t, newline);
	text_add_str(&t, l->stamp);
	const char ms[] = {',', (char)('0' + r->ms / 100), (char)('0' + r->ms / 10 % 10),
			   (char)('0' + r->ms % 10)};
	text_add(&t, ms, sizeof(ms));
	text_add_str(&t, " - ");
	record_tag(r, &t);
	w->iov[0] = (struct iovec){t.data, t.len};
	w->iov[1] = (struct iovec){(void *)(uintptr_t)r->text.data, r->text.len};
	w->iov[2] = (struct iovec){(void *)(uintptr_t)&newline, 1};
	w->count = 3;
}
