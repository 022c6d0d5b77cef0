/* Is this one JSON value (RFC 8259) and valid UTF-8 inside of its strings? For tests only. */
#ifndef TESTS_JSON_CHECK_H
#define TESTS_JSON_CHECK_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct json_cursor {
	const unsigned char *at, *end;
};

static inline bool json_char(struct json_cursor *c, int wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static inline bool json_escape(struct json_cursor *c)
{
	if (c->at == c->end || strchr("\"\\/bfnrtu", *c->at) == NULL || *c->at == '\0')
		return false;
	if (*c->at++ != 'u')
		return true;
	for (int i = 0; i < 4; i++, c->at++)
		if (c->at == c->end || !isxdigit(*c->at))
			return false;
	return true;
}

/* By code point, not by the byte ranges that the code under test uses. */
static inline bool json_utf8(struct json_cursor *c)
{
	static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
	unsigned char first = c->at[-1];
	int tails = first >= 0xf8   ? -1
		    : first >= 0xf0 ? 3
		    : first >= 0xe0 ? 2
		    : first >= 0xc0 ? 1
				    : -1;
	if (tails < 0 || c->end - c->at < tails)
		return false;
	unsigned code = first & (0x3fu >> tails);
	for (int i = 0; i < tails; i++, c->at++) {
		if ((*c->at & 0xc0) != 0x80)
			return false;
		code = code << 6 | (*c->at & 0x3f);
	}
	return code >= least[tails] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static inline bool json_string(struct json_cursor *c)
{
	if (!json_char(c, '"'))
		return false;
	while (c->at < c->end) {
		unsigned char ch = *c->at++;
		if (ch == '"')
			return true;
		if (ch < 0x20 || (ch == '\\' && !json_escape(c)) || (ch >= 0x80 && !json_utf8(c)))
			return false;
	}
	return false;
}

static inline bool json_word(struct json_cursor *c, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
		return false;
	c->at += n;
	return true;
}

static inline bool json_digits(struct json_cursor *c)
{
	const unsigned char *from = c->at;
	while (c->at < c->end && isdigit(*c->at))
		c->at++;
	return c->at > from;
}

static inline bool json_number(struct json_cursor *c)
{
	(void)json_char(c, '-');
	const unsigned char *from = c->at;
	if (!json_digits(c) || (*from == '0' && c->at != from + 1))
		return false;
	return !json_char(c, '.') || json_digits(c);
}

static inline bool json_value(struct json_cursor *c, int depth)
{
	if (depth > 8 || c->at == c->end)
		return false;
	int open = *c->at, close = open == '{' ? '}' : ']';
	if (open == '"')
		return json_string(c);
	if (open != '{' && open != '[')
		return json_word(c, "null") || json_word(c, "true") || json_word(c, "false") ||
		       json_number(c);
	c->at++;
	if (json_char(c, close))
		return true;
	do
		if ((open == '{' && (!json_string(c) || !json_char(c, ':'))) ||
		    !json_value(c, depth + 1))
			return false;
	while (json_char(c, ','));
	return json_char(c, close);
}

static inline bool json_check(const void *text, size_t len)
{
	struct json_cursor c = {text, (const unsigned char *)text + len};
	return json_value(&c, 0) && json_char(&c, '\n') && c.at == c.end;
}

#endif
