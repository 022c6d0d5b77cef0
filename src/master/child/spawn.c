/*
 * Runs in the master, and between fork and exec in the child. A child gets one descriptor, its
 * channel; the first messages on it bring everything else. Nothing here waits for a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syslog.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/child/child.h"

#define START_TIMEOUT_MS 30000

/* In the child. Calls only functions that are safe after fork. */
static void __attribute__((noreturn)) child_exec(const struct child *c, int channel_fd, int log_fd)
{
	const struct master *m = c->port->master;
	char title[128], argument[] = "--child";
	char *argv[] = {title, argument, m->options->child_option, NULL};
	sigset_t mask;
	/* ps shows this until the role sets its own title; it also reserves the room for that. */
	(void)snprintf(title, sizeof(title), "bulkhead: port %u %s %u", port_number(c->port),
		       role_name(c), c->number);
	/* The master handles the terminal's signals from the first moment on. SIGTERM is blocked
	 * until the role can read it. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	/* sent to all processes of that name, but meant for the master */
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	if (dup2(m->null_fd, STDIN_FILENO) < 0 || dup2(m->null_fd, STDOUT_FILENO) < 0 ||
	    dup2(log_fd, STDERR_FILENO) < 0 || dup2(channel_fd, IPC_CHANNEL_FD) < 0 ||
	    close_range(IPC_CHANNEL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
	    sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
		_exit(EX_OSERR);
	(void)execveat(m->exe_fd, "", argv, m->environment, AT_EMPTY_PATH);
	const int error = errno;
	int n = snprintf(title, sizeof(title), "this program cannot be executed: %s",
			 strerrordesc_np(error));
	(void)ipc_send(IPC_CHANNEL_FD, IPC_FAILED, title, (size_t)n < sizeof(title) ? (size_t)n : 0,
		       NULL, 0);
	_exit(err_is_shortage(error) ? EX_TEMPFAIL : EX_OSERR);
}

static void begun(struct child *c, pid_t pid, int channel_fd, int board_fd,
		  const struct ipc_board *board)
{
	struct master *m = c->port->master;
	c->channel = (struct loop_io){.fd = channel_fd, .ready = child_channel_ready};
	c->pid = pid;
	c->state = CHILD_STARTING;
	c->started_ms = m->loop.now_ms;
	c->board_fd = board_fd;
	c->view = ipc_view_own(board, c->loops);
	c->adopted = false;
	c->killed_for = c->unusable = NULL;
	c->pinged = c->left = c->leaving = false;
	watch_begin(&c->watch);
	c->failure[0] = c->level[0] = '\0';
	c->confinement = (struct sandbox_level){.role = 0};
	c->said = 0;
	c->unread_since_ms = 0;
	loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + START_TIMEOUT_MS);
	relay_begin(c);
	if (loop_add(&m->loop, &c->channel, EPOLLIN) < 0 || relay_watch(c) < 0)
		/* it is reaped and replaced like any other */
		child_kill(c, "could not be watched");
	if (is_worker(c))
		holders_tell(c);
	else
		holder_tell_all(c);
}

int child_spawn(struct child *c)
{
	int channel[2] = {-1, -1}, board_fd = -1, log_fd = -1;
	struct child_ends ends;
	const struct ipc_board *board = NULL;
	pid_t pid = -1;

	c->generation++;
	int error = child_channels(c, &ends);
	if (error == 0)
		error = ipc_channel(channel);
	if (error == 0)
		error = relay_make(c, &log_fd);
	if (error == 0 && (board_fd = ipc_board_create(c->loops, &board)) < 0)
		error = board_fd;
	if (error == 0)
		error = child_hand_over(c, channel[0], board_fd, &ends);
	if (error == 0 && (pid = fork()) < 0)
		error = -errno;
	if (pid == 0)
		child_exec(c, channel[1], log_fd);
	if (pid > 0) {
		begun(c, pid, channel[0], board_fd, board);
		channel[0] = board_fd = -1;
	} else {
		child_channels_close(c);
		fd_close(&c->relay.io.fd);
		ipc_board_unmap(board, c->loops);
	}
	fd_close(&channel[0]);
	fd_close(&channel[1]);
	fd_close(&board_fd);
	fd_close(&log_fd);
	child_ends_close(&ends);
	return error;
}

/* The child did not get ready in time, has closed its channel and still lives, or does not answer a
 * ping. In each case it is useless. */
void child_deadline_expired(struct loop *loop, struct loop_timer *timer)
{
	struct child *c = (struct child *)((char *)timer - offsetof(struct child, deadline));
	(void)loop;
	if (c->unusable != NULL) {
		child_log(c, LOG_ERR, "has not ended; killing it");
		child_kill(c, c->unusable);
	} else if (c->state == CHILD_DRAINING && is_worker(c)) {
		child_log(c, LOG_WARNING, "has not finished in time; killing it");
		child_kill(c, "had not finished in time");
	} else {
		if (c->handing.error != 0)
			child_log(c, LOG_ERR, "cannot be handed its files: %s; killing it",
				  strerror(-c->handing.error));
		else
			child_log(c, LOG_ERR, "does not answer; killing it");
		child_kill(c, c->state == CHILD_STARTING ? "did not get ready" : "did not answer");
		if (c->pinged)
			c->watch.verdict = WATCH_KILLED;
	}
}
