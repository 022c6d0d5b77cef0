/*
 * Runs in the workers, for requests: files of a folder. Must never serve anything from outside of
 * it, nor let a response be of two files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/fd.h"
#include "conf/conf.h"
#include "files.h"

/* In the exchange's arena. */
struct files_waiter {
	TAILQ_ENTRY(files_waiter) link;
	struct exchange *exchange;
};

struct files_state {
	struct files_reading reading;
	struct files_listing *listing;
	struct files_waiter *waiter; /* NULL: it waits for no disk */
};

_Static_assert(sizeof(struct files_state) <= HANDLER_STATE_MAX, "the state has its place");

#define FILES_METHODS (HTTP_METHOD_BIT(HTTP_GET) | HTTP_METHOD_BIT(HTTP_HEAD))

/* --- answers without a file ------------------------------------------------------------------- */

static void files_vary(struct exchange *ex)
{
	const struct files_config *c = ex->config;
	if (c->conf->precompressed_count > 0)
		(void)exchange_add_field(ex, "Vary", 4, "Accept-Encoding", 15);
}

void files_answer(struct exchange *ex, unsigned status, uint32_t allowed)
{
	files_vary(ex);
	if (status == 503)
		(void)exchange_add_field(ex, "Retry-After", 11, "1", 1);
	exchange_answer(ex, status, allowed);
}

/* The path of a folder, with its slash; the query goes along, and what a URL cannot have is
 * escaped. */
static void files_redirect(struct exchange *ex)
{
	const struct http_request *r = &ex->request;
	const struct http_path *path = &ex->path;
	const size_t query = r->query_present ? r->query.len : 0;
	char *to = arena_take(&ex->arena, 3 * (path->len + query) + 2);
	struct files_head *h = arena_take(&ex->arena, sizeof(*h));
	if (to == NULL || h == NULL) {
		files_answer(ex, 503, 0);
		return;
	}
	size_t len = files_path_escape(path->text, path->len, to);
	to[len++] = '/';
	if (r->query_present) {
		const char *sent = http_slice_at(r, r->query);
		to[len++] = '?';
		for (size_t i = 0; i < query; i++)
			len += http_url_spell(sent + i, query - i, to + len);
	}
	files_vary(ex);
	h->count = 0;
	files_head_add(h, "Location", to, len);
	exchange_respond(ex, 301, 0, h->list, h->count);
}

/* --- a file ----------------------------------------------------------------------------------- */

static bool boundary_make(char out[HTTP_BOUNDARY_LEN])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t bytes[HTTP_BOUNDARY_LEN / 2];
	if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) != sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		out[2 * i] = hex[bytes[i] >> 4];
		out[2 * i + 1] = hex[bytes[i] & 15];
	}
	return true;
}

/* NULL: out of memory, or of random bytes. */
static struct files_parts *parts_new(struct exchange *ex, const struct files_head *h, uint64_t size,
				     const struct http_range *ranges, size_t count)
{
	struct files_parts *p = arena_take(&ex->arena, sizeof(*p));
	struct http_range *copy = arena_take(&ex->arena, count * sizeof(*copy));
	if (p == NULL || copy == NULL || !boundary_make(p->boundary))
		return NULL;
	memcpy(copy, ranges, count * sizeof(*copy));
	p->parts = (struct http_parts){
	    .boundary = p->boundary, .type = h->type, .type_len = h->type_len, .size = size};
	p->ranges = copy;
	p->count = count;
	p->next = p->head_len = p->head_sent = 0;
	return p;
}

/* What Range asks for: as http_ranges_read(). */
static int ranges_asked(const struct exchange *ex, const struct http_asks *asks,
			const struct http_validators *v, uint64_t size,
			struct http_range ret[HTTP_RANGES_MAX])
{
	const struct http_request *r = &ex->request;
	size_t len;
	if (asks->count[ASK_RANGE] == 0 || r->method != HTTP_GET)
		return HTTP_RANGE_WHOLE;
	const char *value = http_asks_value(r, asks, ASK_RANGE, &len);
	if (value == NULL || !http_if_range_holds(r, asks, v, ex->loop->date_seconds))
		return HTTP_RANGE_WHOLE;
	return http_ranges_read(value, len, size, ret);
}

static void file_respond_parts(struct exchange *ex, struct files_head *h, struct files_parts *p)
{
	static const char prefix[] = "multipart/byteranges; boundary=";
	struct files_state *s = (void *)ex->state;
	const size_t len = sizeof(prefix) - 1;
	memcpy(h->range, prefix, len);
	memcpy(h->range + len, p->boundary, HTTP_BOUNDARY_LEN);
	files_head_add(h, "Content-Type", h->range, len + HTTP_BOUNDARY_LEN);
	s->reading.parts = p;
	s->reading.at = s->reading.end = 0;
	exchange_respond(ex, 206, http_parts_length(&p->parts, p->ranges, p->count), h->list,
			 h->count);
}

_Static_assert(sizeof(((struct files_head *)0)->range) >= 31 + HTTP_BOUNDARY_LEN,
	       "the type of several ranges has its place");

/* What a client that asks with If-Range has from the response before (RFC 9110, 15.3.7). */
static void file_add_known(struct files_head *h, int64_t modified, bool has_type)
{
	http_date(modified, h->modified);
	files_head_add(h, "Last-Modified", h->modified, 29);
	if (h->coding != NULL)
		files_head_add(h, "Content-Encoding", h->coding, strlen(h->coding));
	if (has_type)
		files_head_add(h, "Content-Type", h->type, h->type_len);
}

/* Responds with one range, or the whole. */
static void file_respond_range(struct exchange *ex, struct files_head *h, uint64_t size,
			       const struct http_range *range)
{
	struct files_state *s = (void *)ex->state;
	s->reading.at = range != NULL ? range->first : 0;
	s->reading.end = range != NULL ? range->last + 1 : size;
	if (range != NULL)
		files_head_add(h, "Content-Range", h->range,
			       http_content_range(range, size, h->range));
	exchange_respond(ex, range != NULL ? 206 : 200, s->reading.end - s->reading.at, h->list,
			 h->count);
}

/* Responds with what ranges leave of the file, whose descriptor the state has. */
static void file_respond_ranges(struct exchange *ex, struct files_head *h, uint64_t size,
				int64_t modified, bool is_known, const struct http_range *ranges,
				int count)
{
	struct files_parts *parts =
	    count > 1 ? parts_new(ex, h, size, ranges, (size_t)count) : NULL;
	const bool is_whole = count == 0 || (count > 1 && parts == NULL);
	if (!is_known || is_whole)
		file_add_known(h, modified, parts == NULL);
	if (parts != NULL)
		file_respond_parts(ex, h, parts);
	else
		file_respond_range(ex, h, size, is_whole ? NULL : ranges);
}

/* The connection is asked for no more than the answer: an exchange that is answered so has no
 * end(). */
static void file_answer(struct exchange *ex, unsigned status)
{
	struct files_state *s = (void *)ex->state;
	files_read_close(&s->reading);
	files_answer(ex, status, 0);
}

static void file_refuse_range(struct exchange *ex, uint64_t size)
{
	char range[HTTP_CONTENT_RANGE_MAX];
	const size_t len = http_content_range(NULL, size, range);
	(void)exchange_add_field(ex, "Content-Range", 13, range, len);
	file_answer(ex, 416);
}

/* Nearly every file is older than a second or two; of others it is looked at exactly. */
static bool file_settled(const struct files_file *f, const struct files_config *c, int64_t seconds)
{
	struct timespec now;
	if (f->changed < seconds - 2)
		return true;
	return clock_gettime(CLOCK_REALTIME, &now) == 0 && files_settled(f, &now, c->grain_ns);
}

static void file_respond(struct exchange *ex, const struct http_asks *asks,
			 const struct files_name *name, const struct files_file *f)
{
	const struct files_config *c = ex->config;
	struct files_state *s = (void *)ex->state;
	const int64_t now = ex->loop->date_seconds;
	struct files_head *h = arena_take(&ex->arena, sizeof(*h));
	struct http_range ranges[HTTP_RANGES_MAX];
	files_read_begin(&s->reading, ex, f);
	if (h == NULL) {
		file_answer(ex, 503);
		return;
	}
	h->count = 0;
	h->etag_len = files_etag(f, file_settled(f, c, now), h->etag);
	/* never later than Date (RFC 9110, 8.8.2.1) */
	const int64_t modified = f->modified > now ? now : f->modified > 0 ? f->modified : 0;
	const struct http_validators v = {
	    .etag = h->etag, .etag_len = h->etag_len, .modified = modified, .has_modified = true};
	const unsigned status = http_conditions_judge(&ex->request, asks, &v, now);
	if (status == 412) {
		file_answer(ex, 412);
		return;
	}
	files_head_add_common(h, c);
	if (status == 304) {
		exchange_respond(ex, 304, 0, h->list, h->count);
		return;
	}
	int count = ranges_asked(ex, asks, &v, f->size, ranges);
	files_head_type(h, c, exchange_local(ex), name, f->coding);
	if (count > 1 && h->coding != NULL) /* the body of all parts would have no coding */
		count = HTTP_RANGE_WHOLE;
	if (count == HTTP_RANGE_UNSATISFIABLE) {
		file_refuse_range(ex, f->size);
		return;
	}
	files_head_add(h, "Accept-Ranges", "bytes", 5);
	file_respond_ranges(ex, h, f->size, modified, asks->count[ASK_IF_RANGE] > 0, ranges, count);
}

/* --- a folder --------------------------------------------------------------------------------- */

static void folder_respond(struct exchange *ex, const struct http_asks *asks,
			   const struct files_name *name, int fd)
{
	static const struct http_header vary[] = {HTTP_HEADER("Vary", "Accept")};
	static const struct http_validators none = {.etag = NULL};
	struct files_state *s = (void *)ex->state;
	const unsigned status =
	    http_conditions_judge(&ex->request, asks, &none, ex->loop->date_seconds);
	if (status != 0) {
		fd_close(&fd);
		if (status == 304)
			exchange_respond(ex, 304, 0, vary, 1);
		else
			files_answer(ex, status, 0);
		return;
	}
	const bool json = http_accepts_json(&ex->request, asks);
	const unsigned failed = files_list_begin(ex, name, fd, json, &s->listing);
	if (failed != 0)
		files_answer(ex, failed, 0);
}

/* --- from a request to its answer ------------------------------------------------------------- */

static void files_begin(struct exchange *ex)
{
	struct files_state *s = (void *)ex->state;
	s->reading.fd = -1;
}

static void waiter_add(struct exchange *);

/* With waits, or where there is no event loop to come back from, it may block for the disk. */
static void files_serve(struct exchange *ex, bool waits)
{
	const struct files_config *c = ex->config;
	const struct http_request *r = &ex->request;
	struct files_state *s = (void *)ex->state;
	struct files_name name;
	struct files_found found;
	struct http_asks asks;
	http_asks_read(r, &asks);
	const enum files_named named =
	    files_name_make(&ex->path, http_slice_at(r, r->path), c->conf->hidden, &name);
	switch (files_find(c, s->reading.local->common, waits, r, &asks, named, &name, &found)) {
	case FILES_FOUND:
		file_respond(ex, &asks, &name, &found.file);
		break;
	case FILES_LIST:
		folder_respond(ex, &asks, &name, found.file.fd);
		break;
	case FILES_TO_SLASH:
		files_redirect(ex);
		break;
	case FILES_STATUS:
		files_answer(ex, found.status, 0);
		break;
	case FILES_COLD:
		waiter_add(ex);
		break;
	}
}

/* --- waiting for a disk ----------------------------------------------------------------------- */

static void waiter_add(struct exchange *ex)
{
	struct files_state *s = (void *)ex->state;
	struct files_queue *cold = &s->reading.local->common->cold;
	struct files_waiter *w = arena_take(&ex->arena, sizeof(*w));
	if (w == NULL) {
		files_serve(ex, true);
		return;
	}
	w->exchange = ex;
	s->waiter = w;
	TAILQ_INSERT_TAIL(&cold->waiters, w, link);
	loop_soon(ex->loop->events, &cold->task);
}

static void waiter_remove(struct files_state *s)
{
	struct files_queue *cold = &s->reading.local->common->cold;
	TAILQ_REMOVE(&cold->waiters, s->waiter, link);
	s->waiter = NULL;
}

static void waiters_run(struct loop *loop, struct loop_task *task)
{
	struct files_queue *cold = (struct files_queue *)task;
	const struct files_waiter *w = TAILQ_FIRST(&cold->waiters);
	if (w == NULL) /* its client has left */
		return;
	struct exchange *ex = w->exchange;
	waiter_remove((void *)ex->state);
	files_serve(ex, true);
	if (!TAILQ_EMPTY(&cold->waiters))
		loop_soon(loop, task);
}

/* --- struct handler --------------------------------------------------------------------------- */

/* Responds only after the whole request body: a client that writes before it reads would otherwise
 * get its answer too early. */
static void files_take_end(struct exchange *ex)
{
	const struct http_request *r = &ex->request;
	struct files_state *s = (void *)ex->state;
	s->reading.local = exchange_local(ex);
	if ((FILES_METHODS & HTTP_METHOD_BIT(r->method)) == 0) {
		files_answer(ex, r->method == HTTP_OPTIONS ? 204 : 405,
			     FILES_METHODS | HTTP_METHOD_BIT(HTTP_OPTIONS));
		return;
	}
	files_serve(ex, ex->loop->events == NULL);
}

static long files_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct files_state *s = (void *)ex->state;
	return s->listing != NULL ? files_list_give(s->listing, out, size)
				  : files_read(&s->reading, ex, out, size);
}

static void files_end(struct exchange *ex)
{
	struct files_state *s = (void *)ex->state;
	if (s->waiter != NULL)
		waiter_remove(s);
	if (s->listing != NULL)
		files_list_end(s->listing);
	files_read_end(&s->reading, ex);
}

static int type_add(struct files_local *local, const struct conf_media_type *t)
{
	int error = 0;
	if (t->extensions_count == 0)
		local->others = t->type;
	for (uint32_t i = 0; i < t->extensions_count && error == 0; i++)
		error = media_add(&local->own, t->extensions[i], strlen(t->extensions[i]), t->type,
				  strlen(t->type));
	return error;
}

/* --- what the locations of a loop share ------------------------------------------------------- */

static void files_spare(struct http_loop *loop)
{
	const struct files_common *common = loop->files;
	if (common->keep != NULL)
		files_keep_empty(common->keep);
}

static struct files_common *common_take(struct http_loop *loop)
{
	struct files_common *common = loop->files;
	if (common == NULL) {
		common = calloc(1, sizeof(*common));
		if (common == NULL)
			return NULL;
		if (loop->events != NULL)
			common->keep = files_keep_new(loop);
		common->loop = loop;
		files_lists_init(&common->lists);
		common->cold.task.run = waiters_run;
		TAILQ_INIT(&common->cold.waiters);
		if (loop->holdings != NULL)
			holdings_add(loop->holdings, &common->lists.held);
		loop->files = common;
		loop->spare = files_spare;
	}
	common->locations++;
	return common;
}

static void common_release(struct files_common *common)
{
	if (common == NULL || --common->locations > 0)
		return;
	common->loop->files = NULL;
	common->loop->spare = NULL;
	if (common->loop->events != NULL)
		loop_soon_cancel(common->loop->events, &common->cold.task);
	if (common->keep != NULL)
		files_keep_free(common->keep);
	free(common);
}

static int files_open(struct http_loop *loop, const void *config, void **ret)
{
	const struct files_config *c = config;
	struct files_local *local = calloc(1, sizeof(*local));
	if (local == NULL)
		return -ENOMEM;
	*ret = local;
	local->common = common_take(loop);
	int error = local->common == NULL ? -ENOMEM : 0;
	for (uint32_t i = 0; i < c->conf->types_count && error == 0; i++)
		error = type_add(local, &c->conf->types[i]);
	return error;
}

static void files_close_local(void *arg)
{
	struct files_local *local = arg;
	common_release(local->common);
	media_release(&local->own);
	free(local);
}

static const struct handler handler_files = {
    .methods = FILES_METHODS,
    .open = files_open,
    .close = files_close_local,
    .begin = files_begin,
    .take_end = files_take_end,
    .give = files_give,
    .end = files_end,
};

static bool files_compress(const struct conf_location *location)
{
	const struct conf_compress *c =
	    location->filters != NULL ? location->filters->options[CONF_FILTER_COMPRESS] : NULL;
	return c != NULL && c->codings_count > 0;
}

static void *files_make(const struct conf_location *location, const struct handler_means *means)
{
	const struct conf_files *conf = location->options;
	struct files_config *c = means->roots != NULL ? malloc(sizeof(*c)) : NULL;
	if (c != NULL)
		*c = (struct files_config){.conf = conf,
					   .root = &means->roots[conf->root],
					   .types = means->types,
					   .exact = location->exact,
					   .grain_ns = means->file_grain_ns,
					   .compresses = files_compress(location)};
	return c;
}

const struct handler_kind handler_kind_files = {.handler = &handler_files, .make = files_make};
