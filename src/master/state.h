/*
 * What the master knows; src/master only. One verb per file, and all of them work on this.
 *
 * A port:
 *                    ┌────────────────  child died ──────────────┐
 *   STARTING ──all ready──> SERVING ──quick deaths──> BACKOFF ───┤ timer: spawn
 *      │                       │                        │        └──> STARTING …
 *      └── cannot start, EX_CONFIG, too many quick deaths ──> PARKED
 *   any of them ──SIGTERM, by order──> DRAINING ──last child reaped──> STOPPED ──by order──>
 * STARTING
 *
 * A struct port is one generation of a port: the port under one configuration, with the processes
 * that were made of it. Where that changes, a new one is PREPARED beside the one that is CURRENT,
 * on the same sockets; once all of its processes are ready they trade places, and the old one,
 * RETIRED, drains and is freed (roll.c).
 *
 * A child: STARTING ──READY──> SERVING ──DRAIN──> DRAINING ──reaped──> (free place in the pool).
 */
#ifndef MASTER_STATE_H
#define MASTER_STATE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/slot.h"
#include "ipc/tickets.h"
#include "log/log.h"
#include "log/stream.h"
#include "master/cause.h"
#include "master/expiry.h"
#include "master/master.h"
#include "master/plan.h"
#include "master/rate.h"
#include "master/restart.h"
#include "master/systemd/notify.h"
#include "master/watch.h"
#include "net/listen.h"
#include "net/loop.h"
#include "sandbox/sandbox.h"

struct port;
struct master;
struct tickets;

/* A configuration that ports are made of; freed with the last of its users. */
struct configuration {
	struct conf *conf;
	unsigned users;
};

/* Who has asked for something that takes its time; the asker's memory, linked while it waits. */
struct asker {
	struct asker *next;
	/* Once. error NULL: it is done; else one sentence, escaped, valid during the call. */
	void (*told)(struct asker *, const char *error);
};

/* `*`, which is two sockets, stands alone; of one name there may be several sockets. */
#define PORT_LISTENERS_MAX (CONF_ADDRESSES_MAX + CONF_SOCKETS_MAX)
#define FD_OWN_MIN         10 /* above every descriptor that a child has at a fixed place */
/* A port that does not come up keeps nobody waiting for longer, nor others from being changed. */
#define START_ENOUGH_MS 10000
#define PORT_FILES_MAX  ((size_t)CONF_CERTIFICATES_MAX)

enum child_state {
	CHILD_NONE, /* an empty place in the pool */
	CHILD_STARTING,
	CHILD_SERVING,
	CHILD_DRAINING
};

/* The master's end of a child's log, and how much of it may pass (relay.c). */
struct relay {
	struct loop_io io; /* a pipe; fd -1 once nothing comes any more */
	TAILQ_ENTRY(relay) link;
	bool resting;          /* looked at by the timer: in its list, and not in the loop's set */
	bool paid;             /* the first record of the stream has been paid for */
	uint64_t tokens;       /* thousandths of a record … */
	uint64_t refilled_ms;  /* … at that time */
	uint64_t told_ms;      /* when the log was last told that it writes too much; 0: never */
	uint64_t seen_ms;      /* when there was last something */
	uint64_t passed;       /* records */
	uint64_t last_tokens;  /* that passed beyond the rate, since it has ended */
	uint64_t last_records; /* of it, since then */
	size_t pipe_bytes;     /* that the pipe holds */
	struct log_stream stream;
};

TAILQ_HEAD(relay_list, relay);

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
	int board_fd;               /* for the next version of the master */
	const struct ipc_board *board;
	struct watch watch;
	const char *killed_for;   /* why the master has killed it; NULL: it has not */
	const char *unusable;     /* what the deadline after a closed channel is for; NULL: none */
	uint64_t unread_since_ms; /* keyholder: it has not read what it was told; 0: it has */
	bool pinged;              /* the deadline is for its answer */
	bool left;                /* has said that it accepts no more */
	bool leaving;             /* was told to retire, and has not said so yet */
	struct relay relay;
	int *key_ends; /* worker: the keyholder's ends of its loops' channels; they outlive
			  keyholders */
	char failure[IPC_PAYLOAD_MAX];    /* what it said (escaped), "" if nothing */
	struct sandbox_level confinement; /* what it has said with READY, all zero before ... */
	char level[512]; /* ... in words: how far it is confined; "" until it has said READY */
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
	struct file_mark marks[2 * PORT_FILES_MAX];
	bool proven; /* the port has served with them, so they are right */
};

/* What a child says that its files hold (ipc_files); of the last one of each role. */
struct port_content {
	uint8_t certificates[IPC_DIGEST_BYTES];
	uint8_t keys[IPC_DIGEST_BYTES];
	struct expiry *pairs; /* one for each pair of the configuration; owned */
};

struct port_listener {
	int fd;
	bool passed; /* the service manager's socket */
	bool lost;   /* it was shut, and cannot listen again: told */
	char address[NET_LISTEN_MAX];
};

enum port_stage {
	STAGE_PREPARED, /* of a roll under way: it gets ready, and accepts nobody */
	STAGE_CURRENT,  /* what serves under this number, or is to */
	STAGE_RETIRED   /* was replaced, or is not needed: it drains, and is freed */
};

/* Why a port that is in BACKOFF does not come up, where that is no fault of its own. */
enum port_lack {
	LACKS_NOTHING,
	LACKS_FOR_NOW, /* memory, descriptors, processes: others may give some back at any time */
	LACKS_ROOM     /* fewer descriptors may be open than the ports need */
};

enum port_order { ORDER_NONE, ORDER_STOP, ORDER_START, ORDER_RESTART, ORDER_RENEW, ORDER_UPGRADE };

/* How a child has ended, in words; what is the child's or a client's in it is escaped. */
struct report {
	enum cause cause;
	enum ipc_role role;
	unsigned number;
	unsigned loop; /* that it is about, from 1; 0: none */
	unsigned loops;
	unsigned restarts; /* of the port, before this end */
	uint64_t uptime_ms;
	int signal;      /* that struck; 0: none */
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
	struct configuration *configuration;
	const struct conf_port *conf; /* in it */
	char *text;                   /* conf_dump_process(), owned */
	unsigned generation;          /* of those of this number, from 1 */
	enum port_stage stage;
	enum port_state state;
	char reason[512];      /* PARKED, or it lacks something: why */
	enum port_lack lacks;  /* since it has served last */
	bool identified;       /* its users and root are known */
	bool former;           /* its processes are of the version before this one */
	bool by_order;         /* DRAINING, STOPPED: until somebody starts it */
	const char *ended_as;  /* the server stops, and it was "parked", or waited; NULL: neither */
	enum port_order order; /* to be carried out when no roll is under way */
	struct asker *ordered; /* who has given it */
	struct asker *waiting; /* who waits for it to serve */
	struct asker *stopping;  /* and for its last process to end */
	struct loop_timer limit; /* of a drain of this port alone */
	bool change_user;        /* the master may, so its children do */
	struct identity worker_identity, keyholder_identity;
	int chroot_fd; /* O_PATH of the empty directory; -1: none. Owned by the master */
	struct port_listener listeners[PORT_LISTENERS_MAX];
	unsigned listeners_count;
	struct port_files files;
	struct port_content content;
	int tickets_fd;          /* of the tickets' memory, for its workers; -1: none yet */
	struct tickets *tickets; /* shared by generations (tickets.c); NULL as above */
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
	struct rate rate;             /* of its requests, over all generations */
	unsigned confinement_told[2]; /* layers that a keyholder [0] or worker [1] was warned of */
	bool served;                  /* it has been SERVING once */
	bool discarded;               /* RETIRED: it was never CURRENT */
};

/* What is done whole or not at all; one at a time (roll.c). */
struct roll {
	bool under_way;
	bool committed; /* the new ones serve; it ends when no old one accepts any more */
	bool dry_run;
	const char *what;                    /* "reload"; static text */
	struct configuration *configuration; /* that is to be; NULL: of no reload */
	struct plan plan;
	struct asker *askers;
};

/* Its file is known by device and inode, so that only this one is removed. */
struct control_socket {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "": there is no socket */
	dev_t device;
	ino_t inode;
};

/* A record that the former version had kept for a sink. */
struct handed_record {
	struct handed_record *next;
	enum log_sink_kind kind;
	size_t len;
	unsigned char data[];
};

struct master {
	struct configuration *configuration;
	const struct conf *conf; /* in it */
	const struct master_options *options;
	struct loop loop;
	struct log log;
	struct loop_io signals;
	bool hangup_ignored; /* at the start: by nohup(1), for one */
	int terminal_fd; /* that it was started on; -1: none, or its end is none of the server's */
	struct port **ports; /* all generations */
	size_t ports_count;
	size_t ports_room;
	struct roll roll;
	struct loop_timer roll_limit; /* for old ones to leave */
	bool reload_wanted;           /* by a signal */
	bool reloads_turn;            /* the last roll was one port's */
	struct asker *reload_askers, *dry_run_askers;
	struct upgrade {
		bool wanted;
		struct asker *wanting;   /* who has asked for that one */
		struct asker *askers;    /* who waits for the one under way */
		struct loop_io output;   /* what the check says; fd -1: none is under way */
		struct loop_timer limit; /* of the check */
		char said[512];
		size_t said_len;
		pid_t checking;   /* 0: nobody is */
		int program_fd;   /* that is checked, and is to be */
		const char *late; /* why the check was ended; NULL: it was not */
		bool rolling;     /* this is the new version, and ports still have to follow */
		char failed[512]; /* what the last one has failed with; "" */
	} upgrade;
	int exe_fd; /* O_PATH of this very program, for children */
	int null_fd;
	char **environment; /* of children: an array of its own, strings of this process's */
	struct empty_root {
		char *path;
		int fd;
	} * empty_roots; /* that were opened, each path once */
	size_t empty_roots_count;
	bool nobody_warned, key_user_warned, user_warned, chroot_warned;
	uint64_t started_ms;
	char former[32];          /* version that this one has taken over from; "": none */
	unsigned confined[2];     /* layers that any keyholder [0], any worker [1] has or had */
	uint64_t filter_in_force; /* sandbox_master_mark() of that one; 0: none */
	struct loop_timer drain_deadline;
	struct loop_timer sinks_retry;  /* between two attempts to connect sinks again */
	bool sinks_missing;             /* the last attempt did not mend all */
	bool sinks_told[LOG_SINKS_OUT]; /* that its daemon cannot be reached */
	struct loop_timer log_tick;
	struct loop_timer relay_timer; /* while a pipe rests or something is kept for a sink */
	struct relay_list relays;      /* that rest, in the order of their turns */
	uint64_t room_ms;              /* the present pause between attempts at a full sink */
	bool relays_wait;              /* the first one waits for room in a sink */
	struct handed_record *handed;  /* the first ones first; until the sinks are open */
	bool relays_dropped; /* some child has lost records and was not told of, perhaps */
	struct loop_timer watchdog;
	struct notify notify;
	struct sockets sockets;
	uint64_t watched_ms; /* the last look */
	int oom_fd;          /* where the kernel counts those it ends for lack of memory; -1 */
	uint64_t oom_count;
	uint64_t may_open;      /* descriptors: RLIMIT_NOFILE; */
	uint64_t own;           /* what no port holds; */
	uint64_t room;          /* for ports */
	uint64_t room_to_renew; /* ... of it, for a second generation of one of them */
	uint64_t oom_unclaimed; /* that no end of a child has been explained by */
	uint64_t oom_seen_ms;
	struct control *control;              /* owned; NULL: there is none */
	struct control_socket control_handed; /* by the former version, for control_open() */
	bool settled;                         /* every port has been SERVING or PARKED once */
	bool failed;                          /* and none of them is served */
	bool draining;
	bool hurried;             /* a second signal */
	unsigned drained, killed; /* workers, while draining */
	uint64_t cut;             /* connections of the killed ones */
};

/* ports.c: which there are. */
struct configuration *configuration_new(
    struct conf *);                                 /* takes it; NULL: no memory, and it is freed */
void configuration_release(struct configuration *); /* one user less */
/* keyholders 0: as configured; else it is one that is restored, whose tickets come later. */
struct port *port_new(struct master *, struct configuration *, const struct conf_port *,
		      unsigned keyholders); /* NULL: no memory */
void port_free(struct port *);
/* conf_dump_process(), the caller's; NULL: no memory. */
char *port_text(const struct conf *, const struct conf_port *);
struct port *port_find(const struct master *, unsigned number); /* the CURRENT one, or NULL */
struct port *port_prepared(const struct master *, unsigned number);
struct port *port_heir(struct port *); /* who counts on for it: the CURRENT one, or itself */
const char *port_state_name(enum port_state);
void master_sweep(struct master *); /* after each turn: frees what has retired and stopped */

/* listen.c: the port's sockets, bound first and then, once it is certain that they are wanted,
 * listening; those that old has on the same addresses are shared with it. 0, or a sentence and -1,
 * or -EAGAIN where the machine lacks something. old may be NULL. */
int port_bind(struct port *, const struct port *old, struct err *);
int port_listen(const struct port *, struct err *);
void port_unlisten(struct port *);
bool port_has_sockets(const struct port *);   /* of the service manager's, whether bound or not */
void sockets_tell_unclaimed(struct master *); /* in the log */

/* mend.c: undoes what others did to the sockets: what a worker may have set, when one has ended;
 * and once a second, that somebody shut one. */
void port_sockets_reset(const struct port *);
void sockets_look(struct master *);

/* tickets.c: the port's key for session tickets, once its files are open: that of old, if those are
 * the same (old may be NULL), else a new one. 0, or a sentence and -1 or -EAGAIN. */
int port_get_tickets(struct port *, const struct port *old, struct err *);
void port_drop_tickets(struct port *);
/* From what the former version has handed over in tickets_fd: 0 or -errno. */
int port_adopt_tickets(struct port *);
/* A new key, and tickets of the former one are taken for a while, or not at all. */
void port_renew_tickets(struct port *);
void port_forget_tickets(struct port *);
/* With the status of waitpid(2), while its place is not empty yet. */
void tickets_holder_ended(struct child *, int status);
void tickets_look(struct master *); /* once a second */

/* roll.c: a new generation of some ports. All of them, or nothing has changed. */
void roll_begin(struct master *, const char *what); /* then roll_add() each, then roll_go() */
/* Makes and starts the one that is to take the place of old (NULL: of none). false, and the roll is
 * given up, when that cannot be. */
bool roll_add(struct master *, struct configuration *, const struct conf_port *, struct port *old);
void roll_go(struct master *);
void roll_port_ready(struct port *);
void roll_limit_expired(struct loop *, struct loop_timer *);
void roll_give_up(struct master *, unsigned port, const char *why); /* port 0: none in particular */
void rolls_next(struct master *); /* after each turn: what has waited for the last one to end */

/* reload.c: SIGHUP, and whoever asks for it. */
void master_reload(struct master *, bool dry_run, struct asker *);
bool reload_next(struct master *); /* begins one that was asked for, if there is one */
/* From roll.c, once all new ones are ready: what has changed only on the outside, then the rest. */
void reload_judge(struct master *);
void reload_commit(struct master *);
void reload_tell(struct master *); /* in the log */
/* Valid while somebody is told of a reload; NULL: there was none to be made. */
const struct plan *master_plan(const struct master *);
/* All children: log, drain. */
void master_settings(struct master *);
void master_log_level(struct master *, int priority);

/* upgrade/upgrade.c: the next version of this program in this very process. */
void master_upgrade(struct master *, struct asker *); /* asker NULL: SIGUSR2 */
int upgrade_start(struct master *);
bool upgrade_next(struct master *);                    /* begins one, if it was asked for */
bool upgrade_reap(struct master *, pid_t, int status); /* it was the check: true */
void upgrade_continue(struct master *);                /* after each turn */
void upgrade_give_up(struct master *);                 /* ends the check */
static inline bool upgrade_under_way(const struct master *m)
{
	return m->upgrade.checking > 0;
}

/* upgrade/adopt.c: what was handed over by the former version. 0, or -1 and a sentence. */
int master_adopt(struct master *, int state_fd, struct err *);
void master_adopted(struct master *); /* once it is confined: the processes go on */

/* order.c: a port is stopped, started or made anew because somebody wants it. */
void port_stop(struct port *, struct asker *);
void port_start(struct port *, struct asker *);
void port_restart(struct port *, struct asker *);
void port_renew(struct port *); /* its files have changed */
void port_order_carry_out(struct port *);
void port_orders_inherit(struct port *heir, struct port *old);
void askers_add(struct asker **list, struct asker *);
void askers_tell(struct asker **list, const char *error);
void askers_tell_all(struct master *, const char *error); /* but those who wait for an end */
void asker_forget(struct master *, struct asker *);       /* its client is gone */

/* What a port gets to begin with: each 0, or a sentence and -1, or -EAGAIN where the machine lacks
 * what all ports share (err_is_shortage()). */

/* identity.c: who the port's children are to be, and in which root. */
int port_identify(struct port *, struct err *);
const struct identity *child_identity(const struct child *);

/* files.c: the certificates and keys, open for as long as the port lives. */
int port_open_files(struct port *, struct err *);
void port_close_files(struct port *);
/* Have they changed? asked: somebody has drained a worker, which is how new files are asked for.
 * Not asked, only what has become of the open ones counts: they were overwritten. */
bool port_files_changed(const struct port *, bool asked);
/* What is open is taken as it is. */
void port_files_accept(struct port *);
/* The marks that the files under these names have now. */
void files_look(const struct conf_port *, struct file_mark marks[2 * PORT_FILES_MAX]);

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

/* start.c: files, sockets and processes of a port that has none yet, if there is room for all of
 * them; else it waits, and is begun again. Or it is parked. */
void ports_start(struct master *);
void ports_adopted(struct master *); /* from a former version, which has started them */
void port_bring_up(struct port *);
void port_resume(struct port *);           /* one in BACKOFF */
bool port_is_waiting(const struct port *); /* in BACKOFF, and holds nothing */
void port_lacks(struct port *, enum port_lack, uint64_t delay_ms); /* p->reason says what */
void port_spawn_expired(struct loop *, struct loop_timer *); /* the backoff timer's callback */

/* spawn.c: fills the empty places: the keyholders', and once those are ready the workers'. */
void port_spawn(struct port *);
void child_deadline_expired(struct loop *, struct loop_timer *);

/* channel.c: what a child says. */
void child_channel_ready(struct loop *, struct loop_io *, uint32_t events);
void child_channel_close(struct child *);
/* What a child that has ended said before: why it failed, for one, may still be in the channel. */
void child_last_words(struct child *);
const struct ipc_permit *child_permits(const struct child *);
/* One record for all processes that serve: how far they are confined. */
void confinement_tell(struct master *);

/* say.c: a record about a child: "worker 3 (pid 4242) ", and what follows. */
void child_log(const struct child *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* reap.c: open ones, by the child's word, within its port's limit. */
uint64_t child_connections(const struct child *);
/* How long a port waits for what the machine lacks. */
uint64_t port_shortage_delay(struct port *);
/* Collects all that have ended, been stopped or gone on. */
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
void oom_look(struct master *); /* once a second, so that old ones are forgotten */
/* Has it struck just now? Each time explains one end. *ret_uncounted: nobody can tell. */
void oom_ask(struct master *, bool *ret_struck, bool *ret_uncounted);

/* status.c */
/* Of the processes of a CURRENT port: those there were, those there are, and those of former
 * generations that still drain. */
void port_totals(const struct port *, struct ipc_counters *, uint64_t *ret_connections);
/* Why it is parked, or what it waits for; NULL: it does neither. */
const char *port_reason(const struct port *);
void master_tell_status(struct master *);
/* master.c: the end of a master that cannot go on: in the log, to the service manager, and on
 * standard error where that is somebody else's. status as in sysexits(3). */
_Noreturn void master_fail(struct master *, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* After anything that somebody who watches the server would be told. */
void master_changed(struct master *);

/* control/socket.c: the socket that the configuration names, if any: takes over the one that was
 * handed to it, makes one, moves it, ends it. Fails with a line in the log, no more. */
void control_open(struct master *);
/* What there is, to be handed on; it stays where it is. */
struct control_socket control_socket(const struct master *);
void control_close(struct master *);

/* rates.c, expiry.c: once a second. */
void rates_sample(struct master *);
void expiry_look(struct master *);

/* park.c */
void port_park(struct port *, const char *reason);
void master_settle(struct master *); /* are all ports decided upon? says so, once */

/* drain.c */
void port_drain(struct port *); /* unlistens, too */
void port_retire(struct port *, const struct port *heir);
void port_discard(struct port *, const struct port *current); /* that was prepared, for nothing */
void port_limit_expired(struct loop *, struct loop_timer *);
void port_stopped(struct port *); /* no child is left */
bool port_is_empty(const struct port *);
/* Nobody connects to those of its addresses any more that heir (NULL: nobody) has not, whoever
 * still holds the sockets; but those of the service manager. Returns of how many that is true. */
unsigned port_hang_up(const struct port *, const struct port *heir);
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
/* As they were at the start, for the next version; false: as this one has them. */
void signals_hand_over(const struct master *, bool);

/* terminal.c: after signals_start(). Is that SIGHUP the end of the terminal that it was started on?
 */
void terminal_open(struct master *);
bool terminal_is_gone(const struct master *, const struct signalfd_siginfo *);

/* relay.c: the pipe that is a new child's standard error and log: 0 or -errno. */
int relay_make(struct child *, int *ret_child_end);
void relay_begin(struct child *); /* its pid is known */
int relay_watch(struct child *);  /* 0 or -errno */
void relay_ready(struct loop *, struct loop_io *, uint32_t events);
void relay_timer_expired(struct loop *, struct loop_timer *);
/* It has ended: passes on what it still said. */
void relay_finish(struct child *);
void relay_close(struct child *);
/* Tells what of the children's records was lost; true: some of it cannot be told yet. */
bool relays_tell(struct master *);

/* Another configuration of the log has come. */
void sinks_change(struct master *, const struct conf_log *before);
/* sinks.c: opens what the configuration or the surroundings say; mends what breaks. */
void sinks_open(struct master *);
void sinks_forget_handed(struct master *);
void sinks_watch(struct master *); /* after each turn */
/* Writes what is kept. How long to wait before the next attempt, where something is left that a
 * sink may take soon; else 0. */
uint64_t sinks_flush(struct master *);
void sinks_retry_expired(struct loop *, struct loop_timer *);
void sinks_tick_expired(struct loop *, struct loop_timer *);
const char *sink_name(enum log_sink_kind);
const char *master_sink_path(const struct master *, enum log_sink_kind); /* NULL: console */

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
