/* Runs in every process: makes records of sentences, events and what the caller has made. Must
 * never allocate, nor put a control character into a line. */
#include "log/log.h"

#include "base/text.h"
#include "record.h"

#include <errno.h>
#include <string.h>

/* Appends text that is ours or escaped already, so backslashes, quotes and names in UTF-8 stay. A
 * control character never gets through, even by mistake. */
static void text_add_safely(struct text *t, const char *s, size_t len)
{
	for (size_t i = 0, n; i < len && !t->truncated; i += n) {
		n = text_shown_len(s + i, len - i);
		if (n == 0)
			text_add_escaped(t, s + i, n = 1);
		else if (n > t->size - 1 - t->len)
			t->truncated = true; /* never half a character */
		else
			text_add(t, s + i, n);
	}
}

static void __attribute__((format(printf, 5, 0)))
write_text(struct log *l, unsigned port, unsigned worker, int priority, const char *format,
	   va_list args)
{
	int saved = errno; /* first, for %m and for the caller */
	char raw[LOG_TEXT_MAX], line[LOG_TEXT_MAX];
	struct text from, t;
	if (priority > l->level)
		return;
	text_init(&from, raw, sizeof(raw));
	text_vaddf(&from, format, args);
	text_init(&t, line, sizeof(line));
	text_add_safely(&t, from.data, from.len);
	struct log_record r = record_of(l, priority, log_clock(l));
	r.port = port;
	r.worker = worker;
	r.text = (struct log_slice){t.data, t.len};
	record_emit(l, &r);
	errno = saved;
}

void log_write(struct log *l, int priority, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	write_text(l, l->port, l->worker, priority, format, args);
	va_end(args);
}

void log_write_for(struct log *l, unsigned port, unsigned worker, int priority, const char *format,
		   ...)
{
	va_list args;
	va_start(args, format);
	write_text(l, port, worker, priority, format, args);
	va_end(args);
}

/* Copies the values in a safe form into room, which lasts until the event is written. */
static size_t fields_copy(const struct log_event *e, struct log_field *to, size_t max,
			  struct text *room)
{
	size_t count = 0;
	for (size_t i = 0; i < e->fields_count && count < max; i++) {
		const struct log_field *f = &e->fields[i];
		const char *value = room->data + room->len;
		text_add_safely(room, f->value, strlen(f->value));
		text_add(room, "", 1);
		if (room->truncated)
			break;
		to[count++] = (struct log_field){f->name, f->label, value};
	}
	return count;
}

/* Writes the further lines of an event to the console. */
static void labels_write(struct log *l, const struct log_record *first)
{
	const struct log_event *e = first->event;
	struct log_record r = *first;
	char line[LOG_TEXT_MAX];
	struct text t;
	for (size_t i = 0; i < e->fields_count; i++) {
		if (e->fields[i].label == NULL)
			continue;
		text_init(&t, line, sizeof(line));
		text_addf(&t, "  %s: %s", e->fields[i].label, e->fields[i].value);
		r.text = (struct log_slice){t.data, t.len};
		record_emit_to(l, LOG_SINK_CONSOLE, &r);
	}
}

void log_event(struct log *l, const struct log_event *e)
{
	int saved = errno;
	char text[LOG_TEXT_MAX], values[LOG_TEXT_MAX];
	struct text t, room;
	struct log_field fields[LOG_EVENT_FIELDS_MAX];
	struct log_event safe = *e;
	if (e->priority > l->level)
		return;
	text_init(&t, text, sizeof(text));
	text_add_safely(&t, e->text, strlen(e->text));
	text_init(&room, values, sizeof(values));
	safe.fields = fields;
	safe.fields_count = fields_copy(e, fields, LOG_EVENT_FIELDS_MAX, &room);
	struct log_record r = record_of(l, e->priority, log_clock(l));
	r.port = e->port;
	r.worker = e->worker;
	r.text = (struct log_slice){t.data, t.len};
	r.event = &safe;
	record_emit(l, &r);
	labels_write(l, &r);
	errno = saved;
}

void log_record(struct log *l, int priority, const char *text, size_t len,
		const struct log_value *values, size_t count)
{
	int saved = errno;
	struct log_record r = record_of(l, priority, log_clock(l));
	r.text = (struct log_slice){text, len};
	r.values = values;
	r.values_count = count;
	record_emit(l, &r);
	errno = saved;
}
