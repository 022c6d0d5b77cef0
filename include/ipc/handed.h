/*
 * What the master hands a new child: descriptors, each with its kind and the number of the thing in
 * its port that it belongs to.
 *
 *   START     who the child is (ipc/channel.h)
 *   HANDED    the next descriptors, as many as fit into one message; any number of times
 *   COMPLETE  how many there were of each kind; with it the child has all and begins
 *
 * So the list has no limit of its own, although the kernel lets one message carry at most 253
 * descriptors (unix(7), SCM_RIGHTS). Whatever a child is handed one day (another file, a
 * directory, a typed listener) is a member of enum ipc_handed and a row of ipc_handed_kinds.
 *
 * The sender never blocks: it sends the next message when the child has read the one before. The
 * receiver believes the master, but takes nothing that is out of form, so that a mistake on either
 * side ends in a sentence and not in a file that is taken for another.
 */
#ifndef IPC_HANDED_H
#define IPC_HANDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/channel.h"

#define IPC_HANDED_MAX 65536 /* descriptors of one child */

enum ipc_handed {
	IPC_FD_CONF,        /* sealed memfd with the canonical configuration of its port */
	IPC_FD_SLOT,        /* memfd, shared, with a struct ipc_slot per event loop */
	IPC_FD_CHROOT,      /* O_PATH descriptor of an empty directory */
	IPC_FD_TICKETS,     /* the port's keys for session tickets (ipc/tickets.h) */
	IPC_FD_CERTIFICATE, /* of: the pair. Open for reading */
	IPC_FD_KEY,         /* of: the pair. Open for reading; nobody has read it yet */
	IPC_FD_KEY_CHANNEL, /* of: the event loop (ipc/key.h) */
	IPC_FD_LISTENER,    /* of: its number among the port's listeners */
	IPC_FD_PLACES,      /* sealed memfd: where the document roots are (ipc/places.h) */
	IPC_FD_ROOT,        /* of: its number in conf_port.roots. A directory, perhaps O_PATH */
	IPC_FD_TYPES,       /* the system's table of media types; /dev/null: none can be read */
	IPC_FD_BODY,        /* of: its index in conf_port.bodies. Open for reading */
	IPC_FD_PASSWORDS,   /* of: its index in conf_port.passwords. Open for reading */
	IPC_FD_PASSWORD_CHANNEL, /* of: the event loop (ipc/password.h) */
	IPC_FD_AUTHORITY,        /* of: its index in conf_port.authorities. Open for reading */
	IPC_FD_REVOKED,          /* of: its index in conf_port.revoked. Open for reading */
	IPC_FD_CONNECT_CHANNEL,  /* of: the event loop (ipc/connect.h) */
	IPC_FD_HEALTH,           /* ipc/health.h; workers can only map it for reading */
	IPC_FD_NAMES,            /* ipc/addresses.h; a connector can only map it for reading */
	/* of: its index in conf_port.upstream_authorities. Open for reading */
	IPC_FD_UPSTREAM_AUTHORITY,
	IPC_FD_HOSTS,  /* the system's table of hosts; /dev/null: none can be read */
	IPC_FD_RESOLV, /* the system's name servers, resolv.conf(5); /dev/null: as above */
	IPC_FD_USE,    /* what workers count about upstreams (ipc/use.h) */
	IPC_FD_KINDS
};

/* The rows, by kind. */
struct ipc_handed_kind {
	const char *name; /* "certificate", for messages */
	unsigned roles;   /* that are handed it, a bit per enum ipc_role */
	/* that each of these roles has; how many of them its port needs, it compares itself */
	uint32_t least, most;
};

extern const struct ipc_handed_kind ipc_handed_kinds[IPC_FD_KINDS];

static inline bool ipc_is_handed(enum ipc_handed kind, enum ipc_role role)
{
	return (ipc_handed_kinds[kind].roles & 1u << role) != 0;
}

/* The payload of HANDED: one for each descriptor, in their order. The numbers of a kind ascend from
 * message to message, so none comes twice. */
struct ipc_item {
	uint16_t kind; /* enum ipc_handed */
	uint16_t of;
};

/* The payload of COMPLETE. */
struct ipc_complete {
	uint32_t counts[IPC_FD_KINDS];
};

/* --- the sender ------------------------------------------------------------------------------ */

/* The descriptors of one message, which the caller keeps. All zero: none. */
struct ipc_batch {
	struct ipc_item items[IPC_FDS_MAX];
	int fds[IPC_FDS_MAX];
	size_t count;
};

/* Returns false if the message is full. */
bool ipc_batch_add(struct ipc_batch *, enum ipc_handed, size_t of, int fd);
/* Sends the message and empties the batch; on success adds to the counts. Returns 0 or an error of
 * ipc_send(), and the batch is unchanged. -ETOOMANYREFS: too many descriptors of this user are in
 * messages that nobody has read yet. */
int ipc_batch_send(struct ipc_batch *, int fd, struct ipc_complete *);

/* --- the receiver ---------------------------------------------------------------------------- */

/* All zero: empty. */
struct ipc_handed_list {
	struct ipc_handed_fd {
		uint16_t kind, of;
		int fd; /* -1: it was taken */
	} * list;
	size_t count, room;
	uint32_t counts[IPC_FD_KINDS];
};

/*
 * Receives all three, and waits for each message up to timeout_ms. Returns 0; or -errno, with the
 * reason as static text, and everything that came is closed: -EPIPE the master is gone or is none,
 * -ETIMEDOUT, -EBADMSG out of form, -EMFILE the limit of descriptors is too low, -ENOMEM.
 */
int ipc_handed_receive(int fd, int timeout_ms, struct ipc_start *ret_start,
		       struct ipc_handed_list *ret, const char **ret_why);

/* A descriptor that the list goes on owning. -1: there is none. */
int ipc_handed_look(const struct ipc_handed_list *, enum ipc_handed, size_t of);
/* Takes a descriptor: the caller then owns it. -1: there is none. */
int ipc_handed_take(struct ipc_handed_list *, enum ipc_handed, size_t of);

/* Closes those that were not taken, and frees the list. */
void ipc_handed_release(struct ipc_handed_list *);

#endif
