/*
 * Runs in a loop. Must never keep a descriptor that nobody has asked for, nor make anybody wait
 * longer than he said because the connector does not answer.
 */
#include "worker/connects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syslog.h>

#include "base/bucket.h"
#include "base/fd.h"
#include "base/num.h"
#include "ipc/connect.h"
#include "tls/client.h"

/* Packets that are taken before others of the loop get their turn. */
#define PACKETS_MAX 64

struct connects {
	struct upstream_service service; /* first */
	struct worker_loop *owner;
	struct loop_io channel;
	struct loop_timer waiting; /* the first one that is due; never later than that */
	/* All that were asked, by their ids. Those up to lost_id are to be sent again. */
	struct upstream_asks asks;
	unsigned asks_count;
	uint64_t last_id, lost_id;
	uint64_t heard_ms;   /* when the connector has answered anything; 0: never */
	uint64_t silent_ms;  /* when the master was told of a silent connector; 0: never */
	struct bucket lines; /* of the log */
	uint64_t unsaid;
};

static uint64_t now_of(const struct connects *c)
{
	return c->owner->loop.now_ms;
}

/* --- the log ---------------------------------------------------------------------------------- */

static bool line_pays(struct connects *c)
{
	if (bucket_take(&c->lines, 1, CONNECTS_LINES_PER_SECOND, CONNECTS_LINES_AT_ONCE, now_of(c)))
		return true;
	c->unsaid++;
	return false;
}

static void line_write(struct connects *c, const char *about, const char *what)
{
	char more[64] = "";
	if (!line_pays(c))
		return;
	if (c->unsaid > 0)
		(void)snprintf(more, sizeof(more), "; %llu more lines about upstreams left out",
			       (unsigned long long)c->unsaid);
	c->unsaid = 0;
	log_write(&c->owner->log, LOG_WARNING, "%s %s%s", about, what, more);
}

static void connects_tell(struct upstream_service *service, uint32_t endpoint, const char *what)
{
	struct connects *c = (struct connects *)service;
	line_write(c, c->owner->worker->port->endpoints[endpoint].url, what);
}

/* --- requests --------------------------------------------------------------------------------- */

static uint64_t due_ms(const struct upstream_ask *ask)
{
	return ask->until_ms + CONNECTS_GRACE_MS;
}

/* Sends one, and makes it the last. */
static int request_send(struct connects *c, struct upstream_ask *ask)
{
	const uint64_t now_ms = now_of(c);
	const uint64_t left_ms = ask->until_ms > now_ms ? ask->until_ms - now_ms : 1;
	const struct ipc_connect_request r = {
	    .id = c->last_id + 1,
	    .endpoint = ask->endpoint,
	    .timeout_ms = (uint32_t)num_least(left_ms, IPC_CONNECT_TIMEOUT_MAX_MS)};
	const int error = ipc_connect_ask(c->channel.fd, &r);
	if (error < 0)
		return error;
	ask->id = ++c->last_id;
	TAILQ_INSERT_TAIL(&c->asks, ask, link);
	c->asks_count++;
	return 0;
}

static void ask_remove(struct connects *c, struct upstream_ask *ask)
{
	TAILQ_REMOVE(&c->asks, ask, link);
	c->asks_count--;
}

/* Those that may be lost are sent again, as far as the channel takes them. */
static void lost_send(struct connects *c)
{
	struct upstream_ask *ask;
	int error = 0;
	while (error == 0 && (ask = TAILQ_FIRST(&c->asks)) != NULL && ask->id <= c->lost_id) {
		ask_remove(c, ask);
		error = request_send(c, ask);
		if (error < 0) { /* it stays where it was */
			TAILQ_INSERT_HEAD(&c->asks, ask, link);
			c->asks_count++;
		}
	}
	(void)loop_modify(&c->owner->loop, &c->channel,
			  error == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* As a rule it is among the first. */
static struct upstream_ask *ask_find(const struct connects *c, uint64_t id)
{
	struct upstream_ask *ask;
	TAILQ_FOREACH(ask, &c->asks, link)
		if (ask->id >= id)
			return ask->id == id ? ask : NULL;
	return NULL;
}

static void answer_take(struct connects *c, const struct ipc_connect_answer *answer, int *fd)
{
	static const enum upstream_connected results[IPC_CONNECT_STATUSES] = {
	    [IPC_CONNECTED] = UPSTREAM_CONNECTED,
	    [IPC_CONNECT_REFUSED] = UPSTREAM_REFUSED,
	    [IPC_CONNECT_TIMED_OUT] = UPSTREAM_TIMED_OUT,
	    [IPC_CONNECT_UNRESOLVED] = UPSTREAM_UNRESOLVED,
	    [IPC_CONNECT_FULL] = UPSTREAM_FULL};
	if (answer->status == IPC_CONNECT_AGAIN) {
		c->lost_id = c->last_id;
		lost_send(c);
		return;
	}
	c->heard_ms = now_of(c);
	struct upstream_ask *ask = ask_find(c, answer->id);
	if (ask == NULL)
		return; /* it was forgotten, or has timed out */
	ask_remove(c, ask);
	const int connected = answer->status == IPC_CONNECTED ? *fd : -1;
	if (connected >= 0)
		*fd = -1; /* it is the asker's */
	ask->answered(ask, results[answer->status], connected, answer->error, &answer->address);
}

/* Takes one packet; false: there is none, or there never will be another one. */
static bool packet_take(struct connects *c)
{
	struct ipc_connect_answer answer = {.id = 0};
	int fd = -1;
	const int n = ipc_connect_receive_answer(c->channel.fd, &answer, &fd);
	if (n == 1)
		answer_take(c, &answer, &fd);
	else if (n == -EBADMSG)
		line_write(c, "the connector", "has sent a malformed answer");
	else if (n == 0)
		loop_remove(&c->owner->loop, &c->channel);
	fd_close(&fd);
	return n == 1 || n == -EBADMSG;
}

static void packets_take(struct connects *c)
{
	for (unsigned i = 0; i < PACKETS_MAX && packet_take(c); i++)
		;
}

/* The master holds the other end, too, so it does not close before this process ends. */
static void channel_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct connects *c = (struct connects *)((char *)io - offsetof(struct connects, channel));
	(void)loop;
	packets_take(c);
	if ((events & EPOLLOUT) != 0)
		lost_send(c);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Only the master can find out whether the connector hangs, and replace it. */
static void silence_tell(struct connects *c)
{
	const uint64_t now_ms = now_of(c);
	if (c->silent_ms != 0 && now_ms - c->silent_ms < CONNECTS_SILENT_MS)
		return;
	c->silent_ms = now_ms;
	(void)ipc_send(c->owner->worker->role->channel_fd, IPC_KEY_SILENT, NULL, 0, NULL, 0);
}

/* The first one that is due, of those up to this id; *ret_next: when the first of the others is. */
static struct upstream_ask *due_find(const struct connects *c, uint64_t last_id, uint64_t *ret_next)
{
	*ret_next = UINT64_MAX;
	for (struct upstream_ask *ask = TAILQ_FIRST(&c->asks); ask != NULL;
	     ask = TAILQ_NEXT(ask, link)) {
		if (due_ms(ask) <= now_of(c) && ask->id <= last_id)
			return ask;
		*ret_next = num_least(*ret_next, due_ms(ask));
	}
	return NULL;
}

/* A connector that has said something since then is only late with this answer: many are due at
 * once, and its channel takes few at a time. */
static enum upstream_connected due_judge(struct connects *c, const struct upstream_ask *ask)
{
	if (c->heard_ms >= ask->until_ms)
		return UPSTREAM_TIMED_OUT;
	silence_tell(c);
	return UPSTREAM_SILENT;
}

/* Whoever is answered may ask again and forget others, so each is sought from the beginning. */
static void waiting_expired(struct loop *loop, struct loop_timer *timer)
{
	struct connects *c =
	    (struct connects *)((char *)timer - offsetof(struct connects, waiting));
	const uint64_t last_id = c->last_id;
	struct upstream_ask *ask;
	uint64_t next_ms;
	packets_take(c);
	while ((ask = due_find(c, last_id, &next_ms)) != NULL) {
		const struct network_address none = {0};
		ask_remove(c, ask);
		ask->answered(ask, due_judge(c, ask), -1, 0, &none);
	}
	if (next_ms != UINT64_MAX)
		loop_timer_set(loop, timer, next_ms);
}

/* --- the service ------------------------------------------------------------------------------ */

static bool connects_ask(struct upstream_service *service, struct upstream_ask *ask)
{
	struct connects *c = (struct connects *)service;
	if (c->asks_count >= IPC_CONNECT_PENDING_MAX || request_send(c, ask) < 0)
		return false;
	if (!loop_timer_is_set(&c->waiting) || c->waiting.deadline_ms > due_ms(ask))
		loop_timer_set(&c->owner->loop, &c->waiting, due_ms(ask));
	return true;
}

static void connects_forget(struct upstream_service *service, struct upstream_ask *ask)
{
	ask_remove((struct connects *)service, ask);
}

/* --- the loop's ------------------------------------------------------------------------------- */

int connects_open(struct worker_loop *l, int fd)
{
	struct connects *c = calloc(1, sizeof(*c));
	int error = c == NULL ? -ENOMEM : loop_timer_init(&l->loop, &c->waiting, waiting_expired);
	if (error < 0) {
		free(c);
		fd_close(&fd);
		return error;
	}
	const struct worker *w = l->worker;
	const uint32_t part = (w->role->start.number - 1) * w->loops_count + l->index;
	ipc_use_begin(&w->use, part);
	c->service = (struct upstream_service){.ask = connects_ask,
					       .forget = connects_forget,
					       .health = w->health,
					       .endpoint_use = ipc_use_endpoints(&w->use, part),
					       .upstream_use = ipc_use_upstreams(&w->use, part),
					       .tls = &transport_tls_client,
					       .tls_contexts = (const void *const *)l->client_peers,
					       .tell = connects_tell};
	c->owner = l;
	c->lines = bucket_full(0);
	TAILQ_INIT(&c->asks);
	c->channel = (struct loop_io){.fd = fd, .ready = channel_ready};
	l->http.upstreams = &c->service;
	return loop_add(&l->loop, &c->channel, EPOLLIN);
}

void connects_close(struct worker_loop *l)
{
	struct connects *c = (struct connects *)l->http.upstreams;
	if (c == NULL)
		return;
	loop_timer_release(&l->loop, &c->waiting);
	loop_remove_and_close(&l->loop, &c->channel);
	free(c);
	l->http.upstreams = NULL;
}
