/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/expiry.h"

#include <stdlib.h>

#include "base/same.h"
#include "base/validity.h"

bool expiry_is_due(const struct expiry *e, int64_t now)
{
	if (!validity_ends_soon(e->begins, e->ends, now))
		return false;
	return e->told == 0 || now < e->told || now - e->told >= VALIDITY_DAY;
}

static bool is_before(const struct expiry *a, const struct expiry *b, int64_t now)
{
	const bool near = validity_ends_soon(a->begins, a->ends, now);
	if (near != validity_ends_soon(b->begins, b->ends, now))
		return near;
	return a->ends < b->ends;
}

size_t expiry_first(const struct expiry *all, size_t count, int64_t now)
{
	size_t first = count;
	for (size_t i = 0; i < count; i++)
		if (all[i].ends != 0 && (first == count || is_before(&all[i], &all[first], now)))
			first = i;
	return first;
}

/* The first of the olds that has a name is the first of all that has it. */
static void expiries_copy(const struct expiry_of *heirs, size_t heirs_count,
			  const struct expiry_of *olds, size_t olds_count, const uint32_t *firsts)
{
	for (size_t i = 0; i < heirs_count; i++) {
		const uint32_t first = firsts[olds_count + i];
		if (first < olds_count && heirs[i].expiry->ends == olds[first].expiry->ends)
			heirs[i].expiry->told = olds[first].expiry->told;
	}
}

void expiries_inherit(const struct expiry_of *heirs, size_t heirs_count,
		      const struct expiry_of *olds, size_t olds_count)
{
	const size_t count = olds_count + heirs_count;
	const char **names = calloc(count + 1, sizeof(*names));
	uint32_t *firsts = calloc(count + 1, sizeof(*firsts));
	for (size_t i = 0; names != NULL && i < count; i++)
		names[i] = i < olds_count ? olds[i].name : heirs[i - olds_count].name;
	if (names != NULL && firsts != NULL && same_texts(names, count, firsts) == 0)
		expiries_copy(heirs, heirs_count, olds, olds_count, firsts);
	free(names);
	free(firsts);
}
