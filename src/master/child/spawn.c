/*
 * Runs in the master, and between fork and exec in the child. A child gets one descriptor, its
 * channel; the first message on it brings everything else. Nothing here waits for a child.
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
#include "base/num.h"
#include "master/state.h"

#define START_TIMEOUT_MS 30000
#define RENEW_RETRY_MS   5000

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
	c->board = board;
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
		keyholders_tell(c);
	else
		keyholder_tell_all(c);
}

static int child_start(struct child *c)
{
	int channel[2] = {-1, -1}, board_fd = -1, log_fd = -1, key_channels[CONF_THREADS_MAX];
	unsigned keys = is_worker(c) ? c->loops : 0;
	const struct ipc_board *board = NULL;
	pid_t pid = -1;

	for (unsigned i = 0; i < keys; i++)
		key_channels[i] = -1;
	c->generation++;
	int error = ipc_channel(channel);
	if (error == 0 && keys > 0)
		error = child_key_channels(c, key_channels);
	if (error == 0)
		error = relay_make(c, &log_fd);
	if (error == 0 && (board_fd = ipc_board_create(c->loops, &board)) < 0)
		error = board_fd;
	if (error == 0)
		error = child_hand_over(c, channel[0], board_fd, key_channels);
	if (error == 0 && (pid = fork()) < 0)
		error = -errno;
	if (pid == 0)
		child_exec(c, channel[1], log_fd);
	if (pid > 0) {
		begun(c, pid, channel[0], board_fd, board);
		channel[0] = board_fd = -1;
	} else {
		child_key_channels_close(c);
		fd_close(&c->relay.io.fd);
		ipc_board_unmap(board, c->loops);
	}
	fd_close(&channel[0]);
	fd_close(&channel[1]);
	fd_close(&board_fd);
	fd_close(&log_fd);
	for (unsigned i = 0; i < keys; i++)
		fd_close(&key_channels[i]);
	return error;
}

/* Fills an empty place; false if the port cannot go on now. */
static bool place_fill(struct child *c)
{
	struct port *p = c->port;
	struct master *m = p->master;
	char delay[NUM_TEXT_MAX];
	if (c->state != CHILD_NONE)
		return true;
	int error = child_start(c);
	if (error == 0)
		return true;
	/* The machine lacks something. That is not the port's fault, so it is only delayed. */
	const uint64_t delay_ms = port_shortage_delay(p);
	(void)snprintf(p->reason, sizeof(p->reason), "%s %u cannot be started: %s", role_name(c),
		       c->number, strerror(-error));
	log_write_for(&m->log, port_number(p), is_worker(c) ? c->number : 0, LOG_ERR,
		      "%s; trying again in %s", p->reason, num_format_duration(delay_ms, delay));
	if (p->stage == STAGE_PREPARED)
		roll_give_up(m, port_number(p), p->reason);
	else
		port_lacks(p, LACKS_FOR_NOW, delay_ms);
	return false;
}

void port_spawn(struct port *p)
{
	struct master *m = p->master;
	if (p->state == PORT_PARKED || p->state == PORT_DRAINING || p->state == PORT_STOPPED)
		return;
	p->state = PORT_STARTING;
	loop_timer_cancel(&m->loop, &p->backoff);
	/* Old certificates do not fit a new key, so a new generation is started instead. */
	if (p->stage == STAGE_CURRENT && m->settled && port_files_changed(p, false)) {
		port_renew(p);
		/* the present processes serve on; if the renewal fails, it is tried again */
		p->state = PORT_BACKOFF;
		loop_timer_set(&m->loop, &p->backoff, m->loop.now_ms + RENEW_RETRY_MS);
		return;
	}
	for (unsigned i = 0; i < p->children_count; i++) {
		/* A worker checks its key before it serves, so the keyholders come first. */
		if (i == p->keyholders && !keyholders_ready(p))
			return;
		if (!place_fill(&p->children[i]))
			return;
	}
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
		child_log(c, LOG_ERR, "does not answer; killing it");
		child_kill(c, c->state == CHILD_STARTING ? "did not get ready" : "did not answer");
		if (c->pinged)
			c->watch.verdict = WATCH_KILLED;
	}
}
