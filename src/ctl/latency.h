/*
 * Latencies from the histograms of a status; those of the last seconds are the difference of two.
 * Pure.
 */
#ifndef CTL_LATENCY_H
#define CTL_LATENCY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MAX   32 /* more classes than a server has */
#define LATENCY_MS      10000
#define LATENCY_SLACK   500 /* samples are not exactly on time */
#define LATENCY_SAMPLES 12

struct histogram {
	size_t count;                      /* of classes; 0: none */
	uint64_t bounds_us[HISTOGRAM_MAX]; /* upper bounds; the last class has none */
	uint64_t counts[HISTOGRAM_MAX];
};

/* Reads the histogram of a port in a status; an invalid one becomes empty. */
void histogram_read(struct histogram *, const json_t *port);
/* Adds b to a, which may be empty. If the bounds differ, a does not change. */
void histogram_add(struct histogram *a, const struct histogram *b);
/* In microseconds, interpolated as in the server; 0: nothing was counted. */
uint64_t histogram_percentile(const struct histogram *, unsigned percent);

/* The histogram of a port at several times. */
struct latencies {
	uint16_t port;
	size_t used, next;
	uint64_t at_ms[LATENCY_SAMPLES];
	struct histogram samples[LATENCY_SAMPLES];
};

/* Adds a sample. If it counts less than the last one, the server is another one, and the samples
 * begin again. */
void latencies_look(struct latencies *, const struct histogram *, uint64_t now_ms);
/* The counts of the last LATENCY_MS, or since the first sample. */
void latencies_recent(const struct latencies *, struct histogram *ret, uint64_t now_ms);

#endif
