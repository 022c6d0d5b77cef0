/* Runs in every process, for each request: from a record to the sinks. Must never block, allocate,
 * fail its caller or change errno. A record that a sink does not take is lost and counted. */
#include "log/log.h"

#include "base/text.h"
#include "record.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define FINISH_MS      1000 /* how long a process waits at its end for the readers of its records */
#define FINISH_STEP_MS 5

void log_init(struct log *l, enum log_role role, unsigned port, unsigned worker, int facility)
{
	memset(l, 0, sizeof(*l));
	for (int kind = 0; kind < LOG_SINKS; kind++)
		l->sinks[kind].fd = -1;
	l->role = role;
	l->port = port;
	l->worker = worker;
	l->facility = facility & LOG_FACMASK;
	l->level = LOG_INFO;
	l->pid = getpid();
	tzset();
	log_stamp(l, time(NULL));
}

void log_names(struct log *l, const char *const *names, unsigned count)
{
	l->names = names;
	l->names_count = count;
}

/* --- the clock ------------------------------------------------------------------------------- */

void log_stamp(struct log *l, int64_t second)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const time_t when = (time_t)second;
	struct tm tm;
	struct text t;
	l->second = second;
	if (localtime_r(&when, &tm) == NULL)
		return;
	text_init(&t, l->stamp, sizeof(l->stamp));
	text_addf(&t, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		  tm.tm_hour, tm.tm_min, tm.tm_sec);
	text_init(&t, l->rfc3164, sizeof(l->rfc3164));
	text_addf(&t, "%.3s %2d %02d:%02d:%02d", months + (size_t)tm.tm_mon * 3, tm.tm_mday,
		  tm.tm_hour, tm.tm_min, tm.tm_sec);
}

unsigned log_clock(struct log *l)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != l->second)
		log_stamp(l, now.tv_sec);
	return (unsigned)(now.tv_nsec / 1000000);
}

/* --- to the sinks ---------------------------------------------------------------------------- */

void record_tag(const struct log_record *r, struct text *t)
{
	if (r->port == 0) {
		text_add_str(t, "[MASTER] ");
		return;
	}
	text_add_str(t, "[PORT ");
	text_add_uint(t, r->port);
	text_add_str(t, "] ");
}

static void layout(const struct log *l, enum log_sink_kind kind, const struct log_record *r,
		   bool torn, struct log_wire *wire)
{
	wire->count = 0;
	switch (kind) {
	case LOG_SINK_CONSOLE:
		console_layout(l, r, torn, wire);
		break;
	case LOG_SINK_SYSLOG:
		syslog_layout(l, r, wire);
		break;
	case LOG_SINK_JOURNAL:
		journal_layout(l, r, wire);
		break;
	case LOG_SINK_MASTER:
		frame_layout(l, r, wire);
		break;
	case LOG_SINKS:
		break;
	}
}

bool sink_put(struct log *l, enum log_sink_kind kind, const struct log_record *r)
{
	struct log_sink *s = &l->sinks[kind];
	struct log_wire wire;
	layout(l, kind, r, s->torn, &wire);
	return sink_write(s, wire.iov, wire.count);
}

bool sink_tell(struct log *l, enum log_sink_kind kind, const struct log_record *whose,
	       uint64_t *dropped, int64_t *told_second)
{
	if (*dropped == 0 || *told_second == l->second)
		return true;
	char line[64];
	struct text t;
	text_init(&t, line, sizeof(line));
	text_add_uint(&t, *dropped);
	const struct log_value count = {LOG_VALUE_DROPPED, t.data, t.len};
	text_add_str(&t, *dropped == 1 ? " log record was dropped" : " log records were dropped");
	struct log_record r = *whose;
	r.priority = LOG_WARNING;
	r.text = (struct log_slice){t.data, t.len};
	r.event = NULL;
	r.values = &count;
	r.values_count = 1;
	if (!sink_put(l, kind, &r))
		return false;
	*dropped = 0;
	*told_second = l->second;
	return true;
}

struct log_record record_of(const struct log *l, int priority, unsigned ms)
{
	return (struct log_record){.priority = LOG_PRI(priority),
				   .role = l->role,
				   .pid = l->pid,
				   .port = l->port,
				   .worker = l->worker,
				   .ms = ms};
}

static bool own_tell(struct log *l, enum log_sink_kind kind, unsigned ms)
{
	struct log_sink *s = &l->sinks[kind];
	const struct log_record whose = record_of(l, LOG_WARNING, ms);
	return queue_is_empty(s->queue) && sink_tell(l, kind, &whose, &s->dropped, &s->told_second);
}

static void orphans_tell(struct log *l, enum log_sink_kind kind, unsigned ms)
{
	struct log_sink *s = &l->sinks[kind];
	const struct log_record whose = record_of(l, LOG_WARNING, ms);
	(void)sink_tell(l, kind, &whose, &s->orphans, &s->orphans_second);
}

/* Appends the record to those that already wait. After one was lost, all are dropped until that
 * could be reported. */
static bool own_keep(struct log *l, enum log_sink_kind kind, const struct log_record *r)
{
	struct log_sink *s = &l->sinks[kind];
	struct log_wire wire;
	if (s->queue == NULL || s->dropped > 0)
		return false;
	layout(l, kind, r, false, &wire);
	return queue_add(s->queue, wire.iov, wire.count);
}

void record_emit_to(struct log *l, enum log_sink_kind kind, const struct log_record *r)
{
	struct log_sink *s = &l->sinks[kind];
	if (s->fd < 0 || (own_tell(l, kind, r->ms) && sink_put(l, kind, r)) || own_keep(l, kind, r))
		return;
	s->dropped++;
	s->dropped_total++;
}

void record_emit(struct log *l, const struct log_record *r)
{
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		record_emit_to(l, (enum log_sink_kind)kind, r);
}

void log_tick(struct log *l)
{
	if (!log_outstanding(l))
		return;
	int saved = errno;
	unsigned ms = log_clock(l);
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		if (l->sinks[kind].fd >= 0 && own_tell(l, (enum log_sink_kind)kind, ms))
			orphans_tell(l, (enum log_sink_kind)kind, ms);
	errno = saved;
}

/* Is something unwritten or a loss unreported, whose reader may yet make room for it? */
static bool finish_waits(const struct log *l)
{
	for (unsigned kind = 0; kind < LOG_SINKS; kind++) {
		const struct log_sink *s = &l->sinks[kind];
		if (s->fd >= 0 && !s->broken &&
		    (!queue_is_empty(s->queue) || s->dropped > 0 || s->orphans > 0))
			return true;
	}
	return false;
}

/* Each daemon reads its socket in order: once it has taken an empty datagram, which is no record,
 * it is done with the one before. */
static void daemons_await(struct log *l, unsigned ms)
{
	bool marked[LOG_SINKS_OUT] = {false}, left = true;
	for (; left && ms < FINISH_MS; ms += FINISH_STEP_MS) {
		left = false;
		for (unsigned kind = LOG_SINK_SYSLOG; kind < LOG_SINKS_OUT; kind++) {
			const struct log_sink *s = &l->sinks[kind];
			if (s->fd < 0 || s->broken)
				continue;
			marked[kind] = marked[kind] || sink_mark(s);
			left = left || !marked[kind] || sink_is_unread(s);
		}
		if (left)
			(void)poll(NULL, 0, FINISH_STEP_MS);
	}
}

/* No client is served any longer, so this may wait a moment for the queues. */
void log_finish(struct log *l)
{
	unsigned ms = 0;
	for (;; ms += FINISH_STEP_MS) {
		(void)log_flush(l);
		for (unsigned kind = 0; kind < LOG_SINKS; kind++)
			l->sinks[kind].told_second = l->sinks[kind].orphans_second = 0;
		log_tick(l);
		if (!finish_waits(l) || ms >= FINISH_MS)
			break;
		(void)poll(NULL, 0, FINISH_STEP_MS);
	}
	daemons_await(l, ms);
}

uint64_t log_dropped(const struct log *l)
{
	uint64_t n = 0;
	for (int kind = 0; kind < LOG_SINKS; kind++)
		n += l->sinks[kind].dropped_total;
	return n;
}

bool log_outstanding(const struct log *l)
{
	for (int kind = 0; kind < LOG_SINKS; kind++)
		if (l->sinks[kind].fd >= 0 &&
		    (l->sinks[kind].dropped > 0 || l->sinks[kind].orphans > 0))
			return true;
	return false;
}

/* --- the master's own, which wait ------------------------------------------------------------ */

void log_keep(struct log *l)
{
	l->keeps = true;
}

/* False: the sink takes no more now. */
static bool first_write(struct log_sink *s)
{
	size_t at = 0, len = 0;
	const void *data = queue_at(s->queue, &at, &len);
	struct iovec iov[] = {{(void *)(uintptr_t) "\n", s->torn}, {(void *)(uintptr_t)data, len}};
	errno = 0; /* a partial write does not set it */
	if (!sink_write(s, iov, 2)) {
		if (errno != EMSGSIZE)
			return false;
		s->dropped++; /* too long for the sink, but the next one may fit */
		s->dropped_total++;
	}
	queue_drop_first(s->queue);
	return true;
}

bool log_flush(struct log *l)
{
	int saved = errno;
	bool left = false;
	for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++) {
		struct log_sink *s = &l->sinks[kind];
		while (s->fd >= 0 && !queue_is_empty(s->queue) && first_write(s))
			l->flushed++;
		left = left || !queue_is_empty(s->queue);
	}
	errno = saved;
	return left;
}

bool log_is_kept(const struct log *l, enum log_sink_kind kind)
{
	return !queue_is_empty(l->sinks[kind].queue);
}

const void *log_kept(const struct log *l, enum log_sink_kind kind, size_t *at, size_t *ret_len)
{
	return queue_at(l->sinks[kind].queue, at, ret_len);
}

void log_keep_again(struct log *l, enum log_sink_kind kind, const void *data, size_t len)
{
	struct log_sink *s = &l->sinks[kind];
	const struct iovec iov = {(void *)(uintptr_t)data, len};
	if (queue_add(s->queue, &iov, 1))
		return;
	s->dropped++;
	s->dropped_total++;
}
