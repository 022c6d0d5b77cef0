/*
 * Runs in the workers, for requests: lists folders, a few milliseconds at a time. Must never hold
 * more of a folder than FILES_LISTED_MAX entries, nor keep other connections waiting for a large
 * one.
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

struct files_listing {
	struct loop_task task; /* first */
	struct exchange *exchange;
	const struct files_config *config;
	struct files_local *local;
	int fd;
	struct files_name name; /* of the folder */
	struct files_page page;
	size_t batch_at, batch_len;
	_Alignas(8) char batch[BATCH_BYTES]; /* of struct dirent64, as getdents64(2) writes it */
};

/* --- one entry -------------------------------------------------------------------------------- */

/* A link is what it leads to beneath the root. */
static int link_open(struct files_listing *l, const char *name)
{
	const size_t len = l->name.len;
	int fd = -ENAMETOOLONG;
	if (l->config->conf->no_symlinks)
		return -ELOOP;
	if ((len == 0 || files_name_add(&l->name, "/", 1)) &&
	    files_name_add(&l->name, name, strlen(name)))
		fd = root_open(l->config->root, l->name.text, O_PATH, 0);
	l->name.len = len;
	l->name.text[len] = '\0';
	return fd;
}

static int entry_open(struct files_listing *l, const struct dirent64 *d)
{
	const struct root folder = {.fd = l->fd, .rest = "", .written = "", .real = ""};
	const int fd = root_open(&folder, d->d_name, O_PATH, ROOT_NO_LINKS);
	return fd == -ELOOP ? link_open(l, d->d_name)
			    : fd; /* not all file systems say what is one */
}

/* 0, or -errno of files_page_add(). What cannot be looked at, or is no file and no folder, is left
 * out. */
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
	int fd = entry_open(l, d);
	if (fd < 0)
		return 0;
	const bool shown = files_stat(fd, &file) == 0 && (file.is_regular || file.is_folder);
	fd_close(&fd);
	return shown ? files_page_add(&l->page, name, strlen(name), &file) : 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* 1: the folder has been read; 0: not all of it; -errno. */
static int batch_read(struct files_listing *l)
{
	const long n = syscall(SYS_getdents64, l->fd, l->batch, sizeof(l->batch));
	if (n < 0)
		return -errno;
	l->batch_at = 0;
	l->batch_len = (size_t)n;
	return n == 0;
}

static int listing_step(struct files_listing *l)
{
	const uint64_t until_ns = clock_ns() + STEP_NS;
	do {
		if (l->batch_at >= l->batch_len) {
			const int result = batch_read(l);
			if (result != 0)
				return result;
		}
		const struct dirent64 *d = (const struct dirent64 *)(l->batch + l->batch_at);
		l->batch_at += d->d_reclen;
		const int error = entry_add(l, d);
		if (error < 0)
			return error == -ENOSPC ? 1 : error;
	} while (l->exchange->loop->events == NULL || clock_ns() < until_ns);
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
		return 503;
	}
	return 500;
}

static void listing_run(struct loop *loop, struct loop_task *task)
{
	struct files_listing *l = (struct files_listing *)task;
	const int result = listing_step(l);
	if (result == 0) {
		loop_soon(loop, task);
		return;
	}
	fd_close(&l->fd);
	if (result < 0) {
		struct exchange *ex = l->exchange;
		files_list_end(l);
		files_answer(ex, list_status(result), 0);
		return;
	}
	files_page_sort(&l->page);
	listing_respond(l);
}

/* --- the exchange ----------------------------------------------------------------------------- */

static int listing_begin(struct files_listing *l)
{
	struct loop *events = l->exchange->loop->events;
	if (l->exchange->request.method == HTTP_HEAD) {
		listing_respond(l);
	} else if (events != NULL) {
		loop_soon(events, &l->task);
	} else {
		const int result = listing_step(l);
		if (result < 0)
			return result;
		files_page_sort(&l->page);
		listing_respond(l);
	}
	return 0;
}

unsigned files_list_begin(struct exchange *ex, const struct files_name *name, int fd, bool json,
			  struct files_listing **ret)
{
	const struct http_request *r = &ex->request;
	struct files_local *local = exchange_local(ex);
	struct files_listing *l = local->lists < FILES_LISTS_MAX ? malloc(sizeof(*l)) : NULL;
	if (l == NULL) {
		fd_close(&fd);
		return list_status(-EBUSY);
	}
	local->lists++;
	memset(l, 0, offsetof(struct files_listing, batch));
	l->task.run = listing_run;
	l->exchange = ex;
	l->config = ex->config;
	l->local = local;
	l->fd = fd;
	l->name = *name;
	files_page_init(&l->page, ex->path.text, ex->path.len, json);
	if (r->query_present)
		files_page_read_query(&l->page, http_slice_at(r, r->query), r->query.len);
	const int error = listing_begin(l);
	if (error < 0) {
		files_list_end(l);
		return list_status(error);
	}
	*ret = l;
	return 0;
}

long files_list_give(struct files_listing *l, uint8_t *out, size_t size)
{
	return files_page_give(&l->page, out, size);
}

void files_list_end(struct files_listing *l)
{
	struct loop *events = l->exchange->loop->events;
	if (events != NULL)
		loop_soon_cancel(events, &l->task);
	l->local->lists--;
	files_page_release(&l->page);
	fd_close(&l->fd);
	free(l);
}
