/*
 * Logging: records to syslog, the journal, the console, in any combination.
 *
 * The master alone holds these sinks (log_open). A child has a pipe to the master, which is its
 * standard error, too (log_adopt, LOG_SINK_MASTER); what comes out of it is passed on at the rate
 * and under the name that the master says (log/stream.h). Writing never blocks, never fails the
 * caller, never raises a signal: a record that a sink does not take at once is dropped and counted
 * for that sink, and the count is told in one line as soon as the sink takes lines again, at most
 * once a second. The master's own records wait in a queue of their own instead (log_keep), before
 * those of all children.
 *
 * "Never raises a signal" needs the process to ignore SIGPIPE (the console can be a pipe that
 * nobody reads any more) and SIGXFSZ (or a file past RLIMIT_FSIZE): write(2) has no flag for it.
 *
 * One struct log per event loop; it is not shared between threads, the descriptors are.
 *
 * Formats: RFC 3164 as spoken on /dev/log (no host name); the journal's native protocol with
 * explicit lengths for every field that holds foreign bytes (systemd.io/JOURNAL_NATIVE_PROTOCOL);
 * the console line `2024-12-06 10:15:30,123 - [PORT 8000] text`.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_RECORD_MAX 4000  /* bytes of one line; what is longer is cut. Below PIPE_BUF */
#define LOG_KEEP_BYTES 65536 /* of the master's records that wait, per sink */

/* Those of the master come first; a child has the last one alone. */
enum log_sink_kind {
	LOG_SINK_CONSOLE,
	LOG_SINK_SYSLOG,
	LOG_SINK_JOURNAL,
	LOG_SINK_MASTER, /* a child's pipe to the master */
	LOG_SINKS
};
#define LOG_SINKS_OUT LOG_SINK_MASTER /* so many lead out of the server */

/* Whose records these are: [MASTER], [PORT 8000]. */
enum log_role { LOG_ROLE_MASTER, LOG_ROLE_WORKER, LOG_ROLE_KEYHOLDER };

/* How a descriptor is written to without waiting; found out when the sink gets it. */
enum log_way { LOG_WAY_SEND, LOG_WAY_NONBLOCK, LOG_WAY_POLL };

struct log_sink {
	int fd; /* -1: this sink is not in use */
	enum log_way way;
	bool broken;      /* the peer is gone; log_reconnect() mends it, and the next record that
			   * gets through clears this */
	int error;        /* while it is broken: why, an errno */
	bool full;        /* there is no room for the last record now */
	bool torn;        /* console: the last line was written in part */
	uint64_t dropped; /* records lost and not yet told */
	uint64_t dropped_total;
	int64_t told_second;     /* in which that was told last */
	uint64_t orphans;        /* of children that have ended: lost and not yet told */
	int64_t orphans_second;  /* as told_second */
	struct log_queue *queue; /* owned; NULL: what is not taken at once is dropped */
	uint64_t full_since_ms;  /* children's records wait for room since then; 0: they do not */
	bool stuck;              /* they have waited long enough and do not any more */
};

struct log {
	struct log_sink sinks[LOG_SINKS];
	enum log_role role;
	unsigned port;    /* 0: none */
	unsigned worker;  /* from 1; 0: none */
	int facility;     /* syslog facility, LOG_DAEMON … */
	bool keeps;       /* log_keep() */
	uint64_t flushed; /* records that a sink has taken from its queue */
	int level;        /* records of a lesser priority are not written; LOG_INFO at first */
	pid_t pid;
	int64_t second;   /* the wall-clock second that the cached stamps are for */
	char stamp[32];   /* "2024-12-06 10:15:30" */
	char rfc3164[32]; /* "Dec  6 10:15:30" */
};

/* One request, for log_access(). Pointers are borrowed for the call; the bytes are the client's,
 * raw: escaping is done here. */
struct log_access {
	const char *client; /* numeric address, trusted text */
	unsigned client_port;
	const char *method; /* NULL: the request line could not be read */
	size_t method_len;
	const char *target; /* the request target as sent */
	size_t target_len;
	const char *version; /* as sent */
	size_t version_len;
	unsigned status;
	uint64_t bytes; /* of response body sent */
	uint64_t duration_us;
	const char *request_id; /* trusted text */
	const char *kind;       /* the request in a word, trusted, where there is no method; NULL:
				   "malformed" */
	const char *reason;     /* why it was refused, a word, trusted; NULL: it was not */
	const char *excerpt;    /* what was at fault, as sent */
	size_t excerpt_len;     /* 0: nothing to be shown */
	bool excerpt_cut;       /* the excerpt is not all of it */
};

/* Makes an empty log: no sink, records go nowhere. Reads the time zone, so it belongs before a
 * chroot, and the process id, so it belongs behind the fork. */
void log_init(struct log *, enum log_role, unsigned port, unsigned worker, int facility);

/*
 * Opens one sink: path is that of the datagram socket (ignored for the console, which is standard
 * error, reopened where possible so that non-blocking mode is not forced on whoever shares it).
 * Returns 0 or -errno; a sink whose daemon cannot be reached right now, because it is missing or
 * for any other reason, is in use all the same: it counts as broken, log_reconnect() mends it.
 */
int log_open(struct log *, enum log_sink_kind, const char *path);

/*
 * Connects a socket sink again, in place and without blocking: 0, -errno while the daemon is
 * still missing, -EBADF where the sink is not in use.
 */
int log_reconnect(struct log *, enum log_sink_kind, const char *path);

/*
 * From the next log_open() on: a record of this log that its sink does not take waits in a queue of
 * LOG_KEEP_BYTES, in order, and is lost (counted) only when that is full. log_flush() writes what
 * waits, as far as it goes; true: something is left.
 */
void log_keep(struct log *);
bool log_flush(struct log *);
bool log_is_kept(const struct log *, enum log_sink_kind); /* something waits */
/* The next record that waits behind *at, which is 0 at first; NULL: no more. For handing on. */
const void *log_kept(const struct log *, enum log_sink_kind, size_t *at, size_t *ret_len);
/* Puts one there. Where it does not fit it is lost, and counted. */
void log_keep_again(struct log *, enum log_sink_kind, const void *data, size_t len);

/* Could a daemon be reached under this path now? 0 or -errno. Nothing is sent. */
int log_probe(const char *path);

/* Takes over an open descriptor. Sets FD_CLOEXEC. It is written to with write(2) alone.
 * LOG_SINK_MASTER: it stays the caller's, being standard error. */
void log_adopt(struct log *, enum log_sink_kind, int fd);

/* Closes one, or all; what waits in their queues is lost, and counted as dropped. */
void log_shut(struct log *, enum log_sink_kind);
void log_close(struct log *);

/* Is standard error the journal's stream (JOURNAL_STREAM, systemd.exec(5))? */
bool log_stderr_is_journal(void);

/* priority: LOG_ERR … LOG_DEBUG of syslog(3). The text is the project's own, or was escaped with
 * text_add_escaped(); whatever in it cannot be shown (controls, what is no UTF-8, what is
 * invisible) is escaped once more for safety. errno is left alone by all of these. */
void log_write(struct log *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_vwrite(struct log *, int priority, const char *format, va_list)
    __attribute__((format(printf, 3, 0)));

/* The same on behalf of a port or one of its workers: what the master says about them. */
void log_write_for(struct log *, unsigned port, unsigned worker, int priority, const char *format,
		   ...) __attribute__((format(printf, 5, 6)));

/*
 * A record with fields. The journal has each under its name (and MESSAGE_ID); syslog has the named
 * ones behind the text as [NAME="value" ...], quoted as in RFC 5424, 6.3.3, as far as they fit; the
 * console has those with a label, each on an indented line of its own. Values as the text of
 * log_write(); empty ones belong left out.
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

/* The access record, at LOG_INFO:
 * Received GET request from ('127.0.0.1', 12345) "GET /path HTTP/1.1" 200 14 0.4ms
 * and of a request that was refused, with the reason and what was at fault:
 * Received malformed request from ('127.0.0.1', 12345) "-" 400 16 0.4ms request-line "hello"
 * An overlong method, target or excerpt is cut and ends in "...", so that what follows is always
 * there. */
void log_access(struct log *, const struct log_access *);

/* Tells outstanding drops ("3 log records were dropped") where a sink takes lines again; to be
 * called about once a second while log_outstanding(). Cheap when there are none. */
void log_tick(struct log *);
bool log_outstanding(const struct log *);
/* Nothing more will be written: as log_tick(), and whether or not it has told in this second. Where
 * a daemon reads the records, it returns once that has looked at the last one, which takes a
 * second at most: journald looks up whose a record is while it reads it, and finds nobody if the
 * process has ended by then. */
void log_finish(struct log *);
/* Records that were lost so far, told or not, over all sinks. */
uint64_t log_dropped(const struct log *);

#endif
