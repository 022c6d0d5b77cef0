/*
 * Runs in the master, and in bulkhead -t: finds where a document root is, and opens it for the
 * port's workers. Must never hand over a directory with more in it than the configuration asks for:
 * a worker that was taken over can read all that lies beneath.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"
#include "base/root.h"
#include "master/port/port.h"

#define TRIES 16 /* while renames come in between */

/* --- where it is ------------------------------------------------------------------------------ */

/* Too much lies in these for a worker: links in them are followed when the configuration is
 * loaded. */
static const char *const wide[] = {
    "/",      "/bin", "/boot", "/dev",  "/etc",     "/home",      "/lib",      "/lib64",
    "/media", "/mnt", "/opt",  "/proc", "/root",    "/run",       "/sbin",     "/srv",
    "/sys",   "/tmp", "/usr",  "/var",  "/var/lib", "/usr/local", "/usr/share"};

static bool is_wide(const char *real)
{
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (strcmp(real, wide[i]) == 0)
			return true;
	return false;
}

bool root_covers(const char *real, const char *path)
{
	const size_t len = strcmp(real, "/") == 0 ? 0 : strlen(real);
	return strncmp(real, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

void place_release(struct port_place *place)
{
	if (place == NULL)
		return;
	free(place->rest);
	free(place->written);
	free(place->real);
	free(place);
}

/* Copies of the texts, without slashes at their ends. NULL: no memory. */
static struct port_place *place_new(const char *written, const char *real, const char *rest)
{
	struct port_place *place = calloc(1, sizeof(*place));
	if (place == NULL)
		return NULL;
	*place = (struct port_place){strdup(rest), strdup(written), strdup(real)};
	if (place->rest == NULL || place->written == NULL || place->real == NULL) {
		place_release(place);
		return NULL;
	}
	for (size_t n = strlen(place->rest); n > 0 && place->rest[n - 1] == '/'; n--)
		place->rest[n - 1] = '\0';
	for (size_t n = strlen(place->written); n > 1 && place->written[n - 1] == '/'; n--)
		place->written[n - 1] = '\0';
	return place;
}

/* Is the end of this beginning of the path a link that is to be followed for each file? Then the
 * folder that holds it is the anchor. */
static bool is_anchored(const char *path, size_t folder_len, size_t end, const char *real,
			char *ret_folder)
{
	char part[PATH_MAX], target[PATH_MAX];
	struct stat st;
	if (end >= sizeof(part))
		return false;
	memcpy(part, path, end);
	part[end] = '\0';
	if (lstat(part, &st) < 0 || !S_ISLNK(st.st_mode) || realpath(part, target) == NULL)
		return false;
	part[folder_len] = '\0';
	return realpath(folder_len == 0 ? "/" : part, ret_folder) != NULL && !is_wide(ret_folder) &&
	       root_covers(ret_folder, target) && root_covers(ret_folder, real);
}

int root_find(const char *path, struct port_place **ret)
{
	char real[PATH_MAX], folder[PATH_MAX], anchor[PATH_MAX], written[PATH_MAX];
	const char *rest = "";
	if (realpath(path, real) == NULL)
		return -errno;
	if (strlen(path) >= sizeof(written))
		return -ENAMETOOLONG;
	(void)strlcpy(anchor, real, sizeof(anchor));
	(void)strlcpy(written, path, sizeof(written));
	for (size_t at = 0; path[at] != '\0';) {
		const size_t begin = at + strspn(path + at, "/");
		const size_t end = begin + strcspn(path + begin, "/");
		if (end > begin && is_anchored(path, at, end, real, folder)) {
			(void)strlcpy(anchor, folder, sizeof(anchor));
			(void)strlcpy(written, path, at + 1 > 1 ? at + 1 : 2);
			rest = path + begin;
		}
		at = end;
	}
	*ret = place_new(written, anchor, rest);
	return *ret == NULL ? -ENOMEM : 0;
}

/* --- opening --------------------------------------------------------------------------------- */

/* The path was judged, and has no links; one that is there now was put there meanwhile, and may
 * lead to more. */
static int anchor_open(const char *real)
{
	const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				     .resolve = RESOLVE_NO_SYMLINKS};
	const long fd = syscall(SYS_openat2, AT_FDCWD, real, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

int place_reach(const struct port_place *place, int fd)
{
	const struct root root = {fd, place->rest, place->written, place->real};
	int inner_fd = root_open(&root, "", O_PATH | O_DIRECTORY, 0);
	const int error = inner_fd < 0 ? inner_fd : 0;
	fd_close(&inner_fd);
	return error;
}

int place_open(const struct port_place *place)
{
	int fd = anchor_open(place->real);
	const int error = fd < 0 ? fd : place_reach(place, fd);
	if (error < 0)
		fd_close(&fd);
	return error < 0 ? error : fd;
}

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

int keys_find(const struct conf *conf, struct beneath *ret)
{
	size_t count = 0;
	for (size_t i = 0; i < conf->ports_count; i++)
		count += conf->ports[i].certificates_count;
	const char **paths = calloc(count + 1, sizeof(*paths));
	if (paths == NULL)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; k < conf->ports[i].certificates_count; k++)
			paths[count++] = conf->ports[i].certificates[k].key;
	const int error = beneath_init(ret, paths, count);
	free(paths);
	return error;
}

/* Keys must not be served, nor be readable by a worker. */
static int keys_look(const struct beneath *keys, const char *path, const struct port_place *place,
		     struct err *err)
{
	char root[PATH_MAX];
	const struct beneath_file *key;
	if (beneath_find(keys, place->real, &key) == 0)
		return 0;
	if (place->rest[0] == '\0' ||
	    (realpath(path, root) != NULL && beneath_find(keys, root, &key) > 0))
		err_set(
		    err,
		    "key \"%s\" lies beneath the document root \"%s\", and would be served: keep "
		    "it elsewhere",
		    key->path, path);
	else
		err_set(
		    err,
		    "key \"%s\" lies beneath \"%s\", which workers can read because a link there "
		    "leads to the document root \"%s\": keep it elsewhere",
		    key->path, place->real, path);
	return -1;
}

static int root_fail(const char *path, int error, struct err *err)
{
	if (error == -ENOTDIR)
		err_set(err, "document root \"%s\" is not a directory", path);
	else
		err_set(err, "document root \"%s\" cannot be read: %s", path, strerror(-error));
	return err_is_shortage(-error) ? -EAGAIN : -1;
}

int root_place(const struct beneath *keys, const char *path, struct port_file *f, struct err *err)
{
	for (unsigned i = 0;; i++) {
		int error = root_find(path, &f->place);
		if (error < 0 || f->place == NULL)
			return root_fail(path, error, err);
		if (keys_look(keys, path, f->place, err) < 0)
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

int port_open_root(struct master *m, const struct beneath *keys, const char *path,
		   struct port_file *f, struct err *err)
{
	const int error = root_place(keys, path, f, err);
	if (error == 0)
		root_copy(m, &f->fd);
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

void mounter_start(struct master *m)
{
	bool wanted = false;
	for (size_t i = 0; i < m->conf->ports_count; i++)
		wanted = wanted || m->conf->ports[i].roots_count > 0;
	if (!wanted)
		return;
	const int error = sandbox_mounter_start(&m->mounter);
	if (error < 0)
		log_write(&m->log, error == -EPERM ? LOG_DEBUG : LOG_WARNING,
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
