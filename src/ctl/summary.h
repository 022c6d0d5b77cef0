/*
 * Sentences about a server as a whole: the sums over its ports, how many of them serve, and what it
 * is. Pure. The text is printable.
 */
#ifndef CTL_SUMMARY_H
#define CTL_SUMMARY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "ctl/rows.h"

/* The sums over all rows. */
struct totals {
	uint64_t connections, rate_tenths, restarts;
	int64_t pss_bytes, cpu_tenths; /* -1: unknown */
	unsigned ending;               /* certificates that end soon */
	struct histogram recent;       /* the caller adds it */
};
void totals_read(struct totals *, const struct row *, size_t count);
/* Writes "9 connections, 12.5 req/s, p50/p99 850us/12ms, 34M, cpu 3.2%, 2 restarts". */
void totals_describe(struct text *, const struct totals *);

/* Writes "3 of 4 ports serving, 1 parked" from a status. */
void summary_ports(struct text *, const json_t *status);
/* Writes "bulkhead 0.1.0, pid 4242, up 3d04h, log level info, /etc/bulkhead.conf". */
void summary_server(struct text *, const json_t *status);

#endif
