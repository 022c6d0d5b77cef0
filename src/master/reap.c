/* Runs in the master, on SIGCHLD: collects every child that has ended, tells why, and lets the
 * policy decide what follows. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syslog.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/num.h"
#include "base/text.h"
#include "master/state.h"

static struct child *child_find(struct master *m, pid_t pid)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i].conf->workers; k++) {
			struct child *c = &m->ports[i].children[k];
			if (c->state != CHILD_NONE && c->pid == pid)
				return c;
		}
	return NULL;
}

static void cause_describe(struct text *t, int status)
{
	if (WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));
		text_addf(t, "was killed by signal %d (SIG%s)", WTERMSIG(status),
			  name != NULL ? name : "?");
	} else if (WEXITSTATUS(status) == 0) {
		text_add_str(t, "ended by itself");
	} else {
		text_addf(t, "ended with status %d%s", WEXITSTATUS(status),
			  WEXITSTATUS(status) == EX_CONFIG ? " (configuration)" : "");
	}
}

static void life_describe(struct text *t, const struct child *c, uint64_t uptime_ms)
{
	uint64_t requests = 0;
	for (unsigned i = 0; i < c->port->conf->threads; i++)
		requests += ipc_slot_read(&c->slots[i].requests);
	text_addf(t, "after %llu.%03us and %llu request%s", (unsigned long long)(uptime_ms / 1000),
		  (unsigned)(uptime_ms % 1000), (unsigned long long)requests,
		  requests == 1 ? "" : "s");
}

static uint64_t child_connections(const struct child *c)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < c->port->conf->threads; i++)
		n += ipc_slot_read(&c->slots[i].connections);
	return n;
}

/* The place in the pool is empty again. */
static void child_release(struct child *c)
{
	struct master *m = c->port->master;
	child_channel_close(c);
	loop_timer_cancel(&m->loop, &c->deadline);
	ipc_slots_unmap(c->slots, c->port->conf->threads);
	c->slots = NULL;
	c->state = CHILD_NONE;
	c->pid = -1;
}

/* "was killed by signal 9 (SIGKILL) after 12.345s and 45 requests", and what it said itself. */
static void end_describe(struct text *t, const struct child *c, int status)
{
	cause_describe(t, status);
	text_add_char(t, ' ');
	life_describe(t, c, c->port->master->loop.now_ms - c->started_ms);
	if (c->failure[0] != '\0')
		text_addf(t, ": %s", c->failure);
}

static void ended_while_draining(struct child *c, int status)
{
	struct master *m = c->port->master;
	struct port *p = c->port;
	char line[2048];
	struct text t;
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	text_init(&t, line, sizeof(line));
	if (clean) {
		m->drained++;
		text_add_str(&t, "drained ");
		life_describe(&t, c, m->loop.now_ms - c->started_ms);
	} else {
		if (WIFSIGNALED(status) || WEXITSTATUS(status) == EX_TEMPFAIL) {
			m->killed++;
			m->cut += child_connections(c);
		}
		end_describe(&t, c, status);
	}
	log_write_for(&m->log, port_number(p), c->worker, clean ? LOG_INFO : LOG_WARNING,
		      "worker %u (pid %d) %s", c->worker, (int)c->pid, line);
	child_release(c);
	for (unsigned i = 0; i < p->conf->workers; i++)
		if (p->children[i].state != CHILD_NONE)
			return;
	p->state = PORT_STOPPED;
}

static void ended_in_service(struct child *c, int status)
{
	struct port *p = c->port;
	struct master *m = p->master;
	char line[2048], delay_text[NUM_TEXT_MAX];
	struct text t;
	uint64_t uptime_ms = m->loop.now_ms - c->started_ms, delay_ms = 0;
	unsigned worker = c->worker;

	enum restart_cause cause = RESTART_DIED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_CONFIG)
		cause = RESTART_CONFIG;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && c->state != CHILD_STARTING)
		cause = RESTART_DRAINED;

	text_init(&t, line, sizeof(line));
	text_addf(&t, "worker %u (pid %d) ", worker, (int)c->pid);
	end_describe(&t, c, status);
	bool was_ready = c->state != CHILD_STARTING;
	child_release(c);

	if (p->state == PORT_PARKED) {
		log_write_for(&m->log, port_number(p), worker, LOG_NOTICE, "%s; the port is parked",
			      line);
		return;
	}
	int priority = cause == RESTART_DRAINED ? LOG_NOTICE : LOG_WARNING;
	switch (restart_decide(&p->restart, &p->conf->restart, cause, m->loop.now_ms,
			       was_ready ? uptime_ms : 0, &delay_ms)) {
	case RESTART_NOW:
		log_write_for(&m->log, port_number(p), worker, priority, "%s; starting it again",
			      line);
		port_spawn(p);
		break;
	case RESTART_LATER:
		log_write_for(&m->log, port_number(p), worker, priority,
			      "%s; starting it again in %s", line,
			      num_format_duration(delay_ms, delay_text));
		p->state = PORT_BACKOFF;
		loop_timer_set(&m->loop, &p->backoff, m->loop.now_ms + delay_ms);
		break;
	case RESTART_PARK:
		log_write_for(&m->log, port_number(p), worker, LOG_ERR, "%s", line);
		port_park(p, cause == RESTART_CONFIG ? "it cannot start as it is configured"
						     : "too many quick deaths");
		break;
	}
}

void master_reap(struct master *m)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR)) {
		if (pid < 0)
			continue;
		struct child *c = child_find(m, pid);
		if (c == NULL)
			continue; /* an orphan that was given to us, as to any first process */
		child_last_words(c);
		if (m->draining)
			ended_while_draining(c, status);
		else
			ended_in_service(c, status);
	}
}
