/*
 * Runs in the master: the control socket, from its making to its removal, and who is let in. Must
 * never fail the server, nor take a socket away from another server that answers on it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/control/control.h"

#define BACKLOG      64
#define PAUSE_MS     1000
#define RETRY_MS     1000
#define REFUSAL_MS   60000 /* at most one line in this time */
#define PATH_MADE_AT ".%d" /* bound under this name beside its own, until it listens */

/* --- its name --------------------------------------------------------------------------------- */

static const char *path_wanted(const struct master *m)
{
	if (m->options->child_option != NULL) /* the selftest's: nobody's to control */
		return NULL;
	switch (m->conf->control) {
	case CONF_CONTROL_OFF:
		break;
	case CONF_CONTROL_PATH:
		return m->conf->control_path;
	case CONF_CONTROL_DEFAULT:
		return geteuid() == 0 ? CONTROL_PATH_DEFAULT : NULL;
	}
	return NULL;
}

static int address_make(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlcpy(a->sun_path, path, sizeof(a->sun_path)) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

/* Does somebody answer on it? 1, 0, or -errno; -EINVAL: it is there, and no socket. A full backlog
 * is somebody, too. */
static int is_answered(const char *path)
{
	struct sockaddr_un a;
	struct stat st;
	int error = address_make(&a, path);
	if (error < 0)
		return error;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EINVAL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	fd_close(&fd);
	if (error == 0 || error == -EAGAIN)
		return 1;
	return error == -ECONNREFUSED || error == -ENOENT ? 0 : error;
}

/* A socket of mode 0600 that is bound to this name: nobody else gets to it for a moment, either. */
static int bound(const char *path)
{
	struct sockaddr_un a;
	int error = address_make(&a, path);
	if (error < 0)
		return error;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	const mode_t before = umask(0177);
	error = bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	(void)umask(before);
	if (error < 0) {
		fd_close(&fd);
		return error;
	}
	return fd;
}

/* It listens before it has its name, so that no other server takes it for one that is left over. */
static int listener_make(const char *path, struct control_socket *ret)
{
	char made_at[sizeof(ret->path)];
	struct stat st = {.st_ino = 0};
	int answered = is_answered(path);
	if (answered != 0)
		return answered < 0 ? answered : -EADDRINUSE;
	int n = snprintf(made_at, sizeof(made_at), "%s" PATH_MADE_AT, path, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(made_at))
		return -ENAMETOOLONG;
	int fd = bound(made_at);
	if (fd < 0)
		return fd;
	int error = 0;
	if (listen(fd, BACKLOG) < 0 || lstat(made_at, &st) < 0 || rename(made_at, path) < 0)
		error = -errno;
	if (error < 0) {
		(void)unlink(made_at);
		fd_close(&fd);
		return error;
	}
	*ret = (struct control_socket){.fd = fd, .device = st.st_dev, .inode = st.st_ino};
	(void)strlcpy(ret->path, path, sizeof(ret->path));
	return 0;
}

/* The default's folder is made if need be; another one is whoever's who has named it. */
static void folder_make(const char *path)
{
	char folder[sizeof(CONTROL_PATH_DEFAULT)];
	if (strcmp(path, CONTROL_PATH_DEFAULT) != 0)
		return;
	(void)strlcpy(folder, path, sizeof(folder));
	*strrchr(folder, '/') = '\0';
	(void)mkdir(folder, 0755);
}

/* --- who comes -------------------------------------------------------------------------------- */

static void refuse(struct control *c, uid_t uid)
{
	const uint64_t now = c->master->loop.now_ms;
	if (c->refused_ms != 0 && now - c->refused_ms < REFUSAL_MS)
		return;
	c->refused_ms = now;
	log_write(&c->master->log, LOG_WARNING, "control: a client of user %u is not let in",
		  (unsigned)uid);
}

static bool is_lack(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* One in a turn: a crowd has to share the turns with everything else. */
static void listener_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct control *c = (struct control *)((char *)io - offsetof(struct control, listener));
	uid_t uid;
	gid_t gid;
	(void)events;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* Who waits stays in the queue; nobody is woken for nothing until then. */
		if (is_lack(errno) && loop_modify(loop, io, 0) == 0)
			loop_timer_set(loop, &c->pause, loop->now_ms + PAUSE_MS);
		return;
	}
	if (getpeereid(fd, &uid, &gid) < 0) {
		fd_close(&fd);
	} else if (uid != 0 && uid != geteuid()) {
		refuse(c, uid);
		fd_close(&fd);
	} else {
		(void)client_begin(c, fd, uid);
	}
}

static void pause_expired(struct loop *loop, struct loop_timer *timer)
{
	struct control *c = (struct control *)((char *)timer - offsetof(struct control, pause));
	if (c->listener.fd >= 0 && loop_modify(loop, &c->listener, EPOLLIN) < 0)
		loop_timer_set(loop, timer, loop->now_ms + PAUSE_MS);
}

/* --- from its making to its removal ----------------------------------------------------------- */

/* What lies under the name now, if anything does. */
static bool is_its_own(const struct control_socket *s)
{
	struct stat st;
	return lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode;
}

static void name_remove(const struct control_socket *s)
{
	if (is_its_own(s))
		(void)unlink(s->path);
}

static void listener_close(struct control *c)
{
	if (c->listener.fd < 0)
		return;
	name_remove(&c->socket);
	loop_timer_cancel(&c->master->loop, &c->pause);
	loop_remove_and_close(&c->master->loop, &c->listener);
	c->socket.path[0] = '\0';
}

static int listener_begin(struct control *c, const struct control_socket *s)
{
	listener_close(c);
	c->socket = *s;
	c->listener = (struct loop_io){.fd = s->fd, .ready = listener_ready};
	int error = loop_add(&c->master->loop, &c->listener, EPOLLIN);
	if (error < 0)
		listener_close(c);
	return error;
}

static int listener_open(struct control *c, const char *path)
{
	struct control_socket made;
	folder_make(path);
	int error = listener_make(path, &made);
	return error < 0 ? error : listener_begin(c, &made);
}

/* Whether there was one; who has connected meanwhile is in its queue. c NULL: nobody to take it. */
static bool listener_take_over(struct control *c, struct control_socket *handed)
{
	if (handed->path[0] == '\0')
		return false;
	if (c != NULL) {
		(void)listener_begin(c, handed); /* or it is made anew */
	} else {
		name_remove(handed);
		fd_close(&handed->fd);
	}
	handed->path[0] = '\0';
	return true;
}

static void retry_expired(struct loop *, struct loop_timer *);

/* All memory and all places for timers that it will ever need, so that later nothing can lack. */
static struct control *control_new(struct master *m)
{
	struct control *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->master = m;
	c->listener.fd = -1;
	if (getrandom(&c->id, sizeof(c->id), GRND_NONBLOCK) != (ssize_t)sizeof(c->id))
		c->id = m->loop.now_ns;
	size_t timers = 0;
	bool failed = loop_timer_init(&m->loop, &c->pause, pause_expired) < 0 ||
		      loop_timer_init(&m->loop, &c->retry, retry_expired) < 0;
	for (; !failed && timers < CONTROL_CLIENTS_MAX; timers++) {
		c->clients[timers] = (struct client){.io = {.fd = -1}, .control = c};
		failed = loop_timer_init(&m->loop, &c->clients[timers].deadline, NULL) < 0;
	}
	if (failed) { /* the server is only just starting, and has more to lack */
		free(c);
		return NULL;
	}
	return c;
}

static void failed_tell(struct master *m, const char *wanted, int error)
{
	const struct control_socket *s = &m->control->socket;
	const bool asked_for = m->conf->control == CONF_CONTROL_PATH;
	log_write(&m->log,
		  asked_for              ? LOG_ERR
		  : error == -EADDRINUSE ? LOG_INFO
					 : LOG_WARNING,
		  "control: cannot make %s: %s; %s%s; trying again", wanted,
		  error == -EADDRINUSE ? "another server answers on it"
		  : error == -EINVAL   ? "it is there, and no socket"
				       : strerror(-error),
		  is_its_own(s) ? "still listening on " : "this server cannot be controlled",
		  is_its_own(s) ? s->path : "");
}

/* Each reason is told once. Another server may be about to end, a folder about to be made. */
static void listener_try(struct control *c, const char *wanted)
{
	struct master *m = c->master;
	const int error = listener_open(c, wanted);
	if (error == 0)
		log_write(&m->log, LOG_INFO, "control: listening on %s", wanted);
	else if (error != c->failed)
		failed_tell(m, wanted, error);
	c->failed = error;
	if (error < 0)
		loop_timer_set(&m->loop, &c->retry, m->loop.now_ms + RETRY_MS);
}

static void retry_expired(struct loop *loop, struct loop_timer *timer)
{
	struct control *c = (struct control *)((char *)timer - offsetof(struct control, retry));
	const char *wanted = path_wanted(c->master);
	(void)loop;
	if (wanted != NULL && !c->master->draining)
		listener_try(c, wanted);
}

void control_open(struct master *m)
{
	const char *wanted = path_wanted(m);
	if (wanted != NULL && m->control == NULL)
		m->control = control_new(m);
	struct control *c = m->control;
	const bool handed = listener_take_over(c, &m->control_handed);
	if (c == NULL) {
		if (wanted != NULL)
			log_write(&m->log, LOG_ERR, "control: out of memory");
		return;
	}
	c->failed = 0;
	loop_timer_cancel(&m->loop, &c->retry);
	if (wanted == NULL) {
		listener_close(c);
		return;
	}
	/* To move is for a reload: who waits for an upgrade asks where he has asked for it. */
	if ((handed || strcmp(c->socket.path, wanted) == 0) && is_its_own(&c->socket))
		return;
	listener_try(c, wanted);
}

struct control_socket control_socket(const struct master *m)
{
	return m->control == NULL ? (struct control_socket){.fd = -1, .path = ""}
				  : m->control->socket;
}

void control_close(struct master *m)
{
	struct control *c = m->control;
	if (c == NULL)
		return;
	listener_close(c);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (c->clients[i].io.fd >= 0 && c->clients[i].state == CLIENT_WAITING)
			command_abandon(&c->clients[i]);
		if (c->clients[i].io.fd >= 0)
			client_end(&c->clients[i]);
		loop_timer_release(&m->loop, &c->clients[i].deadline);
	}
	loop_timer_release(&m->loop, &c->pause);
	loop_timer_release(&m->loop, &c->retry);
	free(c);
	m->control = NULL;
}
