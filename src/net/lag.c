/* Runs in workers. Must never cost an idle loop a wakeup. */
#include "net/lag.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

#define SHARE_FIRST 8
#define SHARE_MOST  60

static uint64_t window_of(const struct lag *l)
{
	return l->limit_ms > LAG_WINDOW_MS ? l->limit_ms : LAG_WINDOW_MS;
}

static void window_begin(struct lag *l, uint64_t now_ms)
{
	l->begun_ms = now_ms;
	l->least_ms = UINT64_MAX;
}

static void window_judge(struct lag *l)
{
	if (l->least_ms <= l->limit_ms)
		l->share /= 2;
	else if (l->share == 0)
		l->share = SHARE_FIRST;
	else
		l->share = l->share * 2 < SHARE_MOST ? l->share * 2 : SHARE_MOST;
}

void lag_note(struct lag *l, uint64_t waited_ms, uint64_t now_ms)
{
	/* No probe for so long: the loop had nothing to do, and is not behind. */
	if (l->begun_ms == 0 || now_ms - l->begun_ms >= 2 * window_of(l) + waited_ms) {
		l->share = 0;
		window_begin(l, now_ms);
	}
	l->last_ms = waited_ms;
	l->least_ms = num_least(l->least_ms, waited_ms);
	if (now_ms - l->begun_ms < window_of(l))
		return;
	window_judge(l);
	window_begin(l, now_ms);
}

static void probe_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct lag *l = (struct lag *)io;
	uint64_t count;
	(void)events;
	if (read(io->fd, &count, sizeof(count)) != sizeof(count) || l->sent_ns == 0)
		return;
	/* the loop's own time is that of the begin of the turn */
	lag_note(l, (clock_ns() - l->sent_ns) / 1000000, loop->now_ms);
	l->sent_ns = 0;
}

static void probe_send(struct lag *l, const struct loop *loop)
{
	const uint64_t one = 1;
	if (write(l->probe.fd, &one, sizeof(one)) != sizeof(one))
		return;
	l->sent_ns = clock_ns();
	l->next_ms = loop->now_ms + LAG_PROBE_MS;
}

int lag_init(struct lag *l, struct loop *loop, uint64_t limit_ms)
{
	*l = (struct lag){
	    .probe = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = probe_ready},
	    .limit_ms = limit_ms};
	if (l->probe.fd < 0)
		return -errno;
	return loop_add(loop, &l->probe, EPOLLIN);
}

void lag_release(struct lag *l, struct loop *loop)
{
	if (l->probe.fd >= 0)
		loop_close(loop, &l->probe);
}

/* Nothing was asked for so long that there is nothing to shed for any more. */
static bool is_over(const struct lag *l, uint64_t now_ms)
{
	return l->sent_ns == 0 && now_ms - l->begun_ms >= 2 * window_of(l);
}

bool lag_sheds(struct lag *l, struct loop *loop)
{
	if (l->share > 0 && is_over(l, loop->now_ms))
		l->share = 0;
	if (l->sent_ns == 0 && loop->now_ms >= l->next_ms)
		probe_send(l, loop);
	l->sum += l->share;
	if (l->sum < LAG_SHARES)
		return false;
	l->sum -= LAG_SHARES;
	l->shed++;
	return true;
}
