/*
 * The state of the server as text for the service manager (sd_notify(3)). Pure: no socket, no
 * clock.
 *
 * A STATUS= is one line of printable ASCII, however many ports there are: how many serve, then the
 * ports that do not, the first few with their reasons, the others only counted.
 */
#ifndef MASTER_NOTICE_H
#define MASTER_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define NOTICE_STATUS_MAX 2048          /* with its terminator */
#define NOTICE_REASON_MAX ((size_t)240) /* bytes of a reason */
#define NOTICE_NAMED_MAX  4             /* ports that are named with their reasons */

/* Collects the ports one by one, so that no list of a thousand ports is needed. */
struct notice {
	unsigned ports, serving, others; /* others: neither serving nor named */
	unsigned named;
	struct text list;
	char room[NOTICE_STATUS_MAX];
};

void notice_begin(struct notice *);
/* state: a static word such as "parked"; reason may be NULL. */
void notice_add(struct notice *, unsigned port, bool serving, const char *state,
		const char *reason);
/* Writes "3 of 4 ports serving; 8443 parked: certificate does not match its key". after: more text,
 * added after a semicolon; may be NULL. */
void notice_end(const struct notice *, const char *after, struct text *);

/* Writes only the ports that do not serve: "; 8443 parked: certificate does not match its key". */
void notice_end_others(const struct notice *, struct text *);

/* Appends the value of an assignment: UTF-8, which systemd requires, without the characters that
 * text_add_utf8() escapes, and at most max bytes; a text that was cut ends in three dots. */
void notice_add_plain(struct text *, const char *, size_t max);

/* Returns half of WATCHDOG_USEC in milliseconds, at least 1; 0: there is no watchdog, or it is for
 * another process. Either text may be NULL. */
uint64_t notice_watchdog_ms(const char *usec, const char *pid, uint64_t self);

#endif
