/* Runs in the master. A child's pipe is not trusted: its text is shown under the child's name,
 * printable and bounded, and decides nothing. Must never block. */
#include "log/stream.h"

#include "base/num.h"
#include "base/text.h"
#include "frame.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define STREAM_AGE_MAX 600 /* seconds; an older record gets the time of its arrival */

void log_stream_init(struct log_stream *s, const struct log_source *source)
{
	s->source = *source;
	memset(s->dropped, 0, sizeof(s->dropped));
	memset(s->told_second, 0, sizeof(s->told_second));
	s->dropped_total = 0;
	s->done = 0;
	s->start = s->len = 0;
}

unsigned char *log_stream_room(struct log_stream *s, size_t *ret_size)
{
	if (s->start > 0) {
		memmove(s->data, s->data + s->start, s->len - s->start);
		s->len -= s->start;
		s->start = 0;
	}
	*ret_size = sizeof(s->data) - s->len;
	return s->data + s->len;
}

/* A text ends after its line end, before a record, or when the room is used up. */
static size_t text_size(const unsigned char *p, size_t len, bool whole)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\n')
			return i + 1;
		if (p[i] == FRAME_MARK && i > 0)
			return i;
	}
	return whole || len == LOG_STREAM_MAX ? len : 0;
}

size_t log_stream_next(const struct log_stream *s, bool ended)
{
	const unsigned char *p = s->data + s->start;
	const size_t len = s->len - s->start;
	if (len == 0)
		return 0;
	const int size = frame_size(p, len);
	if (size > 0 && (size_t)size <= len)
		return (size_t)size;
	return size < 0 || ended ? text_size(p, len, ended) : 0;
}

size_t log_stream_weight(const struct log_stream *s, size_t size)
{
	const unsigned char *p = s->data + s->start;
	struct frame f;
	return p[0] == FRAME_MARK && frame_read(p, size, &f) ? size : size * 4;
}

/* --- passing on ------------------------------------------------------------------------------ */

static void source_put(const struct log_source *source, struct log_record *r)
{
	r->role = source->role;
	r->pid = source->pid;
	r->port = source->port;
	r->worker = source->worker;
}

/* Uses the time at which the record was written, if it is plausible: sets the stamps to that
 * second. */
static unsigned when(struct log *l, int64_t second, unsigned ms)
{
	const int64_t now = time(NULL);
	if (second > now || second < now - STREAM_AGE_MAX)
		return log_clock(l);
	if (second != l->second)
		log_stamp(l, second);
	return ms;
}

/* Reads a text; an empty line is ignored. */
static bool text_read(struct log *l, const struct log_source *source, const unsigned char *p,
		      size_t size, struct text *t, struct log_record *ret)
{
	if (p[size - 1] == '\n')
		size--;
	if (size == 0)
		return false;
	text_add_str(t, source->name);
	text_add_str(t, " wrote: ");
	text_add_escaped(t, p, size);
	*ret = (struct log_record){
	    .priority = LOG_WARNING, .ms = log_clock(l), .text = {t->data, t->len}};
	return true;
}

static bool stream_read(struct log *l, const struct log_stream *s, size_t size, struct frame *f,
			struct text *t)
{
	const unsigned char *p = s->data + s->start;
	if (p[0] == FRAME_MARK && frame_read(p, size, f)) {
		if (f->record.priority < LOG_CRIT)
			f->record.priority = LOG_CRIT;
		f->record.ms = when(l, f->second, f->record.ms);
	} else if (!text_read(l, &s->source, p, size, t, &f->record)) {
		return false;
	}
	source_put(&s->source, &f->record);
	return true;
}

static bool has_no_room(const struct log *l, enum log_sink_kind kind)
{
	return l->sinks[kind].full || log_is_kept(l, kind);
}

/* A lost record counts as one, a lost report as the records that it reports: nobody else counts
 * them any more. */
static uint64_t records_in(const struct log_record *r)
{
	const struct log_value *v =
	    r->values_count > 0 ? &r->values[r->values_count - 1] : NULL; /* names ascend */
	uint64_t count;
	if (v != NULL && v->name == LOG_VALUE_DROPPED &&
	    num_parse(v->data, v->len, 1, UINT32_MAX, &count) == 0)
		return count;
	return 1;
}

/* The master's own records come first. */
static bool sink_take_foreign(struct log *l, struct log_stream *s, enum log_sink_kind kind,
			      const struct log_record *r)
{
	return !log_is_kept(l, kind) &&
	       sink_tell(l, kind, r, &s->dropped[kind], &s->told_second[kind]) &&
	       sink_put(l, kind, r);
}

/* Should records still wait for this full sink? */
static bool is_waited_for(struct log_sink *sink, uint64_t now_ms)
{
	if (sink->full_since_ms == 0)
		sink->full_since_ms = now_ms;
	sink->stuck = sink->stuck || now_ms - sink->full_since_ms >= LOG_PATIENCE_MS;
	return !sink->stuck;
}

/* False: it must be tried again. */
static bool pass_to(struct log *l, struct log_stream *s, enum log_sink_kind kind,
		    const struct log_record *r, uint64_t now_ms, enum log_patience patience)
{
	struct log_sink *sink = &l->sinks[kind];
	const bool skipped = patience == LOG_SKIP && has_no_room(l, kind);
	if (!skipped && sink_take_foreign(l, s, kind, r)) {
		sink->full_since_ms = 0;
		sink->stuck = false;
		return true;
	}
	if (has_no_room(l, kind) && is_waited_for(sink, now_ms) && patience == LOG_WAIT)
		return false;
	s->dropped[kind] += records_in(r);
	s->dropped_total++;
	return true;
}

bool log_stream_pass(struct log *l, struct log_stream *s, size_t size, uint64_t now_ms,
		     enum log_patience patience)
{
	int saved = errno;
	char line[LOG_TEXT_MAX];
	struct text t;
	struct frame f = {.second = 0};
	bool passed = true;
	text_init(&t, line, sizeof(line));
	if (stream_read(l, s, size, &f, &t))
		for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++) {
			const unsigned bit = 1u << kind;
			if (l->sinks[kind].fd < 0 || (s->done & bit) != 0)
				continue;
			if (pass_to(l, s, (enum log_sink_kind)kind, &f.record, now_ms, patience))
				s->done |= bit;
			else
				passed = false;
		}
	if (passed) {
		s->start += size;
		s->done = 0;
	}
	errno = saved;
	return passed;
}

void log_stream_drop(const struct log *l, struct log_stream *s, size_t size)
{
	struct frame f;
	const unsigned char *p = s->data + s->start;
	const uint64_t count =
	    p[0] == FRAME_MARK && frame_read(p, size, &f) ? records_in(&f.record) : 1;
	for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++)
		if (l->sinks[kind].fd >= 0 && (s->done & 1u << kind) == 0)
			s->dropped[kind] += count;
	s->dropped_total++;
	s->start += size;
	s->done = 0;
}

void log_stream_tell(struct log *l, struct log_stream *s)
{
	struct log_record whose = {.ms = log_clock(l)};
	source_put(&s->source, &whose);
	for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++)
		if (l->sinks[kind].fd >= 0 && !log_is_kept(l, (enum log_sink_kind)kind))
			(void)sink_tell(l, (enum log_sink_kind)kind, &whose, &s->dropped[kind],
					&s->told_second[kind]);
}

bool log_stream_outstanding(const struct log_stream *s)
{
	for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++)
		if (s->dropped[kind] > 0)
			return true;
	return false;
}

void log_stream_end(struct log *l, struct log_stream *s)
{
	if (!log_stream_outstanding(s))
		return;
	memset(s->told_second, 0, sizeof(s->told_second));
	log_stream_tell(l, s);
	for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++) {
		l->sinks[kind].orphans += s->dropped[kind];
		s->dropped[kind] = 0;
	}
}
