/*
 * Coders: the compressing libraries, one file each, behind one table of functions.
 *
 *   make ──> begin ──> step, step … ──> end ──┬──> free
 *              └──────── the next stream ─────┘
 *
 * A coder that has had a stream allocates nothing for the next one. It has all memory that it will
 * need when begin() returns.
 */
#ifndef FILTER_COMPRESS_CODER_H
#define FILTER_COMPRESS_CODER_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compression.h"

/* The least room that step() is given: a mark of flushing and what surrounds it. */
#define CODER_OUT_MIN 64

enum coder_order {
	CODER_GOES_ON, /* may keep what it has read */
	CODER_FLUSHES, /* writes all that it has read, so that it can be read there */
	CODER_ENDS,    /* writes that, and the end */
};

enum coder_result {
	CODER_DONE, /* the order is carried out: with CODER_GOES_ON, all input was read */
	CODER_MORE, /* out is full */
	CODER_FAILED,
};

/* step() moves both ends on. Once an order other than CODER_GOES_ON was given, it is given again,
 * with no more input, until it is carried out. */
struct coder_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

struct coder {
	const struct coder_ops *ops;
	TAILQ_ENTRY(coder) link;
};

struct coder_ops {
	size_t memory_max; /* bytes of one coder, at any level */
	/* What a step is given at most, so that none takes long whatever is in it: a coder that
	 * does its work in blocks of its own need not be given less than a part. */
	size_t piece;
	struct coder *(*make)(void);                   /* NULL: out of memory */
	bool (*begin)(struct coder *, unsigned level); /* false: out of memory */
	enum coder_result (*step)(struct coder *, enum coder_order, struct coder_io *);
	void (*end)(struct coder *); /* the stream has ended, complete or not */
	void (*free)(struct coder *);
};

extern const struct coder_ops coder_gzip, coder_zstd, coder_br;

#endif
