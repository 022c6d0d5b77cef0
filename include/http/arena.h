/*
 * Memory that lives as long as one exchange: its head, its path, the fields of its response.
 *
 * The first room is allocated together with the exchange and is enough for an ordinary request, so
 * that a request costs no allocation. Blocks are added when it is used up. Whatever was taken stays
 * where it is until arena_reset(). There is no bound here: each user has its own (a head,
 * HTTP_FIELDS_MAX), and ARENA_MEMORY_MAX() is the bound of all.
 */
#ifndef HTTP_ARENA_H
#define HTTP_ARENA_H

#include <stdalign.h>
#include <stddef.h>

#define ARENA_ALIGN alignof(max_align_t)
#define ARENA_BLOCK ((size_t)2048) /* a block has at least as much room as this */

/* The most memory of blocks, if no more than so many bytes are taken: what is left of a block is
 * smaller than what did not fit into it. */
#define ARENA_MEMORY_MAX(taken) (2 * (size_t)(taken) + 2 * ARENA_BLOCK)

struct arena_block;

struct arena {
	char *at; /* the next free byte */
	char *end;
	struct arena_block *blocks; /* owned, the newest first */
	char *room;                 /* the first room; borrowed */
	size_t room_size;
};

/* room is aligned like malloc's memory and outlives the arena. */
void arena_init(struct arena *, void *room, size_t size);

/* For the two functions below. */
void *arena_grow(struct arena *, size_t len);
void arena_free(struct arena *);

/* Frees the blocks: everything that was taken is gone. */
static inline void arena_reset(struct arena *a)
{
	if (a->blocks != NULL)
		arena_free(a);
	a->at = a->room;
	a->end = a->room + a->room_size;
}

/* Returns len bytes, aligned like malloc's memory, or NULL: out of memory. */
static inline void *arena_take(struct arena *a, size_t len)
{
	const size_t rounded = (len + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (rounded < len || (size_t)(a->end - a->at) < rounded)
		return arena_grow(a, rounded);
	char *taken = a->at;
	a->at += rounded;
	return taken;
}

#endif
