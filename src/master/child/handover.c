/*
 * Runs in the master: sends a new child its descriptors, as many messages as it takes. Must never
 * read any of their contents, nor wait for the child.
 *
 * What belongs to this child alone goes into the first message, before the child exists. The port's
 * files follow. At most one message is under way: the kernel counts the descriptors that nobody has
 * received yet for all processes of the user, and too many would stop the start of other ports.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/handed.h"
#include "master/child/child.h"

#define NEXT_MS 2 /* until the child is looked at again: has it read the last message? */

/* The kinds of enum ipc_handed that are no files, for the largest configuration. */
_Static_assert(4 + CONF_THREADS_MAX + PORT_LISTENERS_MAX <= IPC_FDS_MAX,
	       "the first message brings a worker all that is its own");

/* Makes a sealed memory with the canonical text of this port. */
static int conf_memory(const struct port *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return -ENOMEM;
	conf_dump_port(p->configuration->conf, p->conf, f);
	int fd = fclose(f) == 0 ? fd_sealed_memory("bulkhead-conf", text, len) : -ENOMEM;
	free(text);
	return fd;
}

static bool add_listeners(struct ipc_batch *b, const struct port *p)
{
	bool fits = true;
	for (unsigned i = 0; i < p->listeners_count; i++)
		fits = fits && ipc_batch_add(b, IPC_FD_LISTENER, i, p->listeners[i].fd);
	return fits;
}

static bool add_own(struct ipc_batch *b, const struct child *c, int conf_fd, int board_fd,
		    const int *key_channels)
{
	const struct port *p = c->port;
	bool fits =
	    ipc_batch_add(b, IPC_FD_CONF, 0, conf_fd) && ipc_batch_add(b, IPC_FD_SLOT, 0, board_fd);
	if (p->chroot_fd >= 0)
		fits = fits && ipc_batch_add(b, IPC_FD_CHROOT, 0, p->chroot_fd);
	if (!is_worker(c))
		return fits;
	fits = fits && ipc_batch_add(b, IPC_FD_TICKETS, 0, p->tickets_fd);
	for (unsigned i = 0; i < p->conf->threads; i++)
		fits = fits && ipc_batch_add(b, IPC_FD_KEY_CHANNEL, i, key_channels[i]);
	return fits && add_listeners(b, p);
}

/* Adds files until the message is full; returns the number of the first that did not fit. */
static size_t add_files(struct ipc_batch *b, const struct child *c)
{
	const struct port_files *files = &c->port->files;
	size_t next = c->handing.next;
	for (; next < files->count; next++) {
		const struct port_file *f = &files->list[next];
		if (ipc_is_handed(f->kind, c->role) && !ipc_batch_add(b, f->kind, f->of, f->fd))
			break;
	}
	return next;
}

/* Sends the batch, with files if there is room, and after the last one COMPLETE. */
static int batch_send(struct ipc_batch *b, struct child *c, int channel_fd)
{
	struct handing *h = &c->handing;
	const size_t next = add_files(b, c);
	int error = b->count > 0 ? ipc_batch_send(b, channel_fd, &h->complete) : 0;
	if (error < 0)
		return error;
	h->next = next;
	h->under_way = next < c->port->files.count;
	if (!h->under_way)
		return ipc_send(channel_fd, IPC_COMPLETE, &h->complete, sizeof(h->complete), NULL,
				0);
	struct loop *loop = &c->port->master->loop;
	loop_timer_set(loop, &h->timer, loop->now_ms + NEXT_MS);
	return 0;
}

void child_handing_end(struct child *c)
{
	struct handing *h = &c->handing;
	loop_timer_cancel(&c->port->master->loop, &h->timer);
	h->under_way = false;
	h->next = 0;
	h->error = 0;
	h->later = 0;
	h->complete = (struct ipc_complete){{0}};
}

int child_hand_over(struct child *c, int channel_fd, int board_fd, const int *key_channels)
{
	const struct port *p = c->port;
	const struct identity *identity = child_identity(c);
	const struct ipc_start start = {.role = c->role,
					.port = port_number(p),
					.number = c->number,
					.master_pid = getpid(),
					.log_level = p->master->log.level,
					.held = p->stage == STAGE_PREPARED,
					.change_user = p->change_user,
					.uid = identity->uid,
					.gid = identity->gid};
	struct ipc_batch batch = {.count = 0};
	child_handing_end(c);
	int conf_fd = conf_memory(p);
	int error = conf_fd < 0 ? conf_fd : 0;
	if (error == 0)
		error = ipc_send(channel_fd, IPC_START, &start, sizeof(start), NULL, 0);
	if (error == 0 && !add_own(&batch, c, conf_fd, board_fd, key_channels))
		error = -EMFILE;
	if (error == 0)
		error = batch_send(&batch, c, channel_fd);
	fd_close(&conf_fd);
	return error;
}

/* An error that passes when this child or others have read what was sent; the deadline of the
 * start is its limit. */
static bool passes(int error)
{
	return error == -EAGAIN || err_is_shortage(-error);
}

/* What other parts of the master wanted to send meanwhile. */
static void late_send(struct child *c)
{
	const struct handing *h = &c->handing;
	const int fd = c->channel.fd;
	if (h->later & 1u << IPC_SETTINGS)
		(void)ipc_send(fd, IPC_SETTINGS, &h->settings, sizeof(h->settings), NULL, 0);
	for (unsigned type = 0; type < IPC_TYPES; type++)
		if (type != IPC_SETTINGS && (h->later & 1u << type))
			(void)ipc_send(fd, (enum ipc_type)type, NULL, 0, NULL, 0);
	c->handing.later = 0;
	if (!is_worker(c))
		keyholder_tell_all(c);
}

static int next_send(struct child *c)
{
	struct ipc_batch batch = {.count = 0};
	if (ipc_has_unread(c->channel.fd))
		return -EAGAIN;
	/* Its files were closed, which happens to a port whose processes are to end. */
	return c->handing.next > c->port->files.count ? -EBADF
						      : batch_send(&batch, c, c->channel.fd);
}

void child_hand_on(struct loop *loop, struct loop_timer *timer)
{
	struct child *c = (struct child *)((char *)timer - offsetof(struct child, handing.timer));
	if (c->state == CHILD_NONE || c->channel.fd < 0)
		return;
	const int error = next_send(c);
	c->handing.error = error == -EAGAIN ? 0 : error;
	if (error == 0 && !c->handing.under_way) {
		late_send(c);
	} else if (error < 0 && passes(error)) {
		loop_timer_set(loop, timer, loop->now_ms + NEXT_MS);
	} else if (error < 0 && error != -EPIPE && error != -ECONNRESET) {
		/* those two: it has ended and will be reaped soon */
		child_log(c, LOG_ERR, "cannot be handed its files: %s; killing it",
			  strerror(-error));
		child_kill(c, "could not be handed its files");
	}
}

void handing_give_up(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++) {
			struct child *c = &m->ports[i]->children[k];
			if (c->state != CHILD_NONE && c->handing.under_way)
				child_kill(c, "had not been handed all of its files yet");
		}
}
