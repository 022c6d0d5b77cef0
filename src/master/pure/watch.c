/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/watch.h"

void watch_begin(struct watch *w)
{
	*w = (struct watch){.loops = w->loops, .loops_count = w->loops_count};
	for (unsigned i = 0; i < w->loops_count; i++)
		w->loops[i] = (struct watch_loop){0};
}

static bool loop_hangs(struct watch_loop *l, uint64_t turn, uint64_t elapsed_ms, uint64_t limit_ms)
{
	l->seen_ms = turn != 0 && turn == l->turn ? l->seen_ms + elapsed_ms : 0;
	l->turn = turn;
	return l->seen_ms >= limit_ms && l->seen_ms > 0;
}

static bool hangs(struct watch *w, const uint64_t *turns, uint64_t elapsed_ms, uint64_t limit_ms)
{
	bool any = false;
	for (unsigned i = 0; i < w->loops_count; i++)
		if (loop_hangs(&w->loops[i], turns[i], elapsed_ms, limit_ms) && !any) {
			any = true;
			w->loop = i;
		}
	w->stopped_ms = w->stopped && w->seen_stopped ? w->stopped_ms + elapsed_ms : 0;
	w->seen_stopped = w->stopped;
	w->was_stopped = w->stopped_ms >= limit_ms;
	return any || w->was_stopped;
}

enum watch_verdict watch_look(struct watch *w, const uint64_t *turns, uint64_t elapsed_ms,
			      uint64_t limit_ms)
{
	if (elapsed_ms > WATCH_LOOK_MAX_MS)
		elapsed_ms = WATCH_LOOK_MAX_MS;
	switch (w->verdict) {
	case WATCH_FINE:
		if (limit_ms == 0 || !hangs(w, turns, elapsed_ms, limit_ms))
			return WATCH_FINE;
		return w->verdict = WATCH_ABORTED;
	case WATCH_ABORTED:
		w->grace_ms += elapsed_ms;
		if (w->grace_ms < WATCH_GRACE_MS)
			return WATCH_FINE;
		return w->verdict = WATCH_KILLED;
	case WATCH_KILLED:
		break;
	}
	return WATCH_FINE;
}
