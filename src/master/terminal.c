/*
 * Runs in the master: the terminal on which the server was started, if any. SIGHUP can mean that a
 * reload is wanted, or that this terminal is gone, which ends a server in the foreground. It is the
 * second if the terminal was hung up and the signal came from the kernel or from a process of the
 * terminal's session, such as a shell that passes it on (tty_ioctl(4), credentials(7)). Must never
 * read from the terminal, nor pass it to a child.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/top.h"

/* Reopens the terminal to watch it. Typed text stays private: this descriptor is never read, and
 * children do not get it. */
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

/* A shell passes the signal on when it ends, so it may be gone already. A sender outside this PID
 * namespace is 0, which is not a shell. */
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
