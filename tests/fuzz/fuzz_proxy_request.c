/*
 * The head of a request that goes upstream: whatever a client sends, what is built is exactly one
 * request to this server's own parser, with the same method, path and framing, and without a field
 * that is the proxy's alone.
 *
 * The first byte says how the location is configured, and whether the client is trusted.
 */
#include <stdlib.h>
#include <string.h>

#include "../proxy_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

enum { TRUSTED = 1, REPLACE = 2, STRIP = 4, ALL = 8, HOST_UPSTREAM = 16, NO_UPGRADE = 32 };

static bool slices_equal(const struct http_request *a, struct http_slice x,
			 const struct http_request *b, struct http_slice y)
{
	return x.len == y.len && memcmp(http_slice_at(a, x), http_slice_at(b, y), x.len) == 0;
}

/* The path that it sends, as this server reads it, is the one that was routed. */
static void path_check(const struct proxy_head *p, const struct http_request *got)
{
	static char text[PROXY_HEAD_MAX];
	const struct http_path *path = &p->ex->path;
	const char *sent = http_slice_at(got, got->path);
	if (got->path.len == 1 && *sent == '*') {
		REQUIRE(got->method == HTTP_OPTIONS);
		return;
	}
	const long n = http_path_normalize(sent, got->path.len, text, NULL, sizeof(text));
	REQUIRE(n > 0);
	if (p->conf.path_from == NULL) {
		REQUIRE((size_t)n == path->len && memcmp(text, path->text, path->len) == 0);
		REQUIRE(proxy_head_find(&p->routes, &p->host, text, (size_t)n) == p->ex->location);
	} else if (path->len >= 6 && memcmp(path->text, "/admin", 6) == 0 &&
		   (path->len == 6 || path->text[6] == '/')) {
		const size_t to = strlen(p->conf.path_to);
		REQUIRE((size_t)n >= to && memcmp(text, p->conf.path_to, to) == 0);
	}
}

static unsigned count(const struct http_request *r, const char *name)
{
	unsigned found = 0;
	for (unsigned i = 0; i < r->fields_count; i++)
		found +=
		    http_name_is(http_slice_at(r, r->fields[i].name), r->fields[i].name.len, name);
	return found;
}

static void fields_check(const struct proxy_head *p, const struct http_request *got, bool trusted)
{
	const bool all = p->conf.forwarded != 0;
	for (unsigned i = 0; i < got->fields_count; i++) {
		const struct http_field *f = &got->fields[i];
		bool alike;
		const enum upstream_field kind =
		    upstream_field_find(http_slice_at(got, f->name), f->name.len, &alike);
		REQUIRE(!alike || kind > UPSTREAM_X_REQUEST_ID);
		REQUIRE(kind != UPSTREAM_KEEP_ALIVE && kind != UPSTREAM_PROXY &&
			kind != UPSTREAM_PROXY_CONNECTION && kind != UPSTREAM_HTTP2_SETTINGS &&
			kind != UPSTREAM_PROXY_AUTHORIZATION);
		REQUIRE(kind != UPSTREAM_X_FORWARDED_OTHER || trusted);
	}
	REQUIRE(count(got, "host") == 1);
	REQUIRE(count(got, "x-request-id") == 1);
	REQUIRE(count(got, "connection") <= 1);
	REQUIRE(count(got, "x-forwarded-for") <= 1 && count(got, "forwarded") <= 1);
	REQUIRE(!all || (count(got, "x-forwarded-for") == 1 && count(got, "forwarded") == 1));
	REQUIRE(!all || count(got, "x-forwarded-proto") == 1);
	REQUIRE(trusted || all || count(got, "x-forwarded-for") + count(got, "forwarded") == 0);
	REQUIRE(count(got, "traceparent") <= 1);
	REQUIRE(!got->upgrade || (!p->conf.no_upgrade && got->framing == HTTP_BODY_NONE));
	REQUIRE(got->upgrade == (count(got, "upgrade") == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct http_request got;
	static struct proxy_head *p;
	if (len == 0 || len > PROXY_HEAD_MAX / 8)
		return 0;
	if (p == NULL)
		p = proxy_head_new(NULL);
	const uint8_t how = *data++;
	const bool trusted = (how & TRUSTED) != 0;
	len--;
	p->conf = (struct conf_proxy){
	    .path_from = (how & (REPLACE | STRIP)) != 0 ? "/admin" : NULL,
	    .path_to = (how & STRIP) != 0 ? "/" : "/a b?",
	    .host = (how & HOST_UPSTREAM) != 0 ? CONF_PROXY_HOST_UPSTREAM : CONF_PROXY_HOST_KEEP,
	    .forwarded = (how & ALL) != 0 ? CONF_FORWARDED | CONF_X_FORWARDED : 0,
	    .via = (how & ALL) != 0,
	    .make_traceparent = (how & ALL) != 0,
	    .no_upgrade = (how & NO_UPGRADE) != 0,
	};
	if (!proxy_head_begin(p, (const char *)data, len))
		return 0;
	memcpy(p->ex->id, "id-1", 5);
	const struct http_request *sent = &p->ex->request;
	const unsigned status = proxy_head_make(p, trusted);
	REQUIRE(status == 0 || status == 204 || status == 400 || status == 405 || status == 508);
	if (status != 0)
		return 0;

	size_t scan = 0;
	const long n = http_request_parse(p->out, p->len, sizeof(p->out), &scan, &got);
	/* those that the proxy adds may be one too many for this parser; nothing else may be wrong
	 */
	if (n == -REFUSE_FIELDS_TOO_MANY && sent->fields_count > HTTP_HEADERS_MAX - 16)
		return 0;
	REQUIRE(n == (long)p->len);
	REQUIRE(got.version_minor == 1 &&
		slices_equal(sent, sent->method_text, &got, got.method_text));
	REQUIRE(got.framing == sent->framing);
	REQUIRE(got.framing != HTTP_BODY_LENGTH || got.content_length == sent->content_length);
	REQUIRE(!got.expect_continue || sent->expect_continue);
	REQUIRE(got.query_present == sent->query_present ||
		(got.path.len == 1 && *http_slice_at(&got, got.path) == '*'));
	if (p->conf.host == CONF_PROXY_HOST_KEEP && sent->host.len > 0)
		REQUIRE(slices_equal(sent, sent->host, &got, got.host));
	path_check(p, &got);
	fields_check(p, &got, trusted);
	return 0;
}
