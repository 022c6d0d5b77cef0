/* Runs in the master. Must never trust a counter: a child can set it to any number. */
#include "master/pure/rate.h"

void rate_look(struct rate *r, uint64_t count, uint64_t now_ms)
{
	unsigned last = (r->next + RATE_SECONDS) % (RATE_SECONDS + 1);
	if (r->kept > 0 && count < r->counts[last])
		r->kept = 0;
	r->counts[r->next] = count;
	r->times_ms[r->next] = now_ms;
	r->next = (r->next + 1) % (RATE_SECONDS + 1);
	if (r->kept <= RATE_SECONDS)
		r->kept++;
}

uint64_t rate_tenths(const struct rate *r)
{
	if (r->kept < 2)
		return 0;
	unsigned last = (r->next + RATE_SECONDS) % (RATE_SECONDS + 1);
	unsigned first = (r->next + RATE_SECONDS + 1 - r->kept) % (RATE_SECONDS + 1);
	uint64_t count = r->counts[last] - r->counts[first];
	uint64_t ms = r->times_ms[last] - r->times_ms[first];
	if (ms == 0 || count > UINT64_MAX / 10000)
		return 0;
	return count * 10000 / ms;
}

uint64_t latency_percentile(const uint64_t latency[IPC_LATENCIES], unsigned percent)
{
	static const uint32_t bounds[] = IPC_LATENCY_BOUNDS;
	double total = 0, below = 0;
	for (unsigned i = 0; i < IPC_LATENCIES; i++)
		total += (double)latency[i];
	if (total <= 0)
		return 0;
	const double wanted = total * percent / 100;
	for (unsigned i = 0; i < IPC_LATENCIES - 1; i++) {
		const double here = (double)latency[i];
		if (here > 0 && below + here >= wanted) {
			const double from = i > 0 ? bounds[i - 1] : 0;
			return (uint64_t)(from + (bounds[i] - from) * (wanted - below) / here);
		}
		below += here;
	}
	return bounds[IPC_LATENCIES - 2];
}
