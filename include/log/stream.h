/*
 * The log of a child, on the master's side.
 *
 * A child's standard error is a pipe to the master. Its own records are in a binary form; each is
 * written by one write(2) of at most PIPE_BUF bytes, so that records never mix (pipe(7)). Between
 * them are lines of text from the C library, the loader or a sanitizer. No input is an error: bytes
 * that are not a record are text, and are shown escaped.
 *
 * A child that was taken over can write anything, with limited effect. The master knows the port,
 * worker, process and role of a record. The text is printable and of bounded length. The priority
 * is at most LOG_CRIT, because syslogd shows more urgent ones to all users. The time is within the
 * last minutes. The caller limits how many records pass. Pure except for the sinks.
 */
#ifndef LOG_STREAM_H
#define LOG_STREAM_H

#include "log/log.h"

/* PIPE_BUF: the most bytes of a record, and of a text without a line end */
#define LOG_STREAM_MAX 4096

/* The child that writes the records. */
struct log_source {
	enum log_role role;
	unsigned port;
	unsigned worker; /* 0: another role */
	pid_t pid;
	char name[48]; /* "worker 1 (pid 4242)"; a text begins with it */
};

struct log_stream {
	struct log_source source;
	uint64_t dropped[LOG_SINKS_OUT]; /* records lost at a sink and not reported there yet */
	uint64_t dropped_total;          /* records that came and were lost at one sink or more */
	int64_t told_second[LOG_SINKS_OUT];
	unsigned done; /* sinks that have the first record already, one bit each */
	size_t start;  /* the start of the unread bytes in data */
	size_t len;    /* … and their end */
	unsigned char data[LOG_STREAM_MAX];
};

/* Initializes an empty stream. */
void log_stream_init(struct log_stream *, const struct log_source *);

/* Where to put the next bytes, and how many there is room for: never 0 while log_stream_next()
 * returns 0, unless ended. The caller then adds the number of bytes to len. */
unsigned char *log_stream_room(struct log_stream *, size_t *ret_size);

/* The size of the first record or text; 0: it is incomplete. ended: no more bytes will come, so a
 * text ends with the last byte. */
size_t log_stream_next(const struct log_stream *, bool ended);

/* How many bytes of log line the first record can become: escaping turns one byte of a text into
 * four. */
size_t log_stream_weight(const struct log_stream *, size_t size);

/* What happens to a record if a sink has no room for it. */
enum log_patience {
	LOG_WAIT, /* it stays in the stream */
	LOG_TRY,  /* it is dropped for that sink */
	LOG_SKIP  /* the same, and a sink that had no room for the last record is not tried */
};

/*
 * Passes the first record, of the size that log_stream_next() returned, to all sinks and removes it
 * from the stream. False (with LOG_WAIT only): a sink is full now and the record stays; try again
 * in some milliseconds. Sinks that have it do not get it again. If a sink stays full for
 * LOG_PATIENCE_MS, records no longer wait for it until it takes one. Dropped records are counted
 * and reported as the child's.
 */
#define LOG_PATIENCE_MS 1000
bool log_stream_pass(struct log *, struct log_stream *, size_t size, uint64_t now_ms,
		     enum log_patience);

/* Removes the first record from the stream. It is lost for all sinks, and counted. */
void log_stream_drop(const struct log *, struct log_stream *, size_t size);

/* Like log_tick() and log_outstanding(), for this child. */
void log_stream_tell(struct log *, struct log_stream *);
bool log_stream_outstanding(const struct log_stream *);
/* The child has ended: drops that cannot be reported in its name are reported in the log's own
 * name. */
void log_stream_end(struct log *, struct log_stream *);

#endif
