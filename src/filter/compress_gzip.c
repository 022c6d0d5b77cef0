/*
 * Runs in the workers: the coding gzip (RFC 1952), by zlib. Must never need memory that it does not
 * have from the beginning.
 */
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#include "compress_coder.h"

#define WINDOW_BITS  15 /* 32 KiB, as every decoder has it; and 16 for the format gzip */
#define MEMORY_LEVEL 8

struct gzip {
	struct coder coder; /* first */
	z_stream z;
	int level;
};

static struct coder *gzip_make(void)
{
	struct gzip *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->coder.ops = &coder_gzip;
	g->level = Z_DEFAULT_COMPRESSION;
	if (deflateInit2(&g->z, g->level, Z_DEFLATED, WINDOW_BITS + 16, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) == Z_OK)
		return &g->coder;
	free(g);
	return NULL;
}

static bool gzip_begin(struct coder *coder, unsigned level)
{
	struct gzip *g = (struct gzip *)coder;
	if (deflateReset(&g->z) != Z_OK)
		return false;
	if (g->level == (int)level)
		return true;
	g->level = (int)level;
	return deflateParams(&g->z, g->level, Z_DEFAULT_STRATEGY) == Z_OK;
}

static enum coder_result gzip_step(struct coder *coder, enum coder_order order, struct coder_io *io)
{
	static const int flush[] = {
	    [CODER_GOES_ON] = Z_NO_FLUSH, [CODER_FLUSHES] = Z_SYNC_FLUSH, [CODER_ENDS] = Z_FINISH};
	struct gzip *g = (struct gzip *)coder;
	g->z.next_in = io->in;
	g->z.avail_in = (unsigned)io->in_len;
	g->z.next_out = io->out;
	g->z.avail_out = (unsigned)io->out_len;
	const int result = deflate(&g->z, flush[order]);
	io->in = g->z.next_in;
	io->in_len = g->z.avail_in;
	io->out = g->z.next_out;
	io->out_len = g->z.avail_out;
	/* Z_BUF_ERROR: there was nothing to do */
	if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
		return CODER_FAILED;
	if (order == CODER_ENDS)
		return result == Z_STREAM_END ? CODER_DONE : CODER_MORE;
	return io->out_len > 0 ? CODER_DONE : CODER_MORE;
}

static void gzip_end(struct coder *coder)
{
	(void)coder;
}

static void gzip_free(struct coder *coder)
{
	struct gzip *g = (struct gzip *)coder;
	(void)deflateEnd(&g->z);
	free(g);
}

const struct coder_ops coder_gzip = {
    .memory_max = (size_t)320 << 10,
    .piece = 1024, /* of bytes that were chosen for it, level 9 takes 2.6 ms for each KiB */
    .make = gzip_make,
    .begin = gzip_begin,
    .step = gzip_step,
    .end = gzip_end,
    .free = gzip_free,
};
