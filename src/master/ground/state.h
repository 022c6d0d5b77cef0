/*
 * The state of the master, which all of its floors share, and what all floors stand on. The README
 * of each floor has the states of what it deals with.
 *
 * A struct port is one generation of a port: the port under one configuration, with the processes
 * that belong to it. If the configuration or the files change, a new generation is PREPARED beside
 * the CURRENT one, on the same sockets. Once all of its processes are ready, it becomes CURRENT;
 * the old one is RETIRED, drains and is freed (change/roll.c).
 */
#ifndef MASTER_STATE_H
#define MASTER_STATE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>

#include "base/beneath.h"
#include "base/bucket.h"
#include "base/err.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/handed.h"
#include "ipc/health.h"
#include "ipc/slot.h"
#include "ipc/tickets.h"
#include "ipc/use.h"
#include "ipc/view.h"
#include "log/log.h"
#include "log/stream.h"
#include "master/master.h"
#include "master/pure/cause.h"
#include "master/pure/expiry.h"
#include "master/pure/mounts.h"
#include "master/pure/notice.h"
#include "master/pure/plan.h"
#include "master/pure/rate.h"
#include "master/pure/restart.h"
#include "master/pure/watch.h"
#include "net/listen.h"
#include "net/loop.h"
#include "sandbox/mounter.h"
#include "sandbox/sandbox.h"

struct port;
struct master;
struct tickets;
struct roll_kind;

/* Where files are that no client and no worker may read. */
struct secrets {
	struct beneath keys, passwords;
};

/* A configuration of ports; freed with the last port that uses it. */
struct configuration {
	struct conf *conf;
	unsigned users;
	bool secrets_known; /* until the end of the turn in which a document root was opened */
	struct secrets secrets;
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

enum child_state {
	CHILD_NONE, /* the place in the pool is empty */
	CHILD_STARTING,
	CHILD_SERVING,
	CHILD_DRAINING
};

/* The master's end of a child's log, and its rate (child/relay.c). */
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
	struct handing {
		bool under_way; /* it has not been handed everything yet */
		size_t next;    /* of the port's files */
		size_t unread;  /* files in the message that it may not have read yet */
		int error;      /* why the last attempt failed; 0: it did not, or the child reads */
		struct loop_timer timer;
		struct ipc_complete complete;
		unsigned later; /* messages for it that wait: a bit per enum ipc_type */
		struct ipc_settings settings;
	} handing;
	uint64_t said_since_ms; /* the beginning of the present second of messages */
	unsigned said;          /* messages in that second */
	unsigned loops;         /* event loops, each with a slot: conf->threads, or 1 */
	int board_fd;           /* kept for the next version of the master */
	bool adopted;           /* another version of this program has started it */
	struct ipc_view view;   /* of the board; closed: it could not be mapped */
	struct watch watch;
	const char *killed_for; /* why the master killed it; NULL: it did not */
	/* why it is useless, if the deadline runs for that; NULL: it is not */
	const char *unusable;
	uint64_t unread_since_ms; /* holder: since when it has unread messages; 0: none */
	bool pinged;              /* the deadline runs for its answer to a ping */
	bool left;                /* it has said that it accepts no more */
	bool leaving;             /* it was told to retire, and has not said so yet */
	struct relay relay;
	/* worker: the holders' ends of its loops' channels, which outlive holders: by the holder's
	 * role, one per loop; NULL: its port has no such holder */
	int *ends[IPC_ROLES];
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

/* Where a document root is: base/root.h says what each text is. */
struct port_place {
	char *rest, *written, *real; /* owned */
};

/* An open file that the port's children are handed. Its path is in the configuration (files.c). */
struct port_file {
	enum ipc_handed kind;
	size_t of; /* the number of the thing that it belongs to */
	int fd;
	struct file_mark mark;
	struct port_place *place; /* of a document root; owned; else NULL */
};

struct port_files {
	struct port_file *list; /* owned; kind by kind, in the order of the configuration */
	size_t count;           /* 0: they are not open */
	bool proven;            /* the port has served with these files, so they are right */
};

/* What the port's processes have read of its files. */
struct port_content {
	/* by role: the last that one of its processes sent (ipc_files); zeros: none has yet */
	uint8_t digests[IPC_ROLES][IPC_DIGEST_BYTES];
	bool mixed; /* two of a role have read different files: one was overwritten in between */
	struct expiry *pairs; /* one per pair of the configuration; owned */
};

/* What the processes of a port share about its upstreams (port/upstreams.c); all fds are -1 and the
 * pointers NULL on a port without any. */
struct port_upstreams {
	int health_fd, names_fd, use_fd;   /* to write by; names: -1, if no endpoint has one */
	int health_read_fd, names_read_fd; /* for those that only read */
	struct ipc_healths *health;
	struct ipc_use use;
	/* enum ipc_health_order, by endpoint. The memory has them, too, but a connector could write
	 * there. */
	unsigned char *orders;
};

/* When another folder takes the place of a document root (port/switches.c). */
struct port_switches {
	uint64_t next_ms;  /* the port is not renewed before */
	uint64_t pause_ms; /* the present pause between renewals that fail */
};

struct switches {
	struct loop_io io; /* inotify(7); fd -1: nothing is watched */
	bool due;          /* something may have changed */
	bool told;         /* the log has said that watching failed */
	uint64_t looked_ms, next_ms;
	uint64_t pause_ms; /* the present pause between looks that settle nothing */
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
	struct identity worker_identity, keyholder_identity, connect_identity;
	int chroot_fd; /* O_PATH of the empty directory; -1: none. Owned by the master */
	struct port_listener listeners[PORT_LISTENERS_MAX];
	unsigned listeners_count;
	struct port_files files;
	struct port_content content;
	int tickets_fd;          /* memory of the tickets, for its workers; -1: none yet */
	struct tickets *tickets; /* shared by generations (port/tickets.c); NULL: none yet */
	struct port_upstreams upstreams;
	uint64_t tables_next_ms; /* its resolver's files are not looked at before */
	/* the places in the pool: the holders first, role by role, then the workers (ports.c) */
	struct child *children;
	unsigned children_count;
	unsigned keyholders;
	unsigned holders; /* all processes that are no workers */
	struct restart_state restart;
	unsigned restarts;                    /* how many children have replaced another one */
	struct ipc_counters totals;           /* counters of ended children */
	struct report *reports[PORT_REPORTS]; /* a ring */
	unsigned reports_next;
	struct loop_timer backoff;
	struct rate rate; /* of requests, over all generations */
	/* layers that its processes of a role lack and that were logged */
	unsigned confinement_told[IPC_ROLES];
	bool served;    /* it has been SERVING at least once */
	bool discarded; /* RETIRED without ever having been CURRENT */
	struct port_switches switches;
};

/* A change that is made whole or not at all; one at a time (change/roll.c). */
struct roll {
	bool under_way;
	/* the new generations serve; the roll ends when no old worker accepts any more */
	bool committed;
	bool dry_run;
	const struct roll_kind *kind;
	struct configuration *configuration; /* the new one; NULL: not a reload */
	struct plan plan;
	struct asker *askers;
	unsigned lost_port; /* the port that cannot get ready, and why; "": none */
	char lost[1024];
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

/* Reports to the service manager (systemd/notify.h). */
struct notify {
	int fd; /* -1: there is no service manager */
	struct sockaddr_un address;
	socklen_t address_len;
	uint64_t alive_ms; /* between two WATCHDOG=1; 0: not wanted */
	struct loop_timer alive, later;
	uint64_t alive_sent_ms, sent_ms;
	bool owes_ready, owes_reloading, owes_stopping; /* not sent yet; each is sent once */
	bool ready, stopping;
	const char *ended;                      /* the final sentence; NULL: the server goes on */
	char reload[2 * NOTICE_REASON_MAX + 1]; /* the result of the last reload; "": none yet */
	char told[NOTICE_STATUS_MAX];           /* the last STATUS= */
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
	bool reload_wanted;           /* by a signal or an order, not a dry run */
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
		size_t consented; /* characters of its consent that have come in a row */
		pid_t checking;   /* the check's process; 0: none */
		bool checked;     /* it has ended, with this status of waitpid(2) */
		int status;
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
	bool nobody_warned, key_user_warned, connect_user_warned, user_warned, chroot_warned,
	    types_warned;
	uint64_t started_ms;
	char former[32];              /* the version that this one replaced; "": none */
	unsigned confined[IPC_ROLES]; /* layers that any process of the role has or had */
	/* makes copies of document roots; fd -1: none */
	struct sandbox_mounter mounter;
	struct switches switches;
	/* what is mounted, as of this turn */
	struct mounts mounts;
	bool mounts_known;
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
	struct ipc_layout **layouts;   /* of the memory of earlier versions' children; owned */
	size_t layouts_count;
	struct handed_record *handed; /* in order; until the sinks are open */
	bool relays_dropped;          /* records of children may have been lost without a report */
	struct loop_timer second;     /* runs all the time */
	struct notify notify;
	struct sockets sockets;
	uint64_t watched_ms; /* the time of the last look */
	/* the kernel's counter of processes ended for lack of memory; -1: none */
	int oom_fd;
	uint64_t oom_count;
	uint64_t may_open;      /* RLIMIT_NOFILE */
	uint64_t files_unread;  /* in messages that new children may not have read yet */
	uint64_t own;           /* descriptors that belong to no port */
	uint64_t room;          /* descriptors for ports */
	uint64_t room_to_renew; /* the part of room that a second generation of one port needs */
	/* kills for lack of memory that do not explain the end of a child yet */
	uint64_t oom_unclaimed;
	uint64_t oom_seen_ms;
	struct control *control; /* owned; NULL: none */
	/* the present one, to be handed on; until control_open() that of the earlier version */
	struct control_socket control_socket;
	/* facts for the turn that follows: what the status shows has changed; a reload has replaced
	 * the configuration; why the server must stop (static text; NULL: it need not) */
	bool changed, reconfigured;
	const char *stop_for;
	bool settled; /* every port has been SERVING or PARKED once */
	bool failed;  /* and no port is served */
	bool draining;
	bool hurried;             /* after a second signal */
	unsigned drained, killed; /* workers, while draining */
	uint64_t cut;             /* connections of killed workers */
};

/* port.c: writes a port's state: no other function does. The turn that follows reports the change
 * to the service manager, and judges whether the start is over. The timer of the backoff runs in
 * BACKOFF alone. */
void port_become(struct port *, enum port_state);
void port_wait(struct port *, uint64_t delay_ms); /* in BACKOFF, until the timer */
/* A port of a roll cannot get ready: the turn that follows gives the roll up. The first port and
 * reason count. */
void port_lose(const struct port *, const char *why);
struct port *port_find(const struct master *, unsigned number); /* the CURRENT one, or NULL */
struct port *port_prepared(const struct master *, unsigned number);
/* the CURRENT port of its number, which continues its counters; or itself */
struct port *port_heir(struct port *);
const char *port_state_name(enum port_state);
/* Why it is parked, or what it waits for; NULL: neither. */
const char *port_reason(const struct port *);

/* asker.c */
void askers_add(struct asker **list, struct asker *); /* NULL: nobody */
void askers_tell(struct asker **list, const char *error);
/* except those that wait for a port's end */
void askers_tell_all(struct master *, const char *error);
void asker_forget(struct master *, struct asker *); /* its client is gone */

/* say.c: logs which ports have the development certificate, if any. */
void development_tell(struct master *);
/* say.c: logs which ports have no TLS, if any. */
void plain_tell(struct master *);
/* Logs a record about a child: "worker 3 (pid 4242) " and the text. */
void child_log(const struct child *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* sinks.c: opens the sinks of the configuration or the environment, and reconnects them. */
void sinks_open(struct master *);
/* Applies a new configuration of the log. */
void sinks_change(struct master *, const struct conf_log *before);
void sinks_forget_handed(struct master *);
void sinks_watch(struct master *); /* after each turn */
/* Writes waiting records. Returns the pause before the next attempt if some are left that a sink
 * may take soon; else 0. */
uint64_t sinks_flush(struct master *);
void sinks_retry_expired(struct loop *, struct loop_timer *);
const char *sink_name(enum log_sink_kind);
const char *master_sink_path(const struct master *, enum log_sink_kind); /* NULL for the console */

static inline unsigned port_number(const struct port *p)
{
	return p->conf->number;
}

/* Keys of its own certificates, or of those that it shows upstreams. */
static inline bool has_keys(const struct conf_port *conf)
{
	return !conf->plain || conf->certificates_count > 0;
}

/* Has a process of that role sent the digest of its files? */
static inline bool content_is_told(const struct port_content *content, enum ipc_role role)
{
	static const uint8_t none[IPC_DIGEST_BYTES];
	return memcmp(content->digests[role], none, sizeof(none)) != 0;
}

static inline bool is_worker(const struct child *c)
{
	return c->role == IPC_WORKER;
}

static inline const char *role_name(const struct child *c)
{
	return ipc_role_name(c->role);
}

static inline const struct identity *child_identity(const struct child *c)
{
	const struct port *p = c->port;
	switch (c->role) {
	case IPC_WORKER:
	case IPC_ROLES:
		return &p->worker_identity;
	case IPC_KEYHOLDER:
	case IPC_VERIFIER:
		return &p->keyholder_identity;
	case IPC_CONNECTOR:
	case IPC_RESOLVER:
		return &p->connect_identity;
	}
	return &p->worker_identity;
}

static inline bool upgrade_under_way(const struct master *m)
{
	return m->upgrade.checking > 0;
}

#endif
