/*
 * The ports of a status, one row each: the server's data and those of /proc. Pure except for
 * rows_look().
 */
#ifndef CTL_ROWS_H
#define CTL_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "ctl/latency.h"

struct row {
	uint16_t port;
	char state[16];
	unsigned serving, wanted; /* workers */
	uint64_t uptime_ms;       /* of the oldest worker */
	uint64_t restarts;
	uint64_t connections;
	uint64_t rate_tenths;
	uint64_t p50_us, p99_us;               /* since the start */
	uint64_t recent_p50_us, recent_p99_us; /* of the last seconds, if they were set */
	struct histogram latency;
	unsigned urgency;   /* 0: the port is well; a greater number is worse */
	int64_t pss_bytes;  /* of all its processes; -1: unknown */
	int64_t cpu_ms;     /* the same */
	int64_t cpu_tenths; /* percent of a processor, in tenths; -1: unknown */
	bool plain;         /* without TLS */
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

/* The rows of a status, ordered by port; the status must outlive them. The caller uses free(). NULL
 * without memory, or without ports: then *ret_count is 0. */
struct row *rows_read(const json_t *status, size_t *ret_count);
/* Adds the data of /proc: pss, cpu, and cpu_tenths as the mean over the lives of the processes. */
void rows_look(struct row *, size_t count);
/* Sorts, the largest first (by the recent latencies), except by port, state and certificate: the
 * smallest first. reversed: the opposite. Equal rows are ordered by port. */
void rows_sort(struct row *, size_t count, enum row_key, bool reversed);

/* Moves the rows that need attention to the front, the worst first, and keeps the order otherwise.
 * Returns their number. */
size_t rows_urgent_first(struct row *, size_t count);
/* Writes why the port does not serve as it should: "parked: cannot listen on ..."; nothing for a
 * row that is well. Printable. */
void row_reason(struct text *, const struct row *);

#endif
