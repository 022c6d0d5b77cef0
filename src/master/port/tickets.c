/*
 * Runs in the master: when a port gets a new key for session tickets. A worker that was taken over
 * has the key, and could pose as the port to every client with a ticket. So a key is replaced as
 * soon as one of its holders has ended in another way than by order. A port without TLS has none.
 *
 *   what happens                                       tickets of the old key
 *   a worker that has served ends other than drained   refused: it may have been taken over
 *   certificates or keys have changed                  refused: they are for the old ones
 *   the port is stopped and started                    refused
 *   a new generation, a new version of the server      accepted for one more lifetime
 *   the lifetime is over                               accepted for one more lifetime
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/port/port.h"

/* One key at a time, for all generations of a port with the same certificates and keys. */
struct tickets {
	struct ipc_tickets *memory;
	unsigned users;
	uint64_t renewed_ms;
	bool overdue; /* it must be replaced and no new key could be made: retried once a second */
};

static void renew(struct port *p, bool keeps_former)
{
	struct tickets *t = p->tickets;
	const uint64_t now_ms = p->master->loop.now_ms;
	if (t == NULL)
		return;
	const uint64_t until_ms = keeps_former && !t->overdue ? now_ms + p->conf->tickets_ms : 0;
	if (ipc_tickets_renew(t->memory, until_ms) < 0) {
		if (!t->overdue)
			log_write_for(&p->master->log, port_number(p), 0, LOG_ERR,
				      "there is no new key for session tickets: the system has "
				      "no randomness");
		t->overdue = t->overdue || !keeps_former;
		return;
	}
	t->renewed_ms = now_ms;
	t->overdue = false;
}

static int tickets_share(struct port *p, const struct port *old)
{
	p->tickets_fd = fcntl(old->tickets_fd, F_DUPFD_CLOEXEC, FD_OWN_MIN);
	if (p->tickets_fd < 0)
		return -errno;
	p->tickets = old->tickets;
	p->tickets->users++;
	return 0;
}

static int tickets_make(struct port *p)
{
	struct tickets *t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	const int fd = ipc_tickets_create(&t->memory);
	if (fd < 0) {
		free(t);
		return fd;
	}
	t->users = 1;
	t->renewed_ms = p->master->loop.now_ms;
	p->tickets = t;
	p->tickets_fd = fd;
	return 0;
}

/* Those that TLS serves with: another document root makes no ticket false. They come first. */
static size_t pairs_end(const struct port_files *files)
{
	size_t n = 0;
	while (n < files->count &&
	       (files->list[n].kind == IPC_FD_CERTIFICATE || files->list[n].kind == IPC_FD_KEY))
		n++;
	return n;
}

static bool same_files(const struct port_files *a, const struct port_files *b)
{
	const size_t count = pairs_end(a);
	bool same = count == pairs_end(b);
	for (size_t i = 0; same && i < count; i++)
		same = file_mark_equal(&a->list[i].mark, &b->list[i].mark);
	return same;
}

int port_get_tickets(struct port *p, const struct port *old, struct err *err)
{
	int error;
	if (p->conf->plain)
		return 0;
	if (p->tickets != NULL) {
		port_forget_tickets(p);
		return 0;
	}
	if (old != NULL && old->tickets != NULL && same_files(&p->files, &old->files))
		error = tickets_share(p, old);
	else
		error = tickets_make(p);
	if (error == 0)
		return 0;
	err_set(err, "cannot make the session ticket key: %s", strerror(-error));
	return err_is_shortage(-error) ? -EAGAIN : -1;
}

void port_drop_tickets(struct port *p)
{
	struct tickets *t = p->tickets;
	fd_close(&p->tickets_fd);
	p->tickets = NULL;
	if (t == NULL || --t->users > 0)
		return;
	explicit_bzero(t->memory, sizeof(*t->memory));
	ipc_tickets_unmap(t->memory);
	free(t);
}

/* The processes of the earlier version continue with its memory, which can no longer be written.
 * The processes of this version get new memory. */
int port_adopt_tickets(struct port *p)
{
	uint8_t former[IPC_TICKET_KEY_BYTES];
	int fd = p->tickets_fd;
	if (fd < 0)
		return 0;
	p->tickets_fd = -1;
	int error = ipc_tickets_former(fd, former);
	fd_close(&fd);
	if (error == 0)
		error = tickets_make(p);
	if (error == 0)
		ipc_tickets_inherit(p->tickets->memory, former,
				    p->master->loop.now_ms + p->conf->tickets_ms);
	explicit_bzero(former, sizeof(former));
	return error;
}

void port_renew_tickets(struct port *p)
{
	renew(p, true);
}

void port_forget_tickets(struct port *p)
{
	renew(p, false);
}

/* A worker that was never ready has met no client that could have taken it over. */
void tickets_holder_ended(struct child *c, int status)
{
	struct port *p = c->port, *heir = port_heir(p);
	const bool drained =
	    c->state == CHILD_DRAINING && WIFEXITED(status) && WEXITSTATUS(status) == EX_OK;
	if (!is_worker(c) || c->level[0] == '\0' || drained)
		return;
	port_forget_tickets(p);
	if (heir->tickets != p->tickets)
		port_forget_tickets(heir);
}

void tickets_look(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		if (p->stage != STAGE_CURRENT || p->tickets == NULL)
			continue;
		if (p->tickets->overdue)
			port_forget_tickets(p);
		else if (p->conf->tickets_ms > 0 &&
			 m->loop.now_ms - p->tickets->renewed_ms >= p->conf->tickets_ms)
			port_renew_tickets(p);
	}
}
