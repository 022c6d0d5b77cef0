/* Runs in the selftest. Must never change what it copies. */
#include "copies.h"

#include <stdlib.h>
#include <string.h>

static int copies_reserve(struct copies *c)
{
	if (c->count < c->room)
		return 0;
	const size_t room = c->room == 0 ? 16 : 2 * c->room;
	void **list = reallocarray(c->list, room, sizeof(*list));
	if (list == NULL)
		return -1;
	c->list = list;
	c->room = room;
	return 0;
}

void *copies_add(struct copies *c, const void *data, size_t size, size_t zeros)
{
	void *copy = copies_reserve(c) < 0 ? NULL : calloc(1, size + zeros + 1);
	if (copy == NULL)
		return NULL;
	if (size > 0)
		memcpy(copy, data, size);
	c->list[c->count++] = copy;
	return copy;
}

void copies_release(struct copies *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->list[i]);
	free(c->list);
	*c = (struct copies){0};
}
