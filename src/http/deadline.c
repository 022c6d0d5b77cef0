/*
 * Runs in the workers: the limit of time of one exchange. Must never read a clock: the time is an
 * argument.
 *
 * A limit is a window in which bytes of the body must move. If fewer than WINDOW_BYTES come within
 * it, the client is too slow, on purpose or not. Nothing else counts as progress: no bytes in the
 * other direction, no framing, no records without data. While the exchange waits for something
 * else, the window rests and goes on where it stopped, so that a client cannot begin it again and
 * again.
 */
#include "internal.h"

#define WINDOW_BYTES 1024

static void window_begin(struct exchange *ex, uint64_t now_ms, uint64_t left_ms)
{
	ex->window.runs = true;
	ex->window.until_ms = now_ms + left_ms;
}

uint64_t exchange_deadline(struct exchange *ex, enum exchange_wait wait, uint64_t now_ms)
{
	struct exchange_window *w = &ex->window;
	if (wait == EXCHANGE_WAITS_NOT) {
		if (w->runs)
			w->left_ms = w->until_ms > now_ms ? w->until_ms - now_ms : 0;
		w->runs = false;
		return PROTO_NO_DEADLINE;
	}
	if (!w->begun) {
		w->begun = true;
		w->left_ms = ex->loop->limits->body_ms;
		w->base = ex->body_received;
	}
	if (!w->runs)
		window_begin(ex, now_ms, w->left_ms);
	return w->until_ms;
}

bool exchange_expired(struct exchange *ex, uint64_t now_ms)
{
	struct exchange_window *w = &ex->window;
	if (!w->runs || now_ms < w->until_ms)
		return false;
	if (ex->body_received - w->base < WINDOW_BYTES)
		return true;
	w->base = ex->body_received;
	window_begin(ex, now_ms, ex->loop->limits->body_ms);
	return false;
}

void exchange_paused(struct exchange *ex, uint64_t ms)
{
	if (ex->window.runs)
		ex->window.until_ms += ms;
}
