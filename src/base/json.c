/* Runs in workers, on bytes of any client, and in the master. Must never write invalid JSON. */
#include "base/json.h"

#include <string.h>

#include "base/text.h"

static void jsonout_put(struct jsonout *j, const void *data, size_t len)
{
	if (buf_append(j->out, data, len) < 0)
		j->failed = true;
}

void jsonout_add(struct jsonout *j, const char *text)
{
	jsonout_put(j, text, strlen(text));
}

static void add_escape(struct jsonout *j, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	if (c == '"' || c == '\\') {
		escape[1] = (char)c;
		jsonout_put(j, escape, 2);
	} else {
		jsonout_put(j, escape, sizeof(escape));
	}
}

void jsonout_add_string(struct jsonout *j, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t plain = 0, i = 0; /* s[plain..i] needs no escape */
	jsonout_add(j, "\"");
	while (i < len) {
		size_t n = text_utf8_len(s + i, len - i);
		if (n > 1 ||
		    (n == 1 && s[i] >= 0x20 && s[i] != 0x7f && s[i] != '"' && s[i] != '\\')) {
			i += n;
			continue;
		}
		jsonout_put(j, s + plain, i - plain);
		add_escape(j, s[i]);
		plain = ++i;
	}
	jsonout_put(j, s + plain, i - plain);
	jsonout_add(j, "\"");
}

void jsonout_add_text(struct jsonout *j, const char *s)
{
	if (s == NULL)
		jsonout_add(j, "null");
	else
		jsonout_add_string(j, s, strlen(s));
}

void jsonout_add_uint(struct jsonout *j, uint64_t value)
{
	char digits[24];
	struct text t;
	text_init(&t, digits, sizeof(digits));
	text_add_uint(&t, value);
	jsonout_put(j, digits, t.len);
}

/* --- structures ------------------------------------------------------------------------------ */

static void jsonout_begin(struct jsonout *j, const char *name)
{
	if (j->more)
		jsonout_add(j, ",");
	j->more = true;
	if (name != NULL) {
		jsonout_add_text(j, name);
		jsonout_add(j, ":");
	}
}

void jsonout_open(struct jsonout *j, const char *name, char bracket)
{
	jsonout_begin(j, name);
	jsonout_put(j, &bracket, 1);
	j->more = false;
}

void jsonout_close(struct jsonout *j, char bracket)
{
	jsonout_put(j, &bracket, 1);
	j->more = true;
}

void jsonout_text(struct jsonout *j, const char *name, const char *value)
{
	jsonout_begin(j, name);
	jsonout_add_text(j, value);
}

void jsonout_uint(struct jsonout *j, const char *name, uint64_t value)
{
	jsonout_begin(j, name);
	jsonout_add_uint(j, value);
}

void jsonout_int(struct jsonout *j, const char *name, int64_t value)
{
	jsonout_begin(j, name);
	if (value < 0)
		jsonout_add(j, "-");
	jsonout_add_uint(j, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void jsonout_bool(struct jsonout *j, const char *name, bool value)
{
	jsonout_begin(j, name);
	jsonout_add(j, value ? "true" : "false");
}

void jsonout_null(struct jsonout *j, const char *name)
{
	jsonout_begin(j, name);
	jsonout_add(j, "null");
}

void jsonout_tenths(struct jsonout *j, const char *name, uint64_t tenths)
{
	jsonout_uint(j, name, tenths / 10);
	jsonout_add(j, ".");
	jsonout_add_uint(j, tenths % 10);
}
