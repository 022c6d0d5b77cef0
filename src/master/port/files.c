/*
 * Runs in the master, the only process that may: opens the files of a port's certificates and keys,
 * and never reads them. They stay open: a process that replaces a crashed one gets the same files
 * as its neighbours, even if the paths have new files by then. Draining a worker is how an
 * administrator asks for new files. After that, and if the open files were overwritten, the port
 * gets a new generation, because old certificates do not fit a new key.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "master/port/port.h"

#define SEPARATE "workers read certificates and must not see a key; use separate files"

/* Returns the descriptor; or -1 or -EAGAIN, and a sentence. */
static int file_open(const char *what, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	const int error = errno;
	err_set(err, "%s \"%s\" cannot be read: %s", what, path, strerror(error));
	return err_is_shortage(error) ? -EAGAIN : -1;
}

/* Is the certificate's file the key's file? Workers would read the key in it. */
static bool is_same(int certificate_fd, int key_fd)
{
	struct stat a, b;
	return fstat(certificate_fd, &a) == 0 && fstat(key_fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Compares with every key of the port, since its keyholders load them all. */
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
	return (struct file_mark){.device = st->st_dev,
				  .inode = st->st_ino,
				  .size = st->st_size,
				  .modified = st->st_mtim,
				  .changed = st->st_ctim};
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
	int error = 0;
	*f = (struct port_files){.count = conf->certificates_count};
	for (size_t i = 0; i < 2 * f->count; i++)
		f->fds[i] = -1;
	for (size_t i = 0; i < 2 * f->count && error == 0; i++) {
		int fd = file_open(i < f->count ? "certificate" : "key", path_of(conf, i), err);
		if (fd >= 0)
			f->fds[i] = fd;
		else
			error = fd;
	}
	if (error == 0)
		error = marks_take(f, err);
	if (error == 0)
		error = files_compare(conf, f, err);
	if (error < 0)
		release(f);
	return error;
}

int port_open_files(struct port *p, struct err *err)
{
	return open_all(p->conf, &p->files, err);
}

void port_close_files(struct port *p)
{
	release(&p->files);
}

bool port_files_changed(const struct port *p, bool asked)
{
	struct stat st;
	for (size_t i = 0; i < 2 * p->files.count; i++) {
		/* A file that no longer exists is not a change: the open one is still valid. */
		if ((asked ? stat(path_of(p->conf, i), &st) : fstat(p->files.fds[i], &st)) < 0)
			continue;
		struct file_mark now = mark_of(&st), then = p->files.marks[i];
		/* Renaming or linking a file changes its ctime, not its content. */
		now.changed = then.changed = (struct timespec){0};
		if (!file_mark_equal(&now, &then))
			return true;
	}
	return false;
}

void files_name(const struct conf_port *conf, const char *names[2 * PORT_FILES_MAX])
{
	for (size_t i = 0; i < 2 * conf->certificates_count && i < 2 * PORT_FILES_MAX; i++)
		names[i] = path_of(conf, i);
}

void files_look(const struct conf_port *conf, struct file_mark marks[2 * PORT_FILES_MAX])
{
	struct stat st;
	for (size_t i = 0; i < 2 * conf->certificates_count && i < 2 * PORT_FILES_MAX; i++)
		marks[i] = stat(path_of(conf, i), &st) == 0 ? mark_of(&st) : (struct file_mark){0};
}
