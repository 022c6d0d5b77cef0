/*
 * Used inside src/log only: one record on its way to the sinks.
 *
 * write.c makes the record once. Each kind of sink lays it out in its own form as a few pieces
 * (struct log_wire), which are written by one system call. The text is not copied per sink.
 */
#ifndef LOG_RECORD_H
#define LOG_RECORD_H

#include "log/log.h"

#include <sys/uio.h>

#define LOG_FIELDS_MAX (LOG_TEXT_MAX + 512) /* all fields for the journal except MESSAGE */

/* Bytes that another object owns. */
struct log_slice {
	const char *data;
	size_t len;
};

struct log_record {
	int priority;
	enum log_role role; /* the role … */
	pid_t pid;          /* … and process of its writer */
	unsigned port;      /* 0: the master itself */
	unsigned worker;    /* 0: none */
	unsigned ms;        /* milliseconds after the second of struct log's stamps */
	struct log_slice text;

	/* For an event, else NULL. Its values are safe already. */
	const struct log_event *event;

	/* Of log_record(), else none. */
	const struct log_value *values;
	size_t values_count;
};

struct log_wire {
	struct iovec iov[4];
	int count;
	char room[LOG_PREFIX_MAX + LOG_FIELDS_MAX]; /* prefix and fields that the form adds */
};

/* Lay the record out in each form. torn: the previous line has no end. */
void console_layout(const struct log *, const struct log_record *, bool torn, struct log_wire *);
void syslog_layout(const struct log *, const struct log_record *, struct log_wire *);
void journal_layout(const struct log *, const struct log_record *, struct log_wire *);

/* Lays out a child's record for the master: at most LOG_STREAM_MAX bytes in all. */
void frame_layout(const struct log *, const struct log_record *, struct log_wire *);

/* Appends "[MASTER] " or "[PORT 8000] ". */
struct text;
void record_tag(const struct log_record *, struct text *);

/* Returns a descriptor for standard error, non-blocking if possible, or -errno. */
int console_open(void);

/* Writes all pieces in one call. True if every byte was taken. Updates broken and torn; the caller
 * counts lost records. */
bool sink_write(struct log_sink *, struct iovec *, int count);

/* Sends an empty datagram over a datagram socket. True: it was sent, or there is no reader. */
bool sink_mark(const struct log_sink *);
/* Is there a datagram that its reader has not taken yet? */
bool sink_is_unread(const struct log_sink *);

/* A record of the log's own process, without a text yet. ms as in struct log_record. */
struct log_record record_of(const struct log *, int priority, unsigned ms);
/* Writes it to all sinks, or to one. A sink that does not take it keeps it, or it is lost and
 * counted. */
void record_emit(struct log *, const struct log_record *);
void record_emit_to(struct log *, enum log_sink_kind, const struct log_record *);

/* Lays the record out in the sink's form and writes it. True if it was taken whole. */
bool sink_put(struct log *, enum log_sink_kind, const struct log_record *);
/* Reports how many records were lost, in the name of their writer, at most once a second. False:
 * the sink takes nothing. */
bool sink_tell(struct log *, enum log_sink_kind, const struct log_record *whose, uint64_t *dropped,
	       int64_t *told_second);

/* The records that wait for a sink, in the form of that sink. A NULL queue is always empty. */
struct log_queue *queue_new(void); /* NULL: no memory */
bool queue_is_empty(const struct log_queue *);
bool queue_add(struct log_queue *, const struct iovec *, int count); /* false: no room */
const void *queue_at(const struct log_queue *, size_t *at, size_t *ret_len);
void queue_drop_first(struct log_queue *);

/* Makes the stamps for this second of the wall clock. */
void log_stamp(struct log *, int64_t second);
/* Returns the milliseconds; makes new stamps if the second has changed. */
unsigned log_clock(struct log *);

#endif
