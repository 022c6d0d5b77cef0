/* Runs in workers, verifiers and, for IPC_PASSWORD_AGAIN, in the master. Must never trust a length.
 */
#include "ipc/password.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/channel.h"
#include "packet.h"

int ipc_password_channel(int ret_fds[2])
{
	return ipc_channel(ret_fds);
}

/* A NUL would end the password for crypt(3), and all that begin like it would be right. */
static int request_check(const struct ipc_password_request *r, size_t size)
{
	if (size < offsetof(struct ipc_password_request, data) || r->user_len > IPC_USER_MAX ||
	    r->password_len > IPC_PASSWORD_MAX || size != ipc_password_request_size(r) ||
	    r->id == 0 || r->zero != 0 ||
	    memchr(r->data, '\0', (size_t)r->user_len + r->password_len) != NULL)
		return -EBADMSG;
	return 0;
}

static int answer_check(const struct ipc_password_answer *a, size_t size)
{
	if (size != sizeof(*a) || a->status == 0 || a->status >= IPC_PASSWORD_STATUSES ||
	    a->zero != 0 || (a->status == IPC_PASSWORD_AGAIN) != (a->id == 0))
		return -EBADMSG;
	return 0;
}

int ipc_password_ask(int fd, const struct ipc_password_request *r)
{
	return packet_send(fd, r, ipc_password_request_size(r));
}

int ipc_password_answer(int fd, const struct ipc_password_answer *a)
{
	return packet_send(fd, a, sizeof(*a));
}

int ipc_password_receive_request(int fd, struct ipc_password_request *ret)
{
	const ssize_t n = packet_receive(fd, ret, sizeof(*ret), MSG_DONTWAIT);
	if (n <= 0)
		return (int)n;
	return (size_t)n > sizeof(*ret) || request_check(ret, (size_t)n) < 0 ? -EBADMSG : 1;
}

int ipc_password_receive_answer(int fd, struct ipc_password_answer *ret)
{
	const ssize_t n = packet_receive(fd, ret, sizeof(*ret), MSG_DONTWAIT);
	if (n <= 0)
		return (int)n;
	return (size_t)n > sizeof(*ret) || answer_check(ret, (size_t)n) < 0 ? -EBADMSG : 1;
}
