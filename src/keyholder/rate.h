/*
 * A token bucket: so many per second, as many at once as in a second. Pure; src/keyholder only.
 */
#ifndef KEYHOLDER_RATE_H
#define KEYHOLDER_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint32_t per_second;
	uint64_t thousandths; /* of a token, in the bucket */
	uint64_t since_ms;    /* the time that they were counted for */
};

static inline void rate_init(struct rate *r, uint32_t per_second, uint64_t now_ms)
{
	*r = (struct rate){per_second, (uint64_t)per_second * 1000, now_ms};
}

/* Takes a token; false if there is none. */
static inline bool rate_take(struct rate *r, uint64_t now_ms)
{
	uint64_t full = (uint64_t)r->per_second * 1000;
	uint64_t passed_ms = now_ms - r->since_ms;
	r->since_ms = now_ms;
	r->thousandths = passed_ms >= 1000 ? full : r->thousandths + passed_ms * r->per_second;
	if (r->thousandths > full)
		r->thousandths = full;
	if (r->thousandths < 1000)
		return false;
	r->thousandths -= 1000;
	return true;
}

#endif
