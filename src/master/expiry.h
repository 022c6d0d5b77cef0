/*
 * When somebody is to be told that a certificate ends (base/validity.h). Pure: the clock is the
 * caller's.
 */
#ifndef MASTER_EXPIRY_H
#define MASTER_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/channel.h"

/* What a worker says of one of its certificates. */
struct expiry {
	int64_t begins; /* time(2); 0: unknown, both */
	int64_t ends;
	int64_t told;                  /* when the log was last warned of it; 0: never */
	char subject[IPC_SUBJECT_MAX]; /* as text_add_utf8() makes it; "": it has no name */
};

/* Is the log to be told now? Once a day. A clock that was set back does not silence it. */
bool expiry_is_due(const struct expiry *, int64_t now);

/* Of those of a port, the one that is worth a look first: one whose end is near before one whose
 * end is not, then the one that ends first. count: none is known of. */
size_t expiry_first(const struct expiry *, size_t count, int64_t now);

#endif
