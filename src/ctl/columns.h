/*
 * The rows of a status as a table. Pure.
 */
#ifndef CTL_COLUMNS_H
#define CTL_COLUMNS_H

#include <stddef.h>

#include "ctl/rows.h"
#include "ctl/table.h"

enum columns_layout {
	COLUMNS_STATUS,   /* 79 columns wide */
	COLUMNS_TOP,      /* 80: latencies of the last seconds beside those since the start */
	COLUMNS_TOP_WIDE, /* 94: all columns */
};
#define COLUMNS_WIDE 94

/* Makes a table; the caller uses table_release(). Returns 0, or -1 without memory. */
int columns_table(struct table *, const struct row *, size_t count, enum columns_layout);

#endif
