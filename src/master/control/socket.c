/*
 * Runs in the master: makes and removes the control socket, and decides which users it serves. Must
 * never end the server, nor take a socket away from another server that answers on it.
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

#define PAUSE_MS   1000
#define RETRY_MS   1000
#define LOOK_MS    10000 /* between two checks that the socket still has its name */
#define REFUSAL_MS 60000 /* at most one log line about refused clients in this time */

/* --- the name --------------------------------------------------------------------------------- */

static bool is_wanted(const struct master *m)
{
	/* The server of a selftest has none. */
	return m->options->child_option == NULL && m->conf->control != CONF_CONTROL_OFF;
}

/* --- a look beforehand ------------------------------------------------------------------------ */

static const char *folder_wrong(const char *folder)
{
	struct stat st;
	if (stat(folder, &st) < 0)
		return errno == ENOENT ? "is missing: make it, or have it made before the start"
				       : strerror(errno);
	if (!S_ISDIR(st.st_mode))
		return "is not a directory";
	if (access(folder, W_OK | X_OK) < 0)
		return "cannot be written by this user";
	return NULL;
}

void master_check_control(const struct conf *conf, master_warn_fn *warn, void *arg)
{
	struct stat st;
	struct text t;
	char line[512], folder[sizeof(((struct sockaddr_un *)0)->sun_path)] = "/";
	if (conf->control != CONF_CONTROL_PATH)
		return;
	const char *path = conf->control_path, *slash = strrchr(path, '/');
	if (slash > path)
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	text_init(&t, line, sizeof(line));
	const char *wrong = folder_wrong(folder);
	if (wrong != NULL)
		text_addf(&t, "the folder \"%s\" of the control socket %s", folder, wrong);
	else if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		text_addf(&t, "\"%s\" is there and is no socket: no control socket can be made",
			  path);
	if (t.len > 0)
		warn(arg, &conf->control_where, line);
}

/* --- accepting ------------------------------------------------------------------------------- */

static void user_refuse(struct control *c, uid_t uid)
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

/* Accepts one connection per turn, so that many clients cannot hold up the master. */
static void listener_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct control *c = (struct control *)((char *)io - offsetof(struct control, listener));
	uid_t uid;
	gid_t gid;
	(void)events;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* Clients wait in the queue; until the timer the loop does not wake up for them. */
		if (is_lack(errno) && loop_modify(loop, io, 0) == 0)
			loop_timer_set(loop, &c->pause, loop->now_ms + PAUSE_MS);
		return;
	}
	if (getpeereid(fd, &uid, &gid) < 0) {
		fd_close(&fd);
	} else if (uid != 0 && uid != geteuid()) {
		user_refuse(c, uid);
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

/* --- making and removing ---------------------------------------------------------------------- */

/* Is the file of this name still the socket? */
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
	name_remove(&c->master->control_socket);
	loop_timer_cancel(&c->master->loop, &c->pause);
	loop_remove_and_close(&c->master->loop, &c->listener);
	c->master->control_socket.path[0] = '\0';
}

static int listener_begin(struct control *c, const struct control_socket *s)
{
	listener_close(c);
	c->master->control_socket = *s;
	c->listener = (struct loop_io){.fd = s->fd, .ready = listener_ready};
	int error = loop_add(&c->master->loop, &c->listener, EPOLLIN);
	if (error < 0)
		listener_close(c);
	return error;
}

/* Takes over the socket of the earlier version, with the clients in its queue; false: there was
 * none. c NULL: only closes it. */
static bool listener_take_over(struct master *m, struct control *c)
{
	struct control_socket handed = m->control_socket;
	if (handed.path[0] == '\0' || (c != NULL && c->listener.fd >= 0))
		return false;
	m->control_socket.path[0] = '\0';
	if (c != NULL) {
		(void)listener_begin(c, &handed); /* if this fails, it is made again */
	} else {
		name_remove(&handed);
		fd_close(&handed.fd);
	}
	return true;
}

static void retry_expired(struct loop *, struct loop_timer *);

/* Allocates all memory and timers that it will ever need, so that it cannot lack them later. */
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
	if (failed) { /* a start without memory has worse problems */
		free(c);
		return NULL;
	}
	return c;
}

static const char *failure_name(int error)
{
	return error == -EADDRINUSE ? "another server answers on it"
	       : error == -EINVAL   ? "it exists and is not a socket"
				    : strerror(-error);
}

/* wanted "": there is no folder for one. */
static void failed_tell(struct master *m, const char *wanted, int error)
{
	const struct control_socket *s = &m->control_socket;
	if (wanted[0] == '\0' && geteuid() == 0)
		log_write(
		    &m->log, LOG_WARNING,
		    "control: this server cannot be controlled: /run/bulkhead cannot be made: "
		    "%s; make it, or set `control \"FILE\"`",
		    strerror(-error));
	else if (wanted[0] == '\0')
		log_write(&m->log, LOG_NOTICE,
			  "control: no folder for bulkheadctl's socket: set XDG_RUNTIME_DIR or "
			  "HOME, or `control`");
	else
		log_write(
		    &m->log, m->conf->control == CONF_CONTROL_PATH ? LOG_ERR : LOG_WARNING,
		    "control: cannot make %s: %s; %s%s; trying again", wanted, failure_name(error),
		    is_its_own(s) ? "still listening on " : "this server cannot be controlled",
		    is_its_own(s) ? s->path : "");
}

/* Logs each reason once. It tries again, because another server may end, or a folder may be
 * made. */
static void listener_try(struct control *c)
{
	struct master *m = c->master;
	struct control_socket made;
	char wanted[CONTROL_TRIED_MAX] = "";
	int error;
	if (m->conf->control == CONF_CONTROL_PATH) {
		(void)strlcpy(wanted, m->conf->control_path, sizeof(wanted));
		error = control_socket_make(wanted, &made);
	} else {
		error = control_place_make(&made, wanted);
	}
	if (error == 0)
		error = listener_begin(c, &made);
	if (error == 0)
		log_write(&m->log, LOG_INFO, "control: listening on %s", wanted);
	else if (error != c->failed)
		failed_tell(m, wanted, error);
	c->failed = error;
	/* The first check comes early: a server that started at the same time may have taken the
	 * name. */
	loop_timer_set(&m->loop, &c->retry, m->loop.now_ms + RETRY_MS);
}

/* Has the socket lost its file? The end of a session removes its folder, and somebody may remove
 * files. */
static bool is_lost(struct control *c)
{
	if (c->failed < 0 || is_its_own(&c->master->control_socket))
		return false;
	log_write(&c->master->log, LOG_WARNING, "control: %s is gone",
		  c->master->control_socket.path);
	return true;
}

static void retry_expired(struct loop *loop, struct loop_timer *timer)
{
	struct control *c = (struct control *)((char *)timer - offsetof(struct control, retry));
	if (c->master->draining || !is_wanted(c->master))
		return;
	if (c->failed < 0 || is_lost(c))
		listener_try(c);
	else
		loop_timer_set(loop, timer, loop->now_ms + LOOK_MS);
}

static bool is_where_wanted(const struct control *c)
{
	const struct conf *conf = c->master->conf;
	return conf->control == CONF_CONTROL_PATH
		   ? strcmp(c->master->control_socket.path, conf->control_path) == 0
		   : control_is_placed(c->master->control_socket.path);
}

void control_open(struct master *m)
{
	const bool wanted = is_wanted(m);
	if (wanted && m->control == NULL)
		m->control = control_new(m);
	struct control *c = m->control;
	const bool handed = listener_take_over(m, c);
	if (c == NULL) {
		if (wanted)
			log_write(&m->log, LOG_ERR, "control: out of memory");
		return;
	}
	c->failed = 0;
	loop_timer_cancel(&m->loop, &c->retry);
	if (!wanted) {
		listener_close(c);
		return;
	}
	/* Only a reload moves the socket: after an upgrade, clients look for it where it was. */
	if ((handed || is_where_wanted(c)) && is_its_own(&c->master->control_socket))
		loop_timer_set(&m->loop, &c->retry, m->loop.now_ms + LOOK_MS);
	else
		listener_try(c);
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
