/* Runs in the workers, for each request: must not allocate while the first room suffices. */
#include "http/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, void *room, size_t size)
{
	*a =
	    (struct arena){.at = room, .end = (char *)room + size, .room = room, .room_size = size};
}

void arena_free(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *block = a->blocks;
		a->blocks = block->next;
		free(block);
	}
}

/* len is rounded; 0 is what SIZE_MAX has become. */
void *arena_grow(struct arena *a, size_t len)
{
	if (len == 0 || len > SIZE_MAX / 2)
		return NULL;
	const size_t size = len > ARENA_BLOCK ? len : ARENA_BLOCK;
	struct arena_block *block = malloc(sizeof(*block) + size);
	if (block == NULL)
		return NULL;
	block->next = a->blocks;
	a->blocks = block;
	a->at = block->bytes + len;
	a->end = block->bytes + size;
	return block->bytes;
}
