/* Runs in the master: the orderly end, its deadline, and the hurried one. */
#include <signal.h>
#include <sys/syslog.h>

#include "base/num.h"
#include "master/state.h"

void master_drain(struct master *m, const char *why)
{
	char limit[NUM_TEXT_MAX];
	if (m->draining)
		return;
	m->draining = true;
	log_write(&m->log, LOG_NOTICE, "%s: stopping, requests in flight have %s", why,
		  num_format_duration(m->conf->drain_ms, limit));
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = &m->ports[i];
		port_unlisten(p);
		loop_timer_cancel(&m->loop, &p->backoff);
		p->state = PORT_STOPPED;
		for (unsigned k = 0; k < p->conf->workers; k++)
			if (p->children[k].state != CHILD_NONE) {
				p->children[k].state = CHILD_DRAINING;
				loop_timer_cancel(&m->loop, &p->children[k].deadline);
				p->state = PORT_DRAINING;
			}
	}
	children_send(m, IPC_DRAIN, NULL, 0, NULL, 0);
	loop_timer_set(&m->loop, &m->drain_deadline, m->loop.now_ms + m->conf->drain_ms);
}

void child_kill(const struct child *c)
{
	if (c->state != CHILD_NONE && c->pid > 0) /* kill(-1) would be everything there is */
		(void)kill(c->pid, SIGKILL);
}

void master_kill_all(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i].conf->workers; k++)
			child_kill(&m->ports[i].children[k]);
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
		if (m->ports[i].state != PORT_STOPPED)
			return false;
	return true;
}
