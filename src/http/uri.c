/*
 * Runs in the workers, on bytes of any client. Must never let a path leave its root, or accept one
 * that could be read in two ways.
 */
#include <string.h>

#include "internal.h"

/* "[" IPv6address "]". A Host must not have a zone or a future version (RFC 3986, IPvFuture). */
static size_t ip_literal_len(const char *s, size_t len)
{
	size_t i = 1, colons = 0;
	for (; i < len && (char_hex(s[i]) >= 0 || s[i] == ':' || s[i] == '.'); i++)
		colons += s[i] == ':';
	return i < len && s[i] == ']' && colons >= 2 ? i + 1 : 0;
}

static size_t reg_name_len(const char *s, size_t len)
{
	size_t i = 0;
	for (; i < len && char_is(s[i], CHAR_REGNAME); i++)
		if (s[i] == '%' &&
		    (len - i < 3 || char_hex(s[i + 1]) < 0 || char_hex(s[i + 2]) < 0))
			return 0;
	return i;
}

static bool port_valid(const char *s, size_t len, bool required)
{
	unsigned long port = 0;
	for (size_t i = 0; i < len; i++) {
		if (!char_is_digit(s[i]) || i == 5)
			return false;
		port = port * 10 + (unsigned long)(s[i] - '0');
	}
	return port <= 65535 && (len > 0 || !required);
}

bool http_host_valid(const char *host, size_t len, bool port_required)
{
	if (len == 0)
		return false;
	size_t n = host[0] == '[' ? ip_literal_len(host, len) : reg_name_len(host, len);
	if (n == 0)
		return false;
	if (n == len)
		return !port_required;
	return host[n] == ':' && port_valid(host + n + 1, len - n - 1, port_required);
}

static void path_split(struct http_request *r, uint32_t off, uint32_t len)
{
	const char *path = r->head + off;
	const char *mark = len > 0 ? memchr(path, '?', len) : NULL;
	r->path = (struct http_slice){off, mark != NULL ? (uint32_t)(mark - path) : len};
	if (mark == NULL)
		return;
	r->query_present = true;
	r->query.off = r->path.off + r->path.len + 1;
	r->query.len = len - r->path.len - 1;
}

/* The length of "http://" or "https://" at the front; 0: neither. */
static uint32_t scheme_len(const char *s, uint32_t len)
{
	if (len >= 7 && http_name_is(s, 7, "http://"))
		return 7;
	if (len >= 8 && http_name_is(s, 8, "https://"))
		return 8;
	return 0;
}

static int absolute_split(struct http_request *r)
{
	const char *s = http_slice_at(r, r->target);
	uint32_t scheme = scheme_len(s, r->target.len), i = scheme;
	if (scheme == 0)
		return -REFUSE_TARGET_FORM;
	while (i < r->target.len && s[i] != '/' && s[i] != '?')
		i++;
	/* User information before "@" is not part of a host, so it is refused here (RFC 9110,
	 * 4.2.4). */
	if (!http_host_valid(s + scheme, i - scheme, false))
		return -REFUSE_TARGET_FORM;
	r->host = (struct http_slice){r->target.off + scheme, i - scheme};
	path_split(r, r->target.off + i, r->target.len - i);
	return 0;
}

int http_target_split(struct http_request *r)
{
	const char *s = http_slice_at(r, r->target);
	if (r->method == HTTP_CONNECT) {
		if (!http_host_valid(s, r->target.len, true))
			return -REFUSE_TARGET_FORM;
		r->host = r->target;
		return 0;
	}
	if (s[0] == '/') {
		path_split(r, r->target.off, r->target.len);
		return 0;
	}
	if (s[0] == '*' && r->target.len == 1) {
		r->path = r->target;
		return r->method == HTTP_OPTIONS ? 0 : -REFUSE_TARGET_FORM;
	}
	return absolute_split(r);
}

/* Decodes the next character of a path. Returns its length as sent, or minus an enum
 * http_refusal. */
static long decode(const char *s, size_t len, char *ret)
{
	*ret = s[0];
	if (s[0] != '%')
		return 1;
	if (len < 3 || char_hex(s[1]) < 0 || char_hex(s[2]) < 0)
		return -REFUSE_PATH_ESCAPE;
	*ret = (char)(char_hex(s[1]) << 4 | char_hex(s[2]));
	return *ret == '\0' ? -REFUSE_PATH_NUL : 3;
}

/* Applies a dot segment at the end of the path so far. Returns the new length, or minus the
 * refusal. */
static long dots_remove(const char *path, size_t segment, size_t len)
{
	size_t n = len - segment;
	if (n == 1 && path[segment] == '.')
		return (long)segment;
	if (n != 2 || path[segment] != '.' || path[segment + 1] != '.')
		return (long)len;
	if (segment == 1)
		return -REFUSE_PATH_ABOVE_ROOT;
	segment--;
	while (path[segment - 1] != '/')
		segment--;
	return (long)segment;
}

long http_path_normalize(const char *path, size_t len, char *out, size_t size)
{
	size_t segment = 1, used = 1, i = 1; /* segment: where the last segment begins in out */
	if (size == 0)
		return -REFUSE_TARGET_TOO_LONG;
	if (len > 0 && path[0] != '/')
		return -REFUSE_TARGET_FORM;
	out[0] = '/';
	while (i < len) {
		char c;
		long n = decode(path + i, len - i, &c);
		if (n < 0)
			return n;
		i += (size_t)n;
		if (c == '/') {
			long left = dots_remove(out, segment, used);
			if (left < 0)
				return left;
			bool removed = (size_t)left < used;
			used = (size_t)left;
			if (removed) {
				segment = used;
				continue;
			}
		}
		if (used == size)
			return -REFUSE_TARGET_TOO_LONG;
		out[used++] = c;
		if (c == '/')
			segment = used;
	}
	return dots_remove(out, segment, used);
}
