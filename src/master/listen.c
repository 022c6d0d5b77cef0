/* Runs in the master. The sockets are the port's for as long as it lives, whoever serves it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "base/text.h"
#include "master/state.h"
#include "net/listen.h"

static int fd_copy(int fd)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, FD_OWN_MIN);
	return copy < 0 ? -errno : copy;
}

/* A descriptor of its own for the very socket, -ENOENT, or another -errno. */
static int share(const struct port *old, const char *address)
{
	for (unsigned i = 0; old != NULL && i < old->listeners_count; i++)
		if (strcmp(old->listeners[i].address, address) == 0)
			return fd_copy(old->listeners[i].fd);
	return -ENOENT;
}

/* missing_ok: a machine without that address family has all of its addresses covered. */
static int address_listen(struct port *p, const struct port *old, const char *address,
			  bool missing_ok, struct err *err)
{
	if (p->listeners_count == PORT_LISTENERS_MAX) {
		err_set(err, "more than %d addresses to listen on", PORT_LISTENERS_MAX);
		return -1;
	}
	int fd = share(old, address);
	if (fd == -ENOENT)
		fd = net_listen(address, p->conf->number);
	if (fd == -EAFNOSUPPORT && missing_ok)
		return 0;
	if (fd == -EADDRNOTAVAIL && missing_ok)
		return 0;
	if (fd < 0) {
		err_set(err, "cannot listen on %s port %u: %s", address, port_number(p),
			strerror(-fd));
		return -1;
	}
	struct port_listener *l = &p->listeners[p->listeners_count++];
	l->fd = fd;
	l->passed = false;
	(void)strlcpy(l->address, address, sizeof(l->address));
	return 0;
}

/* Duplicates: the table keeps its own, for the next generation and the next start of this one. */
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
		struct port_listener *l = &p->listeners[p->listeners_count];
		l->fd = fcntl(s->fd, F_DUPFD_CLOEXEC, FD_OWN_MIN);
		if (l->fd < 0) {
			err_set(err, "cannot share the socket \"%s\": %s", name, strerror(errno));
			return -1;
		}
		(void)strlcpy(l->address, s->address, sizeof(l->address));
		l->passed = true;
		p->listeners_count++;
	}
	if (found > 0)
		return 0;
	sockets_miss(table, name, p->conf->number, err);
	return -1;
}

void sockets_tell_unclaimed(struct master *m)
{
	char room[1024];
	struct text t;
	text_init(&t, room, sizeof(room));
	if (sockets_unclaimed(&m->sockets, m->conf, &t) > 0)
		log_write(&m->log, LOG_ERR,
			  "claimed by no port, so that its clients wait for nobody: %s", room);
}

int port_listen(struct port *p, const struct port *old, struct err *err)
{
	for (size_t i = 0; i < p->conf->addresses_count; i++) {
		const char *address = p->conf->addresses[i];
		int failed = strcmp(address, "*") == 0
				 ? address_listen(p, old, "0.0.0.0", true, err) < 0 ||
				       address_listen(p, old, "::", true, err) < 0
				 : address_listen(p, old, address, false, err) < 0;
		if (failed) {
			port_unlisten(p);
			return -1;
		}
	}
	for (size_t i = 0; i < p->conf->sockets_count; i++)
		if (socket_share(p, p->conf->sockets[i], err) < 0) {
			port_unlisten(p);
			return -1;
		}
	if (p->listeners_count > 0)
		return 0;
	err_set(err, "this machine has no addresses at all");
	return -1;
}

static bool listens_on(const struct port *p, const char *address)
{
	for (unsigned i = 0; p != NULL && i < p->listeners_count; i++)
		if (strcmp(p->listeners[i].address, address) == 0)
			return true;
	return false;
}

/* A listening socket that is shut for reading listens no more (tcp(7) is silent; inet_shutdown() of
 * the kernel disconnects it), and leaves its address to others. */
void port_hang_up(const struct port *p, const struct port *heir)
{
	for (unsigned i = 0; i < p->listeners_count; i++)
		if (!p->listeners[i].passed && !listens_on(heir, p->listeners[i].address))
			(void)shutdown(p->listeners[i].fd, SHUT_RD);
}

void port_unlisten(struct port *p)
{
	while (p->listeners_count > 0)
		fd_close(&p->listeners[--p->listeners_count].fd);
}
