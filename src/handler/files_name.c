/*
 * Runs in the workers, on bytes of any client: the path of a request to a name beneath a root. Must
 * never make a name that begins with a slash or has a dot segment.
 */
#include <string.h>
#include <strings.h>

#include "files.h"

#define WELL_KNOWN "/.well-known"

/* Was any slash of the path sent as "%2F"? Also one that a dot segment has removed. */
static bool slash_is_encoded(const struct http_path *path, const char *sent)
{
	const size_t len = path->map != NULL ? path->map[path->len] : 0;
	for (size_t i = 0; i + 2 < len; i++)
		if (sent[i] == '%' && sent[i + 1] == '2' && (sent[i + 2] | 0x20) == 'f')
			return true;
	return false;
}

/* May the segment that begins at text[i] have its dot? */
static bool dot_is_known(const struct http_path *path, size_t i)
{
	const size_t len = sizeof(WELL_KNOWN) - 1;
	return i == 1 && path->len >= len && memcmp(path->text, WELL_KNOWN, len) == 0 &&
	       (path->len == len || path->text[len] == '/');
}

enum files_named files_name_make(const struct http_path *path, const char *sent, bool hidden_found,
				 struct files_name *ret)
{
	enum files_named named = slash_is_encoded(path, sent) ? FILES_NAMELESS : FILES_NAMED;
	size_t used = 0;
	bool begins = true; /* the next byte begins a segment */
	ret->is_folder = path->len > 0 && path->text[path->len - 1] == '/';
	for (size_t i = path->matched; i < path->len; i++) {
		const char c = path->text[i];
		if (c == '/') {
			begins = true;
			continue;
		}
		if (begins && c == '.' && !hidden_found && !dot_is_known(path, i))
			return FILES_HIDDEN;
		if (begins && used > 0 && used < sizeof(ret->text))
			ret->text[used++] = '/';
		if (used < sizeof(ret->text))
			ret->text[used++] = c;
		begins = false;
	}
	if (used == sizeof(ret->text)) {
		used = 0;
		named = FILES_NAMELESS;
	}
	ret->text[used] = '\0';
	ret->len = used;
	return named;
}

bool files_name_is_packed(const struct files_name *name)
{
	return name->len > 5 && name->text[name->len - 6] != '/' &&
	       strcasecmp(name->text + name->len - 5, ".svgz") == 0;
}

bool files_name_add(struct files_name *name, const char *text, size_t len)
{
	if (len >= sizeof(name->text) - name->len)
		return false;
	memcpy(name->text + name->len, text, len);
	name->len += len;
	name->text[name->len] = '\0';
	return true;
}

static bool byte_is_plain(char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("-._~:@!$&'()*+,;=/", c) != NULL;
}

size_t files_path_escape(const char *text, size_t len, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t used = 0;
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];
		if (byte_is_plain(text[i])) {
			out[used++] = text[i];
			continue;
		}
		out[used++] = '%';
		out[used++] = hex[c >> 4];
		out[used++] = hex[c & 15];
	}
	return used;
}
