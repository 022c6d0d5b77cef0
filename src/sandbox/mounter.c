/*
 * The first part runs in the mounter, the second in the master. The mounter must never open, attach
 * or change anything: it copies directories that it was sent, and what it sends back is read-only.
 */
#include "sandbox/mounter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/title.h"
#include "internal.h"

#define ANSWER_TIMEOUT_MS 1000
#define START_TIMEOUT_MS  10000
#define CHANNEL           0 /* so no descriptor that it receives is 0 */
#define DESCRIPTORS       8
/* In linux/mount.h, which cannot be included together with sys/mount.h. */
#define PROPAGATION_PRIVATE (1 << 18)

/* --- a message: an errno, and a descriptor if there is one ------------------------------------ */

static int answer_send(int fd, int error, int sent_fd)
{
	struct iovec bytes = {&error, sizeof(error)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1};
	if (sent_fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
				      .cmsg_level = SOL_SOCKET,
				      .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &sent_fd, sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Returns a descriptor; or -errno, which may be what was sent; 0 if it was sent neither. */
static int answer_receive(int fd)
{
	int error = 0, received_fd = -1;
	struct iovec bytes = {&error, sizeof(error)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr m = {.msg_iov = &bytes,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n;
	while ((n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (n != sizeof(error))
		return n < 0 ? -errno : -EPIPE;
	const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&received_fd, CMSG_DATA(c), sizeof(int));
	if (error == 0)
		return received_fd >= 0 ? received_fd : 0;
	fd_close(&received_fd);
	return -error;
}

/* --- in the mounter --------------------------------------------------------------------------- */

/* Mounts beneath it belong to it: without them, what they cover would be seen. */
static int mount_copy(int dir_fd)
{
	const struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
						    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
					.propagation = PROPAGATION_PRIVATE};
	const unsigned here = AT_EMPTY_PATH | AT_RECURSIVE;
	long fd = syscall(SYS_open_tree, dir_fd, "", here | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_mount_setattr, (int)fd, "", here, &attr, sizeof(attr)) < 0) {
		const int error = -errno;
		close((int)fd);
		return error;
	}
	return (int)fd;
}

static int limit_lower(__rlimit_resource_t resource, rlim_t value)
{
	const struct rlimit limit = {value, value};
	return setrlimit(resource, &limit);
}

static int mounter_confine(pid_t master)
{
	const struct sandbox_plan plan = {.role = SANDBOX_MOUNTER};
	struct sandbox_level level;
	struct err err;
	level_init(&level, SANDBOX_MOUNTER);
	if (limit_lower(RLIMIT_CORE, 0) < 0 || limit_lower(RLIMIT_NOFILE, DESCRIPTORS) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != master)
		return -1;
	if (capabilities_keep_one(CAP_SYS_ADMIN, &level, &err) < 0 ||
	    seccomp_confine(&plan, &level, &err) < 0)
		return -1;
	return (level.reached & 1u << SANDBOX_SECCOMP) != 0 ? 0 : -1;
}

/* Signals to the group of a terminal are the master's. */
static void signals_ignore(void)
{
	static const int ignored[] = {SIGINT, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP};
	sigset_t none;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn)) mounter_main(int channel_fd, pid_t master)
{
	signals_ignore();
	title_set("bulkhead: mounter");
	if ((channel_fd != CHANNEL && dup2(channel_fd, CHANNEL) < 0) ||
	    close_range(CHANNEL + 1, ~0U, 0) < 0 || mounter_confine(master) < 0)
		_exit(EX_OSERR);
	if (answer_send(CHANNEL, 0, -1) < 0)
		_exit(EX_OSERR);
	for (;;) {
		int dir_fd = answer_receive(CHANNEL);
		if (dir_fd <= 0)
			_exit(EX_OK);
		int copy_fd = mount_copy(dir_fd);
		fd_close(&dir_fd);
		if (answer_send(CHANNEL, copy_fd < 0 ? -copy_fd : 0, copy_fd) < 0)
			_exit(EX_OSERR);
		if (copy_fd >= 0)
			close(copy_fd);
	}
}

/* --- in the master ---------------------------------------------------------------------------- */

static int answer_wait(int fd, int timeout_ms)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	int n;
	while ((n = poll(&readable, 1, timeout_ms)) < 0 && errno == EINTR)
		;
	return n > 0 ? answer_receive(fd) : n == 0 ? -ETIMEDOUT : -errno;
}

int sandbox_mounter_start(struct sandbox_mounter *ret)
{
	int channel[2];
	const pid_t master = getpid();
	*ret = (struct sandbox_mounter){.fd = -1, .pid = -1};
	if (!sandbox_may_mount())
		return -EPERM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		return -errno;
	const pid_t pid = fork();
	const int fork_error = errno;
	if (pid == 0)
		mounter_main(channel[1], master);
	close(channel[1]);
	int error = pid < 0 ? -fork_error : answer_wait(channel[0], START_TIMEOUT_MS);
	if (error < 0) {
		if (pid > 0)
			(void)kill(pid, SIGKILL);
		close(channel[0]);
		return error;
	}
	*ret = (struct sandbox_mounter){.fd = channel[0], .pid = pid};
	return 0;
}

/* An answer that comes too late would be taken for that to the next order. */
int sandbox_mounter_copy(struct sandbox_mounter *m, int dir_fd)
{
	if (m->fd < 0)
		return -EPERM;
	int result = answer_send(m->fd, 0, dir_fd);
	if (result == 0)
		result = answer_wait(m->fd, ANSWER_TIMEOUT_MS);
	if (result == 0)
		result = -EPIPE;
	if (result == -ETIMEDOUT || result == -EPIPE || result == -ECONNRESET)
		fd_close(&m->fd);
	return result;
}
