/* Runs in workers, keyholders and, for IPC_KEY_AGAIN, in the master. Must never trust a length. */
#include "ipc/key.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "packet.h"

int ipc_key_request_check(const struct ipc_key_request *r, size_t size)
{
	if (size < IPC_KEY_REQUEST_HEAD || r->len > IPC_KEY_DATA_MAX ||
	    size != ipc_key_request_size(r) || r->id == 0 || r->len == 0 || r->zero != 0)
		return -EBADMSG;
	return 0;
}

int ipc_key_answer_check(const struct ipc_key_answer *a, size_t size)
{
	if (size < IPC_KEY_ANSWER_HEAD || a->len > IPC_KEY_SIGNATURE_MAX ||
	    size != ipc_key_answer_size(a) || a->zero != 0)
		return -EBADMSG;
	if (a->status == 0 || a->status >= IPC_KEY_STATUSES ||
	    (a->status == IPC_KEY_SIGNED) != (a->len > 0) ||
	    (a->status == IPC_KEY_AGAIN) != (a->id == 0))
		return -EBADMSG;
	return 0;
}

int ipc_key_channel(int ret_fds[2])
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	if (fcntl(fds[1], F_SETFL, O_NONBLOCK) < 0) {
		int error = -errno;
		fd_close(&fds[0]);
		fd_close(&fds[1]);
		return error;
	}
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

int ipc_key_ask(int fd, const struct ipc_key_request *r)
{
	return packet_send(fd, r, ipc_key_request_size(r));
}

int ipc_key_answer(int fd, const struct ipc_key_answer *a)
{
	return packet_send(fd, a, ipc_key_answer_size(a));
}

int ipc_key_receive_request(int fd, struct ipc_key_request *ret)
{
	ssize_t n = packet_receive(fd, ret, sizeof(*ret), MSG_DONTWAIT);
	if (n <= 0)
		return (int)n;
	return (size_t)n > sizeof(*ret) || ipc_key_request_check(ret, (size_t)n) < 0 ? -EBADMSG : 1;
}

int ipc_key_receive_answer(int fd, int flags, struct ipc_key_answer *ret)
{
	ssize_t n = packet_receive(fd, ret, sizeof(*ret), flags);
	if (n <= 0)
		return (int)n;
	return (size_t)n > sizeof(*ret) || ipc_key_answer_check(ret, (size_t)n) < 0 ? -EBADMSG : 1;
}
