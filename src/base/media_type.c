#include "base/media_type.h"

#include <string.h>

#include "base/chars.h"

static size_t blanks_len(const char *s, size_t len)
{
	size_t n = 0;
	while (n < len && (s[n] == ' ' || s[n] == '\t'))
		n++;
	return n;
}

/* With its quotes (RFC 9110, 5.6.4); 0: there is none. */
static size_t quoted_len(const char *s, size_t len)
{
	if (len == 0 || s[0] != '"')
		return 0;
	for (size_t n = 1; n < len; n++) {
		if (s[n] == '"')
			return n + 1;
		if (s[n] == '\\' && n + 1 < len)
			n++;
		if (((unsigned char)s[n] < ' ' && s[n] != '\t') || s[n] == 0x7f)
			return 0;
	}
	return 0;
}

/* "name=value"; 0: there is none. */
static size_t parameter_len(const char *s, size_t len)
{
	const size_t name = chars_token_len(s, len);
	if (name == 0 || name == len || s[name] != '=')
		return 0;
	const size_t from = name + 1;
	size_t value = chars_token_len(s + from, len - from);
	if (value == 0)
		value = quoted_len(s + from, len - from);
	return value > 0 ? from + value : 0;
}

enum media_type_fault media_type_check(const char *type, size_t len)
{
	size_t at = chars_token_len(type, len);
	if (at == 0 || at == len || type[at] != '/')
		return MEDIA_TYPE_NAME;
	const size_t subtype = chars_token_len(type + at + 1, len - at - 1);
	at += 1 + subtype;
	if (subtype == 0 || (at < len && strchr("; \t", type[at]) == NULL) ||
	    (at < len && type[at] == '\0'))
		return MEDIA_TYPE_NAME;
	while (at < len) {
		at += blanks_len(type + at, len - at);
		if (at == len || type[at] != ';')
			return MEDIA_TYPE_PARAMETERS;
		at++;
		at += blanks_len(type + at, len - at);
		const size_t parameter = parameter_len(type + at, len - at);
		if (parameter == 0)
			return MEDIA_TYPE_PARAMETERS;
		at += parameter;
	}
	return MEDIA_TYPE_GOOD;
}
