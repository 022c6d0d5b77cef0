/*
 * How often requests to an upstream may be tried again: a part of all requests, and a small
 * reserve, so that the first failures can be. When everything fails, retries would only make it
 * worse.
 *
 * Pure. Per event loop and upstream.
 */
#ifndef UPSTREAM_BUDGET_H
#define UPSTREAM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define UPSTREAM_RETRIES_RESERVE 10  /* at the start */
#define UPSTREAM_RETRIES_MAX     100 /* that can be saved */

struct upstream_budget {
	uint32_t hundredths; /* of a retry */
};

static inline struct upstream_budget upstream_budget_new(void)
{
	return (struct upstream_budget){UPSTREAM_RETRIES_RESERVE * 100};
}

/* For each request, once: percent is conf_upstream.retry_percent. */
static inline void upstream_budget_earn(struct upstream_budget *b, uint32_t percent)
{
	const uint32_t most = UPSTREAM_RETRIES_MAX * 100;
	b->hundredths = percent < most - b->hundredths ? b->hundredths + percent : most;
}

/* For each retry. False: there are too many. */
static inline bool upstream_budget_spend(struct upstream_budget *b)
{
	if (b->hundredths < 100)
		return false;
	b->hundredths -= 100;
	return true;
}

#endif
