/*
 * Latencies out of the histograms of a status: those of the last seconds are the difference of two.
 * Pure.
 */
#ifndef CTL_LATENCY_H
#define CTL_LATENCY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MAX   32 /* more classes than a server has */
#define LATENCY_MS      10000
#define LATENCY_SLACK   500 /* looks are not on time */
#define LATENCY_SAMPLES 12

struct histogram {
	size_t count;                      /* of classes; 0: none */
	uint64_t bounds_us[HISTOGRAM_MAX]; /* upper ones; the last class has none */
	uint64_t counts[HISTOGRAM_MAX];
};

/* Of a port in a status; empty for what is no histogram. */
void histogram_read(struct histogram *, const json_t *port);
/* Adds b to a, which may be empty. Of other bounds: a stays as it is. */
void histogram_add(struct histogram *a, const struct histogram *b);
/* In microseconds, interpolated as the server does it; 0: nothing was counted. */
uint64_t histogram_percentile(const struct histogram *, unsigned percent);

/* What a port has counted, at several times. */
struct latencies {
	uint16_t port;
	size_t used, next;
	uint64_t at_ms[LATENCY_SAMPLES];
	struct histogram samples[LATENCY_SAMPLES];
};

/* A look. If it counts less than the one before, the server is another one, and this begins again.
 */
void latencies_look(struct latencies *, const struct histogram *, uint64_t now_ms);
/* What was counted in the last LATENCY_MS, or since the first look. */
void latencies_recent(const struct latencies *, struct histogram *ret, uint64_t now_ms);

#endif
