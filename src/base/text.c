/* Runs in every process, on the request path too. Must never write past size. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <vis.h>

void text_init(struct text *t, char *data, size_t size)
{
	t->data = data;
	t->size = size;
	t->len = 0;
	t->truncated = false;
	data[0] = '\0';
}

void text_add(struct text *t, const void *data, size_t len)
{
	size_t room = t->size - 1 - t->len;
	if (len > room) {
		len = room;
		t->truncated = true;
	}
	if (len == 0) /* data may be NULL then, which memcpy() must not see */
		return;
	memcpy(t->data + t->len, data, len);
	t->len += len;
	t->data[t->len] = '\0';
}

void text_add_str(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void text_add_char(struct text *t, char c)
{
	text_add(t, &c, 1);
}

void text_add_uint(struct text *t, uint64_t value)
{
	char digits[20];
	size_t n = sizeof(digits);
	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	text_add(t, digits + n, sizeof(digits) - n);
}

void text_vaddf(struct text *t, const char *format, va_list args)
{
	size_t room = t->size - t->len;
	int n = vsnprintf(t->data + t->len, room, format, args);
	if (n < 0)
		return;
	if ((size_t)n >= room) {
		t->truncated = true;
		n = (int)room - 1;
	}
	t->len += (size_t)n;
}

void text_addf(struct text *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	text_vaddf(t, format, args);
	va_end(args);
}

/* Escapes one byte as vis(3) does, into at most 4 characters; returns how many. VIS_WHITE is
 * needed: without it vis() leaves a newline as it is. */
static size_t escape(char out[8], unsigned char c, unsigned char next)
{
	const int flags = VIS_CSTYLE | VIS_OCTAL | VIS_DQ | VIS_WHITE | VIS_NOLOCALE;
	const char *end = vis(out, c, flags, next);
	if (end != NULL)
		return (size_t)(end - out);
	out[0] = '\\'; /* vis() allocates, so it may fail */
	out[1] = (char)('0' + (c >> 6));
	out[2] = (char)('0' + (c >> 3 & 7));
	out[3] = (char)('0' + (c & 7));
	return 4;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '\\' && c != '"';
}

void text_add_escaped(struct text *t, const void *data, size_t len)
{
	const unsigned char *s = data;
	for (size_t i = 0; i < len;) {
		size_t plain = i;
		while (plain < len && is_plain(s[plain]))
			plain++;
		if (plain > i) {
			text_add(t, s + i, plain - i);
			i = plain;
			continue;
		}
		char escaped[8];
		size_t n = escape(escaped, s[i], i + 1 < len ? s[i + 1] : 0);
		if (n > t->size - 1 - t->len) { /* never half an escape */
			t->truncated = true;
			return;
		}
		text_add(t, escaped, n);
		i++;
	}
}

/* --- UTF-8 ----------------------------------------------------------------------------------- */

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t text_utf8_len(const void *data, size_t len)
{
	const unsigned char *s = data;
	if (s[0] < 0x80)
		return 1;
	if (len < 2 || s[0] < 0xc2 || s[0] > 0xf4 || !is_tail(s[1]))
		return 0;
	if (s[0] < 0xe0)
		return 2;
	if (len < 3 || !is_tail(s[2]))
		return 0;
	if (s[0] < 0xf0)
		return (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ? 0 : 3;
	if (len < 4 || !is_tail(s[3]))
		return 0;
	return (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ? 0 : 4;
}

static uint32_t utf8_code(const unsigned char *s, size_t len)
{
	uint32_t code = len == 1 ? s[0] : s[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++)
		code = code << 6 | (s[i] & 0x3f);
	return code;
}

/* False for controls, format characters (Unicode's Cc, Cf, Zl, Zp) and others that are
 * invisible. */
static bool is_shown_code(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
	    {0x0000, 0x001f},    {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},
	    {0x0600, 0x0605},    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},
	    {0x08e2, 0x08e2},    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
	    {0x200b, 0x200f},    {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
	    {0xe000, 0xf8ff},    {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
	    {0xffa0, 0xffa0},    {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},
	    {0x110cd, 0x110cd},  {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	    {0xe0000, 0x10ffff},
	};
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return true;
}

size_t text_shown_len(const void *data, size_t len)
{
	const size_t n = text_utf8_len(data, len);
	return n > 0 && is_shown_code(utf8_code(data, n)) ? n : 0;
}

void text_add_utf8(struct text *t, const void *data, size_t len)
{
	static const char mark[] = "...";
	const unsigned char *s = data;
	size_t end = t->len; /* the longest prefix that leaves room for the mark */
	for (size_t i = 0; i < len;) {
		size_t n = text_utf8_len(s + i, len - i);
		const bool shown = text_shown_len(s + i, len - i) > 0;
		if (n == 0)
			n = 1;
		const size_t needed = shown ? n : 4 * n, room = t->size - 1 - t->len;
		if (needed > room) {
			t->truncated = true;
			t->len = end;
			t->data[end] = '\0';
			if (t->size - 1 - end >= sizeof(mark) - 1)
				text_add_str(t, mark);
			return;
		}
		if (shown)
			text_add(t, s + i, n);
		else
			for (size_t k = 0; k < n; k++)
				text_addf(t, "\\%03o", s[i + k]);
		i += n;
		if (t->size - 1 - t->len >= sizeof(mark) - 1)
			end = t->len;
	}
}
