/*
 * Runs in a keyholder, on requests from workers. A refused request costs the worker that request, a
 * malformed one its channel. No input may end the process.
 */
#include "channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syslog.h>

#include "base/bucket.h"
#include "base/fd.h"
#include "fault.h"

#define REFUSALS_LOG_MS 10000 /* between two log lines about one channel */

struct channel {
	struct loop_io io; /* first */
	struct keyholder *owner;
	LIST_ENTRY(channel) link;
	struct ipc_key_channels whose;
	struct bucket signatures; /* that it may still ask for */
	uint64_t refused;         /* … refusals that were not logged yet */
	uint64_t tell_next_ms;    /* the next refusal is logged at this time at the earliest */
};

static void channel_close(struct channel *c)
{
	struct loop *loop = &c->owner->loop;
	loop_remove_and_close(loop, &c->io); /* the master holds a duplicate */
	LIST_REMOVE(c, link);
	free(c);
}

void channel_close_all(struct keyholder *k)
{
	struct channel *next;
	for (struct channel *c = LIST_FIRST(&k->channels); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		channel_close(c);
	}
}

/* A worker that violates the protocol has been taken over; the master ends it. */
static void channel_abused(struct channel *c)
{
	struct role *r = c->owner->role;
	log_write(&r->log, LOG_ERR, "worker %u violated the key protocol; its channel is closed",
		  c->whose.worker);
	ipc_slot_add(&r->slots[0].counters.signatures_refused, 1);
	(void)ipc_send(r->channel_fd, IPC_KEY_ABUSED, &c->whose, sizeof(c->whose), NULL, 0);
	channel_close(c);
}

static void refused(struct channel *c, const char *why)
{
	struct keyholder *k = c->owner;
	ipc_slot_add(&k->role->slots[0].counters.signatures_refused, 1);
	c->refused++;
	if (k->loop.now_ms < c->tell_next_ms)
		return;
	log_write(&k->role->log, LOG_WARNING, "refused worker %u %llu signature%s: %s",
		  c->whose.worker, (unsigned long long)c->refused, c->refused == 1 ? "" : "s", why);
	c->refused = 0;
	c->tell_next_ms = k->loop.now_ms + REFUSALS_LOG_MS;
}

/* `limits signatures` is per second; a worker may at once ask for one of each key. */
static bool rate_pays(struct channel *c)
{
	const struct keyholder *k = c->owner;
	const uint64_t rate = k->role->port->limits.signatures;
	const uint64_t capacity = rate > k->keys.count ? rate : k->keys.count;
	return bucket_take(&c->signatures, 1, rate, capacity, k->loop.now_ms);
}

static void request_serve(struct channel *c, const struct ipc_key_request *request)
{
	struct keyholder *k = c->owner;
	struct ipc_key_answer answer;
	const char *why;
	if (rate_pays(c)) {
		why = keyring_sign(&k->keys, request, &answer);
	} else {
		answer = (struct ipc_key_answer){.id = request->id, .status = IPC_KEY_REFUSED};
		why = "more than its limit in a second";
	}
	if (why != NULL)
		refused(c, why);
	else
		ipc_slot_add(&k->role->slots[0].counters.signatures, 1);
	if (k->garbage > 0) {
		keyholder_fault_answer(k, c->io.fd, &answer);
		return;
	}
	/* A worker that sends requests and does not read gets no answer. */
	(void)ipc_key_answer(c->io.fd, &answer);
}

static void channel_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct channel *c = (struct channel *)io;
	struct ipc_key_request request;
	(void)loop;
	/* One request per call: an honest loop has only one pending, and the other channels get
	 * their turn. */
	int n = ipc_key_receive_request(io->fd, &request);
	if (n == 1)
		request_serve(c, &request);
	else if (n == -EBADMSG || (n == 0 && (events & EPOLLHUP) == 0))
		channel_abused(c); /* an empty packet looks like an end, and so does a half close */
	else if (n == 0 || n == -ECONNRESET) /* the worker is gone */
		channel_close(c);
	/* Other errors, such as a lack of memory, pass: the request waits. The channel stays open,
	 * because a worker cannot get another one. */
}

bool channel_add(struct keyholder *k, int fd, const struct ipc_key_channels *whose)
{
	struct channel *c = malloc(sizeof(*c));
	if (c == NULL) {
		fd_close(&fd);
		return false;
	}
	*c = (struct channel){.io = {.fd = fd, .ready = channel_ready},
			      .owner = k,
			      .whose = *whose,
			      .signatures = bucket_full(k->loop.now_ms)};
	if (loop_add(&k->loop, &c->io, EPOLLIN) < 0) {
		fd_close(&c->io.fd);
		free(c);
		return false;
	}
	LIST_INSERT_HEAD(&k->channels, c, link);
	return true;
}
