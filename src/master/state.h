/*
 * The state of the master; src/master only. One verb per file, and all of them work on this state.
 *
 * A port:
 *                    ┌────────────────  child died ──────────────┐
 *   STARTING ──all ready──> SERVING ──quick deaths──> BACKOFF ───┤ timer: spawn
 *      │                       │                        │        └──> STARTING …
 *      └── cannot start, EX_CONFIG, too many quick deaths ──> PARKED
 *   any ──SIGTERM, by order──> DRAINING ──last child reaped──> STOPPED ──by order──> STARTING
 *
 * A struct port is one generation of a port: the port under one configuration, with the processes
 * that belong to it. If the configuration or the files change, a new generation is PREPARED beside
 * the CURRENT one, on the same sockets. Once all of its processes are ready, it becomes CURRENT;
 * the old one is RETIRED, drains and is freed (roll.c).
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

#include "base/bucket.h"
#include "base/err.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/slot.h"
#include "ipc/tickets.h"
#include "log/log.h"
#include "log/stream.h"
#include "master/master.h"
#include "master/pure/cause.h"
#include "master/pure/expiry.h"
#include "master/pure/plan.h"
#include "master/pure/rate.h"
#include "master/pure/restart.h"
#include "master/pure/watch.h"
#include "master/systemd/notify.h"
#include "net/listen.h"
#include "net/loop.h"
#include "sandbox/sandbox.h"

struct port;
struct master;
struct tickets;

/* A configuration of ports; freed with the last port that uses it. */
struct configuration {
	struct conf *conf;
	unsigned users;
};

/* The sender of an order that takes time. The sender owns the memory, which is linked while it
 * waits. */
struct asker {
	struct asker *next;
	/* Called once. error NULL: it is done; else one sentence, escaped, valid during the
	 * call. */
	void (*told)(struct asker *, const char *error);
};

/* `*` stands alone and becomes two sockets; several sockets may have one name. */
#define PORT_LISTENERS_MAX (CONF_ADDRESSES_MAX + CONF_SOCKETS_MAX)
/* A port that does not come up delays the end of the start no longer than this, nor changes of
 * others. */
#define START_ENOUGH_MS 10000
#define PORT_FILES_MAX  ((size_t)CONF_CERTIFICATES_MAX)

enum child_state {
	CHILD_NONE, /* the place in the pool is empty */
	CHILD_STARTING,
	CHILD_SERVING,
	CHILD_DRAINING
};

/* The master's end of a child's log, and its rate (relay.c). */
struct relay {
	struct loop_io io; /* a pipe; fd -1 after its end */
	TAILQ_ENTRY(relay) link;
	/* the timer reads it: it is in the timer's list and not in the epoll set */
	bool resting;
	bool paid;             /* the first record of the stream has cost its tokens */
	struct bucket rate;    /* of `log rate`, over all processes with this place */
	uint64_t told_ms;      /* when the log last said that it writes too much; 0: never */
	uint64_t seen_ms;      /* when it last had bytes */
	uint64_t passed;       /* records that passed */
	uint64_t last_tokens;  /* tokens used beyond the rate since the child ended */
	uint64_t last_records; /* records passed since the child ended */
	size_t pipe_bytes;     /* size of the pipe */
	struct log_stream stream;
};

TAILQ_HEAD(relay_list, relay);

struct child {
	struct loop_io channel; /* first; fd -1 once the channel is closed */
	struct port *port;
	enum ipc_role role;
	unsigned number; /* its number among the processes of its role on this port, from 1 */
	enum child_state state;
	pid_t pid;
	uint64_t started_ms;
	uint32_t generation;        /* counts the processes in this place */
	struct loop_timer deadline; /* to get ready, to answer a ping, to end */
	uint64_t said_since_ms;     /* the beginning of the present second of messages */
	unsigned said;              /* messages in that second */
	unsigned loops;             /* event loops, each with a slot: conf->threads, or 1 */
	int board_fd;               /* kept for the next version of the master */
	const struct ipc_board *board;
	struct watch watch;
	const char *killed_for; /* why the master killed it; NULL: it did not */
	/* why it is useless, if the deadline runs for that; NULL: it is not */
	const char *unusable;
	uint64_t unread_since_ms; /* keyholder: since when it has unread messages; 0: none */
	bool pinged;              /* the deadline runs for its answer to a ping */
	bool left;                /* it has said that it accepts no more */
	bool leaving;             /* it was told to retire, and has not said so yet */
	struct relay relay;
	/* worker: the keyholder's ends of its loops' channels; they outlive keyholders */
	int *key_ends;
	char failure[IPC_PAYLOAD_MAX];    /* its reason for not starting (escaped); "" if none */
	struct sandbox_level confinement; /* from READY; all zero before */
	char level[512];                  /* the same in words; "" before */
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

/* All certificates, then all keys, in the order of the configuration's pairs. */
struct port_files {
	size_t count; /* of pairs */
	int fds[2 * PORT_FILES_MAX];
	struct file_mark marks[2 * PORT_FILES_MAX];
	bool proven; /* the port has served with these files, so they are right */
};

/* Digests that children sent (ipc_files); from the last child of each role. */
struct port_content {
	uint8_t certificates[IPC_DIGEST_BYTES];
	uint8_t keys[IPC_DIGEST_BYTES];
	struct expiry *pairs; /* one per pair of the configuration; owned */
};

struct port_listener {
	int fd;
	bool passed; /* a socket of the service manager */
	bool lost;   /* it was shut down and cannot listen again; this was logged */
	char address[NET_LISTEN_MAX];
};

enum port_stage {
	STAGE_PREPARED, /* in a roll: it gets ready, and accepts no connection */
	STAGE_CURRENT,  /* it serves under this number, or will */
	STAGE_RETIRED   /* it was replaced or is not needed: it drains and is freed */
};

/* Why a port in BACKOFF does not come up, if it is not the port's fault. */
enum port_lack {
	LACKS_NOTHING,
	LACKS_FOR_NOW, /* memory, descriptors or processes, which may become free at any time */
	LACKS_ROOM     /* the limit of descriptors is below the ports' needs */
};

enum port_order { ORDER_NONE, ORDER_STOP, ORDER_START, ORDER_RESTART, ORDER_RENEW, ORDER_UPGRADE };

/* How a child has ended, in words; text from the child or a client is escaped. */
struct report {
	enum cause cause;
	enum ipc_role role;
	unsigned number;
	unsigned loop; /* the loop it is about, from 1; 0: none */
	unsigned loops;
	unsigned restarts; /* of the port, before this end */
	uint64_t uptime_ms;
	int signal;      /* the signal; 0: none */
	int exit_status; /* if there was no signal */
	time_t when;
	char text[1024];    /* "worker 1 (pid 4242) crashed by SIGSEGV (...) after ..." */
	char request[1024]; /* the present request; "" if there was none */
	char request_id[4 * IPC_ID_MAX];
	char client[4 * ADDRESS_TEXT_MAX];
	unsigned client_port;
	char backtrace[2048];
};

#define PORT_REPORTS 16 /* reports that a port keeps, without drains */

struct port {
	struct master *master;
	struct configuration *configuration;
	const struct conf_port *conf; /* in configuration */
	char *text;                   /* conf_dump_process(); owned */
	unsigned generation;          /* counts the generations with this number, from 1 */
	enum port_stage stage;
	enum port_state state;
	char reason[512];     /* why it is PARKED, or what it lacks */
	enum port_lack lacks; /* since it last served */
	bool identified;      /* its users and root are known */
	bool former;          /* its processes belong to the earlier version of the program */
	bool by_order;        /* DRAINING, STOPPED: until it is started by order */
	/* the server stops: the state before that, if it was parked or waiting; else NULL */
	const char *ended_as;
	enum port_order order;   /* carried out when no roll is under way */
	struct asker *ordered;   /* senders of the order */
	struct asker *waiting;   /* senders that wait until it serves */
	struct asker *stopping;  /* senders that wait until its last process ends */
	struct loop_timer limit; /* of a drain of this port alone */
	bool change_user;        /* the master may change users, so its children do */
	struct identity worker_identity, keyholder_identity;
	int chroot_fd; /* O_PATH of the empty directory; -1: none. Owned by the master */
	struct port_listener listeners[PORT_LISTENERS_MAX];
	unsigned listeners_count;
	struct port_files files;
	struct port_content content;
	int tickets_fd;          /* memory of the tickets, for its workers; -1: none yet */
	struct tickets *tickets; /* shared by generations (tickets.c); NULL: none yet */
	struct child *children;  /* the places in the pool: keyholders first, then workers */
	unsigned children_count;
	unsigned keyholders;
	struct restart_state restart;
	unsigned restarts;                    /* how many children have replaced another one */
	struct ipc_counters totals;           /* counters of ended children */
	struct report *reports[PORT_REPORTS]; /* a ring */
	unsigned reports_next;
	struct loop_timer backoff;
	struct rate rate; /* of requests, over all generations */
	/* layers that keyholders [0] or workers [1] lack and that were logged */
	unsigned confinement_told[2];
	bool served;    /* it has been SERVING at least once */
	bool discarded; /* RETIRED without ever having been CURRENT */
};

/* A change that is made whole or not at all; one at a time (roll.c). */
struct roll {
	bool under_way;
	/* the new generations serve; the roll ends when no old worker accepts any more */
	bool committed;
	bool dry_run;
	const char *what;                    /* "reload"; static text */
	struct configuration *configuration; /* the new one; NULL: not a reload */
	struct plan plan;
	struct asker *askers;
};

/* The file is identified by device and inode, so that no other file is removed. */
struct control_socket {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "": there is no socket */
	dev_t device;
	ino_t inode;
};

/* A record that the earlier version kept for a sink. */
struct handed_record {
	struct handed_record *next;
	enum log_sink_kind kind;
	size_t len;
	unsigned char data[];
};

struct master {
	struct configuration *configuration;
	const struct conf *conf; /* in configuration */
	const struct master_options *options;
	struct loop loop;
	struct log log;
	struct loop_io signals;
	bool hangup_ignored; /* at the start, for example by nohup(1) */
	int terminal_fd; /* the terminal it was started on; -1: none, or its end does not matter */
	struct port **ports; /* all generations */
	size_t ports_count;
	size_t ports_room;
	struct roll roll;
	struct loop_timer roll_limit; /* for old workers to stop accepting */
	bool reload_wanted;           /* by a signal */
	bool reloads_turn;            /* the last roll was for one port */
	struct asker *reload_askers, *dry_run_askers;
	struct upgrade {
		bool wanted;
		struct asker *wanting;   /* senders of orders for the wanted reload */
		struct asker *askers;    /* senders of orders for the present one */
		struct loop_io output;   /* the output of the check; fd -1: no check runs */
		struct loop_timer limit; /* the limit of the check */
		char said[512];
		size_t said_len;
		pid_t checking;   /* the check's process; 0: none */
		int program_fd;   /* the program that is checked, then executed */
		const char *late; /* why the check was ended; NULL: it was not */
		bool rolling;     /* this is the new version, and ports must still follow */
		char failed[512]; /* why the last one failed; "" */
	} upgrade;
	int exe_fd; /* O_PATH of this program, for children */
	int null_fd;
	/* of children; the array is owned, the strings belong to this process */
	char **environment;
	struct empty_root {
		char *path;
		int fd;
	} * empty_roots; /* opened root directories, each path once */
	size_t empty_roots_count;
	bool nobody_warned, key_user_warned, user_warned, chroot_warned;
	uint64_t started_ms;
	char former[32];          /* the version that this one replaced; "": none */
	unsigned confined[2];     /* layers that any keyholder [0] or worker [1] has or had */
	uint64_t filter_in_force; /* sandbox_master_mark() of that version; 0: none */
	struct loop_timer drain_deadline;
	struct loop_timer sinks_retry;  /* between two attempts to connect sinks */
	bool sinks_missing;             /* the last attempt did not connect all */
	bool sinks_told[LOG_SINKS_OUT]; /* the log has said that the daemon cannot be reached */
	struct loop_timer log_tick;
	struct loop_timer relay_timer; /* runs while a pipe rests or a sink has waiting records */
	struct relay_list relays;      /* resting pipes, in the order of their turns */
	uint64_t room_ms;              /* the present pause between attempts at a full sink */
	bool relays_wait;              /* the first one waits for room in a sink */
	struct handed_record *handed;  /* in order; until the sinks are open */
	bool relays_dropped;           /* records of children may have been lost without a report */
	struct loop_timer watchdog;
	struct notify notify;
	struct sockets sockets;
	uint64_t watched_ms; /* the time of the last look */
	/* the kernel's counter of processes ended for lack of memory; -1: none */
	int oom_fd;
	uint64_t oom_count;
	uint64_t may_open;      /* RLIMIT_NOFILE */
	uint64_t own;           /* descriptors that belong to no port */
	uint64_t room;          /* descriptors for ports */
	uint64_t room_to_renew; /* the part of room that a second generation of one port needs */
	/* kills for lack of memory that do not explain the end of a child yet */
	uint64_t oom_unclaimed;
	uint64_t oom_seen_ms;
	struct control *control;              /* owned; NULL: none */
	struct control_socket control_handed; /* from the earlier version, for control_open() */
	bool settled;                         /* every port has been SERVING or PARKED once */
	bool failed;                          /* and no port is served */
	bool draining;
	bool hurried;             /* after a second signal */
	unsigned drained, killed; /* workers, while draining */
	uint64_t cut;             /* connections of killed workers */
};

/* ports.c: creates and frees configurations and ports. */
struct configuration *configuration_new(
    /* takes ownership; NULL: no memory, and it is freed */
    struct conf *);
void configuration_release(struct configuration *); /* removes one user */
/* keyholders 0: as configured; else the port is restored, and its tickets come later. */
struct port *port_new(struct master *, struct configuration *, const struct conf_port *,
		      unsigned keyholders); /* NULL: no memory */
void port_free(struct port *);
/* The text of conf_dump_process(), which the caller frees; NULL: no memory. */
char *port_text(const struct conf *, const struct conf_port *);
struct port *port_find(const struct master *, unsigned number); /* the CURRENT one, or NULL */
struct port *port_prepared(const struct master *, unsigned number);
/* the CURRENT port of its number, which continues its counters; or itself */
struct port *port_heir(struct port *);
const char *port_state_name(enum port_state);
void master_sweep(struct master *); /* after each turn: frees retired ports that have stopped */

/* listen.c: binds the port's sockets, and makes them listen once it is certain that they are
 * needed. Sockets that old (may be NULL) has on the same addresses are shared with it. Return 0, or
 * a sentence and -1, or -EAGAIN if the machine lacks something. */
int port_bind(struct port *, const struct port *old, struct err *);
int port_listen(const struct port *, struct err *);
void port_unlisten(struct port *);
/* does the service manager have sockets for it, bound here or not? */
bool port_has_sockets(const struct port *);
void sockets_tell_unclaimed(struct master *); /* in the log */

/* mend.c: undoes changes to the sockets: options that a worker may have set, after its end; and
 * once a second, shutdowns from outside. */
void port_sockets_reset(const struct port *);
void sockets_look(struct master *);

/* tickets.c: gets the port's key for session tickets, once its files are open: that of old (may be
 * NULL) if the files are the same, else a new one. Returns 0, or a sentence and -1 or -EAGAIN. */
int port_get_tickets(struct port *, const struct port *old, struct err *);
void port_drop_tickets(struct port *);
/* Takes the memory in tickets_fd from the earlier version. Returns 0 or -errno. */
int port_adopt_tickets(struct port *);
/* Make a new key. renew: tickets of the old key are accepted for a while; forget: they are not. */
void port_renew_tickets(struct port *);
void port_forget_tickets(struct port *);
/* status: of waitpid(2). Call it before the child's place is emptied. */
void tickets_holder_ended(struct child *, int status);
void tickets_look(struct master *); /* once a second */

/* roll.c: a new generation of some ports: all of them, or nothing changes. */
/* then roll_add() for each port, then roll_go() */
void roll_begin(struct master *, const char *what);
/* Creates and starts a port that will replace old (NULL: none). If that fails: false, and the roll
 * is given up. */
bool roll_add(struct master *, struct configuration *, const struct conf_port *, struct port *old);
void roll_go(struct master *);
void roll_port_ready(struct port *);
void roll_limit_expired(struct loop *, struct loop_timer *);
void roll_give_up(struct master *, unsigned port, const char *why); /* port 0: no particular one */
/* after each turn: begins what waited for the end of the last one */
void rolls_next(struct master *);

/* reload.c: reloads by SIGHUP and by order. */
void master_reload(struct master *, bool dry_run, struct asker *);
bool reload_next(struct master *); /* begins a waiting reload, if any */
/* Called by roll.c when all new processes are ready: finds unchanged contents, then applies the
 * rest. */
void reload_judge(struct master *);
void reload_commit(struct master *);
void reload_tell(struct master *); /* in the log */
/* Valid while the senders of a reload are answered; NULL: there was no plan. */
const struct plan *master_plan(const struct master *);
/* Send settings to all children: log level, drain time. */
void master_settings(struct master *);
void master_log_level(struct master *, int priority);

/* upgrade/upgrade.c: replaces the program in this process by its next version. */
void master_upgrade(struct master *, struct asker *); /* asker NULL: SIGUSR2 */
int upgrade_start(struct master *);
bool upgrade_next(struct master *);                    /* begins a waiting one, if any */
bool upgrade_reap(struct master *, pid_t, int status); /* true: the process was the check */
void upgrade_continue(struct master *);                /* after each turn */
void upgrade_give_up(struct master *);                 /* ends the check */
static inline bool upgrade_under_way(const struct master *m)
{
	return m->upgrade.checking > 0;
}

/* upgrade/adopt.c: takes over the state of the earlier version. Returns 0, or -1 and a sentence. */
int master_adopt(struct master *, int state_fd, struct err *);
void master_adopted(struct master *); /* after it is confined: continues with the processes */

/* order.c: stops, starts or restarts a port by order. */
void port_stop(struct port *, struct asker *);
void port_start(struct port *, struct asker *);
void port_restart(struct port *, struct asker *);
void port_renew(struct port *); /* its files have changed */
void port_order_carry_out(struct port *);
void port_orders_inherit(struct port *heir, struct port *old);
void askers_add(struct asker **list, struct asker *);
void askers_tell(struct asker **list, const char *error);
/* except those that wait for a port's end */
void askers_tell_all(struct master *, const char *error);
void asker_forget(struct master *, struct asker *); /* its client is gone */

/* The parts of a port that it needs to begin. Each returns 0, or a sentence and -1, or -EAGAIN if
 * the machine lacks what all ports share (err_is_shortage()). */

/* identity.c: the users, groups and root of the port's children. */
int port_identify(struct port *, struct err *);
const struct identity *child_identity(const struct child *);

/* files.c: the certificates and keys, open as long as the port exists. */
int port_open_files(struct port *, struct err *);
void port_close_files(struct port *);
/* Have the files changed? asked: an administrator has drained a worker, which is how new files are
 * asked for. Otherwise only overwriting of the open files counts. */
bool port_files_changed(const struct port *, bool asked);
/* Takes the marks of the open files as they are now. */
void port_files_accept(struct port *);
/* The paths of the files, which the configuration owns. */
void files_name(const struct conf_port *, const char *names[2 * PORT_FILES_MAX]);
/* Takes the marks of the files that the paths lead to now. */
void files_look(const struct conf_port *, struct file_mark marks[2 * PORT_FILES_MAX]);

/* handover.c: makes and sends the first message. Returns 0 or -errno. */
int child_hand_over(const struct child *, int channel_fd, int board_fd, const int *key_channels);

/* keys.c: the channels between the workers' loops and the keyholders. */
int child_key_channels(struct child *, int *ret_worker_ends); /* new ones: 0 or -errno */
void child_key_channels_close(struct child *);
/* sends this worker's channels to the keyholders */
void keyholders_tell(const struct child *worker);
/* sends all workers' channels to this keyholder */
void keyholder_tell_all(struct child *);
void keyholder_lost(const struct child *keyholder); /* has lost requests asked again */
void keyholders_ping(struct port *);                /* kills those that do not answer */
/* passes a fault on to the keyholders */
void keyholders_fault(const struct port *, const struct ipc_fault *);
void keyholders_dismiss(struct port *); /* ends them if no worker is left */
bool keyholders_ready(const struct port *);

/* environment.c: the environment of children. NULL: no memory. */
char **environment_for_children(void);

/* start.c: gives a port without any files, sockets and processes, if there is room for all of them;
 * else it waits and is tried again, or is parked. */
void ports_start(struct master *);
void ports_adopted(struct master *); /* ports of an earlier version, which it started */
void port_bring_up(struct port *);
void port_resume(struct port *);           /* a port in BACKOFF */
bool port_is_waiting(const struct port *); /* in BACKOFF without any descriptors */
void port_lacks(struct port *, enum port_lack, uint64_t delay_ms); /* p->reason says what */
void port_spawn_expired(struct loop *, struct loop_timer *); /* the callback of the backoff timer */

/* spawn.c: fills empty places: the keyholders', and the workers' once all keyholders are ready. */
void port_spawn(struct port *);
void child_deadline_expired(struct loop *, struct loop_timer *);

/* channel.c: messages from children. */
void child_channel_ready(struct loop *, struct loop_io *, uint32_t events);
void child_channel_close(struct child *);
/* Reads the remaining messages of a child that has ended, which may say why it failed. */
void child_last_words(struct child *);
const struct ipc_permit *child_permits(const struct child *);
/* Logs one record about the confinement of all processes. */
void confinement_tell(struct master *);

/* say.c: logs which ports have the development certificate, if any. */
void development_tell(struct master *);

/* say.c: logs a record about a child: "worker 3 (pid 4242) " and the text. */
void child_log(const struct child *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* reap.c: open connections as the child reports them, at most its port's limit. */
uint64_t child_connections(const struct child *);
/* How long a port waits for what the machine lacks. */
uint64_t port_shortage_delay(struct port *);
/* Collects all children that have ended, stopped or continued. */
void master_reap(struct master *);

/* report.c: why a child has ended. */
void end_gather(struct end *, const struct child *, int status);
void report_make(struct report *, const struct child *, const struct end *);
/* sequel: text after the sentence that says what happens to the place; "" for none. */
void report_log(const struct report *, const struct child *, int priority, const char *sequel);
void report_keep(struct port *, const struct report *);

/* watchdog.c: aborts hanging processes, and kills those that cannot be aborted. */
void watchdog_start(struct master *);
void watchdog_expired(struct loop *, struct loop_timer *);

/* oom.c */
void oom_start(struct master *);
void oom_look(struct master *); /* once a second, so that old kills are forgotten */
/* Has the kernel just ended a process for lack of memory? Each kill explains one end.
 * *ret_uncounted: unknown, since the counter cannot be read. */
void oom_ask(struct master *, bool *ret_struck, bool *ret_uncounted);

/* status.c */
/* Totals of a CURRENT port: of ended processes, present ones, and draining ones of old
 * generations. */
void port_totals(const struct port *, struct ipc_counters *, uint64_t *ret_connections);
/* Why it is parked, or what it waits for; NULL: neither. */
const char *port_reason(const struct port *);
void master_tell_status(struct master *);
/* master.c: ends a master that cannot go on: writes to the log, the service manager, and standard
 * error if that is not the log. status as in sysexits(3). */
_Noreturn void master_fail(struct master *, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Call it after any change that the status shows. */
void master_changed(struct master *);

/* control/socket.c: the socket that the configuration names, if any: takes over the handed one,
 * makes, moves or removes it. A failure is only logged. */
void control_open(struct master *);
/* The present socket, to be handed on; it stays where it is. */
struct control_socket control_socket(const struct master *);
void control_close(struct master *);

/* rates.c, expiry.c: call them once a second. */
void rates_sample(struct master *);
void expiry_look(struct master *);

/* park.c */
void port_park(struct port *, const char *reason);
void master_settle(struct master *); /* if all ports are decided: reports it, once */

/* drain.c */
void port_drain(struct port *); /* also stops listening */
void port_retire(struct port *, const struct port *heir);
/* a prepared one that is not needed */
void port_discard(struct port *, const struct port *current);
void port_limit_expired(struct loop *, struct loop_timer *);
void port_stopped(struct port *); /* no child is left */
bool port_is_empty(const struct port *);
/* Disconnects the addresses that heir (NULL: none) does not have, whichever process still holds the
 * sockets; not those of the service manager. Returns how many were disconnected. */
unsigned port_hang_up(const struct port *, const struct port *heir);
void master_drain(struct master *, const char *why);
void master_kill_all(struct master *);
void child_drain(struct child *);
/* Sends SIGKILL if the child exists. why: static text that follows "because it ". */
void child_kill(struct child *, const char *why);
/* Sends any signal; thread 0: to the whole process. */
void child_signal(const struct child *, int thread, int number);
void drain_deadline_expired(struct loop *, struct loop_timer *);
bool master_is_done(const struct master *);

/* signal.c */
int signals_start(struct master *);
/* true: restores the signal dispositions of the start, for the next version; false: sets this
 * version's again. */
void signals_hand_over(const struct master *, bool);

/* terminal.c: call it after signals_start(). Does this SIGHUP mean that the terminal of the start
 * is gone? */
void terminal_open(struct master *);
bool terminal_is_gone(const struct master *, const struct signalfd_siginfo *);

/* relay.c: makes the pipe for a new child's standard error and log. Returns 0 or -errno. */
int relay_make(struct child *, int *ret_child_end);
void relay_begin(struct child *); /* its pid is known */
int relay_watch(struct child *);  /* 0 or -errno */
void relay_ready(struct loop *, struct loop_io *, uint32_t events);
void relay_timer_expired(struct loop *, struct loop_timer *);
/* The child has ended: passes on its last records. */
void relay_finish(struct child *);
void relay_close(struct child *);
/* Reports lost records of children; true: some cannot be reported yet. */
bool relays_tell(struct master *);

/* Applies a new configuration of the log. */
void sinks_change(struct master *, const struct conf_log *before);
/* sinks.c: opens the sinks of the configuration or the environment, and reconnects them. */
void sinks_open(struct master *);
void sinks_forget_handed(struct master *);
void sinks_watch(struct master *); /* after each turn */
/* Writes waiting records. Returns the pause before the next attempt if some are left that a sink
 * may take soon; else 0. */
uint64_t sinks_flush(struct master *);
void sinks_retry_expired(struct loop *, struct loop_timer *);
void sinks_tick_expired(struct loop *, struct loop_timer *);
const char *sink_name(enum log_sink_kind);
const char *master_sink_path(const struct master *, enum log_sink_kind); /* NULL for the console */

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
