/*
 * Messages between the master and its children, over one SOCK_SEQPACKET socketpair per child.
 *
 * The kernel keeps the frames: one message is one packet, or nothing. A message is a fixed header,
 * a payload of at most IPC_PAYLOAD_MAX bytes, and descriptors. What a role may receive, in what
 * form and when, is a table (struct ipc_permit); everything else is -EBADMSG, and the receiver
 * closes the channel. Both ends are built from the same source (the child is exec'd from the
 * master's own binary), so the layout is the machine's.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#define IPC_PAYLOAD_MAX 1024
#define IPC_FDS_MAX     250 /* the kernel has 253 (unix(7), SCM_RIGHTS) */

enum ipc_type {
	IPC_START = 1, /* master → child: struct ipc_start and its descriptors; once, first */
	IPC_READY,  /* child → master: it serves; how far it is confined (struct sandbox_level) */
	IPC_FAILED, /* child → master: why it cannot start, text; EX_CONFIG follows */
	IPC_DRAIN,  /* master → child: finish what is in flight, then exit 0 */
	IPC_KEY_CHANNELS =
	    6,          /* master → keyholder: struct ipc_key_channels and one worker's channels
			 */
	IPC_KEY_SILENT, /* worker → master: the keyholder has not answered in time */
	IPC_KEY_ABUSED, /* keyholder → master: struct ipc_key_channels; it has closed one of them */
	IPC_PING,       /* master → keyholder: are you there? */
	IPC_PONG,       /* keyholder → master */
	IPC_FAULT, /* worker → master → keyholders: struct ipc_fault; of a port that has faults */
	IPC_FILES,       /* child → master: struct ipc_files */
	IPC_CERTIFICATE, /* worker → master: struct ipc_certificate, one for each pair */
	IPC_SERVE,       /* master → worker that was started held: accept now */
	IPC_SETTINGS,    /* master → child: struct ipc_settings */
	IPC_RETIRE, /* master → worker: others serve now; as DRAIN, but an idle connection is told
		       so by the answer to its next request, if one comes soon */
	IPC_DRAINING, /* worker → master: none of its loops accepts any more */
	IPC_TYPES
};

/*
 * How far the child on a channel has come, which decides what may be said on it:
 *
 *   BEGINNING ──READY──> SERVING ──DRAINING (worker)──> LEFT
 *
 * Up to READY it has met no foreign byte, so what it says of its files and of itself can be
 * believed; afterwards it may have been taken over, and has no business saying it.
 */
enum ipc_phase { IPC_BEGINNING = 1, IPC_SERVING = 2, IPC_LEFT = 4 };

/* What a role accepts of one type; all zero: nothing. */
struct ipc_permit {
	uint32_t phases; /* in which this role may receive it: a bit per ipc_phase */
	size_t payload_min;
	size_t payload_max;
	size_t fds_min;
	size_t fds_max;
};

extern const struct ipc_permit ipc_from_worker[IPC_TYPES];    /* what the master takes */
extern const struct ipc_permit ipc_from_keyholder[IPC_TYPES]; /* the same */
extern const struct ipc_permit ipc_to_worker[IPC_TYPES];      /* what the master may tell it */
extern const struct ipc_permit ipc_to_keyholder[IPC_TYPES];
extern const struct ipc_permit ipc_to_new_child[IPC_TYPES]; /* START, before it knows its role */

struct ipc_message {
	enum ipc_type type;
	size_t len;
	size_t fds_count;
	int fds[IPC_FDS_MAX]; /* the receiver's to close; those it takes it makes -1 */
	_Alignas(8) uint8_t payload[IPC_PAYLOAD_MAX + 1]; /* payload[len] is 0 */
};

enum ipc_role { IPC_WORKER = 1, IPC_KEYHOLDER };

/* What a child is handed, in this order in IPC_START. */
enum ipc_handed {
	IPC_FD_CONF,        /* 1: sealed memfd with the canonical text of its port */
	IPC_FD_SLOT,        /* 1: memfd, shared: a struct ipc_slot per event loop */
	IPC_FD_CHROOT,      /* 0 or 1: O_PATH of an empty directory */
	IPC_FD_TICKETS,     /* worker, 1: the port's keys for session tickets (ipc/tickets.h) */
	IPC_FD_CERTIFICATE, /* worker: one per pair, open for reading */
	IPC_FD_KEY,         /* keyholder: one per pair, open for reading, read by nobody before */
	IPC_FD_KEY_CHANNEL, /* worker: one per event loop (ipc/key.h) */
	IPC_FD_LISTENER,    /* worker */
	IPC_FD_KINDS
};

/* How a child is begun; what it serves is in the configuration that comes along. */
struct ipc_start {
	uint32_t role; /* enum ipc_role */
	uint32_t port;
	uint32_t number; /* among those of its role on this port, from 1 */
	int32_t master_pid;
	int32_t log_level;
	uint32_t held;        /* 0 or 1: a worker that accepts nobody until it is told to serve */
	uint32_t change_user; /* 0 or 1: to uid and gid */
	uint32_t uid;
	uint32_t gid;
	uint32_t counts[IPC_FD_KINDS];
};

/* What can change in a process that serves. */
struct ipc_settings {
	int32_t log_level;
	uint64_t drain_ms;
};

#define IPC_DIGEST_BYTES 32
#define IPC_SUBJECT_MAX  256

/* What the files hold that a child was handed: certificates or keys. */
struct ipc_files {
	uint8_t digest[IPC_DIGEST_BYTES]; /* SHA-256 over all of them, in their order */
};

/* What a worker has read of a certificate. */
struct ipc_certificate {
	uint64_t pair;  /* index in the port's configuration */
	int64_t begins; /* time(2); 0: unknown, both */
	int64_t ends;
	char subject[IPC_SUBJECT_MAX]; /* or another name of it; terminated; "": it has none */
};

struct ipc_key_channels {
	uint32_t worker;     /* from 1 */
	uint32_t generation; /* which process of that number */
};

/* What a keyholder is to do wrong. */
struct ipc_fault {
	uint32_t how;   /* enum fault_keyholder (fault/fault.h) */
	uint32_t count; /* answers, where how is about answers */
};

/* Makes a channel: both ends close on exec and do not block. 0 or -errno. */
int ipc_channel(int ret_fds[2]);

/* Sends one message and never blocks. SIGPIPE is ignored where this is used: without descriptors it
 * is a writev(2), the only way that a confined child has. The descriptors stay the caller's.
 * 0, -EAGAIN when the peer does not read, -EPIPE when it is gone, or another -errno. */
int ipc_send(int fd, enum ipc_type, const void *payload, size_t len, const int *fds,
	     size_t fds_count);

/*
 * Receives one message. 1; 0 when the peer has closed; -EAGAIN; -EBADMSG when it is not permitted
 * in this phase (its descriptors are closed); or another -errno. *ret is only valid after 1.
 */
int ipc_receive(int fd, const struct ipc_permit permits[IPC_TYPES], enum ipc_phase,
		struct ipc_message *ret);

/* Closes the descriptors that nobody took. */
void ipc_message_release(struct ipc_message *);

#endif
