/* Runs in the workers. */
#include "base/holding.h"

void holdings_add(struct holdings *all, struct holding *h)
{
	*h = (struct holding){.next = all->first};
	all->first = h;
}

void holdings_add_up(const struct holdings *all, struct holding *sum)
{
	for (const struct holding *h = all->first; h != NULL; h = h->next) {
		sum->descriptors += __atomic_load_n(&h->descriptors, __ATOMIC_RELAXED);
		sum->memory_bytes += __atomic_load_n(&h->memory_bytes, __ATOMIC_RELAXED);
	}
}
