/*
 * Runs in the workers: responses that are being compressed, and their turns. Must never let them
 * have more of one turn of the loop than COMPRESS_TURN_BYTES twice, or as much time as these stand
 * for; hold back what the handler has given when it has no more for now; or allocate for a stream
 * while one is idle.
 */
#include "compress_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/holding.h"
#include "compress_coder.h"
#include "net/loop.h"

#define KINDS COMPRESSIONS_COUNT

TAILQ_HEAD(compress_streams, compress_stream);

struct compress_stream {
	TAILQ_ENTRY(compress_stream) link; /* while it is idle, or waits */
	struct compress_loop *common;
	struct exchange *ex;
	struct coder *coder;
	enum compression coding;
	enum coder_order order;
	bool waits; /* for its turn */
	bool dirty; /* it has read something since it flushed */
	bool ended;
	uint64_t left; /* bytes of the response that are still to be read, or HTTP_LENGTH_UNKNOWN */
	size_t granted;     /* bytes that it may compress, because its turn has come */
	struct coder_io io; /* only its input is kept */
	size_t spill_at, spill_len;
	uint8_t spill[CODER_OUT_MIN]; /* output for which there was no room */
	uint8_t in[COMPRESS_PART_BYTES];
};

struct compress_loop {
	struct loop_task task; /* first: gives the next streams their turn */
	struct http_loop *http;
	unsigned locations;
	struct compress_streams waiting; /* the one that waits longest comes first */
	struct compress_streams idle[KINDS];
	size_t bytes, idle_bytes; /* of all streams, and of those that are idle */
	uint64_t turn;            /* of the loop, in which so many bytes were compressed: */
	size_t spent;
	struct holding held;
};

static const struct coder_ops *const coders[KINDS] = {[COMPRESSION_GZIP] = &coder_gzip,
						      [COMPRESSION_ZSTD] = &coder_zstd,
						      [COMPRESSION_BR] = &coder_br};

static size_t stream_bytes(enum compression coding)
{
	return sizeof(struct compress_stream) + coders[coding]->memory_max;
}

/* --- turns ------------------------------------------------------------------------------------ */

static void turns_run(struct loop *loop, struct loop_task *task)
{
	struct compress_loop *c = (struct compress_loop *)task;
	struct compress_stream *s;
	size_t granted = 0;
	while (granted < COMPRESS_TURN_BYTES && (s = TAILQ_FIRST(&c->waiting)) != NULL) {
		TAILQ_REMOVE(&c->waiting, s, link);
		s->waits = false;
		s->granted = COMPRESS_PART_BYTES;
		granted += COMPRESS_PART_BYTES;
		exchange_wake(s->ex);
	}
	if (!TAILQ_EMPTY(&c->waiting))
		loop_soon(loop, task);
}

/* May it go on now? If not, it will be woken. */
static bool turn_is_its(struct compress_stream *s)
{
	struct compress_loop *c = s->common;
	struct loop *loop = c->http->events;
	if (loop == NULL || s->granted > 0)
		return true;
	if (s->waits)
		return false;
	if (c->turn != loop->turn) {
		c->turn = loop->turn;
		c->spent = 0;
	}
	if (TAILQ_EMPTY(&c->waiting) && c->spent < COMPRESS_TURN_BYTES)
		return true;
	TAILQ_INSERT_TAIL(&c->waiting, s, link);
	s->waits = true;
	loop_soon(loop, &c->task);
	return false;
}

/* So many bytes were compressed, in so much time. */
static void turn_spend(struct compress_stream *s, size_t bytes, uint64_t ns)
{
	const uint64_t of_time = ns / (COMPRESS_TURN_NS / COMPRESS_TURN_BYTES);
	const size_t cost = of_time > bytes ? (size_t)of_time : bytes;
	const size_t granted = cost < s->granted ? cost : s->granted;
	s->granted -= granted;
	s->common->spent += cost - granted;
}

/* --- streams ---------------------------------------------------------------------------------- */

static void stream_free(struct compress_stream *s)
{
	struct compress_loop *c = s->common;
	const size_t bytes = stream_bytes(s->coding);
	if (s->coder != NULL)
		s->coder->ops->free(s->coder);
	c->bytes -= bytes;
	holding_change(&c->held, 0, -(int64_t)bytes);
	free(s);
}

static struct compress_stream *idle_take(struct compress_loop *c, unsigned coding)
{
	struct compress_stream *s = TAILQ_FIRST(&c->idle[coding]);
	if (s == NULL)
		return NULL;
	TAILQ_REMOVE(&c->idle[coding], s, link);
	c->idle_bytes -= stream_bytes(s->coding);
	return s;
}

static bool loop_has_room(struct compress_loop *c, size_t bytes)
{
	for (unsigned i = 0; i < KINDS; i++)
		while (c->bytes + bytes > COMPRESSION_BYTES_MAX && !TAILQ_EMPTY(&c->idle[i]))
			stream_free(idle_take(c, i));
	return c->bytes + bytes <= COMPRESSION_BYTES_MAX;
}

static struct compress_stream *stream_make(struct compress_loop *c, enum compression coding)
{
	const size_t bytes = stream_bytes(coding);
	struct compress_stream *s = loop_has_room(c, bytes) ? malloc(sizeof(*s)) : NULL;
	if (s == NULL)
		return NULL;
	c->bytes += bytes;
	holding_change(&c->held, 0, (int64_t)bytes);
	s->common = c;
	s->coding = coding;
	s->coder = coders[coding]->make();
	if (s->coder != NULL)
		return s;
	stream_free(s);
	return NULL;
}

struct compress_stream *compress_stream_new(struct compress_loop *c, struct exchange *ex,
					    enum compression coding, unsigned level)
{
	struct compress_stream *s = idle_take(c, coding);
	if (s == NULL)
		s = stream_make(c, coding);
	if (s == NULL)
		return NULL;
	if (!s->coder->ops->begin(s->coder, level)) {
		stream_free(s);
		return NULL;
	}
	s->ex = ex;
	s->order = CODER_GOES_ON;
	s->waits = s->dirty = s->ended = false;
	s->left = ex->length;
	s->granted = 0;
	s->io = (struct coder_io){.in_len = 0};
	s->spill_at = s->spill_len = 0;
	return s;
}

void compress_stream_end(struct compress_stream *s)
{
	struct compress_loop *c = s->common;
	const size_t bytes = stream_bytes(s->coding);
	s->coder->ops->end(s->coder);
	if (s->waits)
		TAILQ_REMOVE(&c->waiting, s, link);
	if (c->idle_bytes + bytes > COMPRESS_KEPT_BYTES) {
		stream_free(s);
		return;
	}
	TAILQ_INSERT_HEAD(&c->idle[s->coding], s, link);
	c->idle_bytes += bytes;
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* Reads the next part of the response. Returns 0, GIVE_LATER or GIVE_FAIL. */
static long stream_read(struct compress_stream *s, struct filter_use *use)
{
	const size_t size = s->left < sizeof(s->in) ? (size_t)s->left : sizeof(s->in);
	const long n = filter_give_next(s->ex, use, s->in, size);
	const bool is_known = s->left != HTTP_LENGTH_UNKNOWN;
	if (n > 0 && (size_t)n <= size) {
		s->io.in = s->in;
		s->io.in_len = (size_t)n;
		s->dirty = true;
		if (is_known)
			s->left -= (uint64_t)n;
		if (s->left == 0)
			s->order = CODER_ENDS;
		return 0;
	}
	if (n == GIVE_END && !is_known) {
		s->order = CODER_ENDS;
		return 0;
	}
	if (n != GIVE_LATER && n != 0)
		return GIVE_FAIL;
	if (!s->dirty)
		return GIVE_LATER;
	s->order = CODER_FLUSHES;
	return 0;
}

/* One step of the coder. CODER_MORE: it has more to do, for lack of room or because it was given
 * only a piece. */
static enum coder_result stream_step(struct compress_stream *s)
{
	const struct coder_ops *ops = s->coder->ops;
	const size_t rest = s->io.in_len > ops->piece ? s->io.in_len - ops->piece : 0;
	const size_t given = s->io.in_len -= rest;
	const uint64_t begun_ns = clock_ns();
	const enum coder_result result =
	    ops->step(s->coder, rest > 0 ? CODER_GOES_ON : s->order, &s->io);
	turn_spend(s, given - s->io.in_len, clock_ns() - begun_ns);
	s->io.in_len += rest;
	return rest > 0 && result == CODER_DONE ? CODER_MORE : result;
}

/* Fills what is left of out. Returns whether that could go on at once, or why not: GIVE_LATER,
 * GIVE_END or GIVE_FAIL; 0: out is full. */
static long stream_fill(struct compress_stream *s, struct filter_use *use)
{
	while (!s->ended) {
		if (!turn_is_its(s))
			return GIVE_LATER;
		if (s->order == CODER_GOES_ON && s->io.in_len == 0) {
			const long why = stream_read(s, use);
			if (why < 0)
				return why;
		}
		const enum coder_result result = stream_step(s);
		if (result == CODER_FAILED)
			return GIVE_FAIL;
		if (result == CODER_DONE) {
			s->dirty = s->dirty && s->order == CODER_GOES_ON;
			s->ended = s->order == CODER_ENDS;
			s->order = CODER_GOES_ON;
		}
		if (s->io.out_len == 0)
			return 0;
	}
	return GIVE_END;
}

static long stream_give(struct compress_stream *s, struct filter_use *use, uint8_t *out,
			size_t size)
{
	s->io.out = out;
	s->io.out_len = size;
	const long why = stream_fill(s, use);
	if (why == GIVE_FAIL)
		return GIVE_FAIL;
	return s->io.out_len < size ? (long)(size - s->io.out_len) : why;
}

long compress_stream_give(struct compress_stream *s, struct filter_use *use, uint8_t *out,
			  size_t size)
{
	if (s->spill_at == s->spill_len && size >= CODER_OUT_MIN)
		return stream_give(s, use, out, size);
	if (s->spill_at == s->spill_len) {
		const long n = stream_give(s, use, s->spill, sizeof(s->spill));
		if (n <= 0)
			return n;
		s->spill_at = 0;
		s->spill_len = (size_t)n;
	}
	const size_t n = give_copy(out, size, s->spill + s->spill_at, s->spill_len - s->spill_at);
	s->spill_at += n;
	return (long)n;
}

/* --- the loop --------------------------------------------------------------------------------- */

struct compress_loop *compress_loop_take(struct http_loop *http)
{
	struct compress_loop *c = http->compress;
	if (c == NULL) {
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			return NULL;
		c->http = http;
		c->task.run = turns_run;
		TAILQ_INIT(&c->waiting);
		for (unsigned i = 0; i < KINDS; i++)
			TAILQ_INIT(&c->idle[i]);
		if (http->holdings != NULL)
			holdings_add(http->holdings, &c->held);
		http->compress = c;
	}
	c->locations++;
	return c;
}

void compress_loop_release(struct compress_loop *c)
{
	struct compress_stream *s;
	if (c == NULL || --c->locations > 0)
		return;
	if (c->http->events != NULL)
		loop_soon_cancel(c->http->events, &c->task);
	for (unsigned i = 0; i < KINDS; i++)
		while ((s = idle_take(c, i)) != NULL)
			stream_free(s);
	c->http->compress = NULL;
	free(c);
}
