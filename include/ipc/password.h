/*
 * Passwords to check, from an event loop of a worker to its port's verifier, and the answers: one
 * packet each on a SOCK_SEQPACKET socketpair that belongs to this loop.
 *
 * As with keys (ipc/key.h), the channel identifies the worker, and the master keeps the verifier's
 * end: if a verifier dies, the request that it had taken is lost, and the master answers
 * IPC_PASSWORD_AGAIN on every channel. A loop has one request under way at a time, so it knows
 * which one that is. The ids of requests grow; an answer with another id is discarded.
 *
 * Neither side trusts the other.
 */
#ifndef IPC_PASSWORD_H
#define IPC_PASSWORD_H

#include <stddef.h>
#include <stdint.h>

#define IPC_USER_MAX     255
#define IPC_PASSWORD_MAX 511 /* crypt(3): CRYPT_MAX_PASSPHRASE_SIZE, with its NUL */

struct ipc_password_request {
	uint64_t id;   /* never 0 */
	uint16_t file; /* its index in conf_port.passwords */
	uint16_t user_len;
	uint16_t password_len;
	uint16_t zero;
	char data[IPC_USER_MAX + IPC_PASSWORD_MAX]; /* the user, then the password; no NUL */
};

enum ipc_password_status {
	IPC_PASSWORD_RIGHT = 1,
	IPC_PASSWORD_WRONG,  /* or there is no such user */
	IPC_PASSWORD_FAILED, /* it could not be checked: out of memory */
	IPC_PASSWORD_AGAIN,  /* id 0, from the master: the request in progress may be lost */
	IPC_PASSWORD_STATUSES
};

struct ipc_password_answer {
	uint64_t id;
	uint32_t status;
	uint32_t zero;
};

static inline size_t ipc_password_request_size(const struct ipc_password_request *r)
{
	return offsetof(struct ipc_password_request, data) + r->user_len + r->password_len;
}

/* Makes a channel: [0] for the worker, [1] for the verifier; neither blocks. 0 or -errno. */
int ipc_password_channel(int ret_fds[2]);

/* Sends a packet: 0, -EAGAIN when the other side does not read, or another -errno. */
int ipc_password_ask(int fd, const struct ipc_password_request *);
int ipc_password_answer(int fd, const struct ipc_password_answer *);

/* Receives one packet: 1; 0 when the other side is gone; -EBADMSG when it is malformed; -EAGAIN
 * when there is none; or another -errno. */
int ipc_password_receive_request(int fd, struct ipc_password_request *ret);
int ipc_password_receive_answer(int fd, struct ipc_password_answer *ret);

#endif
