/* Runs in the master: sends a new child all its descriptors in one message. Must never read any of
 * their contents. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/child/child.h"

/* The descriptors for the largest configuration fit into one message: the kinds of enum ipc_handed,
 * in their order. */
_Static_assert(3 + LOG_SINKS + 1 + CONF_CERTIFICATES_MAX + CONF_THREADS_MAX + PORT_LISTENERS_MAX <=
		   IPC_FDS_MAX,
	       "one message brings a worker all of its descriptors");
_Static_assert(3 + LOG_SINKS + CONF_CERTIFICATES_MAX <= IPC_FDS_MAX, "... and a keyholder");

struct handover {
	struct ipc_start start;
	int fds[IPC_FDS_MAX];
	bool ours[IPC_FDS_MAX]; /* close it after sending */
	size_t count;
};

/* Call it in the order of the kinds. */
static int add(struct handover *h, enum ipc_handed kind, int fd, bool ours)
{
	if (h->count == IPC_FDS_MAX) {
		if (ours)
			fd_close(&fd);
		return -EMFILE;
	}
	h->fds[h->count] = fd;
	h->ours[h->count++] = ours;
	h->start.counts[kind]++;
	return 0;
}

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

static int add_common(struct handover *h, const struct child *c, int board_fd)
{
	const struct port *p = c->port;
	int error, fd = conf_memory(p);
	if (fd < 0)
		return fd;
	if ((error = add(h, IPC_FD_CONF, fd, true)) < 0 ||
	    (error = add(h, IPC_FD_SLOT, board_fd, false)) < 0)
		return error;
	if (p->chroot_fd >= 0 && (error = add(h, IPC_FD_CHROOT, p->chroot_fd, false)) < 0)
		return error;
	return 0;
}

static int add_all(struct handover *h, enum ipc_handed kind, const int *fds, size_t count)
{
	int error = 0;
	for (size_t i = 0; i < count && error == 0; i++)
		error = add(h, kind, fds[i], false);
	return error;
}

static int add_listeners(struct handover *h, const struct port *p)
{
	int error = 0;
	for (unsigned i = 0; i < p->listeners_count && error == 0; i++)
		error = add(h, IPC_FD_LISTENER, p->listeners[i].fd, false);
	return error;
}

static int add_for_worker(struct handover *h, const struct port *p, const int *key_channels)
{
	int error = add(h, IPC_FD_TICKETS, p->tickets_fd, false);
	if (error == 0)
		error = add_all(h, IPC_FD_CERTIFICATE, p->files.fds, p->files.count);
	if (error == 0)
		error = add_all(h, IPC_FD_KEY_CHANNEL, key_channels, p->conf->threads);
	if (error == 0)
		error = add_listeners(h, p);
	return error;
}

int child_hand_over(const struct child *c, int channel_fd, int board_fd, const int *key_channels)
{
	const struct port *p = c->port;
	const struct log *log = &p->master->log;
	const struct identity *identity = child_identity(c);
	struct handover h = {.start = {.role = c->role,
				       .port = port_number(p),
				       .number = c->number,
				       .master_pid = getpid(),
				       .log_level = log->level,
				       .held = p->stage == STAGE_PREPARED,
				       .change_user = p->change_user,
				       .uid = identity->uid,
				       .gid = identity->gid}};
	int error = add_common(&h, c, board_fd);
	if (error == 0)
		error = is_worker(c) ? add_for_worker(&h, p, key_channels)
				     : add_all(&h, IPC_FD_KEY, p->files.fds + p->files.count,
					       p->files.count);
	if (error == 0)
		error = ipc_send(channel_fd, IPC_START, &h.start, sizeof(h.start), h.fds, h.count);
	for (size_t i = 0; i < h.count; i++)
		if (h.ours[i])
			fd_close(&h.fds[i]);
	return error;
}
