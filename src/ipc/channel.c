/* Runs in the master and in every child. Must never trust a peer, nor leak descriptors that it
 * sent. */
#include "ipc/channel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/handed.h"
#include "sandbox/sandbox.h"

struct header {
	uint32_t type;
};

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

/* The phases and forms of messages. */
#define NOTHING(when)            \
	{                        \
		.phases = (when) \
	}
#define TEXT(when)                                                                 \
	{                                                                          \
		.phases = (when), .payload_min = 1, .payload_max = IPC_PAYLOAD_MAX \
	}
#define EXACTLY(when, type, fds_least, fds_most)                                            \
	{                                                                                   \
		.phases = (when), .payload_min = sizeof(type), .payload_max = sizeof(type), \
		.fds_min = (fds_least), .fds_max = (fds_most)                               \
	}
#define READY_ON (IPC_SERVING | IPC_LEFT)
#define EVER     (IPC_BEGINNING | READY_ON)

const struct ipc_permit ipc_from_worker[IPC_TYPES] = {
    [IPC_FILES] = EXACTLY(IPC_BEGINNING, struct ipc_files, 0, 0),
    [IPC_CERTIFICATE] = EXACTLY(IPC_BEGINNING, struct ipc_certificate, 0, 0),
    [IPC_FAILED] = TEXT(IPC_BEGINNING),
    [IPC_READY] = EXACTLY(IPC_BEGINNING, struct sandbox_level, 0, 0),
    [IPC_KEY_SILENT] = NOTHING(EVER),
    [IPC_FAULT] = EXACTLY(READY_ON, struct ipc_fault, 0, 0),
    [IPC_DRAINING] = NOTHING(IPC_SERVING),
};

const struct ipc_permit ipc_from_keyholder[IPC_TYPES] = {
    [IPC_FILES] = EXACTLY(IPC_BEGINNING, struct ipc_files, 0, 0),
    [IPC_FAILED] = TEXT(IPC_BEGINNING),
    [IPC_READY] = EXACTLY(IPC_BEGINNING, struct sandbox_level, 0, 0),
    [IPC_KEY_ABUSED] = EXACTLY(READY_ON, struct ipc_key_channels, 0, 0),
    [IPC_PONG] = NOTHING(READY_ON),
};

const struct ipc_permit ipc_from_connector[IPC_TYPES] = {
    [IPC_FAILED] = TEXT(IPC_BEGINNING),
    [IPC_READY] = EXACTLY(IPC_BEGINNING, struct sandbox_level, 0, 0),
    [IPC_KEY_ABUSED] = EXACTLY(READY_ON, struct ipc_key_channels, 0, 0),
    [IPC_PONG] = NOTHING(READY_ON),
};

const struct ipc_permit ipc_from_resolver[IPC_TYPES] = {
    [IPC_FAILED] = TEXT(IPC_BEGINNING),
    [IPC_READY] = EXACTLY(IPC_BEGINNING, struct sandbox_level, 0, 0),
    [IPC_PONG] = NOTHING(READY_ON),
};

const struct ipc_permit ipc_to_new_child[IPC_TYPES] = {
    [IPC_START] = EXACTLY(IPC_BEGINNING, struct ipc_start, 0, 0),
    [IPC_HANDED] = {.phases = IPC_BEGINNING,
		    .payload_min = sizeof(struct ipc_item),
		    .payload_max = IPC_FDS_MAX * sizeof(struct ipc_item),
		    .fds_min = 1,
		    .fds_max = IPC_FDS_MAX},
    [IPC_COMPLETE] = EXACTLY(IPC_BEGINNING, struct ipc_complete, 0, 0),
};

const struct ipc_permit ipc_to_worker[IPC_TYPES] = {
    [IPC_DRAIN] = NOTHING(READY_ON),
    [IPC_SERVE] = NOTHING(READY_ON),
    [IPC_RETIRE] = NOTHING(READY_ON),
    [IPC_SETTINGS] = EXACTLY(READY_ON, struct ipc_settings, 0, 0),
};

const struct ipc_permit ipc_to_keyholder[IPC_TYPES] = {
    [IPC_DRAIN] = NOTHING(READY_ON),
    [IPC_KEY_CHANNELS] = EXACTLY(READY_ON, struct ipc_key_channels, 1, IPC_FDS_MAX),
    [IPC_PING] = NOTHING(READY_ON),
    [IPC_SETTINGS] = EXACTLY(READY_ON, struct ipc_settings, 0, 0),
    [IPC_FAULT] = EXACTLY(READY_ON, struct ipc_fault, 0, 0),
};

const struct ipc_permit ipc_to_connector[IPC_TYPES] = {
    [IPC_DRAIN] = NOTHING(READY_ON),
    [IPC_KEY_CHANNELS] = EXACTLY(READY_ON, struct ipc_key_channels, 1, IPC_FDS_MAX),
    [IPC_PING] = NOTHING(READY_ON),
    [IPC_SETTINGS] = EXACTLY(READY_ON, struct ipc_settings, 0, 0),
};

const struct ipc_permit ipc_to_resolver[IPC_TYPES] = {
    [IPC_DRAIN] = NOTHING(READY_ON),
    [IPC_PING] = NOTHING(READY_ON),
    [IPC_SETTINGS] = EXACTLY(READY_ON, struct ipc_settings, 0, 0),
};

const char *ipc_role_name(enum ipc_role role)
{
	static const char *const names[IPC_ROLES] = {[IPC_WORKER] = "worker",
						     [IPC_KEYHOLDER] = "keyholder",
						     [IPC_VERIFIER] = "verifier",
						     [IPC_CONNECTOR] = "connector",
						     [IPC_RESOLVER] = "resolver"};
	return role >= IPC_WORKER && role < IPC_ROLES ? names[role] : "unknown";
}

int ipc_channel(int ret_fds[2])
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

int ipc_send(int fd, enum ipc_type type, const void *payload, size_t len, const int *fds,
	     size_t fds_count)
{
	if (len > IPC_PAYLOAD_MAX || fds_count > IPC_FDS_MAX)
		return -EMSGSIZE;
	struct header header = {.type = type};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)payload, len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	union control control;
	if (fds_count > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fds_count);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fds_count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * fds_count);
	}
	ssize_t n;
	do /* a confined child has no sendmsg(2) for it, and sends no descriptors */
		n = fds_count > 0 ? sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL)
				  : writev(fd, iov, 2);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Collects the descriptors that came, so that they are closed even if the message is refused. */
static void descriptors_take(struct msghdr *msg, struct ipc_message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (count >
		    IPC_FDS_MAX -
			m->fds_count) /* impossible: this is the size of our control buffer */
			count = IPC_FDS_MAX - m->fds_count;
		memcpy(m->fds + m->fds_count, CMSG_DATA(c), count * sizeof(int));
		m->fds_count += count;
	}
}

static bool phase_and_descriptors_fit(const struct ipc_message *m, const struct ipc_permit *p,
				      enum ipc_phase phase)
{
	return (p->phases & (uint32_t)phase) != 0 && m->fds_count >= p->fds_min &&
	       m->fds_count <= p->fds_max;
}

static bool message_permitted(const struct ipc_message *m, uint32_t type,
			      const struct ipc_permit permits[IPC_TYPES], enum ipc_phase phase)
{
	return type < IPC_TYPES && phase_and_descriptors_fit(m, &permits[type], phase) &&
	       m->len >= permits[type].payload_min && m->len <= permits[type].payload_max;
}

/* From another version, which may know the struct in it longer or shorter. */
static bool other_permitted(struct ipc_message *m, uint32_t type,
			    const struct ipc_permit permits[IPC_TYPES], enum ipc_phase phase)
{
	if (type >= IPC_TYPES) /* it is ignored */
		return true;
	const struct ipc_permit *p = &permits[type];
	if (!phase_and_descriptors_fit(m, p, phase))
		return false;
	if (m->len < p->payload_min)
		memset(m->payload + m->len, 0, p->payload_min - m->len);
	if (m->len > p->payload_max)
		m->len = p->payload_max;
	m->payload[m->len > p->payload_min ? m->len : p->payload_min] = 0;
	return true;
}

static int message_receive(int fd, const struct ipc_permit permits[IPC_TYPES], enum ipc_phase phase,
			   bool other, struct ipc_message *ret)
{
	struct header header;
	struct iovec iov[2] = {{&header, sizeof(header)}, {ret->payload, IPC_PAYLOAD_MAX}};
	union control control;
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 2,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t n;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	/* A peer that exits with unread messages resets the channel. recvmsg(2) reports that once,
	 * before messages that the peer sent and that must not be lost. */
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	ret->fds_count = 0;
	descriptors_take(&msg, ret);
	if (n == 0) { /* an empty packet looks the same, and may have descriptors */
		ipc_message_release(ret);
		return 0;
	}
	ret->len = (size_t)n >= sizeof(header) ? (size_t)n - sizeof(header) : 0;
	ret->payload[ret->len] = 0;
	/* There was room for more, but the kernel could not open them here. */
	if ((msg.msg_flags & MSG_CTRUNC) && ret->fds_count < IPC_FDS_MAX &&
	    (size_t)n >= sizeof(header) && header.type < IPC_TYPES &&
	    permits[header.type].fds_max > 0) {
		ipc_message_release(ret);
		return -EMFILE;
	}
	if ((size_t)n < sizeof(header) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    !(other ? other_permitted(ret, header.type, permits, phase)
		    : message_permitted(ret, header.type, permits, phase))) {
		ipc_message_release(ret);
		return -EBADMSG;
	}
	ret->type = header.type < IPC_TYPES ? (enum ipc_type)header.type : IPC_TYPES;
	return 1;
}

int ipc_receive(int fd, const struct ipc_permit permits[IPC_TYPES], enum ipc_phase phase,
		struct ipc_message *ret)
{
	return message_receive(fd, permits, phase, false, ret);
}

int ipc_receive_other(int fd, const struct ipc_permit permits[IPC_TYPES], enum ipc_phase phase,
		      struct ipc_message *ret)
{
	return message_receive(fd, permits, phase, true, ret);
}

bool ipc_has_unread(int fd)
{
	int bytes = 0;
	return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

void ipc_message_release(struct ipc_message *m)
{
	for (size_t i = 0; i < m->fds_count; i++)
		fd_close(&m->fds[i]);
	m->fds_count = 0;
}
