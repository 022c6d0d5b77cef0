/*
 * Inside src/log only: one record on its way to the sinks.
 *
 * log.c makes the record once; each sink kind lays it out in its own form as a handful of pieces
 * (struct log_wire), which leave in one system call. The text is not copied per sink.
 */
#ifndef LOG_RECORD_H
#define LOG_RECORD_H

#include "log/log.h"

#include <sys/uio.h>

#define LOG_PREFIX_MAX \
	96 /* the longest stamp and tag of any form, a torn line's newline included */
#define LOG_TEXT_MAX    (LOG_RECORD_MAX - LOG_PREFIX_MAX)
#define LOG_TARGET_MAX  3000 /* of LOG_TEXT_MAX, after escaping */
#define LOG_METHOD_MAX  64
#define LOG_EXCERPT_MAX 200
#define LOG_FIELDS_MAX  (LOG_TARGET_MAX + 1024) /* the journal's fields but MESSAGE */

/* Bytes that somebody else owns. */
struct log_slice {
	const char *data;
	size_t len;
};

struct log_record {
	int priority;
	enum log_role role; /* whose it is … */
	pid_t pid;          /* … and of which process */
	unsigned port;      /* 0: the master's own */
	unsigned worker;    /* 0: none */
	unsigned ms;        /* of the second that struct log has stamps for */
	struct log_slice text;

	/* Of an event; NULL otherwise. Its values have been made safe. */
	const struct log_event *event;

	/* Of an access record; NULL and empty otherwise. The slices are escaped and lie in text. */
	const struct log_access *access;
	struct log_slice method;
	struct log_slice path;
};

struct log_wire {
	struct iovec iov[4];
	int count;
	char room[LOG_PREFIX_MAX + LOG_FIELDS_MAX]; /* what the form itself adds */
};

/* The forms. torn: the line before this one has no end. */
void console_layout(const struct log *, const struct log_record *, bool torn, struct log_wire *);
void syslog_layout(const struct log *, const struct log_record *, struct log_wire *);
void journal_layout(const struct log *, const struct log_record *, struct log_wire *);

/* A child's, for the master: at most LOG_STREAM_MAX bytes in all. */
void frame_layout(const struct log *, const struct log_record *, struct log_wire *);

/* "[MASTER] " or "[PORT 8000] ". */
struct text;
void record_tag(const struct log_record *, struct text *);

/* A descriptor that writes to standard error without blocking where that can be had, or -errno. */
int console_open(void);

/* Connects a datagram socket, which may be connected already, to that path. 0 or -errno. */
int sink_connect(int fd, const char *path);

/* Writes all pieces in one call: true when every byte was taken. Keeps broken and torn; counting
 * is the caller's. */
bool sink_write(struct log_sink *, struct iovec *, int count);

/* For a datagram socket. Sends an empty datagram: true: it is on its way, or nobody is there. */
bool sink_mark(const struct log_sink *);
/* Is there a datagram that its reader has not taken yet? */
bool sink_is_unread(const struct log_sink *);

/* Lays the record out in the sink's form and writes it. true: it was taken whole. */
bool sink_put(struct log *, enum log_sink_kind, const struct log_record *);
/* Says how many records were lost, in the name of whose they were, at most once a second. false:
 * the sink takes nothing. */
bool sink_tell(struct log *, enum log_sink_kind, const struct log_record *whose, uint64_t *dropped,
	       int64_t *told_second);

/* What waits for a sink; all of it is in the form of that sink. queue NULL: never anything. */
struct log_queue *queue_new(void); /* NULL: no memory */
bool queue_is_empty(const struct log_queue *);
bool queue_add(struct log_queue *, const struct iovec *, int count); /* false: no room */
const void *queue_at(const struct log_queue *, size_t *at, size_t *ret_len);
void queue_drop_first(struct log_queue *);

/* Makes the stamps for this second of the wall clock. */
void log_stamp(struct log *, int64_t second);
/* The milliseconds; the stamps are made anew when the second is another one. */
unsigned log_clock(struct log *);

#endif
