/* Runs in the workers, for each request: must not allocate while the first room suffices. */
#include "http/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char bytes[];
};

static size_t arena_round(size_t len)
{
	return (len + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

void arena_init(struct arena *a, void *room, size_t size)
{
	*a =
	    (struct arena){.at = room, .end = (char *)room + size, .room = room, .room_size = size};
}

void arena_reset(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *block = a->blocks;
		a->blocks = block->next;
		free(block);
	}
	a->at = a->room;
	a->end = a->room + a->room_size;
}

static void *arena_grow(struct arena *a, size_t len)
{
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

void *arena_take(struct arena *a, size_t len)
{
	if (len > SIZE_MAX / 2)
		return NULL;
	len = arena_round(len);
	if ((size_t)(a->end - a->at) < len)
		return arena_grow(a, len);
	char *taken = a->at;
	a->at += len;
	return taken;
}
