/* Runs in the master, on SIGCHLD: collects every child that has ended, logs why, and lets the
 * policy decide what follows. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syslog.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/text.h"
#include "master/port/port.h"

static struct child *child_find(struct master *m, pid_t pid)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++) {
			struct child *c = &m->ports[i]->children[k];
			if (c->state != CHILD_NONE && c->pid == pid)
				return c;
		}
	return NULL;
}

/* Empties the place in the pool. The port keeps the process's counters. */
static void child_release(struct child *c)
{
	struct master *m = c->port->master;
	struct ipc_counters counted;
	child_counters(c, &counted);
	ipc_counters_keep(&port_heir(c->port)->totals, &counted);
	child_channel_close(c);
	relay_close(c);
	loop_timer_cancel(&m->loop, &c->deadline);
	child_handing_end(c);
	ipc_view_close(&c->view);
	fd_close(&c->board_fd);
	c->state = CHILD_NONE;
	c->pid = -1;
	if (is_worker(c)) {
		child_channels_close(c);
		port_sockets_reset(port_heir(c->port));
	} else {
		holder_lost(c);
	}
}

/* Did it end after SIGTERM, in time or not? */
static bool was_drained(int status)
{
	return WIFEXITED(status) &&
	       (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EX_TEMPFAIL);
}

/* The port has served with these files, so they are right. Then the machine lacks something
 * temporarily, most likely memory. */
static enum restart_cause cause_in_service(const struct port *p, const struct end *e)
{
	enum restart_cause cause = cause_for_restart(e);
	return cause == RESTART_CONFIG && p->files.proven ? RESTART_DIED : cause;
}

/* Do workers that finish their requests ask it? */
static bool is_missed(const struct child *c)
{
	const struct port *p = c->port;
	if (is_worker(c) || channel_handed(c->role) == IPC_FD_KINDS || p->discarded)
		return false;
	for (unsigned i = p->holders; i < p->children_count; i++)
		if (p->children[i].state != CHILD_NONE)
			return true;
	return false;
}

static void replace_while_draining(struct child *c)
{
	if (c->role == IPC_CONNECTOR)
		port_orders_again(c->port);
	const int error = child_spawn(c);
	if (error < 0)
		log_write_for(&c->port->master->log, port_number(c->port), 0, LOG_ERR,
			      "%s %u cannot be started: %s", role_name(c), c->number,
			      strerror(-error));
}

static void ended_while_draining(struct child *c, const struct end *e, const struct report *r)
{
	struct port *p = c->port;
	struct master *m = p->master;
	uint64_t delay_ms = 0;
	bool clean = WIFEXITED(e->status) && WEXITSTATUS(e->status) == EX_OK;
	/* one that ends quickly again is not worth waiting for */
	const bool again =
	    is_missed(c) &&
	    restart_decide(&p->restart, &p->conf->restart, cause_in_service(p, e), m->loop.now_ms,
			   e->starting ? 0 : r->uptime_ms, &delay_ms) == RESTART_NOW;
	/* These count how the server ends: not a port alone, and not a child whose successor does
	 * what is left. */
	const bool counts = m->draining && !again;
	if (counts && clean) {
		m->drained += is_worker(c);
	} else if (counts && (WIFSIGNALED(e->status) || was_drained(e->status))) {
		m->killed++;
		struct ipc_counters counted;
		child_counters(c, &counted);
		m->cut = ipc_count_add(m->cut, counted.connections);
	}
	report_log(r, c, clean ? LOG_INFO : LOG_WARNING, again ? "; starting it again" : "");
	child_release(c);
	if (again)
		replace_while_draining(c);
	holders_dismiss(p);
	for (unsigned i = 0; i < p->children_count; i++)
		if (p->children[i].state != CHILD_NONE)
			return;
	port_stopped(p);
}

/* A process of a new generation has ended before the generation was ready. */
static void ended_in_preparation(struct child *c, const struct report *r)
{
	struct port *p = c->port;
	report_log(r, c, LOG_ERR, "");
	child_release(c);
	port_lose(p, r->text);
}

static const char *park_reason(enum restart_cause cause, enum cause last)
{
	switch (cause) {
	case RESTART_CONFIG:
		return "it cannot start as it is configured";
	case RESTART_VIOLATION:
		return last == CAUSE_SANDBOX ? "too many forbidden system calls"
					     : "too many crashes that could not be recorded";
	case RESTART_DRAINED:
	case RESTART_SHORTAGE: /* never parks */
	case RESTART_DIED:
		break;
	}
	return "too many quick deaths";
}

/* An administrator has drained the process, which is how new files are asked for. */
static void renew_if_asked(struct port *p, const struct end *e)
{
	if (was_drained(e->status) && port_files_changed(p, true))
		port_renew(p);
}

static void replace_now(struct port *p, const struct end *e)
{
	p->restarts++;
	renew_if_asked(p, e);
	port_spawn(p);
}

static void replace_later(struct port *p, const struct end *e, uint64_t delay_ms)
{
	p->restarts++;
	renew_if_asked(p, e);
	port_wait(p, delay_ms);
}

static void ended_in_service(struct child *c, const struct end *e, const struct report *r)
{
	struct port *p = c->port;
	struct master *m = p->master;
	char sequel[64], delay_text[NUM_TEXT_MAX];
	struct err why;
	uint64_t delay_ms = 0;
	const enum restart_cause cause = cause_in_service(p, e);
	const bool drained = r->cause == CAUSE_DRAINED;

	if (p->state == PORT_PARKED) {
		report_log(r, c, LOG_NOTICE, "; the port is parked");
		child_release(c);
		holders_dismiss(p);
		return;
	}
	switch (restart_decide(&p->restart, &p->conf->restart, cause, m->loop.now_ms,
			       e->starting ? 0 : r->uptime_ms, &delay_ms)) {
	case RESTART_NOW:
		report_log(r, c, drained ? LOG_NOTICE : LOG_WARNING, "; starting it again");
		child_release(c);
		replace_now(p, e);
		break;
	case RESTART_LATER:
		(void)snprintf(sequel, sizeof(sequel), "; starting it again in %s",
			       num_format_duration(delay_ms, delay_text));
		report_log(r, c, LOG_WARNING, sequel);
		child_release(c);
		replace_later(p, e, delay_ms);
		if (cause == RESTART_SHORTAGE) {
			(void)strlcpy(p->reason, r->text, sizeof(p->reason));
			port_lacks(p, LACKS_FOR_NOW, delay_ms);
		}
		break;
	case RESTART_PARK:
		report_log(r, c, LOG_ERR, "");
		err_set(&why, "%s%s%s", park_reason(cause, r->cause),
			cause == RESTART_CONFIG && c->failure[0] != '\0' ? ": " : "",
			cause == RESTART_CONFIG ? c->failure : "");
		child_release(c);
		port_park(p, why.text);
		break;
	}
	m->changed = true;
}

static void child_ended(struct child *c, int status)
{
	struct end e;
	struct report r;
	child_last_words(c);
	tickets_holder_ended(c, status);
	relay_finish(c);
	end_gather(&e, c, status);
	report_make(&r, c, &e);
	if (r.cause != CAUSE_DRAINED && c->port->stage != STAGE_PREPARED && !c->port->discarded)
		report_keep(port_heir(c->port), &r);
	if (c->port->state == PORT_DRAINING)
		ended_while_draining(c, &e, &r);
	else if (c->port->stage == STAGE_PREPARED)
		ended_in_preparation(c, &r);
	else
		ended_in_service(c, &e, &r);
}

void master_reap(struct master *m)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0 ||
	       (pid < 0 && errno == EINTR)) {
		struct child *c = pid < 0 ? NULL : child_find(m, pid);
		const bool goes_on = pid > 0 && (WIFSTOPPED(status) || WIFCONTINUED(status));
		if (pid > 0 && pid == m->upgrade.checking && !m->upgrade.checked && !goes_on) {
			m->upgrade.checked = true;
			m->upgrade.status = status;
		}
		if (pid > 0 && pid == m->mounter.pid && !goes_on)
			mounter_ended(m);
		if (c == NULL)
			continue; /* or an orphan that became our child, as PID 1 gets them */
		if (goes_on)
			c->watch.stopped = WIFSTOPPED(status);
		else
			child_ended(c, status);
	}
}
