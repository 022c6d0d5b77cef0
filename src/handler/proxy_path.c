/*
 * Runs in the workers, on bytes of any client: the target of a request that goes upstream. Must
 * never send a path that the upstream could read as one of another location than this.
 */
#include <string.h>

#include "base/num.h"
#include "proxy.h"

/* --- bytes of a URL --------------------------------------------------------------------------- */

/* What the parser lets pass in a target, although no URL has it (RFC 3986, 2): upstreams take a
 * backslash for a slash, for instance. */
static bool is_foreign(char c)
{
	/* blanks and controls, and "<> in the first 64 characters; \^`{|} and DEL in the second */
	static const uint64_t foreign[2] = {UINT64_C(0x50000005ffffffff),
					    UINT64_C(0xb800000150000000)};
	const unsigned char byte = (unsigned char)c;
	return byte > 127 || (foreign[byte / 64] >> byte % 64 & 1) != 0;
}

/* The same of what begins here, and of a "%" that begins no escape: readers differ about it. */
static bool is_no_url(const char *s, size_t len)
{
	return *s == '%' ? len < 3 || num_hex_digit(s[1]) < 0 || num_hex_digit(s[2]) < 0
			 : is_foreign(*s);
}

static void put_escape(struct proxy_out *o, char c)
{
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char byte = (unsigned char)c;
	const char escape[3] = {'%', hex[byte >> 4], hex[byte & 15]};
	proxy_put(o, escape, sizeof(escape));
}

void proxy_put_url(struct proxy_out *o, const char *sent, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t n = 0;
		while (at + n < len && !is_no_url(sent + at + n, len - at - n))
			n++;
		proxy_put(o, sent + at, n);
		at += n;
		if (at < len)
			put_escape(o, sent[at++]);
	}
}

void proxy_put_decoded(struct proxy_out *o, const char *path, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_foreign(path[i]) || strchr("%?#[]", path[i]) != NULL)
			put_escape(o, path[i]);
		else
			proxy_put(o, path + i, 1);
}

/* --- what a path may be read as --------------------------------------------------------------- */

#define READ_MAX 2048 /* bytes of a path that is read in all ways: they take time */

enum merge { MERGE_NOT, MERGE_FIRST, MERGE_LAST, MERGES };

/* One way to read a path. */
struct reading {
	bool decoded;    /* it is: "%" is a character like others */
	bool parameters; /* from ";" on, nothing of a segment counts (RFC 3986, 3.3) */
	bool slashes;    /* "%2f" separates */
	bool dots;       /* dot segments are removed */
	enum merge merge;
};

static bool is_slash_escape(const char *s, const char *end)
{
	return end - s >= 3 && s[0] == '%' && s[1] == '2' && (s[2] | 0x20) == 'f';
}

/* The next character of a path, as this reader has it. */
static char reading_next(const struct reading *r, const char **at, const char *end)
{
	const char *s = *at;
	if (*s != '%' || r->decoded || (!r->slashes && is_slash_escape(s, end))) {
		(*at)++;
		return *s;
	}
	*at += 3;
	return (char)(num_hex_digit(s[1]) * 16 + num_hex_digit(s[2]));
}

/* The segment out[from .. len) has ended: removes it, and the one before it, if dots say so. False:
 * above the root. */
static bool segment_end(const char *out, size_t *from, size_t *len, bool *ret_removed)
{
	const size_t n = *len - *from;
	const char *s = out + *from;
	*ret_removed = (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.');
	if (!*ret_removed)
		return true;
	*len = *from;
	if (n == 1)
		return true;
	if (*len <= 1)
		return false;
	size_t up = *len - 1; /* the slash before it */
	while (up > 0 && out[up - 1] != '/')
		up--;
	*len = *from = up;
	return up > 0;
}

/* Writes the path as this reader has it, at most as long as it was sent. Returns its length; 0: it
 * leaves the root, or is none. */
static size_t reading_make(const struct reading *r, const char *sent, size_t sent_len, char *out)
{
	const char *at = sent, *const end = sent + sent_len;
	size_t len = 0, from = 1; /* from: of the present segment */
	bool skips = false;
	while (at < end) {
		const char c = reading_next(r, &at, end);
		if (len == 0 && c != '/')
			return 0;
		skips = c != '/' && (skips || (r->parameters && c == ';'));
		if (skips)
			continue;
		bool removed = false;
		if (r->dots && len > 0 && c == '/' && !segment_end(out, &from, &len, &removed))
			return 0;
		const bool doubled = len > 0 && c == '/' && out[len - 1] == '/';
		if (!(removed || (doubled && r->merge == MERGE_FIRST)))
			out[len++] = c;
		if (c == '/')
			from = len;
	}
	bool removed;
	if (r->dots && len > 0 && !segment_end(out, &from, &len, &removed))
		return 0;
	size_t kept = 0;
	for (size_t i = 0; i < len; i++)
		if (r->merge != MERGE_LAST || kept == 0 || out[i] != '/' || out[kept - 1] != '/')
			out[kept++] = out[i];
	return kept;
}

/* Is there anything in it that readers differ about? */
static bool path_is_plain(const char *sent, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (sent[i] == '%' && is_slash_escape(sent + i, sent + len))
			return false;
		if (sent[i] != '/' || i + 1 >= len)
			continue;
		const char next = sent[i + 1];
		if (next == '/' || next == '.' || next == '%')
			return false;
	}
	return true;
}

/* Do all readers that take dots and slashes in different ways find the exchange's location? What
 * they make of it is written to text, of the path's length. */
static bool all_find(const struct exchange *ex, struct reading reading, const char *path,
		     size_t len, char *text)
{
	const struct http_routes *routes = ex->loop->routes;
	for (unsigned i = 0; i < 4 * MERGES; i += reading.decoded ? 2 : 1) {
		reading.slashes = (i & 1) != 0;
		reading.dots = (i & 2) != 0;
		reading.merge = (enum merge)(i / 4);
		const size_t n = reading_make(&reading, path, len, text);
		if (n == 0 || routes->find(routes, ex->host, text, n) != ex->location)
			return false;
	}
	return true;
}

/* Servlets leave parameters out before they look at dots: to them /api/..;/admin and /admin;a are
 * /admin. Some decode the path first. */
bool proxy_path_is_clear(struct exchange *ex)
{
	const struct http_path *path = &ex->path;
	const char *sent = http_slice_at(&ex->request, ex->request.path);
	if (path->len == 0 || memchr(path->text, ';', path->len) == NULL)
		return true;
	const struct reading reading = {.decoded = true, .parameters = true};
	char *text = arena_take(&ex->arena, 2 * (size_t)path->len);
	if (text == NULL || ex->host == NULL || !all_find(ex, reading, path->text, path->len, text))
		return false;
	char *plain = text + path->len; /* in which only what was sent as ";" is one */
	bool differs = false;
	for (uint32_t i = 0; i < path->len; i++) {
		const bool encoded =
		    path->text[i] == ';' && path->map != NULL && sent[path->map[i]] == '%';
		plain[i] = path->text[i];
		if (encoded)
			plain[i] = '_';
		differs = differs || encoded;
	}
	return !differs || all_find(ex, reading, plain, path->len, text);
}

bool proxy_path_as_sent(struct exchange *ex, const struct conf_proxy *conf)
{
	const struct http_request *r = &ex->request;
	const char *sent = http_slice_at(r, r->path);
	const size_t len = r->path.len;
	if (conf->path_from != NULL || len == 0)
		return false;
	if (ex->path.map == NULL || path_is_plain(sent, len))
		return true;
	char *text = len <= READ_MAX ? arena_take(&ex->arena, len) : NULL;
	return text != NULL && ex->host != NULL &&
	       all_find(ex, (struct reading){.parameters = false}, sent, len, text) &&
	       (memchr(ex->path.text, ';', ex->path.len) == NULL ||
		all_find(ex, (struct reading){.parameters = true}, sent, len, text));
}

/* --- the target ------------------------------------------------------------------------------- */

/* The path from text[from] on, in the spelling of the client. A separator that the location has
 * read is a plain one. */
static void put_spelled(struct proxy_out *o, const struct exchange *ex, size_t from)
{
	const struct http_path *path = &ex->path;
	const char *sent = http_slice_at(&ex->request, ex->request.path);
	for (size_t i = from; i < path->len; i++) {
		const char *at = sent + (path->map != NULL ? path->map[i] : i);
		if (i <= path->matched && path->text[i] == '/')
			PROXY_PUT(o, "/");
		else
			proxy_put_url(o, at, *at == '%' ? 3 : 1);
	}
}

/* Does the path begin with this one, as a location does? */
static bool path_begins(const struct http_path *path, const char *with, size_t len)
{
	return path->len >= len && memcmp(path->text, with, len) == 0 &&
	       (path->len == len || path->text[len] == '/' || (len > 0 && with[len - 1] == '/'));
}

/* `path replace`: with exactly one slash between the two. */
static void put_replaced(struct proxy_out *o, const struct exchange *ex,
			 const struct conf_proxy *conf)
{
	const size_t from_len = strlen(conf->path_from), to_len = strlen(conf->path_to);
	if (!path_begins(&ex->path, conf->path_from, from_len)) {
		put_spelled(o, ex, 0);
		return;
	}
	size_t from =
	    from_len > 0 && conf->path_from[from_len - 1] == '/' ? from_len - 1 : from_len;
	const bool slash = to_len > 0 && conf->path_to[to_len - 1] == '/';
	proxy_put_decoded(o, conf->path_to, to_len);
	if (from < ex->path.len && slash)
		from++; /* it has its own */
	put_spelled(o, ex, from);
}

void proxy_put_target(struct proxy_out *o, const struct proxy_request *q)
{
	const struct exchange *ex = q->ex;
	const struct http_request *r = &ex->request;
	const char *path = http_slice_at(r, r->path);
	if ((r->path.len == 1 && *path == '*') ||
	    (r->path.len == 0 && r->method == HTTP_OPTIONS && !r->query_present)) {
		PROXY_PUT(o, "*"); /* RFC 9112, 3.2.4 */
		return;
	}
	if (q->as_sent)
		proxy_put_url(o, path, r->path.len);
	else if (q->place->conf->path_from != NULL)
		put_replaced(o, ex, q->place->conf);
	else if (r->path.len == 0)
		PROXY_PUT(o, "/");
	else
		put_spelled(o, ex, 0);
	if (!r->query_present)
		return;
	PROXY_PUT(o, "?");
	proxy_put_url(o, http_slice_at(r, r->query), r->query.len);
}
