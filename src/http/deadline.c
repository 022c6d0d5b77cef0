/*
 * Runs in the workers: the limit of time of one exchange. Must never read a clock: the time is an
 * argument.
 *
 * The limit of a client is a window in which bytes of the body must move. If fewer than
 * WINDOW_BYTES come within it, the client is too slow, on purpose or not. Nothing else counts as
 * progress: no bytes in the other direction, no framing, no records without data. While the
 * exchange waits for something else, the window rests and goes on where it stopped, so that a
 * client cannot begin it again and again.
 */
#include "internal.h"

#define WINDOW_BYTES 1024

/* A handler that moves no byte for so long, and has not asked for more time, does not answer any
 * more. It is no statement of the configuration: a handler that waits for others has limits of its
 * own, and this one is for what has failed. */
#define WORK_MS 300000

static void window_begin(struct exchange *ex, uint64_t now_ms, uint64_t left_ms)
{
	ex->window.runs = true;
	ex->window.until_ms = now_ms + left_ms;
}

static void window_rest(struct exchange_window *w, uint64_t now_ms)
{
	if (w->runs)
		w->left_ms = w->until_ms > now_ms ? w->until_ms - now_ms : 0;
	w->runs = false;
}

/* Any byte that moves, in whichever direction, begins the time again. */
static uint64_t work_deadline(struct exchange *ex, enum exchange_wait wait, uint64_t now_ms)
{
	struct exchange_work *w = &ex->work;
	const uint64_t moved = ex->body_received + ex->body_sent;
	if (!w->runs || w->moved != moved) {
		w->runs = true;
		w->moved = moved;
		w->until_ms = now_ms + (wait == EXCHANGE_IS_TUNNEL ? ex->loop->limits->idle_ms
								   : WORK_MS + w->more_ms);
	}
	return w->until_ms;
}

void exchange_allow(struct exchange *ex, uint64_t ms)
{
	ex->work.more_ms = ms;
	ex->work.runs = false;
}

uint64_t exchange_deadline(struct exchange *ex, enum exchange_wait wait, uint64_t now_ms)
{
	struct exchange_window *w = &ex->window;
	if (wait != EXCHANGE_WAITS_BODY) {
		window_rest(w, now_ms);
		if (wait != EXCHANGE_WAITS_NOT && !ex->own_limits)
			return work_deadline(ex, wait, now_ms);
	}
	ex->work.runs = false;
	if (wait != EXCHANGE_WAITS_BODY)
		return PROTO_NO_DEADLINE;
	if (!w->begun) {
		w->begun = true;
		w->left_ms = ex->loop->limits->body_ms;
		w->base = ex->body_received;
	}
	if (!w->runs)
		window_begin(ex, now_ms, w->left_ms);
	return w->until_ms;
}

/* Once it was reached, it is reached no more. */
static bool window_over(struct exchange *ex)
{
	ex->window.runs = ex->work.runs = false;
	return true;
}

bool exchange_expired(struct exchange *ex, uint64_t now_ms)
{
	struct exchange_window *w = &ex->window;
	if (ex->work.runs && now_ms >= ex->work.until_ms &&
	    ex->work.moved == ex->body_received + ex->body_sent)
		return window_over(ex);
	if (!w->runs || now_ms < w->until_ms)
		return false;
	if (ex->body_received - w->base < WINDOW_BYTES)
		return window_over(ex);
	w->base = ex->body_received;
	window_begin(ex, now_ms, ex->loop->limits->body_ms);
	return false;
}

void exchange_paused(struct exchange *ex, uint64_t ms)
{
	if (ex->window.runs)
		ex->window.until_ms += ms;
	if (ex->work.runs)
		ex->work.until_ms += ms;
}
