/* bulkheadctl: latencies of the last seconds. Must never trust a count: a process that was taken
 * over can set its own to any number. */
#include "ctl/latency.h"

#include <stdbool.h>
#include <string.h>

static uint64_t natural_at(const json_t *list, size_t i)
{
	const json_int_t value = json_integer_value(json_array_get(list, i));
	return value > 0 ? (uint64_t)value : 0;
}

void histogram_read(struct histogram *h, const json_t *port)
{
	const json_t *latency = json_object_get(port, "latency");
	const json_t *bounds = json_object_get(latency, "bounds_us");
	const json_t *counts = json_object_get(latency, "counts");
	const size_t count = json_array_size(counts);
	*h = (struct histogram){.count = 0};
	if (count < 2 || count > HISTOGRAM_MAX || json_array_size(bounds) != count - 1)
		return;
	h->count = count;
	for (size_t i = 0; i < count; i++) {
		h->counts[i] = natural_at(counts, i);
		h->bounds_us[i] = i < count - 1 ? natural_at(bounds, i) : 0;
	}
}

static bool same_bounds(const struct histogram *a, const struct histogram *b)
{
	return a->count == b->count &&
	       memcmp(a->bounds_us, b->bounds_us, a->count * sizeof(a->bounds_us[0])) == 0;
}

void histogram_add(struct histogram *a, const struct histogram *b)
{
	if (a->count == 0)
		*a = *b;
	else if (same_bounds(a, b))
		for (size_t i = 0; i < a->count; i++)
			if (__builtin_add_overflow(a->counts[i], b->counts[i], &a->counts[i]))
				a->counts[i] = UINT64_MAX;
}

uint64_t histogram_percentile(const struct histogram *h, unsigned percent)
{
	double total = 0, below = 0;
	for (size_t i = 0; i < h->count; i++)
		total += (double)h->counts[i];
	if (total <= 0)
		return 0;
	const double wanted = total * percent / 100;
	for (size_t i = 0; i + 1 < h->count; i++) {
		const double here = (double)h->counts[i];
		if (here > 0 && below + here >= wanted) {
			const double from = i > 0 ? (double)h->bounds_us[i - 1] : 0;
			const double width = (double)h->bounds_us[i] - from;
			return (uint64_t)(from + (width > 0 ? width : 0) * (wanted - below) / here);
		}
		below += here;
	}
	return h->bounds_us[h->count - 2];
}

/* The i-th sample before the next one to be written: 1 is the last. */
static size_t sample_before(const struct latencies *l, size_t i)
{
	return (l->next + LATENCY_SAMPLES - i) % LATENCY_SAMPLES;
}

static bool counts_less(const struct histogram *now, const struct histogram *before)
{
	if (!same_bounds(now, before))
		return true;
	for (size_t i = 0; i < now->count; i++)
		if (now->counts[i] < before->counts[i])
			return true;
	return false;
}

void latencies_look(struct latencies *l, const struct histogram *h, uint64_t now_ms)
{
	if (l->used > 0 && counts_less(h, &l->samples[sample_before(l, 1)]))
		l->used = 0;
	l->samples[l->next] = *h;
	l->at_ms[l->next] = now_ms;
	l->next = (l->next + 1) % LATENCY_SAMPLES;
	if (l->used < LATENCY_SAMPLES)
		l->used++;
}

void latencies_recent(const struct latencies *l, struct histogram *ret, uint64_t now_ms)
{
	*ret = (struct histogram){.count = 0};
	if (l->used < 2)
		return;
	const struct histogram *last = &l->samples[sample_before(l, 1)];
	size_t oldest = 1;
	while (oldest < l->used &&
	       now_ms - l->at_ms[sample_before(l, oldest + 1)] <= LATENCY_MS + LATENCY_SLACK)
		oldest++;
	const struct histogram *first = &l->samples[sample_before(l, oldest)];
	*ret = *last;
	for (size_t i = 0; i < last->count; i++)
		ret->counts[i] -= first->counts[i];
}
