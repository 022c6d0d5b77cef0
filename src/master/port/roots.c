/*
 * Runs in the master, and in bulkhead -t: opens document roots for the port's workers, where
 * place.c finds them. Must never hand over a directory with a key beneath it: a worker that was
 * taken over can read all that lies there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"
#include "base/text.h"
#include "master/port/port.h"

#define TRIES 16 /* while renames come in between */

/* --- what is mounted beneath them ------------------------------------------------------------- */

/* Once in a turn, and before the first copy that is made in it: so a copy has all that its mark
 * shows. Without a list, nothing seems to be mounted anywhere. */
static const struct mounts *mounts_look(struct master *m)
{
	char *text = NULL;
	size_t size = 0;
	if (m->mounts_known)
		return &m->mounts;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	m->mounts = (struct mounts){.text = NULL};
	if (f != NULL && getdelim(&text, &size, '\0', f) >= 0)
		(void)mounts_parse(&m->mounts, text);
	else
		free(text);
	if (f != NULL)
		(void)fclose(f);
	m->mounts_known = true;
	return &m->mounts;
}

void mounts_forget(struct master *m)
{
	mounts_release(&m->mounts);
	m->mounts_known = false;
}

/* --- opening --------------------------------------------------------------------------------- */

/* The level of a worker says whether it has copies. */
static void root_copy(struct master *m, int *fd)
{
	const bool had = m->mounter.fd >= 0;
	const int copy_fd = sandbox_mounter_copy(&m->mounter, *fd);
	if (copy_fd >= 0) {
		fd_close(fd);
		*fd = copy_fd;
	} else if (had) {
		log_write(&m->log, LOG_WARNING,
			  "a document root cannot be made a mount of its own: %s",
			  strerror(-copy_fd));
	}
}

static const char *key_path(const struct conf_port *port, size_t i)
{
	return i < port->certificates_count ? port->certificates[i].key : NULL;
}

static const char *passwords_path(const struct conf_port *port, size_t i)
{
	return i < port->passwords_count ? port->passwords[i].path : NULL;
}

/* The files of all ports, of which path_of() gives those of one until it gives NULL. */
static int files_find(const struct conf *conf,
		      const char *(*path_of)(const struct conf_port *, size_t), struct beneath *ret)
{
	const char *path;
	size_t count = 0;
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; path_of(&conf->ports[i], k) != NULL; k++)
			count++;
	const char **paths = calloc(count + 1, sizeof(*paths));
	if (paths == NULL)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; (path = path_of(&conf->ports[i], k)) != NULL; k++)
			paths[count++] = path;
	const int error = beneath_init(ret, paths, count);
	free(paths);
	return error;
}

int secrets_find(const struct conf *conf, struct secrets *ret)
{
	*ret = (struct secrets){.keys = {.files = NULL}};
	int error = files_find(conf, key_path, &ret->keys);
	if (error == 0)
		error = files_find(conf, passwords_path, &ret->passwords);
	if (error < 0)
		secrets_release(ret);
	return error;
}

void secrets_release(struct secrets *s)
{
	beneath_release(&s->keys);
	beneath_release(&s->passwords);
}

/* They must not be served, nor be readable by a worker. */
static int secret_files_look(const struct beneath *files, const char *kind, const char *path,
			     const struct port_place *place, struct err *err)
{
	char root[PATH_MAX];
	const struct beneath_file *file;
	if (beneath_find(files, place->real, &file) == 0)
		return 0;
	if (place->rest[0] == '\0' ||
	    (realpath(path, root) != NULL && beneath_find(files, root, &file) > 0))
		err_set(
		    err,
		    "%s \"%s\" lies beneath the document root \"%s\", and would be served: keep "
		    "it elsewhere",
		    kind, file->path, path);
	else
		err_set(
		    err,
		    "%s \"%s\" lies beneath \"%s\", which workers can read because a link there "
		    "leads to the document root \"%s\": keep it elsewhere",
		    kind, file->path, place->real, path);
	return -1;
}

static int secrets_look(const struct secrets *secrets, const char *path,
			const struct port_place *place, struct err *err)
{
	const int error = secret_files_look(&secrets->keys, "key", path, place, err);
	return error < 0
		   ? error
		   : secret_files_look(&secrets->passwords, "password file", path, place, err);
}

static int root_fail(const char *path, int error, struct err *err)
{
	if (error == -ENOTDIR)
		err_set(err, "document root \"%s\" is not a directory", path);
	else if (error == -ENOSYS)
		err_set(err,
			"document root \"%s\" cannot be served, because a filter of system calls "
			"around the server denies openat2(2): under systemd leave out "
			"RestrictSUIDSGID=, in a container use a filter that allows it",
			path);
	else
		err_set(err, "document root \"%s\" cannot be read: %s", path, strerror(-error));
	return err_is_shortage(-error) ? -EAGAIN : -1;
}

int root_place(const struct secrets *secrets, const char *path, struct port_file *f,
	       struct err *err)
{
	for (unsigned i = 0;; i++) {
		int error = root_find(path, &f->place);
		if (error < 0 || f->place == NULL)
			return root_fail(path, error, err);
		if (secrets_look(secrets, path, f->place, err) < 0)
			return -1;
		f->fd = place_open(f->place);
		if (f->fd >= 0)
			return 0;
		if (f->fd != -ELOOP || i == TRIES)
			return root_fail(path, f->fd, err);
		place_release(f->place);
		f->place = NULL;
	}
}

int port_open_root(struct master *m, const struct secrets *secrets, const char *path,
		   struct port_file *f, struct err *err)
{
	const struct mounts *mounts = mounts_look(m);
	struct stat st;
	int error = root_place(secrets, path, f, err);
	if (error < 0)
		return error;
	if (fstat(f->fd, &st) < 0)
		return root_fail(path, -errno, err);
	f->mark = file_mark_of(&st);
	f->mark.mounts = mounts_mark(mounts, f->place->real);
	root_copy(m, &f->fd);
	return 0;
}

void anchors_tell(const struct port *p)
{
	const struct port_place *first = NULL;
	char line[1024];
	size_t more = 0;
	struct text t;
	for (size_t i = 0; i < p->files.count; i++) {
		const struct port_place *place = p->files.list[i].place;
		if (place == NULL || place->rest[0] == '\0')
			continue;
		if (first == NULL)
			first = place;
		else
			more++;
	}
	if (first == NULL)
		return;
	text_init(&t, line, sizeof(line));
	text_add_str(&t, "workers ");
	place_explain(first, &t);
	if (more > 0)
		text_addf(&t, "; so it is with %zu more document root%s: see `bulkhead -t`", more,
			  more == 1 ? "" : "s");
	log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE, "%s", line);
}

int root_mark(struct master *m, const char *path, struct file_mark *ret)
{
	struct port_place *place = NULL;
	struct stat st;
	int error = root_find(path, &place);
	if (place != NULL && stat(place->real, &st) < 0)
		error = -errno;
	if (error == 0 && place != NULL) {
		*ret = file_mark_of(&st);
		ret->mounts = mounts_mark(mounts_look(m), place->real);
	}
	place_release(place);
	return error;
}

int root_stat(const char *path, struct stat *ret)
{
	struct port_place *place = NULL;
	int error = root_find(path, &place);
	if (place != NULL && stat(place->real, ret) < 0)
		error = -errno;
	place_release(place);
	return error;
}

/* --- the mounter ------------------------------------------------------------------------------ */

/* Also without document roots: a reload may bring the first one, and later there is no privilege to
 * start it. */
void mounter_start(struct master *m)
{
	bool wanted = false;
	for (size_t i = 0; i < m->conf->ports_count; i++)
		wanted = wanted || m->conf->ports[i].roots_count > 0;
	const int error = sandbox_mounter_start(&m->mounter);
	if (error < 0)
		log_write(&m->log, error == -EPERM || !wanted ? LOG_DEBUG : LOG_WARNING,
			  "document roots cannot be mounts of their own: %s", strerror(-error));
}

void mounter_ended(struct master *m)
{
	log_write(
	    &m->log, LOG_WARNING,
	    "the mounter (pid %d) has ended: until a restart of the server, document roots that "
	    "are opened are no mounts of their own",
	    (int)m->mounter.pid);
	fd_close(&m->mounter.fd);
	m->mounter.pid = -1;
}
