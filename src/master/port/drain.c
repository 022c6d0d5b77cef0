/* Runs in the master: the orderly end of ports and of the server, its deadline, and the hurried
 * end. */
#include <errno.h>
#include <signal.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/num.h"
#include "master/state.h"

static const char too_late[] = "had not finished in time";

/* Tells a worker to finish its requests; a keyholder goes on until no worker is left. */
static void drain(struct child *c, enum ipc_type how)
{
	c->leaving = how == IPC_RETIRE && is_worker(c) && !c->left;
	c->state = CHILD_DRAINING;
	loop_timer_cancel(&c->port->master->loop, &c->deadline);
	if (is_worker(c) && c->channel.fd >= 0)
		(void)ipc_send(c->channel.fd, how, NULL, 0, NULL, 0);
}

void child_drain(struct child *c)
{
	drain(c, IPC_DRAIN);
}

/* Kills the workers. why: static text that follows "because it ". */
static void workers_kill(struct port *p, const char *why)
{
	for (unsigned k = 0; k < p->children_count; k++)
		if (is_worker(&p->children[k]))
			child_kill(&p->children[k], why);
}

void port_limit_expired(struct loop *loop, struct loop_timer *timer)
{
	struct port *p = (struct port *)((char *)timer - offsetof(struct port, limit));
	(void)loop;
	log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING,
		      "time is up: killing what is left of generation %u", p->generation);
	workers_kill(p, too_late);
}

/* Has every generation of the port stopped? Only then is a stop by order complete. */
static bool is_gone(const struct master *m, unsigned number)
{
	for (size_t i = 0; i < m->ports_count; i++)
		if (port_number(m->ports[i]) == number && m->ports[i]->state != PORT_STOPPED)
			return false;
	return true;
}

void port_stopped(struct port *p)
{
	p->state = PORT_STOPPED;
	loop_timer_cancel(&p->master->loop, &p->limit);
	askers_tell(&p->waiting, "the port was stopped");
	struct port *heir = port_heir(p);
	if (is_gone(p->master, port_number(p)))
		askers_tell(&heir->stopping, NULL);
	master_changed(p->master);
}

bool port_is_empty(const struct port *p)
{
	for (unsigned k = 0; k < p->children_count; k++)
		if (p->children[k].state != CHILD_NONE)
			return false;
	return true;
}

void port_drain(struct port *p)
{
	struct master *m = p->master;
	port_unlisten(p);
	loop_timer_cancel(&m->loop, &p->backoff);
	if (m->draining && port_reason(p) != NULL)
		p->ended_as = port_state_name(p->state);
	p->state = PORT_DRAINING;
	for (unsigned k = 0; k < p->children_count; k++)
		if (p->children[k].state != CHILD_NONE)
			drain(&p->children[k],
			      p->stage == STAGE_RETIRED && !m->draining ? IPC_RETIRE : IPC_DRAIN);
	keyholders_dismiss(p);
	if (port_is_empty(p))
		port_stopped(p);
	else
		loop_timer_set(&m->loop, &p->limit, m->loop.now_ms + m->conf->drain_ms);
}

void port_retire(struct port *p, const struct port *heir)
{
	p->stage = STAGE_RETIRED;
	port_hang_up(p, heir);
	port_drain(p);
}

void port_discard(struct port *p, const struct port *current)
{
	p->discarded = true;
	port_retire(p, current);
}

void master_drain(struct master *m, const char *why)
{
	char limit[NUM_TEXT_MAX];
	if (m->draining)
		return;
	m->draining = true;
	log_write(&m->log, LOG_NOTICE, "%s: stopping, requests in flight have %s", why,
		  num_format_duration(m->conf->drain_ms, limit));
	roll_give_up(m, 0, "the server is stopping");
	upgrade_give_up(m);
	askers_tell_all(m, "the server is stopping");
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		port_hang_up(p, NULL);
		port_drain(p);
		loop_timer_cancel(&m->loop, &p->limit); /* the server's limit applies to all */
	}
	notify_stopping(m);
	loop_timer_set(&m->loop, &m->drain_deadline, m->loop.now_ms + m->conf->drain_ms);
}

static int signal_send(pid_t pid, int thread, int number)
{
	return thread > 0 ? tgkill(pid, thread, number) : kill(pid, number);
}

/* If the master is not root but may change users (capabilities(7)), only the child's own user can
 * signal a child that changed its user. */
static void signal_as(uid_t uid, pid_t pid, int thread, int number)
{
	uid_t own = geteuid();
	if (setresuid((uid_t)-1, uid, (uid_t)-1) < 0)
		return;
	(void)signal_send(pid, thread, number);
	(void)!setresuid((uid_t)-1, own, (uid_t)-1);
}

void child_signal(const struct child *c, int thread, int number)
{
	if (c->state == CHILD_NONE || c->pid <= 0) /* kill(-1) would reach every process */
		return;
	if (signal_send(c->pid, thread, number) < 0 && errno == EPERM)
		signal_as(child_identity(c)->uid, c->pid, thread, number);
}

void child_kill(struct child *c, const char *why)
{
	c->killed_for = why;
	c->watch.verdict = WATCH_FINE; /* the hurried end comes first */
	child_signal(c, 0, SIGKILL);
}

/* The keyholders end when no worker is left, and have their own deadline. */
void master_kill_all(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		workers_kill(m->ports[i],
			     m->hurried ? "was still there at the second signal" : too_late);
}

void drain_deadline_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m =
	    (struct master *)((char *)timer - offsetof(struct master, drain_deadline));
	(void)loop;
	log_write(&m->log, LOG_WARNING, "time is up: killing what is left");
	master_kill_all(m);
}

bool master_is_done(const struct master *m)
{
	if (!m->draining)
		return false;
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->state != PORT_STOPPED)
			return false;
	return true;
}
