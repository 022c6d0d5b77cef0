/*
 * Runs in the workers, for requests: lists folders, all of them together for a millisecond of a
 * turn. Must never hold more of a folder than FILES_LISTED_MAX entries, nor more of all than
 * FILES_LISTS_BYTES, nor keep other connections waiting for a large one.
 *
 *   reading ──all read──> sending ──> ended
 *
 * A list that is being read has one of FILES_LISTS_MAX places. One that is being sent has only its
 * memory; if that is wanted, the list whose client has taken nothing for the longest time is cut.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "files.h"

#define STEP_NS     1000000 /* of one turn of the event loop */
#define BATCH_BYTES 16384
#define PATIENCE_MS 1000 /* with a client that takes nothing, while the memory is wanted */

/* What only reading needs. */
struct reader {
	int fd;
	struct files_name name; /* of the folder */
	size_t batch_at, batch_len;
	_Alignas(8) char batch[BATCH_BYTES]; /* of struct dirent64, as getdents64(2) writes it */
};

struct files_listing {
	TAILQ_ENTRY(files_listing) link; /* in lists->reading or lists->sending */
	struct files_lists *lists;
	struct exchange *exchange;
	const struct files_config *config;
	struct reader *reader; /* owned; NULL: all was read */
	struct files_page page;
	uint64_t given_ms; /* when the client took something, or could first */
	size_t bytes;      /* that are counted for it */
	bool cut;          /* it has no body: it was not read, or there is no memory for it */
};

/* --- what the lists hold ---------------------------------------------------------------------- */

static void listing_count(struct files_listing *l, size_t bytes)
{
	l->lists->bytes += bytes - l->bytes;
	holding_change(&l->lists->held, 0, (int64_t)bytes - (int64_t)l->bytes);
	l->bytes = bytes;
}

static void listing_measure(struct files_listing *l)
{
	listing_count(l, sizeof(*l) + (l->reader != NULL ? sizeof(*l->reader) : 0) +
			     files_page_bytes(&l->page));
}

/* Its client gets no more of it. */
static void listing_cut(struct files_listing *l)
{
	l->cut = true;
	TAILQ_REMOVE(&l->lists->sending, l, link);
	files_page_release(&l->page);
	listing_measure(l);
}

bool files_lists_make_room(struct files_lists *lists, uint64_t now_ms)
{
	while (lists->bytes > FILES_LISTS_BYTES) {
		struct files_listing *oldest = TAILQ_FIRST(&lists->sending);
		if (oldest == NULL || now_ms - oldest->given_ms < PATIENCE_MS)
			return false;
		listing_cut(oldest);
	}
	return true;
}

static void reader_free(struct files_listing *l)
{
	struct files_lists *lists = l->lists;
	if (l->reader == NULL)
		return;
	TAILQ_REMOVE(&lists->reading, l, link);
	lists->count--;
	if (lists->count == 0 && l->exchange->loop->events != NULL)
		loop_soon_cancel(l->exchange->loop->events, &lists->task);
	fd_close(&l->reader->fd);
	free(l->reader);
	l->reader = NULL;
}

/* --- one entry -------------------------------------------------------------------------------- */

/* A link is what it leads to beneath the root. */
static int link_open(struct files_listing *l, const char *name)
{
	struct files_name *path = &l->reader->name;
	const size_t len = path->len;
	int fd = -ENAMETOOLONG;
	if (l->config->conf->no_symlinks)
		return -ELOOP;
	if ((len == 0 || files_name_add(path, "/", 1)) && files_name_add(path, name, strlen(name)))
		fd = root_open(l->config->root, path->text, O_PATH, 0);
	path->len = len;
	path->text[len] = '\0';
	return fd;
}

static int entry_open(struct files_listing *l, const struct dirent64 *d)
{
	const struct root folder = {.fd = l->reader->fd, .rest = "", .written = "", .real = ""};
	const int fd = root_open(&folder, d->d_name, O_PATH, ROOT_NO_LINKS);
	return fd == -ELOOP ? link_open(l, d->d_name)
			    : fd; /* not all file systems say what is one */
}

static bool is_short(int fd)
{
	return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM;
}

/* The same; what is only kept to be faster goes when descriptors or memory are short. */
static int entry_open_surely(struct files_listing *l, const struct dirent64 *d)
{
	const struct files_local *local = exchange_local(l->exchange);
	const int fd = entry_open(l, d);
	if (!is_short(fd) || local->common->keep == NULL)
		return fd;
	files_keep_empty(local->common->keep);
	return entry_open(l, d);
}

/* 0, -errno of files_page_add(), or -ENOMEM: it cannot be looked at now. What can never be, or is
 * no file and no folder, is left out. */
static int entry_add(struct files_listing *l, const struct dirent64 *d)
{
	struct files_file file;
	const char *name = d->d_name;
	if (name[0] == '.' &&
	    (name[1] == '\0' || (name[1] == '.' && name[2] == '\0') || !l->config->conf->hidden))
		return 0;
	if (d->d_type != DT_REG && d->d_type != DT_DIR && d->d_type != DT_LNK &&
	    d->d_type != DT_UNKNOWN)
		return 0;
	int fd = entry_open_surely(l, d);
	if (fd < 0)
		return is_short(fd) ? -ENOMEM : 0;
	const bool shown = files_stat(fd, &file) == 0 && (file.is_regular || file.is_folder);
	fd_close(&fd);
	return shown ? files_page_add(&l->page, name, strlen(name), &file) : 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* 1: the folder has been read; 0: not all of it; -errno. */
static int batch_read(struct reader *r)
{
	const long n = syscall(SYS_getdents64, r->fd, r->batch, sizeof(r->batch));
	if (n < 0)
		return -errno;
	r->batch_at = 0;
	r->batch_len = (size_t)n;
	return n == 0;
}

/* Reads on until that time; the same, and -ENOSPC: the lists have no memory left. */
static int listing_step(struct files_listing *l, uint64_t until_ns)
{
	const struct loop *events = l->exchange->loop->events;
	struct reader *r = l->reader;
	do {
		if (r->batch_at >= r->batch_len) {
			const int result = batch_read(r);
			listing_measure(l);
			if (result != 0)
				return result;
			if (events != NULL && !files_lists_make_room(l->lists, events->now_ms))
				return -ENOSPC;
		}
		const struct dirent64 *d = (const struct dirent64 *)(r->batch + r->batch_at);
		r->batch_at += d->d_reclen;
		const int error = entry_add(l, d);
		if (error < 0)
			return error == -ENOSPC ? 1 : error;
	} while (events == NULL || clock_ns() < until_ns);
	return 0;
}

#define NOSNIFF HTTP_HEADER("X-Content-Type-Options", "nosniff")
#define VARY    HTTP_HEADER("Vary", "Accept")
static const struct http_header page_fields[] = {
    HTTP_HEADER("Content-Type", "text/html; charset=utf-8"), VARY, NOSNIFF,
    HTTP_HEADER("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")};
static const struct http_header json_fields[] = {HTTP_HEADER("Content-Type", "application/json"),
						 VARY, NOSNIFF};

static void listing_respond(struct files_listing *l)
{
	exchange_respond(l->exchange, 200, HTTP_LENGTH_UNKNOWN,
			 l->page.json ? json_fields : page_fields, l->page.json ? 3 : 4);
}

/* The status for an error; a folder that was removed while it was open has ENOENT. */
static unsigned list_status(int error)
{
	switch (-error) {
	case ENOENT:
		return 404;
	case EBUSY:
	case ENOMEM:
	case ENOSPC: /* the memory of all lists */
		return 503;
	}
	return 500;
}

/* All was read: what only reading needs is free for others. */
static void listing_finish(struct files_listing *l)
{
	const struct loop *events = l->exchange->loop->events;
	reader_free(l);
	l->given_ms = events != NULL ? events->now_ms : 0;
	l->cut = false;
	TAILQ_INSERT_TAIL(&l->lists->sending, l, link);
	files_page_sort(&l->page);
	listing_measure(l);
	listing_respond(l);
}

static void listing_fail(struct files_listing *l, int error)
{
	struct exchange *ex = l->exchange;
	files_list_end(l);
	files_answer(ex, list_status(error), 0);
}

/* One list in a turn, each after the others, so that a large one does not keep them waiting. */
static void lists_run(struct loop *loop, struct loop_task *task)
{
	struct files_lists *lists = (struct files_lists *)task;
	struct files_listing *l = TAILQ_FIRST(&lists->reading);
	const int result = listing_step(l, clock_ns() + STEP_NS);
	if (result == 1) {
		listing_finish(l);
	} else if (result < 0) {
		listing_fail(l, result);
	} else {
		TAILQ_REMOVE(&lists->reading, l, link);
		TAILQ_INSERT_TAIL(&lists->reading, l, link);
	}
	if (lists->count > 0)
		loop_soon(loop, task);
}

void files_lists_init(struct files_lists *lists)
{
	*lists = (struct files_lists){.task.run = lists_run};
	TAILQ_INIT(&lists->reading);
	TAILQ_INIT(&lists->sending);
}

/* --- the exchange ----------------------------------------------------------------------------- */

static int listing_read(struct files_listing *l, const struct files_name *name, int *fd)
{
	struct files_lists *lists = l->lists;
	struct loop *events = l->exchange->loop->events;
	struct reader *r = lists->count < FILES_LISTS_MAX ? malloc(sizeof(*r)) : NULL;
	if (r == NULL)
		return lists->count < FILES_LISTS_MAX ? -ENOMEM : -EBUSY;
	memset(r, 0, offsetof(struct reader, batch));
	r->fd = *fd;
	*fd = -1;
	r->name = *name;
	l->reader = r;
	TAILQ_INSERT_TAIL(&lists->reading, l, link);
	lists->count++;
	listing_measure(l);
	if (events != NULL) {
		loop_soon(events, &lists->task);
		return 0;
	}
	const int result = listing_step(l, 0);
	if (result == 1)
		listing_finish(l);
	return result < 0 ? result : 0;
}

unsigned files_list_begin(struct exchange *ex, const struct files_name *name, int fd, bool json,
			  struct files_listing **ret)
{
	const struct http_request *r = &ex->request;
	const struct files_local *local = exchange_local(ex);
	struct files_listing *l = calloc(1, sizeof(*l));
	int error = 0;
	if (l == NULL) {
		fd_close(&fd);
		return list_status(-ENOMEM);
	}
	l->lists = &local->common->lists;
	l->cut = true; /* until it was read */
	l->exchange = ex;
	l->config = ex->config;
	files_page_init(&l->page, ex->path.text, ex->path.len, json);
	if (r->query_present)
		files_page_read_query(&l->page, http_slice_at(r, r->query), r->query.len);
	if (r->method == HTTP_HEAD)
		listing_respond(l);
	else
		error = listing_read(l, name, &fd);
	fd_close(&fd);
	if (error < 0) {
		files_list_end(l);
		return list_status(error);
	}
	*ret = l;
	return 0;
}

long files_list_give(struct files_listing *l, uint8_t *out, size_t size)
{
	struct files_lists *lists = l->lists;
	if (l->cut)
		return GIVE_FAIL;
	if (l->exchange->loop->events != NULL)
		l->given_ms = l->exchange->loop->events->now_ms;
	TAILQ_REMOVE(&lists->sending, l, link);
	TAILQ_INSERT_TAIL(&lists->sending, l, link);
	const long n = files_page_give(&l->page, out, size);
	listing_measure(l);
	return n;
}

void files_list_end(struct files_listing *l)
{
	if (l->reader != NULL)
		reader_free(l);
	else if (!l->cut)
		TAILQ_REMOVE(&l->lists->sending, l, link);
	files_page_release(&l->page);
	listing_count(l, 0);
	free(l);
}
