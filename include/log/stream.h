/*
 * What a child writes to its log, on the master's side.
 *
 * A child's standard error is a pipe to the master, and so is its log: records of its own in a
 * binary form, each of which leaves in one write(2) of at most PIPE_BUF bytes, so that they never
 * mix (pipe(7)); and between them whatever the C library, the loader or a sanitizer has to say,
 * lines of text. There is no form that is an error: what is no record is a text, and is shown as
 * such, escaped.
 *
 * A child that was taken over can write what it likes, and gets no further than this: the port, the
 * worker, the process and the role of a record are what the master says; its text is printable, of
 * bounded length, and no more urgent than LOG_CRIT (what is, syslogd shows to all users); its time
 * is within the last minutes. How many records pass is the caller's to say. Pure but for the sinks.
 */
#ifndef LOG_STREAM_H
#define LOG_STREAM_H

#include "log/log.h"

#define LOG_STREAM_MAX 4096 /* PIPE_BUF: of one record, and of a text without a line end */

/* Whose records these are. */
struct log_source {
	enum log_role role;
	unsigned port;
	unsigned worker; /* 0: a keyholder */
	pid_t pid;
	char name[48]; /* "worker 1 (pid 4242)", which begins a text */
};

struct log_stream {
	struct log_source source;
	uint64_t dropped[LOG_SINKS_OUT]; /* records lost at a sink and not yet told there */
	uint64_t dropped_total;
	int64_t told_second[LOG_SINKS_OUT];
	unsigned done; /* sinks that have the first record already, a bit each */
	size_t start;  /* what is left of data begins here … */
	size_t len;    /* … and ends here */
	unsigned char data[LOG_STREAM_MAX];
};

/* Nothing has come yet. */
void log_stream_init(struct log_stream *, const struct log_source *);

/* Where the next bytes belong, and how many there is room for: never 0 while log_stream_next() is,
 * unless ended. They are there once len has grown by them. */
unsigned char *log_stream_room(struct log_stream *, size_t *ret_size);

/* How many bytes the first record or text has; 0: it is not whole. ended: no more will come, so
 * what there is is whole. */
size_t log_stream_next(const struct log_stream *, bool ended);

/* How many bytes that can become in a line: a text may be escaped, four for one. */
size_t log_stream_weight(const struct log_stream *, size_t size);

/* What becomes of a record that a sink has no room for. */
enum log_patience {
	LOG_WAIT, /* it stays in the stream */
	LOG_TRY,  /* it is dropped there */
	LOG_SKIP  /* the same, and a sink that had no room for the last one is not even tried */
};

/*
 * Passes the first record, of which log_stream_next() has said that it has so many bytes, to all
 * sinks and takes it out of the stream. false, with LOG_WAIT alone: a sink is full for the moment;
 * nothing was taken out, try again in some milliseconds; those that have it do not get it again. A
 * sink that stays full for LOG_PATIENCE_MS is waited for no more until it takes records again. What
 * is dropped is counted, and told as the child's.
 */
#define LOG_PATIENCE_MS 1000
bool log_stream_pass(struct log *, struct log_stream *, size_t size, uint64_t now_ms,
		     enum log_patience);

/* Takes the first record out of the stream; it is lost for all sinks, and counted. */
void log_stream_drop(const struct log *, struct log_stream *, size_t size);

/* As log_tick() and log_outstanding(). */
void log_stream_tell(struct log *, struct log_stream *);
bool log_stream_outstanding(const struct log_stream *);
/* The child has ended: what cannot be told in its name any more is told in the log's own. */
void log_stream_end(struct log *, struct log_stream *);

#endif
