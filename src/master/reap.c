/* Runs in the master, on SIGCHLD: collects every child that has ended, tells why, and lets the
 * policy decide what follows. */
#include <errno.h>
#include <signal.h>
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
		for (unsigned k = 0; k < m->ports[i].children_count; k++) {
			struct child *c = &m->ports[i].children[k];
			if (c->state != CHILD_NONE && c->pid == pid)
				return c;
		}
	return NULL;
}

/* Which system call it was is the child's own last word, and worth no more than that. */
static void violation_describe(struct text *t, const struct child *c)
{
	uint64_t violation = ipc_slot_read(&c->slots[0].violation);
	text_add_str(t, "was ended by its sandbox for ");
	if (violation == 0)
		text_add_str(t, "an unknown system call");
	else
		text_addf(t, "the system call %s (%llu)", sandbox_call_name(violation - 1),
			  (unsigned long long)violation - 1);
}

static void cause_describe(struct text *t, const struct child *c, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		violation_describe(t, c);
	} else if (WIFSIGNALED(status)) {
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

/* Who is being replaced, because files have changed, may find that they do not fit any more. */
static enum restart_cause cause_of(const struct child *c, int status)
{
	bool replaced = c->state == CHILD_DRAINING;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? RESTART_VIOLATION : RESTART_DIED;
	if (WEXITSTATUS(status) == EX_CONFIG)
		return replaced ? RESTART_DRAINED : RESTART_CONFIG;
	return WEXITSTATUS(status) == 0 && c->state != CHILD_STARTING ? RESTART_DRAINED
								      : RESTART_DIED;
}

static void life_describe(struct text *t, const struct child *c, uint64_t uptime_ms)
{
	const char *what = is_worker(c) ? "request" : "signature";
	uint64_t done = 0;
	for (unsigned i = 0; i < c->loops; i++)
		done +=
		    ipc_slot_read(is_worker(c) ? &c->slots[i].requests : &c->slots[i].signatures);
	text_addf(t, "after %llu.%03us and %llu %s%s", (unsigned long long)(uptime_ms / 1000),
		  (unsigned)(uptime_ms % 1000), (unsigned long long)done, what,
		  done == 1 ? "" : "s");
	uint64_t refused = ipc_slot_read(&c->slots[0].refused);
	if (refused > 0)
		text_addf(t, ", %llu refused", (unsigned long long)refused);
}

static uint64_t child_connections(const struct child *c)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < c->loops; i++)
		n += ipc_slot_read(&c->slots[i].connections);
	return n;
}

/* The place in the pool is empty again. */
static void child_release(struct child *c)
{
	struct master *m = c->port->master;
	child_channel_close(c);
	child_sinks_close(c);
	loop_timer_cancel(&m->loop, &c->deadline);
	ipc_slots_unmap(c->slots, c->loops);
	c->slots = NULL;
	c->state = CHILD_NONE;
	c->pid = -1;
	if (is_worker(c))
		child_key_channels_close(c);
	else
		keyholder_lost(c);
}

/* "was killed by signal 9 (SIGKILL) after 12.345s and 45 requests", and what it said itself. */
static void end_describe(struct text *t, const struct child *c, int status)
{
	cause_describe(t, c, status);
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
		m->drained += is_worker(c);
		text_add_str(&t, "drained ");
		life_describe(&t, c, m->loop.now_ms - c->started_ms);
	} else {
		if (WIFSIGNALED(status) || WEXITSTATUS(status) == EX_TEMPFAIL) {
			m->killed++;
			m->cut += child_connections(c);
		}
		end_describe(&t, c, status);
	}
	child_log(c, clean ? LOG_INFO : LOG_WARNING, "%s", line);
	child_release(c);
	keyholders_dismiss(p);
	for (unsigned i = 0; i < p->children_count; i++)
		if (p->children[i].state != CHILD_NONE)
			return;
	p->state = PORT_STOPPED;
}

/* By SIGTERM, in time or not. */
static bool was_drained(int status)
{
	return WIFEXITED(status) &&
	       (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EX_TEMPFAIL);
}

static const char *park_reason(enum restart_cause cause)
{
	switch (cause) {
	case RESTART_CONFIG:
		return "it cannot start as it is configured";
	case RESTART_VIOLATION:
		return "too many forbidden system calls";
	case RESTART_DRAINED:
	case RESTART_DIED:
		break;
	}
	return "too many quick deaths";
}

static void ended_in_service(struct child *c, int status)
{
	struct port *p = c->port;
	struct master *m = p->master;
	char line[2048], delay_text[NUM_TEXT_MAX];
	struct text t;
	uint64_t uptime_ms = m->loop.now_ms - c->started_ms, delay_ms = 0;
	unsigned worker = is_worker(c) ? c->number : 0;
	enum restart_cause cause = cause_of(c, status);

	text_init(&t, line, sizeof(line));
	text_addf(&t, "%s %u (pid %d) ", role_name(c), c->number, (int)c->pid);
	end_describe(&t, c, status);
	bool was_ready = c->state != CHILD_STARTING;
	child_release(c);

	if (p->state == PORT_PARKED) {
		log_write_for(&m->log, port_number(p), worker, LOG_NOTICE, "%s; the port is parked",
			      line);
		keyholders_dismiss(p);
		return;
	}
	int priority = cause == RESTART_DRAINED ? LOG_NOTICE : LOG_WARNING;
	switch (restart_decide(&p->restart, &p->conf->restart, cause, m->loop.now_ms,
			       was_ready ? uptime_ms : 0, &delay_ms)) {
	case RESTART_NOW:
		if (was_drained(status))
			port_renew_files(p, true);
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
		port_park(p, park_reason(cause));
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
