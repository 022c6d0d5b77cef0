/*
 * Runs in the workers: paces the body of a response. Must never ask for bytes before their time
 * (a timer of the loop says when), nor hold any: what it does not give stays where it is.
 *
 * A response may give a quantum at once, and saves up as much; then it waits until it has another
 * one. The quantum is what the rate has in 50 ms, but at least what a record of TLS is worth its
 * cost for, if the rate has that in a second. So a response gives bytes each second at least, and
 * no limit of time sees one that is paced as one that does not go on.
 */
#include <stdlib.h>

#include "base/num.h"
#include "filter/kinds.h"
#include "net/loop.h"

#define QUANTA_PER_SECOND 20
#define QUANTUM_MIN       4096

/* What one response may still give. */
struct rate_state {
	struct loop_timer timer;
	struct exchange *ex;
	struct loop *loop;
	uint64_t quantum;
	uint64_t have;     /* bytes */
	uint64_t parts;    /* of the next byte, in thousandths */
	uint64_t since_ms; /* when that was so */
};

static void rate_expired(struct loop *loop, struct loop_timer *timer)
{
	struct rate_state *s =
	    (struct rate_state *)(void *)((char *)timer - offsetof(struct rate_state, timer));
	(void)loop;
	exchange_wake(s->ex);
}

/* For a response that has a body. NULL: out of memory. */
static struct rate_state *rate_new(struct exchange *ex, uint64_t per_second)
{
	struct loop *loop = ex->loop->events;
	struct rate_state *s = arena_take(&ex->arena, sizeof(*s));
	if (s == NULL)
		return NULL;
	const uint64_t least = num_least(per_second, QUANTUM_MIN);
	const uint64_t quantum = per_second / QUANTA_PER_SECOND;
	*s = (struct rate_state){.ex = ex,
				 .loop = loop,
				 .quantum = quantum > least ? quantum : least,
				 .since_ms = loop->now_ms};
	s->have = s->quantum;
	return loop_timer_init(loop, &s->timer, rate_expired) < 0 ? NULL : s;
}

/* What has come since; two quanta are the most, so that a client which did not take any for a
 * while does not get all of that time at once. */
static void rate_fill(struct rate_state *s, uint64_t per_second)
{
	const uint64_t most = 2 * s->quantum, passed_ms = s->loop->now_ms - s->since_ms;
	s->since_ms = s->loop->now_ms;
	if (passed_ms >= 2000 || passed_ms * per_second / 1000 >= most) {
		s->have = most;
		s->parts = 0;
		return;
	}
	s->parts += passed_ms * per_second;
	s->have = num_least(s->have + s->parts / 1000, most);
	s->parts %= 1000;
}

static long rate_give(struct exchange *ex, struct filter_use *use, uint8_t *out, size_t size)
{
	const uint64_t per_second = ((const struct conf_rate *)use->config)->bytes_per_second;
	struct rate_state *s = use->state;
	if (s == NULL)
		s = use->state = rate_new(ex, per_second);
	if (s == NULL)
		return GIVE_FAIL;
	rate_fill(s, per_second);
	if (s->have == 0 || loop_timer_is_set(&s->timer)) {
		const uint64_t lacks = s->have < s->quantum ? s->quantum - s->have : 0;
		if (lacks > 0) {
			loop_timer_set(s->loop, &s->timer,
				       s->loop->now_ms +
					   (lacks * 1000 + per_second - 1) / per_second);
			return GIVE_LATER;
		}
		loop_timer_cancel(s->loop, &s->timer);
	}
	const long n = filter_give_next(ex, use, out, (size_t)num_least(size, s->have));
	if (n > 0)
		s->have -= num_least((uint64_t)n, s->have);
	return n;
}

static void rate_end(struct exchange *ex, struct filter_use *use)
{
	struct rate_state *s = use->state;
	(void)ex;
	if (s != NULL)
		loop_timer_release(s->loop, &s->timer);
}

static const struct filter filter_rate = {.give = rate_give, .end = rate_end};

static bool rate_is_off(const void *options)
{
	return ((const struct conf_rate *)options)->bytes_per_second == 0;
}

const struct filter_kind filter_kind_rate = {.filter = &filter_rate, .is_off = rate_is_off};
