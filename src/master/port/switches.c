/*
 * Runs in the master: notices that another folder has taken the place of a document root, because a
 * link in its path was switched or a folder renamed, and then gives the port new processes, which
 * are handed the new one. A link that the workers follow for each request themselves (base/root.h)
 * matters only if it leads out of its folder.
 *
 * The kernel reports changes of these links and folders (inotify(7)): nothing is looked at again
 * and again, since a look at a file system that does not answer would block the master. Each report
 * ends the watch; one look at all roots follows and begins a new one, at most once a second. What
 * cannot be settled then is looked at again, after a pause that grows: a link is missing for a
 * moment while it is switched in two steps, or a port was renewed just now, or could not be.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syslog.h>

#include "master/port/port.h"

#define LOOK_MS      1000 /* between two looks */
#define LOOK_MAX_MS  60000
#define RENEW_MS     5000 /* between two renewals of a port; longer if they fail */
#define RENEW_MAX_MS 600000

/* --- watching -------------------------------------------------------------------------------- */

static void switches_unwatch(struct master *m)
{
	loop_remove_and_close(&m->loop, &m->switches.io);
}

/* Others may cause any number of events: from the first one to the next look, none is read. */
static void switches_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct switches *s = (struct switches *)((char *)io - offsetof(struct switches, io));
	(void)events;
	loop_remove_and_close(loop, io);
	s->due = true;
	s->pause_ms = 0;
	if (s->next_ms > s->looked_ms + LOOK_MS)
		s->next_ms = s->looked_ms + LOOK_MS;
}

static int switches_add(struct master *m, const char *path, uint32_t mask)
{
	/* a folder on the way to one root may be above another one */
	const int n = inotify_add_watch(m->switches.io.fd, path,
					mask | IN_MASK_ADD | IN_DELETE_SELF | IN_MOVE_SELF);
	/* the look that follows finds that one is missing */
	return n < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES ? -errno : 0;
}

struct way_watch {
	struct master *m;
	int error;
};

/* A link that another one takes the place of first loses its name, which is an attribute. A folder
 * that is removed while processes hold it reports nothing itself: the one above it does. */
static void switches_add_way(void *arg, const char *path, bool is_link)
{
	struct way_watch *w = arg;
	char above[PATH_MAX];
	const size_t len = (size_t)(strrchr(path, '/') - path);
	(void)snprintf(above, sizeof(above), "%.*s", len > 0 ? (int)len : 1, path);
	if (w->error == 0)
		w->error =
		    switches_add(w->m, path, is_link ? IN_DONT_FOLLOW | IN_ATTRIB : IN_ONLYDIR);
	if (w->error == 0)
		w->error =
		    switches_add(w->m, above, IN_ONLYDIR | IN_CREATE | IN_DELETE | IN_MOVED_TO);
}

static int switches_add_port(struct master *m, const struct port *p)
{
	struct way_watch w = {.m = m};
	for (size_t i = 0; i < p->conf->roots_count && w.error == 0; i++)
		path_walk(p->conf->roots[i].path, switches_add_way, &w);
	return w.error;
}

static bool is_watched(const struct port *p)
{
	return p->stage == STAGE_CURRENT && p->conf->roots_count > 0 && p->files.count > 0 &&
	       (p->state == PORT_SERVING || p->state == PORT_STARTING || p->state == PORT_BACKOFF);
}

static void switches_watch(struct master *m)
{
	struct switches *s = &m->switches;
	bool any = false;
	int error = 0;
	switches_unwatch(m);
	for (size_t i = 0; i < m->ports_count; i++)
		any = any || is_watched(m->ports[i]);
	if (!any)
		return;
	s->io = (struct loop_io){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
				 .ready = switches_ready};
	error = s->io.fd < 0 ? -errno : 0;
	for (size_t i = 0; i < m->ports_count && error == 0; i++)
		if (is_watched(m->ports[i]))
			error = switches_add_port(m, m->ports[i]);
	if (s->io.fd >= 0) {
		const int added = loop_add(&m->loop, &s->io, EPOLLIN);
		error = error == 0 ? added : error;
	}
	if (error < 0 && !s->told)
		log_write(&m->log, LOG_WARNING,
			  "document roots cannot be watched (%s): reload the server after another "
			  "folder has taken the place of one",
			  error == -ENOSPC   ? "fs.inotify.max_user_watches is too low"
			  : error == -EMFILE ? "fs.inotify.max_user_instances is too low"
					     : strerror(-error));
	s->told = error < 0;
}

/* --- looking --------------------------------------------------------------------------------- */

enum found { FOUND_SAME, FOUND_OTHER, FOUND_LATER };

static enum found root_compare(const struct port *p, const struct port_file *f)
{
	const struct file_mark *mark = &f->mark;
	const char *path = p->conf->roots[f->of].path;
	struct stat st;
	if (root_stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return FOUND_LATER;
	return st.st_dev == mark->device && st.st_ino == mark->inode ? FOUND_SAME : FOUND_OTHER;
}

static void port_switched(struct port *p, const char *path)
{
	struct port_switches *s = &p->switches;
	s->pause_ms = s->pause_ms == 0                 ? RENEW_MS
		      : s->pause_ms < RENEW_MAX_MS / 2 ? 2 * s->pause_ms
						       : RENEW_MAX_MS;
	s->next_ms = p->master->loop.now_ms + s->pause_ms;
	log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE,
		      "another folder is in the place of document root \"%s\"", path);
	port_renew(p);
}

/* False: it must be looked at again. */
static bool switches_look_port(struct port *p)
{
	bool settled = true;
	for (size_t i = 0; i < p->files.count; i++) {
		const struct port_file *f = &p->files.list[i];
		const enum found found = f->place == NULL ? FOUND_SAME : root_compare(p, f);
		settled = settled && found == FOUND_SAME;
		if (found != FOUND_OTHER || p->order != ORDER_NONE ||
		    p->master->loop.now_ms < p->switches.next_ms)
			continue;
		port_switched(p, p->conf->roots[f->of].path);
		return false;
	}
	return settled;
}

/* Watched first, so that no switch is missed. */
void switches_look(struct master *m)
{
	struct switches *s = &m->switches;
	const uint64_t now_ms = m->loop.now_ms;
	bool settled = true;
	if (!s->due || m->roll.under_way || m->draining || now_ms < s->next_ms)
		return;
	s->due = false;
	s->looked_ms = now_ms;
	switches_watch(m);
	for (size_t i = 0; i < m->ports_count; i++)
		if (is_watched(m->ports[i]))
			settled = switches_look_port(m->ports[i]) && settled;
	if (settled)
		s->pause_ms = 0;
	else
		s->pause_ms = s->pause_ms == 0                ? LOOK_MS
			      : s->pause_ms < LOOK_MAX_MS / 2 ? 2 * s->pause_ms
							      : LOOK_MAX_MS;
	s->due = !settled;
	s->next_ms = now_ms + (settled ? LOOK_MS : s->pause_ms);
}
