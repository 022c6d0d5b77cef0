/* sandbox: what a process can do with the document roots that it was handed, with the mount alone,
 * with Landlock alone, with both, and with neither. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "sandbox/internal.h"
#include "sandbox/mounter.h"
#include "sandbox/sandbox.h"
#include "skip.h"

#define NOBODY     65534
#define NO_SECCOMP (1u << SANDBOX_SECCOMP)

static char folder[] = "/tmp/bulkhead-roots-XXXXXX";

static const char *in_folder(const char *path)
{
	static char text[256];
	(void)snprintf(text, sizeof(text), "%s/%s", folder, path);
	return text;
}

static void file_make(const char *path, const char *content)
{
	int fd = open(in_folder(path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, 0666), 0);
	fd_close(&fd);
}

/* All of it may be written by everybody, so that only the layers refuse. */
static int tree_make(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0777) < 0 ||
	    mkdir(in_folder("root"), 0777) < 0 || chmod(in_folder("root"), 0777) < 0 ||
	    mkdir(in_folder("root/sub"), 0777) < 0 || mkdir(in_folder("other"), 0777) < 0 ||
	    mkdir(in_folder("empty"), 0755) < 0)
		return -1;
	file_make("root/file", "served");
	file_make("root/sub/file", "sub");
	file_make("secret", "secret");
	file_make("other/file", "of another port");
	return mkfifo(in_folder("root/pipe"), 0666) < 0 ||
	       chmod(in_folder("root/pipe"), 0666) < 0 ||
	       symlink("../secret", in_folder("root/out")) < 0 ||
	       symlink("/etc/passwd", in_folder("root/absolute")) < 0;
}

static int tree_remove(void **state)
{
	char command[256];
	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? 0 : -1;
}

static bool is_root(void)
{
	return geteuid() == 0 && sandbox_may_change_user();
}

static int root_open_plain(void)
{
	const int fd = open(in_folder("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Needs CAP_SYS_ADMIN; ends the mounter again. */
static int root_copy(int plain_fd)
{
	struct sandbox_mounter m;
	int status = 0;
	const int error = sandbox_mounter_start(&m);
	if (error < 0)
		return error;
	const int fd = sandbox_mounter_copy(&m, plain_fd);
	fd_close(&m.fd);
	assert_int_equal(waitpid(m.pid, &status, 0), m.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return fd;
}

/* --- in a child ------------------------------------------------------------------------------- */

static int attempt(int dir_fd, const char *path, int flags, uint64_t resolve)
{
	const struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
				     .mode = (flags & O_CREAT) != 0 ? 0600 : 0,
				     .resolve = resolve};
	const long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	const int error = errno;
	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? -error : 0;
}

#define NEED(condition)                                                             \
	do {                                                                        \
		if (!(condition)) {                                                 \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, \
				strerror(errno));                                   \
			return EXIT_FAILURE;                                        \
		}                                                                   \
	} while (0)

static int served_is_read(int fd)
{
	char text[16] = "";
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
	const long file = syscall(SYS_openat2, fd, "file", &how, sizeof(how));
	NEED(file >= 0);
	NEED(pread((int)file, text, sizeof(text), 0) == 6);
	NEED(strcmp(text, "served") == 0);
	NEED(attempt(fd, "sub/file", O_RDONLY, 0) == 0);
	NEED(attempt(fd, ".", O_RDONLY | O_DIRECTORY, 0) == 0);
	NEED(attempt(fd, "sub/../file", O_RDONLY, RESOLVE_BENEATH) == 0);
	return EXIT_SUCCESS;
}

static int nothing_else_is_opened(int fd, bool mounted)
{
	NEED(served_is_read(fd) == EXIT_SUCCESS);
	NEED(attempt(fd, "../secret", O_RDONLY, 0) < 0);
	NEED(attempt(fd, "../other/file", O_RDONLY, 0) < 0);
	NEED(attempt(fd, "out", O_RDONLY, 0) < 0);
	NEED(attempt(fd, "../../../../../../etc/passwd", O_RDONLY, 0) < 0);
	NEED(attempt(fd, "../../../../../../proc/self/status", O_RDONLY, 0) < 0);
	if (!calls_sanitized) { /* its root is not empty */
		NEED(attempt(fd, "absolute", O_RDONLY, 0) < 0);
		NEED(attempt(AT_FDCWD, "/etc/passwd", O_RDONLY, 0) < 0);
	}
	NEED(attempt(fd, "../..", O_RDONLY | O_DIRECTORY, 0) < 0 || mounted);
	/* what O_PATH shows is not content */
	NEED((attempt(fd, "../secret", O_PATH, 0) < 0) == mounted);
	return EXIT_SUCCESS;
}

static int nothing_is_changed(int fd)
{
	NEED(attempt(fd, "file", O_WRONLY, 0) < 0);
	NEED(attempt(fd, "file", O_RDWR, 0) < 0);
	NEED(attempt(fd, "file", O_RDONLY | O_TRUNC, 0) < 0);
	NEED(attempt(fd, "new", O_WRONLY | O_CREAT, 0) < 0);
	NEED(attempt(fd, ".", O_WRONLY | O_TMPFILE, 0) < 0);
	NEED(unlinkat(fd, "file", 0) < 0);
	NEED(mkdirat(fd, "new", 0700) < 0);
	NEED(renameat(fd, "file", fd, "new") < 0);
	NEED(linkat(fd, "file", fd, "new", 0) < 0);
	NEED(symlinkat("x", fd, "new") < 0);
	NEED(mknodat(fd, "new", S_IFIFO | 0600, 0) < 0);
	return EXIT_SUCCESS;
}

/* A read-only mount does not concern FIFOs: Landlock alone keeps one from being written. */
static int a_pipe_is_read(int fd, bool written)
{
	NEED(attempt(fd, "pipe", O_RDONLY | O_NONBLOCK, 0) == 0);
	NEED((attempt(fd, "pipe", O_RDWR | O_NONBLOCK, 0) == 0) == written);
	return EXIT_SUCCESS;
}

/* Without a list of system calls, so that the lower layers answer. Returns the child's status. */
static int in_child(int fd, unsigned leave_out, bool mounted)
{
	int status = -1;
	/* What an absolute path leads to is the empty root's part. */
	int chroot_fd = mounted ? open(in_folder("empty"), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	fflush(stderr);
	const pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		struct sandbox_level level;
		struct err err;
		const struct sandbox_plan p = {.role = SANDBOX_WORKER,
					       .needs = SANDBOX_CLIENTS | SANDBOX_FILES,
					       .parent_pid = parent,
					       .chroot_fd = chroot_fd,
					       .roots = &fd,
					       .roots_count = 1,
					       .change_user = is_root(),
					       .uid = NOBODY,
					       .gid = NOBODY,
					       .descriptors = 64,
					       .leave_out = NO_SECCOMP | leave_out};
		if (sandbox_drop(&p, &level, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(EXIT_FAILURE);
		}
		if (level.roots != 1 || (level.roots_error == 0) != mounted) {
			fprintf(stderr, "roots: %u, %d\n", level.roots, level.roots_error);
			_exit(EXIT_FAILURE);
		}
		if ((leave_out & 1u << SANDBOX_LANDLOCK) != 0 && !mounted)
			_exit(attempt(fd, "../secret", O_RDONLY, 0) == 0 ? EXIT_SUCCESS
									 : EXIT_FAILURE);
		const bool has_landlock = (level.reached & 1u << SANDBOX_LANDLOCK) != 0;
		_exit(nothing_else_is_opened(fd, mounted) == EXIT_SUCCESS &&
			      nothing_is_changed(fd) == EXIT_SUCCESS &&
			      a_pipe_is_read(fd, !has_landlock) == EXIT_SUCCESS
			  ? EXIT_SUCCESS
			  : EXIT_FAILURE);
	}
	fd_close(&chroot_fd);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

/* --- the tests -------------------------------------------------------------------------------- */

static void landlock_alone_holds_a_process_in_its_root(void **state)
{
	(void)state;
	if (calls_sanitized)
		skip_because("a sanitizer's build is not confined by Landlock");
	if (sandbox_landlock_version() < 3)
		skip_because("needs Landlock 3");
	int fd = root_open_plain();
	assert_int_equal(in_child(fd, 0, false), EXIT_SUCCESS);
	fd_close(&fd);
}

static void the_mount_alone_holds_a_process_in_its_root(void **state)
{
	(void)state;
	int plain_fd = root_open_plain(), fd = root_copy(plain_fd);
	fd_close(&plain_fd);
	if (fd == -EPERM)
		skip_because("needs CAP_SYS_ADMIN");
	assert_true(fd >= 0);
	assert_int_equal(in_child(fd, 1u << SANDBOX_LANDLOCK, true), EXIT_SUCCESS);
	fd_close(&fd);
}

static void both_hold_a_process_in_its_root(void **state)
{
	(void)state;
	int plain_fd = root_open_plain(), fd = root_copy(plain_fd);
	fd_close(&plain_fd);
	if (fd == -EPERM)
		skip_because("needs CAP_SYS_ADMIN");
	assert_int_equal(in_child(fd, 0, true), EXIT_SUCCESS);
	fd_close(&fd);
}

/* The attempts mean something: without a layer, they succeed. */
static void a_plain_directory_is_left_without_landlock(void **state)
{
	(void)state;
	int fd = root_open_plain();
	assert_int_equal(in_child(fd, 1u << SANDBOX_LANDLOCK, false), EXIT_SUCCESS);
	fd_close(&fd);
}

/* The content of a copy is that of the directory, also what comes later; mounts beneath belong to
 * it as they were. */
static void a_copy_shows_what_is_beneath(void **state)
{
	struct stat st;
	(void)state;
	int plain_fd = root_open_plain();
	if (!capabilities_have(21)) {
		fd_close(&plain_fd);
		skip_because("needs CAP_SYS_ADMIN");
	}
	if (mount("none", in_folder("root/sub"), "tmpfs", 0, NULL) < 0) {
		fd_close(&plain_fd);
		skip_because("needs to mount");
	}
	file_make("root/sub/mounted", "mounted");
	int fd = root_copy(plain_fd);
	assert_true(fd >= 0);
	assert_int_equal(umount(in_folder("root/sub")), 0);
	assert_int_equal(attempt(fd, "sub/mounted", O_RDONLY, RESOLVE_BENEATH), 0);
	assert_int_equal(attempt(fd, "sub/mounted", O_WRONLY, 0), -EROFS);
	assert_int_equal(attempt(fd, "sub/file", O_RDONLY, 0), -ENOENT);
	file_make("root/later", "later");
	assert_int_equal(attempt(fd, "later", O_RDONLY, RESOLVE_BENEATH), 0);
	assert_int_equal(unlink(in_folder("root/later")), 0);
	if (mknod(in_folder("root/device"), S_IFCHR | 0666, makedev(1, 3)) == 0) {
		assert_int_equal(attempt(fd, "device", O_RDONLY, 0), -EACCES);
		assert_int_equal(unlink(in_folder("root/device")), 0);
	}
	assert_int_equal(fstat(fd, &st), 0);
	fd_close(&fd);
	fd_close(&plain_fd);
}

static void a_mounter_serves_many_orders_and_ends_with_its_channel(void **state)
{
	struct sandbox_mounter m;
	int status = 0, fds[20];
	(void)state;
	const int error = sandbox_mounter_start(&m);
	if (error == -EPERM)
		skip_because("needs CAP_SYS_ADMIN");
	assert_int_equal(error, 0);
	int plain_fd = root_open_plain(), pipes[2];
	for (unsigned i = 0; i < 20; i++) {
		fds[i] = sandbox_mounter_copy(&m, plain_fd);
		assert_true(fds[i] >= 0);
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
	}
	/* no directory: an error, and it goes on */
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_true(sandbox_mounter_copy(&m, pipes[0]) < 0);
	assert_true(m.fd >= 0);
	int fd = sandbox_mounter_copy(&m, plain_fd);
	assert_true(fd >= 0);
	/* it is gone: so is the way to it */
	assert_int_equal(kill(m.pid, SIGKILL), 0);
	assert_int_equal(waitpid(m.pid, &status, 0), m.pid);
	assert_true(sandbox_mounter_copy(&m, plain_fd) < 0);
	assert_int_equal(m.fd, -1);
	assert_int_equal(sandbox_mounter_copy(&m, plain_fd), -EPERM);
	for (unsigned i = 0; i < 20; i++)
		fd_close(&fds[i]);
	fd_close(&fd);
	fd_close(&pipes[0]);
	fd_close(&pipes[1]);
	fd_close(&plain_fd);
}

static void a_mounter_has_one_capability_and_its_own_list(void **state)
{
	struct sandbox_mounter m;
	char path[64], text[4096] = "";
	int status = 0;
	(void)state;
	if (sandbox_mounter_start(&m) == -EPERM)
		skip_because("needs CAP_SYS_ADMIN");
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)m.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	fd_close(&fd);
	assert_non_null(strstr(text, "CapPrm:\t0000000000200000"));
	assert_non_null(strstr(text, "CapEff:\t0000000000200000"));
	assert_non_null(strstr(text, "CapInh:\t0000000000000000"));
	assert_non_null(strstr(text, "CapBnd:\t0000000000000000"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1"));
	assert_non_null(strstr(text, "Seccomp:\t2"));
	fd_close(&m.fd);
	assert_int_equal(waitpid(m.pid, &status, 0), m.pid);
}

static void roots_without_their_need_are_refused(void **state)
{
	struct sandbox_level level;
	struct err err;
	int fd = 0;
	(void)state;
	const struct sandbox_plan p = {.role = SANDBOX_WORKER,
				       .needs = SANDBOX_CLIENTS,
				       .chroot_fd = -1,
				       .roots = &fd,
				       .roots_count = 1};
	assert_int_equal(sandbox_drop(&p, &level, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(landlock_alone_holds_a_process_in_its_root),
	    cmocka_unit_test(the_mount_alone_holds_a_process_in_its_root),
	    cmocka_unit_test(both_hold_a_process_in_its_root),
	    cmocka_unit_test(a_plain_directory_is_left_without_landlock),
	    cmocka_unit_test(a_copy_shows_what_is_beneath),
	    cmocka_unit_test(a_mounter_serves_many_orders_and_ends_with_its_channel),
	    cmocka_unit_test(a_mounter_has_one_capability_and_its_own_list),
	    cmocka_unit_test(roots_without_their_need_are_refused),
	};
	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}
