/*
 * What the master knows; src/master only. One verb per file, and all of them work on this.
 *
 * A port:
 *                    ┌────────────────  child died ──────────────┐
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
#include <time.h>

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/slot.h"
#include "log/log.h"
#include "master/cause.h"
#include "master/master.h"
#include "master/restart.h"
#include "master/watch.h"
#include "net/loop.h"
#include "sandbox/sandbox.h"

struct port;
struct master;

/* conf allows 64 addresses; `*`, which is two sockets, stands alone. */
#define PORT_LISTENERS_MAX 64
#define PORT_THREADS_MAX   64 /* as many as conf allows */
#define PORT_FILES_MAX     16 /* the same of certificates */

enum child_state {
	CHILD_NONE, /* an empty place in the pool */
	CHILD_STARTING,
	CHILD_SERVING,
	CHILD_DRAINING
};

struct child {
	struct loop_io channel; /* first; fd -1 once the child has closed it */
	struct port *port;
	enum ipc_role role;
	unsigned number; /* among those of its role on this port, from 1 */
	enum child_state state;
	pid_t pid;
	uint64_t started_ms;
	uint32_t generation;        /* which process in this place */
	struct loop_timer deadline; /* to get ready, to answer a ping, to end */
	uint64_t said_since_ms;     /* when the second began in which … */
	unsigned said;              /* … it has sent so many messages */
	unsigned loops;             /* event loops, each with a slot: conf->threads, or 1 */
	const struct ipc_board *board;
	struct watch watch;
	const char *killed_for;  /* why the master has killed it; NULL: it has not */
	const char *unusable;    /* what the deadline after a closed channel is for; NULL: none */
	bool pinged;             /* the deadline is for its answer */
	int sink_fds[LOG_SINKS]; /* its own sockets to the daemons; -1: none */
	int *key_ends; /* worker: the keyholder's ends of its loops' channels; they outlive
			  keyholders */
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

struct identity {
	uid_t uid;
	gid_t gid;
};

/* Certificates and, behind all of them, keys, in the order of the configuration's pairs. */
struct port_files {
	size_t count; /* of pairs */
	int fds[2 * PORT_FILES_MAX];
	struct file_mark { /* by which a change is seen */
		dev_t device;
		ino_t inode;
		off_t size;
		struct timespec time;
	} marks[2 * PORT_FILES_MAX];
	bool proven; /* the port has served with them, so they are right */
};

/* How a child has ended, in words; what is the child's or a client's in it is escaped. */
struct report {
	enum cause cause;
	enum ipc_role role;
	unsigned number;
	unsigned loop; /* that it is about, from 1; 0: none */
	unsigned loops;
	unsigned restarts; /* of the port, before this end */
	uint64_t uptime_ms;
	int signal;      /* that has ended it; 0: none */
	int exit_status; /* without a signal */
	time_t when;
	char text[1024];    /* "worker 1 (pid 4242) crashed by SIGSEGV (...) after ..." */
	char request[1024]; /* that it was at; "" where it was at none */
	char request_id[4 * IPC_ID_MAX];
	char client[4 * IPC_CLIENT_MAX];
	unsigned client_port;
	char backtrace[2048];
};

#define PORT_REPORTS 16 /* of a port that are kept, of those that were no drain */

struct port {
	struct master *master;
	const struct conf_port *conf;
	enum port_state state;
	bool change_user; /* the master may, so its children do */
	struct identity worker_identity, keyholder_identity;
	int chroot_fd; /* O_PATH of the empty directory; -1: none. Owned by the master */
	int listeners[PORT_LISTENERS_MAX];
	unsigned listeners_count;
	struct port_files files;
	int tickets_fd; /* sealed memfd: the port's session ticket key; outlives workers */
	struct child
	    *children; /* places: first those of the keyholders, then those of the workers */
	unsigned children_count;
	unsigned keyholders;
	struct restart_state restart;
	unsigned restarts;                    /* children that have taken the place of another */
	struct ipc_counters totals;           /* of children that have ended */
	struct report *reports[PORT_REPORTS]; /* a ring */
	unsigned reports_next;
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
	char **environment; /* of children: an array of its own, strings of this process's */
	struct empty_root {
		const char *path; /* the configuration's */
		int fd;
	} * empty_roots; /* that were opened, each path once */
	size_t empty_roots_count;
	bool nobody_warned, key_user_warned, user_warned, chroot_warned;
	uint64_t started_ms;
	struct loop_timer drain_deadline;
	struct loop_timer sinks_retry; /* between two attempts to connect sinks again */
	bool sinks_missing;            /* the last attempt did not mend all */
	struct loop_timer log_tick;
	struct loop_timer watchdog;
	uint64_t watched_ms; /* the last look */
	int oom_fd;          /* where the kernel counts those it ends for lack of memory; -1 */
	uint64_t oom_count;
	uint64_t oom_unclaimed; /* that no end of a child has been explained by */
	uint64_t oom_seen_ms;
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

/* identity.c: who the port's children are to be, and in which root. Looks users up, so it comes
 * before the master is confined. 0, or -1 and a sentence. */
int port_identify(struct port *, struct err *);
const struct identity *child_identity(const struct child *);

/* files.c: the certificates and keys, open for as long as the port lives. 0, or -1 and a sentence.
 */
int port_open_files(struct port *, struct err *);
void port_close_files(struct port *);
/* Before a process is started: have they changed? Then all others are replaced, too. asked:
 * somebody has drained a worker, which is how new files are asked for. */
void port_renew_files(struct port *, bool asked);

/* handover.c: makes and sends the first message. 0 or -errno. */
int child_hand_over(const struct child *, int channel_fd, int board_fd, const int *key_channels);

/* keys.c: the channels between the workers' loops and the keyholders. */
int child_key_channels(struct child *, int *ret_worker_ends); /* new ones: 0 or -errno */
void child_key_channels_close(struct child *);
void keyholders_tell(const struct child *worker);   /* hands this worker's channels out */
void keyholder_tell_all(struct child *);            /* hands all workers' to this keyholder */
void keyholder_lost(const struct child *keyholder); /* what was under way is asked again */
void keyholders_ping(struct port *);                /* those that do not answer are killed */
void keyholders_fault(const struct port *, const struct ipc_fault *); /* they are to have it */
void keyholders_dismiss(struct port *); /* ends them if no worker is left */
bool keyholders_ready(const struct port *);

/* environment.c: what of the environment children get. NULL: no memory. */
char **environment_for_children(void);

/* spawn.c: fills the empty places: the keyholders', and once those are ready the workers'. */
void port_spawn(struct port *);
void port_spawn_expired(struct loop *, struct loop_timer *); /* the backoff timer's callback */
void child_deadline_expired(struct loop *, struct loop_timer *);

/* channel.c: what a child says. */
void child_channel_ready(struct loop *, struct loop_io *, uint32_t events);
void child_channel_close(struct child *);
/* What a child that has ended said before: why it failed, for one, may still be in the channel. */
void child_last_words(struct child *);
const struct ipc_permit *child_permits(const struct child *);

/* say.c: a record about a child: "worker 3 (pid 4242) ", and what follows. */
void child_log(const struct child *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* reap.c: collects all that have ended, been stopped or gone on. */
void master_reap(struct master *);

/* report.c: why a child has ended. */
void end_gather(struct end *, const struct child *, int status);
void report_make(struct report *, const struct child *, const struct end *);
/* sequel: what becomes of the place, behind the sentence; "" if nothing does. */
void report_log(const struct report *, const struct child *, int priority, const char *sequel);
void report_keep(struct port *, const struct report *);

/* watchdog.c: aborts what hangs, kills what cannot be aborted. */
void watchdog_start(struct master *);
void watchdog_expired(struct loop *, struct loop_timer *);

/* oom.c */
void oom_start(struct master *);
void oom_look(struct master *);       /* once a second, so that old ones are forgotten */
bool oom_has_struck(struct master *); /* just now; each explains one end */

/* status.c */
void master_tell_status(struct master *);

/* park.c */
void port_park(struct port *, const char *reason);
void master_settle(struct master *); /* are all ports decided upon? says so, once */

/* drain.c */
void master_drain(struct master *, const char *why);
void master_kill_all(struct master *);
void child_drain(struct child *);
/* SIGKILL, if it is there. why follows "because it "; static text. */
void child_kill(struct child *, const char *why);
/* Any signal; thread 0: to the process as a whole. */
void child_signal(const struct child *, int thread, int number);
void drain_deadline_expired(struct loop *, struct loop_timer *);
bool master_is_done(const struct master *);

/* signal.c */
int signals_start(struct master *);

/* sinks.c: a child's own sockets, kept here to be connected anew. 0 or -errno. */
int child_sinks_open(struct child *);
void child_sinks_close(struct child *);

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

static inline bool is_worker(const struct child *c)
{
	return c->role == IPC_WORKER;
}

static inline const char *role_name(const struct child *c)
{
	return is_worker(c) ? "worker" : "keyholder";
}

#endif
