/* Runs in the master: the senders of orders, who wait for an answer. Must never free one: the
 * sender owns it. */
#include "master/ground/state.h"

void askers_add(struct asker **list, struct asker *a)
{
	if (a == NULL)
		return;
	a->next = *list;
	*list = a;
}

void askers_tell(struct asker **list, const char *error)
{
	while (*list != NULL) {
		struct asker *a = *list;
		*list = a->next;
		a->next = NULL;
		a->told(a, error);
	}
}

static void forget(struct asker **list, const struct asker *a)
{
	while (*list != NULL && *list != a)
		list = &(*list)->next;
	if (*list != NULL)
		*list = a->next;
}

void asker_forget(struct master *m, struct asker *a)
{
	forget(&m->roll.askers, a);
	forget(&m->reload_askers, a);
	forget(&m->dry_run_askers, a);
	forget(&m->upgrade.wanting, a);
	forget(&m->upgrade.askers, a);
	for (size_t i = 0; i < m->ports_count; i++) {
		forget(&m->ports[i]->ordered, a);
		forget(&m->ports[i]->waiting, a);
		forget(&m->ports[i]->stopping, a);
	}
}

void askers_tell_all(struct master *m, const char *error)
{
	askers_tell(&m->reload_askers, error);
	askers_tell(&m->dry_run_askers, error);
	askers_tell(&m->upgrade.wanting, error);
	askers_tell(&m->upgrade.askers, error);
	for (size_t i = 0; i < m->ports_count; i++) {
		askers_tell(&m->ports[i]->ordered, error);
		askers_tell(&m->ports[i]->waiting, error);
	}
}
