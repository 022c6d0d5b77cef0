/*
 * Runs in the master: the control socket of a server whose configuration names none. Must never
 * take a socket away from a server that answers on it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/place.h"
#include "master/control/control.h"

#define ENTRIES_MAX 4096 /* that are examined; only this user can put any there */

/* Is it the temporary name of a socket, such as "control.sock.4242"? */
static bool place_is_left_over(const char *name)
{
	char first[32];
	const char *end = strstr(name, ".sock");
	if (end == NULL || (size_t)(end - name) > sizeof(first) - sizeof(".sock"))
		return false;
	end += strlen(".sock");
	(void)snprintf(first, sizeof(first), "%.*s", (int)(end - name), name);
	return control_name_is_ours(first) &&
	       (*end == '\0' || (*end == '.' && strspn(end + 1, "0123456789") == strlen(end + 1)));
}

/* Removes sockets of servers that were killed. A socket listens before it gets its final name, so
 * if no server answers on that, it is left over. Under its temporary name it may not listen yet, so
 * only old ones are removed. */
static void place_clean(const char *folder)
{
	DIR *d = opendir(folder);
	if (d == NULL)
		return;
	const struct dirent *entry;
	for (unsigned i = 0; i < ENTRIES_MAX && (entry = readdir(d)) != NULL; i++) {
		char path[CONTROL_TRIED_MAX];
		struct stat st;
		if (!place_is_left_over(entry->d_name) ||
		    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >=
			(int)sizeof(path) ||
		    lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		const bool being_made =
		    !control_name_is_ours(entry->d_name) && time(NULL) - st.st_mtime < 60;
		if (!being_made && control_is_answered(path) == 0)
			(void)unlink(path);
	}
	(void)closedir(d);
}

/* The first server of a folder gets the usual name. A further server has its pid in the name, and
 * keeps that name after the first has ended, so that a noted name always means the same server. */
static int place_try(const struct control_folder *folder, struct control_socket *ret, char *tried)
{
	place_clean(folder->path);
	(void)snprintf(tried, CONTROL_TRIED_MAX, "%s/" CONTROL_NAME, folder->path);
	int error = control_socket_make(tried, ret);
	if (error != -EADDRINUSE)
		return error;
	(void)snprintf(tried, CONTROL_TRIED_MAX, "%s/" CONTROL_NAME_FURTHER, folder->path,
		       (int)getpid());
	return control_socket_make(tried, ret);
}

int control_place_make(struct control_socket *ret, char *tried)
{
	struct control_surroundings surroundings;
	struct control_folders folders;
	int error = -ENOENT, unusable = -ENOENT;
	tried[0] = '\0';
	control_surroundings_read(&surroundings);
	control_folders_list(&folders, &surroundings);
	for (size_t i = 0; i < folders.count; i++) {
		unusable = control_folder_make(&folders.list[i], surroundings.uid);
		if (unusable < 0)
			continue;
		error = place_try(&folders.list[i], ret, tried);
		if (error == 0)
			break;
	}
	return tried[0] != '\0' ? error : unusable;
}

bool control_is_placed(const char *path)
{
	struct control_surroundings surroundings;
	struct control_folders folders;
	const char *slash = strrchr(path, '/');
	if (slash == NULL || !control_name_is_ours(slash + 1))
		return false;
	control_surroundings_read(&surroundings);
	control_folders_list(&folders, &surroundings);
	for (size_t i = 0; i < folders.count; i++)
		if (strlen(folders.list[i].path) == (size_t)(slash - path) &&
		    strncmp(folders.list[i].path, path, (size_t)(slash - path)) == 0)
			return true;
	return false;
}
