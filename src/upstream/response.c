/*
 * Runs in the workers, and in connectors for their checks, on bytes of any upstream. Must never
 * allocate, keep state, or accept a head that another reader could understand differently: a
 * doubtful one is refused, and the client gets a 502.
 */
#include "upstream/response.h"

#include <string.h>
#include <strings.h>

#include "base/chars.h"
#include "http/message.h"

const char *upstream_fault_text(enum upstream_fault fault)
{
	static const char *const texts[UPSTREAM_FAULTS] = {
	    [UPSTREAM_FAULT_NONE] = "nothing is wrong",
	    [UPSTREAM_FAULT_STATUS_LINE] =
		"the response does not begin with a status line of HTTP/1",
	    [UPSTREAM_FAULT_STATUS] = "the status is not 100 to 599",
	    [UPSTREAM_FAULT_HEAD_LONG] = "the head of the response is too long",
	    [UPSTREAM_FAULT_FIELDS_MANY] = "the response has too many fields",
	    [UPSTREAM_FAULT_FIELD] = "a field of the response is malformed",
	    [UPSTREAM_FAULT_LENGTH] = "Content-Length is no number, too large, or not the only one",
	    [UPSTREAM_FAULT_BOTH] = "the response has Content-Length and Transfer-Encoding",
	    [UPSTREAM_FAULT_CODING] = "Transfer-Encoding is not exactly chunked, or is on HTTP/1.0",
	    [UPSTREAM_FAULT_SWITCH] = "101 Switching Protocols was not asked for, or is malformed",
	    [UPSTREAM_FAULT_INTERIM] = "too many interim responses (1xx)",
	    [UPSTREAM_FAULT_CHUNK] = "the chunked body is malformed",
	    [UPSTREAM_FAULT_TRAILER] = "the trailer of the body is malformed or too long",
	    [UPSTREAM_FAULT_CUT] = "the connection ended before the response did",
	};
	return (unsigned)fault < UPSTREAM_FAULTS ? texts[fault] : "?";
}

/* What the fields say together. */
struct response_facts {
	bool coding, length;
	bool close, persist; /* options of Connection */
	struct http_header upgrade;
	unsigned upgrades; /* fields of that name */
};

/* --- the status line -------------------------------------------------------------------------- */

static const char version[] = "HTTP/1.";
#define VERSION_LEN (sizeof(version) - 1)

/* status-line = "HTTP/1." DIGIT SP 3DIGIT [ SP reason-phrase ] CRLF */
static int status_line_read(struct http_cursor *c, struct upstream_response *r)
{
	const char *s = c->at;
	const char *end = memchr(s, '\r', (size_t)(c->end - s));
	const size_t len = end != NULL ? (size_t)(end - s) : 0;
	if (len < VERSION_LEN + 5 || !char_is_digit(s[7]) || s[8] != ' ' || end[1] != '\n')
		return -UPSTREAM_FAULT_STATUS_LINE;
	for (size_t i = 9; i < 12; i++)
		if (!char_is_digit(s[i]))
			return -UPSTREAM_FAULT_STATUS_LINE;
	if (len > 12 && s[12] != ' ')
		return -UPSTREAM_FAULT_STATUS_LINE;
	for (size_t i = 12; i < len; i++)
		if (!char_is(s[i], CHAR_VALUE))
			return -UPSTREAM_FAULT_STATUS_LINE;
	r->version_minor = s[7] != '0';
	r->status = (unsigned)((s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0'));
	c->at = end + 2;
	return r->status >= 100 && r->status <= 599 ? 0 : -UPSTREAM_FAULT_STATUS;
}

/* --- the fields ------------------------------------------------------------------------------- */

static void connection_read(struct response_facts *f, struct upstream_response *r,
			    const struct http_header *h)
{
	const char *at = h->value, *element;
	size_t n;
	while (http_list_next(&at, h->value + h->value_len, &element, &n)) {
		f->close = f->close || http_name_is(element, n, "close");
		f->persist = f->persist || http_name_is(element, n, "keep-alive");
		r->upgrade = r->upgrade || http_name_is(element, n, "upgrade");
	}
}

static int length_read(struct upstream_response *r, const struct http_header *h)
{
	if (r->has_length || http_length_read(h->value, h->value_len, &r->content_length) < 0)
		return -UPSTREAM_FAULT_LENGTH;
	r->has_length = true;
	return 0;
}

/* No other coding was asked for (RFC 9110, 10.1.4), so none is understood. */
static int coding_read(struct response_facts *f, const struct http_header *h)
{
	if (f->coding || !http_name_is(h->value, h->value_len, "chunked"))
		return -UPSTREAM_FAULT_CODING;
	f->coding = true;
	return 0;
}

static int field_judge(struct response_facts *f, struct upstream_response *r,
		       const struct http_header *h)
{
	switch (h->name_len) { /* the length alone excludes most fields */
	case 7:
		if (http_name_is(h->name, 7, "upgrade")) {
			f->upgrade = *h;
			f->upgrades++;
		}
		break;
	case 10:
		if (http_name_is(h->name, 10, "connection"))
			connection_read(f, r, h);
		break;
	case 14:
		if (http_name_is(h->name, 14, "content-length"))
			return length_read(r, h);
		break;
	case 17:
		if (http_name_is(h->name, 17, "transfer-encoding"))
			return coding_read(f, h);
		break;
	}
	return 0;
}

static int fields_read(struct http_cursor *c, struct response_facts *f, struct upstream_response *r)
{
	while (c->end - c->at > 2) { /* only the blank line is left */
		if (r->fields_count == HTTP_HEADERS_MAX)
			return -UPSTREAM_FAULT_FIELDS_MANY;
		if (http_field_read(c, r->head, true, &r->fields[r->fields_count]) < 0)
			return -UPSTREAM_FAULT_FIELD;
		const struct http_header h = upstream_response_field(r, r->fields_count++);
		const int fault = field_judge(f, r, &h);
		if (fault < 0)
			return fault;
	}
	return 0;
}

/* --- the body: RFC 9112, 6.3 ------------------------------------------------------------------ */

static bool protocol_listed(const struct upstream_asked *asked, const char *name, size_t len)
{
	const char *at = asked->upgrade, *element;
	size_t n;
	while (http_list_next(&at, asked->upgrade + asked->upgrade_len, &element, &n))
		if (n == len && strncasecmp(element, name, len) == 0)
			return true;
	return false;
}

/* RFC 9110, 7.8: to what was asked for alone, and both fields say so. */
static int switch_judge(const struct response_facts *f, const struct upstream_asked *asked,
			struct upstream_response *r)
{
	if (asked->upgrade == NULL || r->version_minor == 0 || !r->upgrade || f->upgrades != 1 ||
	    f->coding || (r->has_length && r->content_length > 0))
		return -UPSTREAM_FAULT_SWITCH;
	const char *at = f->upgrade.value, *element;
	size_t n;
	while (http_list_next(&at, f->upgrade.value + f->upgrade.value_len, &element, &n))
		if (!protocol_listed(asked, element, n))
			return -UPSTREAM_FAULT_SWITCH;
	r->framing = UPSTREAM_TUNNEL;
	r->keep_alive = false;
	return 0;
}

static int framing_judge(const struct response_facts *f, const struct upstream_asked *asked,
			 struct upstream_response *r)
{
	if (f->coding && r->version_minor == 0)
		return -UPSTREAM_FAULT_CODING;
	if (f->coding && r->has_length)
		return -UPSTREAM_FAULT_BOTH;
	r->keep_alive = !f->close && (r->version_minor > 0 || f->persist);
	if (r->status == 101)
		return switch_judge(f, asked, r);
	const bool bare = r->status < 200 || r->status == 204; /* with no framing field at all */
	if (bare && (f->coding || (r->has_length && r->content_length > 0)))
		r->keep_alive = false;
	if (bare || r->status == 304 || asked->head) {
		r->framing = UPSTREAM_BODY_NONE;
	} else if (f->coding) {
		r->framing = UPSTREAM_BODY_CHUNKED;
	} else if (r->has_length) {
		r->framing = r->content_length > 0 ? UPSTREAM_BODY_LENGTH : UPSTREAM_BODY_NONE;
	} else {
		r->framing = UPSTREAM_BODY_CLOSE;
		r->keep_alive = false;
	}
	return 0;
}

/* --- the head --------------------------------------------------------------------------------- */

static long head_end(const char *data, size_t len, size_t head_max, size_t *scan)
{
	const long end = http_lines_end(data, len, 0, head_max, scan);
	switch (-end) {
	case REFUSE_BARE_LF:
	case REFUSE_BARE_CR:
		return memchr(data, '\n', *scan) == NULL ? -UPSTREAM_FAULT_STATUS_LINE
							 : -UPSTREAM_FAULT_FIELD;
	case REFUSE_HEAD_TOO_LONG:
		return -UPSTREAM_FAULT_HEAD_LONG;
	case REFUSE_BLANK_LINES:
		return -UPSTREAM_FAULT_STATUS_LINE;
	default:
		return end;
	}
}

/* Clears everything except the array of fields, which is large. */
static void response_clear(struct upstream_response *r, const char *data, long len)
{
	r->head = data;
	r->head_len = (uint32_t)len;
	r->status = r->version_minor = r->fields_count = 0;
	r->framing = UPSTREAM_BODY_NONE;
	r->has_length = r->keep_alive = r->upgrade = false;
	r->content_length = 0;
}

long upstream_response_parse(const char *data, size_t len, size_t head_max, size_t *scan,
			     const struct upstream_asked *asked, struct upstream_response *ret)
{
	if (len > 0 && memcmp(data, version, len < VERSION_LEN ? len : VERSION_LEN) != 0)
		return -UPSTREAM_FAULT_STATUS_LINE;
	const long end = head_end(data, len, head_max, scan);
	if (end <= 0)
		return end;
	struct http_cursor c = {data, data + end};
	struct response_facts facts = {0};
	response_clear(ret, data, end);
	int fault = status_line_read(&c, ret);
	if (fault == 0)
		fault = fields_read(&c, &facts, ret);
	if (fault == 0)
		fault = framing_judge(&facts, asked, ret);
	return fault < 0 ? fault : end;
}
