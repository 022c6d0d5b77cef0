/*
 * What an upstream does wrong on purpose: `fault upstream` has struck this request
 * (filter/fault.h), and from here on it is treated as if the upstream had done that itself. One
 * that is slow is the filter's work: it takes the bytes as they are due.
 */
#ifndef HANDLER_PROXY_FAULT_H
#define HANDLER_PROXY_FAULT_H

#include "fault/fault.h"
#include "proxy_run.h"

#define PROXY_ON_PURPOSE "on purpose"

static inline bool proxy_struck(const struct proxy_run *p, enum fault_upstream how)
{
	const struct fault *f = p->ex->upstream_fault;
	return f != NULL && f->how == (uint64_t)how;
}

/* How much of a response's body may go to the client before it is cut; 0: it is cut now. */
static inline size_t proxy_uncut(const struct proxy_run *p, size_t size)
{
	if (!proxy_struck(p, FAULT_BY_CUT) || p->tunnel)
		return size;
	const uint64_t after = p->ex->upstream_fault->after;
	const uint64_t left = after > p->given ? after - p->given : 0;
	return left < size ? (size_t)left : size;
}

#endif
