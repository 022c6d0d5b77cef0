/* Runs in connectors, on requests of workers, which may have been taken over. Must never wait for
 * one of them. */
#include "requests.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/num.h"
#include "check.h"
#include "ipc/slot.h"

#define TURN_REQUESTS 16 /* of one channel; then the others have their turn */
#define TICK_MS       20

struct ask {
	struct dial dial; /* first */
	TAILQ_ENTRY(ask) link;
	struct requests_channel *channel;
	uint64_t id;
	bool dialing;
	struct dial_result result; /* once it is no longer */
};

/* --- answers ---------------------------------------------------------------------------------- */

static int ask_answer(const struct ask *a)
{
	const struct dial_result *r = &a->result;
	const struct ipc_connect_answer answer = {
	    .id = a->id, .status = r->status, .error = r->error, .address = r->address};
	return ipc_connect_answer(a->channel->holder.io.fd, &answer, r->fd);
}

static void ask_free(struct ask *a)
{
	struct requests_channel *c = a->channel;
	if (a->dialing) {
		dial_cancel(&a->dial);
		TAILQ_REMOVE(&c->dialing, a, link);
	} else {
		fd_close(&a->result.fd);
		TAILQ_REMOVE(&c->answers, a, link);
	}
	c->count--;
	c->owner->count--;
	free(a);
}

/* Is it something that passes when the worker, or the other workers of this user, read? */
static bool is_passing(int error)
{
	return error == -EAGAIN || error == -ETOOMANYREFS || error == -ENOBUFS || error == -ENOMEM;
}

static void channel_watch(struct requests_channel *c, bool writable)
{
	(void)loop_modify(c->owner->loop, &c->holder.io, EPOLLIN | (writable ? EPOLLOUT : 0));
}

static void channel_is_stuck(struct requests_channel *c, bool stuck)
{
	struct requests *all = c->owner;
	if (stuck == c->is_stuck)
		return;
	c->is_stuck = stuck;
	if (stuck) {
		LIST_INSERT_HEAD(&all->stuck, c, stuck);
		if (!loop_timer_is_set(&all->tick))
			loop_timer_set(all->loop, &all->tick, all->loop->now_ms + TICK_MS);
	} else {
		LIST_REMOVE(c, stuck);
		channel_watch(c, false);
	}
}

/* Sends what the worker takes, in the order in which it was found. Only a channel that is full
 * says when it has room (EPOLLOUT); for all else there is the tick. */
static void channel_send(struct requests_channel *c)
{
	struct ask *a, *next;
	int error = 0;
	for (a = TAILQ_FIRST(&c->answers); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		error = ask_answer(a);
		if (is_passing(error))
			break;
		ask_free(a); /* sent, or the worker is gone */
	}
	channel_is_stuck(c, a != NULL);
	if (a != NULL)
		channel_watch(c, error == -EAGAIN);
}

void requests_writable(struct requests_channel *c)
{
	if (c->owner != NULL)
		channel_send(c);
}

/* The worker has given up waiting for these by now. */
static void channel_drop_late(struct requests_channel *c, uint64_t now_ms)
{
	struct ask *a, *next;
	for (a = TAILQ_FIRST(&c->answers); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		if (now_ms >= a->dial.until_ms)
			ask_free(a);
	}
}

static void requests_tick(struct loop *loop, struct loop_timer *timer)
{
	struct requests *all = (struct requests *)((char *)timer - offsetof(struct requests, tick));
	struct requests_channel *c, *next;
	for (c = LIST_FIRST(&all->stuck); c != NULL; c = next) {
		next = LIST_NEXT(c, stuck);
		channel_drop_late(c, loop->now_ms);
		channel_send(c);
	}
	if (!LIST_EMPTY(&all->stuck))
		loop_timer_set(loop, timer, loop->now_ms + TICK_MS);
}

/* --- requests --------------------------------------------------------------------------------- */

static void request_count(struct ipc_counters *counters, bool connected)
{
	if (counters != NULL)
		ipc_slot_add(connected ? &counters->connects : &counters->connects_failed, 1);
}

static void ask_done(struct dial *d, const struct dial_result *result)
{
	struct ask *a = (struct ask *)d;
	struct requests_channel *c = a->channel;
	const uint32_t endpoint = d->endpoint;
	a->dialing = false;
	a->result = *result;
	TAILQ_REMOVE(&c->dialing, a, link);
	TAILQ_INSERT_TAIL(&c->answers, a, link);
	request_count(c->owner->counters, result->status == IPC_CONNECTED);
	if (result->status == IPC_CONNECTED)
		health_connected(c->owner->health, endpoint);
	else if (result->status != IPC_CONNECT_FULL)
		health_connect_failed(c->owner->health, endpoint, check_dial_why(result));
	if (!c->is_stuck)
		channel_send(c);
}

/* It cannot even be tried. */
static void request_refuse(struct requests_channel *c, const struct ipc_connect_request *r,
			   int error)
{
	const struct ipc_connect_answer answer = {
	    .id = r->id, .status = IPC_CONNECT_FULL, .error = error};
	request_count(c->owner->counters, false);
	/* A worker that asks for more than its share and does not read has no answer. */
	(void)ipc_connect_answer(c->holder.io.fd, &answer, -1);
}

static void request_take(struct requests_channel *c, const struct ipc_connect_request *r)
{
	struct requests *all = c->owner;
	const bool full = c->count >= all->share || all->count >= REQUESTS_MAX;
	struct ask *a = full ? NULL : calloc(1, sizeof(*a));
	if (a == NULL) {
		request_refuse(c, r, full ? 0 : ENOMEM);
		return;
	}
	a->channel = c;
	a->id = r->id;
	a->dialing = true;
	a->result.fd = -1;
	TAILQ_INSERT_TAIL(&c->dialing, a, link);
	c->count++;
	all->count++;
	dial_begin(all->dialer, &a->dial, r->endpoint, r->timeout_ms, ask_done);
}

static void channel_begin(struct requests *all, struct requests_channel *c)
{
	c->owner = all;
	TAILQ_INIT(&c->dialing);
	TAILQ_INIT(&c->answers);
}

int requests_serve(struct requests *all, struct requests_channel *c)
{
	struct ipc_connect_request request = {.id = 0};
	int n = 1;
	if (c->owner == NULL)
		channel_begin(all, c);
	for (int i = 0; i < TURN_REQUESTS; i++) {
		n = ipc_connect_receive_request(c->holder.io.fd, &request);
		if (n != 1)
			break;
		if (request.endpoint >= all->endpoints)
			return -EBADMSG;
		request_take(c, &request);
	}
	return n == -EAGAIN ? 1 : n;
}

static void list_free(struct requests_list *list)
{
	struct ask *a, *next;
	for (a = TAILQ_FIRST(list); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		ask_free(a);
	}
}

void requests_leave(struct requests_channel *c)
{
	if (c->owner == NULL)
		return;
	list_free(&c->dialing);
	list_free(&c->answers);
	channel_is_stuck(c, false);
}

/* --- all of them ------------------------------------------------------------------------------ */

int requests_init(struct requests *all, struct loop *loop, struct dialer *dialer,
		  struct health *health, uint32_t endpoints, unsigned loops)
{
	const uint64_t share =
	    num_least(REQUESTS_MAX / (loops > 0 ? loops : 1), IPC_CONNECT_PENDING_MAX);
	*all = (struct requests){.loop = loop,
				 .dialer = dialer,
				 .health = health,
				 .endpoints = endpoints,
				 .share = share < REQUESTS_SHARE_MIN ? REQUESTS_SHARE_MIN
								     : (unsigned)share};
	LIST_INIT(&all->stuck);
	return loop_timer_init(loop, &all->tick, requests_tick);
}

void requests_release(struct requests *all)
{
	loop_timer_release(all->loop, &all->tick);
}
