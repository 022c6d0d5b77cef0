/*
 * Runs in the master: sends a new child its descriptors, as many messages as it takes. Must never
 * read any of their contents, nor wait for the child.
 *
 * What belongs to this child alone goes into the first message, before the child exists; so do the
 * port's files if they are few. Otherwise they follow when the child reads. The kernel counts the
 * descriptors that nobody has received yet for all processes of the user, and above RLIMIT_NOFILE
 * it refuses every message with descriptors, of any port (unix(7), ETOOMANYREFS). So each child has
 * at most one message of files under way, and all of them together at most half of that limit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/handed.h"
#include "ipc/places.h"
#include "master/child/child.h"

#define NEXT_MS   2  /* until the child is looked at again: has it read the last message? */
#define FILES_MAX 64 /* in one message */

/* The kinds of enum ipc_handed that are no files, for the largest configuration. */
_Static_assert(7 + CONF_THREADS_MAX + PORT_LISTENERS_MAX <= IPC_FDS_MAX,
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

/* Where the document roots are; the descriptor stays -1 if the port has none. */
static int places_memory(const struct child *c, int *ret_fd)
{
	const struct port_files *files = &c->port->files;
	size_t count = 0;
	if (!is_worker(c) || c->port->conf->roots_count == 0)
		return 0;
	struct root *roots = calloc(c->port->conf->roots_count, sizeof(*roots));
	if (roots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < files->count && count < c->port->conf->roots_count; i++)
		if (files->list[i].place != NULL) {
			const struct port_place *place = files->list[i].place;
			roots[count++] =
			    (struct root){-1, place->rest, place->written, place->real};
		}
	const int fd = ipc_places_create(roots, count);
	free(roots);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

/* To the holders of each role in a message of their own: with all others there may be too many. */
static int channels_send(struct child *c, const struct child_ends *ends, int channel_fd)
{
	int error = 0;
	for (unsigned role = 0; role < IPC_ROLES && error == 0; role++) {
		struct ipc_batch batch = {.count = 0};
		if (c->ends[role] == NULL)
			continue;
		for (unsigned i = 0; i < c->loops; i++)
			(void)ipc_batch_add(&batch, channel_handed((enum ipc_role)role), i,
					    ends->of[role][i]);
		error = ipc_batch_send(&batch, channel_fd, &c->handing.complete);
	}
	return error;
}

static bool add_listeners(struct ipc_batch *b, const struct port *p)
{
	bool fits = true;
	for (unsigned i = 0; i < p->listeners_count; i++)
		fits = fits && ipc_batch_add(b, IPC_FD_LISTENER, i, p->listeners[i].fd);
	return fits;
}

/* Each may write what it is there for; the others that have it may read it. */
static bool add_upstreams(struct ipc_batch *b, const struct child *c)
{
	const struct port_upstreams *u = &c->port->upstreams;
	const int health = c->role == IPC_CONNECTOR ? u->health_fd : u->health_read_fd;
	const int names = c->role == IPC_RESOLVER ? u->names_fd : u->names_read_fd;
	bool fits = true;
	if (health >= 0 && ipc_is_handed(IPC_FD_HEALTH, c->role))
		fits = ipc_batch_add(b, IPC_FD_HEALTH, 0, health);
	if (names >= 0 && ipc_is_handed(IPC_FD_NAMES, c->role))
		fits = fits && ipc_batch_add(b, IPC_FD_NAMES, 0, names);
	if (u->use_fd >= 0 && ipc_is_handed(IPC_FD_USE, c->role))
		fits = fits && ipc_batch_add(b, IPC_FD_USE, 0, u->use_fd);
	return fits;
}

static bool add_own(struct ipc_batch *b, const struct child *c, int conf_fd, int board_fd,
		    int places_fd)
{
	const struct port *p = c->port;
	bool fits =
	    ipc_batch_add(b, IPC_FD_CONF, 0, conf_fd) && ipc_batch_add(b, IPC_FD_SLOT, 0, board_fd);
	if (p->chroot_fd >= 0)
		fits = fits && ipc_batch_add(b, IPC_FD_CHROOT, 0, p->chroot_fd);
	fits = fits && add_upstreams(b, c);
	if (!is_worker(c))
		return fits;
	if (places_fd >= 0)
		fits = fits && ipc_batch_add(b, IPC_FD_PLACES, 0, places_fd);
	if (!p->conf->plain)
		fits = fits && ipc_batch_add(b, IPC_FD_TICKETS, 0, p->tickets_fd);
	return fits && add_listeners(b, p);
}

/* Adds the next files that this child is handed, at most FILES_MAX. Returns the number of the first
 * that is left. */
static size_t add_files(struct ipc_batch *b, const struct child *c)
{
	const struct port_files *files = &c->port->files;
	size_t next = c->handing.next, added = 0;
	for (; next < files->count; next++) {
		const struct port_file *f = &files->list[next];
		if (!ipc_is_handed(f->kind, c->role))
			continue;
		if (added++ == FILES_MAX || !ipc_batch_add(b, f->kind, f->of, f->fd))
			break;
	}
	return next;
}

static int complete_send(struct child *c, int channel_fd)
{
	struct handing *h = &c->handing;
	int error = ipc_send(channel_fd, IPC_COMPLETE, &h->complete, sizeof(h->complete), NULL, 0);
	h->under_way = error < 0;
	return error;
}

/* Before the child exists: what is its own, and all files if they fit. */
static int first_send(struct child *c, struct ipc_batch *own, int channel_fd)
{
	struct handing *h = &c->handing;
	struct loop *loop = &c->port->master->loop;
	const size_t before = own->count, next = add_files(own, c);
	const bool all = next == c->port->files.count;
	if (!all)
		own->count = before;
	int error = ipc_batch_send(own, channel_fd, &h->complete);
	if (error < 0)
		return error;
	if (all)
		return complete_send(c, channel_fd);
	h->under_way = true;
	loop_timer_set(loop, &h->timer, loop->now_ms + NEXT_MS);
	return 0;
}

static void unread_forget(struct child *c)
{
	c->port->master->files_unread -= c->handing.unread;
	c->handing.unread = 0;
}

void child_handing_end(struct child *c)
{
	struct handing *h = &c->handing;
	loop_timer_cancel(&c->port->master->loop, &h->timer);
	unread_forget(c);
	h->under_way = false;
	h->next = 0;
	h->error = 0;
	h->later = 0;
	h->complete = (struct ipc_complete){{0}};
}

int child_hand_over(struct child *c, int channel_fd, int board_fd, const struct child_ends *ends)
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
	int conf_fd = conf_memory(p), places_fd = -1;
	int error = conf_fd < 0 ? conf_fd : places_memory(c, &places_fd);
	if (error == 0)
		error = ipc_send(channel_fd, IPC_START, &start, sizeof(start), NULL, 0);
	if (error == 0)
		error = channels_send(c, ends, channel_fd);
	if (error == 0 && !add_own(&batch, c, conf_fd, board_fd, places_fd))
		error = -EMFILE;
	if (error == 0)
		error = first_send(c, &batch, channel_fd);
	fd_close(&conf_fd);
	fd_close(&places_fd);
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
		holder_tell_all(c);
}

/* After the last file, COMPLETE: then everything before it has been read. */
static int next_send(struct child *c)
{
	struct handing *h = &c->handing;
	struct master *m = c->port->master;
	struct ipc_batch batch = {.count = 0};
	if (ipc_has_unread(c->channel.fd))
		return -EAGAIN;
	unread_forget(c);
	/* Its files were closed, which happens to a port whose processes are to end. */
	if (h->next > c->port->files.count)
		return -EBADF;
	const size_t next = add_files(&batch, c), count = batch.count;
	if (count == 0)
		return complete_send(c, c->channel.fd);
	if (m->files_unread > 0 && m->files_unread + count > m->may_open / 2)
		return -EAGAIN;
	int error = ipc_batch_send(&batch, c->channel.fd, &h->complete);
	if (error < 0)
		return error;
	h->next = next;
	h->unread = count;
	m->files_unread += count;
	return 0;
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
	} else if (error == 0 || passes(error)) {
		loop_timer_set(loop, timer, loop->now_ms + NEXT_MS);
	} else if (error != -EPIPE && error != -ECONNRESET) {
		/* those two: it has ended and will be reaped soon */
		child_log(c, LOG_ERR, "cannot be handed its files: %s; killing it",
			  strerror(-error));
		child_kill(c, "could not be handed its files");
	}
}

static bool is_under_way(const struct child *c)
{
	return c->state != CHILD_NONE && c->handing.under_way;
}

bool handing_is_under_way(const struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++)
			if (is_under_way(&m->ports[i]->children[k]))
				return true;
	return false;
}

void handing_give_up(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++) {
			struct child *c = &m->ports[i]->children[k];
			if (is_under_way(c))
				child_kill(c, "had not been handed all of its files yet");
		}
}
