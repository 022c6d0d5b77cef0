/*
 * Runs in the workers: exchanges, their free list, one per event loop, and every call of a handler.
 * Must never keep more than HTTP_EXCHANGES_KEPT of them, let one end twice, nor show bytes of the
 * client in an answer of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "internal.h"

static struct exchange *exchange_new(void)
{
	struct exchange *ex = malloc(sizeof(*ex) + EXCHANGE_ROOM);
	if (ex != NULL)
		arena_init(&ex->arena, ex + 1, EXCHANGE_ROOM);
	return ex;
}

static void response_clear(struct exchange *ex)
{
	ex->responding = ex->upgraded = ex->fields_failed = ex->head_sent = false;
	ex->fields_long = ex->fields_copied = ex->own_date = false;
	ex->length = 0;
	ex->fields = NULL;
	ex->fields_count = ex->added_bytes = 0;
	ex->added = NULL;
	ex->added_end = &ex->added;
	ex->page = NULL;
	ex->trailer.first = NULL;
}

struct exchange *exchange_acquire(struct http_loop *loop, void *connection,
				  const struct http_client *client)
{
	struct exchange *ex = loop->pool.free;
	if (ex != NULL) {
		loop->pool.free = ex->next_free;
		loop->pool.count--;
	} else {
		ex = exchange_new();
		if (ex == NULL)
			return NULL;
	}
	ex->loop = loop;
	ex->connection = connection;
	ex->client = client;
	ex->next_free = NULL;
	ex->path = (struct http_path){0};
	ex->host = NULL;
	ex->location = NULL;
	ex->handler = NULL;
	ex->config = NULL;
	ex->filters = NULL;
	ex->filters_count = ex->filters_asked = 0;
	ex->waiting = ex->request_over = false;
	memset(ex->state, 0, sizeof(ex->state));
	/* ex->request is not cleared: it is large, and the parser clears what it does not fill. */
	ex->inside = ex->take_blocked = ex->woken = ex->given_up = ex->uninvited = false;
	ex->held = ex->own_limits = ex->has_interim = ex->gathers = false;
	ex->interim = (struct exchange_texts){0};
	ex->upstream = NULL;
	ex->upstream_fault = NULL;
	ex->request_trailer = NULL;
	ex->status = 0;
	ex->refusal = REFUSE_NOT;
	response_clear(ex);
	ex->window.begun = ex->window.runs = false;
	ex->work = (struct exchange_work){0};
	ex->begun_ns = ex->body_received = ex->body_sent = 0;
	ex->user = NULL;
	ex->user_len = 0;
	ex->id[0] = '\0';
	return ex;
}

/* --- calling the handler ---------------------------------------------------------------------- */

static void exchange_begin(struct exchange *ex)
{
	if (ex->handler->begin == NULL)
		return;
	const bool nested = exchange_enter(ex);
	ex->handler->begin(ex);
	exchange_leave(ex, nested);
}

size_t exchange_take(struct exchange *ex, const uint8_t *data, size_t len)
{
	if (ex->waiting) {
		ex->take_blocked = true;
		return 0;
	}
	/* the handler of a body that a page has replaced would wait for it to be taken */
	if (ex->handler->take == NULL || ex->page != NULL)
		return len;
	const bool nested = exchange_enter(ex);
	const size_t taken = ex->handler->take(ex, data, len);
	exchange_leave(ex, nested);
	ex->take_blocked = taken == 0;
	return taken < len ? taken : len;
}

void exchange_drain(struct exchange *ex)
{
	if (ex->handler->drain == NULL)
		return;
	const bool nested = exchange_enter(ex);
	ex->handler->drain(ex);
	exchange_leave(ex, nested);
}

void exchange_take_end(struct exchange *ex)
{
	ex->request_over = true;
	if (ex->waiting || ex->handler->take_end == NULL)
		return;
	const bool nested = exchange_enter(ex);
	ex->handler->take_end(ex);
	exchange_leave(ex, nested);
}

long exchange_give(struct exchange *ex, uint8_t *out, size_t size)
{
	const bool nested = exchange_enter(ex);
	const long n = ex->filters_count > 0 && !ex->upgraded ? filters_give(ex, 0, out, size)
							      : exchange_body(ex, out, size);
	exchange_leave(ex, nested);
	ex->woken = false;
	if (n == 0)
		return GIVE_LATER;
	if (n > 0 && (size_t)n > size)
		return GIVE_FAIL;
	if (n > 0)
		ex->body_sent += (uint64_t)n;
	return n;
}

static void exchange_end(struct exchange *ex)
{
	const bool has_end = ex->handler != NULL && ex->handler->end != NULL;
	if (!has_end && ex->filters_asked == 0)
		return;
	const bool nested = exchange_enter(ex);
	if (has_end)
		ex->handler->end(ex);
	filters_end(ex);
	exchange_leave(ex, nested);
}

/* --- the end ---------------------------------------------------------------------------------- */

void exchange_release(struct exchange *ex)
{
	struct http_loop *loop = ex->loop;
	exchange_end(ex);
	loop->owner->done(ex->connection, ex);
	exchange_drop(ex);
}

void exchange_drop(struct exchange *ex)
{
	struct http_loop *loop = ex->loop;
	if (loop->shown == ex)
		loop->shown = NULL;
	arena_reset(&ex->arena);
	if (loop->pool.count >= HTTP_EXCHANGES_KEPT) {
		free(ex);
		return;
	}
	ex->next_free = loop->pool.free;
	loop->pool.free = ex;
	loop->pool.count++;
}

void http_loop_release(struct http_loop *loop)
{
	while (loop->pool.free != NULL) {
		struct exchange *ex = loop->pool.free;
		loop->pool.free = ex->next_free;
		free(ex);
	}
	loop->pool.count = 0;
}

/* --- the response ----------------------------------------------------------------------------- */

struct exchange_field {
	struct exchange_field *next;
	struct http_header header;
};

/* Of those that were added; exchange_next_field() leaves out the others. */
static void fields_replaced_remove(struct exchange *ex)
{
	struct exchange_field **at = &ex->added;
	while (*at != NULL)
		if (page_replaces(ex->page, &(*at)->header))
			*at = (*at)->next;
		else
			at = &(*at)->next;
	ex->added_end = at;
}

/* --- Allow ------------------------------------------------------------------------------------ */

/* What the server as a whole can do, for OPTIONS * (RFC 9110, 9.3.7). */
#define METHODS_SERVED                                                                            \
	(HTTP_METHOD_BIT(HTTP_GET) | HTTP_METHOD_BIT(HTTP_HEAD) | HTTP_METHOD_BIT(HTTP_POST) |    \
	 HTTP_METHOD_BIT(HTTP_PUT) | HTTP_METHOD_BIT(HTTP_PATCH) | HTTP_METHOD_BIT(HTTP_DELETE) | \
	 HTTP_METHOD_BIT(HTTP_OPTIONS))

/* What a location takes. */
static uint32_t methods_of(const struct http_location *l)
{
	return l->methods != 0 ? l->methods : l->handler->methods;
}

/* What Allow says of it: OPTIONS is answered everywhere, by the protocol where the location does
 * not take it. One that refuses what it takes allows the rest, which may be nothing (RFC 9110,
 * 10.2.1). */
static uint32_t allowed_by(const struct http_location *l)
{
	const uint32_t options = HTTP_METHOD_BIT(HTTP_OPTIONS);
	return l->refuses ? options & ~methods_of(l) : (methods_of(l) & METHODS_SERVED) | options;
}

#define ALLOW_MAX 72 /* every method: 64 */

static void allow_add(struct exchange *ex, uint32_t allowed)
{
	char value[ALLOW_MAX];
	struct text t;
	text_init(&t, value, sizeof(value));
	for (unsigned m = 0; m < HTTP_METHODS; m++) {
		if ((allowed & HTTP_METHOD_BIT(m)) == 0)
			continue;
		if (t.len > 0)
			text_add_str(&t, ", ");
		text_add_str(&t, http_method_name((enum http_method)m));
	}
	(void)exchange_add_field(ex, "Allow", 5, t.data, t.len);
}

static bool has_allow(const struct exchange *ex)
{
	struct http_fields_walk walk = {0};
	const struct http_header *f;
	while ((f = exchange_next_field(ex, &walk)) != NULL)
		if (f->name_len == 5 && strncasecmp(f->name, "Allow", 5) == 0)
			return true;
	return false;
}

/* Not inlined, or every response would pay for it. Whoever made a 405, it has Allow (RFC 9110,
 * 15.5.6). */
static __attribute__((noinline)) void response_begin_error(struct exchange *ex)
{
	if (ex->status == 405 && !has_allow(ex))
		allow_add(ex, ex->location != NULL ? allowed_by(ex->location) : METHODS_SERVED);
	if (page_choose(ex))
		fields_replaced_remove(ex);
}

static void response_begin(struct exchange *ex, unsigned status, uint64_t length,
			   const struct http_header *fields, size_t fields_count)
{
	ex->responding = true;
	ex->status = status;
	ex->length = length;
	ex->fields = fields;
	ex->fields_count = fields_count;
	if (status >= 400)
		response_begin_error(ex);
	if (ex->filters_count > 0) {
		const bool nested = exchange_enter(ex);
		filters_head(ex);
		exchange_leave(ex, nested);
	}
	if (!ex->inside)
		exchange_wake(ex);
}

void exchange_respond(struct exchange *ex, unsigned status, uint64_t length,
		      const struct http_header *fields, size_t fields_count)
{
	if (ex->responding)
		return;
	response_begin(ex, status >= 200 && status <= 599 ? status : 500,
		       ex->handler->give != NULL ? length : 0, fields, fields_count);
}

int exchange_upgrade(struct exchange *ex, const struct http_header *fields, size_t fields_count)
{
	const struct http_request *r = &ex->request;
	if (ex->responding || !r->upgrade || r->framing != HTTP_BODY_NONE ||
	    ex->handler->give == NULL || ex->handler->take == NULL ||
	    http_request_field(r, "upgrade") == NULL)
		return -EPROTO;
	ex->upgraded = true;
	response_begin(ex, 101, HTTP_LENGTH_UNKNOWN, fields, fields_count);
	return 0;
}

/* Framing belongs to the protocol: a handler that could set it could make two responses of one. */
static bool field_is_allowed(const char *name, size_t len)
{
	static const char *const made[] = {"connection", "content-length", "date",
					   "transfer-encoding"};
	if (chars_token_len(name, len) < len)
		return false;
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		if (http_name_is(name, len, made[i]))
			return false;
	return len > 0;
}

static bool field_value_is_valid(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!char_is(value[i], CHAR_VALUE))
			return false;
	return true;
}

static int field_fail(struct exchange *ex, int error)
{
	ex->fields_failed = true;
	return error;
}

bool exchange_field_fits(const struct exchange *ex, size_t name_len, size_t value_len)
{
	const size_t room = HTTP_FIELDS_MAX - ex->added_bytes;
	return name_len <= room && value_len <= room &&
	       sizeof(struct exchange_field) + name_len + value_len <= room;
}

int exchange_add_field(struct exchange *ex, const char *name, size_t name_len, const char *value,
		       size_t value_len)
{
	if (ex->head_sent)
		return -EALREADY;
	struct exchange_field *field;
	if (!exchange_field_fits(ex, name_len, value_len))
		return field_fail(ex, -ENOSPC);
	if (!field_is_allowed(name, name_len) || !field_value_is_valid(value, value_len))
		return field_fail(ex, -EINVAL);
	field = arena_take(&ex->arena, sizeof(*field) + name_len + value_len);
	if (field == NULL)
		return field_fail(ex, -ENOMEM);
	char *text = (char *)(field + 1);
	memcpy(text, name, name_len);
	memcpy(text + name_len, value, value_len);
	field->next = NULL;
	field->header =
	    (struct http_header){text, text + name_len, (uint32_t)name_len, (uint32_t)value_len};
	*ex->added_end = field;
	ex->added_end = &field->next;
	ex->added_bytes += sizeof(*field) + name_len + value_len;
	return 0;
}

void exchange_borrow_field(struct exchange *ex, const struct http_header *header)
{
	struct exchange_field *field = arena_take(&ex->arena, sizeof(*field));
	if (field == NULL) {
		ex->fields_failed = true;
		return;
	}
	*field = (struct exchange_field){.header = *header};
	*ex->added_end = field;
	ex->added_end = &field->next;
}

static bool field_has_name(const struct http_header *f, const char *name, size_t len)
{
	return f->name_len == len && strncasecmp(f->name, name, len) == 0;
}

/* Both lists of constant fields are borrowed: the one without that name is a copy, unless it is one
 * already. False: out of memory. */
static bool fields_without(struct exchange *ex, const char *name, size_t len, bool is_copy,
			   const struct http_header **fields, size_t *count)
{
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++)
		kept += !field_has_name(&(*fields)[i], name, len);
	if (kept == *count)
		return true;
	struct http_header *copy = is_copy ? (struct http_header *)(uintptr_t)*fields
					   : arena_take(&ex->arena, *count * sizeof(*copy));
	if (copy == NULL)
		return false;
	kept = 0;
	for (size_t i = 0; i < *count; i++)
		if (!field_has_name(&(*fields)[i], name, len))
			copy[kept++] = (*fields)[i];
	*fields = copy;
	*count = kept;
	return true;
}

static bool page_without(struct exchange *ex, const char *name, size_t len)
{
	const struct http_header *fields = ex->page->fields;
	size_t count = ex->page->fields_count;
	if (!fields_without(ex, name, len, false, &fields, &count))
		return false;
	if (count == ex->page->fields_count)
		return true;
	struct http_page *copy = arena_take(&ex->arena, sizeof(*copy));
	if (copy == NULL)
		return false;
	*copy = *ex->page;
	copy->fields = fields;
	copy->fields_count = count;
	ex->page = copy;
	return true;
}

int exchange_remove_field(struct exchange *ex, const char *name, size_t name_len)
{
	if (ex->head_sent)
		return -EALREADY;
	const struct http_header *before = ex->fields;
	if (!fields_without(ex, name, name_len, ex->fields_copied, &ex->fields,
			    &ex->fields_count) ||
	    (ex->page != NULL && !page_without(ex, name, name_len)))
		return field_fail(ex, -ENOMEM);
	ex->fields_copied = ex->fields_copied || ex->fields != before;
	struct exchange_field **at = &ex->added;
	while (*at != NULL)
		if (field_has_name(&(*at)->header, name, name_len))
			*at = (*at)->next;
		else
			at = &(*at)->next;
	ex->added_end = at;
	return 0;
}

void exchange_fail_field(struct exchange *ex)
{
	if (ex->refusal == REFUSE_NOT)
		ex->fields_failed = ex->fields_long = true;
}

/* --- texts beside the response ---------------------------------------------------------------- */

static size_t lines_len(const struct http_header *fields, size_t count)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++)
		len += http_line_len(&fields[i]);
	return len;
}

/* Room for so many bytes at the end of the texts. NULL: they have too many, or out of memory. */
static char *texts_add(struct exchange *ex, struct exchange_texts *t, size_t len, size_t max,
		       int *ret_error)
{
	struct exchange_text *text = NULL;
	*ret_error = -ENOSPC;
	if (len <= max && t->bytes <= max - len) {
		*ret_error = -ENOMEM;
		text = arena_take(&ex->arena, sizeof(*text) + len);
	}
	if (text == NULL)
		return NULL;
	*text = (struct exchange_text){.len = (uint32_t)len};
	if (t->first == NULL)
		t->end = &t->first;
	*t->end = text;
	t->end = &text->next;
	t->bytes += (uint32_t)len;
	return text->data;
}

static char *lines_put(char *at, const struct http_header *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const size_t len = http_line_len(&fields[i]);
		size_t sent = 0;
		at += http_response_line((uint8_t *)at, len, &fields[i], &sent);
	}
	return at;
}

int exchange_interim(struct exchange *ex, unsigned status, const struct http_header *fields,
		     size_t fields_count)
{
	char line[RESPONSE_PART_MAX];
	int error;
	if (ex->responding || status < 100 || status == 101 || status > 199)
		return -EALREADY;
	if (ex->request.version_minor == 0)
		return 0;
	const size_t start = http_response_start((uint8_t *)line, status, NULL);
	char *at = texts_add(ex, &ex->interim, start + lines_len(fields, fields_count) + 2,
			     HTTP_INTERIM_MAX, &error);
	if (at == NULL)
		return error;
	memcpy(at, line, start);
	memcpy(lines_put(at + start, fields, fields_count), "\r\n", 2);
	ex->has_interim = true;
	if (!ex->inside)
		exchange_wake(ex);
	return 0;
}

/* Fields that say where a message ends, or how it is routed, cannot come after it (RFC 9110,
 * 6.5.1). */
static bool trailer_is_allowed(const struct http_header *f)
{
	static const char *const refused[] = {"connection", "content-length",    "host",   "te",
					      "trailer",    "transfer-encoding", "upgrade"};
	if (chars_token_len(f->name, f->name_len) < f->name_len || f->name_len == 0)
		return false;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (http_name_is(f->name, f->name_len, refused[i]))
			return false;
	return field_value_is_valid(f->value, f->value_len);
}

int exchange_add_trailer(struct exchange *ex, const struct http_header *field)
{
	int error;
	if (!trailer_is_allowed(field))
		return -EINVAL;
	if (ex->trailer.first == NULL)
		ex->trailer.bytes = 0;
	char *at = texts_add(ex, &ex->trailer, http_line_len(field), HTTP_TRAILER_MAX, &error);
	if (at == NULL)
		return error;
	(void)lines_put(at, field, 1);
	return 0;
}

size_t exchange_texts_write(struct exchange_texts *t, uint8_t *out, size_t size)
{
	size_t used = 0;
	while (t->first != NULL && used < size) {
		struct exchange_text *text = t->first;
		const size_t n = give_copy(out + used, size - used, text->data + text->sent,
					   text->len - text->sent);
		text->sent += (uint32_t)n;
		used += n;
		if (text->sent == text->len)
			t->first = text->next;
	}
	return used;
}

void exchange_hold_body(struct exchange *ex)
{
	ex->held = true;
}

void exchange_invite(struct exchange *ex)
{
	ex->held = false;
	exchange_wake(ex);
}

void exchange_gather_end(struct exchange *ex)
{
	ex->gathers = false;
	exchange_wake(ex);
}

/* --- the end of the head ---------------------------------------------------------------------- */

static void head_finish(struct exchange *ex)
{
	const struct http_finishers *f = exchange_finishers(ex);
	if (f == NULL)
		return;
	const bool nested = exchange_enter(ex);
	for (size_t i = 0; i < f->count; i++)
		f->list[i].finish(ex, f->list[i].config);
	exchange_leave(ex, nested);
}

bool exchange_stays(const struct exchange *ex)
{
	const struct http_finishers *f = exchange_finishers(ex);
	for (size_t i = 0; f != NULL && i < f->count; i++)
		if (f->list[i].stays != NULL && f->list[i].stays(ex, f->list[i].config))
			return true;
	return false;
}

bool exchange_change_head(struct exchange *ex)
{
	head_finish(ex);
	const bool failed = ex->fields_failed;
	if (failed) {
		if (ex->fields_long)
			ex->refusal = REFUSE_TARGET_TOO_LONG;
		exchange_replace(ex, ex->fields_long ? 414 : 500, 0);
		head_finish(ex);
	}
	ex->head_sent = true;
	return failed;
}

/* The fields of the response, without those that its page replaces, then those of the page. Not
 * inlined, or every response would pay for it. */
static __attribute__((noinline)) const struct http_header *fields_next_paged(
    const struct exchange *ex, struct http_fields_walk *walk)
{
	while (walk->index < ex->fields_count) {
		const struct http_header *f = &ex->fields[walk->index++];
		if (!page_replaces(ex->page, f))
			return f;
	}
	const size_t own = walk->index - ex->fields_count;
	if (own >= ex->page->fields_count)
		return NULL;
	walk->index++;
	return &ex->page->fields[own];
}

const struct http_header *exchange_next_field(const struct exchange *ex,
					      struct http_fields_walk *walk)
{
	if (walk->adding) {
		walk->added = walk->added != NULL ? walk->added->next : NULL;
	} else {
		const struct http_header *f = ex->page != NULL ? fields_next_paged(ex, walk)
					      : walk->index < ex->fields_count
						  ? &ex->fields[walk->index++]
						  : NULL;
		if (f != NULL)
			return f;
		walk->adding = true;
		walk->added = ex->added;
	}
	return walk->added != NULL ? &walk->added->header : NULL;
}

/* --- the protocol's own answers, by a handler like any other -----------------------------------
 */

struct status_state {
	unsigned status;
	uint64_t sent;
};

_Static_assert(sizeof(struct status_state) <= HANDLER_STATE_MAX, "the state has its place");

#define STATUS_BODY_MAX 192

/* The body: "404 Not Found\n", on some ports followed by "bare-lf: a line ends in LF without
 * CR\n". */
static size_t status_body(const struct exchange *ex, char out[STATUS_BODY_MAX])
{
	const struct status_state *s = (const void *)ex->state;
	const struct http_refusal_facts *why = http_refusal_facts(ex->refusal);
	struct text t;
	text_init(&t, out, STATUS_BODY_MAX);
	text_add_uint(&t, s->status);
	text_add_char(&t, ' ');
	text_add_str(&t, http_reason(s->status));
	text_add_char(&t, '\n');
	if (ex->refusal == REFUSE_NOT || !ex->loop->explains ||
	    s->status == 408) /* a timeout needs no explanation */
		return t.len;
	text_add_str(&t, why->word);
	text_add_str(&t, ": ");
	text_add_str(&t, why->text);
	text_add_char(&t, '\n');
	return t.len;
}

static void status_respond(struct exchange *ex)
{
	static const struct http_header type[] = {HTTP_HEADER("Content-Type", "text/plain")};
	const struct status_state *s = (const void *)ex->state;
	char body[STATUS_BODY_MAX];
	exchange_respond(ex, s->status, status_body(ex, body), type, s->status != 204);
}

static long status_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct status_state *s = (void *)ex->state;
	char body[STATUS_BODY_MAX];
	const size_t n = give_copy(out, size, body + s->sent, status_body(ex, body) - s->sent);
	s->sent += n;
	return (long)n;
}

static const struct handler handler_status = {
    .take_end = status_respond,
    .give = status_give,
};

static void status_serve(struct exchange *ex, unsigned status, uint32_t allowed)
{
	struct status_state *s = (void *)ex->state;
	ex->handler = &handler_status;
	memset(ex->state, 0, sizeof(ex->state));
	s->status = status;
	if (allowed != 0)
		allow_add(ex, allowed);
}

void exchange_answer(struct exchange *ex, unsigned status, uint32_t allowed)
{
	const bool is_late = ex->request_over;
	status_serve(ex, status, allowed);
	ex->uninvited =
	    !is_late && ex->request.expect_continue && ex->request.framing != HTTP_BODY_NONE;
	if (!ex->uninvited && !is_late)
		return;
	exchange_take_end(ex);
	if (!ex->inside)
		exchange_wake(ex);
}

void exchange_replace(struct exchange *ex, unsigned status, uint32_t allowed)
{
	exchange_end(ex);
	ex->own_limits = ex->held = ex->gathers = false;
	ex->request_trailer = NULL;
	response_clear(ex);
	ex->take_blocked = false;
	status_serve(ex, status, allowed);
	exchange_take_end(ex);
}

/* --- locations -------------------------------------------------------------------------------- */

void exchange_handle(struct exchange *ex, const struct http_location *to)
{
	if (methods_of(to) & HTTP_METHOD_BIT(ex->request.method)) {
		ex->handler = to->handler;
		ex->config = to->config;
		exchange_begin(ex);
		return;
	}
	exchange_answer(ex, ex->request.method == HTTP_OPTIONS ? 204 : 405, allowed_by(to));
}

/* Begins the filters of the location, and then its handler. False: out of memory. */
static bool exchange_serve(struct exchange *ex, const struct http_location *to)
{
	ex->location = to;
	if (to->filters_count > 0)
		return filters_begin(ex);
	exchange_handle(ex, to);
	return true;
}

void exchange_refuse(struct exchange *ex, enum http_refusal why)
{
	const unsigned status = http_refusal_facts(why)->status;
	ex->refusal = why;
	exchange_replace(ex, status, status == 405 ? METHODS_SERVED : 0);
}

/* RFC 9110, 15.5.20. The body is read and the connection goes on, as after a 404. */
static int exchange_misdirected(struct exchange *ex, enum http_refusal why)
{
	ex->refusal = why;
	ex->request.excerpt = ex->request.host;
	exchange_answer(ex, http_refusal_facts(why)->status, 0);
	return 0;
}

static bool asks_server(const struct http_request *r)
{
	return r->path.len == 1 && *http_slice_at(r, r->path) == '*';
}

/* OPTIONS * asks for the server itself, whatever the name (RFC 9110, 7.1). Otherwise there is
 * nothing of this name on the port, or nothing at this path. */
static void exchange_nowhere(struct exchange *ex)
{
	if (asks_server(&ex->request))
		exchange_answer(ex, 204, METHODS_SERVED);
	else if (ex->host->is_empty)
		(void)exchange_misdirected(ex, REFUSE_HOST_UNKNOWN);
	else
		exchange_answer(ex, 404, 0);
}

const struct handler handler_nowhere = {.methods = HTTP_METHODS_KNOWN, .begin = exchange_nowhere};

/* A request that is refused before its location is asked gets the head and the page of that place
 * nevertheless. */
static void exchange_place(struct exchange *ex)
{
	const struct http_routes *routes = ex->loop->routes;
	if (ex->host != NULL && ex->request.method != HTTP_CONNECT && !asks_server(&ex->request) &&
	    exchange_path_make(ex) == 0)
		ex->location = routes->find(routes, ex->host, ex->path.text, ex->path.len);
}

/* The client makes more requests than it may (RFC 6585, 4). */
static int exchange_limited(struct exchange *ex, uint32_t wait_s)
{
	char value[16];
	struct text t;
	exchange_place(ex);
	text_init(&t, value, sizeof(value));
	text_add_uint(&t, wait_s);
	ex->refusal = REFUSE_TOO_MANY;
	(void)exchange_add_field(ex, "Retry-After", 11, t.data, t.len);
	exchange_answer(ex, http_refusal_facts(ex->refusal)->status, 0);
	return 0;
}

/* The method is none of those that every handler knows. Not inlined, since few requests have such a
 * one. */
static __attribute__((noinline)) int exchange_judge_method(struct exchange *ex)
{
	if (ex->request.method == HTTP_CONNECT) /* what follows may be meant for the tunnel */
		return -REFUSE_TUNNEL;
	exchange_place(ex);
	if (ex->location != NULL && (methods_of(ex->location) & HTTP_METHOD_BIT(HTTP_OTHER)))
		return 0;
	return -REFUSE_METHOD_UNKNOWN;
}

/* The body is too large; but of a method that nobody takes, that does not matter. */
static __attribute__((noinline)) int exchange_judge_length(struct exchange *ex)
{
	if (ex->request.method == HTTP_OTHER && ex->host != NULL && exchange_judge_method(ex) < 0)
		return -REFUSE_METHOD_UNKNOWN;
	exchange_place(ex);
	return -REFUSE_BODY_TOO_LARGE;
}

/* 0: the client may have this request. */
static inline uint32_t exchange_limit(const struct exchange *ex)
{
	if (ex->client->limited == NULL)
		return 0;
	return ex->loop->owner->limit(ex->connection, ex);
}

int exchange_dispatch(struct exchange *ex)
{
	const struct http_request *r = &ex->request;
	const struct http_loop *loop = ex->loop;
	const struct http_routes *routes = loop->routes;
	const struct http_host *host =
	    routes->find_host != NULL ? routes->find_host(routes, r) : routes->default_host;
	const struct http_client *client = ex->client;
	const bool is_elsewhere =
	    client->tls != NULL ? client->policy != host->policy : r->secure && !client->relayed;
	if (!is_elsewhere)
		ex->host = host;
	if (r->framing == HTTP_BODY_LENGTH && r->content_length > loop->limits->body_bytes)
		return exchange_judge_length(ex);
	const uint32_t wait_s = exchange_limit(ex);
	const int strange =
	    r->method >= HTTP_CONNECT && !is_elsewhere ? exchange_judge_method(ex) : 0;
	if (strange < 0)
		return strange;
	if (wait_s > 0)
		return exchange_limited(ex, wait_s);
	if (is_elsewhere)
		return exchange_misdirected(ex, client->tls != NULL ? REFUSE_HOST_ELSEWHERE
								    : REFUSE_SCHEME);
	const struct http_location *location = NULL;
	if (!asks_server(r)) {
		const int error = exchange_path_make(ex);
		if (error < 0)
			return error;
		location = routes->find(routes, host, ex->path.text, ex->path.len);
	}
	if (location == NULL)
		location = host->nowhere;
	if (location == NULL) {
		exchange_nowhere(ex);
		return 0;
	}
	ex->path.matched = location->path_len;
	return exchange_serve(ex, location) ? 0 : EXCHANGE_NO_MEMORY;
}

void exchange_hand_on(struct exchange *ex, const struct http_location *to)
{
	memset(ex->state, 0, sizeof(ex->state));
	ex->location = to;
	exchange_handle(ex, to);
}

void exchange_wake(struct exchange *ex)
{
	ex->take_blocked = false;
	ex->woken = true;
	if (!ex->inside)
		ex->loop->owner->wake(ex->connection, ex);
}

void exchange_give_up(struct exchange *ex)
{
	ex->given_up = true;
	exchange_wake(ex);
}
