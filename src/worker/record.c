/* Runs in a loop, for each request that is logged: must not allocate, and must escape each byte
 * that came from the client. */
#include "worker/record.h"

#include <string.h>

#include "base/text.h"
#include "net/transport.h"

static void record_put(struct access_record *r, enum ipc_field name, const char *data, size_t len)
{
	r->values[name] = (struct log_value){name, data, len};
}

/* Moves the values that there are to the front. */
static void values_end(struct access_record *r)
{
	for (size_t i = 0; i < IPC_FIELDS; i++)
		if (r->values[i].len > 0)
			r->values[r->values_count++] = r->values[i];
}

static void record_add_number(struct text *t, struct access_record *r, enum ipc_field name,
			      uint64_t n)
{
	const size_t at = t->len;
	text_add_uint(t, n);
	record_put(r, name, t->data + at, t->len - at);
}

static void record_add_word(struct text *t, struct access_record *r, enum ipc_field name,
			    const char *word)
{
	const size_t at = t->len;
	text_add_str(t, word);
	record_put(r, name, t->data + at, t->len - at);
}

/* Appends bytes of the client, escaped and within max; returns their length now. cut: the slice is
 * only the beginning of them. */
static size_t foreign_add(struct text *t, const struct http_request *r, struct http_slice s,
			  size_t max, bool cut)
{
	struct text part;
	const size_t room = t->size - t->len, at = t->len;
	text_init(&part, t->data + t->len, max + 1 < room ? max + 1 : room);
	if (s.len > 0)
		text_add_escaped(&part, http_slice_at(r, s), s.len);
	t->len += part.len;
	if (part.truncated || cut)
		text_add_str(t, "...");
	return t->len - at;
}

static void method_add(struct text *t, struct access_record *record, const struct http_request *r)
{
	const size_t at = t->len, len = foreign_add(t, r, r->method_text, RECORD_METHOD_MAX, false);
	record_put(record, IPC_FIELD_METHOD, t->data + at, len);
}

/* The path of a target in which the protocol found none: in any form of RFC 9112, 3.2, or in no
 * form. Escaping leaves the characters that are sought. NULL: only an authority. */
static const char *path_seek(const char *target, const char *end)
{
	static const char authority[] = "://";
	const size_t len = (size_t)(end - target);
	if (len == 0 || target[0] == '/')
		return target;
	const char *at = memmem(target, len, authority, strlen(authority));
	if (at == NULL)
		return target;
	at += strlen(authority);
	return memchr(at, '/', (size_t)(end - at));
}

/* Where the path begins in the escaped target. No byte in front of it was escaped: there are at
 * most a scheme and a host. */
static const char *path_begin(const struct http_request *r, const char *target, const char *end)
{
	const uint32_t at = r->path.off - r->target.off;
	if (r->path.len == 0)
		return path_seek(target, end);
	return at < (size_t)(end - target) && at < RECORD_TARGET_MAX ? target + at : NULL;
}

/* Appends the target; the path in it, without the query, is a value. */
static void target_add(struct text *t, struct access_record *record, const struct http_request *r)
{
	const char *target = t->data + t->len;
	const size_t len = foreign_add(t, r, r->target, RECORD_TARGET_MAX, false);
	const char *question = memchr(target, '?', len);
	const char *end = question != NULL ? question : target + len;
	const char *path = path_begin(r, target, end);
	if (path != NULL)
		record_put(record, IPC_FIELD_PATH, path, (size_t)(end - path));
	else
		record_put(record, IPC_FIELD_PATH, "/", 1);
}

/* The request line; "-": it could not be read. */
static void request_add(struct text *t, struct access_record *record, const struct exchange *ex)
{
	const struct http_request *r = &ex->request;
	const bool is_read = r->method_text.len > 0;
	text_add_str(t, "Received ");
	if (is_read)
		(void)foreign_add(t, r, r->method_text, RECORD_METHOD_MAX, false);
	else
		text_add_str(t, http_refusal_kind(ex->refusal));
	text_add_str(t, " request from ('");
	record_add_word(t, record, IPC_FIELD_CLIENT, ex->client->address);
	text_add_str(t, "', ");
	text_add_uint(t, ex->client->port);
	text_add_str(t, ") \"");
	if (is_read) {
		method_add(t, record, r);
		text_add_char(t, ' ');
		target_add(t, record, r);
		text_add_char(t, ' ');
		text_add_escaped(t, http_slice_at(r, r->version), r->version.len);
	} else {
		text_add_char(t, '-');
	}
	text_add_char(t, '"');
}

static void ms_add(struct text *t, uint64_t us)
{
	const uint64_t tenths = us / 100 + (us % 100 >= 50);
	text_add_uint(t, tenths / 10);
	text_add_char(t, '.');
	text_add_uint(t, tenths % 10);
	text_add_str(t, "ms");
}

static void duration_add(struct text *t, struct access_record *record, uint64_t us)
{
	struct text whole;
	ms_add(t, us);
	text_init(&whole, record->duration, sizeof(record->duration));
	record_add_number(&whole, record, IPC_FIELD_DURATION, us);
}

static void reason_add(struct text *t, struct access_record *record, const struct exchange *ex)
{
	const struct http_request *r = &ex->request;
	if (ex->refusal == REFUSE_NOT && ex->upstream != NULL && ex->upstream->reason != NULL) {
		text_add_char(t, ' ');
		record_add_word(t, record, IPC_FIELD_REASON, ex->upstream->reason);
	}
	if (ex->refusal == REFUSE_NOT)
		return;
	text_add_char(t, ' ');
	record_add_word(t, record, IPC_FIELD_REASON, http_refusal_facts(ex->refusal)->word);
	if (r->excerpt.len == 0)
		return;
	text_add_str(t, " \"");
	(void)foreign_add(t, r, r->excerpt, RECORD_EXCERPT_MAX, r->excerpt_cut);
	text_add_char(t, '"');
}

static void user_add(struct text *t, struct access_record *record, const struct exchange *ex)
{
	struct text part;
	const size_t room = t->size - t->len;
	if (ex->user == NULL)
		return;
	text_add_str(t, " user \"");
	text_init(&part, t->data + t->len, RECORD_USER_MAX + 1 < room ? RECORD_USER_MAX + 1 : room);
	text_add_escaped(&part, ex->user, ex->user_len);
	record_put(record, IPC_FIELD_USER, part.data, part.len);
	t->len += part.len;
	text_add_str(t, part.truncated ? "...\"" : "\"");
}

static void upstream_add_time(struct text *t, struct text *values, struct access_record *record,
			      enum ipc_field name, const char *word, uint64_t ns)
{
	if (ns == 0)
		return;
	text_add_str(t, word);
	ms_add(t, ns / 1000);
	record_add_number(values, record, name, ns / 1000);
}

/* The URL is one of the configuration. */
static void upstream_add(struct text *t, struct access_record *record, const struct exchange *ex)
{
	const struct exchange_upstream *u = ex->upstream;
	struct text values;
	if (u == NULL || u->url == NULL)
		return;
	text_init(&values, record->upstream, sizeof(record->upstream));
	text_add_str(t, " upstream \"");
	record_add_word(t, record, IPC_FIELD_UPSTREAM, u->url);
	text_add_char(t, '"');
	upstream_add_time(t, &values, record, IPC_FIELD_UPSTREAM_CONNECT, " connect ",
			  u->connect_ns);
	upstream_add_time(t, &values, record, IPC_FIELD_UPSTREAM_HEAD, " head ", u->head_ns);
	upstream_add_time(t, &values, record, IPC_FIELD_UPSTREAM_TOTAL, " total ", u->total_ns);
	record_add_number(&values, record, IPC_FIELD_UPSTREAM_ATTEMPTS, u->attempts);
	record_put(record, IPC_FIELD_UPSTREAM_REQUEST_ID, u->id, u->id_len);
	if (u->attempts == 1)
		return;
	text_add_str(t, " attempts ");
	text_add_uint(t, u->attempts);
}

/* The parser has accepted it, so there is nothing to escape; and if there were, it would be cut. */
static void host_add(struct access_record *record, const struct http_request *r)
{
	char name[HTTP_HOST_NAME_MAX + 1];
	struct text t;
	text_init(&t, record->host, sizeof(record->host));
	text_add_escaped(&t, name, http_host_name(r, name));
	record_put(record, IPC_FIELD_HOST, t.data, t.len);
}

/* They are escaped already, and live as long as the connection. */
static void client_add(struct access_record *record, const struct exchange *ex)
{
	const struct transport_certificate *c =
	    ex->client->tls != NULL ? ex->client->tls->client : NULL;
	if (c == NULL)
		return;
	record_put(record, IPC_FIELD_CLIENT_SUBJECT, c->subject, strlen(c->subject));
	record_put(record, IPC_FIELD_CLIENT_SERIAL, c->serial, strlen(c->serial));
	record_put(record, IPC_FIELD_CLIENT_FINGERPRINT, c->fingerprint, strlen(c->fingerprint));
	record_put(record, IPC_FIELD_CLIENT_ISSUER, c->issuer, strlen(c->issuer));
	record_put(record, IPC_FIELD_CLIENT_SAN, c->names, strlen(c->names));
}

void access_record_make(struct access_record *record, const struct exchange *ex,
			uint64_t duration_us)
{
	struct text t;
	memset(record->values, 0, sizeof(record->values));
	record->values_count = 0;
	text_init(&t, record->line, sizeof(record->line));
	request_add(&t, record, ex);
	text_add_char(&t, ' ');
	record_add_number(&t, record, IPC_FIELD_STATUS, ex->status);
	text_add_char(&t, ' ');
	record_add_number(&t, record, IPC_FIELD_BYTES, ex->body_sent);
	text_add_char(&t, ' ');
	duration_add(&t, record, duration_us);
	reason_add(&t, record, ex);
	user_add(&t, record, ex);
	upstream_add(&t, record, ex);
	host_add(record, &ex->request);
	client_add(record, ex);
	record_put(record, IPC_FIELD_REQUEST_ID, ex->id, strnlen(ex->id, sizeof(ex->id)));
	values_end(record);
	record->len = t.len;
}
