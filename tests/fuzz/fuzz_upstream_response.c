/*
 * Responses of upstreams: the head, its fields that go to a client, and the body. Any bytes, in one
 * piece and in others, give the same result; every slice lies inside the head; and what was
 * understood, written down again, is understood in the same way.
 *
 * The first byte says what was asked for, and how the bytes come.
 */
#include <stdlib.h>
#include <string.h>

#include "../proxy_head.h"
#include "upstream/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define HEAD_MAX  2048
#define BYTES_MAX 8192

static void slice_check(const struct upstream_response *r, struct http_slice s)
{
	REQUIRE(s.off <= r->head_len && s.len <= r->head_len - s.off);
	for (uint32_t i = 0; i < s.len; i++) {
		const char c = r->head[s.off + i];
		REQUIRE(c != '\r' && c != '\n' && c != '\0');
	}
}

/* A head that says the same in the plainest way. */
static size_t head_write(const struct upstream_response *r, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "HTTP/1.%u %u\r\n", r->version_minor, r->status);
	for (unsigned i = 0; i < r->fields_count; i++) {
		const struct http_header h = upstream_response_field(r, i);
		REQUIRE(n + h.name_len + h.value_len + 4 < size);
		memcpy(out + n, h.name, h.name_len);
		n += h.name_len;
		out[n++] = ':';
		memcpy(out + n, h.value, h.value_len);
		n += h.value_len;
		out[n++] = '\r';
		out[n++] = '\n';
	}
	out[n++] = '\r';
	out[n++] = '\n';
	return n;
}

static void meaning_check(const struct upstream_response *r, const struct upstream_asked *asked)
{
	static struct upstream_response again;
	static char text[2 * HEAD_MAX];
	const size_t n = head_write(r, text, sizeof(text));
	size_t scan = 0;
	REQUIRE(upstream_response_parse(text, n, sizeof(text), &scan, asked, &again) == (long)n);
	REQUIRE(again.status == r->status && again.framing == r->framing);
	REQUIRE(again.content_length == r->content_length && again.keep_alive == r->keep_alive);
	REQUIRE(again.fields_count == r->fields_count && again.version_minor == r->version_minor);
	/* never two ends of one body */
	REQUIRE(r->framing != UPSTREAM_BODY_CLOSE || (!r->has_length && !r->keep_alive));
	REQUIRE(r->framing != UPSTREAM_BODY_CHUNKED || (!r->has_length && r->version_minor == 1));
	REQUIRE(r->framing != UPSTREAM_TUNNEL || (asked->upgrade != NULL && r->status == 101));
}

static void walk_check(struct proxy_head *p, const struct upstream_response *r)
{
	struct proxy_walk w;
	struct http_header h;
	unsigned dates = 0;
	if (!proxy_walk_begin(&w, p->ex, &p->place, &p->target, r))
		return;
	while (proxy_walk_next(&w, &h)) {
		bool alike;
		const enum upstream_field kind = upstream_field_find(h.name, h.name_len, &alike);
		REQUIRE(h.name_len > 0 && chars_token_len(h.name, h.name_len) == h.name_len);
		for (uint32_t i = 0; i < h.value_len; i++)
			REQUIRE(char_is(h.value[i], CHAR_VALUE));
		REQUIRE(!upstream_field_is_hop(kind) ||
			(kind == UPSTREAM_UPGRADE && (r->status == 101 || r->status == 426)) ||
			(kind == UPSTREAM_CONTENT_LENGTH && r->status == 304));
		dates += kind == UPSTREAM_DATE && !alike;
	}
	REQUIRE(dates <= 1 && w.has_date == (dates == 1));
}

struct decoded {
	uint8_t body[BYTES_MAX];
	size_t body_len, rest;
	char trailers[BYTES_MAX];
	size_t trailers_len;
	long fault;
	bool ended, reusable;
};

/* step: bytes that come at once; take: bytes of the body that are taken at once. */
static void decode(const struct upstream_response *r, const uint8_t *data, size_t len, size_t step,
		   size_t take, struct decoded *ret)
{
	struct upstream_body b;
	struct buf trailers = BUF_INIT(256);
	size_t at = 0, stop = 0;
	upstream_body_begin(&b, r, &trailers);
	ret->body_len = ret->trailers_len = 0;
	ret->fault = 0;
	while (!upstream_body_ended(&b) && at < len && ret->fault == 0) {
		if (at == stop)
			stop = len - at < step ? len : at + step;
		size_t body;
		const long used = upstream_body_read(&b, data + at, stop - at, &body);
		if (used < 0) {
			ret->fault = used;
			break;
		}
		REQUIRE((size_t)used + body <= stop - at);
		body = body < take ? body : take;
		memcpy(ret->body + ret->body_len, data + at + used, body);
		ret->body_len += body;
		upstream_body_take(&b, body);
		REQUIRE(used > 0 || body > 0 || upstream_body_ended(&b));
		at += (size_t)used + body;
	}
	ret->rest = len - at;
	ret->ended = upstream_body_ended(&b);
	ret->reusable = upstream_body_reusable(&b, ret->rest);
	REQUIRE(!ret->reusable || (ret->ended && r->keep_alive && ret->rest == 0));
	size_t walk = 0;
	struct http_header h;
	while (ret->ended && http_trailer_next(&trailers, &walk, &h)) {
		memcpy(ret->trailers + ret->trailers_len, h.name, h.name_len);
		ret->trailers_len += h.name_len;
		memcpy(ret->trailers + ret->trailers_len, h.value, h.value_len);
		ret->trailers_len += h.value_len;
	}
	REQUIRE(!ret->ended || walk == buf_len(&trailers)); /* all of them were read */
	buf_release(&trailers);
}

/* What is read is what is read again after it was put into chunks. */
static void chunks_check(const struct decoded *d, size_t room)
{
	static const struct upstream_response chunked = {.framing = UPSTREAM_BODY_CHUNKED,
							 .keep_alive = true};
	static uint8_t wire[16 * BYTES_MAX];
	static struct decoded again;
	size_t n = 0, given = 0;
	while (given < d->body_len) {
		size_t taken;
		n += upstream_chunk_write(wire + n, room, d->body + given, d->body_len - given,
					  &taken);
		REQUIRE(taken > 0);
		given += taken;
	}
	n += upstream_chunk_end(wire + n, 5, NULL, NULL);
	decode(&chunked, wire, n, SIZE_MAX, SIZE_MAX, &again);
	REQUIRE(again.fault == 0 && again.reusable && again.body_len == d->body_len);
	REQUIRE(memcmp(again.body, d->body, d->body_len) == 0);
}

static void body_check(const struct upstream_response *r, const uint8_t *data, size_t len,
		       uint8_t how)
{
	static struct decoded whole, split;
	decode(r, data, len, SIZE_MAX, SIZE_MAX, &whole);
	decode(r, data, len, 1 + how % 7, 1 + how % 3, &split);
	REQUIRE(whole.fault == split.fault);
	REQUIRE(whole.body_len == split.body_len);
	REQUIRE(memcmp(whole.body, split.body, whole.body_len) == 0);
	if (whole.fault != 0)
		return;
	REQUIRE(whole.rest == split.rest);
	REQUIRE(whole.ended == split.ended && whole.reusable == split.reusable);
	REQUIRE(whole.trailers_len == split.trailers_len);
	REQUIRE(memcmp(whole.trailers, split.trailers, whole.trailers_len) == 0);
	chunks_check(&whole, 13 + how);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct upstream_response whole, split;
	static struct proxy_head *p;
	static const char request[] = "GET /v2/x HTTP/1.1\r\nHost: a.example\r\n\r\n";
	if (len == 0 || len > BYTES_MAX)
		return 0;
	const uint8_t how = *data++;
	const char *text = (const char *)data;
	len--;
	struct upstream_asked asked = {.head = (how & 1) != 0};
	if ((how & 2) != 0)
		asked = (struct upstream_asked){.upgrade = "websocket, a/1", .upgrade_len = 14};

	size_t scan = 0;
	const long n = upstream_response_parse(text, len, HEAD_MAX, &scan, &asked, &whole);
	long m = 0;
	scan = 0;
	for (size_t i = 0; i <= len && m == 0; i++)
		m = upstream_response_parse(text, i, HEAD_MAX, &scan, &asked, &split);
	REQUIRE(m == n && n <= (long)len && n > -(long)UPSTREAM_FAULTS);
	if (n <= 0)
		return 0;
	REQUIRE(whole.framing == split.framing && whole.fields_count == split.fields_count);
	REQUIRE(whole.status >= 100 && whole.status <= 599 && whole.head_len == (uint32_t)n);
	for (unsigned i = 0; i < whole.fields_count; i++) {
		slice_check(&whole, whole.fields[i].name);
		slice_check(&whole, whole.fields[i].value);
	}
	meaning_check(&whole, &asked);

	if (p == NULL) {
		p = proxy_head_new(NULL);
		p->conf.via = true;
	}
	p->conf.path_from = (how & 4) != 0 ? "/v2" : NULL;
	p->conf.path_to = (how & 8) != 0 ? "/app" : "/";
	REQUIRE(proxy_head_begin(p, request, sizeof(request) - 1));
	walk_check(p, &whole);
	proxy_head_end(p);
	body_check(&whole, data + n, len - (size_t)n, how);
	return 0;
}
