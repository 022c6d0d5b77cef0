/*
 * The rate of an event, from a counter that is read once a second, and percentiles of durations,
 * from a histogram. Pure: no clock, no allocation.
 */
#ifndef MASTER_RATE_H
#define MASTER_RATE_H

#include <stdint.h>

#include "ipc/slot.h"

#define RATE_SECONDS 10

struct rate {
	uint64_t counts[RATE_SECONDS + 1]; /* a ring of the last readings */
	uint64_t times_ms[RATE_SECONDS + 1];
	unsigned next;
	unsigned kept;
};

/* Adds a reading; now_ms is CLOCK_MONOTONIC. If the counter became smaller, the history begins
 * again. */
void rate_look(struct rate *, uint64_t count, uint64_t now_ms);

/* The mean per second over the last RATE_SECONDS, or as much as is known, in tenths. */
uint64_t rate_tenths(const struct rate *);

/*
 * The percentile (0 to 100) in microseconds, interpolated within its bucket. 0 if nothing was
 * counted; values above the last bound count as that bound.
 */
uint64_t latency_percentile(const uint64_t latency[IPC_LATENCIES], unsigned percent);

#endif
