/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
		row.why = "has another certificate or key";
	} else {
		row.action = PLAN_KEEP;
	}
	return row;
}

/* Mostly the file is in the same place; a changed configuration may have moved it. */
static const struct file_mark *mark_find(const struct plan_port *p, size_t place, const char *name)
{
	if (place < p->files_count && strcmp(p->files[place].name, name) == 0)
		return &p->files[place].mark;
	for (size_t i = 0; i < p->files_count; i++)
		if (strcmp(p->files[i].name, name) == 0)
			return &p->files[i].mark;
	return NULL;
}

/* Does an earlier file have the same name? */
static bool is_named_before(const struct plan_port *p, size_t place)
{
	for (size_t i = 0; i < place; i++)
		if (strcmp(p->files[i].name, p->files[place].name) == 0)
			return true;
	return false;
}

/* Those that both name. A name that is in one of them alone is in its text. */
static int files_describe(struct plan_row *row, const struct plan_port *now,
			  const struct plan_port *wanted)
{
	size_t len = 0;
	FILE *f = open_memstream(&row->files, &len);
	if (f == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < wanted->files_count; i++) {
		const struct plan_file *file = &wanted->files[i];
		const struct file_mark *before = mark_find(now, i, file->name);
		if (before != NULL && !file_mark_equal(before, &file->mark) &&
		    !is_named_before(wanted, i))
			(void)fprintf(f, "%s\n", file->name);
	}
	return fclose(f) == 0 ? 0 : -ENOMEM;
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
