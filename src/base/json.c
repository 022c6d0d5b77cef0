/* Runs in workers, on bytes of any client, and in the master. Must never write what is not valid
 * JSON. */
#include "base/json.h"

#include <string.h>

#include "base/text.h"

static void add(struct json *j, const void *data, size_t len)
{
	if (buf_append(j->out, data, len) < 0)
		j->failed = true;
}

void json_add(struct json *j, const char *text)
{
	add(j, text, strlen(text));
}

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The length of the UTF-8 sequence at s (RFC 3629: no overlong form, no surrogate), 0 for none. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
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

static void add_escape(struct json *j, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	if (c == '"' || c == '\\') {
		escape[1] = (char)c;
		add(j, escape, 2);
	} else {
		add(j, escape, sizeof(escape));
	}
}

void json_add_string(struct json *j, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t plain = 0, i = 0; /* s[plain..i] goes as it is */
	json_add(j, "\"");
	while (i < len) {
		size_t n = utf8_len(s + i, len - i);
		if (n > 1 ||
		    (n == 1 && s[i] >= 0x20 && s[i] != 0x7f && s[i] != '"' && s[i] != '\\')) {
			i += n;
			continue;
		}
		add(j, s + plain, i - plain);
		add_escape(j, s[i]);
		plain = ++i;
	}
	add(j, s + plain, i - plain);
	json_add(j, "\"");
}

void json_add_text(struct json *j, const char *s)
{
	if (s == NULL)
		json_add(j, "null");
	else
		json_add_string(j, s, strlen(s));
}

void json_add_uint(struct json *j, uint64_t value)
{
	char digits[24];
	struct text t;
	text_init(&t, digits, sizeof(digits));
	text_add_uint(&t, value);
	add(j, digits, t.len);
}

/* --- structures ------------------------------------------------------------------------------ */

static void begin(struct json *j, const char *name)
{
	if (j->more)
		json_add(j, ",");
	j->more = true;
	if (name != NULL) {
		json_add_text(j, name);
		json_add(j, ":");
	}
}

void json_open(struct json *j, const char *name, char bracket)
{
	begin(j, name);
	add(j, &bracket, 1);
	j->more = false;
}

void json_close(struct json *j, char bracket)
{
	add(j, &bracket, 1);
	j->more = true;
}

void json_text(struct json *j, const char *name, const char *value)
{
	begin(j, name);
	json_add_text(j, value);
}

void json_uint(struct json *j, const char *name, uint64_t value)
{
	begin(j, name);
	json_add_uint(j, value);
}

void json_int(struct json *j, const char *name, int64_t value)
{
	begin(j, name);
	if (value < 0)
		json_add(j, "-");
	json_add_uint(j, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_bool(struct json *j, const char *name, bool value)
{
	begin(j, name);
	json_add(j, value ? "true" : "false");
}

void json_null(struct json *j, const char *name)
{
	begin(j, name);
	json_add(j, "null");
}

void json_tenths(struct json *j, const char *name, uint64_t tenths)
{
	json_uint(j, name, tenths / 10);
	json_add(j, ".");
	json_add_uint(j, tenths % 10);
}
