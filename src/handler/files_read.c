/*
 * Runs in the workers, for requests: sends bytes of open files. Must never wait for a disk where
 * the file system can do without, end a body that is of two files, nor pad one that has become
 * shorter.
 *
 * What the page cache has is copied at once. For the rest the kernel is asked to read ahead, and a
 * timer tries again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "files.h"

#define AHEAD_BYTES  ((uint64_t)512 << 10) /* that the kernel is asked to read at a time */
#define DELAY_MS_MAX 16
#define TRIES_MAX    100 /* more than a second: then a read waits for the disk */

struct files_wait {
	struct loop_timer timer; /* first */
	struct exchange *exchange;
	bool ready; /* the timer is */
	uint64_t delay_ms;
	unsigned tries;
};

/* --- waiting for a disk ----------------------------------------------------------------------- */

static void wait_expired(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	exchange_wake(((struct files_wait *)timer)->exchange);
}

static struct files_wait *wait_new(struct exchange *ex)
{
	struct files_wait *wait = arena_take(&ex->arena, sizeof(*wait));
	if (wait != NULL)
		*wait = (struct files_wait){.exchange = ex};
	return wait;
}

static bool wait_ready(struct files_wait *w)
{
	if (!w->ready)
		w->ready = loop_timer_init(w->exchange->loop->events, &w->timer, wait_expired) == 0;
	return w->ready;
}

static void ahead_ask(struct files_reading *r)
{
	const uint64_t left = r->end - r->ahead;
	const uint64_t len = num_least(left, AHEAD_BYTES);
	(void)posix_fadvise(r->fd, (off_t)r->ahead, (off_t)len, POSIX_FADV_WILLNEED);
	r->ahead += len;
}

/* The kernel has none of the bytes now. False: read them although that waits. */
static bool wait_begin(struct files_reading *r, struct exchange *ex)
{
	if (r->wait == NULL)
		r->wait = wait_new(ex);
	struct files_wait *w = r->wait;
	if (w == NULL || w->tries == TRIES_MAX || !wait_ready(w))
		return false;
	if (r->ahead <= r->at || w->tries % 16 == 15) { /* what was read may be gone again */
		r->ahead = r->at;
		ahead_ask(r);
	}
	w->tries++;
	w->delay_ms = w->delay_ms == 0 ? 1 : num_least(2 * w->delay_ms, DELAY_MS_MAX);
	loop_timer_set(ex->loop->events, &w->timer, ex->loop->events->now_ms + w->delay_ms);
	return true;
}

/* Bytes were read. A file that was not in the page cache is read ahead from then on. */
static void wait_end(struct files_reading *r)
{
	if (r->wait != NULL) {
		r->wait->delay_ms = 0;
		r->wait->tries = 0;
	}
	if (r->ahead > 0 && r->ahead < r->end && r->ahead - r->at < AHEAD_BYTES / 2)
		ahead_ask(r);
}

/* --- reading ---------------------------------------------------------------------------------- */

static ssize_t bytes_wait(const struct files_reading *r, uint8_t *out, size_t size)
{
	ssize_t n;
	do
		n = pread(r->fd, out, size, (off_t)r->at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* -EAGAIN: the page cache has none of them. */
static ssize_t bytes_read(const struct files_reading *r, const struct exchange *ex, uint8_t *out,
			  size_t size)
{
	if (r->content != NULL) {
		memcpy(out, r->content + r->at, size);
		return (ssize_t)size;
	}
	if (r->local->waits_on == r->device || ex->loop->events == NULL)
		return bytes_wait(r, out, size);
	const ssize_t n = fd_read_cached(r->fd, out, size, r->at);
	if (n != -EOPNOTSUPP)
		return n;
	r->local->waits_on = r->device; /* a root may hold other mounts */
	return bytes_wait(r, out, size);
}

/* A file that another one was written into, and that has not grown, is not the one that the tag is
 * of. What is appended, and what changes but its bytes, like its name, changes no byte of it. */
static bool file_is_other(const struct files_reading *r)
{
	struct files_file now;
	if (r->content != NULL)
		return false;
	if (files_stat(r->fd, &now) < 0 || now.size < r->size)
		return true;
	return now.size == r->size &&
	       (now.modified != r->modified || now.modified_ns != r->modified_ns);
}

static bool is_last(const struct files_reading *r)
{
	return r->at == r->end && (r->parts == NULL || r->parts->next == r->parts->count);
}

static uint32_t turn_of(const struct exchange *ex)
{
	return ex->loop->events != NULL ? (uint32_t)ex->loop->events->turn : 0;
}

/* Was all of it read at once, just after its tag was made? A client decides when a response is read
 * whose turn comes after others. */
static bool is_read_at_once(const struct files_reading *r, const struct exchange *ex)
{
	return !r->again && r->wait == NULL && r->turn == turn_of(ex);
}

/* Reads bytes of the present range, as many as there are and there is room for. The last ones are
 * only given if all are of the file that the tag is of. */
static long range_read(struct files_reading *r, struct exchange *ex, uint8_t *out, size_t size)
{
	size_t used = 0;
	while (used < size && r->at < r->end) {
		const size_t room = (size_t)num_least(size - used, r->end - r->at);
		ssize_t n = bytes_read(r, ex, out + used, room);
		if (n == -EAGAIN && used > 0)
			break;
		if (n == -EAGAIN && wait_begin(r, ex))
			return GIVE_LATER;
		if (n == -EAGAIN)
			n = bytes_wait(r, out + used, room);
		if (n <= 0) /* 0: the file has become shorter */
			return GIVE_FAIL;
		r->at += (uint64_t)n;
		used += (size_t)n;
		if (is_last(r) && !is_read_at_once(r, ex) && file_is_other(r))
			return GIVE_FAIL;
		r->again = true;
		wait_end(r);
	}
	return (long)used;
}

/* --- several ranges --------------------------------------------------------------------------- */

/* Begins the next part, or what follows the last one. */
static void part_begin(struct files_reading *r)
{
	struct files_parts *p = r->parts;
	const struct http_range *range = p->next < p->count ? &p->ranges[p->next] : NULL;
	p->head_len = http_part_head(&p->parts, range, p->next == 0, p->head);
	p->head_sent = 0;
	p->next++;
	if (range == NULL)
		return;
	r->at = range->first;
	r->end = range->last + 1;
	r->ahead = 0;
}

static size_t part_head_give(struct files_parts *p, uint8_t *out, size_t size)
{
	const size_t n = give_copy(out, size, p->head + p->head_sent, p->head_len - p->head_sent);
	p->head_sent += n;
	return n;
}

long files_read(struct files_reading *r, struct exchange *ex, uint8_t *out, size_t size)
{
	struct files_parts *p = r->parts;
	size_t used = 0;
	if (p == NULL)
		return range_read(r, ex, out, size);
	while (used < size) {
		if (p->head_sent < p->head_len) {
			used += part_head_give(p, out + used, size - used);
		} else if (r->at < r->end) {
			const long n = range_read(r, ex, out + used, size - used);
			if (n == GIVE_LATER && used > 0)
				break; /* the timer wakes it */
			if (n < 0)
				return n;
			used += (size_t)n;
		} else if (p->next <= p->count) {
			part_begin(r);
		} else {
			break;
		}
	}
	return used > 0 ? (long)used : GIVE_FAIL;
}

void files_read_begin(struct files_reading *r, const struct exchange *ex,
		      const struct files_file *f)
{
	r->turn = turn_of(ex);
	r->fd = f->fd;
	r->kept = f->kept;
	r->device = f->device;
	r->size = f->size;
	r->modified = f->modified;
	r->modified_ns = f->modified_ns;
	r->content = f->kept != NULL ? files_kept_content(f->kept) : NULL;
}

void files_read_close(struct files_reading *r)
{
	struct files_file f = {.fd = r->fd, .kept = r->kept};
	files_close(&f);
	r->fd = -1;
	r->kept = NULL;
	r->content = NULL;
}

void files_read_end(struct files_reading *r, struct exchange *ex)
{
	if (r->wait != NULL && r->wait->ready)
		loop_timer_release(ex->loop->events, &r->wait->timer);
	r->wait = NULL;
	files_read_close(r);
}
