/*
 * Runs in the master: new generations of ports, all of them or none. They are prepared beside the
 * old ones, on the same sockets; their workers accept no connection yet. When the last of them is
 * ready, the master orders them to serve, and only then do the old ones drain. If one of them
 * cannot start, or one of its processes ends before that, all of the new ones end, and the old ones
 * are not affected. The roll ends when the old workers have said that they accept no more, so that
 * every later connection reaches the new ones.
 *
 *   (none) ──begin──> ADDING ──go──> PREPARED ──all ready──> COMMITTED ──old ones left──> (none)
 *                        └──── give up ──┴──> (none)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/text.h"
#include "master/change/change.h"

#define LEAVE_MS 1000 /* how long a roll waits for old workers to stop accepting */

void roll_begin(struct master *m, const struct roll_kind *kind)
{
	m->roll.under_way = true;
	m->roll.kind = kind;
}

/* Gives the roll up if one of its ports cannot get ready. */
static bool is_lost(struct master *m)
{
	const struct roll lost = m->roll;
	if (lost.lost[0] == '\0')
		return false;
	m->roll.lost[0] = '\0';
	roll_give_up(m, lost.lost_port, lost.lost);
	return true;
}

/* The marks of files are taken when they are opened, so no later change is missed. */
static bool prepare(struct port *p, const struct port *old, struct err *err)
{
	return port_identify(p, err) == 0 && port_open_files(p, err) == 0 &&
	       port_get_tickets(p, old, err) == 0 && port_get_upstreams(p, old, err) == 0 &&
	       port_bind(p, old, err) == 0;
}

bool roll_add(struct master *m, struct configuration *configuration, const struct conf_port *conf,
	      struct port *old)
{
	struct err err = {"out of memory"};
	struct port *p = port_new(m, configuration, conf, 0);
	if (p == NULL) {
		roll_give_up(m, conf->number, err.text);
		return false;
	}
	/* A port that was stopped by order stays stopped in its new configuration. */
	if (old != NULL && old->by_order) {
		port_become(p, PORT_STOPPED);
		p->by_order = true;
		return true;
	}
	if (!prepare(p, old, &err)) {
		roll_give_up(m, conf->number, err.text);
		return false;
	}
	port_spawn(p);
	return !is_lost(m); /* a process could not be started */
}

static bool is_ready(const struct port *p)
{
	return p->state == PORT_SERVING || p->state == PORT_STOPPED;
}

static bool all_ready(const struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_PREPARED && !is_ready(m->ports[i]))
			return false;
	return true;
}

/* NULL: no memory. */
static struct expiry_of *expiries_of(const struct port *p)
{
	const size_t count = p->conf->certificates_count;
	struct expiry_of *list = calloc(count + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < count; i++)
		list[i] =
		    (struct expiry_of){&p->content.pairs[i], p->conf->certificates[i].certificate};
	return list;
}

/* When the log was last warned of a certificate. */
static void warnings_inherit(struct port *p, const struct port *old)
{
	struct expiry_of *heirs = expiries_of(p), *olds = expiries_of(old);
	if (heirs != NULL && olds != NULL)
		expiries_inherit(heirs, p->conf->certificates_count, olds,
				 old->conf->certificates_count);
	free(heirs);
	free(olds);
}

/* Moves the old generation's counters and waiting clients of the control socket to the new one. */
static void inherit(struct port *p, struct port *old)
{
	ipc_counters_add(&p->totals, &old->totals);
	p->restarts += old->restarts;
	p->rate = old->rate;
	p->switches.next_ms = old->switches.next_ms;
	warnings_inherit(p, old);
	memcpy(p->reports, old->reports, sizeof(p->reports));
	memset(old->reports, 0, sizeof(old->reports));
	p->reports_next = old->reports_next;
	old->reports_next = 0;
	port_orders_inherit(p, old);
}

static void promote(struct port *p)
{
	struct port *old = port_find(p->master, port_number(p));
	p->stage = STAGE_CURRENT;
	for (unsigned i = p->holders; i < p->children_count; i++)
		if (p->children[i].state == CHILD_SERVING && p->children[i].channel.fd >= 0)
			(void)child_send(&p->children[i], IPC_SERVE, NULL, 0);
	if (old == NULL)
		return;
	if (p->tickets == old->tickets && !old->former) /* an adopted one has its own key already */
		port_renew_tickets(p);
	inherit(p, old);
	port_retire(old, p);
}

static void promote_all(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_PREPARED)
			promote(m->ports[i]);
}

/* No client has connected to a socket that does not listen yet, so everything can be undone so
 * far. */
static bool all_listen(struct master *m)
{
	struct err err;
	for (size_t i = 0; i < m->ports_count; i++) {
		const struct port *p = m->ports[i];
		if (p->stage == STAGE_PREPARED && port_listen(p, &err) < 0) {
			roll_give_up(m, port_number(p), err.text);
			return false;
		}
	}
	return true;
}

static void discard_all(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		if (p->stage == STAGE_PREPARED)
			port_discard(p, port_find(m, port_number(p)));
	}
}

static void end(struct master *m, const char *error)
{
	struct roll *r = &m->roll;
	struct roll ended = *r;
	loop_timer_cancel(&m->loop, &m->roll_limit);
	if (ended.kind->ended != NULL && !ended.dry_run)
		ended.kind->ended(m, error);
	*r = (struct roll){.under_way = false, .plan = ended.plan};
	askers_tell(&ended.askers, error);
	plan_release(&r->plan);
	configuration_release(ended.configuration);
	m->changed = true;
}

static bool is_awaited(const struct child *c)
{
	return c->leaving && c->state != CHILD_NONE && c->channel.fd >= 0;
}

/* Every later connection then reaches the new generation. */
static void end_when_all_have_left(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++)
			if (is_awaited(&m->ports[i]->children[k]))
				return;
	end(m, NULL);
}

void roll_limit_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, roll_limit));
	(void)loop;
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++) {
			struct child *c = &m->ports[i]->children[k];
			if (is_awaited(c))
				child_log(c, LOG_WARNING,
					  "has not reported yet that it stopped accepting");
			c->leaving = false;
		}
}

static void commit(struct master *m)
{
	const struct roll_kind *kind = m->roll.kind;
	if (kind->judge != NULL)
		kind->judge(m);
	if (m->roll.dry_run) {
		discard_all(m);
		end(m, NULL);
		return;
	}
	if (!all_listen(m))
		return;
	if (kind->commit != NULL)
		kind->commit(m);
	promote_all(m);
	m->roll.committed = true;
	m->changed = true; /* its end may come at once */
	loop_timer_set(&m->loop, &m->roll_limit, m->loop.now_ms + LEAVE_MS);
}

void roll_go(struct master *m)
{
	if (m->roll.under_way && !m->roll.committed && all_ready(m))
		commit(m);
}

void roll_give_up(struct master *m, unsigned port, const char *why)
{
	char line[1024];
	struct text t;
	if (!m->roll.under_way)
		return;
	if (m->roll.committed) { /* too late */
		end(m, NULL);
		return;
	}
	text_init(&t, line, sizeof(line));
	if (port != 0)
		text_addf(&t, "port %u: ", port);
	text_add_str(&t, why);
	log_write_for(&m->log, port, 0, LOG_ERR, "%s%s failed: %s; nothing has changed",
		      m->roll.kind->what, m->roll.dry_run ? " (dry run)" : "", line);
	discard_all(m);
	end(m, line);
}

void roll_look(struct master *m)
{
	if (is_lost(m))
		return;
	if (m->roll.committed)
		end_when_all_have_left(m);
	else
		roll_go(m);
}
