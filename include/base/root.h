/*
 * A document root in a process that serves it: files beneath it are opened from a directory that
 * the process was handed, and nothing outside it.
 *
 * That directory, the anchor, is the root itself; or, if a link in the configured path leads to a
 * place beneath the folder that holds the link, it is that folder (of several such links, that of
 * the first), and the rest of the path is resolved for every file. So a deploy that switches the
 * link takes effect with the next file:
 *
 *   files "/srv/shop/current/public"     current -> releases/42, or -> /srv/shop/releases/42
 *   anchor /srv/shop, rest "current/public"
 *
 * What is opened lies beneath the root: links beneath it may lead to other places beneath it, by
 * relative targets or by absolute ones that begin with the path of the root or of the anchor.
 * Everything is opened by openat2(2), RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS, so that renames
 * meanwhile do not change that.
 */
#ifndef BASE_ROOT_H
#define BASE_ROOT_H

/* All of it is borrowed, and stays the same while the process serves. */
struct root {
	int fd;           /* the anchor; perhaps only O_PATH (open(2)) */
	const char *rest; /* from the anchor to the root, without a slash at its ends; "": the same
			   */
	/* The path of the anchor as the configuration has it, and without links; absolute. "": not
	 * known. */
	const char *written, *real;
};

enum root_how {
	ROOT_NO_LINKS = 1, /* a link beneath the root is refused with -ELOOP */
	/* What the kernel's caches do not have is refused with -EAGAIN (RESOLVE_CACHED, Linux
	 * 5.12), instead of waiting for a disk. Older kernels wait. */
	ROOT_CACHED = 2
};

/*
 * Opens a file beneath the root. path begins with no slash, and has no NUL, no "." and no ".." as
 * a segment; "" is the root. flags as for open(2), not to create; O_CLOEXEC, O_NOCTTY and
 * O_NONBLOCK are added, so that a FIFO or a device does not block.
 *
 * Returns the descriptor, or -errno: among others -ENOENT, -ENOTDIR, -EACCES, -ENAMETOOLONG,
 * -EMFILE; -EXDEV a link leads out of the root; -ELOOP links lead in a circle, or are not wanted;
 * -EAGAIN ROOT_CACHED, or renames in between did not end.
 */
int root_open(const struct root *, const char *path, int flags, unsigned how);

/*
 * Calls step for all that is on the way from the anchor to a path beneath the root: each folder and
 * each link in its order, and at last what has the path. name is from the anchor, and none of its
 * folders is a link. As long as what has these names stays the same, so does what root_open()
 * opens. Returns 0, -errno as root_open(), or what step has returned if that is less than 0.
 */
int root_trace(const struct root *, const char *path, int (*step)(void *arg, const char *name),
	       void *arg);
/* Opens what has such a name, a link itself, as O_PATH (open(2)): the descriptor or -errno. */
int root_open_traced(const struct root *, const char *name);

#endif
