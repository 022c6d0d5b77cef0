/* bulkheadctl: columns. */
#include "ctl/table.h"

#include <stdlib.h>
#include <string.h>

void table_init(struct table *t, const char *const *titles, size_t columns)
{
	*t = (struct table){.titles = titles, .columns = columns};
}

void table_release(struct table *t)
{
	free(t->cells);
	t->cells = NULL;
	t->rows = 0;
}

char (*table_row(struct table *t))[TABLE_CELL]
{
	const size_t cells = t->rows * t->columns;
	char(*more)[TABLE_CELL] = reallocarray(t->cells, cells + t->columns, sizeof(*more));
	if (more == NULL)
		return NULL;
	t->cells = more;
	t->rows++;
	memset(more[cells], 0, t->columns * sizeof(*more));
	return more + cells;
}

static bool to_the_right(const struct table *t, size_t column)
{
	return t->titles[column][0] == '>';
}

static const char *title(const struct table *t, size_t column)
{
	return t->titles[column] + to_the_right(t, column);
}

void table_measure(struct table *t)
{
	for (size_t c = 0; c < t->columns; c++) {
		t->widths[c] = strlen(title(t, c));
		for (size_t r = 0; r < t->rows; r++) {
			const size_t len = strlen(t->cells[r * t->columns + c]);
			if (len > t->widths[c])
				t->widths[c] = len;
		}
	}
}

static void blanks_add(struct text *out, size_t count)
{
	while (count-- > 0)
		text_add_char(out, ' ');
}

static void cell_add(const struct table *t, size_t column, const char *cell, struct text *out)
{
	const size_t fill = t->widths[column] - strlen(cell);
	if (to_the_right(t, column))
		blanks_add(out, fill);
	text_add_str(out, cell);
	if (!to_the_right(t, column))
		blanks_add(out, fill);
	if (column + 1 < t->columns)
		text_add_char(out, ' ');
}

static void end(struct text *out)
{
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

void table_title_line(const struct table *t, struct text *out)
{
	for (size_t c = 0; c < t->columns; c++)
		cell_add(t, c, title(t, c), out);
	end(out);
}

void table_line(const struct table *t, size_t row, struct text *out)
{
	for (size_t c = 0; c < t->columns; c++)
		cell_add(t, c, t->cells[row * t->columns + c], out);
	end(out);
}
