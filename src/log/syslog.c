/* Runs in every process. The form that syslogd reads from /dev/log: RFC 3164, 4.1, without the
 * host name, one datagram per record, no line end. Must never name a month in another language. */
#include "record.h"

#include "base/text.h"

void syslog_layout(const struct log *l, const struct log_record *r, struct log_wire *w)
{
	struct text t;
	text_init(&t, w->room, sizeof(w->room));
	text_add_char(&t, '<');
	text_add_uint(&t, (unsigned)(l->facility | r->priority));
	text_add_char(&t, '>');
	text_add_str(&t, l->rfc3164);
	text_add_str(&t, " bulkhead[");
	text_add_uint(&t, (uint64_t)l->pid);
	text_add_str(&t, "]: ");
	record_tag(r, &t);
	w->iov[0] = (struct iovec){t.data, t.len};
	w->iov[1] = (struct iovec){(void *)(uintptr_t)r->text.data, r->text.len};
	w->count = 2;
}
