/*
 * Runs in every process. The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one
 * datagram of fields. Must never write bytes from outside in the form `NAME=value\n`, because a
 * newline in them would begin a field of the sender's choice. It uses `NAME\n`, length, bytes.
 */
#include "record.h"

#include "base/num.h"
#include "base/text.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGE_ROOM (sizeof("MESSAGE\n") + sizeof(uint64_t) + LOG_PREFIX_MAX) /* it comes last */

static void field_number(struct text *t, const char *name, uint64_t value)
{
	text_add_str(t, name);
	text_add_char(t, '=');
	text_add_uint(t, value);
	text_add_char(t, '\n');
}

/* Writes `NAME\n` and the length; the caller adds the value and a newline. */
static void field_begin(struct text *t, const char *name, size_t len)
{
	const uint64_t little = htole64(len);
	text_add_str(t, name);
	text_add_char(t, '\n');
	text_add(t, &little, sizeof(little));
}

/* Writes the whole field or nothing: journald would refuse a record with a field that was cut. */
static void field_add(struct text *t, const char *name, struct log_slice value, bool is_short)
{
	if (t->size - 1 - t->len <
	    strlen(name) + 1 + sizeof(uint64_t) + value.len + 1 + MESSAGE_ROOM)
		return;
	if (is_short) {
		text_add_str(t, name);
		text_add_char(t, '=');
	} else {
		field_begin(t, name, value.len);
	}
	text_add(t, value.data, value.len);
	text_add_char(t, '\n');
}

static void field_bytes(struct text *t, const char *name, struct log_slice value)
{
	field_add(t, name, value, false);
}

static struct log_slice slice_of(const char *s)
{
	return (struct log_slice){s, strnlen(s, 128)};
}

static const char *role_name(enum log_role role)
{
	switch (role) {
	case LOG_ROLE_MASTER:
		return "master";
	case LOG_ROLE_WORKER:
		return "worker";
	case LOG_ROLE_KEYHOLDER:
		return "keyholder";
	case LOG_ROLE_VERIFIER:
		return "verifier";
	case LOG_ROLE_CONNECTOR:
		return "connector";
	case LOG_ROLE_RESOLVER:
		return "resolver";
	}
	return "unknown";
}

/* The short form is for digits alone: they cannot begin another field. */
static bool is_number(const struct log_value *v)
{
	for (size_t i = 0; i < v->len; i++)
		if (v->data[i] < '0' || v->data[i] > '9')
			return false;
	return v->len > 0;
}

/* NULL: it is of a later version. */
static const char *value_name(const struct log *l, unsigned number)
{
	if (number == LOG_VALUE_DROPPED)
		return "BULKHEAD_DROPPED";
	return number < l->names_count ? l->names[number] : NULL;
}

static void add_values(struct text *t, const struct log *l, const struct log_record *r)
{
	for (size_t i = 0; i < r->values_count; i++) {
		const struct log_value *v = &r->values[i];
		const char *name = value_name(l, v->name);
		const struct log_slice value = {v->data, v->len};
		if (name != NULL)
			field_add(t, name, value, is_number(v));
	}
}

static void add_event(struct text *t, const struct log_event *e)
{
	if (e->message_id != NULL)
		field_bytes(t, "MESSAGE_ID", slice_of(e->message_id));
	for (size_t i = 0; i < e->fields_count; i++) {
		const struct log_field *f = &e->fields[i];
		if (f->name != NULL)
			field_bytes(t, f->name, (struct log_slice){f->value, strlen(f->value)});
	}
}

void journal_layout(const struct log *l, const struct log_record *r, struct log_wire *w)
{
	static const char newline = '\n';
	char tag_room[LOG_PREFIX_MAX];
	struct text t, tag;
	text_init(&tag, tag_room, sizeof(tag_room));
	record_tag(r, &tag);

	text_init(&t, w->room, sizeof(w->room));
	text_add_str(&t, "SYSLOG_IDENTIFIER=bulkhead\nBULKHEAD_ROLE=");
	text_add_str(&t, role_name(r->role));
	text_add_char(&t, '\n');
	field_number(&t, "PRIORITY", (unsigned)r->priority);
	field_number(&t, "SYSLOG_PID", (uint64_t)r->pid);
	if (r->port != 0)
		field_number(&t, "BULKHEAD_PORT", r->port);
	if (r->worker != 0)
		field_number(&t, "BULKHEAD_WORKER", r->worker);
	add_values(&t, l, r);
	if (r->event != NULL)
		add_event(&t, r->event);
	field_begin(&t, "MESSAGE", tag.len + r->text.len);
	text_add(&t, tag.data, tag.len);

	w->iov[0] = (struct iovec){t.data, t.len};
	w->iov[1] = (struct iovec){(void *)(uintptr_t)r->text.data, r->text.len};
	w->iov[2] = (struct iovec){(void *)(uintptr_t)&newline, 1};
	w->count = 3;
}

bool log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	const char *colon = stream == NULL ? NULL : strchr(stream, ':');
	uint64_t device, inode;
	struct stat st;
	return colon != NULL && fstat(STDERR_FILENO, &st) == 0 &&
	       num_parse(stream, (size_t)(colon - stream), 0, UINT64_MAX, &device) == 0 &&
	       num_parse(colon + 1, strlen(colon + 1), 0, UINT64_MAX, &inode) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}
