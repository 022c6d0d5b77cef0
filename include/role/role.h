/*
 * What the children of the master have in common, whatever their role: how they begin, give up
 * their privileges, say that they are ready or why they cannot be, and are told to end.
 *
 *   role_begin()    the first message, the log, the configuration of the one port; from here on a
 *                   crash is recorded
 *   role_confine()  the drop (sandbox.h); what needs the file system comes before it
 *   ...             the role reads what it was handed, and makes what it serves with
 *   role_seal()     the system calls that are left from here on; then READY
 *   role_listen()   the master's channel and SIGTERM, in the role's event loop
 *
 * The order of these calls is the order of a child's life; each role's main function shows it.
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/slot.h"
#include "log/log.h"
#include "net/loop.h"
#include "sandbox/sandbox.h"

struct role;

/* Only `bulkhead selftest` has one: what a process that serves is begun with is NULL. */
struct role_hook {
	unsigned leave_out;                                      /* sandbox layers, as bits */
	void (*begun)(void *arg, const struct role *);           /* before the drop */
	void (*sealed)(void *arg, struct role *, struct loop *); /* in place of nothing */
	void *arg;
};

struct role {
	struct ipc_start start;
	int channel_fd;
	int fds[IPC_FDS_MAX]; /* handed and not yet taken; -1 else */
	struct log log;
	struct conf *conf;            /* owned */
	const struct conf_port *port; /* the only one in it */
	struct ipc_board *board;
	struct ipc_slot *slots; /* on it, one per event loop */
	unsigned slots_count;
	struct sandbox_plan plan;
	struct sandbox_level level;
	const struct role_hook *hook; /* NULL: serves */

	/* since role_listen() */
	struct loop_io channel;
	struct loop_io signals;
	const struct ipc_permit *permits;
	void (*told)(struct role *, struct ipc_message *); /* takes what it wants of it */
	void (*terminate)(struct role *);                  /* SIGTERM; may be NULL */
	void *user;                                        /* the role's own */
};

/* Receives START on the channel and takes it from there to the parsed configuration. Ends the
 * process where that is not possible. */
void role_begin(struct role *, int channel_fd, bool threads_built, const struct role_hook *);

/* How many of a kind were handed, and the i-th of them: the caller's from then on. */
size_t role_count(const struct role *, enum ipc_handed);
int role_take(struct role *, enum ipc_handed, size_t i);

/* The first number above all descriptors that were handed and have not been taken yet. */
unsigned role_handed_end(const struct role *);

/* Of a process that cannot begin for this errno: EX_TEMPFAIL where the machine lacks what all ports
 * share, so that the port is only delayed, else EX_OSERR. */
int role_status(const struct role *, int error);
/* Ends the process after telling the master why it cannot serve. EX_CONFIG parks the port. */
void role_fail(struct role *, int status, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

/* The drop. descriptors: how many the role will hold at the most. */
void role_confine(struct role *, enum sandbox_role, uint64_t descriptors);

/* The seal; refuses to serve where the privileges are strict and something is missing. Closes what
 * was handed and nobody took, then says READY. */
void role_seal(struct role *, struct loop *);

/* Puts the channel and SIGTERM (blocked since the fork) into the loop: 0 or -errno. The end of the
 * channel is the master's: the process ends at once. terminate NULL: SIGTERM is ignored.
 * user is kept in r->user for the two. */
int role_listen(struct role *, struct loop *, const struct ipc_permit permits[IPC_TYPES],
		void (*told)(struct role *, struct ipc_message *), void (*terminate)(struct role *),
		void *user);

void role_release(struct role *);

#endif
