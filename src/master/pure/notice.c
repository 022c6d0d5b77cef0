/* Runs in the master; pure. Must never let a reason add another assignment, as a newline in it
 * would. */
#include "master/pure/notice.h"

#include <string.h>

#include "base/num.h"

void notice_add_plain(struct text *t, const char *s, size_t max)
{
	const size_t len = strlen(s), limit = len > max ? max - 3 : len;
	size_t i = 0, n;
	for (; i < len; i += n) {
		const size_t shown = text_shown_len(s + i, len - i);
		n = shown > 0 ? shown : 1;
		if (i + n > limit ||
		    n > t->size - 1 - t->len) /* half a character would make systemd refuse all */
			break;
		text_add(t, shown > 0 ? s + i : "?", n);
	}
	if (i < len)
		text_add_str(t, "...");
}

void notice_begin(struct notice *n)
{
	n->ports = n->serving = n->others = n->named = 0;
	text_init(&n->list, n->room, sizeof(n->room));
}

void notice_add(struct notice *n, unsigned port, bool serving, const char *state,
		const char *reason)
{
	n->ports++;
	if (serving) {
		n->serving++;
		return;
	}
	if (n->named == NOTICE_NAMED_MAX) {
		n->others++;
		return;
	}
	n->named++;
	text_addf(&n->list, "; %u %s", port, state);
	if (reason == NULL || reason[0] == '\0')
		return;
	text_add_str(&n->list, ": ");
	notice_add_plain(&n->list, reason, NOTICE_REASON_MAX);
}

void notice_end_others(const struct notice *n, struct text *t)
{
	text_add(t, n->list.data, n->list.len);
	if (n->others > 0)
		text_addf(t, "; %u more not serving", n->others);
}

void notice_end(const struct notice *n, const char *after, struct text *t)
{
	text_addf(t, "%u of %u port%s serving", n->serving, n->ports, n->ports == 1 ? "" : "s");
	notice_end_others(n, t);
	if (after != NULL && after[0] != '\0') {
		text_add_str(t, "; ");
		notice_add_plain(t, after, 2 * NOTICE_REASON_MAX);
	}
}

uint64_t notice_watchdog_ms(const char *usec, const char *pid, uint64_t self)
{
	uint64_t time, owner;
	if (usec == NULL || num_parse(usec, strlen(usec), 1, UINT64_MAX / 2, &time) < 0)
		return 0;
	if (pid != NULL &&
	    (num_parse(pid, strlen(pid), 1, UINT64_MAX, &owner) < 0 || owner != self))
		return 0;
	return time < 2000 ? 1 : time / 2000;
}
