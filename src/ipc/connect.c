/* Runs in workers, connectors and, for IPC_CONNECT_AGAIN, in the master. Must never trust a number,
 * nor leave a descriptor open that nobody takes. */
#include "ipc/connect.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "packet.h"

/* As little as the kernel grants: room for a few answers (socket(7), SO_SNDBUF). */
#define ANSWERS_BYTES 1
#define AGAIN_BYTES   16384 /* and then for some of those */

static int room_set(int fd, int bytes)
{
	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0 ? -errno : 0;
}

int ipc_connect_channel(int ret_fds[2])
{
	int fds[2];
	int error = ipc_channel(fds);
	if (error < 0)
		return error;
	error = room_set(fds[1], ANSWERS_BYTES);
	if (error < 0) {
		fd_close(&fds[0]);
		fd_close(&fds[1]);
		return error;
	}
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

static int request_check(const struct ipc_connect_request *r, size_t size)
{
	if (size != sizeof(*r) || r->id == 0 || r->timeout_ms == 0 ||
	    r->timeout_ms > IPC_CONNECT_TIMEOUT_MAX_MS)
		return -EBADMSG;
	return 0;
}

static int answer_check(const struct ipc_connect_answer *a, size_t size, bool has_connection)
{
	if (size != sizeof(*a) || a->status == 0 || a->status >= IPC_CONNECT_STATUSES ||
	    a->error < 0 || (a->status == IPC_CONNECT_AGAIN) != (a->id == 0) ||
	    (a->status == IPC_CONNECTED) != has_connection)
		return -EBADMSG;
	return 0;
}

int ipc_connect_ask(int fd, const struct ipc_connect_request *r)
{
	return packet_send(fd, r, sizeof(*r));
}

int ipc_connect_answer(int fd, const struct ipc_connect_answer *a, int connected)
{
	return packet_send_with(fd, a, sizeof(*a), connected);
}

int ipc_connect_again(int fd)
{
	const struct ipc_connect_answer again = {.status = IPC_CONNECT_AGAIN};
	(void)room_set(fd, AGAIN_BYTES);
	const int error = ipc_connect_answer(fd, &again, -1);
	(void)room_set(fd, ANSWERS_BYTES);
	return error;
}

int ipc_connect_receive_request(int fd, struct ipc_connect_request *ret)
{
	int with = -1;
	bool lost = false;
	const ssize_t n = packet_receive_with(fd, ret, sizeof(*ret), &with, &lost);
	if (n <= 0)
		return (int)n;
	const bool has_descriptor = with >= 0 || lost;
	fd_close(&with);
	return has_descriptor || request_check(ret, (size_t)n) < 0 ? -EBADMSG : 1;
}

int ipc_connect_receive_answer(int fd, struct ipc_connect_answer *ret, int *ret_fd)
{
	int with = -1;
	bool lost = false;
	const ssize_t n = packet_receive_with(fd, ret, sizeof(*ret), &with, &lost);
	if (n <= 0)
		return (int)n;
	if (answer_check(ret, (size_t)n, with >= 0 || lost) < 0) {
		fd_close(&with);
		return -EBADMSG;
	}
	if (lost && with < 0) {
		ret->status = IPC_CONNECT_FULL;
		ret->error = EMFILE;
	}
	*ret_fd = with;
	return 1;
}
