/*
 * A table of short texts in columns as wide as needed, one blank between them. Pure.
 *
 * Titles are static and belong to the caller; a title that begins with '>' (not shown) aligns its
 * column to the right. Cells are copied, and cut at TABLE_CELL - 1 bytes.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define TABLE_COLUMNS 16
#define TABLE_CELL    24

struct table {
	const char *const *titles;
	size_t columns;
	size_t widths[TABLE_COLUMNS];
	char (*cells)[TABLE_CELL]; /* owned: rows * columns */
	size_t rows;
};

void table_init(struct table *, const char *const *titles, size_t columns);
void table_release(struct table *);
/* Adds a row of empty cells: returns its first one, NULL without memory. Fill a row before adding
 * the next; call table_measure() after the last. */
char (*table_row(struct table *))[TABLE_CELL];
void table_measure(struct table *);
/* Write one line without a newline, and without blanks at its end. */
void table_title_line(const struct table *, struct text *);
void table_line(const struct table *, size_t row, struct text *);

#endif
