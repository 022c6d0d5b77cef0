/*
 * Runs in the master: opens the files of a port's certificates and keys, because only here somebody
 * may, and never reads them. They stay open: a process that is replaced after a crash gets what its
 * neighbours have, whatever lies under the files' names by then. Who drains a worker asks for new
 * ones; then, and where the open ones were overwritten, all processes of the port are replaced,
 * since old certificates do not fit a new key.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "master/state.h"

#define KEYHOLDER_END_MS 2000 /* it has nothing to finish */
#define SEPARATE         "workers read certificates and must not see a key, so they are separate files"

static int file_open(const char *what, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		err_set(err, "%s \"%s\" cannot be read: %s", what, path, strerror(errno));
	return fd;
}

/* Whoever reads the certificate would have the key: it goes to workers. */
static bool is_same(int certificate_fd, int key_fd)
{
	struct stat a, b;
	return fstat(certificate_fd, &a) == 0 && fstat(key_fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Any key of the port: its keyholder loads them all. */
static int files_compare(const struct conf_port *conf, const struct port_files *f, struct err *err)
{
	for (size_t i = 0; i < f->count; i++)
		for (size_t k = 0; k < f->count; k++)
			if (is_same(f->fds[i], f->fds[f->count + k])) {
				err_set(err, "\"%s\" is certificate and key in one: " SEPARATE,
					conf->certificates[i].certificate);
				return -1;
			}
	return 0;
}

static struct file_mark mark_of(const struct stat *st)
{
	return (struct file_mark){
	    .device = st->st_dev, .inode = st->st_ino, .size = st->st_size, .time = st->st_mtim};
}

static int marks_take(struct port_files *f, struct err *err)
{
	struct stat st;
	for (size_t i = 0; i < 2 * f->count; i++) {
		if (fstat(f->fds[i], &st) < 0) {
			err_set(err, "a file cannot be looked at: %s", strerror(errno));
			return -1;
		}
		f->marks[i] = mark_of(&st);
	}
	return 0;
}

static void release(struct port_files *f)
{
	for (size_t i = 0; i < 2 * f->count; i++)
		fd_close(&f->fds[i]);
	f->count = 0;
}

static const char *path_of(const struct conf_port *conf, size_t i)
{
	size_t pairs = conf->certificates_count;
	return i < pairs ? conf->certificates[i].certificate : conf->certificates[i - pairs].key;
}

static int open_all(const struct conf_port *conf, struct port_files *f, struct err *err)
{
	*f = (struct port_files){.count = conf->certificates_count};
	for (size_t i = 0; i < 2 * f->count; i++)
		f->fds[i] = -1;
	for (size_t i = 0; i < 2 * f->count; i++) {
		f->fds[i] = file_open(i < f->count ? "certificate" : "key", path_of(conf, i), err);
		if (f->fds[i] < 0)
			goto fail;
	}
	if (marks_take(f, err) == 0 && files_compare(conf, f, err) == 0)
		return 0;
fail:
	release(f);
	return -1;
}

int port_open_files(struct port *p, struct err *err)
{
	return open_all(p->conf, &p->files, err);
}

void port_close_files(struct port *p)
{
	release(&p->files);
}

/*
 * asked: another file of that name counts, too. One that is not there any more is no news: the one
 * that is open is still good. Not asked, only what has become of the open ones counts: they were
 * overwritten, and what fits the neighbours is lost.
 */
static bool has_changed(const struct port *p, bool asked)
{
	struct stat st;
	for (size_t i = 0; i < 2 * p->files.count; i++) {
		if ((asked ? stat(path_of(p->conf, i), &st) : fstat(p->files.fds[i], &st)) < 0)
			continue;
		const struct file_mark now = mark_of(&st), *then = &p->files.marks[i];
		if (now.device != then->device || now.inode != then->inode ||
		    now.size != then->size || now.time.tv_sec != then->time.tv_sec ||
		    now.time.tv_nsec != then->time.tv_nsec)
			return true;
	}
	return false;
}

static void replace(struct child *c)
{
	struct master *m = c->port->master;
	if (c->state == CHILD_NONE || c->state == CHILD_DRAINING || c->channel.fd < 0)
		return;
	uint64_t until_ms = m->loop.now_ms + (is_worker(c) ? m->conf->drain_ms : KEYHOLDER_END_MS);
	c->state = CHILD_DRAINING;
	(void)ipc_send(c->channel.fd, IPC_DRAIN, NULL, 0, NULL, 0);
	if (!loop_timer_is_set(&c->deadline) || c->deadline.deadline_ms > until_ms)
		loop_timer_set(&m->loop, &c->deadline, until_ms);
}

void port_renew_files(struct port *p, bool asked)
{
	struct port_files fresh;
	struct err err;
	if (!has_changed(p, asked))
		return;
	if (open_all(p->conf, &fresh, &err) < 0) {
		log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING,
			      "certificates or keys have changed, and cannot be used: %s; the old "
			      "ones stay",
			      err.text);
		return;
	}
	port_close_files(p);
	p->files = fresh;
	log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE,
		      "certificates or keys have changed: all processes of the port are replaced");
	for (unsigned i = 0; i < p->children_count; i++)
		replace(&p->children[i]);
}
