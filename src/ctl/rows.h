/*
 * The ports of a status, one row each: what the server says and what /proc adds. Pure but for
 * rows_look().
 */
#ifndef CTL_ROWS_H
#define CTL_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/latency.h"
#include "ctl/table.h"

struct row {
	uint16_t port;
	char state[16];
	unsigned serving, wanted; /* workers */
	uint64_t uptime_ms;       /* of the worker that has lived the longest */
	uint64_t restarts;
	uint64_t connections;
	uint64_t rate_tenths;
	uint64_t p50_us, p99_us;               /* since the start */
	uint64_t recent_p50_us, recent_p99_us; /* of the last seconds, if somebody has set them */
	struct histogram latency;
	unsigned urgency;   /* 0: it is well; the greater the worse */
	int64_t pss_bytes;  /* of all its processes; -1: unknown */
	int64_t cpu_ms;     /* the same */
	int64_t cpu_tenths; /* percent of a processor, in tenths; -1: unknown */
	bool has_certificate, ends_soon;
	int64_t days_left;
	const json_t *json; /* borrowed: the port in the status */
};

enum row_key {
	ROW_PORT,
	ROW_STATE,
	ROW_CONNECTIONS,
	ROW_RATE,
	ROW_P99,
	ROW_MEMORY,
	ROW_CPU,
	ROW_CERTIFICATE,
	ROW_KEYS
};

/* The rows of a status, which has to outlive them, by port; free() ends them. NULL without memory,
 * or without ports: *ret_count says 0 then. */
struct row *rows_read(const json_t *status, size_t *ret_count);
/* Adds what /proc says: pss, cpu, and cpu_tenths as the mean over the lives of the processes. */
void rows_look(struct row *, size_t count);
/* The largest first (of latencies the recent ones) but for port, state and certificate, where the
 * least is; reversed, the other way round. Ports decide between equals. */
void rows_sort(struct row *, size_t count, enum row_key, bool reversed);

/* Those that need somebody before the others, the worst first, else in the order that they have.
 * Returns how many those are. */
size_t rows_urgent_first(struct row *, size_t count);
/* Why it does not serve, or not as it should: "parked: cannot listen on ..."; nothing for a row
 * that is well. Printable. */
void row_reason(struct text *, const struct row *);

enum rows_layout {
	ROWS_STATUS,   /* 79 columns wide */
	ROWS_TOP,      /* 80: latencies of the last seconds beside the others */
	ROWS_TOP_WIDE, /* 94: all there is */
};
#define ROWS_WIDE 94

/* As a table; table_release() ends it. 0, or -1 without memory. */
int rows_table(struct table *, const struct row *, size_t count, enum rows_layout);

/* What all of them do together: "total 9 connections, 12.5 req/s, ..." */
struct rows_totals {
	uint64_t connections, rate_tenths, restarts;
	int64_t pss_bytes, cpu_tenths; /* -1: unknown */
	unsigned ending;               /* certificates that end soon */
	struct histogram recent;       /* added by whoever has it */
};
void rows_total(struct rows_totals *, const struct row *, size_t count);
void totals_describe(struct text *, const struct rows_totals *);

/* "3 of 4 ports serving, 1 parked", out of a status. */
void rows_summary(struct text *, const json_t *status);
/* "bulkhead 0.1.0, pid 4242, up 3d04h, log level info, /etc/bulkhead.conf" */
void rows_headline(struct text *, const json_t *status);

#endif
