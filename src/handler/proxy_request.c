/*
 * Runs in the workers, on bytes of any client: the head of a request that goes upstream. Must never
 * copy a head as it came, nor write one that could be read as anything else than the one request
 * that was parsed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/chars.h"
#include "base/num.h"
#include "http/message.h"
#include "proxy.h"

/* --- at the start ----------------------------------------------------------------------------- */

bool proxy_target_init(struct proxy_target *t, const struct conf_endpoint *e, bool tls)
{
	const uint16_t usual = tls ? 443 : 80;
	char port[8] = "";
	char *text;
	if (e->host != NULL && e->port != usual)
		(void)snprintf(port, sizeof(port), ":%u", e->port);
	const bool literal = e->host != NULL && strchr(e->host, ':') != NULL && e->host[0] != '[';
	const int len = asprintf(&text, "%s%s%s%s", literal ? "[" : "",
				 e->host != NULL ? e->host : "localhost", literal ? "]" : "", port);
	if (len < 0)
		return false;
	*t = (struct proxy_target){text, (uint32_t)len, tls};
	return true;
}

void proxy_target_release(struct proxy_target *t)
{
	free(t->authority);
	t->authority = NULL;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* What a trusted proxy may have said before, which is added to or passed on as this one's word. */
static bool is_word_of_proxy(enum upstream_field kind)
{
	return kind == UPSTREAM_FORWARDED || kind == UPSTREAM_TRACEPARENT ||
	       (kind >= UPSTREAM_X_FORWARDED_FOR && kind <= UPSTREAM_X_REQUEST_ID);
}

/* The proxy's own are not the client's to spell in another way; and what Connection names was for
 * this server alone (RFC 9110, 7.6.1). */
static uint8_t kind_find(const struct http_request *r, const struct http_field *f, bool named)
{
	bool alike;
	const enum upstream_field kind =
	    upstream_field_find(http_slice_at(r, f->name), f->name.len, &alike);
	const bool dropped =
	    (alike && kind <= UPSTREAM_X_REQUEST_ID) || (named && is_word_of_proxy(kind));
	return dropped ? PROXY_DROPPED : (uint8_t)kind;
}

static bool asks_for_trailers(const struct http_request *r, const uint8_t *kinds)
{
	for (unsigned i = 0; i < r->fields_count; i++) {
		const struct http_field *f = &r->fields[i];
		const struct http_header h = {http_slice_at(r, f->name), http_slice_at(r, f->value),
					      f->name.len, f->value.len};
		if (kinds[i] == UPSTREAM_TE && http_list_has(&h, "trailers"))
			return true;
	}
	return false;
}

/* Another version of HTTP, or TLS: this connection would then be something that nobody here reads.
 */
static bool protocol_is_refused(const char *s, size_t len)
{
	static const char *const refused[] = {"h2c", "h2", "h3", "http", "tls"};
	const char *slash = memchr(s, '/', len);
	const size_t name = slash != NULL ? (size_t)(slash - s) : len;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (http_name_is(s, name, refused[i]))
			return true;
	return false;
}

/* protocol = name [ "/" version ], both of them tokens. */
static bool protocol_is_valid(const char *s, size_t len)
{
	const size_t name = chars_token_len(s, len);
	if (name == 0 || name == len)
		return name > 0;
	const size_t version = len - name - 1;
	return s[name] == '/' && version > 0 && chars_token_len(s + name + 1, version) == version;
}

/* Writes those protocols that may be switched to, if out is not NULL; returns the length. */
static size_t upgrade_list(const struct http_request *r, const uint8_t *kinds, char *out)
{
	size_t used = 0;
	for (unsigned i = 0; i < r->fields_count; i++) {
		const char *value = http_slice_at(r, r->fields[i].value), *at = value, *element;
		size_t n;
		while (kinds[i] == UPSTREAM_UPGRADE &&
		       http_list_next(&at, value + r->fields[i].value.len, &element, &n)) {
			if (!protocol_is_valid(element, n) || protocol_is_refused(element, n))
				continue;
			if (out != NULL && used > 0)
				memcpy(out + used, ", ", 2);
			used += used > 0 ? 2 : 0;
			if (out != NULL)
				memcpy(out + used, element, n);
			used += n;
		}
	}
	return used;
}

/* What may be switched to. A request with a body cannot become a tunnel here. */
static bool upgrade_judge(struct proxy_request *q)
{
	const struct http_request *r = &q->ex->request;
	if (!r->upgrade || q->place->conf->no_upgrade || r->framing != HTTP_BODY_NONE)
		return true;
	const size_t len = upgrade_list(r, q->kinds, NULL);
	if (len == 0)
		return true;
	char *text = arena_take(&q->ex->arena, len);
	if (text == NULL)
		return false;
	q->upgrade_len = (uint32_t)upgrade_list(r, q->kinds, text);
	q->upgrade = text;
	return true;
}

static bool has_body(const struct http_request *r)
{
	return r->framing == HTTP_BODY_CHUNKED ||
	       (r->framing == HTTP_BODY_LENGTH && r->content_length > 0);
}

/* RFC 9110, 7.6.2 and 9.3.8. */
static unsigned forwards_judge(struct proxy_request *q)
{
	const struct http_request *r = &q->ex->request;
	uint64_t left;
	if (r->method == HTTP_TRACE && has_body(r))
		return 400;
	if (r->method != HTTP_TRACE && r->method != HTTP_OPTIONS)
		return 0;
	for (unsigned i = 0; i < r->fields_count; i++) {
		const struct http_field *f = &r->fields[i];
		if (q->kinds[i] != UPSTREAM_MAX_FORWARDS)
			continue;
		if (q->has_max_forwards ||
		    http_length_read(http_slice_at(r, f->value), f->value.len, &left) < 0)
			return 400;
		if (left == 0)
			return r->method == HTTP_TRACE ? 405 : 204;
		q->has_max_forwards = true;
		q->max_forwards = (uint32_t)num_least(left - 1, UINT32_MAX);
	}
	return 0;
}

unsigned proxy_request_judge(struct exchange *ex, const struct proxy_place *place, bool trusted,
			     struct proxy_request *q)
{
	const struct http_request *r = &ex->request;
	memset(q, 0, sizeof(*q));
	q->ex = ex;
	q->place = place;
	q->trusted = trusted;
	if (!upstream_named_read(r->head, r->fields, r->fields_count, &q->named))
		return 400;
	for (unsigned i = 0; i < r->fields_count; i++)
		q->kinds[i] = kind_find(r, &r->fields[i], upstream_is_named(&q->named, i));
	const unsigned status = forwards_judge(q);
	if (status != 0)
		return status;
	if (proxy_via_count(q) > PROXY_VIA_MAX)
		return 508;
	q->te_trailers = r->version_minor > 0 && asks_for_trailers(r, q->kinds);
	q->traced = proxy_is_traced(q);
	if (!proxy_path_is_clear(ex))
		return 400;
	q->as_sent = proxy_path_as_sent(ex, place->conf);
	if (!upgrade_judge(q))
		return 500;
	return proxy_rules_add(place->rules, q);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_field(struct proxy_out *o, const struct http_header *h)
{
	proxy_put(o, h->name, h->name_len);
	PROXY_PUT(o, ": ");
	proxy_put(o, h->value, h->value_len);
	PROXY_PUT(o, "\r\n");
}

static void put_decimal(struct proxy_out *o, uint64_t value)
{
	char digits[20];
	size_t n = sizeof(digits);
	do
		digits[--n] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	proxy_put(o, digits + n, sizeof(digits) - n);
}

static void put_line(struct proxy_out *o, const struct proxy_request *q)
{
	const struct http_request *r = &q->ex->request;
	proxy_put(o, http_slice_at(r, r->method_text), r->method_text.len);
	PROXY_PUT(o, " ");
	proxy_put_target(o, q);
	PROXY_PUT(o, " HTTP/1.1\r\n");
}

/* HTTP/1.0 may have no Host; then the upstream's is the only name that is known. */
static void put_host(struct proxy_out *o, const struct proxy_request *q,
		     const struct proxy_target *target)
{
	const struct http_request *r = &q->ex->request;
	const struct conf_proxy *conf = q->place->conf;
	PROXY_PUT(o, "Host: ");
	if (conf->host == CONF_PROXY_HOST_NAME)
		proxy_put(o, conf->host_name, strlen(conf->host_name));
	else if (conf->host == CONF_PROXY_HOST_KEEP && r->host.len > 0)
		proxy_put(o, http_slice_at(r, r->host), r->host.len);
	else
		proxy_put(o, target->authority, target->authority_len);
	PROXY_PUT(o, "\r\n");
}

/* Does this field go on as it came? */
static bool field_passes(const struct proxy_request *q, unsigned i, const struct http_header *h)
{
	const uint8_t kind = q->kinds[i];
	switch (kind) {
	case PROXY_DROPPED:
	case UPSTREAM_EXPECT:
	case UPSTREAM_FORWARDED:
	case UPSTREAM_HOST:
	case UPSTREAM_X_FORWARDED_FOR:
	case UPSTREAM_X_FORWARDED_HOST:
	case UPSTREAM_X_FORWARDED_PORT:
	case UPSTREAM_X_FORWARDED_PREFIX:
	case UPSTREAM_X_FORWARDED_PROTO:
	case UPSTREAM_X_FORWARDED_OTHER:
	case UPSTREAM_X_REQUEST_ID:
		return false;
	case UPSTREAM_MAX_FORWARDS:
		if (q->has_max_forwards)
			return false;
		break;
	case UPSTREAM_TRACEPARENT:
	case UPSTREAM_TRACESTATE: /* means nothing without the other */
		if (!q->traced)
			return false;
		break;
	case UPSTREAM_TRAILER:
		if (q->ex->request.framing != HTTP_BODY_CHUNKED)
			return false;
		break;
	default:
		if (upstream_field_is_hop((enum upstream_field)kind))
			return false;
	}
	return !upstream_is_named(&q->named, i) &&
	       !proxy_rules_replace(q->place->rules, h->name, h->name_len);
}

static void put_fields(struct proxy_out *o, const struct proxy_request *q)
{
	const struct http_request *r = &q->ex->request;
	struct http_header h;
	for (unsigned i = 0; i < r->fields_count;) {
		const unsigned index = i;
		if (http_request_next(r, &i, &h) && field_passes(q, index, &h))
			put_field(o, &h);
	}
}

/* The framing that the request had, and never two (RFC 9112, 6). */
static void put_framing(struct proxy_out *o, const struct http_request *r)
{
	switch (r->framing) {
	case HTTP_BODY_NONE:
		break;
	case HTTP_BODY_LENGTH:
		PROXY_PUT(o, "Content-Length: ");
		put_decimal(o, r->content_length);
		PROXY_PUT(o, "\r\n");
		break;
	case HTTP_BODY_CHUNKED:
		PROXY_PUT(o, "Transfer-Encoding: chunked\r\n");
		break;
	}
	if (r->expect_continue && has_body(r))
		PROXY_PUT(o, "Expect: 100-continue\r\n");
}

static void put_connection(struct proxy_out *o, const struct proxy_request *q, bool close)
{
	const bool upgrade = q->upgrade != NULL;
	if (q->te_trailers)
		PROXY_PUT(o, "TE: trailers\r\n");
	if (upgrade) {
		PROXY_PUT(o, "Upgrade: ");
		proxy_put(o, q->upgrade, q->upgrade_len);
		PROXY_PUT(o, "\r\n");
	}
	if (!upgrade && !q->te_trailers && !close)
		return;
	PROXY_PUT(o, "Connection: ");
	if (upgrade)
		PROXY_PUT(o, "upgrade");
	if (q->te_trailers && upgrade)
		PROXY_PUT(o, ", ");
	if (q->te_trailers)
		PROXY_PUT(o, "TE");
	if (close && !upgrade) {
		if (q->te_trailers)
			PROXY_PUT(o, ", ");
		PROXY_PUT(o, "close");
	}
	PROXY_PUT(o, "\r\n");
}

size_t proxy_request_write(const struct proxy_request *q, const struct proxy_target *target,
			   bool close, char *out, size_t size)
{
	struct proxy_out o = {out, out + size, false};
	put_line(&o, q);
	put_host(&o, q, target);
	put_fields(&o, q);
	if (q->has_max_forwards && !proxy_rules_replace(q->place->rules, "max-forwards", 12)) {
		PROXY_PUT(&o, "Max-Forwards: ");
		put_decimal(&o, q->max_forwards);
		PROXY_PUT(&o, "\r\n");
	}
	proxy_put_forwarded(&o, q);
	for (uint32_t i = 0; i < q->added_count; i++)
		put_field(&o, &q->added[i]);
	put_framing(&o, &q->ex->request);
	put_connection(&o, q, close);
	PROXY_PUT(&o, "\r\n");
	return o.full ? SIZE_MAX : (size_t)(o.at - out);
}

/* Each byte of the target may become an escape. Each field has one blank that it may not have had.
 */
size_t proxy_request_room(const struct proxy_request *q, size_t authority_len)
{
	const struct http_request *r = &q->ex->request;
	const struct conf_proxy *conf = q->place->conf;
	size_t room = 256 + r->head_len + r->fields_count + q->added_bytes + q->upgrade_len;
	room += 2 * ((size_t)r->path.len + r->query.len) + proxy_forwarded_room(q);
	room += conf->host_name != NULL ? strlen(conf->host_name) : 0;
	room += conf->path_to != NULL ? 3 * strlen(conf->path_to) : 0;
	return room + authority_len;
}
