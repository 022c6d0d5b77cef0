/*
 * Connections to a port's endpoints: from an event loop of a worker to its port's connector, and
 * the answers, one packet each on a SOCK_SEQPACKET socketpair that belongs to this loop.
 *
 * As with keys (ipc/key.h), the channel identifies the worker, and the master keeps the connector's
 * end: if a connector dies, all that it had taken is lost, and the master answers IPC_CONNECT_AGAIN
 * on every channel. The loop then asks for all that is pending again, with new ids. The ids of
 * requests grow; an answer with the id of none is discarded, and a descriptor with it is closed.
 *
 * A request names its endpoint by number, and nothing else: what it is connected to, the connector
 * knows from its configuration. Neither side trusts the other.
 */
#ifndef IPC_CONNECT_H
#define IPC_CONNECT_H

#include <stdint.h>

#include "base/network.h"

/* How many requests of one loop a connector has under way at most; more are IPC_CONNECT_FULL. */
#define IPC_CONNECT_PENDING_MAX 512

#define IPC_CONNECT_TIMEOUT_MAX_MS 600000

struct ipc_connect_request {
	uint64_t id;         /* never 0 */
	uint32_t endpoint;   /* its index in conf_port.endpoints */
	uint32_t timeout_ms; /* for all of its addresses; 1 to IPC_CONNECT_TIMEOUT_MAX_MS */
};

enum ipc_connect_status {
	IPC_CONNECTED = 1,      /* the packet has the descriptor */
	IPC_CONNECT_REFUSED,    /* by all of its addresses; error is the last reason */
	IPC_CONNECT_TIMED_OUT,  /* no address has answered in time */
	IPC_CONNECT_UNRESOLVED, /* its name has no address (yet) */
	IPC_CONNECT_FULL,       /* too many are under way, or descriptors, memory or ports lack:
				   error */
	IPC_CONNECT_AGAIN,      /* id 0, from the master: all that was asked may be lost */
	IPC_CONNECT_STATUSES
};

struct ipc_connect_answer {
	uint64_t id;
	uint32_t status;
	int32_t error;                  /* an errno; 0: none */
	struct network_address address; /* CONNECTED: which one; zeros for a Unix socket */
};

/*
 * Makes a channel: [0] for the worker, [1] for the connector; neither blocks. 0 or -errno.
 *
 * The connector's end takes only a few answers that the worker has not read yet (-EAGAIN after
 * them). The kernel counts the descriptors in unread messages for the whole user, connectors of
 * other ports included, and above a process's limit refuses that process's messages with
 * descriptors (unix(7), ETOOMANYREFS): so a loop that does not read must not fill the count.
 */
int ipc_connect_channel(int ret_fds[2]);

/* Sends a packet: 0, -EAGAIN when the other side does not read, or another -errno. */
int ipc_connect_ask(int fd, const struct ipc_connect_request *);
/* connected: the descriptor with IPC_CONNECTED, which the caller keeps; else -1. -ETOOMANYREFS, as
 * above, passes like -EAGAIN, but no event of epoll(7) says when. */
int ipc_connect_answer(int fd, const struct ipc_connect_answer *, int connected);

/* For the master, on the connector's end: IPC_CONNECT_AGAIN, also if that end is full of answers. 0
 * or -errno: it is full of those, too, so the worker will find one. */
int ipc_connect_again(int fd);

/* Receives one packet: 1; 0 when the other side is gone; -EBADMSG when it is malformed; -EAGAIN
 * when there is none; or another -errno. */
int ipc_connect_receive_request(int fd, struct ipc_connect_request *ret);
/* *ret_fd is the caller's, or -1. A connection that came, but for which this process has no
 * descriptor left, is IPC_CONNECT_FULL with EMFILE. */
int ipc_connect_receive_answer(int fd, struct ipc_connect_answer *ret, int *ret_fd);

#endif
