/*
 * Runs in the master, and in bulkhead -t: finds where a document root is. Must never choose a
 * folder with more in it than the configuration asks for, except one for a link that is followed
 * for each file: a worker that was taken over can read all that lies beneath.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"
#include "base/root.h"
#include "master/port/port.h"
#include "master/pure/wide.h"

#define LINKS_MAX 40 /* as in path_resolution(7) */

/* --- a place --------------------------------------------------------------------------------- */

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

void place_explain(const struct port_place *place, struct text *t)
{
	text_addf(t,
		  "can read all of \"%s\", because \"%.*s\" in it is a link that is "
		  "followed for each request",
		  place->real, (int)strcspn(place->rest, "/"), place->rest);
}

/* --- homes ----------------------------------------------------------------------------------- */

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

/* Is the home this folder, or in it? It may be written with links. */
static bool holds_home(const char *folder, const char *home)
{
	char real[PATH_MAX];
	return home[0] == '/' && (beneath_covers(folder, home) ||
				  (strcmp(last_name(folder), last_name(home)) == 0 &&
				   realpath(home, real) != NULL && beneath_covers(folder, real)));
}

/* Looks for the homes of all users in /etc/passwd. Another owner (nsswitch.conf(5)) may have any
 * home: to ask the name services for it could take minutes, and the master must not wait. */
static bool holds_homes(const char *folder)
{
	struct stat st;
	bool holds = false, known = stat(folder, &st) < 0;
	const struct passwd *user;
	FILE *f = fopen("/etc/passwd", "re");
	while (f != NULL && !holds && (user = fgetpwent(f)) != NULL) {
		known = known || user->pw_uid == st.st_uid;
		holds = holds_home(folder, user->pw_dir);
	}
	if (f != NULL)
		(void)fclose(f);
	return holds || !known;
}

/* --- where it is ------------------------------------------------------------------------------ */

/* Is the folder wide, or one between it and the root, which it covers, too? */
static bool is_wide(const char *folder, const char *root)
{
	char part[PATH_MAX];
	const size_t len = strlen(folder);
	if (path_is_wide(folder) || holds_homes(folder))
		return true;
	for (const char *at = strchr(root + len + (root[len] == '/'), '/'); at != NULL;
	     at = strchr(at + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(at - root), root);
		if (path_is_wide(part))
			return true;
	}
	return false;
}

/* Is the end of this beginning of the path a link that can be followed for each file? Then the
 * folder that holds it may be the anchor. */
static bool is_followed(const char *path, size_t folder_len, size_t end, const char *real,
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
	return realpath(folder_len == 0 ? "/" : part, ret_folder) != NULL &&
	       beneath_covers(ret_folder, target) && beneath_covers(ret_folder, real) &&
	       !is_wide(ret_folder, real);
}

/* 1: it is there; 0: the rest of the path leaves the folder, and comes back; or -ENOMEM. */
static int anchor_try(const char *written, const char *folder, const char *rest,
		      struct port_place **ret)
{
	struct port_place *place = place_new(written, folder, rest);
	if (place == NULL)
		return -ENOMEM;
	int fd = place_open(place);
	const bool reached = fd >= 0;
	fd_close(&fd);
	if (reached)
		*ret = place;
	else
		place_release(place);
	return reached;
}

int root_find(const char *path, struct port_place **ret)
{
	char real[PATH_MAX], folder[PATH_MAX], written[PATH_MAX];
	if (realpath(path, real) == NULL)
		return -errno;
	for (size_t at = 0; path[at] != '\0';) {
		const size_t begin = at + strspn(path + at, "/");
		const size_t end = begin + strcspn(path + begin, "/");
		if (end > begin && is_followed(path, at, end, real, folder)) {
			(void)strlcpy(written, path, at > 0 ? at + 1 : 2);
			const int found = anchor_try(written, folder, path + begin, ret);
			if (found != 0)
				return found < 0 ? found : 0;
		}
		at = end;
	}
	*ret = place_new(path, real, "");
	return *ret == NULL ? -ENOMEM : 0;
}

/* --- the way to it --------------------------------------------------------------------------- */

/* A path on its way: what is left of it, and where it has come, without links. */
struct way {
	char left[PATH_MAX], done[PATH_MAX];
};

/* Puts a text in front of what is left. */
static bool way_lead(struct way *w, const char *text)
{
	char path[PATH_MAX];
	const int len = snprintf(path, sizeof(path), "%s/%s", text, w->left);
	if (len < 0 || (size_t)len >= sizeof(path))
		return false;
	memcpy(w->left, path, (size_t)len + 1);
	return true;
}

static void way_up(struct way *w)
{
	char *slash = strrchr(w->done, '/');
	if (slash != NULL)
		*slash = '\0';
}

/* Takes the next segment of what is left. False at the end. */
static bool way_step(struct way *w)
{
	const char *segment = w->left + strspn(w->left, "/");
	const size_t len = strcspn(segment, "/"), done = strlen(w->done);
	if (len == 0 || done + 1 + len >= sizeof(w->done))
		return false;
	if (len == 2 && memcmp(segment, "..", 2) == 0) {
		way_up(w);
	} else if (len != 1 || segment[0] != '.') {
		w->done[done] = '/';
		memcpy(w->done + done + 1, segment, len);
		w->done[done + 1 + len] = '\0';
	}
	memmove(w->left, segment + len, strlen(segment + len) + 1);
	return true;
}

void path_walk(const char *path, path_visit_fn *visit, void *arg)
{
	struct way w = {.done = ""};
	char target[PATH_MAX];
	unsigned links = 0;
	if (path[0] != '/' || strlcpy(w.left, path, sizeof(w.left)) >= sizeof(w.left))
		return;
	while (way_step(&w)) {
		const ssize_t n = w.done[0] != '\0' ? readlink(w.done, target, sizeof(target)) : -1;
		if (w.done[0] != '\0')
			visit(arg, w.done, n >= 0);
		if (n < 0)
			continue;
		if ((size_t)n == sizeof(target) || ++links > LINKS_MAX)
			return;
		target[n] = '\0';
		if (target[0] == '/')
			w.done[0] = '\0';
		else
			way_up(&w);
		if (!way_lead(&w, target))
			return;
	}
}
