/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/same.h"

static bool files_equal(const struct plan_port *a, const struct plan_port *b)
{
	if (a->files_count != b->files_count)
		return false;
	for (size_t i = 0; i < a->files_count; i++)
		if (!file_mark_equal(&a->files[i].mark, &b->files[i].mark))
			return false;
	return true;
}

static struct plan_row judge(uint16_t number, const struct plan_port *now,
			     const struct plan_port *wanted)
{
	struct plan_row row = {.port = number, .why = ""};
	if (now == NULL) {
		row.action = PLAN_NEW;
		row.why = "is not served yet";
	} else if (wanted == NULL) {
		row.action = PLAN_DROP;
		row.why = "is no longer configured";
	} else if (strcmp(now->text, wanted->text) != 0) {
		row.action = PLAN_CHANGE;
		row.why = "is configured differently";
	} else if (!files_equal(now, wanted)) {
		row.action = PLAN_CHANGE;
		row.files_only = true;
		row.why = "has a changed file";
	} else {
		row.action = PLAN_KEEP;
	}
	return row;
}

/* What is known of each different name of a file. */
struct named {
	const struct file_mark *before; /* NULL: it is in the new configuration alone */
	bool told;
};

/* For each file of now and then of wanted, the first of them with its name: as many numbers as both
 * have. NULL: no memory. */
static uint32_t *files_match(const struct plan_port *now, const struct plan_port *wanted)
{
	const size_t count = now->files_count + wanted->files_count;
	const char **names = calloc(count + 1, sizeof(*names));
	uint32_t *firsts = calloc(count + 1, sizeof(*firsts));
	for (size_t i = 0; names != NULL && i < count; i++)
		names[i] = i < now->files_count ? now->files[i].name
						: wanted->files[i - now->files_count].name;
	if (names == NULL || firsts == NULL || same_texts(names, count, firsts) < 0) {
		free(firsts);
		firsts = NULL;
	}
	free(names);
	return firsts;
}

/* Writes a line for each name that both have and whose file has changed. A name that is in one of
 * them alone is in its text. */
static void changes_write(FILE *f, const struct plan_port *now, const struct plan_port *wanted,
			  const uint32_t *firsts, struct named *named)
{
	for (size_t i = 0; i < now->files_count; i++)
		named[firsts[i]].before = &now->files[firsts[i]].mark;
	for (size_t i = 0; i < wanted->files_count; i++) {
		const struct plan_file *file = &wanted->files[i];
		struct named *n = &named[firsts[now->files_count + i]];
		if (n->before == NULL || n->told || file_mark_equal(n->before, &file->mark))
			continue;
		n->told = true;
		(void)fprintf(f, "%s\n", file->name);
	}
}

static int files_describe(struct plan_row *row, const struct plan_port *now,
			  const struct plan_port *wanted)
{
	uint32_t *firsts = files_match(now, wanted);
	struct named *named = calloc(now->files_count + wanted->files_count + 1, sizeof(*named));
	size_t len = 0;
	FILE *f = firsts != NULL && named != NULL ? open_memstream(&row->files, &len) : NULL;
	if (f != NULL)
		changes_write(f, now, wanted, firsts, named);
	free(firsts);
	free(named);
	return f != NULL && fclose(f) == 0 ? 0 : -ENOMEM;
}

/* What is to be shown of a change. */
static int row_describe(struct plan_row *row, const struct plan_port *now,
			const struct plan_port *wanted)
{
	if (row->action != PLAN_CHANGE)
		return 0;
	if (!row->files_only) {
		row->now = strdup(now->text);
		row->wanted = strdup(wanted->text);
		if (row->now == NULL || row->wanted == NULL)
			return -ENOMEM;
	}
	return files_describe(row, now, wanted);
}

int plan_add_common(struct plan *p, const char *now, const char *wanted)
{
	if (strcmp(now, wanted) == 0)
		return 0;
	p->now = strdup(now);
	p->wanted = strdup(wanted);
	return p->now != NULL && p->wanted != NULL ? 0 : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	const struct plan_port *const *left = a, *const *right = b;
	return (*left)->number - (*right)->number;
}

static const struct plan_port **sorted(const struct plan_port *list, size_t count)
{
	const struct plan_port **order = calloc(count + 1, sizeof(const struct plan_port *));
	for (size_t i = 0; order != NULL && i < count; i++)
		order[i] = &list[i];
	if (order != NULL)
		qsort(order, count, sizeof(const struct plan_port *), compare);
	return order;
}

int plan_make(struct plan *ret, const struct plan_port *now, size_t now_count,
	      const struct plan_port *wanted, size_t wanted_count)
{
	const struct plan_port **left = sorted(now, now_count),
			       **right = sorted(wanted, wanted_count);
	struct plan plan = {.rows = calloc(now_count + wanted_count + 1, sizeof(*plan.rows))};
	int error = left == NULL || right == NULL || plan.rows == NULL ? -ENOMEM : 0;
	size_t i = 0, k = 0;
	while (error == 0 && (i < now_count || k < wanted_count)) {
		const bool takes_left =
		    k == wanted_count || (i < now_count && left[i]->number <= right[k]->number);
		const bool takes_right =
		    i == now_count || (k < wanted_count && right[k]->number <= left[i]->number);
		struct plan_row *row = &plan.rows[plan.count++];
		*row = judge(takes_left ? left[i]->number : right[k]->number,
			     takes_left ? left[i] : NULL, takes_right ? right[k] : NULL);
		error =
		    row_describe(row, takes_left ? left[i] : NULL, takes_right ? right[k] : NULL);
		plan.counts[row->action]++;
		i += takes_left;
		k += takes_right;
	}
	free(left);
	free(right);
	if (error < 0)
		plan_release(&plan);
	else
		*ret = plan;
	return error;
}

void plan_row_becomes(struct plan *p, struct plan_row *row, enum plan_action action,
		      const char *why)
{
	p->counts[row->action]--;
	p->counts[action]++;
	row->action = action;
	row->why = why;
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->rows[i].now);
		free(p->rows[i].wanted);
		free(p->rows[i].files);
	}
	free(p->now);
	free(p->wanted);
	free(p->rows);
	*p = (struct plan){.count = 0};
}

const char *plan_action_name(enum plan_action action)
{
	switch (action) {
	case PLAN_KEEP:
		return "keep";
	case PLAN_CHANGE:
		return "change";
	case PLAN_NEW:
		return "new";
	case PLAN_DROP:
		return "drop";
	}
	return "";
}
