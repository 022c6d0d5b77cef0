/*
 * Runs in the master: what follows from the facts that events have left, after each turn of the
 * loop, and once a second. Files below leave facts on a child, a port or the master, and never call
 * up: so whatever one event has begun, the next one finds a state that is whole.
 */
#include "master/top.h"

/* --- once a second --------------------------------------------------------------------------- */

void second_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, second));
	const uint64_t elapsed_ms = loop->now_ms - m->watched_ms;
	m->watched_ms = loop->now_ms;
	oom_look(m);
	rates_sample(m);
	expiry_look(m);
	sockets_look(m);
	tickets_look(m);
	tables_look(m);
	watchdog_look(m, elapsed_ms);
	loop_timer_set(loop, timer, loop->now_ms + WATCH_LOOK_MS);
}

void seconds_start(struct master *m)
{
	m->watched_ms = m->loop.now_ms;
	loop_timer_set(&m->loop, &m->second, m->loop.now_ms + WATCH_LOOK_MS);
}

/* --- after each turn -------------------------------------------------------------------------- */

/* Begins what has waited for the end of the last change. */
static void changes_next(struct master *m)
{
	const bool begun = m->settled || m->loop.now_ms - m->started_ms >= START_ENOUGH_MS;
	if (!begun || m->draining || upgrade_under_way(m))
		return;
	upgrade_continue(m);
	/* A roll to this version, begun after an upgrade, comes before another upgrade. */
	if (!m->roll.under_way && !m->upgrade.rolling && upgrade_next(m))
		return;
	/* Reloads and orders take turns, so that neither waits for ever. Ports that must still
	 * follow an upgrade come first; otherwise a reload would renew them twice. */
	if (!m->roll.under_way && m->reloads_turn && !m->upgrade.rolling) {
		m->reloads_turn = false;
		if (reload_next(m))
			return;
	}
	do
		for (size_t i = 0; i < m->ports_count && !m->roll.under_way && !m->draining; i++)
			if (m->ports[i]->order != ORDER_NONE && m->ports[i]->stage == STAGE_CURRENT)
				port_order_carry_out(m->ports[i]);
	while (!m->roll.under_way && !m->draining && reload_next(m));
}

void turn_look(struct master *m)
{
	do {
		if (m->changed)
			notify_changed(m);
		m->changed = false;
		pools_look(m);
		roll_look(m);
		upgrade_look(m);
		switches_look(m);
		changes_next(m);
		ports_sweep(m);
		if (m->reconfigured)
			control_open(m);
		m->reconfigured = false;
		if (!m->roll.under_way) /* it may replace the last port that is not decided */
			master_settle(m);
		if (m->stop_for != NULL)
			master_drain(m, m->stop_for);
		m->stop_for = NULL;
	} while (m->changed);
}
