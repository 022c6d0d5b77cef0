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

#include <stddef.h>

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
/* Frees the blocks: everything that was taken is gone. */
void arena_reset(struct arena *);
/* Returns len bytes, aligned like malloc's memory, or NULL: out of memory. */
void *arena_take(struct arena *, size_t len);

#endif
