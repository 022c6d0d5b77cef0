/*
 * Runs in the workers, for requests. Must never open anything except by open_beneath(): what the
 * walk through links finds is only a name that is tried.
 */
#include "base/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define LINKS_MAX 40 /* as in path_resolution(7) */
#define TRIES     16 /* while renames come in between */

/* --- opening --------------------------------------------------------------------------------- */

static int open_beneath(int dir_fd, const char *path, int flags, uint64_t resolve)
{
	const int more = (flags & O_PATH) != 0 ? 0 : O_NOCTTY | O_NONBLOCK;
	const struct open_how how = {.flags = (uint64_t)(flags | more | O_CLOEXEC),
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve};
	long fd = -1;
	for (unsigned i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, dir_fd, path[0] == '\0' ? "." : path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN || (resolve & RESOLVE_CACHED) != 0)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* --- links that the kernel does not follow here ---------------------------------------------- */

/* The way to a file: what is left of it, and where it has come from the anchor, without links. */
struct walk {
	const struct root *root;
	int (*step)(void *arg, const char *name); /* NULL: nobody wants to know */
	void *arg;
	char left[PATH_MAX], done[PATH_MAX];
	size_t done_len;
	unsigned links;
};

/* The next segment at *at, which moves behind it; length 0 at the end. */
static size_t segment_next(const char **at, const char **ret)
{
	for (;;) {
		*at += strspn(*at, "/");
		const size_t len = strcspn(*at, "/");
		*ret = *at;
		*at += len;
		if (len != 1 || **ret != '.')
			return len;
	}
}

/* If path is the base or lies beneath it, returns what follows; else NULL. */
static const char *path_strip(const char *base, const char *path)
{
	const char *a, *b;
	size_t len;
	if (base[0] != '/')
		return NULL;
	while ((len = segment_next(&base, &a)) > 0)
		if (segment_next(&path, &b) != len || memcmp(a, b, len) != 0)
			return NULL;
	return path;
}

/* Puts a text in front of what is left. */
static int walk_lead(struct walk *w, const char *text, size_t len, const char *left)
{
	const size_t left_len = strlen(left);
	if (len + 1 + left_len >= sizeof(w->left))
		return -ENAMETOOLONG;
	memmove(w->left + len + 1, left, left_len + 1);
	memcpy(w->left, text, len);
	w->left[len] = '/';
	return 0;
}

static void walk_up(struct walk *w)
{
	while (w->done_len > 0 && w->done[--w->done_len] != '/')
		;
	w->done[w->done_len] = '\0';
}

static int walk_follow(struct walk *w, const char *target, const char *left)
{
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (target[0] != '/')
		return walk_lead(w, target, strlen(target), left);
	const char *rest = path_strip(w->root->written, target);
	if (rest == NULL)
		rest = path_strip(w->root->real, target);
	if (rest == NULL)
		return -EXDEV;
	w->done[w->done_len = 0] = '\0';
	return walk_lead(w, rest, strlen(rest), left);
}

/* Follows one segment: goes there, or begins to follow the link that it is. */
static int walk_step(struct walk *w, const char *segment, size_t len, const char *left)
{
	char target[PATH_MAX];
	const size_t before = w->done_len, slash = before > 0;
	if (len == 2 && segment[0] == '.' && segment[1] == '.') {
		if (before == 0)
			return -EXDEV;
		walk_up(w);
		return walk_lead(w, "", 0, left);
	}
	if (before + slash + len >= sizeof(w->done))
		return -ENAMETOOLONG;
	if (slash)
		w->done[before] = '/';
	memcpy(w->done + before + slash, segment, len);
	w->done_len = before + slash + len;
	w->done[w->done_len] = '\0';
	const ssize_t n = readlinkat(w->root->fd, w->done, target, sizeof(target));
	if (n < 0 && errno != EINVAL) /* EINVAL: it is no link */
		return -errno;
	const int error = w->step != NULL ? w->step(w->arg, w->done) : 0;
	if (error < 0 || n < 0)
		return error < 0 ? error : walk_lead(w, "", 0, left);
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	w->done[w->done_len = before] = '\0';
	return walk_follow(w, target, left);
}

/* Goes from where the walk is. */
static int walk_go(struct walk *w, const char *path)
{
	const size_t path_len = strlen(path);
	if (path_len >= sizeof(w->left))
		return -ENAMETOOLONG;
	memcpy(w->left, path, path_len + 1);
	for (;;) {
		const char *at = w->left, *segment;
		const size_t len = segment_next(&at, &segment);
		const int error = len == 0 ? 0 : walk_step(w, segment, len, at);
		if (len == 0 || error < 0)
			return error;
	}
}

/* Where the path leads must lie beneath where the root is now. */
static bool walk_is_beneath(const struct walk *w, const char *root, size_t root_len)
{
	return root_len == 0 || (strncmp(w->done, root, root_len) == 0 &&
				 (w->done[root_len] == '/' || w->done[root_len] == '\0'));
}

/* Where the path leads, without links. */
static int root_walk(struct walk *w, const char *path, unsigned how)
{
	char root[PATH_MAX];
	int error = walk_go(w, w->root->rest);
	if (error < 0)
		return error;
	const size_t root_len = w->done_len, len = strlen(path), at = root_len + (root_len > 0);
	memcpy(root, w->done, root_len + 1);
	if ((how & ROOT_NO_LINKS) != 0) {
		if (at + len >= sizeof(w->done))
			return -ENAMETOOLONG;
		w->done[root_len] = '/';
		memcpy(w->done + at, path, len + 1);
		return 0;
	}
	error = walk_go(w, path);
	return error == 0 && !walk_is_beneath(w, root, root_len) ? -EXDEV : error;
}

/* What was no link a moment ago may be one now: then the walk begins again. */
static int root_open_absolute(const struct root *r, const char *path, int flags, unsigned how)
{
	for (unsigned i = 0; i < TRIES; i++) {
		struct walk w = {.root = r};
		int fd = root_walk(&w, path, how);
		if (fd < 0)
			return fd;
		fd = open_beneath(r->fd, w.done, flags, RESOLVE_NO_SYMLINKS);
		if (fd != -ELOOP || (how & ROOT_NO_LINKS) != 0)
			return fd;
	}
	return -EAGAIN;
}

/* --- all of it ------------------------------------------------------------------------------- */

int root_open(const struct root *r, const char *path, int flags, unsigned how)
{
	const uint64_t cached = (how & ROOT_CACHED) != 0 ? RESOLVE_CACHED : 0;
	const uint64_t links = (how & ROOT_NO_LINKS) != 0 ? RESOLVE_NO_SYMLINKS : 0;
	int dir_fd = r->fd, fd;
	if (path[0] == '/')
		return -EXDEV;
	if (r->rest[0] != '\0')
		dir_fd = open_beneath(r->fd, r->rest, O_PATH | O_DIRECTORY, cached);
	fd = dir_fd < 0 ? dir_fd : open_beneath(dir_fd, path, flags, links | cached);
	if (dir_fd >= 0 && dir_fd != r->fd)
		fd_close(&dir_fd);
	if (fd == -EINVAL && cached != 0) /* an older kernel */
		return root_open(r, path, flags, how & ~(unsigned)ROOT_CACHED);
	if (fd != -EXDEV)
		return fd;
	/* An absolute link, perhaps to a place beneath the root. */
	return cached != 0 ? -EAGAIN : root_open_absolute(r, path, flags, how);
}

int root_trace(const struct root *r, const char *path, int (*step)(void *arg, const char *name),
	       void *arg)
{
	struct walk w = {.root = r, .step = step, .arg = arg};
	const int error = walk_go(&w, r->rest);
	return error < 0 ? error : walk_go(&w, path);
}

int root_open_traced(const struct root *r, const char *name)
{
	return open_beneath(r->fd, name, O_PATH | O_NOFOLLOW, 0);
}
