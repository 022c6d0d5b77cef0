/*
 * How often something happens, from a counter that is looked at once a second, and how long things
 * take, from a histogram. Pure: no clock, no allocation.
 */
#ifndef MASTER_RATE_H
#define MASTER_RATE_H

#include <stdint.h>

#include "ipc/slot.h"

#define RATE_SECONDS 10

struct rate {
	uint64_t counts[RATE_SECONDS + 1]; /* a ring: the counter at the last looks */
	uint64_t times_ms[RATE_SECONDS + 1];
	unsigned next;
	unsigned kept;
};

/* The counter is count now, CLOCK_MONOTONIC in milliseconds. A counter that has become less begins
 * anew. */
void rate_look(struct rate *, uint64_t count, uint64_t now_ms);

/* The mean per second of the last RATE_SECONDS, or of as much as is known, in tenths. */
uint64_t rate_tenths(const struct rate *);

/*
 * What so many percent (0 to 100) do not exceed, in microseconds: within the bucket where that is,
 * as if its members were spread evenly. 0 where nothing was counted; what exceeds the last bound
 * counts as that.
 */
uint64_t latency_percentile(const uint64_t latency[IPC_LATENCIES], unsigned percent);

#endif
