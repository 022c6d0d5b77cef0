/* Runs in the master: sends settings to all children. */
#include "master/change/change.h"

void master_settings(struct master *m)
{
	const struct ipc_settings settings = {.log_level = m->log.level,
					      .drain_ms = m->conf->drain_ms};
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++) {
			struct child *c = &m->ports[i]->children[k];
			if (c->state != CHILD_NONE && c->channel.fd >= 0)
				(void)child_send(c, IPC_SETTINGS, &settings, sizeof(settings));
		}
}

void master_log_level(struct master *m, int priority)
{
	m->log.level = priority;
	master_settings(m);
}
