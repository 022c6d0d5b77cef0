/*
 * When to warn that a certificate ends (base/validity.h). Pure: the caller passes the time.
 */
#ifndef MASTER_EXPIRY_H
#define MASTER_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/channel.h"

/* What a worker reported about one of its certificates. */
struct expiry {
	int64_t begins; /* both time(2); 0: unknown */
	int64_t ends;
	int64_t told;                  /* when the log was warned last; 0: never */
	char subject[IPC_SUBJECT_MAX]; /* escaped by text_add_utf8(); "": no name */
};

/* Is a warning due? Once a day, even after the clock was set back. */
bool expiry_is_due(const struct expiry *, int64_t now);

/* A certificate, and the name of its file. */
struct expiry_of {
	struct expiry *expiry;
	const char *name;
};

/* Copies when the log was last warned of certificates that are the same: their files have the same
 * name, and they end at the same time. Without memory none are copied, and the log is warned once
 * more. */
void expiries_inherit(const struct expiry_of *heirs, size_t heirs_count,
		      const struct expiry_of *olds, size_t olds_count);

/* The certificate of a port that needs attention first: one whose end is near before the others,
 * then the one that ends first. Returns count if none is known. */
size_t expiry_first(const struct expiry *, size_t count, int64_t now);

#endif
