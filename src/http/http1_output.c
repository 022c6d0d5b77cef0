/*
 * Runs in the workers: writes the output of one HTTP/1 connection into the caller's buffer. Must
 * never write past it, nor begin a head that it could not finish.
 */
#include <string.h>

#include "internal.h"

#define CHUNK_ROOM_MIN 32 /* the least room for which a chunk is worth its framing */

/* Will the response come while the client still waits for 100 Continue? Then it is unknown whether
 * the body will follow (RFC 9110, 10.1.1). */
static bool body_uninvited(const struct http1 *h)
{
	return h->exchange->request.expect_continue && !h->continued && !h->body_seen &&
	       !h->request_done;
}

static bool status_has_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* Decides how the response is framed, and whether the connection closes after it. */
static void response_frame(struct http1 *h)
{
	struct exchange *ex = h->exchange;
	const bool upgraded = ex->upgraded;
	if (exchange_finish_head(ex)) {
		h->unread |= upgraded; /* its bytes are no requests */
		h->close |= upgraded || !h->request_done;
	}
	http1_uninvited(h);
	bool unknown = ex->length == HTTP_LENGTH_UNKNOWN;
	bool has_body = status_has_body(ex->status);

	h->bodiless = !ex->upgraded && (!has_body || ex->request.method == HTTP_HEAD);
	h->response_left = ex->length;
	h->send_chunked = has_body && unknown && ex->request.version_minor > 0;
	if ((has_body && unknown && !h->send_chunked) || ex->upgraded)
		h->close = true;
	if (h->draining || (h->input_over && !h->pending) || body_uninvited(h))
		h->close = true;
}

static size_t response_finish(const struct http1 *h, uint8_t *out)
{
	const struct exchange *ex = h->exchange;
	enum response_connection connection = RESPONSE_PLAIN;
	if (ex->upgraded)
		connection = RESPONSE_UPGRADE;
	else if (h->close)
		connection = RESPONSE_CLOSE;
	else if (ex->request.version_minor == 0)
		connection = RESPONSE_KEEP_ALIVE;
	uint64_t length = status_has_body(ex->status) ? ex->length : HTTP_LENGTH_UNKNOWN;
	return http_response_finish(out, h->send_chunked, length, connection,
				    h->offers_upgrade && !ex->upgraded);
}

static bool field_is_upgrade(const struct http_header *f)
{
	return f->name_len == 7 && http_name_is(f->name, 7, "upgrade");
}

/* The status line and the last lines are written whole; the fields may be larger than the room and
 * are then written in parts. */
static size_t head_output(struct http1 *h, uint8_t *out, size_t size)
{
	struct exchange *ex = h->exchange;
	size_t used = 0;
	if (h->send == HTTP1_SEND_START) {
		response_frame(h);
		used = http_response_start(out, ex->status, ex->own_date ? NULL : h->loop->date);
		h->send = HTTP1_SEND_FIELDS;
		h->walk = (struct http_fields_walk){0};
		h->field_sent = 0;
		h->offers_upgrade = false;
		h->field = exchange_next_field(ex, &h->walk);
	}
	for (; h->field != NULL; h->field = exchange_next_field(ex, &h->walk), h->field_sent = 0) {
		h->offers_upgrade |= field_is_upgrade(h->field);
		used += http_response_line(out + used, size - used, h->field, &h->field_sent);
		if (h->field_sent < http_line_len(h->field))
			return used;
	}
	if (size - used >= RESPONSE_PART_MAX) {
		used += response_finish(h, out + used);
		h->send = HTTP1_SEND_BODY;
	}
	return used;
}

/* Writes the body of a known length; returns the bytes written, or GIVE_*. */
static long length_output(struct http1 *h, uint8_t *out, size_t size)
{
	size_t room = size < h->response_left ? size : (size_t)h->response_left;
	long n = exchange_give(h->exchange, out, room);
	if (n == GIVE_END) /* too early: Content-Length promised more */
		return GIVE_FAIL;
	if (n > 0)
		h->response_left -= (uint64_t)n;
	return n;
}

static size_t hex_digits(size_t value)
{
	size_t digits = 1;
	while (value >>= 4)
		digits++;
	return digits;
}

/* Writes the trailer, after the last chunk. */
static long trailer_output(struct http1 *h, uint8_t *out, size_t size)
{
	size_t used = exchange_texts_write(&h->exchange->trailer, out, size);
	if (h->exchange->trailer.first == NULL && size - used >= 2) {
		memcpy(out + used, "\r\n", 2);
		used += 2;
		h->response_left = 0;
	}
	return (long)used;
}

/* Writes one chunk. The data is written after room for the widest possible size line, and moved
 * down if the real one is narrower. */
static long chunk_output(struct http1 *h, uint8_t *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	if (h->trailing)
		return trailer_output(h, out, size);
	size_t digits = hex_digits(size);
	long n = exchange_give(h->exchange, out + digits + 2, size - digits - 4);
	if (n == GIVE_END) {
		h->trailing = true;
		memcpy(out, "0\r\n", 3);
		return 3 + trailer_output(h, out + 3, size - 3);
	}
	if (n < 0)
		return n;
	size_t len = (size_t)n, narrow = hex_digits(len);
	if (narrow < digits)
		memmove(out + narrow + 2, out + digits + 2, len);
	for (size_t i = narrow, value = len; i > 0; value >>= 4)
		out[--i] = (uint8_t)hex[value & 15];
	memcpy(out + narrow, "\r\n", 2);
	memcpy(out + narrow + 2 + len, "\r\n", 2);
	return (long)(narrow + len + 4);
}

/* Writes a body that ends with the connection, for HTTP/1.0 and tunnels. */
static long open_output(struct http1 *h, uint8_t *out, size_t size)
{
	long n = exchange_give(h->exchange, out, size);
	if (n != GIVE_END)
		return n;
	h->response_left = 0;
	return 0;
}

static size_t body_output(struct http1 *h, uint8_t *out, size_t size)
{
	const struct exchange *ex = h->exchange;
	size_t room_min = h->send_chunked ? CHUNK_ROOM_MIN : 1, used = 0;

	while (!h->bodiless && h->response_left > 0) {
		if (size - used < room_min)
			return used;
		long n;
		if (h->send_chunked)
			n = chunk_output(h, out + used, size - used);
		else if (ex->length == HTTP_LENGTH_UNKNOWN)
			n = open_output(h, out + used, size - used);
		else
			n = length_output(h, out + used, size - used);
		if (n == GIVE_LATER)
			return used;
		if (n < 0) { /* what came before is still sent: it shows what was cut */
			http1_abort(h);
			return used;
		}
		used += (size_t)n;
	}
	http1_responded(h);
	return used;
}

static size_t continue_output(struct http1 *h, uint8_t *out)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (!body_uninvited(h) || h->exchange->waiting || h->exchange->held)
		return 0;
	h->continued = true;
	memcpy(out, text, sizeof(text) - 1);
	return sizeof(text) - 1;
}

/* Writes interim responses. False: there are more, or there is too little room for the response. */
static bool interim_output(struct exchange *ex, uint8_t *out, size_t size, size_t *used)
{
	*used = exchange_texts_write(&ex->interim, out, size);
	ex->has_interim = ex->interim.first != NULL;
	return size - *used >= PROTO_OUTPUT_MIN;
}

size_t http1_output(struct proto *p, uint8_t *out, size_t size)
{
	struct http1 *h = (struct http1 *)p;
	size_t used = 0;
	if (h->state != HTTP1_EXCHANGE || size < PROTO_OUTPUT_MIN)
		return 0;
	if (h->exchange->has_interim && !interim_output(h->exchange, out, size, &used))
		return used;
	if (!h->exchange->responding)
		return used + continue_output(h, out + used);
	if (h->send < HTTP1_SEND_BODY)
		used += head_output(h, out + used, size - used);
	if (h->send == HTTP1_SEND_BODY)
		used += body_output(h, out + used, size - used);
	if (h->state == HTTP1_EXCHANGE && h->exchange->given_up && h->send == HTTP1_SEND_DONE)
		http1_abort(h);
	return used;
}
