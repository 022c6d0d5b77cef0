/*
 * Runs in every role. Must never know what a descriptor is for, nor block except in epoll_wait.
 */
#include "net/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static void now_read(struct loop *l)
{
	l->now_ns = clock_ns();
	l->now_ms = l->now_ns / 1000000;
}

int loop_init(struct loop *l)
{
	*l = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .events_max = LOOP_EVENTS_MAX};
	if (l->epoll_fd < 0)
		return -errno;
	TAILQ_INIT(&l->soon);
	now_read(l);
	l->busy_since_ms = &l->idle;
	return 0;
}

void loop_release(struct loop *l)
{
	fd_close(&l->epoll_fd);
	free(l->heap);
	l->heap = NULL;
	l->heap_len = l->heap_size = l->timers = 0;
}

/* --- timers ---------------------------------------------------------------------------------- */

/* A binary heap. A key may be earlier than its deadline; it is corrected when it is due. */

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->position = i;
}

static void heap_up(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];
	while (i > 0 && l->heap[(i - 1) / 2]->key_ms > t->key_ms) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= l->heap_len)
			break;
		if (child + 1 < l->heap_len && l->heap[child + 1]->key_ms < l->heap[child]->key_ms)
			child++;
		if (l->heap[child]->key_ms >= t->key_ms)
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

int loop_timer_init(struct loop *l, struct loop_timer *t,
		    void (*expired)(struct loop *, struct loop_timer *))
{
	if (l->timers == l->heap_size) {
		size_t size = l->heap_size > 0 ? l->heap_size * 2 : 16;
		struct loop_timer **heap = reallocarray(l->heap, size, sizeof(*heap));
		if (heap == NULL)
			return -ENOMEM;
		l->heap = heap;
		l->heap_size = size;
	}
	l->timers++;
	*t = (struct loop_timer){.position = LOOP_TIMER_UNSET, .expired = expired};
	return 0;
}

void loop_timer_release(struct loop *l, struct loop_timer *t)
{
	loop_timer_cancel(l, t);
	l->timers--;
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	size_t i = t->position;
	if (i == LOOP_TIMER_UNSET)
		return;
	t->position = LOOP_TIMER_UNSET;
	struct loop_timer *last = l->heap[--l->heap_len];
	if (last == t)
		return;
	heap_put(l, i, last);
	heap_up(l, i);
	heap_down(l, last->position);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t deadline_ms)
{
	if (deadline_ms <= l->now_ms)
		deadline_ms = l->now_ms + 1;
	t->deadline_ms = deadline_ms;
	if (t->position == LOOP_TIMER_UNSET) {
		t->key_ms = deadline_ms;
		heap_put(l, l->heap_len++, t);
		heap_up(l, t->position);
	} else if (deadline_ms < t->key_ms) {
		t->key_ms = deadline_ms;
		heap_up(l, t->position);
	} /* later: corrected when the earlier key is due */
}

/* Runs the timers that are due. It terminates because a timer can only be set for a later time. */
static void timers_run(struct loop *l)
{
	uint64_t now = l->now_ms;
	while (l->heap_len > 0 && l->heap[0]->key_ms <= now) {
		struct loop_timer *t = l->heap[0];
		if (t->deadline_ms > now) {
			t->key_ms = t->deadline_ms;
			heap_down(l, 0);
			continue;
		}
		loop_timer_cancel(l, t);
		t->expired(l, t); /* t may be gone after this */
	}
}

static int timers_wait_ms(const struct loop *l, int max_wait_ms)
{
	if (!TAILQ_EMPTY(&l->soon))
		return 0;
	if (l->heap_len == 0)
		return max_wait_ms;
	uint64_t key = l->heap[0]->key_ms, now = clock_ms();
	uint64_t wait = key > now ? key - now : 0;
	if (max_wait_ms >= 0 && wait > (uint64_t)max_wait_ms)
		return max_wait_ms;
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

/* --- the run list ----------------------------------------------------------------------------- */

void loop_soon(struct loop *l, struct loop_task *t)
{
	if (t->queued)
		return;
	t->queued = true;
	t->turn = l->turn;
	TAILQ_INSERT_TAIL(&l->soon, t, link);
}

/* As if it had been queued in the turn before; those are the first ones. */
void loop_late(struct loop *l, struct loop_task *t)
{
	if (t->queued && t->turn < l->turn)
		return;
	loop_soon_cancel(l, t);
	t->queued = true;
	t->turn = l->turn - 1;
	TAILQ_INSERT_HEAD(&l->soon, t, link);
}

void loop_soon_cancel(struct loop *l, struct loop_task *t)
{
	if (!t->queued)
		return;
	t->queued = false;
	TAILQ_REMOVE(&l->soon, t, link);
}

/* What is queued meanwhile is of this turn, so it waits for the next. */
static void tasks_run(struct loop *l)
{
	struct loop_task *t;
	while ((t = TAILQ_FIRST(&l->soon)) != NULL && t->turn < l->turn) {
		loop_soon_cancel(l, t);
		t->run(l, t); /* t may be gone after this */
	}
}

/* --- descriptors ----------------------------------------------------------------------------- */

int loop_add(struct loop *l, struct loop_io *io, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = io};
	io->events = events;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, io->fd, &event) < 0 ? -errno : 0;
}

int loop_modify(struct loop *l, struct loop_io *io, uint32_t events)
{
	if (io->events == events)
		return 0;
	struct epoll_event event = {.events = events, .data.ptr = io};
	io->events = events;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) < 0 ? -errno : 0;
}

/* Drops the events of this turn that are still to be delivered to io, whose memory may be freed
 * now. */
static void batch_forget(struct loop *l, const struct loop_io *io)
{
	for (int i = l->batch_next; i < l->batch_len; i++)
		if (l->batch[i].data.ptr == io)
			l->batch[i].data.ptr = NULL;
}

bool loop_is_quiet(const struct loop *l, const struct loop_io *io)
{
	for (int i = l->batch_next; i < l->batch_len; i++)
		if (l->batch[i].data.ptr == io)
			return false;
	return !l->batch_full;
}

void loop_remove(struct loop *l, struct loop_io *io)
{
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	batch_forget(l, io);
}

void loop_close(struct loop *l, struct loop_io *io)
{
	batch_forget(l, io);
	fd_close(&io->fd);
}

void loop_remove_and_close(struct loop *l, struct loop_io *io)
{
	if (io->fd < 0)
		return;
	loop_remove(l, io);
	loop_close(l, io);
}

int loop_turn(struct loop *l, int max_wait_ms)
{
	struct epoll_event batch[LOOP_EVENTS_MAX];
	loop_rest(l);
	l->turn++;
	int n = epoll_wait(l->epoll_fd, batch, l->events_max, timers_wait_ms(l, max_wait_ms));
	if (n < 0 && errno != EINTR)
		return -errno;
	now_read(l);
	__atomic_store_n(l->busy_since_ms, l->now_ms, __ATOMIC_RELAXED);
	l->batch = batch;
	l->batch_len = n > 0 ? n : 0;
	l->batch_full = n == l->events_max;
	for (l->batch_next = 0; l->batch_next < l->batch_len;) {
		const struct epoll_event *event = &batch[l->batch_next++];
		struct loop_io *io = event->data.ptr;
		if (io != NULL)
			io->ready(l, io, event->events);
	}
	l->batch_len = l->batch_next = 0;
	l->batch = NULL;
	timers_run(l);
	tasks_run(l);
	return 0;
}
