/*
 * Runs in the master: decides which holder serves which event loop of a port: which keyholder signs
 * for it, that the verifier checks its passwords and the connector makes its connections. It makes
 * the channels and keeps the holders' ends, so that a channel survives its holder and workers need
 * no new one. It never reads from them.
 *
 * Loop l of worker w is loop (w - 1) * threads + l of the port. The loops are assigned to the
 * keyholders in turn, and all to the verifier and to the connector.
 *
 * A holder that workers ask is a row of the table here.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "ipc/connect.h"
#include "ipc/key.h"
#include "ipc/password.h"
#include "master/child/child.h"

#define PING_TIMEOUT_MS 2000
#define UNREAD_MS       10000 /* the time in which a holder must read the master's messages */

/* --- the kinds of channels -------------------------------------------------------------------- */

/* Unread bytes on a channel with one request at a time are its answer, which is not lost, or an
 * earlier one like this. So the channel of a loop that makes no requests never fills up. */
static void signing_again(int end)
{
	const struct ipc_key_answer again = {.status = IPC_KEY_AGAIN};
	if (!ipc_has_unread(end))
		(void)ipc_key_answer(end, &again);
}

static void checking_again(int end)
{
	const struct ipc_password_answer again = {.status = IPC_PASSWORD_AGAIN};
	if (!ipc_has_unread(end))
		(void)ipc_password_answer(end, &again);
}

static void connecting_again(int end)
{
	(void)ipc_connect_again(end);
}

static const struct channel_kind {
	enum ipc_handed handed; /* to the worker */
	int (*make)(int ret_fds[2]);
	void (*again)(int end); /* the holder is lost: the loop asks its successor */
} kinds[IPC_ROLES] = {
    [IPC_KEYHOLDER] = {IPC_FD_KEY_CHANNEL, ipc_key_channel, signing_again},
    [IPC_VERIFIER] = {IPC_FD_PASSWORD_CHANNEL, ipc_password_channel, checking_again},
    [IPC_CONNECTOR] = {IPC_FD_CONNECT_CHANNEL, ipc_connect_channel, connecting_again},
};

enum ipc_handed channel_handed(enum ipc_role role)
{
	return kinds[role].make != NULL ? kinds[role].handed : IPC_FD_KINDS;
}

/* --- channels --------------------------------------------------------------------------------- */

static bool has_holder(const struct port *p, unsigned role)
{
	for (unsigned i = 0; i < p->holders; i++)
		if (p->children[i].role == role)
			return true;
	return false;
}

/* Makes a channel per loop; *ret_holder_ends owns the other ends. */
static int channels_make(unsigned loops, int (*make)(int fds[2]), int **ret_holder_ends,
			 int *ret_worker_ends)
{
	int error = 0, *ends = *ret_holder_ends = calloc(loops, sizeof(*ends));
	if (ends == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < loops; i++)
		ends[i] = -1;
	for (unsigned i = 0; i < loops && error == 0; i++) {
		int fds[2];
		if ((error = make(fds)) < 0)
			break;
		ret_worker_ends[i] = fds[0];
		ends[i] = fds[1];
	}
	return error;
}

int child_channels(struct child *c, struct child_ends *ret)
{
	int error = 0;
	for (unsigned role = 0; role < IPC_ROLES; role++)
		for (unsigned i = 0; i < CONF_THREADS_MAX; i++)
			ret->of[role][i] = -1;
	for (unsigned role = 0; role < IPC_ROLES && error == 0 && is_worker(c); role++)
		if (kinds[role].make != NULL && has_holder(c->port, role))
			error = channels_make(c->loops, kinds[role].make, &c->ends[role],
					      ret->of[role]);
	return error;
}

void child_ends_close(struct child_ends *ends)
{
	for (unsigned role = 0; role < IPC_ROLES; role++)
		for (unsigned i = 0; i < CONF_THREADS_MAX; i++)
			fd_close(&ends->of[role][i]);
}

static void channels_close(unsigned loops, int **ends)
{
	for (unsigned i = 0; i < loops && *ends != NULL; i++)
		fd_close(&(*ends)[i]);
	free(*ends);
	*ends = NULL;
}

void child_channels_close(struct child *c)
{
	for (unsigned role = 0; role < IPC_ROLES; role++)
		channels_close(c->loops, &c->ends[role]);
}

/* The holder's end of the channel to that loop of the worker; -1: it does not serve that loop. */
static int end_of(const struct child *holder, const struct child *worker, unsigned loop)
{
	const struct port *p = holder->port;
	const unsigned index = (worker->number - 1) * p->conf->threads + loop;
	const int *ends = worker->ends[holder->role];
	if (ends == NULL ||
	    (holder->role == IPC_KEYHOLDER && index % p->keyholders != holder->number - 1))
		return -1;
	return ends[loop];
}

/* Has the holder left messages unread for too long? The kernel counts descriptors in flight per
 * user, and if there are too many, it refuses all of the master's messages, to any port. */
static bool does_not_read(struct child *holder)
{
	const uint64_t now_ms = holder->port->master->loop.now_ms;
	if (holder->state != CHILD_SERVING || !ipc_has_unread(holder->channel.fd))
		holder->unread_since_ms = 0;
	else if (holder->unread_since_ms == 0)
		holder->unread_since_ms = now_ms;
	return holder->unread_since_ms != 0 && now_ms - holder->unread_since_ms >= UNREAD_MS;
}

/* Sends the holder the worker's channels. Kills a holder that does not read them. */
static void holder_tell(struct child *holder, const struct child *worker)
{
	const struct ipc_key_channels who = {.worker = worker->number,
					     .generation = worker->generation};
	int fds[IPC_FDS_MAX];
	size_t count = 0;
	for (unsigned i = 0; i < worker->port->conf->threads; i++)
		if (end_of(holder, worker, i) >= 0)
			fds[count++] = end_of(holder, worker, i);
	/* One that has not been handed everything is told afterwards. */
	if (count == 0 || holder->state == CHILD_NONE || holder->channel.fd < 0 ||
	    holder->handing.under_way)
		return;
	int error = does_not_read(holder) ? -EAGAIN
					  : ipc_send(holder->channel.fd, IPC_KEY_CHANNELS, &who,
						     sizeof(who), fds, count);
	/* These errors mean that it has just ended and will be reaped soon. */
	if (error == 0 || error == -EPIPE || error == -ECONNRESET)
		return;
	child_log(holder, LOG_ERR, "does not read its messages about worker %u; killing it",
		  worker->number);
	child_kill(holder, "did not read its messages");
}

void holders_tell(const struct child *worker)
{
	struct port *p = worker->port;
	for (unsigned i = 0; i < p->holders; i++)
		holder_tell(&p->children[i], worker);
}

void holder_tell_all(struct child *holder)
{
	const struct port *p = holder->port;
	for (unsigned i = p->holders; i < p->children_count; i++)
		if (p->children[i].state != CHILD_NONE)
			holder_tell(holder, &p->children[i]);
}

void holder_lost(const struct child *holder)
{
	const struct port *p = holder->port;
	for (unsigned i = p->holders; i < p->children_count; i++)
		for (unsigned k = 0; k < p->conf->threads; k++) {
			const int end = end_of(holder, &p->children[i], k);
			if (end >= 0)
				kinds[holder->role].again(end);
		}
}

static uint64_t answer_timeout_ms(const struct child *holder)
{
	return holder->role == IPC_VERIFIER ? HASH_TIMEOUT_MS : PING_TIMEOUT_MS;
}

void holders_ping(struct port *p)
{
	struct master *m = p->master;
	if (p->conf->watchdog_ms == 0)
		return;
	for (unsigned i = 0; i < p->holders; i++) {
		struct child *c = &p->children[i];
		if (c->state != CHILD_SERVING || loop_timer_is_set(&c->deadline))
			continue;
		c->pinged = true;
		(void)ipc_send(c->channel.fd, IPC_PING, NULL, 0, NULL, 0);
		loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + answer_timeout_ms(c));
	}
}

void keyholders_fault(const struct port *p, const struct ipc_fault *fault)
{
	for (unsigned i = 0; i < p->keyholders; i++)
		if (p->children[i].state == CHILD_SERVING && p->children[i].channel.fd >= 0)
			(void)ipc_send(p->children[i].channel.fd, IPC_FAULT, fault, sizeof(*fault),
				       NULL, 0);
}

bool holders_ready(const struct port *p)
{
	for (unsigned i = 0; i < p->holders; i++)
		if (p->children[i].state != CHILD_SERVING)
			return false;
	return true;
}

void holders_dismiss(struct port *p)
{
	struct master *m = p->master;
	for (unsigned i = p->holders; i < p->children_count; i++)
		if (p->children[i].state != CHILD_NONE)
			return;
	for (unsigned i = 0; i < p->holders; i++) {
		struct child *c = &p->children[i];
		if (c->state == CHILD_NONE)
			continue;
		c->state = CHILD_DRAINING;
		if (c->channel.fd >= 0)
			(void)child_send(c, IPC_DRAIN, NULL, 0);
		loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + answer_timeout_ms(c));
	}
}
