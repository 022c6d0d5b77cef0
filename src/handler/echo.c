/*
 * Runs in the workers: echoes a request body while it arrives, or describes a request without one.
 * Must never hold more of a body than its one small buffer.
 */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "handler/handlers.h"
#include "net/transport.h"

/* bytes of the body on their way back; when it is full, the client waits */
#define ECHO_BUFFER HANDLER_BUFFER

struct echo_state {
	struct buf buf;
	bool ended; /* the request body is complete */
};

_Static_assert(sizeof(struct echo_state) <= HANDLER_STATE_MAX, "the state has its place");

static const struct http_header body_fields[] = {
    HTTP_HEADER("Content-Type", "application/octet-stream"),
    HTTP_HEADER("X-Content-Type-Options", "nosniff"),
};
static const struct http_header json_fields[] = {
    HTTP_HEADER("Content-Type", "application/json"),
    HTTP_HEADER("X-Content-Type-Options", "nosniff"),
};

static void json_add_slice(struct jsonout *j, const struct http_request *r, struct http_slice s)
{
	jsonout_add_string(j, http_slice_at(r, s), s.len);
}

static void json_add_request(struct jsonout *j, const struct exchange *ex)
{
	const struct http_request *r = &ex->request;
	jsonout_add(j, "{\"method\":");
	json_add_slice(j, r, r->method_text);
	jsonout_add(j, ",\"target\":");
	json_add_slice(j, r, r->target);
	jsonout_add(j, ",\"path\":");
	jsonout_add_string(j, ex->path.text, ex->path.len);
	jsonout_add(j, ",\"query\":");
	if (r->query_present)
		json_add_slice(j, r, r->query);
	else
		jsonout_add(j, "null");
	jsonout_add(j, ",\"version\":\"HTTP/1.");
	jsonout_add_uint(j, r->version_minor);
	jsonout_add(j, "\",\"headers\":[");
	struct http_header f;
	for (unsigned at = 0; http_request_next(r, &at, &f);) {
		jsonout_add(j, at > 1 ? ",[" : "[");
		jsonout_add_string(j, f.name, f.name_len);
		jsonout_add(j, ",");
		jsonout_add_string(j, f.value, f.value_len);
		jsonout_add(j, "]");
	}
	jsonout_add(j, "]");
}

static void json_add_certificate(struct jsonout *j, const struct transport_certificate *c)
{
	if (c == NULL) {
		jsonout_add(j, "null");
		return;
	}
	jsonout_add(j, "{\"subject\":");
	jsonout_add_text(j, c->subject);
	jsonout_add(j, ",\"issuer\":");
	jsonout_add_text(j, c->issuer);
	jsonout_add(j, ",\"serial\":");
	jsonout_add_text(j, c->serial);
	jsonout_add(j, ",\"fingerprint\":");
	jsonout_add_text(j, c->fingerprint);
	jsonout_add(j, ",\"san\":");
	jsonout_add_text(j, c->names);
	jsonout_add(j, "}");
}

static void json_add_tls(struct jsonout *j, const struct transport_facts *tls)
{
	if (tls == NULL) {
		jsonout_add(j, "null");
		return;
	}
	jsonout_add(j, "{\"version\":");
	jsonout_add_text(j, tls->version);
	jsonout_add(j, ",\"cipher\":");
	jsonout_add_text(j, tls->cipher);
	jsonout_add(j, ",\"group\":");
	jsonout_add_text(j, tls->group);
	jsonout_add(j, ",\"server_name\":");
	jsonout_add_text(j, tls->server_name);
	jsonout_add(j, ",\"client_certificate\":");
	json_add_certificate(j, tls->client);
	jsonout_add(j, ",\"resumed\":");
	jsonout_add(j, tls->resumed ? "true}" : "false}");
}

static void json_add_connection(struct jsonout *j, const struct exchange *ex)
{
	const struct http_client *client = ex->client;
	jsonout_add(j, ",\"client\":{\"address\":");
	jsonout_add_text(j, client->address);
	jsonout_add(j, ",\"port\":");
	jsonout_add_uint(j, client->port);
	jsonout_add(j, "},\"tls\":");
	json_add_tls(j, client->tls);
	jsonout_add(j, ",\"request_id\":");
	jsonout_add_text(j, ex->id);
	jsonout_add(j, "}\n");
}

static void echo_begin(struct exchange *ex)
{
	struct echo_state *s = (void *)ex->state;
	const struct http_request *r = &ex->request;
	struct jsonout j = {.out = &s->buf};

	if (r->framing != HTTP_BODY_NONE)
		/* respond with the first bytes of the body: an early response would refuse it */
		return;
	s->buf.max = HANDLER_MEMORY_MAX(r->head_len); /* never reached */
	json_add_request(&j, ex);
	json_add_connection(&j, ex);
	if (j.failed)
		exchange_respond(ex, 500, 0, NULL, 0);
	else
		exchange_respond(ex, 200, buf_len(&s->buf), json_fields, 2);
}

static void body_respond(struct exchange *ex)
{
	const struct http_request *r = &ex->request;
	uint64_t length = r->framing == HTTP_BODY_LENGTH ? r->content_length : HTTP_LENGTH_UNKNOWN;
	exchange_respond(ex, 200, length, body_fields, 2);
}

static size_t echo_take(struct exchange *ex, const uint8_t *data, size_t len)
{
	struct echo_state *s = (void *)ex->state;
	if (!ex->responding) {
		s->buf.max = ECHO_BUFFER;
		if (buf_reserve(&s->buf, ECHO_BUFFER) == NULL)
			exchange_respond(ex, 500, 0, NULL, 0);
		else
			body_respond(ex);
	}
	if (ex->status != 200)
		return len;
	size_t n = s->buf.max - buf_len(&s->buf);
	if (n > len)
		n = len;
	return buf_append(&s->buf, data, n) == 0 ? n : 0;
}

static void echo_take_end(struct exchange *ex)
{
	struct echo_state *s = (void *)ex->state;
	s->ended = true;
	if (!ex->responding) /* the body had no bytes */
		body_respond(ex);
}

static long echo_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct echo_state *s = (void *)ex->state;
	size_t n = buf_len(&s->buf);
	if (n == 0)
		return s->ended ? GIVE_END : GIVE_LATER;
	n = give_copy(out, size, buf_head(&s->buf), n);
	buf_consume(&s->buf, n);
	return (long)n;
}

static void echo_end(struct exchange *ex)
{
	struct echo_state *s = (void *)ex->state;
	buf_release(&s->buf);
}

const struct handler handler_echo = {
    .methods = HTTP_METHOD_BIT(HTTP_GET) | HTTP_METHOD_BIT(HTTP_HEAD) | HTTP_METHOD_BIT(HTTP_POST) |
	       HTTP_METHOD_BIT(HTTP_PUT) | HTTP_METHOD_BIT(HTTP_PATCH) |
	       HTTP_METHOD_BIT(HTTP_DELETE) | HTTP_METHOD_BIT(HTTP_OPTIONS),
    .begin = echo_begin,
    .take = echo_take,
    .take_end = echo_take_end,
    .give = echo_give,
    .end = echo_end,
};

const struct handler_kind handler_kind_echo = {.handler = &handler_echo};
