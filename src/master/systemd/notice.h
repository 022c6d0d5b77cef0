/*
 * What the service manager is told, as text (sd_notify(3)). Pure: no socket, no clock.
 *
 * A STATUS= is one line of printable ASCII, however many ports there are: how many serve, then
 * those that do not, the first few with their reason, the others by number only.
 */
#ifndef MASTER_NOTICE_H
#define MASTER_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define NOTICE_STATUS_MAX 2048          /* with its terminator */
#define NOTICE_REASON_MAX ((size_t)240) /* bytes of a reason */
#define NOTICE_NAMED_MAX  4             /* ports that are named */

/* Gathers ports one by one, so that nobody has to list a thousand. */
struct notice {
	unsigned ports, serving, others; /* others: neither serving nor named */
	unsigned named;
	struct text list;
	char room[NOTICE_STATUS_MAX];
};

void notice_begin(struct notice *);
/* state: a word such as "parked", static; reason may be NULL. */
void notice_add(struct notice *, unsigned port, bool serving, const char *state,
		const char *reason);
/* "3 of 4 ports serving; 8443 parked: certificate does not match its key". after may be NULL: what
 * else there is to say, behind a semicolon. */
void notice_end(const struct notice *, const char *after, struct text *);

/* "; 8443 parked: certificate does not match its key": those alone that do not serve. */
void notice_end_others(const struct notice *, struct text *);

/* What stands in an assignment: UTF-8, which is all that systemd takes, without what
 * text_add_utf8() escapes, and at most max bytes, the last three of which are dots where more was
 * there. */
void notice_add_plain(struct text *, const char *, size_t max);

/* Half of WATCHDOG_USEC in milliseconds, at least 1; 0: no watchdog, or it is for another process.
 * Either may be NULL. */
uint64_t notice_watchdog_ms(const char *usec, const char *pid, uint64_t self);

#endif
