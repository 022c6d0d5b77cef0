/* Runs in the master. Must never wait for the service manager, nor fail because there is none. */
#include "master/systemd/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "master/ground/state.h"
#include "master/sockets.h"

#define LATER_MS      250
#define STOP_EXTRA_MS 10000 /* besides the drain: the time to kill and reap the rest */

static bool send_text(struct notify *n, const struct text *t)
{
	return sendto(n->fd, t->data, t->len, MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)&n->address, n->address_len) == (ssize_t)t->len;
}

/* A path, or the name of an abstract socket after an @ (unix(7)). */
static bool address_set(struct notify *n, const char *name)
{
	const size_t len = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->address.sun_path))
		return false;
	n->address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(n->address.sun_path, name, len);
	if (name[0] == '@')
		n->address.sun_path[0] = '\0';
	n->address_len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '@' ? 0 : 1));
	return true;
}

/* --- messages --------------------------------------------------------------------------------- */

/* A port that did not serve when the stop began is shown with its state of then: the reader wants
 * to know why it did not serve. */
static void port_tell(struct notice *notice, const struct port *p, bool ended)
{
	const char *reason = port_reason(p);
	if (p->ended_as != NULL)
		notice_add(notice, port_number(p), false, p->ended_as, p->reason);
	else if (!ended || reason != NULL)
		notice_add(notice, port_number(p), p->state == PORT_SERVING,
			   port_state_name(p->state), reason);
}

static void status_make(struct master *m, struct text *t)
{
	struct notice notice;
	char unclaimed[NOTICE_STATUS_MAX], after[NOTICE_STATUS_MAX];
	struct text u, a;
	notice_begin(&notice);
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_CURRENT)
			port_tell(&notice, m->ports[i], m->notify.ended != NULL);
	if (m->notify.ended != NULL) {
		notice_add_plain(t, m->notify.ended, 2 * NOTICE_REASON_MAX);
		notice_end_others(&notice, t);
		return;
	}
	text_init(&u, unclaimed, sizeof(unclaimed));
	text_init(&a, after, sizeof(after));
	if (sockets_unclaimed(&m->sockets, m->conf, &u) > 0)
		text_addf(&a, "%s taken by no port", unclaimed);
	if (m->notify.reload[0] != '\0')
		text_addf(t, "%s; ", m->notify.reload);
	if (m->notify.stopping)
		text_add_str(t, m->failed ? "no port can be served, stopping; " : "stopping; ");
	notice_end(&notice, after, t);
}

static void assignments_add(struct master *m, struct text *t)
{
	struct notify *n = &m->notify;
	struct timespec now;
	if (n->owes_reloading) {
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		text_addf(t, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
			  (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	} else if (n->owes_ready) {
		text_add_str(t, "READY=1\n");
		if (m->options->daemonized) /* the process that was started has ended */
			text_addf(t, "MAINPID=%d\n", (int)getpid());
	}
	if (n->owes_stopping)
		text_addf(t, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\n",
			  (m->conf->drain_ms + STOP_EXTRA_MS) * 1000);
}

static void notify_tell(struct master *m)
{
	struct notify *n = &m->notify;
	char status[NOTICE_STATUS_MAX], message[NOTICE_STATUS_MAX + 256];
	struct text s, t;
	text_init(&s, status, sizeof(status));
	text_init(&t, message, sizeof(message));
	status_make(m, &s);
	assignments_add(m, &t);
	if (t.len == 0 && strcmp(status, n->told) == 0)
		return;
	text_addf(&t, "STATUS=%s", status);
	n->sent_ms = m->loop.now_ms;
	if (!send_text(n, &t)) {
		loop_timer_set(&m->loop, &n->later, m->loop.now_ms + LATER_MS);
		return;
	}
	memcpy(n->told, status, sizeof(n->told));
	n->owes_ready = n->owes_ready && n->owes_reloading; /* two messages */
	n->owes_reloading = n->owes_stopping = false;
	if (n->owes_ready)
		loop_timer_set(&m->loop, &n->later, m->loop.now_ms);
}

static void later_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, notify.later));
	(void)loop;
	notify_tell(m);
}

/* A message that is not sent now is followed by the next. */
static void alive_tell(struct notify *n, uint64_t now_ms)
{
	char room[16];
	struct text t;
	text_init(&t, room, sizeof(room));
	text_add_str(&t, "WATCHDOG=1");
	if (send_text(n, &t))
		n->alive_sent_ms = now_ms;
}

static void alive_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, notify.alive));
	alive_tell(&m->notify, loop->now_ms);
	loop_timer_set(loop, timer, loop->now_ms + m->notify.alive_ms);
}

void notify_alive(struct master *m)
{
	struct notify *n = &m->notify;
	const uint64_t now_ms = n->fd >= 0 && n->alive_ms > 0 ? clock_ms() : 0;
	if (now_ms > 0 && now_ms - n->alive_sent_ms >= n->alive_ms / 2)
		alive_tell(n, now_ms);
}

void master_tell_manager(const char *sentence)
{
	struct notify n = {.fd = -1};
	char room[NOTICE_STATUS_MAX];
	struct text t;
	const char *name = getenv("NOTIFY_SOCKET");
	if (name == NULL || !address_set(&n, name))
		return;
	n.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	text_init(&t, room, sizeof(room));
	text_add_str(&t, "STATUS=");
	notice_add_plain(&t, sentence, 2 * NOTICE_REASON_MAX);
	if (n.fd >= 0)
		(void)send_text(&n, &t);
	fd_close(&n.fd);
}

/* --- start and end ---------------------------------------------------------------------------- */

void notify_start(struct master *m)
{
	struct notify *n = &m->notify;
	const char *name = getenv("NOTIFY_SOCKET");
	char pid[16];
	*n = (struct notify){.fd = -1};
	if (name == NULL || name[0] == '\0')
		return;
	if (!address_set(n, name)) {
		log_write(&m->log, LOG_WARNING,
			  "cannot report to the service manager: NOTIFY_SOCKET is not a path");
		return;
	}
	if (loop_timer_init(&m->loop, &n->alive, alive_expired) < 0 ||
	    loop_timer_init(&m->loop, &n->later, later_expired) < 0)
		return;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0) {
		log_write(&m->log, LOG_WARNING, "cannot report to the service manager: %s",
			  strerror(errno));
		return;
	}
	n->alive_ms = notice_watchdog_ms(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"),
					 (uint64_t)m->options->started_pid);
	/* The next version in this process must recognize its own pid. */
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (n->alive_ms > 0)
		(void)setenv("WATCHDOG_PID", pid, 1);
	if (m->settled) { /* the earlier version has sent it; sending it twice is harmless */
		n->ready = n->owes_ready = true;
		notify_changed(m);
	}
	if (n->alive_ms > 0)
		loop_timer_set(&m->loop, &n->alive, m->loop.now_ms);
}

void notify_end(struct master *m)
{
	fd_close(&m->notify.fd);
}

void notify_changed(struct master *m)
{
	struct notify *n = &m->notify;
	if (n->fd < 0 || loop_timer_is_set(&n->later))
		return;
	const uint64_t earliest = n->sent_ms + LATER_MS;
	loop_timer_set(&m->loop, &n->later, earliest > m->loop.now_ms ? earliest : m->loop.now_ms);
}

/* At once, because a client waits for it. */
static void tell_now(struct master *m)
{
	loop_timer_cancel(&m->loop, &m->notify.later);
	notify_tell(m);
}

void notify_ready(struct master *m)
{
	struct notify *n = &m->notify;
	if (n->fd < 0)
		return;
	if (n->ready) {
		notify_changed(m);
		return;
	}
	n->ready = n->owes_ready = true;
	tell_now(m);
}

void notify_reloading(struct master *m)
{
	struct notify *n = &m->notify;
	if (n->fd < 0 || !n->ready || n->stopping)
		return;
	(void)snprintf(n->reload, sizeof(n->reload), "reloading");
	n->owes_reloading = true;
	n->owes_ready = false;
	tell_now(m);
}

void notify_reloaded(struct master *m, const char *error)
{
	struct notify *n = &m->notify;
	struct text t;
	if (n->fd < 0 || !n->ready || n->stopping)
		return;
	text_init(&t, n->reload, sizeof(n->reload));
	text_add_str(&t, error == NULL ? "reloaded" : "reload failed: ");
	if (error != NULL)
		notice_add_plain(&t, error, 2 * NOTICE_REASON_MAX - t.len);
	n->owes_ready = true;
	tell_now(m);
}

void notify_stopping(struct master *m)
{
	struct notify *n = &m->notify;
	if (n->fd < 0 || n->stopping)
		return;
	n->stopping = n->owes_stopping = true;
	n->owes_reloading = n->owes_ready = false;
	n->reload[0] = '\0';
	tell_now(m);
}

void notify_ended(struct master *m, const char *sentence)
{
	struct notify *n = &m->notify;
	if (n->fd < 0)
		return;
	n->ended = sentence;
	n->reload[0] = '\0';
	n->owes_reloading = n->owes_ready = false;
	tell_now(m);
	n->ended = NULL;
}
