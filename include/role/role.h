/*
 * What all children of the master have in common: how they begin, give up their privileges, report
 * that they are ready or why they cannot start, and receive orders.
 *
 *   role_begin()    the first messages, the log, the configuration of the one port; from here on a
 *                   crash is recorded
 *   role_confine()  the drop (sandbox.h); anything that needs the file system comes before it
 *   ...             the role reads its descriptors and prepares what it serves with
 *   role_listen()   the master's channel and SIGTERM, in the role's event loop
 *   role_seal()     only the needed system calls are left; then READY
 *
 * A child calls them in this order; each role's main function shows it.
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "ipc/addresses.h"
#include "ipc/channel.h"
#include "ipc/handed.h"
#include "ipc/slot.h"
#include "log/log.h"
#include "net/loop.h"
#include "sandbox/sandbox.h"

/* Descriptors that every child may hold, besides those that it was handed or serves: standard
 * streams, log, signals, the master's channel, and those that libraries open for a moment. */
#define ROLE_DESCRIPTORS 32

struct role;

/* Used by `bulkhead selftest` only; NULL in a process that serves. */
struct role_hook {
	/* sandbox layers to leave out, as bits */
	unsigned leave_out;
	void (*begun)(void *arg, const struct role *);           /* before the drop */
	void (*sealed)(void *arg, struct role *, struct loop *); /* after the seal */
	void *arg;
};

struct role {
	struct ipc_start start;
	int channel_fd;
	struct ipc_handed_list handed; /* received descriptors, until they are taken */
	struct log log;
	struct conf *conf;            /* owned */
	const struct conf_port *port; /* its only port */
	struct ipc_board *board;
	struct ipc_slot *slots; /* in board, one per event loop */
	unsigned slots_count;
	/* Of name servers, of TCP: a resolver sets them before it is confined, and keeps them until
	 * then. */
	const uint16_t *server_ports;
	size_t server_ports_count;
	struct sandbox_plan plan;
	struct sandbox_level level;
	const struct role_hook *hook; /* NULL: the process serves */

	/* set by role_listen() */
	struct loop_io channel;
	struct loop_io signals;
	const struct ipc_permit *permits;
	/* takes what it needs from the message */
	void (*told)(struct role *, struct ipc_message *);
	/* called for SIGTERM; NULL: SIGTERM is ignored */
	void (*terminate)(struct role *);
	void *user; /* for the role's own use */
};

/* Receives START and all descriptors on the channel, sets up the log, parses the configuration and
 * starts the crash recorder. Ends the process if that fails. */
void role_begin(struct role *, int channel_fd, bool threads_built, const struct role_hook *);

/* The number of descriptors of a kind, and taking the one that belongs to the thing with this
 * number: the caller then owns it. -1: there is none. */
size_t role_count(const struct role *, enum ipc_handed);
int role_take(struct role *, enum ipc_handed, size_t of);
int role_look(const struct role *, enum ipc_handed, size_t of); /* the role goes on owning it */

/* A number above all received descriptors that were not taken yet. */
unsigned role_handed_end(const struct role *);

/* The exit status for a process that cannot begin because of this errno: EX_TEMPFAIL if the machine
 * lacks what all ports share, so that the port is only delayed; else EX_OSERR. */
int role_status(const struct role *, int error);
/* Sends the master the reason why it cannot serve, and ends the process. EX_CONFIG parks the
 * port. */
void role_fail(struct role *, int status, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

/* Sends the master a message before READY, and waits while it does not read: a message about each
 * of many files may be more than the channel holds. */
void role_tell(struct role *, enum ipc_type, const void *payload, size_t len);

/* What a process of that role needs for this port (sandbox.h). */
unsigned role_needs(enum sandbox_role, const struct conf_port *);

/* Drops privileges, except to read beneath the document roots that were handed over, which the role
 * takes afterwards, and to connect to its upstreams or name servers. descriptors: how many the role
 * will hold at most. */
void role_confine(struct role *, enum sandbox_role, uint64_t descriptors);

/* For a connector or resolver, before role_seal(): the block of addresses to which alone the
 * process will be able to connect. addresses, names: how many it has, for the level. */
void role_pin(struct role *, const struct ipc_block *, size_t addresses, size_t names);

/* Closes received descriptors that were not taken, seals, and sends READY. If the privileges are
 * strict and a layer is missing, it fails instead. */
void role_seal(struct role *, struct loop *);

/* Adds the channel and SIGTERM (blocked since the fork) to the loop. Returns 0 or -errno. When the
 * master closes the channel, the process ends at once. terminate NULL: SIGTERM is ignored. user is
 * kept in r->user for the two callbacks. */
int role_listen(struct role *, struct loop *, const struct ipc_permit permits[IPC_TYPES],
		void (*told)(struct role *, struct ipc_message *), void (*terminate)(struct role *),
		void *user);

void role_release(struct role *);

#endif
