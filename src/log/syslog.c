/* Runs in every process. The form that syslogd reads from /dev/log: RFC 3164, 4.1, without the host
 * name, one datagram per record, no line end. Must never use a month name of the locale. */
#include "record.h"

#include "base/text.h"

static void add_quoted(struct text *t, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\' || *value == ']')
			text_add_char(t, '\\');
		text_add_char(t, *value);
	}
}

/* Appends the fields after the text; the first one that does not fit ends the list. */
static void add_fields(const struct log_event *e, struct text *t)
{
	size_t whole = 0;
	for (size_t i = 0; i < e->fields_count; i++) {
		const struct log_field *f = &e->fields[i];
		if (f->name == NULL)
			continue;
		text_add_str(t, whole == 0 ? " [" : " ");
		text_add_str(t, f->name);
		text_add_str(t, "=\"");
		add_quoted(t, f->value);
		text_add_str(t, "\"");
		if (t->truncated || t->len + 1 == t->size)
			break;
		whole = t->len;
	}
	t->len = whole;
	if (whole > 0)
		text_add_char(t, ']');
}

void syslog_layout(const struct log *l, const struct log_record *r, struct log_wire *w)
{
	struct text t;
	text_init(&t, w->room, sizeof(w->room));
	text_add_char(&t, '<');
	text_add_uint(&t, (unsigned)(l->facility | r->priority));
	text_add_char(&t, '>');
	text_add_str(&t, l->rfc3164);
	text_add_str(&t, " bulkhead[");
	text_add_uint(&t, (uint64_t)r->pid);
	text_add_str(&t, "]: ");
	record_tag(r, &t);
	w->iov[0] = (struct iovec){t.data, t.len};
	w->iov[1] = (struct iovec){(void *)(uintptr_t)r->text.data, r->text.len};
	w->count = 2;
	if (r->event == NULL)
		return;
	/* The room after the text, as much of it as a record may have. */
	struct text fields;
	const size_t used = t.len + 1, most = LOG_RECORD_MAX - t.len - r->text.len;
	text_init(&fields, w->room + used,
		  sizeof(w->room) - used < most ? sizeof(w->room) - used : most);
	add_fields(r->event, &fields);
	w->iov[2] = (struct iovec){fields.data, fields.len};
	w->count = 3;
}
