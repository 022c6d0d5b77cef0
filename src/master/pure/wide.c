/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/wide.h"

#include <stddef.h>
#include <string.h>

#include "base/beneath.h"

#define ALL 255

/* The folder itself, and so many levels beneath it (hier(7), file-hierarchy(7)). */
static const struct {
	const char *folder;
	unsigned levels;
} trees[] = {
    {"/", 1},          /* /srv, /data, /export ...: everything of its kind */
    {"/boot", ALL},    /* also an EFI partition */
    {"/dev", 1},       /* /dev/shm */
    {"/etc", ALL},     /* keys and passwords */
    {"/media", 2},     /* disks, also by user */
    {"/mnt", 1},       /* disks */
    {"/proc", ALL},    /* other processes */
    {"/run", 1},       /* state of services */
    {"/run/media", 2}, /* disks by user */
    {"/run/user", 1},  /* state of users */
    {"/sys", ALL},     /* the kernel */
    {"/usr", 1},       /* /usr/lib, /usr/share */
    {"/usr/local", 1}, /* the same */
    {"/var", 1},       /* /var/www, /var/lib, /var/backups: of all sites and services */
};

/* How many levels the path is beneath the folder, which covers it. */
static unsigned levels_beneath(const char *folder, const char *path)
{
	unsigned levels = 0;
	for (const char *at = path + (strcmp(folder, "/") == 0 ? 0 : strlen(folder)); *at != '\0';
	     at++)
		levels += at[0] == '/' && at[1] != '\0';
	return levels;
}

/* The last name is `home`, or the one before it: /home/alice, /export/home/alice. */
static bool is_beside_homes(const char *real)
{
	const char *slash = strrchr(real, '/');
	const char name[] = "/home";
	const size_t len = sizeof(name) - 1;
	return slash != NULL &&
	       (strcmp(slash, name) == 0 ||
		((size_t)(slash - real) >= len && strncmp(slash - len, name, len) == 0));
}

bool path_is_wide(const char *real)
{
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		if (beneath_covers(trees[i].folder, real) &&
		    levels_beneath(trees[i].folder, real) <= trees[i].levels)
			return true;
	return is_beside_homes(real);
}
