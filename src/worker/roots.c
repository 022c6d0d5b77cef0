/* Runs in the worker while it starts: the document roots that it was handed. Must
 * never open one itself. */
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/root.h"
#include "ipc/places.h"
#include "worker/loop.h"

/* All that give each change a time of its own where the kernel can (FS_MGTIME in its sources). */
static bool has_fine_times(int fd)
{
	struct statfs fs;
	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((uint32_t)fs.f_type) {
	case BTRFS_SUPER_MAGIC:
	case EXT4_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case XFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

uint64_t worker_roots_grain_ns(const struct worker *w)
{
	for (size_t i = 0; i < w->port->roots_count; i++)
		if (!has_fine_times(role_look(w->role, IPC_FD_ROOT, i)))
			return CLOCK_TICK_NS;
	return clock_file_grain_ns();
}

void worker_roots_take(struct worker *w)
{
	struct role *r = w->role;
	const size_t count = w->port->roots_count;
	if (role_count(r, IPC_FD_ROOT) != count || role_count(r, IPC_FD_PLACES) != (count > 0))
		role_fail(r, EX_SOFTWARE, "its document roots do not fit the configuration");
	if (count == 0)
		return;
	w->roots = calloc(count, sizeof(*w->roots));
	if (w->roots == NULL)
		role_fail(r, role_status(r, ENOMEM), "out of memory");
	int places_fd = role_take(r, IPC_FD_PLACES, 0);
	const int error = ipc_places_read(places_fd, w->roots, count, &w->roots_places);
	fd_close(&places_fd);
	if (error == -EBADMSG)
		role_fail(r, EX_SOFTWARE, "its document roots do not fit their places");
	if (error < 0)
		role_fail(r, role_status(r, -error), "cannot read where its document roots are: %s",
			  strerror(-error));
	for (size_t i = 0; i < count; i++)
		w->roots[i].fd = role_take(r, IPC_FD_ROOT, i);
}

void worker_roots_release(struct worker *w)
{
	for (size_t i = 0; w->roots != NULL && i < w->port->roots_count; i++)
		fd_close(&w->roots[i].fd);
	free(w->roots);
	free(w->roots_places);
}
