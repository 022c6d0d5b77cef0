/*
 * Runs in the master: decides which keyholder of a port signs for which event loop. It makes the
 * channels and keeps the keyholders' ends, so that a channel survives its keyholder and workers
 * need no new one. It never reads from them.
 *
 * Loop l of worker w is loop (w - 1) * threads + l of the port. The loops are assigned to the
 * keyholders in turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "ipc/key.h"
#include "master/child/child.h"

#define PING_TIMEOUT_MS 2000
#define UNREAD_MS       10000 /* the time in which a keyholder must read the master's messages */

int child_key_channels(struct child *c, int *ret_worker_ends)
{
	unsigned threads = c->port->conf->threads, made = 0;
	int error = 0;
	c->key_ends = calloc(threads, sizeof(*c->key_ends));
	if (c->key_ends == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < threads; i++)
		c->key_ends[i] = ret_worker_ends[i] = -1;
	for (; made < threads; made++) {
		int fds[2];
		if ((error = ipc_key_channel(fds)) < 0)
			break;
		ret_worker_ends[made] = fds[0];
		c->key_ends[made] = fds[1];
	}
	return error;
}

void child_key_channels_close(struct child *c)
{
	for (unsigned i = 0; i < c->port->conf->threads && c->key_ends != NULL; i++)
		fd_close(&c->key_ends[i]);
	free(c->key_ends);
	c->key_ends = NULL;
}

/* Does this keyholder sign for that loop of the worker? */
static bool signs_for(const struct child *keyholder, const struct child *worker, unsigned loop)
{
	const struct port *p = keyholder->port;
	unsigned index = (worker->number - 1) * p->conf->threads + loop;
	return index % p->keyholders == keyholder->number - 1;
}

/* Has the keyholder left messages unread for too long? The kernel counts descriptors in flight per
 * user, and if there are too many, it refuses all of the master's messages, to any port. */
static bool does_not_read(struct child *keyholder)
{
	const uint64_t now_ms = keyholder->port->master->loop.now_ms;
	if (keyholder->state != CHILD_SERVING || !ipc_has_unread(keyholder->channel.fd))
		keyholder->unread_since_ms = 0;
	else if (keyholder->unread_since_ms == 0)
		keyholder->unread_since_ms = now_ms;
	return keyholder->unread_since_ms != 0 && now_ms - keyholder->unread_since_ms >= UNREAD_MS;
}

/* Sends the keyholder the worker's channels. Kills a keyholder that does not read them. */
static void keyholder_tell(struct child *keyholder, const struct child *worker)
{
	const struct ipc_key_channels who = {.worker = worker->number,
					     .generation = worker->generation};
	int fds[IPC_FDS_MAX];
	size_t count = 0;
	for (unsigned i = 0; i < worker->port->conf->threads; i++)
		if (signs_for(keyholder, worker, i))
			fds[count++] = worker->key_ends[i];
	/* One that has not been handed everything is told afterwards. */
	if (count == 0 || keyholder->state == CHILD_NONE || keyholder->channel.fd < 0 ||
	    keyholder->handing.under_way)
		return;
	int error = does_not_read(keyholder) ? -EAGAIN
					     : ipc_send(keyholder->channel.fd, IPC_KEY_CHANNELS,
							&who, sizeof(who), fds, count);
	/* These errors mean that it has just ended and will be reaped soon. */
	if (error == 0 || error == -EPIPE || error == -ECONNRESET)
		return;
	child_log(keyholder, LOG_ERR, "does not read its messages about worker %u; killing it",
		  worker->number);
	child_kill(keyholder, "did not read its messages");
}

void keyholders_tell(const struct child *worker)
{
	struct port *p = worker->port;
	for (unsigned i = 0; i < p->keyholders; i++)
		keyholder_tell(&p->children[i], worker);
}

void keyholder_tell_all(struct child *keyholder)
{
	const struct port *p = keyholder->port;
	for (unsigned i = p->keyholders; i < p->children_count; i++)
		if (p->children[i].state != CHILD_NONE && p->children[i].key_ends != NULL)
			keyholder_tell(keyholder, &p->children[i]);
}

void keyholder_lost(const struct child *keyholder)
{
	const struct port *p = keyholder->port;
	const struct ipc_key_answer again = {.status = IPC_KEY_AGAIN};
	/* Unread bytes on a channel are an answer, which is not lost, or an earlier IPC_KEY_AGAIN.
	 * So the channel of a loop that makes no requests never fills up. */
	for (unsigned i = p->keyholders; i < p->children_count; i++)
		for (unsigned k = 0; k < p->conf->threads && p->children[i].key_ends != NULL; k++)
			if (signs_for(keyholder, &p->children[i], k) &&
			    !ipc_has_unread(p->children[i].key_ends[k]))
				(void)ipc_key_answer(p->children[i].key_ends[k], &again);
}

void keyholders_ping(struct port *p)
{
	struct master *m = p->master;
	if (p->conf->watchdog_ms == 0)
		return;
	for (unsigned i = 0; i < p->keyholders; i++) {
		struct child *c = &p->children[i];
		if (c->state != CHILD_SERVING || loop_timer_is_set(&c->deadline))
			continue;
		c->pinged = true;
		(void)ipc_send(c->channel.fd, IPC_PING, NULL, 0, NULL, 0);
		loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + PING_TIMEOUT_MS);
	}
}

void keyholders_fault(const struct port *p, const struct ipc_fault *fault)
{
	for (unsigned i = 0; i < p->keyholders; i++)
		if (p->children[i].state == CHILD_SERVING && p->children[i].channel.fd >= 0)
			(void)ipc_send(p->children[i].channel.fd, IPC_FAULT, fault, sizeof(*fault),
				       NULL, 0);
}

bool keyholders_ready(const struct port *p)
{
	for (unsigned i = 0; i < p->keyholders; i++)
		if (p->children[i].state != CHILD_SERVING)
			return false;
	return true;
}

void keyholders_dismiss(struct port *p)
{
	struct master *m = p->master;
	for (unsigned i = p->keyholders; i < p->children_count; i++)
		if (p->children[i].state != CHILD_NONE)
			return;
	for (unsigned i = 0; i < p->keyholders; i++) {
		struct child *c = &p->children[i];
		if (c->state == CHILD_NONE)
			continue;
		c->state = CHILD_DRAINING;
		if (c->channel.fd >= 0)
			(void)child_send(c, IPC_DRAIN, NULL, 0);
		loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + PING_TIMEOUT_MS);
	}
}
