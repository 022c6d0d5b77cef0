/*
 * Messages between the master and its children, over one SOCK_SEQPACKET socketpair per child.
 *
 * The kernel keeps message boundaries: one message is one packet. A message is a fixed header, a
 * payload of at most IPC_PAYLOAD_MAX bytes, and descriptors. A table (struct ipc_permit) says which
 * types a role may receive, in which form and in which phase; any other message is -EBADMSG, and
 * the receiver closes the channel. Integers and structs have the machine's layout. A child is
 * exec'd from the master's own binary, but the master can become another version of the program
 * while the child serves on: numbers keep their meaning, and payloads only grow at their ends.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPC_CHANNEL_FD  3 /* the descriptor of the channel in a child that begins */
#define IPC_PAYLOAD_MAX 1024
#define IPC_FDS_MAX     250 /* the kernel allows 253 (unix(7), SCM_RIGHTS) */

enum ipc_type {
	IPC_START = 1, /* master → child: struct ipc_start; once, first */
	IPC_READY,     /* child → master: it serves; its confinement, struct sandbox_level */
	IPC_FAILED,    /* child → master: why it cannot start, as text; it exits afterwards */
	IPC_DRAIN,     /* master → child: finish the requests in progress, then exit 0 */
	/* master → holder (keyholder, verifier, connector): struct ipc_key_channels and the
	 * channels of one worker */
	IPC_KEY_CHANNELS = 6,
	IPC_KEY_SILENT, /* worker → master: the keyholder did not answer in time */
	IPC_KEY_ABUSED, /* holder → master: struct ipc_key_channels; it closed one of them */
	IPC_PING,       /* master → holder or resolver: are you alive? */
	IPC_PONG,       /* holder or resolver → master */
	IPC_FAULT, /* worker → master → keyholders: struct ipc_fault; on ports with faults */
	IPC_FILES, /* child → master: struct ipc_files */
	IPC_CERTIFICATE, /* worker → master: struct ipc_certificate, one per pair */
	IPC_SERVE,       /* master → worker that was started held: begin to accept */
	IPC_SETTINGS,    /* master → child: struct ipc_settings */
	/* master → worker: new workers serve now. Like DRAIN, but an idle connection may send one
	 * more request soon, whose response closes it */
	IPC_RETIRE,
	IPC_DRAINING, /* worker → master: none of its loops accepts any longer */
	/* master → child, between START and its beginning (ipc/handed.h) */
	IPC_HANDED,   /* descriptors, and a struct ipc_item for each */
	IPC_COMPLETE, /* struct ipc_complete */
	IPC_TYPES
};

/*
 * How far the child on a channel has come, which decides which messages it may send:
 *
 *   BEGINNING ──READY──> SERVING ──DRAINING (worker)──> LEFT
 *
 * Before READY it has seen no byte from outside, so its statements about its files and itself can
 * be trusted. Later it may have been taken over, and has no reason to send them.
 */
enum ipc_phase { IPC_BEGINNING = 1, IPC_SERVING = 2, IPC_LEFT = 4 };

/* What a role accepts of one type; all zero: the type is not permitted. */
struct ipc_permit {
	uint32_t phases; /* the phases in which it may be received: a bit per ipc_phase */
	size_t payload_min;
	size_t payload_max;
	size_t fds_min;
	size_t fds_max;
};

/* what the master accepts from a worker */
extern const struct ipc_permit ipc_from_worker[IPC_TYPES];
extern const struct ipc_permit ipc_from_keyholder[IPC_TYPES]; /* … and from a keyholder */
extern const struct ipc_permit ipc_from_connector[IPC_TYPES];
extern const struct ipc_permit ipc_from_resolver[IPC_TYPES];
/* what a child accepts from the master */
extern const struct ipc_permit ipc_to_worker[IPC_TYPES];
extern const struct ipc_permit ipc_to_keyholder[IPC_TYPES];
extern const struct ipc_permit ipc_to_connector[IPC_TYPES];
extern const struct ipc_permit ipc_to_resolver[IPC_TYPES];
/* START, HANDED, COMPLETE: before the child begins */
extern const struct ipc_permit ipc_to_new_child[IPC_TYPES];

struct ipc_message {
	enum ipc_type type;
	size_t len;
	size_t fds_count;
	int fds[IPC_FDS_MAX]; /* the receiver closes them, unless it takes one and sets it to -1 */
	_Alignas(8) uint8_t payload[IPC_PAYLOAD_MAX + 1]; /* payload[len] is 0 */
};

/* A verifier is to the master what a keyholder is: it exchanges the same messages. */
enum ipc_role {
	IPC_WORKER = 1,
	IPC_KEYHOLDER,
	IPC_VERIFIER,
	IPC_CONNECTOR,
	IPC_RESOLVER,
	IPC_ROLES
};
const char *ipc_role_name(enum ipc_role); /* "worker" */

/* How a child begins. Its configuration says what it serves. */
struct ipc_start {
	uint32_t role; /* enum ipc_role */
	uint32_t port;
	uint32_t number; /* its number among the processes of its role on this port, from 1 */
	int32_t master_pid;
	int32_t log_level;
	uint32_t held;        /* 0 or 1: a worker that accepts no connection until SERVE */
	uint32_t change_user; /* 0 or 1: change to uid and gid */
	uint32_t uid;
	uint32_t gid;
};

/* The settings that can change in a serving process. */
struct ipc_settings {
	int32_t log_level;
	uint64_t drain_ms;
};

#define IPC_DIGEST_BYTES 32
#define IPC_SUBJECT_MAX  256

/* The content of the files that a child received: a keyholder's keys; a verifier's passwords; a
 * worker's certificates, authorities, files that are sent, and the table of media types. */
struct ipc_files {
	uint8_t digest[IPC_DIGEST_BYTES]; /* SHA-256 over all of them, in their order */
};

/* What a worker read of a certificate. */
struct ipc_certificate {
	uint64_t pair;  /* index of the pair in the port's configuration */
	int64_t begins; /* both time(2); 0: unknown */
	int64_t ends;
	char subject[IPC_SUBJECT_MAX]; /* or another name; NUL-terminated; "" if it has none */
};

struct ipc_key_channels {
	uint32_t worker;     /* from 1 */
	uint32_t generation; /* the generation of the process with that number */
};

/* What a keyholder should do wrong. */
struct ipc_fault {
	uint32_t how;   /* enum fault_keyholder (fault/fault.h) */
	uint32_t count; /* of answers, if how concerns answers */
};

/* Makes a channel. Both ends close on exec and do not block. Returns 0 or -errno. */
int ipc_channel(int ret_fds[2]);

/* Sends one message and never blocks. SIGPIPE must be ignored: without descriptors it uses
 * writev(2), the only call that a confined child has for it. The caller keeps the descriptors.
 * Returns 0, -EAGAIN when the peer does not read, -EPIPE when it is gone, or another -errno. */
int ipc_send(int fd, enum ipc_type, const void *payload, size_t len, const int *fds,
	     size_t fds_count);

/*
 * Receives one message. Returns 1; 0 when the peer closed; -EAGAIN; -EBADMSG when the message is
 * not permitted in this phase (its descriptors are closed); -EMFILE when this process may not have
 * so many descriptors; or another -errno. *ret is only valid after 1.
 */
int ipc_receive(int fd, const struct ipc_permit permits[IPC_TYPES], enum ipc_phase,
		struct ipc_message *ret);

/* Has the peer left bytes unread that were sent to it (unix(7), SIOCOUTQ)? */
bool ipc_has_unread(int fd);

/*
 * The same from a process of another version of this program, as it serves on after an upgrade in
 * place. Numbers keep their meaning from version to version, and payloads only grow at their ends.
 * So a type that this version does not know is received as IPC_TYPES, to be ignored, and a payload
 * may be longer or shorter than this version knows it: it is cut, or zeros follow the ret->len
 * bytes that came. Phases, and numbers of descriptors, are judged as ever.
 */
int ipc_receive_other(int fd, const struct ipc_permit permits[IPC_TYPES], enum ipc_phase,
		      struct ipc_message *ret);

/* Closes the descriptors that the receiver did not take. */
void ipc_message_release(struct ipc_message *);

#endif
