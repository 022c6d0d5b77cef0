/* Runs in the master. The sockets belong to the port as long as it exists, whichever process serves
 * it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "base/text.h"
#include "master/port/port.h"
#include "net/listen.h"

static int fd_copy(int fd)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, FD_OWN_MIN);
	return copy < 0 ? -errno : copy;
}

/* Returns the port's listener on this address; NULL: none. p may be NULL. */
static const struct port_listener *listener_on(const struct port *p, const char *address)
{
	for (unsigned i = 0; p != NULL && i < p->listeners_count; i++)
		if (strcmp(p->listeners[i].address, address) == 0)
			return &p->listeners[i];
	return NULL;
}

/* Lists the port's sockets that the master itself made. */
static size_t own_sockets(const struct port *p, int fds[PORT_LISTENERS_MAX])
{
	size_t count = 0;
	for (unsigned i = 0; p != NULL && i < p->listeners_count; i++)
		if (!p->listeners[i].passed)
			fds[count++] = p->listeners[i].fd;
	return count;
}

static void listener_add(struct port *p, int fd, const char *address, bool passed)
{
	struct port_listener *l = &p->listeners[p->listeners_count++];
	l->fd = fd;
	l->passed = passed;
	l->lost = false;
	(void)strlcpy(l->address, address, sizeof(l->address));
}

static int fail(const struct port *p, const char *address, int error, struct err *err)
{
	err_set(err, "cannot listen on %s port %u: %s", address, port_number(p), strerror(-error));
	return err_is_shortage(-error) ? -EAGAIN : -1;
}

/* missing_ok: the address is one of the two for "all"; if the machine lacks that address family,
 * there is nothing to bind. */
static int address_bind(struct port *p, const struct port *old, const char *address,
			bool missing_ok, struct err *err)
{
	int beside[PORT_LISTENERS_MAX];
	if (p->listeners_count == PORT_LISTENERS_MAX) {
		err_set(err, "more than %d addresses to listen on", PORT_LISTENERS_MAX);
		return -1;
	}
	const struct port_listener *same = listener_on(old, address);
	const struct socket_passed *passed =
	    sockets_on(&p->master->sockets, address, p->conf->number);
	int fd;
	if (same != NULL)
		fd = fd_copy(same->fd);
	else if (passed != NULL)
		fd = fd_copy(passed->fd);
	else
		fd = net_bind(address, p->conf->number, beside, own_sockets(old, beside));
	if (missing_ok && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL))
		return 0;
	if (fd < 0)
		return fail(p, address, fd, err);
	listener_add(p, fd, address, same != NULL ? same->passed : passed != NULL);
	return 0;
}

static bool covers(const char *a, const char *b)
{
	return strchr(b, ':') != NULL ? strcmp(a, "::") == 0 : strcmp(a, "0.0.0.0") == 0;
}

/* If a new address covers an old one, clients wait in the old one's socket and still come to it
 * while it exists. So the new generation keeps that socket. */
static void keep_covered(struct port *p, const struct port *old)
{
	const unsigned bound = p->listeners_count;
	for (unsigned i = 0; old != NULL && i < old->listeners_count; i++) {
		const struct port_listener *l = &old->listeners[i];
		bool covered = false;
		for (unsigned k = 0; k < bound; k++)
			covered |= covers(p->listeners[k].address, l->address);
		if (l->passed || !covered || listener_on(p, l->address) != NULL ||
		    p->listeners_count == PORT_LISTENERS_MAX)
			continue;
		int fd = fd_copy(l->fd);
		if (fd >= 0)
			listener_add(p, fd, l->address, false);
	}
}

/* Takes duplicates: the table keeps its own descriptors for the next generation or start. */
static int socket_share(struct port *p, const char *name, struct err *err)
{
	const struct sockets *table = &p->master->sockets;
	const struct socket_passed *s;
	size_t at = 0, found = 0;
	for (; (s = sockets_find(table, name, p->conf->number, &at)) != NULL; found++) {
		if (p->listeners_count == PORT_LISTENERS_MAX) {
			err_set(err, "more than %d sockets to listen on", PORT_LISTENERS_MAX);
			return -1;
		}
		int fd = fd_copy(s->fd);
		if (fd < 0) {
			err_set(err, "cannot share the socket \"%s\": %s", name, strerror(-fd));
			return err_is_shortage(-fd) ? -EAGAIN : -1;
		}
		listener_add(p, fd, s->address, true);
	}
	if (found > 0)
		return 0;
	sockets_miss(table, name, p->conf->number, err);
	return -1;
}

bool port_has_sockets(const struct port *p)
{
	for (size_t i = 0; i < p->conf->sockets_count; i++) {
		size_t at = 0;
		if (sockets_find(&p->master->sockets, p->conf->sockets[i], p->conf->number, &at) !=
		    NULL)
			return true;
	}
	return false;
}

void sockets_tell_unclaimed(struct master *m)
{
	char room[1024];
	struct text t;
	text_init(&t, room, sizeof(room));
	if (sockets_unclaimed(&m->sockets, m->conf, &t) > 0)
		log_write(&m->log, LOG_ERR,
			  "taken by no port, so that its clients get no answer: %s", room);
}

static int configured_bind(struct port *p, const struct port *old, const char *address,
			   struct err *err)
{
	if (strcmp(address, "*") != 0)
		return address_bind(p, old, address, false, err);
	const int error = address_bind(p, old, "0.0.0.0", true, err);
	return error < 0 ? error : address_bind(p, old, "::", true, err);
}

int port_bind(struct port *p, const struct port *old, struct err *err)
{
	int error = 0;
	for (size_t i = 0; i < p->conf->addresses_count && error == 0; i++)
		error = configured_bind(p, old, p->conf->addresses[i], err);
	for (size_t i = 0; i < p->conf->sockets_count && error == 0; i++)
		error = socket_share(p, p->conf->sockets[i], err);
	if (error < 0) {
		port_unlisten(p);
		return error;
	}
	keep_covered(p, old);
	if (p->listeners_count > 0)
		return 0;
	err_set(err, "this machine has neither IPv4 nor IPv6 addresses");
	return -1;
}

int port_listen(const struct port *p, struct err *err)
{
	for (unsigned i = 0; i < p->listeners_count; i++) {
		const struct port_listener *l = &p->listeners[i];
		int error = l->passed ? 0 : net_listen(l->fd);
		if (error < 0)
			return fail(p, l->address, error, err);
	}
	return 0;
}

/* After shutdown(2) for reading, a listening socket no longer listens and frees its address: tcp(7)
 * does not say so, but the kernel's inet_shutdown() disconnects it. */
unsigned port_hang_up(const struct port *p, const struct port *heir)
{
	unsigned count = 0;
	for (unsigned i = 0; i < p->listeners_count; i++) {
		const struct port_listener *l = &p->listeners[i];
		if (l->passed || listener_on(heir, l->address) != NULL)
			continue;
		(void)shutdown(l->fd, SHUT_RD);
		count++;
	}
	return count;
}

void port_unlisten(struct port *p)
{
	while (p->listeners_count > 0)
		fd_close(&p->listeners[--p->listeners_count].fd);
}
