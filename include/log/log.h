/*
 * Logging: records to syslog, the journal and the console, in any combination.
 *
 * The master alone has these sinks (log_open). A child's standard error is a pipe to the master,
 * and its records go there (log_adopt, LOG_SINK_MASTER). The master passes them on with a limited
 * rate and under the name that the master knows (log/stream.h). Writing never blocks, never fails
 * the caller and never raises a signal. A record that a sink does not take at once is dropped and
 * counted for that sink; one line reports the count as soon as the sink takes lines again, at most
 * once a second. The master's own records wait in a queue instead (log_keep), and are written
 * before those of all children.
 *
 * "Never raises a signal" needs the process to ignore SIGPIPE (nobody may be reading a console that
 * is a pipe) and SIGXFSZ (a file beyond RLIMIT_FSIZE): write(2) has no flag for it.
 *
 * There is one struct log per event loop. Threads do not share it, but they share the descriptors.
 *
 * Formats: RFC 3164 as on /dev/log (no host name); the journal's native protocol with explicit
 * lengths for every field that has bytes from outside (systemd.io/JOURNAL_NATIVE_PROTOCOL); the
 * console line `2024-12-06 10:15:30,123 - [PORT 8000] text`.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_RECORD_MAX 4000 /* bytes of one line; a longer one is cut. Below PIPE_BUF */
#define LOG_PREFIX_MAX 96   /* of it: the longest stamp and tag of any form, and a newline */
#define LOG_TEXT_MAX   (LOG_RECORD_MAX - LOG_PREFIX_MAX)
#define LOG_KEEP_BYTES 65536 /* of the master's waiting records, per sink */

/* The first three are the master's; a child has only the last one. */
enum log_sink_kind {
	LOG_SINK_CONSOLE,
	LOG_SINK_SYSLOG,
	LOG_SINK_JOURNAL,
	LOG_SINK_MASTER, /* a child's pipe to the master */
	LOG_SINKS
};
#define LOG_SINKS_OUT LOG_SINK_MASTER /* the number of sinks that lead out of the server */

/* The process that a record is about: [MASTER], [PORT 8000]. */
enum log_role {
	LOG_ROLE_MASTER,
	LOG_ROLE_WORKER,
	LOG_ROLE_KEYHOLDER,
	LOG_ROLE_VERIFIER,
	LOG_ROLE_CONNECTOR,
	LOG_ROLE_RESOLVER
};

/* How a descriptor is written to without waiting; determined when the sink gets it. */
enum log_way { LOG_WAY_SEND, LOG_WAY_NONBLOCK, LOG_WAY_POLL };

struct log_sink {
	int fd; /* -1: this sink is not in use */
	enum log_way way;
	/* the peer is gone; log_reconnect() or a record that gets through clears this */
	bool broken;
	int error;        /* the errno of a broken sink */
	bool full;        /* there was no room for the last record */
	bool torn;        /* console: the last line was written only in part */
	uint64_t dropped; /* lost records that were not reported yet */
	uint64_t dropped_total;
	int64_t told_second;     /* the second of the last report */
	uint64_t orphans;        /* lost records of ended children that were not reported yet */
	int64_t orphans_second;  /* as told_second */
	struct log_queue *queue; /* owned; NULL: records that are not taken at once are dropped */
	uint64_t full_since_ms;  /* since then children's records wait for room; 0: they do not */
	bool stuck;              /* they waited long enough and are dropped now */
};

struct log {
	struct log_sink sinks[LOG_SINKS];
	enum log_role role;
	unsigned port;    /* 0: none */
	unsigned worker;  /* from 1; 0: none */
	int facility;     /* syslog facility, LOG_DAEMON … */
	bool keeps;       /* log_keep() was called */
	uint64_t flushed; /* records that sinks took from their queues */
	int level;        /* records of lesser priority are not written; initially LOG_INFO */
	pid_t pid;
	const char *const *names; /* log_names() */
	unsigned names_count;
	int64_t second;   /* the second of the wall clock that the stamps show */
	char stamp[32];   /* "2024-12-06 10:15:30" */
	char rfc3164[32]; /* "Dec  6 10:15:30" */
};

/* Makes an empty log: no sink, records go nowhere. It reads the time zone, so call it before a
 * chroot, and the process id, so call it after the fork. */
void log_init(struct log *, enum log_role, unsigned port, unsigned worker, int facility);

/*
 * Opens a sink. path is its datagram socket; it is ignored for the console, which is standard
 * error, reopened if possible so that processes that share it do not get non-blocking mode. Returns
 * 0 or -errno. If the daemon cannot be reached now, the sink is in use all the same: it counts as
 * broken until log_reconnect() succeeds.
 */
int log_open(struct log *, enum log_sink_kind, const char *path);

/*
 * Connects a socket sink again, in place and without blocking. Returns 0, -errno while the daemon
 * is missing, or -EBADF if the sink is not in use.
 */
int log_reconnect(struct log *, enum log_sink_kind, const char *path);

/*
 * For sinks opened from now on: a record of this log that its sink does not take waits in a queue
 * of LOG_KEEP_BYTES, in order. It is lost and counted only if the queue is full. log_flush() writes
 * as many waiting records as the sinks take; true: some are left.
 */
void log_keep(struct log *);
bool log_flush(struct log *);
bool log_is_kept(const struct log *, enum log_sink_kind); /* a record is waiting */
/* The next waiting record after *at, which is 0 at first; NULL: no more. Used to hand them to the
 * next version of the program. */
const void *log_kept(const struct log *, enum log_sink_kind, size_t *at, size_t *ret_len);
/* Puts a record into the queue. If it does not fit, it is lost and counted. */
void log_keep_again(struct log *, enum log_sink_kind, const void *data, size_t len);

/* Could a daemon be reached at this path now? Returns 0 or -errno. Sends nothing. */
int log_probe(const char *path);

/* Takes over an open descriptor and sets FD_CLOEXEC. Only write(2) is used with it. For
 * LOG_SINK_MASTER the caller keeps it, since it is standard error. */
void log_adopt(struct log *, enum log_sink_kind, int fd);

/* Closes one sink, or all; records in their queues are lost and counted as dropped. */
void log_shut(struct log *, enum log_sink_kind);
void log_close(struct log *);

/* Is standard error connected to the journal (JOURNAL_STREAM, systemd.exec(5))? */
bool log_stderr_is_journal(void);

/* priority: LOG_ERR … LOG_DEBUG of syslog(3). The text is from the program, or was escaped with
 * text_add_escaped(). Characters that cannot be shown (controls, invalid UTF-8, invisible ones) are
 * escaped once more for safety. All of these functions leave errno alone. */
void log_write(struct log *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a record of the master about a port or one of its workers. */
void log_write_for(struct log *, unsigned port, unsigned worker, int priority, const char *format,
		   ...) __attribute__((format(printf, 5, 6)));

/*
 * A record with fields. The journal gets each field under its name, and MESSAGE_ID. syslog gets the
 * fields with a name after the text as [NAME="value" ...], quoted as in RFC 5424, 6.3.3, as far as
 * they fit. The console gets those with a label, each on its own indented line. Values are treated
 * like the text of log_write(); leave empty ones out.
 */
struct log_field {
	const char *name;  /* "BULKHEAD_SIGNAL"; NULL: for people only */
	const char *label; /* "backtrace"; NULL: for programs only */
	const char *value;
};

#define LOG_EVENT_FIELDS_MAX 24

struct log_event {
	int priority;
	unsigned port; /* and worker as in log_write_for() */
	unsigned worker;
	const char *message_id; /* 32 hexadecimal digits; NULL: none */
	const char *text;
	const struct log_field *fields;
	size_t fields_count;
};

void log_event(struct log *, const struct log_event *);

/*
 * A record that the caller made: a text and values for programs, which only the journal gets. All
 * bytes are of the program's own or escaped with text_add_escaped(), and are written as they are,
 * whatever the level. The text has less than LOG_TEXT_MAX bytes; values may lie in it. A value that
 * does not fit is left out.
 *
 * A value has a number instead of a name, its index in the list of log_names(). So a child that was
 * taken over can neither invent a name nor use one of the master's. Numbers ascend within a record.
 * The list only grows at its end: after an upgrade, children of the earlier version still write
 * records.
 */
struct log_value {
	unsigned name;
	const char *data;
	size_t len;
};

#define LOG_VALUES_MAX 16

/* The number of a value of the log's own: how many lost records its record reports. If the report
 * is lost in turn, they are counted and reported again. The journal gets it as BULKHEAD_DROPPED. */
#define LOG_VALUE_DROPPED UINT16_MAX

void log_names(struct log *, const char *const *names, unsigned count); /* borrowed */
void log_record(struct log *, int priority, const char *text, size_t len, const struct log_value *,
		size_t count);

/* Reports drops ("3 log records were dropped") once a sink takes lines again. Call it every
 * LOG_TICK_MS while log_outstanding() is true; both are cheap. */
#define LOG_TICK_MS 1000
void log_tick(struct log *);
bool log_outstanding(const struct log *);
/* Call it before the process ends: like log_tick(), but also if drops were reported within this
 * second, and with patience: a full sink has a second to make room for the report, so that no loss
 * stays uncounted. If a daemon reads the records, it returns when the daemon has read the last one,
 * after a second at most: journald looks up the sender while it reads a record, and cannot find it
 * once the process has ended. */
void log_finish(struct log *);
/* The number of records lost so far, reported or not, over all sinks. */
uint64_t log_dropped(const struct log *);

#endif
