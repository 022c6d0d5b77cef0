/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/restart.h"

static unsigned deaths_within(const struct restart_state *s, uint64_t now_ms, uint64_t window_ms)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->count; i++)
		if (now_ms - s->deaths_ms[i] <= window_ms)
			n++;
	return n;
}

static uint64_t backoff(const struct conf_restart *policy, unsigned row)
{
	uint64_t delay = policy->backoff_min_ms;
	for (unsigned i = 2; i < row && delay < policy->backoff_max_ms; i++)
		delay *= 2;
	return delay < policy->backoff_max_ms ? delay : policy->backoff_max_ms;
}

enum restart_verdict restart_decide(struct restart_state *s, const struct conf_restart *policy,
				    enum restart_cause cause, uint64_t now_ms, uint64_t uptime_ms,
				    uint64_t *ret_delay_ms)
{
	if (cause == RESTART_CONFIG)
		return RESTART_PARK;
	if (cause == RESTART_DRAINED)
		return RESTART_NOW;
	if (cause != RESTART_VIOLATION && uptime_ms >= RESTART_QUICK_MS) {
		s->row = 0;
		if (cause != RESTART_SHORTAGE)
			return RESTART_NOW;
	}
	if (cause == RESTART_SHORTAGE) {
		*ret_delay_ms = backoff(policy, ++s->row + 1);
		return RESTART_LATER;
	}
	s->deaths_ms[s->next] = now_ms;
	s->next = (s->next + 1) % RESTART_DEATHS_MAX;
	if (s->count < RESTART_DEATHS_MAX)
		s->count++;
	s->row++;
	if (deaths_within(s, now_ms, policy->park_window_ms) >= policy->park_after)
		return RESTART_PARK;
	if (s->row == 1)
		return RESTART_NOW;
	*ret_delay_ms = backoff(policy, s->row);
	return RESTART_LATER;
}
