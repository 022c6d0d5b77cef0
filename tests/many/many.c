/*
 * Many exchanges on one connection, in frames (README.md). Runs in the workers of a program that is
 * built for tests. As a protocol must not, it never waits, reads a clock or keeps input.
 */
#include "many.h"

#include <bsd/sys/queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/internal.h"

#define FRAME_HEADER 8
#define FRAME_MAX    65536
#define STREAMS_MAX  100
#define ROOM_FIRST   16384u
#define SHARE        2048 /* bytes of one stream's response; then the others have theirs */

enum frame { FRAME_HEAD = 1, FRAME_DATA, FRAME_END, FRAME_CANCEL, FRAME_ROOM };

struct stream {
	TAILQ_ENTRY(stream) link;
	uint32_t id;
	struct exchange *exchange; /* NULL: it has ended, and END or CANCEL is still to be sent */
	enum frame last;           /* then: which of them */
	struct buf in;             /* of the request body, not taken yet */
	uint32_t owed;      /* bytes that were taken, and of which the client does not know */
	uint32_t room;      /* of the response body, that the client has room for */
	uint32_t sendable;  /* of the request body, that the client may send */
	uint64_t left;      /* of a response of known length */
	bool request_ended; /* the client sent END */
	bool taken_end;     /* the handler knows it, or nothing more is read */
	bool head_sent;
};

struct many {
	struct proto proto; /* first */
	struct http_loop *loop;
	void *connection;
	const struct http_client *client;
	TAILQ_HEAD(, stream) streams; /* the next one to send comes first */
	unsigned count;
	uint32_t requests;
	uint32_t last_id;
	uint64_t head_until_ms; /* for the rest of a frame */
	bool partial;           /* a part of a frame has come */
	bool draining;
	bool input_over;
	bool aborted;
};

static struct many *many_of(struct proto *p)
{
	return (struct many *)p;
}

/* --- streams --------------------------------------------------------------------------------- */

static struct stream *stream_find(struct many *m, uint32_t id)
{
	struct stream *s;
	TAILQ_FOREACH(s, &m->streams, link)
		if (s->id == id)
			return s;
	return NULL;
}

static void stream_free(struct many *m, struct stream *s)
{
	if (s->exchange != NULL)
		exchange_release(s->exchange);
	TAILQ_REMOVE(&m->streams, s, link);
	buf_release(&s->in);
	free(s);
	m->count--;
}

/* The exchange is over; the client still has to hear how. */
static void stream_end(struct stream *s, enum frame last)
{
	exchange_release(s->exchange);
	s->exchange = NULL;
	s->last = last;
}

static void stream_refuse(struct stream *s, enum http_refusal why)
{
	s->exchange->refusal = why;
	s->taken_end = true;
	if (s->head_sent)
		stream_end(s, FRAME_CANCEL);
	else
		exchange_replace(s->exchange, http_refusal_facts(why)->status, 0);
}

/* Offers the handler what of the body has come. */
static void stream_feed(struct stream *s)
{
	struct exchange *ex = s->exchange;
	while (ex != NULL && !s->taken_end && !ex->take_blocked && buf_len(&s->in) > 0) {
		const size_t n = exchange_take(ex, buf_head(&s->in), buf_len(&s->in));
		buf_consume(&s->in, n);
		ex->body_received += n;
		s->owed += (uint32_t)n;
	}
	if (ex == NULL || s->taken_end || !s->request_ended || buf_len(&s->in) > 0)
		return;
	s->taken_end = true;
	exchange_take_end(ex);
}

static bool stream_waits_for_body(const struct stream *s)
{
	return s->exchange != NULL && !s->taken_end && !s->request_ended &&
	       !s->exchange->take_blocked && buf_len(&s->in) == 0;
}

/* --- input ----------------------------------------------------------------------------------- */

static uint32_t number(const uint8_t *bytes, unsigned count)
{
	uint32_t value = 0;
	while (count-- > 0)
		value = value << 8 | *bytes++;
	return value;
}

static void stream_begin(struct stream *s, const char *head, size_t len)
{
	struct exchange *ex = s->exchange;
	size_t scan = 0;
	long n = http_request_parse(head, len, ex->loop->limits->head_bytes, &scan, &ex->request);
	char *copy = arena_take(&ex->arena, len);
	ex->request.head = copy;
	ex->request.head_len = (uint32_t)len;
	if (copy == NULL) {
		ex->request = (struct http_request){.head = ""};
		n = -REFUSE_HEAD_TOO_LONG;
	} else {
		memcpy(copy, head, len);
	}
	ex->loop->owner->begun(ex->connection, ex);
	if (n >= 0 && (size_t)n != len)
		n = -REFUSE_REQUEST_LINE;
	if (n > 0)
		n = exchange_dispatch(ex);
	if (n < 0)
		stream_refuse(s, n == EXCHANGE_NO_MEMORY ? REFUSE_HEAD_TOO_LONG
							 : (enum http_refusal) - n);
}

static void head_read(struct many *m, uint32_t id, const uint8_t *data, size_t len)
{
	if (id <= m->last_id) {
		m->aborted = true;
		return;
	}
	m->last_id = id;
	struct stream *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		m->aborted = true;
		return;
	}
	*s = (struct stream){.id = id,
			     .in = BUF_INIT(ROOM_FIRST),
			     .room = ROOM_FIRST,
			     .sendable = ROOM_FIRST,
			     .last = FRAME_CANCEL};
	TAILQ_INSERT_TAIL(&m->streams, s, link);
	m->requests++;
	if (m->count++ < STREAMS_MAX && !(m->draining && m->requests > 1))
		s->exchange = exchange_acquire(m->loop, m->connection, m->client);
	if (s->exchange != NULL)
		stream_begin(s, (const char *)data, len);
}

static void data_read(struct many *m, struct stream *s, const uint8_t *data, size_t len)
{
	if (len > s->sendable || s->request_ended) {
		m->aborted = true;
		return;
	}
	s->sendable -= (uint32_t)len;
	if (s->exchange == NULL || s->taken_end) { /* nobody wants it any more */
		s->owed += (uint32_t)len;
		return;
	}
	if (buf_append(&s->in, data, len) < 0)
		m->aborted = true;
}

static void frame_read(struct many *m, uint32_t id, unsigned type, const uint8_t *data, size_t len)
{
	if (type == FRAME_HEAD) {
		head_read(m, id, data, len);
		return;
	}
	struct stream *s = stream_find(m, id);
	if (s == NULL) { /* it has ended, and the client does not know yet */
		m->aborted = id > m->last_id;
		return;
	}
	switch (type) {
	case FRAME_DATA:
		data_read(m, s, data, len);
		break;
	case FRAME_END:
		s->request_ended = true;
		break;
	case FRAME_CANCEL:
		stream_free(m, s);
		return;
	case FRAME_ROOM:
		s->room += len == 4 ? number(data, 4) : 0;
		break;
	default:
		m->aborted = true;
		return;
	}
	stream_feed(s);
}

static size_t many_input(struct proto *p, const uint8_t *data, size_t len)
{
	struct many *m = many_of(p);
	size_t used = 0;
	while (!m->aborted && len - used >= FRAME_HEADER) {
		const uint8_t *frame = data + used;
		const size_t size = number(frame + 5, 3);
		if (size > FRAME_MAX)
			m->aborted = true;
		if (m->aborted || len - used < FRAME_HEADER + size)
			break;
		frame_read(m, number(frame, 4), frame[4], frame + FRAME_HEADER, size);
		used += FRAME_HEADER + size;
		m->head_until_ms = 0;
	}
	m->partial = used < len;
	return m->aborted ? len : used;
}

/* --- output ---------------------------------------------------------------------------------- */

static size_t frame_write(uint8_t *out, uint32_t id, enum frame type, size_t len)
{
	const uint8_t header[FRAME_HEADER] = {
	    (uint8_t)(id >> 24), (uint8_t)(id >> 16),  (uint8_t)(id >> 8),  (uint8_t)id,
	    (uint8_t)type,       (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
	memcpy(out, header, sizeof(header));
	return sizeof(header) + len;
}

static bool stream_has_body(const struct stream *s)
{
	const struct exchange *ex = s->exchange;
	return ex->status != 204 && ex->status != 304 && ex->request.method != HTTP_HEAD;
}

/* 0: there is no room for it now. */
static size_t head_output(struct stream *s, uint8_t *out, size_t size)
{
	struct exchange *ex = s->exchange;
	struct http_fields_walk walk = {0};
	const struct http_header *f;
	const size_t max = size - FRAME_HEADER;
	char *to = (char *)out + FRAME_HEADER;
	if (!ex->head_sent)
		(void)exchange_finish_head(ex);
	size_t len = (size_t)snprintf(to, max, "%u\r\n", ex->status);
	while ((f = exchange_next_field(ex, &walk)) != NULL) {
		if (max - len <= http_line_len(f))
			return 0;
		len += (size_t)snprintf(to + len, max - len, "%.*s: %.*s\r\n", (int)f->name_len,
					f->name, (int)f->value_len, f->value);
	}
	s->head_sent = true;
	s->left = stream_has_body(s) ? ex->length : 0;
	return frame_write(out, s->id, FRAME_HEAD, len);
}

/* Lets the handler give its share of the body. */
static size_t body_output(struct stream *s, uint8_t *out, size_t size)
{
	size_t share = size - FRAME_HEADER < SHARE ? size - FRAME_HEADER : SHARE;
	if (share > s->room)
		share = s->room;
	if (share > s->left)
		share = (size_t)s->left;
	const long n =
	    share > 0 ? exchange_give(s->exchange, out + FRAME_HEADER, share) : GIVE_LATER;
	if (n > 0) {
		s->room -= (uint32_t)n;
		if (s->left != HTTP_LENGTH_UNKNOWN)
			s->left -= (uint64_t)n;
		return frame_write(out, s->id, FRAME_DATA, (size_t)n);
	}
	if (n == GIVE_END && s->left == HTTP_LENGTH_UNKNOWN)
		s->left = 0;
	else if (n != GIVE_LATER)
		stream_end(s, FRAME_CANCEL);
	return 0;
}

static size_t stream_output(struct many *m, struct stream *s, uint8_t *out, size_t size)
{
	size_t used = 0;
	stream_feed(s);
	if (s->owed > 0) {
		const uint32_t n = s->owed;
		const uint8_t bytes[] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
					 (uint8_t)n};
		memcpy(out + FRAME_HEADER, bytes, sizeof(bytes));
		used = frame_write(out, s->id, FRAME_ROOM, sizeof(bytes));
		s->sendable += n;
		s->owed = 0;
	}
	if (s->exchange != NULL && s->exchange->responding) {
		if (!s->head_sent)
			used += head_output(s, out + used, size - used);
		if (s->head_sent && s->left > 0 && size - used > FRAME_HEADER)
			used += body_output(s, out + used, size - used);
		if (s->exchange != NULL && s->head_sent && s->left == 0)
			stream_end(s, FRAME_END);
	}
	if (s->exchange == NULL && size - used >= FRAME_HEADER) {
		used += frame_write(out + used, s->id, s->last, 0);
		stream_free(m, s);
	}
	return used;
}

/* Each stream in turn gives its share, until there is no room or none has anything. */
static size_t many_output(struct proto *p, uint8_t *out, size_t size)
{
	struct many *m = many_of(p);
	size_t used = 0;
	unsigned quiet = 0;
	while (quiet < m->count && size - used >= PROTO_OUTPUT_MIN) {
		struct stream *s = TAILQ_FIRST(&m->streams);
		TAILQ_REMOVE(&m->streams, s, link);
		TAILQ_INSERT_TAIL(&m->streams, s, link);
		const size_t n = stream_output(m, s, out + used, size - used);
		quiet = n > 0 ? 0 : quiet + 1;
		used += n;
	}
	return used;
}

/* --- struct proto_ops ------------------------------------------------------------------------ */

static enum proto_phase many_phase(const struct proto *p)
{
	const struct many *m = (const struct many *)p;
	if (m->aborted)
		return PROTO_ABORTED;
	if (m->count > 0)
		return PROTO_BUSY;
	if (m->input_over || (m->draining && m->requests > 0))
		return PROTO_CLOSING;
	return m->partial ? PROTO_BUSY : PROTO_IDLE;
}

/* What a stream may send is bounded by its room, so the connection is always read. */
static bool many_wants_input(const struct proto *p)
{
	return many_phase(p) < PROTO_CLOSING && !((const struct many *)p)->input_over;
}

static bool many_ignores_input(const struct proto *p)
{
	return many_phase(p) >= PROTO_CLOSING;
}

static uint64_t many_deadline(struct proto *p, uint64_t now_ms)
{
	struct many *m = many_of(p);
	struct stream *s;
	uint64_t first = PROTO_NO_DEADLINE;
	if (m->partial && m->head_until_ms == 0)
		m->head_until_ms = now_ms + m->loop->limits->head_ms;
	if (m->head_until_ms != 0)
		first = m->head_until_ms;
	TAILQ_FOREACH(s, &m->streams, link) {
		if (s->exchange == NULL)
			continue;
		const uint64_t until = exchange_deadline(
		    s->exchange,
		    stream_waits_for_body(s) ? EXCHANGE_WAITS_BODY : EXCHANGE_WAITS_NOT, now_ms);
		if (until < first)
			first = until;
	}
	return first;
}

static const char *many_expired(struct proto *p, uint64_t now_ms)
{
	struct many *m = many_of(p);
	struct stream *s;
	if (m->head_until_ms != 0 && m->head_until_ms <= now_ms) {
		m->head_until_ms = 0;
		m->aborted = true;
		return "head-timeout";
	}
	TAILQ_FOREACH(s, &m->streams, link)
		if (stream_waits_for_body(s) && exchange_expired(s->exchange, now_ms)) {
			stream_refuse(s, REFUSE_BODY_TIMEOUT);
			return "body-timeout";
		}
	return NULL;
}

static void many_paused(struct proto *p, uint64_t ms)
{
	struct many *m = many_of(p);
	struct stream *s;
	if (m->head_until_ms != 0)
		m->head_until_ms += ms;
	TAILQ_FOREACH(s, &m->streams, link)
		if (s->exchange != NULL)
			exchange_paused(s->exchange, ms);
}

static void many_idle_expired(struct proto *p)
{
	many_of(p)->input_over = true;
}

/* Requests whose end can no longer come end here. */
static void many_input_ended(struct proto *p)
{
	struct many *m = many_of(p);
	struct stream *s, *next;
	m->input_over = true;
	m->partial = false;
	for (s = TAILQ_FIRST(&m->streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (!s->request_ended)
			stream_free(m, s);
	}
}

static uint32_t many_requests(const struct proto *p)
{
	return ((const struct many *)p)->requests;
}

static const struct exchange *many_current(const struct proto *p)
{
	const struct many *m = (const struct many *)p;
	const struct exchange *shown = m->loop->shown;
	return shown != NULL && shown->connection == m->connection ? shown : NULL;
}

static void many_drain(struct proto *p)
{
	many_of(p)->draining = true;
}

static bool many_lingers(const struct proto *p)
{
	return !((const struct many *)p)->input_over;
}

static void many_release(struct proto *p)
{
	struct many *m = many_of(p);
	while (!TAILQ_EMPTY(&m->streams))
		stream_free(m, TAILQ_FIRST(&m->streams));
}

static void many_init(struct proto *p, struct http_loop *loop, void *connection,
		      const struct http_client *client)
{
	struct many *m = many_of(p);
	*m = (struct many){
	    .proto.ops = &many_ops, .loop = loop, .connection = connection, .client = client};
	TAILQ_INIT(&m->streams);
}

static const char *const many_alpn[] = {"bulkhead-test", NULL};

const struct proto_ops many_ops = {
    .alpn = many_alpn,
    .size = sizeof(struct many),
    .exchanges_max = STREAMS_MAX,
    .init = many_init,
    .input = many_input,
    .wants_input = many_wants_input,
    .ignores_input = many_ignores_input,
    .output = many_output,
    .phase = many_phase,
    .deadline = many_deadline,
    .expired = many_expired,
    .paused = many_paused,
    .idle_expired = many_idle_expired,
    .input_ended = many_input_ended,
    .requests = many_requests,
    .current = many_current,
    .drain = many_drain,
    .lingers = many_lingers,
    .release = many_release,
};
