/*
 * Runs in the children of the selftest's master, and only there. Before the drop it opens what a
 * leak would give an attacker. Afterwards it carries out orders with what the sandbox has left to
 * the process. Must never be in a process that serves real clients.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "attempts.h"
#include "base/err.h"
#include "base/fd.h"
#include "ipc/tickets.h"
#include "selftest/selftest.h"
#include "site.h"
#include "tls/key.h"

/* --- before the drop ------------------------------------------------------------------------- */

static int connect_back(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || len >= sizeof(to.sun_path))
		fatal(EX_OSERR, "the selftest cannot be reached");
	memcpy(to.sun_path, path, len);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		fatal(EX_OSERR, "the selftest cannot be reached: %s", strerror(errno));
	return fd;
}

/* Finds the role's document roots; the role keeps them. The site is known by its inode, which a
 * copy of its mount has, too. */
static void roots_find(struct agent *a, const struct role *r)
{
	struct stat site, st;
	char path[PATH_ROOM];
	const char *slash = strrchr(a->path, '/'); /* the site is beside the socket */
	a->document_fd = a->site_fd = -1;
	(void)snprintf(path, sizeof(path), "%.*s/" SITE_NAME, (int)(slash - a->path), a->path);
	if (stat(path, &site) < 0)
		fatal(EX_OSERR, "\"%s\" cannot be found: %s", path, strerror(errno));
	for (size_t i = 0; i < r->handed.count; i++) {
		const int fd = r->handed.list[i].fd;
		if (r->handed.list[i].kind != IPC_FD_ROOT || fstat(fd, &st) < 0)
			continue;
		if (st.st_dev == site.st_dev && st.st_ino == site.st_ino)
			a->site_fd = fd;
		else if (a->document_fd < 0)
			a->document_fd = fd;
	}
}

/* The first descriptor of a kind that the role received; the role keeps it. */
static int handed(const struct role *r, enum ipc_handed kind)
{
	for (size_t i = 0; i < r->handed.count; i++)
		if (r->handed.list[i].kind == kind)
			return r->handed.list[i].fd;
	return -1;
}

static char *file_keep(const char *path)
{
	char *text = NULL;
	size_t len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : fd_read_all(fd, TLS_KEY_FILE_MAX, &text, &len);
	fd_close(&fd);
	if (error < 0)
		fatal(EX_OSERR, "\"%s\" cannot be read: %s", path, strerror(-error));
	return text;
}

static void secrets_keep(struct agent *a, const struct role *r)
{
	if (r->start.role != IPC_WORKER)
		return;
	if ((a->keep & AGENT_KEPT_KEY) != 0 && !r->port->plain)
		a->kept_key = file_keep(r->port->certificates[0].key);
	if ((a->keep & AGENT_KEPT_PASSWORDS) != 0 && r->port->passwords_count > 0)
		a->kept_passwords = file_keep(r->port->passwords[0].path);
}

/* What the role has of its upstreams. */
static bool upstreams_keep(struct agent *a, const struct role *r)
{
	const bool worker = r->start.role == IPC_WORKER;
	a->is_resolver = r->start.role == IPC_RESOLVER;
	a->connect_fd = handed(r, IPC_FD_CONNECT_CHANNEL);
	a->shared_fd = fcntl(handed(r, worker ? IPC_FD_HEALTH : IPC_FD_NAMES), F_DUPFD_CLOEXEC, 0);
	if (a->shared_fd < 0)
		return true;
	if (a->is_resolver)
		return lseek(a->shared_fd, 0, SEEK_END) > 0;
	a->shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, a->shared_fd, 0);
	return a->shared != MAP_FAILED;
}

static void begun(void *arg, const struct role *r)
{
	struct agent *a = arg;
	a->io.fd = connect_back(a->path);
	a->root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	roots_find(a, r);
	a->exe_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	bool maps = true;
	for (unsigned i = 0; i < AGENT_SCANS; i++)
		maps =
		    (a->maps_fds[i] = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) >= 0 && maps;
	a->tcp4_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a->tcp6_fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a->unix_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	a->key_fd = handed(r, IPC_FD_KEY_CHANNEL);
	a->password_fd = handed(r, IPC_FD_PASSWORD_CHANNEL);
	a->tickets_fd = fcntl(handed(r, IPC_FD_TICKETS), F_DUPFD_CLOEXEC, 0);
	if (a->tickets_fd >= 0)
		a->tickets =
		    mmap(NULL, sizeof(struct ipc_tickets), PROT_READ, MAP_SHARED, a->tickets_fd, 0);
	a->datagram_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	a->maps = malloc(MAPS_ROOM);
	if (a->root_fd < 0 || a->exe_fd < 0 || !maps || a->tcp4_fd < 0 || a->unix_fd < 0 ||
	    a->maps == NULL || a->tickets == MAP_FAILED || !upstreams_keep(a, r))
		fatal(EX_OSERR, "the attempts cannot be prepared: %s", strerror(errno));
	secrets_keep(a, r);
}

/* --- after the seal -------------------------------------------------------------------------- */

static void order_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct agent *a = (struct agent *)io;
	struct order o;
	(void)loop;
	(void)events;
	ssize_t n = recv(io->fd, &o, sizeof(o), 0);
	if (n != (ssize_t)sizeof(o) || o.attempt >= attempts_count)
		_exit(EX_UNAVAILABLE); /* the selftest has ended */
	o.path[PATH_ROOM - 1] = '\0';
	const struct answer answer = {.result = attempts[o.attempt].try(a, &o)};
	(void)!write(io->fd, &answer, sizeof(answer));
}

static void sealed(void *arg, struct role *r, struct loop *loop)
{
	struct agent *a = arg;
	const struct hello hello = {.role = r->start.role,
				    .port = r->start.port,
				    .number = r->start.number,
				    .pid = getpid(),
				    .counters = (uintptr_t)r->board,
				    .level = r->level};
	a->listener_fd = r->plan.guarded_count > 0 ? (int)r->plan.guarded_first : -1;
	a->pinned = r->plan.pinned;
	a->pinned_bytes = r->plan.pinned_bytes;
	a->io.ready = order_ready;
	a->board = r->board;
	if (write(a->io.fd, &hello, sizeof(hello)) < 0 || loop_add(loop, &a->io, EPOLLIN) < 0)
		_exit(EX_UNAVAILABLE);
}

/* --- the argument ---------------------------------------------------------------------------- */

/* Parses "LAYERS,KEEP,PATH", the first two as numbers; returns NULL if it has another form. */
static const char *argument_parse(const char *s, struct agent *a)
{
	char *end;
	a->hook.leave_out = (unsigned)strtoul(s, &end, 10);
	if (end == s || *end != ',')
		return NULL;
	s = end + 1;
	a->keep = (unsigned)strtoul(s, &end, 10);
	return end == s || *end != ',' || strchr(end, '/') == NULL ? NULL : end + 1;
}

const struct role_hook *selftest_hook(const char *argument)
{
	struct agent *a = calloc(1, sizeof(*a));
	if (a == NULL)
		fatal(EX_OSERR, "out of memory");
	a->hook = (struct role_hook){.begun = begun, .sealed = sealed, .arg = a};
	a->path = argument_parse(argument, a);
	if (a->path == NULL)
		fatal(EX_USAGE, "this is started by bulkhead selftest only");
	return &a->hook;
}
