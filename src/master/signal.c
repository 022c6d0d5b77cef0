/* Runs in the master: the event loop reads signals; none is handled asynchronously. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "master/top.h"

static void stop(struct master *m, const char *name)
{
	if (!m->draining) {
		master_drain(m, name);
		return;
	}
	if (m->hurried)
		return;
	m->hurried = true;
	log_write(&m->log, LOG_WARNING, "%s again: killing what is left", name);
	master_kill_all(m);
}

static void signal_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct master *m = (struct master *)((char *)io - offsetof(struct master, signals));
	struct signalfd_siginfo info;
	(void)loop;
	(void)events;
	while (read(io->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			master_reap(m);
			break;
		case SIGINT:
			stop(m, "SIGINT");
			break;
		case SIGTERM:
			stop(m, "SIGTERM");
			break;
		case SIGHUP:
			if (terminal_is_gone(m, &info))
				master_drain(m, "the terminal was closed");
			else
				master_reload(m, false, NULL);
			break;
		case SIGUSR2:
			master_upgrade(m, NULL);
			break;
		case SIGUSR1:
			master_tell_status(m);
			break;
		}
	}
}

/* nohup(1) and scripts that start programs in the background ignore some signals. An ignored signal
 * would never be read here, and children that inherit it could not be ended by it. */
static void dispositions_reset(struct master *m)
{
	struct sigaction inherited;
	for (int number = 1; number < SIGRTMIN; number++)
		if (sigaction(number, NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN) {
			m->hangup_ignored |= number == SIGHUP;
			(void)signal(number, SIG_DFL);
		}
}

int signals_start(struct master *m)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	dispositions_reset(m);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	m->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	m->signals.ready = signal_ready;
	if (m->signals.fd < 0)
		return -errno;
	return loop_add(&m->loop, &m->signals, EPOLLIN);
}
