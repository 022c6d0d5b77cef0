/*
 * Runs in the workers: the coding zstd (RFC 8878), by libzstd. Must never need memory that it does
 * not have from the beginning, nor a window that a client may refuse (RFC 9659).
 */
#include <stdlib.h>

#include <zstd.h>

#include "compress_coder.h"

/* RFC 9659 allows 8 MiB. These are far below, because memory is what limits how many responses can
 * be compressed at a time. */
#define WINDOW_LOG 17
#define TABLE_LOG  16

struct zstd {
	struct coder coder; /* first */
	ZSTD_CCtx *context;
};

static struct coder *zstd_make(void)
{
	struct zstd *z = calloc(1, sizeof(*z));
	if (z == NULL)
		return NULL;
	z->coder.ops = &coder_zstd;
	z->context = ZSTD_createCCtx();
	if (z->context != NULL)
		return &z->coder;
	free(z);
	return NULL;
}

/* The first call of a stream takes its memory, even one without input. */
static bool zstd_begin(struct coder *coder, unsigned level)
{
	ZSTD_CCtx *context = ((struct zstd *)coder)->context;
	uint8_t none[1];
	ZSTD_inBuffer in = {.src = none};
	ZSTD_outBuffer out = {.dst = none};
	const struct {
		ZSTD_cParameter name;
		int value;
	} settings[] = {{ZSTD_c_compressionLevel, (int)level},
			{ZSTD_c_windowLog, WINDOW_LOG},
			{ZSTD_c_hashLog, TABLE_LOG},
			{ZSTD_c_chainLog, TABLE_LOG}};
	if (ZSTD_isError(ZSTD_CCtx_reset(context, ZSTD_reset_session_only)))
		return false;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (ZSTD_isError(
			ZSTD_CCtx_setParameter(context, settings[i].name, settings[i].value)))
			return false;
	return !ZSTD_isError(ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue));
}

static enum coder_result zstd_step(struct coder *coder, enum coder_order order, struct coder_io *io)
{
	static const ZSTD_EndDirective directives[] = {[CODER_GOES_ON] = ZSTD_e_continue,
						       [CODER_FLUSHES] = ZSTD_e_flush,
						       [CODER_ENDS] = ZSTD_e_end};
	ZSTD_CCtx *context = ((struct zstd *)coder)->context;
	ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
	ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
	const size_t left = ZSTD_compressStream2(context, &out, &in, directives[order]);
	if (ZSTD_isError(left))
		return CODER_FAILED;
	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	if (order == CODER_GOES_ON)
		return io->in_len == 0 ? CODER_DONE : CODER_MORE;
	return left == 0 ? CODER_DONE : CODER_MORE;
}

static void zstd_end(struct coder *coder)
{
	(void)coder;
}

static void zstd_free(struct coder *coder)
{
	struct zstd *z = (struct zstd *)coder;
	(void)ZSTD_freeCCtx(z->context);
	free(z);
}

const struct coder_ops coder_zstd = {
    .memory_max = (size_t)1536 << 10,
    .piece = SIZE_MAX,
    .make = zstd_make,
    .begin = zstd_begin,
    .step = zstd_step,
    .end = zstd_end,
    .free = zstd_free,
};
