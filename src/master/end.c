/* Runs in the master: the orderly end of the server, its deadline, and the hurried end. Must never
 * wait for a child. */
#include <sys/syslog.h>

#include "base/num.h"
#include "master/top.h"

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

/* The keyholders end when no worker is left, and have their own deadline. */
void master_kill_all(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		port_kill(m->ports[i], m->hurried ? "was still there at the second signal"
						  : "had not finished in time");
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
