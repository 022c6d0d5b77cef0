/*
 * Runs in the master: messages to a child. One that has not been handed everything yet could not
 * read them, so they wait (handover.c sends them).
 */
#include <string.h>

#include "master/child/child.h"

int child_send(struct child *c, enum ipc_type type, const void *payload, size_t len)
{
	if (!c->handing.under_way)
		return ipc_send(c->channel.fd, type, payload, len, NULL, 0);
	if (type == IPC_SETTINGS)
		memcpy(&c->handing.settings, payload, sizeof(c->handing.settings));
	c->handing.later |= 1u << type;
	return 0;
}
