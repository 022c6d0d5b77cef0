/*
 * Runs in the workers: the coding br (RFC 7932), by libbrotli. Must never let the library see that
 * there is no memory, for it ends the process then (BROTLI_ENCODER_EXIT_ON_OOM).
 *
 * An encoder of brotli has one stream, and allocates as it goes. So a coder has room for all that
 * an encoder takes, which is empty again after each stream. If it does not suffice, the encoder is
 * left where it stands: nothing of it is outside of the room.
 */
#include <setjmp.h>
#include <stdalign.h>
#include <stdlib.h>

#include <brotli/encode.h>

#include "compress_coder.h"

/* 64 KiB: with 256 KiB an encoder takes twice the memory, for bodies that are 3 percent smaller. */
#define WINDOW_BITS 16
#define ROOM        ((size_t)4 << 20) /* of which 2.9 MB were seen in use */

struct br_block {
	struct br_block *next; /* while it is free */
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

struct br {
	struct coder coder;        /* first */
	BrotliEncoderState *state; /* in the room; NULL: there is no stream */
	struct br_block *free;     /* for blocks of their sizes */
	size_t used;               /* of the room */
	jmp_buf no_room;
	alignas(max_align_t) unsigned char room[ROOM];
};

/* --- memory ----------------------------------------------------------------------------------- */

/* The smallest free block that is large enough, unless it is much larger. */
static struct br_block **block_find(struct br *b, size_t size)
{
	struct br_block **best = NULL;
	for (struct br_block **at = &b->free; *at != NULL; at = &(*at)->next)
		if ((*at)->size >= size && (*at)->size / 2 <= size &&
		    (best == NULL || (*at)->size < (*best)->size))
			best = at;
	return best;
}

static void *br_alloc(void *opaque, size_t size)
{
	struct br *b = opaque;
	const size_t align = alignof(max_align_t);
	struct br_block **at = block_find(b, size), *block;
	if (at != NULL) {
		block = *at;
		*at = block->next;
		return block->bytes;
	}
	if (size > ROOM || sizeof(*block) + size + align > ROOM - b->used)
		longjmp(b->no_room, 1);
	block = (struct br_block *)&b->room[b->used];
	block->size = (size + align - 1) / align * align;
	b->used += sizeof(*block) + block->size;
	return block->bytes;
}

static void br_release(void *opaque, void *bytes)
{
	struct br *b = opaque;
	if (bytes == NULL)
		return;
	struct br_block *block =
	    (struct br_block *)((unsigned char *)bytes - offsetof(struct br_block, bytes));
	block->next = b->free;
	b->free = block;
}

/* --- the coder -------------------------------------------------------------------------------- */

static struct coder *br_make(void)
{
	struct br *b = malloc(sizeof(*b));
	if (b == NULL)
		return NULL;
	b->coder.ops = &coder_br;
	b->state = NULL;
	return &b->coder;
}

/* Without giving back what it has: it is in the room. */
static void br_end(struct coder *coder)
{
	struct br *b = (struct br *)coder;
	b->state = NULL;
}

static bool br_begin(struct coder *coder, unsigned level)
{
	struct br *b = (struct br *)coder;
	b->free = NULL;
	b->used = 0;
	if (setjmp(b->no_room) != 0)
		return false;
	b->state = BrotliEncoderCreateInstance(br_alloc, br_release, b);
	return b->state != NULL &&
	       BrotliEncoderSetParameter(b->state, BROTLI_PARAM_QUALITY, level) &&
	       BrotliEncoderSetParameter(b->state, BROTLI_PARAM_LGWIN, WINDOW_BITS);
}

/* Not inlined: longjmp() would leave its variables undefined. */
static __attribute__((noinline)) enum coder_result br_write(struct br *b, enum coder_order order,
							    struct coder_io *io)
{
	static const BrotliEncoderOperation operations[] = {
	    [CODER_GOES_ON] = BROTLI_OPERATION_PROCESS,
	    [CODER_FLUSHES] = BROTLI_OPERATION_FLUSH,
	    [CODER_ENDS] = BROTLI_OPERATION_FINISH};
	if (!BrotliEncoderCompressStream(b->state, operations[order], &io->in_len, &io->in,
					 &io->out_len, &io->out, NULL))
		return CODER_FAILED;
	if (order == CODER_ENDS)
		return BrotliEncoderIsFinished(b->state) ? CODER_DONE : CODER_MORE;
	if (io->in_len > 0)
		return CODER_MORE;
	return order == CODER_GOES_ON || !BrotliEncoderHasMoreOutput(b->state) ? CODER_DONE
									       : CODER_MORE;
}

static enum coder_result br_step(struct coder *coder, enum coder_order order, struct coder_io *io)
{
	struct br *b = (struct br *)coder;
	return setjmp(b->no_room) == 0 ? br_write(b, order, io) : CODER_FAILED;
}

static void br_free(struct coder *coder)
{
	free(coder);
}

const struct coder_ops coder_br = {
    .memory_max = sizeof(struct br) + 4096, /* a mapping is of whole pages */
    .piece = SIZE_MAX,
    .make = br_make,
    .begin = br_begin,
    .step = br_step,
    .end = br_end,
    .free = br_free,
};
