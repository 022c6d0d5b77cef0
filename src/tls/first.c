/* Runs in a worker's loop, on the first bytes of a client. Must never need more than TLS_FIRST_MAX
 * bytes. */
#include "tls/first.h"

#include <string.h>

#include "base/chars.h"

#define METHOD_MAX 32 /* the longest registered method has 17 */

/* An exact sequence of bytes at the start. */
struct mark {
	const char *bytes;
	size_t len;
	enum tls_first first;
};

#define MARK(text, first)                     \
	{                                     \
		text, sizeof(text) - 1, first \
	}

/* These methods exist in HTTP alone, so any target may follow. */
static const struct mark marks[] = {
    MARK("GET ", TLS_FIRST_HTTP),
    MARK("HEAD ", TLS_FIRST_HTTP),
    MARK("POST ", TLS_FIRST_HTTP),
    MARK("PUT ", TLS_FIRST_HTTP),
    MARK("CONNECT ", TLS_FIRST_HTTP),
    MARK("SSH-", TLS_FIRST_SSH),
    MARK("HELO ", TLS_FIRST_SMTP),
    MARK("EHLO ", TLS_FIRST_SMTP),
    MARK("LHLO ", TLS_FIRST_SMTP),
    MARK("PROXY ", TLS_FIRST_PROXY),
    MARK("\r\n\r\n\0\r\nQUIT\n", TLS_FIRST_PROXY),
};

/* TLS_FIRST_RECORD: no mark fits; TLS_FIRST_MORE: more bytes could complete one. */
static enum tls_first mark_find(const uint8_t *data, size_t len)
{
	enum tls_first found = TLS_FIRST_RECORD;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		size_t n = len < marks[i].len ? len : marks[i].len;
		if (memcmp(data, marks[i].bytes, n) != 0)
			continue;
		if (n == marks[i].len)
			return marks[i].first;
		found = TLS_FIRST_MORE;
	}
	return found;
}

/* Two bytes of length with the highest bit set, then client_hello, then a version. */
static enum tls_first ssl2_find(const uint8_t *data, size_t len)
{
	if ((len >= 3 && data[2] != 1) || (len >= 4 && data[3] != 0 && data[3] != 3))
		return TLS_FIRST_OTHER;
	return len < 4 ? TLS_FIRST_MORE : TLS_FIRST_SSL2;
}

/* A method, a blank, and the beginning of a target (RFC 9112, 3.2). Empty lines may come before it
 * (RFC 9112, 2.2). */
static enum tls_first http_find(const uint8_t *data, size_t len)
{
	static const char scheme[] = "http";
	size_t at = 0, begin;
	while (at < len && at < 4 && (data[at] == '\r' || data[at] == '\n'))
		at++;
	for (begin = at;
	     at < len && at - begin <= METHOD_MAX && char_is((char)data[at], CHAR_TOKEN); at++)
		;
	if (at - begin > METHOD_MAX)
		return TLS_FIRST_OTHER;
	if (at == len)
		return TLS_FIRST_MORE;
	if (at == begin || data[at++] != ' ')
		return TLS_FIRST_OTHER;
	for (size_t i = 0; i < sizeof(scheme) - 1; i++, at++) {
		if (at == len)
			return TLS_FIRST_MORE;
		if (i == 0 && (data[at] == '/' || data[at] == '*'))
			return TLS_FIRST_HTTP;
		if ((data[at] | 0x20) != scheme[i])
			return TLS_FIRST_OTHER;
	}
	return TLS_FIRST_HTTP;
}

static enum tls_first first_find(const uint8_t *data, size_t len)
{
	if (len == 0)
		return TLS_FIRST_MORE;
	if (data[0] >= 20 && data[0] <= 24)
		return TLS_FIRST_RECORD;
	if (data[0] & 0x80)
		return ssl2_find(data, len);
	enum tls_first mark = mark_find(data, len);
	if (mark > TLS_FIRST_MORE)
		return mark;
	enum tls_first http = http_find(data, len);
	return http == TLS_FIRST_OTHER && mark == TLS_FIRST_MORE ? TLS_FIRST_MORE : http;
}

enum tls_first tls_first_of(const uint8_t *data, size_t len, bool complete)
{
	enum tls_first first = first_find(data, len);
	return complete && first == TLS_FIRST_MORE ? TLS_FIRST_OTHER : first;
}

const char *tls_first_text(enum tls_first first)
{
	switch (first) {
	case TLS_FIRST_RECORD:
	case TLS_FIRST_MORE:
		break;
	case TLS_FIRST_SSL2:
		return "The client begins with SSL 2.0.";
	case TLS_FIRST_HTTP:
		return "The client speaks plain HTTP.";
	case TLS_FIRST_SSH:
		return "The client speaks SSH.";
	case TLS_FIRST_SMTP:
		return "The client speaks SMTP.";
	case TLS_FIRST_PROXY:
		return "The client sends a header of the PROXY protocol, and the port has no "
		       "`proxy protocol from`.";
	case TLS_FIRST_OTHER:
		return "The client does not speak TLS.";
	}
	return NULL;
}
