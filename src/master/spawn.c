/*
 * Runs in the master, and between fork and exec in the child. A child gets one descriptor, its
 * channel; everything else comes in the first message on it. Nothing here waits for a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syslog.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/state.h"

#define CHANNEL_FD       3
#define START_TIMEOUT_MS 30000

/* In the child. Only what is safe after fork. */
static void __attribute__((noreturn)) child_exec(const struct child *c, int channel_fd)
{
	const struct master *m = c->port->master;
	char title[64];
	char *argv[] = {title, (char[]){"--child"}, NULL};
	sigset_t mask;
	/* What ps shows until the role sets its own; also the room for that. */
	(void)snprintf(title, sizeof(title), "bulkhead: port %u worker %u", port_number(c->port),
		       c->worker);
	/* The terminal's signals are the master's business from the first moment on; SIGTERM waits
	 * until the role can read it. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	if (dup2(m->null_fd, STDIN_FILENO) < 0 || dup2(m->null_fd, STDOUT_FILENO) < 0 ||
	    (m->options->daemonized && dup2(m->null_fd, STDERR_FILENO) < 0) ||
	    dup2(channel_fd, CHANNEL_FD) < 0 ||
	    close_range(CHANNEL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
	    sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
		_exit(EX_OSERR);
	(void)execveat(m->exe_fd, "", argv, environ, AT_EMPTY_PATH);
	_exit(EX_OSERR);
}

/* The canonical text of this one port, sealed. */
static int conf_memory(const struct port *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return -ENOMEM;
	conf_dump_port(p->master->conf, p->conf, f);
	int fd = fclose(f) == 0 ? fd_sealed_memory("bulkhead-conf", text, len) : -ENOMEM;
	free(text);
	return fd;
}

static int start_send(const struct child *c, int channel_fd, int conf_fd, int slots_fd)
{
	const struct port *p = c->port;
	const struct log *log = &p->master->log;
	struct ipc_start start = {.port = port_number(p),
				  .worker = c->worker,
				  .master_pid = getpid(),
				  .log_facility = log->facility,
				  .log_level = log->level,
				  .listeners = p->listeners_count};
	int fds[IPC_FDS_MAX] = {conf_fd, p->tickets_fd, slots_fd};
	size_t count = 3;
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		if (log->sinks[kind].fd >= 0) {
			start.log_sinks |= 1u << kind;
			fds[count++] = log->sinks[kind].fd;
		}
	for (unsigned i = 0; i < p->listeners_count; i++)
		fds[count++] = p->listeners[i];
	return ipc_send(channel_fd, IPC_START, &start, sizeof(start), fds, count);
}

static int child_start(struct child *c)
{
	struct port *p = c->port;
	struct master *m = p->master;
	int channel[2] = {-1, -1}, conf_fd = -1, slots_fd = -1;
	const struct ipc_slot *slots = NULL;
	pid_t pid = -1;

	int error = ipc_channel(channel);
	if (error < 0)
		goto out;
	if ((error = conf_fd = conf_memory(p)) < 0)
		goto out;
	if ((error = slots_fd = ipc_slots_create(p->conf->threads, &slots)) < 0)
		goto out;
	if ((error = start_send(c, channel[0], conf_fd, slots_fd)) < 0)
		goto out;
	pid = fork();
	if (pid == 0)
		child_exec(c, channel[1]);
	if (pid < 0) {
		error = -errno;
		goto out;
	}
	c->channel = (struct loop_io){.fd = channel[0], .ready = child_channel_ready};
	channel[0] = -1;
	c->pid = pid;
	c->state = CHILD_STARTING;
	c->started_ms = m->loop.now_ms;
	c->slots = slots;
	c->failure[0] = '\0';
	c->said = 0;
	loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + START_TIMEOUT_MS);
	if ((error = loop_add(&m->loop, &c->channel, EPOLLIN)) < 0) {
		child_kill(c); /* reaped, and replaced, like any other */
		error = 0;
	}
out:
	fd_close(&channel[0]);
	fd_close(&channel[1]);
	fd_close(&conf_fd);
	fd_close(&slots_fd);
	if (pid < 0)
		ipc_slots_unmap(slots, p->conf->threads);
	return error;
}

void port_spawn(struct port *p)
{
	struct master *m = p->master;
	if (m->draining || p->state == PORT_PARKED)
		return;
	p->state = PORT_STARTING;
	loop_timer_cancel(&m->loop, &p->backoff);
	for (unsigned i = 0; i < p->conf->workers; i++) {
		struct child *c = &p->children[i];
		if (c->state != CHILD_NONE)
			continue;
		int error = child_start(c);
		if (error >= 0)
			continue;
		/* The machine lacks something: no fault of the port's, so it is only delayed. */
		log_write_for(&m->log, port_number(p), c->worker, LOG_ERR,
			      "worker %u cannot be started: %s; trying again", c->worker,
			      strerror(-error));
		p->state = PORT_BACKOFF;
		loop_timer_set(&m->loop, &p->backoff,
			       m->loop.now_ms + p->conf->restart.backoff_max_ms);
		return;
	}
}

void port_spawn_expired(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	port_spawn((struct port *)((char *)timer - offsetof(struct port, backoff)));
}

/* It did not get ready in time, or has closed its channel and lives on: neither can be used. */
void child_deadline_expired(struct loop *loop, struct loop_timer *timer)
{
	struct child *c = (struct child *)((char *)timer - offsetof(struct child, deadline));
	(void)loop;
	log_write_for(&c->port->master->log, port_number(c->port), c->worker, LOG_ERR,
		      "worker %u (pid %d) does not answer; killing it", c->worker, (int)c->pid);
	child_kill(c);
}
