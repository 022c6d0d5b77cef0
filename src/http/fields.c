/*
 * Runs in the workers, on bytes of any client. Decides where a request ends. Must never accept a
 * request for which that question has two answers (RFC 9112, 6.3): a proxy in front of this server
 * may choose the other one.
 */
#include <string.h>

#include "internal.h"

bool http_name_is(const char *s, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (c != name[i] || c == '\0') /* the second test: name is shorter */
			return false;
	}
	return name[len] == '\0';
}

bool http_list_next(const char **at, const char *end, const char **ret, size_t *ret_len)
{
	if (*at > end)
		return false;
	const char *from = *at;
	const char *comma = memchr(from, ',', (size_t)(end - from));
	const char *to = comma != NULL ? comma : end;
	*at = to + 1;
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	*ret = from;
	*ret_len = (size_t)(to - from);
	return true;
}

bool http_list_has(const struct http_header *f, const char *word)
{
	const char *at = f->value, *element;
	size_t n;
	while (http_list_next(&at, f->value + f->value_len, &element, &n))
		if (http_name_is(element, n, word))
			return true;
	return false;
}

static void connection_read(struct head_facts *f, const char *value, size_t len)
{
	const char *at = value, *element;
	size_t n;
	while (http_list_next(&at, value + len, &element, &n)) {
		if (http_name_is(element, n, "close"))
			f->close = true;
		else if (http_name_is(element, n, "keep-alive"))
			f->persist = true;
		else if (http_name_is(element, n, "upgrade"))
			f->upgrade = true;
	}
}

/* A list (RFC 9110, 10.1.1), in which elements may be empty. */
static int expect_read(struct http_request *r, const char *value, size_t len)
{
	const char *at = value, *element;
	size_t n;
	while (http_list_next(&at, value + len, &element, &n)) {
		if (n > 0 && !http_name_is(element, n, "100-continue"))
			return -REFUSE_EXPECTATION;
		r->expect_continue = r->expect_continue || n > 0;
	}
	return 0;
}

/* Several fields form one list (RFC 9110, 5.3), so chunked must be the last element of all of
 * them. */
static int coding_read(struct head_facts *f, const char *value, size_t len)
{
	const char *at = value, *element;
	size_t n;
	f->coding = true;
	while (http_list_next(&at, value + len, &element, &n)) {
		if (f->coding_chunked || n == 0 || chars_token_len(element, n) < n)
			return -REFUSE_CODING_FORM;
		if (http_name_is(element, n, "chunked"))
			f->coding_chunked = true;
		else
			f->coding_unknown = true;
	}
	return 0;
}

int http_length_read(const char *s, size_t len, uint64_t *ret)
{
	uint64_t value = 0;
	if (len == 0)
		return -REFUSE_LENGTH_FORM;
	for (size_t i = 0; i < len; i++) {
		if (!char_is_digit(s[i]))
			return -REFUSE_LENGTH_FORM;
		unsigned digit = (unsigned)(s[i] - '0');
		if (value > (HTTP_LENGTH_UNKNOWN - 1 - digit) / 10)
			return -REFUSE_LENGTH_FORM;
		value = value * 10 + digit;
	}
	*ret = value;
	return 0;
}

/* A second field or a list is refused even if the values agree: RFC 9110, 8.6 would allow that, but
 * no honest client sends it. */
static int content_length_read(struct head_facts *f, struct http_request *r, const char *s,
			       size_t len)
{
	if (f->content_length)
		return -REFUSE_LENGTH_REPEATED;
	f->content_length = true;
	return http_length_read(s, len, &r->content_length);
}

static int host_read(struct head_facts *f, struct http_request *r, struct http_slice value)
{
	if (f->host)
		return -REFUSE_HOST_REPEATED;
	if (!http_host_valid(http_slice_at(r, value), value.len, false))
		return -REFUSE_HOST_FORM;
	f->host = true;
	if (r->host.len == 0) /* else the target's authority counts (RFC 9112, 3.2.2) */
		r->host = value;
	return 0;
}

int head_facts_read(struct head_facts *f, struct http_request *r, const struct http_field *field)
{
	const char *name = http_slice_at(r, field->name);
	const char *value = http_slice_at(r, field->value);
	size_t len = field->value.len;

	switch (field->name.len) { /* the length alone excludes most fields */
	case 4:
		if (http_name_is(name, 4, "host"))
			return host_read(f, r, field->value);
		break;
	case 6:
		if (http_name_is(name, 6, "expect") && r->version_minor > 0)
			return expect_read(r, value, len);
		break;
	case 10:
		if (http_name_is(name, 10, "connection"))
			connection_read(f, value, len);
		break;
	case 14:
		if (http_name_is(name, 14, "content-length"))
			return content_length_read(f, r, value, len);
		break;
	case 17:
		if (http_name_is(name, 17, "transfer-encoding"))
			return coding_read(f, value, len);
		break;
	}
	return 0;
}

int head_facts_conclude(const struct head_facts *f, struct http_request *r)
{
	if (r->version_minor > 0 && !f->host)
		return -REFUSE_HOST_MISSING;
	if (f->coding && r->version_minor == 0)
		return -REFUSE_CODING_ON_1_0;
	if (f->coding && f->content_length)
		return -REFUSE_CODING_AND_LENGTH;
	if (f->coding_unknown)
		return -REFUSE_CODING_UNKNOWN;
	if (f->coding)
		r->framing = HTTP_BODY_CHUNKED;
	else if (f->content_length)
		r->framing = HTTP_BODY_LENGTH;
	r->upgrade = f->upgrade && r->version_minor > 0;
	r->keep_alive = !f->close && (r->version_minor > 0 || f->persist);
	return 0;
}
