/*
 * Runs in holders, on requests from workers. A refused request costs the worker that
 * request, a malformed one its channel.
 */
#include "role/holder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syslog.h>
#include <sysexits.h>

#include "base/fd.h"

#define REFUSALS_LOG_MS 10000 /* between two log lines about one channel */

/* --- channels --------------------------------------------------------------------------------- */

static void channel_close(struct holder_channel *c)
{
	struct loop *loop = &c->owner->loop;
	if (c->owner->ops->closed != NULL)
		c->owner->ops->closed(c);
	loop_remove_and_close(loop, &c->io); /* the master holds a duplicate */
	LIST_REMOVE(c, link);
	free(c);
}

static void channel_close_all(struct holder *h)
{
	struct holder_channel *next;
	for (struct holder_channel *c = LIST_FIRST(&h->channels); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		channel_close(c);
	}
}

/* A worker that violates the protocol has been taken over; the master ends it. */
static void channel_abused(struct holder_channel *c)
{
	struct role *r = c->owner->role;
	log_write(&r->log, LOG_ERR, "worker %u violated %s; its channel is closed", c->whose.worker,
		  c->owner->ops->protocol);
	(void)ipc_send(r->channel_fd, IPC_KEY_ABUSED, &c->whose, sizeof(c->whose), NULL, 0);
	channel_close(c);
}

static void channel_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct holder_channel *c = (struct holder_channel *)io;
	(void)loop;
	if ((events & EPOLLOUT) != 0 && c->owner->ops->writable != NULL)
		c->owner->ops->writable(c);
	if (events == EPOLLOUT)
		return;
	const int n = c->owner->ops->serve(c);
	if (n == -EBADMSG || (n == 0 && (events & EPOLLHUP) == 0))
		channel_abused(c); /* an empty packet looks like an end, and so does a half close */
	else if (n == 0 || n == -ECONNRESET) /* the worker is gone */
		channel_close(c);
	/* Other errors, such as a lack of memory, pass: the request waits. The channel stays open,
	 * because a worker cannot get another one. */
}

/* Takes ownership of the descriptor. False: out of memory, and it is closed. */
static bool channel_add(struct holder *h, int fd, const struct ipc_key_channels *whose)
{
	const size_t size = h->ops->channel_size;
	struct holder_channel *c = calloc(1, size > 0 ? size : sizeof(*c));
	if (c == NULL) {
		fd_close(&fd);
		return false;
	}
	*c = (struct holder_channel){.io = {.fd = fd, .ready = channel_ready},
				     .owner = h,
				     .whose = *whose,
				     .requests = bucket_full(h->loop.now_ms)};
	if (loop_add(&h->loop, &c->io, EPOLLIN) < 0) {
		fd_close(&c->io.fd);
		free(c);
		return false;
	}
	LIST_INSERT_HEAD(&h->channels, c, link);
	return true;
}

bool holder_pays(struct holder_channel *c, uint64_t per_second, uint64_t capacity)
{
	return bucket_take(&c->requests, 1, per_second, capacity, c->owner->loop.now_ms);
}

void holder_refused(struct holder_channel *c, const char *what, const char *why)
{
	struct holder *h = c->owner;
	c->refused++;
	if (h->loop.now_ms < c->tell_next_ms)
		return;
	log_write(&h->role->log, LOG_WARNING, "refused worker %u %llu %s%s: %s", c->whose.worker,
		  (unsigned long long)c->refused, what, c->refused == 1 ? "" : "s", why);
	c->refused = 0;
	c->tell_next_ms = h->loop.now_ms + REFUSALS_LOG_MS;
}

/* --- the process ------------------------------------------------------------------------------ */

static void channels_take(struct holder *h, struct ipc_message *m)
{
	struct role *r = h->role;
	struct ipc_key_channels who;
	memcpy(&who, m->payload, sizeof(who));
	for (size_t i = 0; i < m->fds_count; i++) {
		if (!channel_add(h, m->fds[i], &who)) {
			log_write(&r->log, LOG_ERR, "out of memory: worker %u cannot ask it",
				  who.worker);
			(void)ipc_send(r->channel_fd, IPC_KEY_ABUSED, &who, sizeof(who), NULL, 0);
		}
		m->fds[i] = -1;
	}
}

static void told(struct role *r, struct ipc_message *m)
{
	struct holder *h = r->user;
	struct ipc_fault fault;
	switch (m->type) {
	case IPC_DRAIN:
		h->ended = true;
		break;
	case IPC_PING:
		(void)ipc_send(r->channel_fd, IPC_PONG, NULL, 0, NULL, 0);
		break;
	case IPC_KEY_CHANNELS:
		channels_take(h, m);
		break;
	case IPC_FAULT:
		memcpy(&fault, m->payload, sizeof(fault));
		if (h->ops->fault != NULL)
			h->ops->fault(h, &fault);
		break;
	default: /* not permitted in this role, unless it knows it */
		if (h->ops->told != NULL)
			h->ops->told(h, m);
		break;
	}
}

static void log_tick_expired(struct loop *loop, struct loop_timer *timer)
{
	struct holder *h = (struct holder *)((char *)timer - offsetof(struct holder, log_tick));
	log_tick(&h->role->log);
	if (log_outstanding(&h->role->log))
		loop_timer_set(loop, timer, loop->now_ms + LOG_TICK_MS);
}

static void serve(struct holder *h)
{
	struct log *log = &h->role->log;
	while (!h->ended) {
		int error = loop_turn(&h->loop, -1);
		if (error < 0) {
			log_write(log, LOG_CRIT, "the event loop failed: %s", strerror(-error));
			return;
		}
		if (log_outstanding(log) && !loop_timer_is_set(&h->log_tick)) {
			ipc_slot_put(&h->role->slots[0].counters.log_dropped, log_dropped(log));
			loop_timer_set(&h->loop, &h->log_tick, h->loop.now_ms + LOG_TICK_MS);
		}
	}
	loop_rest(&h->loop);
}

int holder_run(struct holder *h)
{
	struct role *r = h->role;
	LIST_INIT(&h->channels);
	int error = loop_init(&h->loop);
	h->loop.busy_since_ms = &r->slots[0].busy_since_ms;
	if (h->ops->turn_requests > 0)
		h->loop.events_max = h->ops->turn_requests;
	if (error == 0)
		error = loop_timer_init(&h->loop, &h->log_tick, log_tick_expired);
	if (error == 0)
		error = role_listen(r, &h->loop,
				    h->ops->permits != NULL ? h->ops->permits : ipc_to_keyholder,
				    told, NULL, h);
	if (error < 0)
		role_fail(r, role_status(r, -error), "cannot make the event loop: %s",
			  strerror(-error));
	if (h->ops->begun != NULL)
		h->ops->begun(h);
	role_seal(r, &h->loop);
	serve(h);
	channel_close_all(h);
	if (h->ops->ending != NULL)
		h->ops->ending(h);
	loop_release(&h->loop);
	role_release(r);
	return h->ended ? EX_OK : EX_SOFTWARE;
}
