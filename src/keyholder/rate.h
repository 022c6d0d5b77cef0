/*
 * A token bucket: per_second tokens a second, and a capacity of as many or of at_once, whichever is
 * more. Pure; src/keyholder only.
 */
#ifndef KEYHOLDER_RATE_H
#define KEYHOLDER_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint32_t per_second;
	uint64_t full;        /* capacity, in thousandths of a token */
	uint64_t thousandths; /* the content now */
	uint64_t since_ms;    /* the time of that content */
};

static inline void rate_init(struct rate *r, uint32_t per_second, uint64_t at_once, uint64_t now_ms)
{
	uint64_t full = (per_second > at_once ? per_second : at_once) * 1000;
	*r = (struct rate){per_second, full, full, now_ms};
}

/* Takes a token; false if there is none. */
static inline bool rate_take(struct rate *r, uint64_t now_ms)
{
	uint64_t room = r->full - r->thousandths, passed_ms = now_ms - r->since_ms;
	r->since_ms = now_ms;
	if (passed_ms > room / r->per_second) /* written this way it cannot overflow */
		r->thousandths = r->full;
	else
		r->thousandths += passed_ms * r->per_second;
	if (r->thousandths < 1000)
		return false;
	r->thousandths -= 1000;
	return true;
}

#endif
