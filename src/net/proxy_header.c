/* Runs in a worker's loop, on the first bytes of a connection. Must never read more than
 * PROXY_HEADER_MAX of them, nor take a header in which two readers could see two addresses. */
#include "net/proxy_header.h"

#include <string.h>

#include "base/num.h"

#define PORT_MAX 65535

static enum proxy_header_result broken(struct proxy_header *h, const char *fault)
{
	*h = (struct proxy_header){.fault = fault};
	return PROXY_HEADER_BROKEN;
}

/* OK: the bytes begin with all of the mark. MORE: they are its beginning. */
static enum proxy_header_result compare(const uint8_t *data, size_t len, const char *mark,
					size_t mark_len)
{
	const size_t n = len < mark_len ? len : mark_len;
	if (memcmp(data, mark, n) != 0)
		return PROXY_HEADER_NONE;
	return n == mark_len ? PROXY_HEADER_OK : PROXY_HEADER_MORE;
}

/* --- version 1: a line ------------------------------------------------------------------------ */

static const char v1_mark[] = "PROXY ";

/* A part of the line; the text moves past it. False: there is none, or not one blank before it. */
static bool part_next(const char **text, const char *end, const char **ret, size_t *ret_len)
{
	const char *at = *text;
	if (at == end || *at != ' ')
		return false;
	const char *begin = ++at;
	while (at < end && *at != ' ')
		at++;
	*text = at;
	*ret = begin;
	*ret_len = (size_t)(at - begin);
	return *ret_len > 0;
}

/* Digits alone, and no zeros in front, which some read as octal. */
static bool v1_port(const char **text, const char *end, uint16_t *ret)
{
	const char *part;
	size_t len;
	uint64_t number;
	if (!part_next(text, end, &part, &len) || (part[0] == '0' && len > 1) ||
	    num_parse(part, len, 0, PORT_MAX, &number) < 0)
		return false;
	*ret = (uint16_t)number;
	return true;
}

static bool v1_address(const char **text, const char *end, bool v4, struct network_address *ret)
{
	const char *part;
	size_t len;
	return part_next(text, end, &part, &len) && (memchr(part, ':', len) == NULL) == v4 &&
	       network_address_parse(part, len, ret) == 0;
}

static enum proxy_header_result v1_addresses(const char *text, const char *end, bool v4,
					     struct proxy_header *h)
{
	if (!v1_address(&text, end, v4, &h->source) || !v1_address(&text, end, v4, &h->destination))
		return broken(h, "Its PROXY header has no valid addresses.");
	if (!v1_port(&text, end, &h->source_port) || !v1_port(&text, end, &h->destination_port))
		return broken(h, "Its PROXY header has no valid ports.");
	if (text != end)
		return broken(h, "Its PROXY header goes on after the ports.");
	return PROXY_HEADER_OK;
}

/* The bytes between "PROXY" and CRLF. */
static enum proxy_header_result v1_line(const char *text, const char *end, struct proxy_header *h)
{
	const char *family;
	size_t len;
	if (part_next(&text, end, &family, &len)) {
		if (len == 4 && memcmp(family, "TCP4", len) == 0)
			return v1_addresses(text, end, true, h);
		if (len == 4 && memcmp(family, "TCP6", len) == 0)
			return v1_addresses(text, end, false, h);
		if (len == 7 && memcmp(family, "UNKNOWN", len) == 0) {
			h->own = true; /* whatever follows is ignored */
			return PROXY_HEADER_OK;
		}
	}
	return broken(h, "Its PROXY header names neither TCP4, TCP6 nor UNKNOWN.");
}

static enum proxy_header_result v1_read(const uint8_t *data, size_t len, struct proxy_header *h)
{
	const size_t n = len < PROXY_HEADER_MAX ? len : PROXY_HEADER_MAX;
	size_t at = 0;
	while (at < n && data[at] != '\r' && data[at] != '\n')
		at++;
	if (at < n && (data[at] == '\n' || (at + 1 < n && data[at + 1] != '\n')))
		return broken(h, "The line of its PROXY header does not end in CRLF.");
	if (at + 1 >= PROXY_HEADER_MAX)
		return broken(h, "The line of its PROXY header has more than 107 bytes.");
	if (at + 1 >= n)
		return PROXY_HEADER_MORE;
	*h = (struct proxy_header){.version = 1, .len = at + 2};
	return v1_line((const char *)data + strlen("PROXY"), (const char *)data + at, h);
}

/* --- version 2: binary ------------------------------------------------------------------------ */

static const char v2_mark[] = "\r\n\r\n\0\r\nQUIT\n";

#define V2_MARK_LEN (sizeof(v2_mark) - 1)
#define V2_FIXED    16 /* bytes before the addresses */

enum { V2_LOCAL = 0, V2_PROXY = 1 };
enum { V2_UNSPEC = 0, V2_INET = 1, V2_INET6 = 2, V2_UNIX = 3, V2_FAMILIES };
#define V2_TRANSPORTS 3 /* unspecified, stream, datagram */

static const uint8_t v2_addresses_len[V2_FAMILIES] = {
    [V2_INET] = 12, [V2_INET6] = 36, [V2_UNIX] = 216};

static uint16_t two_bytes(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

static void v2_inet(const uint8_t *data, struct proxy_header *h)
{
	h->source = network_address_v4(data);
	h->destination = network_address_v4(data + 4);
	h->source_port = two_bytes(data + 8);
	h->destination_port = two_bytes(data + 10);
}

static void v2_inet6(const uint8_t *data, struct proxy_header *h)
{
	h->source = network_address_v6(data);
	h->destination = network_address_v6(data + 16);
	h->source_port = two_bytes(data + 32);
	h->destination_port = two_bytes(data + 34);
}

/* Unspecified in either half: there may be addresses, and they are to be ignored. */
static enum proxy_header_result v2_proxied(const uint8_t *data, size_t len, struct proxy_header *h)
{
	const unsigned family = data[13] >> 4, transport = data[13] & 15;
	if (family >= V2_FAMILIES || transport >= V2_TRANSPORTS)
		return broken(h, "Its PROXY header has an unknown family or protocol.");
	if (h->len - V2_FIXED < v2_addresses_len[family])
		return broken(h, "Its PROXY header is too short for its addresses.");
	h->own = transport == 0 || (family != V2_INET && family != V2_INET6);
	if (h->own)
		return PROXY_HEADER_OK;
	if (len - V2_FIXED < v2_addresses_len[family])
		return PROXY_HEADER_MORE;
	if (family == V2_INET)
		v2_inet(data + V2_FIXED, h);
	else
		v2_inet6(data + V2_FIXED, h);
	return PROXY_HEADER_OK;
}

static enum proxy_header_result v2_read(const uint8_t *data, size_t len, struct proxy_header *h)
{
	if (len > V2_MARK_LEN && data[12] >> 4 != 2)
		return broken(h, "Its PROXY header is of an unknown version.");
	if (len > V2_MARK_LEN && (data[12] & 15) > V2_PROXY)
		return broken(h, "Its PROXY header has an unknown command.");
	if (len < V2_FIXED)
		return PROXY_HEADER_MORE;
	*h = (struct proxy_header){.version = 2, .len = V2_FIXED + (size_t)two_bytes(data + 14)};
	if ((data[12] & 15) == V2_PROXY)
		return v2_proxied(data, len, h);
	h->own = true; /* with a family that is to be ignored */
	return PROXY_HEADER_OK;
}

/* ---------------------------------------------------------------------------------------------- */

enum proxy_header_result proxy_header_read(const uint8_t *data, size_t len,
					   struct proxy_header *ret)
{
	struct proxy_header h = {0};
	enum proxy_header_result result = compare(data, len, v2_mark, V2_MARK_LEN);
	if (result == PROXY_HEADER_OK) {
		result = v2_read(data, len, &h);
	} else if (result == PROXY_HEADER_NONE) {
		result = compare(data, len, v1_mark, strlen(v1_mark));
		if (result == PROXY_HEADER_OK)
			result = v1_read(data, len, &h);
	}
	if (result == PROXY_HEADER_OK || result == PROXY_HEADER_BROKEN)
		*ret = h;
	return result;
}

enum proxy_header_result proxy_header_recognize(const uint8_t *data, size_t len)
{
	static const struct {
		const char *bytes;
		size_t len;
	} marks[] = {
	    {v2_mark, V2_MARK_LEN},
	    {"PROXY TCP4 ", 11},
	    {"PROXY TCP6 ", 11},
	    {"PROXY UNKNOWN", 13},
	};
	enum proxy_header_result found = PROXY_HEADER_NONE;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]) && found != PROXY_HEADER_OK; i++) {
		const enum proxy_header_result r = compare(data, len, marks[i].bytes, marks[i].len);
		found = r != PROXY_HEADER_NONE ? r : found;
	}
	return found;
}
