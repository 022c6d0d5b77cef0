/*
 * Runs in the workers, on bytes of any client. Must never allocate, keep anything, or accept a head
 * that another reader could understand differently: what is not clearly right is refused.
 */
#include <string.h>

#include "internal.h"

/* A place in the head; end is one past its last byte. Every line of a head ends in CRLF (that was
 * checked when its end was found), so a walk over allowed characters always stops inside. */
struct cursor {
	const char *at;
	const char *end;
};

static size_t blank_lines_skip(const char *data, size_t len)
{
	size_t at = 0;
	while (at < (size_t)HTTP_BLANK_LINES_MAX * 2 && len - at >= 2 && data[at] == '\r' &&
	       data[at + 1] == '\n')
		at += 2;
	return at;
}

long http_head_end(const char *data, size_t len, size_t head_max, size_t *scan)
{
	size_t window = len < head_max ? len : head_max;
	size_t start = blank_lines_skip(data, window);
	size_t at = *scan > start ? *scan : start;

	while (at < window) {
		const char *lf = memchr(data + at, '\n', window - at);
		if (lf == NULL)
			break;
		size_t i = (size_t)(lf - data);
		if (i == 0 || data[i - 1] != '\r' || i - 1 == start)
			return -400;
		if (data[i - 2] == '\n') {
			*scan = i; /* found again at once by http_request_parse() */
			return (long)i + 1;
		}
		at = i + 1;
	}
	*scan = window;
	if (window < head_max)
		return 0;
	return memchr(data + start, '\n', window - start) != NULL ? -431 : -414;
}

static struct http_slice slice(const struct http_request *r, const char *from, const char *to)
{
	return (struct http_slice){(uint32_t)(from - r->head), (uint32_t)(to - from)};
}

static const char *walk(const char *at, const char *end, unsigned set)
{
	while (at < end && char_is(*at, set))
		at++;
	return at;
}

/* -1: a token, but no method known here. */
static int method_find(const char *s, size_t len)
{
#define IS(name) (memcmp(s, name, sizeof(name) - 1) == 0)
	switch (len) {
	case 3:
		return IS("GET") ? HTTP_GET : IS("PUT") ? HTTP_PUT : -1;
	case 4:
		return IS("HEAD") ? HTTP_HEAD : IS("POST") ? HTTP_POST : -1;
	case 5:
		return IS("PATCH") ? HTTP_PATCH : IS("TRACE") ? HTTP_TRACE : -1;
	case 6:
		return IS("DELETE") ? HTTP_DELETE : -1;
	case 7:
		return IS("OPTIONS") ? HTTP_OPTIONS : IS("CONNECT") ? HTTP_CONNECT : -1;
	}
	return -1;
#undef IS
}

const char *http_method_name(enum http_method method)
{
	static const char *const names[HTTP_METHODS] = {
	    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
	    [HTTP_PUT] = "PUT",         [HTTP_DELETE] = "DELETE", [HTTP_CONNECT] = "CONNECT",
	    [HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE",   [HTTP_PATCH] = "PATCH",
	};
	return (unsigned)method < HTTP_METHODS ? names[method] : "?";
}

/* Method and target, as far as they can be told: also for the record of a head that is refused. */
static bool method_target_read(struct cursor *c, struct http_request *r)
{
	const char *from = c->at;
	c->at = walk(from, c->end, CHAR_TOKEN);
	if (c->at == from || c->at == c->end || *c->at != ' ')
		return false;
	r->method_text = slice(r, from, c->at);

	from = ++c->at;
	c->at = walk(from, c->end, CHAR_TARGET);
	r->target = slice(r, from, c->at);
	return c->at > from && c->at < c->end && *c->at == ' ';
}

static int version_read(struct cursor *c, struct http_request *r)
{
	const char *s = ++c->at;
	if (c->end - s < 10 || memcmp(s, "HTTP/", 5) != 0 || !char_is_digit(s[5]) || s[6] != '.' ||
	    !char_is_digit(s[7]) || s[8] != '\r' || s[9] != '\n')
		return -400;
	if (s[5] != '1')
		return -505;
	r->version_minor = (unsigned)(s[7] - '0');
	c->at += 10;
	return 0;
}

static int request_line_read(struct cursor *c, struct http_request *r)
{
	if (!method_target_read(c, r))
		return -400;
	int status = version_read(c, r);
	if (status < 0)
		return status;
	int method = method_find(http_slice_at(r, r->method_text), r->method_text.len);
	if (method < 0)
		return -501;
	r->method = (enum http_method)method;
	return http_target_split(r);
}

/* field-name ":" OWS field-value OWS CRLF. What begins with a blank (obs-fold), has one before the
 * colon or no name at all fails as a name. */
static int field_read(struct cursor *c, struct http_request *r, struct http_field *ret)
{
	const char *name = c->at;
	c->at = walk(name, c->end, CHAR_TOKEN);
	if (c->at == name || *c->at != ':')
		return -400;
	ret->name = slice(r, name, c->at);

	const char *from = c->at + 1;
	while (*from == ' ' || *from == '\t')
		from++;
	c->at = walk(from, c->end, CHAR_VALUE);
	if (c->end - c->at < 2 || c->at[0] != '\r' || c->at[1] != '\n')
		return -400;
	const char *to = c->at;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	ret->value = slice(r, from, to);
	c->at += 2;
	return 0;
}

static int fields_read(struct cursor *c, struct http_request *r)
{
	struct head_facts facts = {0};

	while (c->end - c->at > 2) { /* the blank line is what remains */
		if (r->fields_count == HTTP_HEADERS_MAX)
			return -431;
		struct http_field *field = &r->fields[r->fields_count];
		int status = field_read(c, r, field);
		if (status == 0)
			status = head_facts_read(&facts, r, field);
		if (status < 0)
			return status;
		r->fields_count++;
	}
	return head_facts_conclude(&facts, r);
}

/* All but the array of fields, of which fields_count tells how much is valid: it is large. */
static void request_clear(struct http_request *r, const char *data)
{
	memset(r, 0, offsetof(struct http_request, fields));
	memset(&r->fields_count, 0, sizeof(*r) - offsetof(struct http_request, fields_count));
	r->head = data;
	r->version_minor =
	    1; /* until it is read; a head that is refused before has a record, too */
}

long http_request_parse(const char *data, size_t len, size_t head_max, size_t *scan,
			struct http_request *ret)
{
	request_clear(ret, data);
	long end = http_head_end(data, len, head_max, scan);
	if (end == 0)
		return 0;

	size_t known = end > 0 ? (size_t)end : len < head_max ? len : head_max;
	struct cursor c = {data + blank_lines_skip(data, known), data + known};
	if (end < 0) {
		(void)method_target_read(&c, ret);
		return end;
	}
	ret->head_len = (uint32_t)end;
	int status = request_line_read(&c, ret);
	if (status == 0)
		status = fields_read(&c, ret);
	return status < 0 ? status : end;
}

const struct http_field *http_request_field(const struct http_request *r, const char *name)
{
	for (unsigned i = 0; i < r->fields_count; i++)
		if (http_name_is(http_slice_at(r, r->fields[i].name), r->fields[i].name.len, name))
			return &r->fields[i];
	return NULL;
}
