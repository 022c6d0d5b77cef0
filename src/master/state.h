/*
 * What the master knows; src/master only. One verb per file, and all of them work on this.
 *
 * A port:
 *                    ┌──────────────── worker died ──────────────┐
 *   STARTING ──all ready──> SERVING ──quick deaths──> BACKOFF ───┤ timer: spawn
 *      │                       │                        │        └──> STARTING …
 *      └── cannot start, EX_CONFIG, too many quick deaths ──> PARKED
 *   any of them ──SIGTERM──> DRAINING ──last worker reaped──> STOPPED
 *
 * A child: STARTING ──READY──> SERVING ──DRAIN──> DRAINING ──reaped──> (free place in the pool).
 */
#ifndef MASTER_STATE_H
#define MASTER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/slot.h"
#include "log/log.h"
#include "master/master.h"
#include "master/restart.h"
#include "net/loop.h"

struct port;
struct master;

/* conf allows 64 addresses, and `*` is two sockets; START carries six descriptors besides. */
#define PORT_LISTENERS_MAX (IPC_FDS_MAX - 8)

enum child_state {
	CHILD_NONE, /* an empty place in the pool */
	CHILD_STARTING,
	CHILD_SERVING,
	CHILD_DRAINING
};

struct child {
	struct loop_io channel; /* first; fd -1 once the child has closed it */
	struct port *port;
	unsigned worker; /* from 1 */
	enum child_state state;
	pid_t pid;
	uint64_t started_ms;
	struct loop_timer deadline; /* to get ready; to die once the channel is closed */
	uint64_t said_since_ms;     /* when the second began in which … */
	unsigned said;              /* … it has sent so many messages */
	const struct ipc_slot *slots;
	char failure[IPC_PAYLOAD_MAX]; /* what it said (escaped), "" if nothing */
};

enum port_state {
	PORT_STARTING,
	PORT_SERVING,
	PORT_BACKOFF,
	PORT_PARKED,
	PORT_DRAINING,
	PORT_STOPPED
};

struct port {
	struct master *master;
	const struct conf_port *conf;
	enum port_state state;
	int listeners[PORT_LISTENERS_MAX];
	unsigned listeners_count;
	int tickets_fd;         /* sealed memfd: the port's session ticket key; outlives workers */
	struct child *children; /* conf->workers places */
	struct restart_state restart;
	struct loop_timer backoff;
	bool served; /* it has been SERVING once */
};

struct master {
	const struct conf *conf;
	const struct master_options *options;
	struct loop loop;
	struct log log;
	struct loop_io signals;
	struct port *ports;
	size_t ports_count;
	int exe_fd; /* O_PATH of this very program, for children */
	int null_fd;
	uint64_t started_ms;
	struct loop_timer drain_deadline;
	struct loop_timer sinks_retry; /* between two attempts to connect sinks again */
	bool sinks_missing;            /* the last attempt did not mend all */
	struct loop_timer log_tick;
	bool settled; /* every port has been SERVING or PARKED once */
	bool failed;  /* and none of them is served */
	bool draining;
	bool hurried;             /* a second signal */
	unsigned drained, killed; /* workers, while draining */
	uint64_t cut;             /* connections of the killed ones */
};

/* listen.c: the port's sockets. 0, or -1 after a line in the log. */
int port_listen(struct port *);
void port_unlisten(struct port *);

/* spawn.c: fills the empty places of the pool. */
void port_spawn(struct port *);
void port_spawn_expired(struct loop *, struct loop_timer *); /* the backoff timer's callback */
void child_deadline_expired(struct loop *, struct loop_timer *);

/* channel.c: what a child says. */
void child_channel_ready(struct loop *, struct loop_io *, uint32_t events);
void child_channel_close(struct child *);
/* What a child that has ended said before: why it failed, for one, may still be in the channel. */
void child_last_words(struct child *);
/* Sends to every child that is there. */
void children_send(struct master *, enum ipc_type, const void *payload, size_t len, const int *fds,
		   size_t fds_count);

/* reap.c: collects all that have ended. */
void master_reap(struct master *);

/* park.c */
void port_park(struct port *, const char *reason);
void master_settle(struct master *); /* are all ports decided upon? says so, once */

/* drain.c */
void master_drain(struct master *, const char *why);
void master_kill_all(struct master *);
void child_kill(const struct child *); /* SIGKILL, if it is there */
void drain_deadline_expired(struct loop *, struct loop_timer *);
bool master_is_done(const struct master *);

/* signal.c */
int signals_start(struct master *);

/* sinks.c: opens what the configuration or the surroundings say; mends what breaks. */
void sinks_open(struct master *);
void sinks_reconnect(struct master *); /* a sink's daemon is gone, a child says */
void sinks_watch(struct master *);     /* after each turn: the master's own log may know better */
void sinks_retry_expired(struct loop *, struct loop_timer *);
void sinks_tick_expired(struct loop *, struct loop_timer *);

static inline unsigned port_number(const struct port *p)
{
	return p->conf->number;
}

#endif
