/*
 * Runs in the master: the terminal that the server was started on, if it was. SIGHUP means two
 * things: somebody wants a reload, or that terminal is gone, which ends a server in the foreground.
 * The second is true where the terminal was hung up, and the signal was sent by the kernel or
 * within the terminal's session, by a shell that hands it on (tty_ioctl(4), credentials(7)). Must
 * never read from the terminal, nor hand it on.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/state.h"

/* The kernel sees to it that nobody reads what is typed by it: it is never read here, and children
 * do not get it. */
void terminal_open(struct master *m)
{
	m->terminal_fd = -1;
	if (m->hangup_ignored || m->options->daemonized)
		return;
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	m->terminal_fd = fcntl(fd, F_DUPFD_CLOEXEC, FD_OWN_MIN);
	fd_close(&fd);
}

static bool is_hung_up(int fd)
{
	struct pollfd p = {.fd = fd};
	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

/* A shell that ends hands it on and is gone before this is read; a sender outside of this PID
 * namespace is 0, and nobody's shell. */
static bool is_of_this_session(pid_t sender)
{
	const pid_t session = sender > 0 ? getsid(sender) : 0;
	return session < 0 || session == getsid(0);
}

bool terminal_is_gone(const struct master *m, const struct signalfd_siginfo *info)
{
	if (m->terminal_fd < 0 || !is_hung_up(m->terminal_fd))
		return false;
	return info->ssi_code == SI_KERNEL || is_of_this_session((pid_t)info->ssi_pid);
}
