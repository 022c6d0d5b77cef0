/*
 * Runs in the workers, on bytes of any client: what a request says to an upstream about where it
 * came from (RFC 7239; RFC 9110, 7.6.3; W3C Trace Context). Must never pass on what a client claims
 * as if a proxy had said it, nor let what a trusted proxy passed on swallow what is added here.
 */
#include <string.h>

#include "base/chars.h"
#include "http/message.h"
#include "net/transport.h"
#include "proxy.h"

static struct http_header field_at(const struct proxy_request *q, unsigned i)
{
	const struct http_request *r = &q->ex->request;
	const struct http_field *f = &r->fields[i];
	return (struct http_header){http_slice_at(r, f->name), http_slice_at(r, f->value),
				    f->name.len, f->value.len};
}

/* The only field of that kind, with a value. */
static bool field_only(const struct proxy_request *q, enum upstream_field kind,
		       struct http_header *ret)
{
	unsigned found = 0;
	for (unsigned i = 0; i < q->ex->request.fields_count; i++)
		if (q->kinds[i] == kind) {
			*ret = field_at(q, i);
			found++;
		}
	return found == 1 && ret->value_len > 0;
}

/* Digits; and letters and these, unless more is NULL. */
static bool chars_are(const struct http_header *h, const char *more)
{
	for (uint32_t i = 0; i < h->value_len; i++) {
		const char c = h->value[i];
		if (!char_is_digit(c) &&
		    (more == NULL || (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
				      (c == '\0' || strchr(more, c) == NULL))))
			return false;
	}
	return true;
}

static bool is_replaced(const struct proxy_request *q, const char *name)
{
	return proxy_rules_replace(q->place->rules, name, strlen(name));
}

/* --- Forwarded: RFC 7239, 4 ------------------------------------------------------------------- */

static const char *skip_blanks(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	return s;
}

/* After a quoted string that begins here; NULL: it does not end. */
static const char *skip_quoted(const char *s, const char *end)
{
	for (s++; s < end && *s != '"'; s++)
		if (*s == '\\')
			s++;
	return s < end ? s + 1 : NULL;
}

/* token "=" ( token / quoted-string ). NULL: it is none. */
static const char *skip_pair(const char *s, const char *end)
{
	const size_t name = chars_token_len(s, (size_t)(end - s));
	s += name;
	if (name == 0 || s == end || *s++ != '=')
		return NULL;
	if (s < end && *s == '"')
		return skip_quoted(s, end);
	const size_t value = chars_token_len(s, (size_t)(end - s));
	return value > 0 ? s + value : NULL;
}

/* Is it well-formed, so that another element may follow it? */
static bool forwarded_is_valid(const struct http_header *h)
{
	const char *s = h->value, *const end = s + h->value_len;
	for (;;) {
		s = skip_blanks(s, end);
		if (s < end && *s != ',' && *s != ';' && (s = skip_pair(s, end)) == NULL)
			return false;
		s = skip_blanks(s, end);
		if (s == end)
			return true;
		if (*s != ',' && *s != ';')
			return false;
		s++;
	}
}

/* A token as it is, else as a quoted string. */
static void put_forwarded_value(struct proxy_out *o, const char *value, size_t len)
{
	if (len > 0 && chars_token_len(value, len) == len) {
		proxy_put(o, value, len);
		return;
	}
	PROXY_PUT(o, "\"");
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '"' || value[i] == '\\')
			PROXY_PUT(o, "\\");
		proxy_put(o, value + i, 1);
	}
	PROXY_PUT(o, "\"");
}

static const char *scheme_of(const struct exchange *ex)
{
	return ex->client->tls != NULL ? "https" : "http";
}

static void put_element(struct proxy_out *o, const struct exchange *ex)
{
	const char *client = ex->client->address, *scheme = scheme_of(ex);
	const struct http_request *r = &ex->request;
	PROXY_PUT(o, "for=");
	if (client[0] == '\0') {
		PROXY_PUT(o, "unknown");
	} else if (strchr(client, ':') != NULL) { /* RFC 7239, 6 */
		PROXY_PUT(o, "\"[");
		proxy_put(o, client, strlen(client));
		PROXY_PUT(o, "]\"");
	} else {
		proxy_put(o, client, strlen(client));
	}
	if (r->host.len > 0) {
		PROXY_PUT(o, ";host=");
		put_forwarded_value(o, http_slice_at(r, r->host), r->host.len);
	}
	PROXY_PUT(o, ";proto=");
	proxy_put(o, scheme, strlen(scheme));
}

/* --- lists that are appended to --------------------------------------------------------------- */

static bool is_between_elements(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

/* Without empty elements at its ends, which would stand before or behind others (RFC
 * 9110, 5.6.1.1). */
static void list_trim(struct http_header *h)
{
	while (h->value_len > 0 && is_between_elements(h->value[0])) {
		h->value++;
		h->value_len--;
	}
	while (h->value_len > 0 && is_between_elements(h->value[h->value_len - 1]))
		h->value_len--;
}

/* What a trusted proxy sent in fields of this kind, one list. Returns whether there is anything. */
static bool put_received(struct proxy_out *o, const struct proxy_request *q,
			 enum upstream_field kind)
{
	bool any = false;
	for (unsigned i = 0; q->trusted && i < q->ex->request.fields_count; i++) {
		struct http_header h = field_at(q, i);
		if (q->kinds[i] != kind)
			continue;
		list_trim(&h);
		if (h.value_len == 0)
			continue;
		if (any)
			PROXY_PUT(o, ", ");
		proxy_put(o, h.value, h.value_len);
		any = true;
	}
	return any;
}

static bool has_received(const struct proxy_request *q, enum upstream_field kind)
{
	struct proxy_out none = {NULL, NULL, false};
	return put_received(&none, q, kind);
}

static bool received_is_valid(const struct proxy_request *q)
{
	for (unsigned i = 0; i < q->ex->request.fields_count; i++) {
		const struct http_header h = field_at(q, i);
		if (q->kinds[i] == UPSTREAM_FORWARDED && !forwarded_is_valid(&h))
			return false;
	}
	return true;
}

static void put_forwarded(struct proxy_out *o, const struct proxy_request *q)
{
	const bool makes = (q->place->conf->forwarded & CONF_FORWARDED) != 0;
	const bool received = received_is_valid(q) && has_received(q, UPSTREAM_FORWARDED);
	if (is_replaced(q, "forwarded") || (!makes && !received))
		return;
	PROXY_PUT(o, "Forwarded: ");
	if (received)
		(void)put_received(o, q, UPSTREAM_FORWARDED);
	if (received && makes)
		PROXY_PUT(o, ", ");
	if (makes)
		put_element(o, q->ex);
	PROXY_PUT(o, "\r\n");
}

/* --- X-Forwarded-* ---------------------------------------------------------------------------- */

static void put_for(struct proxy_out *o, const struct proxy_request *q, bool makes)
{
	const char *client = q->ex->client->address;
	const bool received = has_received(q, UPSTREAM_X_FORWARDED_FOR);
	if (is_replaced(q, "x-forwarded-for") || (!makes && !received))
		return;
	PROXY_PUT(o, "X-Forwarded-For: ");
	(void)put_received(o, q, UPSTREAM_X_FORWARDED_FOR);
	if (received && makes)
		PROXY_PUT(o, ", ");
	if (makes && client[0] == '\0')
		PROXY_PUT(o, "unknown");
	else if (makes)
		proxy_put(o, client, strlen(client));
	PROXY_PUT(o, "\r\n");
}

static void put_named(struct proxy_out *o, const char *name, const char *value, size_t len)
{
	proxy_put(o, name, strlen(name));
	PROXY_PUT(o, ": ");
	proxy_put(o, value, len);
	PROXY_PUT(o, "\r\n");
}

/* What the first proxy has said, if it is one; else what is known here. */
static void put_first(struct proxy_out *o, const struct proxy_request *q, enum upstream_field kind,
		      const char *name, const char *more, const char *own, size_t own_len)
{
	struct http_header h;
	if (is_replaced(q, name))
		return;
	if (q->trusted && field_only(q, kind, &h) && chars_are(&h, more))
		put_named(o, name, h.value, h.value_len);
	else if (own_len > 0)
		put_named(o, name, own, own_len);
}

/* What the upstream's paths begin with for the client: `path strip`. */
static size_t prefix_of(const struct proxy_request *q, const char **ret)
{
	const struct conf_proxy *conf = q->place->conf;
	if (conf->path_from == NULL || strcmp(conf->path_to, "/") != 0)
		return 0;
	*ret = conf->path_from;
	const size_t len = strlen(conf->path_from);
	return len > 0 && conf->path_from[len - 1] == '/' ? len - 1 : len;
}

static void put_prefix(struct proxy_out *o, const struct proxy_request *q, bool makes)
{
	struct http_header h = {.value_len = 0};
	const char *own = "";
	const size_t own_len = makes ? prefix_of(q, &own) : 0;
	if (!q->trusted || !field_only(q, UPSTREAM_X_FORWARDED_PREFIX, &h) || h.value[0] != '/')
		h.value_len = 0;
	while (own_len > 0 && h.value_len > 0 && h.value[h.value_len - 1] == '/')
		h.value_len--;
	if (is_replaced(q, "x-forwarded-prefix") || h.value_len + own_len == 0)
		return;
	PROXY_PUT(o, "X-Forwarded-Prefix: ");
	proxy_put(o, h.value, h.value_len);
	proxy_put_decoded(o, own, own_len);
	PROXY_PUT(o, "\r\n");
}

/* Others of a trusted proxy, as they came. */
static void put_others(struct proxy_out *o, const struct proxy_request *q)
{
	for (unsigned i = 0; q->trusted && i < q->ex->request.fields_count; i++) {
		const struct http_header h = field_at(q, i);
		if (q->kinds[i] != UPSTREAM_X_FORWARDED_OTHER ||
		    proxy_rules_replace(q->place->rules, h.name, h.name_len))
			continue;
		proxy_put(o, h.name, h.name_len);
		PROXY_PUT(o, ": ");
		proxy_put(o, h.value, h.value_len);
		PROXY_PUT(o, "\r\n");
	}
}

static size_t decimal(uint64_t value, char out[20])
{
	char digits[20];
	size_t n = 0;
	do
		digits[n++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

static void put_x_forwarded(struct proxy_out *o, const struct proxy_request *q)
{
	const struct exchange *ex = q->ex;
	const struct http_request *r = &ex->request;
	const bool makes = (q->place->conf->forwarded & CONF_X_FORWARDED) != 0;
	const char *scheme = scheme_of(ex);
	char port[20];
	put_for(o, q, makes);
	put_first(o, q, UPSTREAM_X_FORWARDED_PROTO, "X-Forwarded-Proto", "+-.", scheme,
		  makes ? strlen(scheme) : 0);
	put_first(o, q, UPSTREAM_X_FORWARDED_HOST, "X-Forwarded-Host", "-._~!$&'()*+,;=:[]% ",
		  r->host.len > 0 ? http_slice_at(r, r->host) : "", makes ? r->host.len : 0);
	put_first(o, q, UPSTREAM_X_FORWARDED_PORT, "X-Forwarded-Port", NULL, port,
		  makes ? decimal(q->place->port, port) : 0);
	put_prefix(o, q, makes);
	put_others(o, q);
}

/* --- the request's id, and its trace ---------------------------------------------------------- */

const char *proxy_request_id(const struct proxy_request *q, size_t *ret_len)
{
	struct http_header h;
	if (q->trusted && field_only(q, UPSTREAM_X_REQUEST_ID, &h) && h.value_len <= PROXY_ID_MAX &&
	    chars_are(&h, "-._~:/+=@")) {
		*ret_len = h.value_len;
		return h.value;
	}
	*ret_len = strlen(q->ex->id);
	return q->ex->id;
}

/* Small hexadecimal digits, not all of them 0. */
static bool is_hex(const char *s, size_t len, bool zeros)
{
	bool other = zeros;
	for (size_t i = 0; i < len; i++) {
		if (!char_is_digit(s[i]) && !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
		other = other || s[i] != '0';
	}
	return other;
}

#define TRACE_LEN 55

bool proxy_is_traced(const struct proxy_request *q)
{
	struct http_header h;
	if (!field_only(q, UPSTREAM_TRACEPARENT, &h) || h.value_len < TRACE_LEN)
		return false;
	const char *s = h.value;
	if (s[2] != '-' || s[35] != '-' || s[52] != '-' || !is_hex(s, 2, true) ||
	    !is_hex(s + 3, 32, false) || !is_hex(s + 36, 16, false) || !is_hex(s + 53, 2, true))
		return false;
	if (memcmp(s, "ff", 2) == 0)
		return false;
	return h.value_len == TRACE_LEN || (memcmp(s, "00", 2) != 0 && s[TRACE_LEN] == '-');
}

static void put_hex(struct proxy_out *o, uint64_t value)
{
	char text[16];
	for (unsigned i = 0; i < 16; i++)
		text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	proxy_put(o, text, sizeof(text));
}

/* Of version 00, sampled: a user who asks for one wants to see it. */
static void put_trace(struct proxy_out *o, const struct proxy_request *q)
{
	if (q->traced || !q->place->conf->make_traceparent || is_replaced(q, "traceparent"))
		return;
	PROXY_PUT(o, "traceparent: 00-");
	put_hex(o, q->random[0] | 1);
	put_hex(o, q->random[1]);
	PROXY_PUT(o, "-");
	put_hex(o, q->random[2] | 1);
	PROXY_PUT(o, "-01\r\n");
}

/* --- Via -------------------------------------------------------------------------------------- */

/* received-protocol RWS received-by [ RWS comment ] */
static bool via_is_own(const char *s, size_t len)
{
	size_t at = 0, from;
	while (at < len && s[at] != ' ' && s[at] != '\t')
		at++;
	while (at < len && (s[at] == ' ' || s[at] == '\t'))
		at++;
	for (from = at; at < len && s[at] != ' ' && s[at] != '\t';)
		at++;
	return http_name_is(s + from, at - from, PROXY_NAME);
}

unsigned proxy_via_count(const struct proxy_request *q)
{
	unsigned count = 0;
	for (unsigned i = 0; i < q->ex->request.fields_count; i++) {
		if (q->kinds[i] != UPSTREAM_VIA)
			continue;
		const struct http_header h = field_at(q, i);
		const char *at = h.value, *element;
		size_t n;
		while (http_list_next(&at, h.value + h.value_len, &element, &n))
			count += via_is_own(element, n);
	}
	return count;
}

static void put_via(struct proxy_out *o, const struct proxy_request *q)
{
	if (!q->place->conf->via || is_replaced(q, "via"))
		return;
	if (q->ex->request.version_minor > 0)
		PROXY_PUT(o, "Via: 1.1 " PROXY_NAME "\r\n");
	else
		PROXY_PUT(o, "Via: 1.0 " PROXY_NAME "\r\n");
}

/* --- all of them ------------------------------------------------------------------------------ */

void proxy_put_forwarded(struct proxy_out *o, const struct proxy_request *q)
{
	size_t len;
	const char *id = proxy_request_id(q, &len);
	put_forwarded(o, q);
	put_x_forwarded(o, q);
	if (len > 0 && !is_replaced(q, "x-request-id"))
		put_named(o, "X-Request-Id", id, len);
	put_trace(o, q);
	put_via(o, q);
}

/* All names and what is constant, the client's address twice, and the host, which may be quoted, as
 * often; and the prefix. What a trusted proxy sent is counted with the head. */
size_t proxy_forwarded_room(const struct proxy_request *q)
{
	const char *prefix;
	return 512 + (size_t)2 * ADDRESS_TEXT_MAX + (size_t)3 * q->ex->request.host.len +
	       3 * prefix_of(q, &prefix);
}
