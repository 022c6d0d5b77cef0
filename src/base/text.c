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
	if (len == 0) /* data may be NULL then, which memcpy() must not get */
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

/* One byte as vis(3) shows it, at most 4 characters; returns how many. White space is among what
 * vis() must be told to encode: without VIS_WHITE a newline stays a newline. */
static size_t escape(char out[8], unsigned char c, unsigned char next)
{
	const int flags = VIS_CSTYLE | VIS_OCTAL | VIS_DQ | VIS_WHITE | VIS_NOLOCALE;
	const char *end = vis(out, c, flags, next);
	if (end != NULL)
		return (size_t)(end - out);
	out[0] = '\\'; /* vis() allocates, and may fail */
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
