/* Runs in the workers: the filters of one exchange, in their order. Must cost an exchange without
 * filters nothing but a test. */
#include "http/filter.h"

#include <string.h>

#include "internal.h"

static struct filter_use *filters_room(struct exchange *ex)
{
	if (ex->filters == NULL)
		ex->filters = arena_take(&ex->arena, FILTERS_MAX * sizeof(*ex->filters));
	return ex->filters;
}

/* A body that was not invited yet is not waited for, either. */
static void request_waits(struct exchange *ex)
{
	ex->waiting = true;
	ex->take_blocked = ex->request.expect_continue;
}

static enum filter_verdict filter_ask(struct exchange *ex, struct filter_use *use)
{
	return use->filter->begin != NULL ? use->filter->begin(ex, use) : FILTER_PASSES;
}

/* The request goes on: to the filters that were not asked yet, then to the handler. */
static void filters_run(struct exchange *ex)
{
	while (ex->filters_asked < ex->filters_count) {
		struct filter_use *use = &ex->filters[ex->filters_asked++];
		switch (filter_ask(ex, use)) {
		case FILTER_PASSES:
			break;
		case FILTER_LEAVES:
			use->filter = NULL;
			break;
		case FILTER_ANSWERS:
			ex->filters_count = ex->filters_asked;
			break;
		case FILTER_WAITS:
			request_waits(ex);
			return;
		}
	}
	if (ex->handler == NULL)
		exchange_handle(ex, ex->location);
}

bool filters_begin(struct exchange *ex)
{
	const struct http_location *l = ex->location;
	if (filters_room(ex) == NULL)
		return false;
	for (size_t i = 0; i < l->filters_count; i++)
		ex->filters[i] = (struct filter_use){
		    .filter = l->filters[i].filter,
		    .config = l->filters[i].config,
		    .local = http_local(ex->loop, l->filters[i].local),
		};
	ex->filters_count = ex->filters_asked = 0;
	ex->filters_count = (uint8_t)l->filters_count;
	const bool nested = exchange_enter(ex);
	filters_run(ex);
	exchange_leave(ex, nested);
	return true;
}

struct filter_use *filter_add(struct exchange *ex, const struct filter *filter, void *local)
{
	if (ex->filters_count == FILTERS_MAX || filters_room(ex) == NULL)
		return NULL;
	struct filter_use *use = &ex->filters[ex->filters_count++];
	*use = (struct filter_use){.filter = filter, .local = local};
	ex->filters_asked = ex->filters_count;
	return use;
}

void filter_apply(struct exchange *ex, enum filter_verdict verdict)
{
	ex->handler = NULL;
	memset(ex->state, 0, sizeof(ex->state));
	ex->waiting = false;
	if (verdict == FILTER_WAITS)
		request_waits(ex);
	else
		filters_run(ex);
}

void filter_continue(struct exchange *ex)
{
	if (!ex->waiting)
		return;
	ex->waiting = false;
	const bool nested = exchange_enter(ex);
	filters_run(ex);
	if (ex->request_over && !ex->waiting)
		exchange_take_end(ex);
	exchange_leave(ex, nested);
	exchange_wake(ex);
}

void filter_answer(struct exchange *ex, unsigned status)
{
	if (!ex->waiting)
		return;
	ex->waiting = false;
	ex->filters_count = ex->filters_asked;
	const bool nested = exchange_enter(ex);
	exchange_answer(ex, status, 0);
	exchange_leave(ex, nested);
	exchange_wake(ex);
}

void filters_head(struct exchange *ex)
{
	for (size_t i = ex->filters_count; i > 0; i--) {
		struct filter_use *use = &ex->filters[i - 1];
		if (use->filter != NULL && use->filter->head != NULL)
			use->filter->head(ex, use);
	}
}

long filters_give(struct exchange *ex, size_t from, uint8_t *out, size_t size)
{
	for (size_t i = from; i < ex->filters_count; i++) {
		struct filter_use *use = &ex->filters[i];
		if (use->filter != NULL && use->filter->give != NULL)
			return use->filter->give(ex, use, out, size);
	}
	return exchange_body(ex, out, size);
}

long filter_give_next(struct exchange *ex, struct filter_use *use, uint8_t *out, size_t size)
{
	return filters_give(ex, (size_t)(use - ex->filters) + 1, out, size);
}

void filters_end(struct exchange *ex)
{
	for (size_t i = ex->filters_asked; i > 0; i--) {
		struct filter_use *use = &ex->filters[i - 1];
		if (use->filter != NULL && use->filter->end != NULL)
			use->filter->end(ex, use);
	}
	ex->filters_count = ex->filters_asked = 0;
	ex->waiting = false;
}
