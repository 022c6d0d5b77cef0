/*
 * What the parts of an event loop hold: descriptors, and memory by its upper bound.
 *
 * Each part that keeps descriptors, or much memory, beyond one call has a row among the holdings of
 * its loop (connections; later a pool of upstreams, a cache of files), and changes it as it opens
 * and closes. When something runs out, the process adds up the rows: what no row accounts for is
 * lost to a leak.
 *
 * A row is written by its loop's thread alone; any thread may read it.
 */
#ifndef BASE_HOLDING_H
#define BASE_HOLDING_H

#include <stddef.h>
#include <stdint.h>

struct holding {
	uint64_t descriptors;
	uint64_t memory_bytes;
	struct holding *next;
};

struct holdings {
	struct holding *first;
};

/* Adds an empty row, which must live as long as the holdings. Call it before other threads read. */
void holdings_add(struct holdings *, struct holding *);

/* Adds the sums over all rows to *sum. */
void holdings_add_up(const struct holdings *, struct holding *sum);

static inline void holding_change(struct holding *h, int64_t descriptors, int64_t memory_bytes)
{
	__atomic_store_n(&h->descriptors, h->descriptors + (uint64_t)descriptors, __ATOMIC_RELAXED);
	__atomic_store_n(&h->memory_bytes, h->memory_bytes + (uint64_t)memory_bytes,
			 __ATOMIC_RELAXED);
}

#endif
