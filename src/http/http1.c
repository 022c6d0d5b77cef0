/*
 * Runs in the workers: HTTP/1.1 on one connection, as a state machine over bytes. Must never wait,
 * read a clock, keep input, or continue on a connection without knowing where the next request
 * begins.
 */
#include <string.h>

#include "base/num.h"
#include "internal.h"

static struct http1 *http1_of(struct proto *p)
{
	return (struct http1 *)p;
}

/* --- the end of an exchange ------------------------------------------------------------------ */

static void exchange_finish(struct http1 *h)
{
	struct exchange *ex = h->exchange;
	bool over = h->input_over && !h->pending;
	if (h->close || h->draining || over) {
		/* A client that wanted to keep the connection may already be sending more. */
		if (!h->request_done || ex->request.keep_alive)
			h->unread = true;
		h->state = HTTP1_CLOSING;
	} else {
		h->state = HTTP1_IDLE;
	}
	h->exchange = NULL;
	exchange_release(ex);
}

void http1_abort(struct http1 *h)
{
	struct exchange *ex = h->exchange;
	h->state = HTTP1_ABORTED;
	h->cut_open = ex != NULL && h->send == HTTP1_SEND_BODY && !h->bodiless &&
		      !h->send_chunked && h->response_left == HTTP_LENGTH_UNKNOWN;
	h->exchange = NULL;
	if (ex != NULL)
		exchange_release(ex);
}

void http1_responded(struct http1 *h)
{
	h->send = HTTP1_SEND_DONE;
	h->exchange->take_blocked = false;
	if (h->exchange->upgraded && !h->tunnel_ended && !h->draining)
		return; /* the client's half is open */
	if (h->request_done || h->close || h->draining)
		exchange_finish(h);
}

/* Refuses the request: reads no more of it, answers with the status of why if nothing was sent yet,
 * and closes. A handler that has begun gets end(). */
static void http1_refuse(struct http1 *h, enum http_refusal why)
{
	struct exchange *ex = h->exchange;
	ex->refusal = why; /* for the record, even where no answer can be sent any more */
	h->close = h->unread = true;
	if (h->send == HTTP1_SEND_DONE) {
		exchange_finish(h);
		return;
	}
	if (h->send != HTTP1_SEND_START) {
		http1_abort(h);
		return;
	}
	h->request_done = true;
	exchange_refuse(ex, why);
}

/* --- a head ---------------------------------------------------------------------------------- */

/* The request is complete: lets the handler know, or finishes if the response was complete
 * already. A tunnel's client goes on. */
static void request_end(struct http1 *h)
{
	struct exchange *ex = h->exchange;
	h->request_done = true;
	if (h->send == HTTP1_SEND_DONE) {
		exchange_finish(h);
		return;
	}
	if (!ex->upgraded)
		exchange_take_end(ex);
}

/* An ordinary refusal, or OPTIONS, leaves the framing sound: the body is read and discarded, and
 * the connection stays open. It closes if the client waits for 100 Continue, because it is then
 * unknown whether the body will come. */
void http1_uninvited(struct http1 *h)
{
	if (h->exchange->uninvited)
		h->close = h->unread = h->request_done = true;
}

/* Finds what answers the request and begins it. */
static void request_dispatch(struct http1 *h)
{
	const int error = exchange_dispatch(h->exchange);
	if (error == EXCHANGE_NO_MEMORY)
		http1_abort(h);
	else if (error < 0)
		http1_refuse(h, (enum http_refusal) - error);
	else
		http1_uninvited(h);
}

/* Starts an exchange for a head that was read, or could not be. false: out of memory; the
 * connection ends, because there is none for a response either. */
static bool exchange_start(struct http1 *h, struct exchange *ex)
{
	if (ex == NULL) {
		h->state = HTTP1_ABORTED;
		return false;
	}
	h->exchange = ex;
	h->state = HTTP1_EXCHANGE;
	h->scan = 0;
	h->head_until_ms = 0;
	h->send = HTTP1_SEND_START;
	h->chunked = h->ahead = (struct http1_chunked){0};
	h->ahead_body = h->ahead_len = 0;
	h->request_left = ex->request.framing == HTTP_BODY_LENGTH ? ex->request.content_length : 0;
	h->request_done = h->continued = h->body_seen = h->send_chunked = h->bodiless =
	    h->tunnel_ended = h->trailing = false;
	if (++h->requests == h->loop->limits->requests)
		h->close = true;
	h->loop->owner->begun(h->connection, ex);
	return true;
}

/* The exchange keeps a copy of the head. false: out of memory, and the exchange is gone. */
static bool head_keep(struct exchange *ex, const char *data, size_t len)
{
	char *copy = arena_take(&ex->arena, len);
	if (copy == NULL) {
		exchange_drop(ex);
		return false;
	}
	memcpy(copy, data, len);
	ex->request.head = copy;
	ex->request.head_len = (uint32_t)len;
	return true;
}

static size_t head_input(struct http1 *h, const char *data, size_t len)
{
	struct http_loop *loop = h->loop;
	long n = http_head_end(data, len, loop->limits->head_bytes, &h->scan);
	if (n == 0) {
		h->state = HTTP1_HEAD;
		h->asks_head = http_asks_head(data, len);
		return 0;
	}
	struct exchange *ex = exchange_acquire(loop, h->connection, h->client);
	if (ex != NULL)
		n = http_request_parse(data, len, loop->limits->head_bytes, &h->scan, &ex->request);
	if (ex != NULL &&
	    !head_keep(ex, data, n > 0 ? (size_t)n : num_least(len, loop->limits->head_bytes)))
		ex = NULL;
	if (!exchange_start(h, ex))
		return len;
	if (n < 0) {
		http1_refuse(h, (enum http_refusal) - n);
		return len;
	}
	if (!ex->request.keep_alive)
		h->close = true;
	request_dispatch(h);
	if (h->state == HTTP1_EXCHANGE && !h->request_done &&
	    (ex->request.framing == HTTP_BODY_NONE ||
	     (ex->request.framing == HTTP_BODY_LENGTH && h->request_left == 0)))
		request_end(h);
	return (size_t)n;
}

/* --- a request body -------------------------------------------------------------------------- */

static size_t body_offer(struct http1 *h, const uint8_t *data, size_t len)
{
	struct exchange *ex = h->exchange;
	size_t taken = len;
	h->body_seen = true;
	if (h->send != HTTP1_SEND_DONE)
		taken = exchange_take(ex, data, len);
	ex->body_received += taken;
	return taken;
}

/* Does the handler wait for more of the body than these bytes of the input? */
static bool body_gathers(struct http1 *h, bool whole, uint64_t body, size_t len)
{
	struct exchange *ex = h->exchange;
	ex->gathers = ex->gathers && !whole && body < HTTP_GATHER_MAX && len < LIMIT_HEAD_MAX;
	return ex->gathers;
}

static size_t length_input(struct http1 *h, const uint8_t *data, size_t len)
{
	size_t n = len < h->request_left ? len : (size_t)h->request_left;
	if (body_gathers(h, n == h->request_left, n, len))
		return 0;
	if (n > 0)
		n = body_offer(h, data, n);
	h->request_left -= n;
	if (h->request_left == 0)
		request_end(h);
	return n;
}

/* Reads all chunks that are here before the handler gets a byte of them: what came together is
 * refused together, and nothing in front of the error has gone on yet. 0, or minus an enum
 * http_refusal. */
static long chunked_look(struct http1 *h, const uint8_t *data, size_t len)
{
	const struct limits *limits = h->loop->limits;
	size_t at = h->ahead_len;
	while (at < len && !http1_chunked_ended(&h->ahead)) {
		const long framing = http1_chunked_read(&h->ahead, data + at, len - at,
							limits->trailers_bytes, NULL);
		if (framing < 0)
			return framing;
		at += (size_t)framing;
		if (!http1_chunked_in_data(&h->ahead))
			continue;
		if (h->ahead.left > limits->body_bytes - h->ahead_body)
			return -REFUSE_BODY_TOO_LARGE;
		const size_t n = (size_t)num_least(len - at, h->ahead.left);
		if (n > 0)
			http1_chunked_take(&h->ahead, n);
		h->ahead_body += n;
		at += n;
	}
	h->ahead_len = len;
	return 0;
}

/* The same bytes for the handler: where the framing is at, which is sound. */
static size_t chunked_offer(struct http1 *h, const uint8_t *data, size_t len)
{
	struct exchange *ex = h->exchange;
	const struct http1_chunked before = h->chunked;
	long framing = http1_chunked_read(&h->chunked, data, len, h->loop->limits->trailers_bytes,
					  ex->request_trailer);
	if (framing < 0) {
		http1_refuse(h, (enum http_refusal) - framing);
		return len;
	}
	size_t used = (size_t)framing;
	h->body_seen = true; /* a chunk size begins the body */
	if (ex->waiting && h->chunked.trailer_bytes != before.trailer_bytes) {
		h->chunked = before; /* nobody has said yet where the trailer goes */
		ex->take_blocked = true;
		return 0;
	}
	if (http1_chunked_ended(&h->chunked)) {
		request_end(h);
		return used;
	}
	if (!http1_chunked_in_data(&h->chunked))
		return used;
	if (used < len) {
		size_t n = len - used < h->chunked.left ? len - used : (size_t)h->chunked.left;
		n = body_offer(h, data + used, n);
		if (n > 0)
			http1_chunked_take(&h->chunked, n);
		used += n;
	}
	return used;
}

static size_t chunked_input(struct http1 *h, const uint8_t *data, size_t len)
{
	const long wrong = chunked_look(h, data, len);
	if (wrong < 0) {
		http1_refuse(h, (enum http_refusal) - wrong);
		return len;
	}
	if (body_gathers(h, http1_chunked_ended(&h->ahead), h->ahead_body, len))
		return 0;
	const size_t used = h->exchange->take_blocked ? 0 : chunked_offer(h, data, len);
	h->ahead_len -= used;
	return used;
}

/* The bytes of a tunnel, from the first after the head on. */
static size_t tunnel_input(struct http1 *h, const uint8_t *data, size_t len)
{
	struct exchange *ex = h->exchange;
	if (ex->take_blocked)
		return 0;
	const size_t taken = exchange_take(ex, data, len);
	ex->body_received += taken;
	return taken;
}

static size_t body_input(struct http1 *h, const uint8_t *data, size_t len)
{
	if (h->exchange->upgraded)
		return tunnel_input(h, data, len);
	if (h->request_done) /* a pipelined request waits; input after a refused request is dropped
			      */
		return h->unread ? len : 0;
	if (h->exchange->request.framing == HTTP_BODY_CHUNKED)
		return chunked_input(h, data, len);
	return h->exchange->take_blocked ? 0 : length_input(h, data, len);
}

/* --- struct proto_ops ------------------------------------------------------------------------ */

/* The client's half of a tunnel has ended; the handler may still give. */
static void tunnel_end(struct http1 *h)
{
	if (h->pending || h->tunnel_ended)
		return;
	h->tunnel_ended = true;
	exchange_take_end(h->exchange);
	if (h->send == HTTP1_SEND_DONE)
		exchange_finish(h);
}

/* No more input will come except what the connection still holds: does that end the protocol? */
static void input_over_check(struct http1 *h)
{
	switch (h->state) {
	case HTTP1_IDLE:
		if (!h->pending)
			h->state = HTTP1_CLOSING;
		break;
	case HTTP1_HEAD:
		h->state = HTTP1_CLOSING;
		break;
	case HTTP1_EXCHANGE:
		if (h->exchange->upgraded) {
			tunnel_end(h);
			break;
		}
		if (h->request_done || (h->pending && !h->exchange->gathers))
			break;
		if (h->send == HTTP1_SEND_DONE)
			exchange_finish(h);
		else
			http1_abort(h);
		break;
	case HTTP1_CLOSING:
	case HTTP1_ABORTED:
		break;
	}
}

static size_t http1_input(struct proto *p, const uint8_t *data, size_t len)
{
	struct http1 *h = http1_of(p);
	size_t used = 0;
	while (used < len) {
		size_t n = 0;
		switch (h->state) {
		case HTTP1_IDLE:
		case HTTP1_HEAD:
			n = head_input(h, (const char *)data + used, len - used);
			break;
		case HTTP1_EXCHANGE:
			n = body_input(h, data + used, len - used);
			break;
		case HTTP1_CLOSING:
		case HTTP1_ABORTED:
			n = len - used;
			break;
		}
		if (n == 0)
			break;
		used += n;
	}
	h->pending = used < len;
	if (h->input_over)
		input_over_check(h);
	return used;
}

static bool http1_wants_input(const struct proto *p)
{
	const struct http1 *h = (const struct http1 *)p;
	switch (h->state) {
	case HTTP1_IDLE:
	case HTTP1_HEAD:
		return !h->input_over;
	case HTTP1_EXCHANGE:
		return (!h->request_done || h->exchange->upgraded) && !h->exchange->take_blocked &&
		       !h->input_over;
	case HTTP1_CLOSING:
	case HTTP1_ABORTED:
		break;
	}
	return false;
}

static bool http1_ignores_input(const struct proto *p)
{
	const struct http1 *h = (const struct http1 *)p;
	return h->state == HTTP1_CLOSING || (h->state == HTTP1_EXCHANGE && h->request_done &&
					     !h->exchange->upgraded && (h->close || h->draining));
}

static enum proto_phase http1_phase(const struct proto *p)
{
	const struct http1 *h = (const struct http1 *)p;
	switch (h->state) {
	case HTTP1_IDLE:
		return PROTO_IDLE;
	case HTTP1_HEAD:
	case HTTP1_EXCHANGE:
		return PROTO_BUSY;
	case HTTP1_CLOSING:
		return PROTO_CLOSING;
	case HTTP1_ABORTED:
		break;
	}
	return PROTO_ABORTED;
}

static void http1_input_ended(struct proto *p)
{
	struct http1 *h = http1_of(p);
	h->input_over = true;
	input_over_check(h);
}

/* The head did not come in time: an exchange is started for it, so that it gets an access
 * record. */
static void head_expired(struct http1 *h)
{
	struct exchange *ex = exchange_acquire(h->loop, h->connection, h->client);
	if (ex != NULL) {
		memset(&ex->request, 0, sizeof(ex->request));
		ex->request.head = "";
		if (h->asks_head)
			ex->request.method = HTTP_HEAD;
	}
	if (exchange_start(h, ex))
		http1_refuse(h, REFUSE_HEAD_TIMEOUT);
}

static enum exchange_wait http1_wait(const struct http1 *h)
{
	if (h->exchange->upgraded)
		return EXCHANGE_IS_TUNNEL;
	if (h->exchange->held && !h->body_seen) /* the client waits for its 100 Continue */
		return EXCHANGE_WAITS_HANDLER;
	return http1_wants_input(&h->proto) ? EXCHANGE_WAITS_BODY : EXCHANGE_WAITS_HANDLER;
}

/* The handler does not answer any more, or a tunnel is silent. */
static const char *handler_expired(struct http1 *h)
{
	struct exchange *ex = h->exchange;
	const char *limit = ex->upgraded ? "idle" : "handler";
	if (h->send != HTTP1_SEND_START) {
		http1_abort(h);
		return limit;
	}
	h->close = true;
	h->unread = h->unread || !h->request_done;
	h->request_done = true;
	exchange_replace(ex, 500, 0);
	return limit;
}

static uint64_t http1_deadline(struct proto *p, uint64_t now_ms)
{
	struct http1 *h = http1_of(p);
	switch (h->state) {
	case HTTP1_HEAD:
		if (h->head_until_ms == 0)
			h->head_until_ms = now_ms + h->loop->limits->head_ms;
		return h->head_until_ms;
	case HTTP1_EXCHANGE:
		return exchange_deadline(h->exchange, http1_wait(h), now_ms);
	case HTTP1_IDLE:
	case HTTP1_CLOSING:
	case HTTP1_ABORTED:
		break;
	}
	return PROTO_NO_DEADLINE;
}

static const char *http1_expired(struct proto *p, uint64_t now_ms)
{
	struct http1 *h = http1_of(p);
	switch (h->state) {
	case HTTP1_HEAD:
		if (h->head_until_ms == 0 || now_ms < h->head_until_ms)
			break;
		head_expired(h);
		return "head-timeout";
	case HTTP1_EXCHANGE:
		if (!exchange_expired(h->exchange, now_ms))
			break;
		if (http1_wait(h) != EXCHANGE_WAITS_BODY)
			return handler_expired(h);
		http1_refuse(h, REFUSE_BODY_TIMEOUT);
		return "body-timeout";
	case HTTP1_IDLE:
	case HTTP1_CLOSING:
	case HTTP1_ABORTED:
		break;
	}
	return NULL;
}

static void http1_paused(struct proto *p, uint64_t ms)
{
	struct http1 *h = http1_of(p);
	if (h->head_until_ms != 0)
		h->head_until_ms += ms;
	if (h->exchange != NULL)
		exchange_paused(h->exchange, ms);
}

static void http1_idle_expired(struct proto *p)
{
	struct http1 *h = http1_of(p);
	if (h->state == HTTP1_IDLE)
		h->state = HTTP1_CLOSING;
}

static void http1_drain(struct proto *p)
{
	struct http1 *h = http1_of(p);
	h->draining = true;
	/* A client that has just connected has probably sent its first request. */
	if (h->state == HTTP1_IDLE && h->requests > 0)
		h->state = HTTP1_CLOSING;
	else if (h->state == HTTP1_EXCHANGE && h->send == HTTP1_SEND_DONE)
		exchange_finish(h);
	else if (h->state == HTTP1_EXCHANGE && h->exchange->upgraded)
		exchange_drain(h->exchange);
}

static bool http1_output_ended(const struct proto *p)
{
	const struct http1 *h = (const struct http1 *)p;
	return h->state == HTTP1_EXCHANGE && h->exchange->upgraded && h->send == HTTP1_SEND_DONE;
}

static bool http1_lingers(const struct proto *p)
{
	const struct http1 *h = (const struct http1 *)p;
	return h->state == HTTP1_CLOSING && h->unread && !h->input_over;
}

static bool http1_ends_open(const struct proto *p)
{
	return ((const struct http1 *)p)->cut_open;
}

static void http1_release(struct proto *p)
{
	struct http1 *h = http1_of(p);
	if (h->exchange != NULL)
		http1_abort(h);
}

static uint32_t http1_requests(const struct proto *p)
{
	return ((const struct http1 *)p)->requests;
}

static const struct exchange *http1_current(const struct proto *p)
{
	return ((const struct http1 *)p)->exchange;
}

static void http1_init(struct proto *p, struct http_loop *loop, void *connection,
		       const struct http_client *client)
{
	*http1_of(p) = (struct http1){.proto.ops = &http1_ops,
				      .loop = loop,
				      .connection = connection,
				      .client = client,
				      .state = HTTP1_IDLE};
}

/* A client that was told to use HTTP/1.0 offers only that (curl does). */
static const char *const http1_alpn[] = {"http/1.1", "http/1.0", NULL};

const struct proto_ops http1_ops = {
    .alpn = http1_alpn,
    .size = sizeof(struct http1),
    .exchanges_max = 1,
    .init = http1_init,
    .input = http1_input,
    .wants_input = http1_wants_input,
    .ignores_input = http1_ignores_input,
    .output = http1_output,
    .phase = http1_phase,
    .deadline = http1_deadline,
    .input_ended = http1_input_ended,
    .expired = http1_expired,
    .paused = http1_paused,
    .idle_expired = http1_idle_expired,
    .requests = http1_requests,
    .current = http1_current,
    .drain = http1_drain,
    .output_ended = http1_output_ended,
    .lingers = http1_lingers,
    .ends_open = http1_ends_open,
    .release = http1_release,
};
