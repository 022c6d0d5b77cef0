/* Runs in a child of the selftest's master, on order: what a process can do with a document root,
 * or with a leaked root where it has none. Must never leave a file, nor change one, except in the
 * selftest's own root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent.h"
#include "site.h"

#define UPWARDS "../../../../../../../../../../../../../../../.."
#define NO_NAME "bulkhead-selftest-has-no-such-file"

static int root_of(const struct agent *a)
{
	return a->document_fd >= 0 ? a->document_fd : a->root_fd;
}

/* By no flag that keeps it beneath: a process that was taken over uses none. */
static long root_call(int fd, const char *path, uint64_t flags)
{
	const struct open_how how = {.flags = flags | O_CLOEXEC,
				     .mode = (flags & O_CREAT) != 0 ? 0600 : 0};
	return syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

static int root_result(long fd)
{
	if (fd < 0)
		return -errno;
	(void)syscall(SYS_close, fd);
	return 0;
}

int try_root_read(struct agent *a, const struct order *o)
{
	char entries[4096];
	(void)o;
	const long fd = root_call(root_of(a), ".", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return -errno;
	const long n = syscall(SYS_getdents64, fd, entries, sizeof(entries));
	const int error = errno;
	(void)syscall(SYS_close, fd);
	return n < 0 ? -error : (int)n;
}

int try_root_up(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(root_of(a), UPWARDS "/etc/passwd", O_RDONLY));
}

int try_root_absolute(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(root_of(a), "/etc/passwd", O_RDONLY));
}

int try_root_leaked(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(a->root_fd, "etc/passwd", O_RDONLY));
}

int try_root_write(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(root_of(a), ".", O_WRONLY | O_TMPFILE));
}

int try_root_unlink(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_unlinkat, root_of(a), NO_NAME, 0));
}

int try_root_rename(struct agent *a, const struct order *o)
{
	const int fd = root_of(a);
	(void)o;
	return attempt_result(syscall(SYS_renameat2, fd, NO_NAME, fd, NO_NAME "-2", 0));
}

int try_root_link(struct agent *a, const struct order *o)
{
	const int fd = root_of(a);
	(void)o;
	return attempt_result(syscall(SYS_linkat, fd, NO_NAME, fd, NO_NAME "-2", 0));
}

int try_root_stat(struct agent *a, const struct order *o)
{
	struct statx st;
	(void)o;
	return attempt_result(syscall(SYS_statx, root_of(a), UPWARDS "/etc/passwd", 0, 0, &st));
}

/* --- with the selftest's own root ------------------------------------------------------------- */

static int site_of(const struct agent *a)
{
	return a->site_fd >= 0 ? a->site_fd : a->root_fd;
}

int try_root_change(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(site_of(a), SITE_FILE, O_WRONLY));
}

/* A file that may be read, without a right to write into it. */
int try_root_empty(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(site_of(a), SITE_FILE, O_RDONLY | O_TRUNC));
}

int try_root_create(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(site_of(a), SITE_NEW, O_WRONLY | O_CREAT | O_EXCL));
}

/* For both, so that it does not wait for another process. */
int try_root_pipe(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(site_of(a), SITE_PIPE, O_RDWR | O_NONBLOCK));
}

/* --- what lies above -------------------------------------------------------------------------- */

int try_root_list(struct agent *a, const struct order *o)
{
	(void)o;
	return root_result(root_call(root_of(a), UPWARDS "/etc", O_RDONLY | O_DIRECTORY));
}

int try_root_size(struct agent *a, const struct order *o)
{
	struct stat st;
	(void)o;
	const long fd = root_call(root_of(a), UPWARDS "/etc/passwd", O_PATH);
	if (fd < 0)
		return -errno;
	const long result = syscall(SYS_fstat, fd, &st);
	const int error = errno;
	(void)syscall(SYS_close, fd);
	return result < 0 ? -error : 0;
}

int try_root_target(struct agent *a, const struct order *o)
{
	char target[64];
	(void)o;
	return attempt_result(
	    syscall(SYS_readlinkat, root_of(a), UPWARDS "/proc/self", target, sizeof(target)));
}

/* --- forms that no handler uses --------------------------------------------------------------- */

int try_root_drop(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_fadvise64, root_of(a), 0L, 0L, POSIX_FADV_DONTNEED));
}

int try_root_flags(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_preadv2, root_of(a), NULL, 0L, 0L, 0L, RWF_HIPRI));
}
