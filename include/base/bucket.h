/*
 * A token bucket: it fills with per_second tokens a second, up to a capacity. The caller passes
 * both each time, because a reload may change them. Pure: the caller passes the time.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t thousandths; /* of a token: the content at that time; more than its capacity counts
				 as full */
	uint64_t since_ms;
};

static inline struct bucket bucket_full(uint64_t now_ms)
{
	return (struct bucket){UINT64_MAX, now_ms};
}

/* Takes that many tokens, or as many as fit if that is less; false: there are not enough, and none
 * is taken. per_second is not 0, and capacity is less than UINT64_MAX / 1000. */
static inline bool bucket_take(struct bucket *b, uint64_t tokens, uint64_t per_second,
			       uint64_t capacity, uint64_t now_ms)
{
	const uint64_t full = capacity * 1000, passed_ms = now_ms - b->since_ms;
	const uint64_t cost = (tokens < capacity ? tokens : capacity) * 1000;
	b->since_ms = now_ms;
	/* written this way it cannot overflow */
	if (b->thousandths >= full || passed_ms > (full - b->thousandths) / per_second)
		b->thousandths = full;
	else
		b->thousandths += passed_ms * per_second;
	if (b->thousandths < cost)
		return false;
	b->thousandths -= cost;
	return true;
}

/* Is it full by now? A new one could then take its place. */
static inline bool bucket_is_full(const struct bucket *b, uint64_t per_second, uint64_t capacity,
				  uint64_t now_ms)
{
	const uint64_t full = capacity * 1000;
	return b->thousandths >= full ||
	       now_ms - b->since_ms >= (full - b->thousandths + per_second - 1) / per_second;
}

/* After bucket_take() was refused: the milliseconds until it would be granted. */
static inline uint64_t bucket_wait_ms(const struct bucket *b, uint64_t tokens, uint64_t per_second,
				      uint64_t capacity)
{
	const uint64_t cost = (tokens < capacity ? tokens : capacity) * 1000;
	return b->thousandths < cost ? (cost - b->thousandths + per_second - 1) / per_second : 0;
}

#endif
