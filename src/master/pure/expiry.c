/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/expiry.h"

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
