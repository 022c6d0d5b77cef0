/*
 * Runs in the master and in bulkheadctl. Must never name a folder in which another user can write:
 * an attacker could have put a socket there first.
 */
#include "control/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKAGED "/run/bulkhead"

void control_surroundings_read(struct control_surroundings *s)
{
	*s = (struct control_surroundings){.uid = geteuid(),
					   .runtime_directory = getenv("RUNTIME_DIRECTORY"),
					   .xdg_runtime_dir = getenv("XDG_RUNTIME_DIR"),
					   .xdg_state_home = getenv("XDG_STATE_HOME"),
					   .home = getenv("HOME")};
}

/* Adds the first base_len bytes of base, and rest. Leaves it out if base is not absolute, or
 * without room. */
static void place_add(struct control_folders *f, const char *base, size_t base_len,
		      const char *rest)
{
	struct control_folder *folder = &f->list[f->count];
	if (base == NULL || base[0] != '/' || base_len + strlen(rest) >= sizeof(folder->path))
		return;
	memcpy(folder->path, base, base_len);
	memcpy(folder->path + base_len, rest, strlen(rest) + 1);
	folder->base_len = base_len;
	folder->packaged = strcmp(folder->path, PACKAGED) == 0;
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->list[i].path, folder->path) == 0)
			return;
	f->count++;
}

static size_t length(const char *path)
{
	return path != NULL ? strlen(path) : 0;
}

void control_folders_list(struct control_folders *f, const struct control_surroundings *s)
{
	char user[32];
	f->count = 0;
	if (s->runtime_directory != NULL)
		place_add(f, s->runtime_directory, strcspn(s->runtime_directory, ":"), "");
	place_add(f, "/run", strlen("/run"), "/bulkhead");
	if (s->uid == 0)
		return;
	(void)snprintf(user, sizeof(user), "/run/user/%u", (unsigned)s->uid);
	place_add(f, s->xdg_runtime_dir, length(s->xdg_runtime_dir), "/bulkhead");
	if (s->xdg_runtime_dir == NULL || s->xdg_runtime_dir[0] != '/')
		place_add(f, user, strlen(user), "/bulkhead");
	if (s->xdg_state_home != NULL && s->xdg_state_home[0] == '/')
		place_add(f, s->xdg_state_home, strlen(s->xdg_state_home), "/bulkhead");
	else
		place_add(f, s->home, length(s->home), "/.local/state/bulkhead");
}

bool control_name_is_ours(const char *name)
{
	static const char first[] = "control-", last[] = ".sock";
	if (strcmp(name, CONTROL_NAME) == 0)
		return true;
	if (strncmp(name, first, strlen(first)) != 0)
		return false;
	const char *digits = name + strlen(first);
	const size_t count = strspn(digits, "0123456789");
	return count > 0 && count < 11 && strcmp(digits + count, last) == 0;
}

int control_folder_check(const char *path, uid_t uid)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return st.st_uid == uid && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 ? 0 : -EPERM;
}

/* The base may be reached by a symbolic link, as /run/user/1000 may be; what is made below it may
 * not. */
static int base_check(const struct control_folder *f, uid_t uid)
{
	char base[CONTROL_FOLDER_MAX + 2];
	(void)snprintf(base, sizeof(base), "%.*s/.", (int)f->base_len, f->path);
	return control_folder_check(base, uid);
}

int control_packaged_make(void)
{
	if (mkdir(PACKAGED, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	return chmod(PACKAGED, 0755) < 0 ? -errno : 0; /* whatever the umask is */
}

int control_folder_make(const struct control_folder *f, uid_t uid)
{
	char path[CONTROL_FOLDER_MAX];
	int error = 0;
	if (f->packaged && uid == 0) /* it may be the service's folder */
		return control_packaged_make();
	if (f->packaged)
		return control_folder_check(f->path, uid);
	error = base_check(f, uid);
	if (error < 0)
		return error;
	memcpy(path, f->path, sizeof(path));
	for (char *at = path + f->base_len; error == 0 && *at == '/';) {
		at += 1 + strcspn(at + 1, "/");
		const char end = *at;
		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			error = -errno;
		else
			error = control_folder_check(path, uid);
		*at = end;
	}
	return error;
}
