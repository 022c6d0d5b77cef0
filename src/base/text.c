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

void text_add_escaped(struct text *t, const void *data, size_t len)
{
	const unsigned char *s = data;
	for (size_t i = 0; i < len; i++) {
		char escaped[8];
		if (s[i] >= 0x20 && s[i] < 0x7f && s[i] != '\\' && s[i] != '"') {
			text_add_char(t, (char)s[i]);
			continue;
		}
		int next = i + 1 < len ? s[i + 1] : 0;
		char *end = vis(escaped, s[i], VIS_CSTYLE | VIS_OCTAL | VIS_DQ, next);
		if ((size_t)(end - escaped) > t->size - 1 - t->len) { /* never half an escape */
			t->truncated = true;
			return;
		}
		text_add(t, escaped, (size_t)(end - escaped));
	}
}
