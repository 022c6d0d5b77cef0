/* Runs in children while they start. */
#include "base/same.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int same_compare(const void *a, const void *b, void *arg)
{
	const char *const *texts = arg;
	const uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const int order = strcmp(texts[i], texts[k]);
	return order != 0 ? order : i < k ? -1 : 1;
}

int same_texts(const char *const *texts, size_t count, uint32_t *ret_firsts)
{
	uint32_t *order = calloc(count + 1, sizeof(*order));
	if (order == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), same_compare, (void *)(uintptr_t)texts);
	for (size_t i = 0; i < count; i++) {
		const uint32_t before = order[i > 0 ? i - 1 : 0], this = order[i];
		ret_firsts[this] =
		    i > 0 && strcmp(texts[before], texts[this]) == 0 ? ret_firsts[before] : this;
	}
	free(order);
	return 0;
}
