/*
 * States of version 2, which the programs before the first release wrote. They handed over the
 * totals of a port as bytes, and no layout of their children's memory, because they only took over
 * from programs whose structs had the same sizes. What those were is written down here, once.
 */
#ifndef MASTER_VERSION2_H
#define MASTER_VERSION2_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/view.h"

#define VERSION_2_NUMBERS 42

/* Sizes and counts that such a state states; the reader compares them. name NULL: the last one. */
struct version_2_size {
	const char *name;
	int64_t value;
};
extern const struct version_2_size version_2_sizes[];

/* The layout of a child's memory. */
void version_2_layout(struct ipc_layout *);
/* The totals of a port, from its bytes. */
void version_2_totals(struct ipc_counters *, const uint64_t totals[VERSION_2_NUMBERS]);

#endif
