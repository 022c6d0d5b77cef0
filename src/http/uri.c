/*
 * Runs in the workers, on bytes of any client. Must never let a path leave its root, or accept one
 * that could be read in two ways.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"
#include "internal.h"

/* "[" IPv6address "]". A Host must not have a zone or a future version (RFC 3986, IPvFuture). */
static size_t ip_literal_len(const char *s, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t i = 1;
	while (i < len && (num_hex_digit(s[i]) >= 0 || s[i] == ':' || s[i] == '.'))
		i++;
	if (i == len || s[i] != ']' || i > sizeof(text))
		return 0;
	memcpy(text, s + 1, i - 1);
	text[i - 1] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1 ? i + 1 : 0;
}

static size_t reg_name_len(const char *s, size_t len)
{
	const char *p = s, *const end = s + len;
	for (;;) {
		while (p != end && char_is(*p, CHAR_REGNAME))
			p++;
		if (p == end || *p != '%')
			return (size_t)(p - s);
		if (end - p < 3 || num_hex_digit(p[1]) < 0 || num_hex_digit(p[2]) < 0)
			return 0;
		p += 3;
	}
}

static bool port_valid(const char *s, size_t len, bool required)
{
	unsigned long port = 0;
	for (size_t i = 0; i < len; i++) {
		if (!char_is_digit(s[i]) || i == 5)
			return false;
		port = port * 10 + (unsigned long)(s[i] - '0');
	}
	return port <= 65535 && (len > 0 || !required);
}

bool http_host_valid(const char *host, size_t len, bool port_required)
{
	if (len == 0)
		return false;
	size_t n = host[0] == '[' ? ip_literal_len(host, len) : reg_name_len(host, len);
	if (n == 0)
		return false;
	if (n == len)
		return !port_required;
	return host[n] == ':' && port_valid(host + n + 1, len - n - 1, port_required);
}

/* Writes an address in brackets in its one form. */
static size_t ip_literal_name(char *name, size_t len)
{
	struct in6_addr address;
	name[len - 1] = '\0';
	if (inet_pton(AF_INET6, name + 1, &address) == 1)
		(void)inet_ntop(AF_INET6, &address, name + 1, INET6_ADDRSTRLEN);
	const size_t n = strlen(name);
	name[n] = ']';
	return n + 1;
}

size_t http_host_name(const struct http_request *r, char out[HTTP_HOST_NAME_MAX + 1])
{
	const char *host = http_slice_at(r, r->host);
	size_t len = r->host.len;
	const bool is_literal = len > 0 && host[0] == '[';
	const char *port = is_literal ? memchr(host, ']', len) : memchr(host, ':', len);
	if (port != NULL)
		len = (size_t)(port - host) + is_literal;
	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len > HTTP_HOST_NAME_MAX)
		return 0;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] | 0x20 : host[i]);
	return is_literal ? ip_literal_name(out, len) : len;
}

static void path_split(struct http_request *r, uint32_t off, uint32_t len)
{
	const char *path = r->head + off;
	const char *mark = len > 0 ? memchr(path, '?', len) : NULL;
	r->path = (struct http_slice){off, mark != NULL ? (uint32_t)(mark - path) : len};
	if (mark == NULL)
		return;
	r->query_present = true;
	r->query.off = r->path.off + r->path.len + 1;
	r->query.len = len - r->path.len - 1;
}

/* The length of "http://" or "https://" at the front; 0: neither. */
static uint32_t scheme_len(const char *s, uint32_t len)
{
	if (len >= 7 && http_name_is(s, 7, "http://"))
		return 7;
	if (len >= 8 && http_name_is(s, 8, "https://"))
		return 8;
	return 0;
}

static int absolute_split(struct http_request *r)
{
	const char *s = http_slice_at(r, r->target);
	uint32_t scheme = scheme_len(s, r->target.len), i = scheme;
	if (scheme == 0)
		return -REFUSE_TARGET_FORM;
	while (i < r->target.len && s[i] != '/' && s[i] != '?')
		i++;
	/* User information before "@" is not part of a host, so it is refused here (RFC 9110,
	 * 4.2.4). */
	if (!http_host_valid(s + scheme, i - scheme, false))
		return -REFUSE_TARGET_FORM;
	r->secure = scheme == 8;
	r->host = (struct http_slice){r->target.off + scheme, i - scheme};
	path_split(r, r->target.off + i, r->target.len - i);
	return 0;
}

int http_target_split(struct http_request *r)
{
	const char *s = http_slice_at(r, r->target);
	if (r->method == HTTP_CONNECT) {
		if (!http_host_valid(s, r->target.len, true))
			return -REFUSE_TARGET_FORM;
		r->host = r->target;
		return 0;
	}
	if (s[0] == '/') {
		path_split(r, r->target.off, r->target.len);
		return 0;
	}
	if (s[0] == '*' && r->target.len == 1) {
		r->path = r->target;
		return r->method == HTTP_OPTIONS ? 0 : -REFUSE_TARGET_FORM;
	}
	return absolute_split(r);
}

/* Of a path or a query (RFC 3986, 3.3 and 3.4). */
static bool url_has(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~!$&'()*+,;=:@/?", c) != NULL);
}

static bool is_escape(const char *s, size_t len)
{
	return len >= 3 && s[0] == '%' && num_hex_digit(s[1]) >= 0 && num_hex_digit(s[2]) >= 0;
}

size_t http_url_spell(const char *sent, size_t len, char out[3])
{
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char c = (unsigned char)sent[0];
	if (url_has(sent[0]) || is_escape(sent, len)) {
		out[0] = sent[0];
		return 1;
	}
	out[0] = '%';
	out[1] = hex[c >> 4];
	out[2] = hex[c & 15];
	return 3;
}
