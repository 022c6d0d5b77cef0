/*
 * Runs in the workers, on bytes of any client. Must never allocate, keep state, or accept a head
 * that another reader could understand differently: a doubtful head is refused.
 */
#include <string.h>

#include "internal.h"

static size_t blank_lines_skip(const char *data, size_t len)
{
	size_t at = 0;
	while (at < (size_t)HTTP_BLANK_LINES_MAX * 2 && len - at >= 2 && data[at] == '\r' &&
	       data[at + 1] == '\n')
		at += 2;
	return at;
}

long http_lines_end(const char *data, size_t len, size_t start, size_t head_max, size_t *scan)
{
	size_t window = len < head_max ? len : head_max;
	size_t at = *scan > start ? *scan : start;

	while (at < window) {
		const char *lf = memchr(data + at, '\n', window - at);
		if (lf == NULL)
			break;
		size_t i = (size_t)(lf - data);
		if (i == start + 1 && data[start] == '\r')
			return -REFUSE_BLANK_LINES;
		if (i == 0 || data[i - 1] != '\r') {
			*scan = i;
			return -REFUSE_BARE_LF;
		}
		if (data[i - 2] == '\r') { /* its blank line would never be found */
			*scan = i;
			return -REFUSE_BARE_CR;
		}
		if (data[i - 2] == '\n') {
			*scan = i; /* http_request_parse() finds it there again at once */
			return (long)i + 1;
		}
		at = i + 1;
	}
	*scan = window;
	return window < head_max ? 0 : -REFUSE_HEAD_TOO_LONG;
}

long http_head_end(const char *data, size_t len, size_t head_max, size_t *scan)
{
	const size_t start = blank_lines_skip(data, len < head_max ? len : head_max);
	return http_lines_end(data, len, start, head_max, scan);
}

static struct http_slice slice(const char *base, const char *from, const char *to)
{
	return (struct http_slice){(uint32_t)(from - base), (uint32_t)(to - from)};
}

static const char *walk(const char *at, const char *end, unsigned set)
{
	while (at < end && char_is(*at, set))
		at++;
	return at;
}

/* Returns the method, or HTTP_OTHER: a token that is not a known method. */
static enum http_method method_find(const char *s, size_t len)
{
#define IS(name) (memcmp(s, name, sizeof(name) - 1) == 0)
	switch (len) {
	case 3:
		return IS("GET") ? HTTP_GET : IS("PUT") ? HTTP_PUT : HTTP_OTHER;
	case 4:
		return IS("HEAD") ? HTTP_HEAD : IS("POST") ? HTTP_POST : HTTP_OTHER;
	case 5:
		return IS("PATCH") ? HTTP_PATCH : IS("TRACE") ? HTTP_TRACE : HTTP_OTHER;
	case 6:
		return IS("DELETE") ? HTTP_DELETE : HTTP_OTHER;
	case 7:
		return IS("OPTIONS") ? HTTP_OPTIONS : IS("CONNECT") ? HTTP_CONNECT : HTTP_OTHER;
	}
	return HTTP_OTHER;
#undef IS
}

const char *http_method_name(enum http_method method)
{
	static const char *const names[HTTP_METHODS] = {
	    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
	    [HTTP_PUT] = "PUT",         [HTTP_DELETE] = "DELETE", [HTTP_CONNECT] = "CONNECT",
	    [HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE",   [HTTP_PATCH] = "PATCH",
	    [HTTP_OTHER] = "?",
	};
	return (unsigned)method < HTTP_METHODS ? names[method] : "?";
}

/* Does the line end here, or does a blank follow where a word should begin? */
static bool word_misses(const struct http_cursor *c, const char *from)
{
	return (c->at == from && *c->at == ' ') ||
	       (*c->at == '\r' && c->end - c->at > 1 && c->at[1] == '\n');
}

/* Reads the method and the blank between it and the target. */
static int method_read(struct http_cursor *c, struct http_slice *ret, const struct http_request *r)
{
	const char *from = c->at;
	c->at = walk(from, c->end, CHAR_TOKEN);
	*ret = slice(r->head, from, c->at);
	if (c->at == c->end)
		return -REFUSE_METHOD_TOO_LONG;
	if (word_misses(c, from))
		return -REFUSE_REQUEST_LINE;
	return *c->at++ == ' ' ? 0 : -REFUSE_METHOD_BYTE;
}

static int target_read(struct http_cursor *c, struct http_slice *ret, const struct http_request *r)
{
	const char *from = c->at;
	c->at = walk(from, c->end, CHAR_TARGET);
	*ret = slice(r->head, from, c->at);
	if (c->at == c->end)
		return -REFUSE_TARGET_TOO_LONG;
	if (word_misses(c, from))
		return -REFUSE_REQUEST_LINE;
	return *c->at++ == ' ' ? 0 : -REFUSE_TARGET_BYTE;
}

static int version_read(struct http_cursor *c, struct http_slice *ret, const struct http_request *r)
{
	const char *s = c->at;
	if (c->end - s < 10 || memcmp(s, "HTTP/", 5) != 0 || !char_is_digit(s[5]) || s[6] != '.' ||
	    !char_is_digit(s[7]) || s[8] != '\r' || s[9] != '\n')
		return -REFUSE_VERSION_FORM;
	*ret = slice(r->head, s, s + 8);
	c->at += 10;
	return 0;
}

/* Keeps all parts of the request line, or none of them. */
static int request_line_read(struct http_cursor *c, struct http_request *r)
{
	struct http_slice method, target, version;
	int status = method_read(c, &method, r);
	if (status == 0)
		status = target_read(c, &target, r);
	if (status == 0)
		status = version_read(c, &version, r);
	if (status < 0)
		return status;
	r->method_text = method;
	r->target = target;
	r->version = version;
	return 0;
}

static int request_line_judge(struct http_request *r)
{
	const char *version = http_slice_at(r, r->version);
	if (version[5] != '1')
		return -REFUSE_VERSION_UNKNOWN;
	r->version_minor = (unsigned)(version[7] - '0');
	r->method = method_find(http_slice_at(r, r->method_text), r->method_text.len);
	return http_target_split(r);
}

/* Judges a request line that reached the limit of the head without an end (RFC 9112, 3). An unknown
 * method comes first, because no target would be served with it. */
static int long_line_judge(struct http_cursor *c, const struct http_request *r)
{
	struct http_slice method, target;
	int status = method_read(c, &method, r);
	if (status < 0)
		return status;
	if (method_find(http_slice_at(r, method), method.len) == HTTP_OTHER)
		return -REFUSE_METHOD_UNKNOWN;
	status = target_read(c, &target, r);
	return status < 0 ? status : -REFUSE_TARGET_TOO_LONG;
}

int http_field_read(struct http_cursor *c, const char *base, bool is_response,
		    struct http_field *ret)
{
	const char *name = c->at;
	c->at = walk(name, c->end, CHAR_TOKEN);
	if (c->at == name && (*name == ' ' || *name == '\t')) /* obs-fold */
		return -REFUSE_FIELD_FOLDED;
	ret->name = slice(base, name, c->at);
	while (is_response && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
	if (c->at == name || *c->at != ':')
		return -REFUSE_FIELD_NAME;

	const char *from = c->at + 1;
	while (*from == ' ' || *from == '\t')
		from++;
	c->at = walk(from, c->end, CHAR_VALUE);
	if (c->end - c->at < 2 || c->at[0] != '\r' || c->at[1] != '\n')
		return -REFUSE_FIELD_VALUE;
	const char *to = c->at;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	ret->value = slice(base, from, to);
	c->at += 2;
	return 0;
}

/* Chooses what the record shows of a field line that is refused. If the line could not be read, its
 * name and the byte that is wrong. If it was read and its value is refused, the whole line: the
 * parser only understands fields that are not secret. */
static void field_excerpt(struct http_request *r, const struct http_cursor *c, const char *line,
			  int status)
{
	const char *to = walk(line, c->end, CHAR_TOKEN);
	switch (-status) {
	case REFUSE_FIELD_NAME:
		to += to < c->end && *to != '\r';
		break;
	case REFUSE_BARE_LF:
	case REFUSE_FIELD_FOLDED:
	case REFUSE_FIELD_VALUE:
		break;
	default:
		to = c->at - 2;
	}
	r->excerpt = slice(r->head, line, to);
}

static int fields_read(struct http_cursor *c, struct http_request *r)
{
	struct head_facts facts = {0};

	while (c->end - c->at > 2) { /* only the blank line is left */
		if (r->fields_count == HTTP_HEADERS_MAX)
			return -REFUSE_FIELDS_TOO_MANY;
		struct http_field *field = &r->fields[r->fields_count];
		const char *line = c->at;
		int status = http_field_read(c, r->head, false, field);
		if (status == 0)
			status = head_facts_read(&facts, r, field);
		if (status < 0) {
			field_excerpt(r, c, line, status);
			return status;
		}
		r->fields_count++;
	}
	return head_facts_conclude(&facts, r);
}

/* Clears everything except the array of fields, which is large; fields_count says how much of it is
 * valid. */
static void request_clear(struct http_request *r, const char *data)
{
	memset(r, 0, offsetof(struct http_request, fields));
	memset(&r->fields_count, 0, sizeof(*r) - offsetof(struct http_request, fields_count));
	r->head = data;
	r->version_minor =
	    1; /* until it is read: the response to an unreadable head depends on it, too */
}

/* c is the part of the head that may be read; end is the result of http_head_end(). */
static int head_read(struct http_cursor *c, struct http_request *r, long end)
{
	if (end == -REFUSE_HEAD_TOO_LONG && memchr(c->at, '\n', (size_t)(c->end - c->at)) == NULL)
		return long_line_judge(c, r);
	int status = request_line_read(c, r);
	if (end == -REFUSE_BARE_LF || end == -REFUSE_BARE_CR)
		return (int)end;
	if (status == 0)
		status = request_line_judge(r);
	if (status == 0)
		status = end < 0 ? -REFUSE_HEAD_TOO_LONG : fields_read(c, r);
	return status;
}

/* Chooses what the record shows of a head whose first line could not be read. */
static void line_excerpt(struct http_request *r, const char *line, size_t len)
{
	const char *to = memchr(line, '\n', len);
	r->excerpt_cut = to == NULL;
	if (to == NULL)
		to = line + len;
	else if (to > line && to[-1] == '\r')
		to--;
	else
		to++; /* the LF is the error */
	r->excerpt = slice(r->head, line, to);
}

/* Chooses what the record shows of a later line that ends in a bare LF, or after a bare CR: its LF
 * is the last byte of the head. */
static void bare_excerpt(struct http_request *r, const struct http_cursor *c)
{
	const char *before = memrchr(c->at, '\n', (size_t)(c->end - 1 - c->at));
	field_excerpt(r, c, before != NULL ? before + 1 : c->at, -REFUSE_BARE_LF);
}

bool http_asks_head(const char *data, size_t len)
{
	static const char head[] = "HEAD ";
	while (len > 0 && (*data == '\r' || *data == '\n')) {
		data++;
		len--;
	}
	return len >= sizeof(head) - 1 && memcmp(data, head, sizeof(head) - 1) == 0;
}

/* Whatever is wrong with a head: a response to HEAD has no content (RFC 9110, 9.3.2). */
static long refused(struct http_request *ret, const char *data, size_t len, long status)
{
	if (http_asks_head(data, len))
		ret->method = HTTP_HEAD;
	return status;
}

long http_request_parse(const char *data, size_t len, size_t head_max, size_t *scan,
			struct http_request *ret)
{
	request_clear(ret, data);
	long end = http_head_end(data, len, head_max, scan);
	if (end == 0 || end == -REFUSE_BLANK_LINES)
		return end;

	const bool bare = end == -REFUSE_BARE_LF || end == -REFUSE_BARE_CR;
	size_t known = end > 0 ? (size_t)end : bare ? *scan + 1 : head_max;
	size_t start = blank_lines_skip(data, known);
	struct http_cursor c = {data + start, data + known};
	if (end > 0)
		ret->head_len = (uint32_t)end;
	int status = head_read(&c, ret, end);
	if (status == 0)
		return end;
	if (ret->version.len == 0)
		line_excerpt(ret, data + start, known - start);
	else if (bare)
		bare_excerpt(ret, &c);
	return refused(ret, data, known, status);
}

const struct http_field *http_request_field(const struct http_request *r, const char *name)
{
	for (unsigned i = 0; i < r->fields_count; i++)
		if (http_name_is(http_slice_at(r, r->fields[i].name), r->fields[i].name.len, name))
			return &r->fields[i];
	return NULL;
}
