/*
 * The streams of compressed responses: src/filter/compress*.c only.
 *
 *   idle ──new──> reading <──> flushing ──> ending ──> ended ──> idle
 *                    └── waits for its turn
 */
#ifndef FILTER_COMPRESS_STREAM_H
#define FILTER_COMPRESS_STREAM_H

#include "base/compression.h"
#include "http/filter.h"

struct compress_loop;
struct compress_stream;

/* What all locations that compress have in common in an event loop: http_loop.compress. NULL: out
 * of memory. Each take is followed by one release. */
struct compress_loop *compress_loop_take(struct http_loop *);
void compress_loop_release(struct compress_loop *);

/* For the response that begins; its length is still that of the handler. NULL: out of memory, or of
 * COMPRESSION_BYTES_MAX. */
struct compress_stream *compress_stream_new(struct compress_loop *, struct exchange *,
					    enum compression, unsigned level);
/* Of a filter's give(). */
long compress_stream_give(struct compress_stream *, struct filter_use *, uint8_t *out, size_t size);
void compress_stream_end(struct compress_stream *);

/* Bytes of streams that are kept for the next ones. */
#define COMPRESS_KEPT_BYTES ((size_t)8 << 20)
/* Bytes of responses that are compressed in one turn of the loop, by streams that need not wait;
 * and what one of those that wait has when its turn has come, as many as make up the same. Time
 * counts as bytes, where more of it was spent than such bytes take: some cost a hundred times as
 * much. */
#define COMPRESS_TURN_BYTES ((size_t)64 << 10)
#define COMPRESS_PART_BYTES ((size_t)16 << 10)
#define COMPRESS_TURN_NS    UINT64_C(4000000)

#endif
