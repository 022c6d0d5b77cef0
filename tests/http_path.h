/*
 * Shared by tests and fuzzers of src/http: what must be true of every path and its map, wherever a
 * location may end in it.
 */
#ifndef TESTS_HTTP_PATH_H
#define TESTS_HTTP_PATH_H

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "http/internal.h"

#define PATH_CHECK_MAX 4096

#define PATH_REQUIRE(condition)   \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* Is rest, sent after a location, normalized to want? A separator is put in front where the
 * location has it. */
static inline void path_rest_check(const char *rest, size_t len, const char *want, size_t want_len)
{
	char sent[PATH_CHECK_MAX + 1], out[PATH_CHECK_MAX + 1];
	size_t n = 0, skipped = 0;
	const bool separated = want_len > 0 && want[0] == '/';
	if (separated && len >= 3 && rest[0] == '%')
		skipped = 3;
	else if (separated && len > 0)
		skipped = 1;
	sent[n++] = '/';
	memcpy(sent + n, rest + skipped, len - skipped);
	n += len - skipped;
	const long got = http_path_normalize(sent, n, out, NULL, sizeof(out));
	PATH_REQUIRE(got == (long)(want_len + !separated));
	PATH_REQUIRE(memcmp(out + !separated, want, want_len) == 0);
}

/* Without removing anything: so no dot segment is in it. */
static inline void path_spelling_check(const char *s, size_t len, const char *want, size_t want_len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; n++) {
		char c = s[i];
		if (c == '%') {
			PATH_REQUIRE(len - i >= 3);
			c = (char)(num_hex_digit(s[i + 1]) << 4 | num_hex_digit(s[i + 2]));
		}
		PATH_REQUIRE(n < want_len && c == want[n]);
		i += s[i] == '%' ? 3 : 1;
	}
	PATH_REQUIRE(n == want_len);
}

static inline void path_dots_check(const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) { /* text[i] is the "/" before a segment */
		for (n = 1; i + n < len && text[i + n] != '/'; n++)
			;
		PATH_REQUIRE(n > 1 || i + n == len); /* no empty segment but the last */
		PATH_REQUIRE(!(n == 2 && text[i + 1] == '.'));
		PATH_REQUIRE(!(n == 3 && text[i + 1] == '.' && text[i + 2] == '.'));
	}
}

/* Checks the path of ex, for each place where a location may end. Paths that are refused, or that
 * are longer than PATH_CHECK_MAX, are left alone. Returns whether there was one to check. */
static inline bool path_check(struct exchange *ex)
{
	const struct http_slice sent = ex->request.path;
	const struct http_path *path = &ex->path;
	char spelled[PATH_CHECK_MAX];
	if (sent.len > PATH_CHECK_MAX || exchange_path_make(ex) < 0)
		return false;
	PATH_REQUIRE(path->len > 0 && path->text[0] == '/');
	PATH_REQUIRE(memchr(path->text, '\0', path->len) == NULL);
	path_dots_check(path->text, path->len);
	PATH_REQUIRE(path->map == NULL || path->map[path->len] == sent.len);
	PATH_REQUIRE(path->map != NULL || path->len == sent.len);
	for (size_t i = 0; i < path->len && path->map != NULL; i++)
		PATH_REQUIRE(path->map[i] < path->map[i + 1] || sent.len == 0);
	for (size_t m = 1; m <= path->len; m++) {
		const char *rest = path->text + m;
		const size_t rest_len = path->len - m;
		if (m < path->len && path->text[m] != '/' && path->text[m - 1] != '/')
			continue; /* no location ends here */
		const size_t at = path->map != NULL ? path->map[m] : m;
		path_rest_check(http_slice_at(&ex->request, sent) + at, sent.len - at, rest,
				rest_len);
		const size_t n = exchange_path_spell(ex, m, spelled, sizeof(spelled));
		PATH_REQUIRE(n <= sent.len);
		path_spelling_check(spelled, n, rest, rest_len);
		PATH_REQUIRE(rest_len == 0 || rest[0] != '/' || spelled[0] == '/');
		PATH_REQUIRE(n == 0 || exchange_path_spell(ex, m, spelled, n - 1) == SIZE_MAX);
	}
	return true;
}

#endif
