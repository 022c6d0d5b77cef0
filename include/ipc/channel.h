/*
 * Messages between the master and its children, over one SOCK_SEQPACKET socketpair per child.
 *
 * The kernel keeps the frames: one message is one packet, or nothing. A message is a fixed header,
 * a payload of at most IPC_PAYLOAD_MAX bytes, and descriptors. What a role may receive, and in what
 * form, is a table (struct ipc_permit); everything else is -EBADMSG, and the receiver closes the
 * channel. Both ends are built from the same source (the child is exec'd from the master's own
 * binary), so the layout is the machine's.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#define IPC_PAYLOAD_MAX 1024
#define IPC_FDS_MAX     160

enum ipc_type {
	IPC_START = 1,  /* master → child: struct ipc_start and its descriptors; once, first */
	IPC_READY,      /* worker → master: it accepts connections */
	IPC_FAILED,     /* worker → master: why it cannot start, text; EX_CONFIG follows */
	IPC_DRAIN,      /* master → worker: finish what is in flight, then exit 0 */
	IPC_LOG_BROKEN, /* worker → master: a log sink's daemon is gone */
	IPC_TYPES
};

/* What a role accepts of one type; all zero: nothing. */
struct ipc_permit {
	uint32_t allowed; /* 1: this role may receive it */
	size_t payload_min;
	size_t payload_max;
	size_t fds_min;
	size_t fds_max;
};

extern const struct ipc_permit ipc_master_permits[IPC_TYPES]; /* what a worker may tell it */
extern const struct ipc_permit ipc_worker_permits[IPC_TYPES]; /* what the master may tell it */

struct ipc_message {
	enum ipc_type type;
	size_t len;
	size_t fds_count;
	int fds[IPC_FDS_MAX]; /* the receiver's to close; those it takes it makes -1 */
	_Alignas(8) uint8_t payload[IPC_PAYLOAD_MAX + 1]; /* payload[len] is 0 */
};

/* How a child is begun; what it serves is in the configuration that comes along. The descriptors
 * follow in the order of the fields. */
struct ipc_start {
	uint32_t port;
	uint32_t worker; /* from 1 */
	int32_t master_pid;
	int32_t log_facility;
	int32_t log_level;
	/* conf:    1 sealed memfd with the canonical text of this port
	 * tickets: 1 sealed memfd with the port's 64-byte session ticket key
	 * slot:    1 memfd, shared: struct ipc_slot per loop */
	uint32_t log_sinks; /* bit per sink that is in use, one descriptor each, lowest first */
	uint32_t listeners; /* how many descriptors */
};

/* Makes a channel: both ends close on exec; fds[0], the master's, non-blocking. 0 or -errno. */
int ipc_channel(int ret_fds[2]);

/* Sends one message; never blocks, never raises a signal. The descriptors stay the caller's.
 * 0, -EAGAIN when the peer does not read, -EPIPE when it is gone, or another -errno. */
int ipc_send(int fd, enum ipc_type, const void *payload, size_t len, const int *fds,
	     size_t fds_count);

/*
 * Receives one message. 1; 0 when the peer has closed; -EAGAIN; -EBADMSG when it is not permitted
 * (its descriptors are closed); or another -errno. *ret is only valid after 1.
 */
int ipc_receive(int fd, const struct ipc_permit permits[IPC_TYPES], struct ipc_message *ret);

/* Closes the descriptors that nobody took. */
void ipc_message_release(struct ipc_message *);

#endif
