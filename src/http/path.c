/*
 * Runs in the workers, on bytes of any client: paths, decoded, without dot segments and double
 * slashes, and how they were sent. Must never let a path leave its root.
 */
#include <string.h>

#include "base/num.h"
#include "internal.h"

/* Decodes the next character of a path. Returns its length as sent, or minus an enum
 * http_refusal. */
static long path_decode(const char *s, size_t len, char *ret)
{
	*ret = s[0];
	if (s[0] != '%')
		return 1;
	const int high = len < 3 ? -1 : num_hex_digit(s[1]);
	const int low = len < 3 ? -1 : num_hex_digit(s[2]);
	if (high < 0 || low < 0)
		return -REFUSE_PATH_ESCAPE;
	*ret = (char)(high << 4 | low);
	return *ret == '\0' ? -REFUSE_PATH_NUL : 3;
}

/* Applies a dot segment at the end of the path so far. Returns the new length, or minus the
 * refusal. */
static long path_dots_remove(const char *path, size_t segment, size_t len)
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

bool http_path_is_normal(const char *path, size_t len)
{
	if (len == 0 || path[0] != '/')
		return false;
	for (size_t i = 1; i < len; i++)
		if (path[i] == '%' || (path[i - 1] == '/' && (path[i] == '.' || path[i] == '/')))
			return false; /* "/.well-known" is normal, too; it just takes the long way
				       */
	return true;
}

/* Removes empty segments, but for one at the end. Returns the new length. */
static size_t path_slashes_merge(char *path, size_t len, uint16_t *map)
{
	size_t used = 0;
	for (size_t i = 0; i < len; i++) {
		if (path[i] == '/' && used > 0 && path[used - 1] == '/')
			continue;
		if (map != NULL)
			map[used] = map[i];
		path[used++] = path[i];
	}
	return used;
}

static long path_finish(char *out, size_t segment, size_t used, size_t len, uint16_t *map)
{
	const long left = path_dots_remove(out, segment, used);
	if (left < 0)
		return left;
	const size_t merged = path_slashes_merge(out, (size_t)left, map);
	if (map != NULL)
		map[merged] = (uint16_t)len;
	return (long)merged;
}

long http_path_normalize(const char *path, size_t len, char *out, uint16_t *map, size_t size)
{
	size_t segment = 1, used = 1, i = 1; /* segment: where the last segment begins in out */
	if (size == 0 || len > UINT16_MAX)
		return -REFUSE_TARGET_TOO_LONG;
	if (len > 0 && path[0] != '/')
		return -REFUSE_TARGET_FORM;
	out[0] = '/';
	if (map != NULL)
		map[0] = 0;
	while (i < len) {
		char c;
		long n = path_decode(path + i, len - i, &c);
		if (n < 0)
			return n;
		const size_t from = i;
		i += (size_t)n;
		if (c == '/') {
			long left = path_dots_remove(out, segment, used);
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
		if (map != NULL)
			map[used] = (uint16_t)from;
		out[used++] = c;
		if (c == '/')
			segment = used;
	}
	return path_finish(out, segment, used, len, map);
}

/* --- the path of an exchange ------------------------------------------------------------------ */

int exchange_path_make(struct exchange *ex)
{
	const struct http_request *r = &ex->request;
	const char *sent = http_slice_at(r, r->path);
	const size_t len = r->path.len;
	struct http_path *path = &ex->path;

	if (http_path_is_normal(sent, len)) {
		*path = (struct http_path){.text = sent, .len = r->path.len};
		return 0;
	}
	const size_t room = len > 0 ? len : 1;
	char *text = arena_take(&ex->arena, room);
	uint16_t *map = arena_take(&ex->arena, (room + 1) * sizeof(*map));
	if (text == NULL || map == NULL)
		return EXCHANGE_NO_MEMORY;
	const long n = http_path_normalize(sent, len, text, map, room);
	if (n < 0)
		return (int)n;
	*path = (struct http_path){.text = text, .len = (uint32_t)n, .map = map};
	return 0;
}

size_t exchange_path_spell(const struct exchange *ex, size_t from, char *out, size_t size)
{
	const struct http_path *path = &ex->path;
	const char *sent = http_slice_at(&ex->request, ex->request.path);
	size_t used = 0;
	for (size_t i = from; i < path->len; i++) {
		const char *at = sent + (path->map != NULL ? path->map[i] : i);
		/* the location has read the first one as a separator, so it is written as one */
		const bool plain = i == from && path->text[i] == '/';
		const size_t n = !plain && *at == '%' ? 3 : 1;
		if (size - used < n)
			return SIZE_MAX;
		memcpy(out + used, plain ? "/" : at, n);
		used += n;
	}
	return used;
}
