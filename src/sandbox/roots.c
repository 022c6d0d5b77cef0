/*
 * Runs in a worker while it starts, and still sees the files of the system: can a path that begins
 * at one of its document roots leave it, or change anything? Must never change a root.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "internal.h"

/* Returns 0, or the errno that says why it is no mount of its own: there ".." stays where it is. */
static int root_look(int fd)
{
	struct stat own, above;
	struct statvfs mount;
	if (fstat(fd, &own) < 0 || fstatat(fd, "..", &above, 0) < 0 || fstatvfs(fd, &mount) < 0)
		return errno;
	if (own.st_dev != above.st_dev || own.st_ino != above.st_ino)
		return EPERM;
	return (mount.f_flag & ST_RDONLY) != 0 ? 0 : EPERM;
}

int roots_look(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	(void)err;
	l->roots = (uint32_t)p->roots_count;
	for (size_t i = 0; i < p->roots_count && l->roots_error == 0; i++)
		l->roots_error = root_look(p->roots[i]);
	return 0;
}
