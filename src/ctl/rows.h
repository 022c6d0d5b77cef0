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

#include "ctl/table.h"

struct row {
	uint16_t port;
	char state[16];
	unsigned serving, wanted; /* workers */
	uint64_t uptime_ms;       /* of the worker that has lived the longest */
	uint64_t restarts;
	uint64_t connections;
	uint64_t rate_tenths;
	uint64_t p50_us, p99_us;
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
/* The largest first but for port, state and certificate, where the least is; reversed, the other
 * way round. Ports decide between equals. */
void rows_sort(struct row *, size_t count, enum row_key, bool reversed);

/* As a table for 80 columns; table_release() ends it. */
int rows_table(struct table *, const struct row *, size_t count);

/* "3 of 4 ports serving, 1 parked", out of a status. */
void rows_summary(struct text *, const json_t *status);
/* "bulkhead 0.1.0, pid 4242, up 3d04h, log level info, /etc/bulkhead.conf" */
void rows_headline(struct text *, const json_t *status);

#endif
