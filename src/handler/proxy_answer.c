/*
 * Runs in the workers, on bytes of an upstream: its response on the way to the client. Must never
 * pass on what was not parsed, hold more of a body than was allowed to be taken ahead, nor let a
 * response that was cut look complete.
 */
#include <string.h>

#include "proxy_fault.h"
#include "proxy_run.h"

static const struct proxy_target *answer_target(const struct proxy_run *p)
{
	return &p->config->targets[p->call.endpoint];
}

static void answer_refuse(struct proxy_run *p, enum upstream_fault fault)
{
	proxy_fail(p, fault == UPSTREAM_FAULT_CUT ? UPSTREAM_FAILED_CUT : UPSTREAM_FAILED_MALFORMED,
		   fault == UPSTREAM_FAULT_CUT ? NULL : upstream_fault_text(fault));
}

/* The response is complete. The connection may go on if the request is, too, and nothing follows.
 */
static void answer_done(struct proxy_run *p)
{
	struct upstream_link *l = p->call.link;
	size_t rest;
	(void)upstream_link_bytes(l, &rest);
	const bool reusable =
	    upstream_body_reusable(&p->body, rest) && p->request_done && !p->doubtful;
	const uint64_t now_ns = p->ex->loop->events->now_ns;
	p->record.total_ns = now_ns > p->begun_ns ? now_ns - p->begun_ns : 1;
	p->state = PROXY_DONE;
	proxy_leave(p, reusable);
}

/* --- heads ------------------------------------------------------------------------------------ */

/* False: it is none, and the attempt has failed. */
static bool answer_interim(struct proxy_run *p, const struct upstream_response *r)
{
	struct http_header fields[HTTP_HEADERS_MAX + 1];
	struct proxy_walk walk;
	size_t count = 0;
	p->doubtful = p->doubtful || !r->keep_alive;
	if (++p->interims > PROXY_INTERIM_MAX) {
		answer_refuse(p, UPSTREAM_FAULT_INTERIM);
		return false;
	}
	if (r->status == 100 && p->ex->held) {
		exchange_invite(p->ex);
		return true;
	}
	if (!proxy_walk_begin(&walk, p->ex, &p->config->place, answer_target(p), r)) {
		answer_refuse(p, UPSTREAM_FAULT_FIELD);
		return false;
	}
	while (count < HTTP_HEADERS_MAX + 1 && proxy_walk_next(&walk, &fields[count]))
		count++;
	(void)exchange_interim(p->ex, r->status, fields, count);
	return true;
}

/* The trailer comes when the fields of the head are gone: keeps all that are needed then. */
static bool answer_keep_options(struct proxy_run *p, const struct upstream_response *r)
{
	if (r->framing != UPSTREAM_BODY_CHUNKED)
		return true;
	const size_t size = r->fields_count * sizeof(r->fields[0]);
	struct http_field *fields = arena_take(&p->ex->arena, size);
	if (fields == NULL)
		return false;
	memcpy(fields, r->fields, size);
	p->response_named = (struct upstream_options){r->head, fields, r->fields_count};
	return true;
}

/* The fields that the client gets live as long as the exchange. False: the attempt has failed. */
static bool answer_fields(struct proxy_run *p, struct upstream_response *r)
{
	struct exchange *ex = p->ex;
	struct proxy_walk *walk = arena_take(&ex->arena, sizeof(*walk));
	char *head = arena_take(&ex->arena, r->head_len);
	struct http_header field;
	if (head != NULL)
		r->head = memcpy(head, r->head, r->head_len);
	if (walk == NULL || head == NULL || !answer_keep_options(p, r)) {
		proxy_fail(p, UPSTREAM_FAILED_FULL, "out of memory");
		return false;
	}
	if (!proxy_walk_begin(walk, ex, &p->config->place, answer_target(p), r)) {
		answer_refuse(p, UPSTREAM_FAULT_FIELD);
		return false;
	}
	while (proxy_walk_next(walk, &field))
		exchange_borrow_field(ex, &field);
	if (walk->has_date)
		exchange_keep_date(ex);
	return true;
}

static uint64_t answer_length(const struct exchange *ex, const struct upstream_response *r)
{
	switch (r->framing) {
	case UPSTREAM_BODY_NONE:
		if (ex->request.method == HTTP_HEAD && !r->has_length && r->status != 204 &&
		    r->status != 304)
			return HTTP_LENGTH_UNKNOWN;
		return r->has_length ? r->content_length : 0;
	case UPSTREAM_BODY_LENGTH:
		return r->content_length;
	case UPSTREAM_BODY_CHUNKED:
	case UPSTREAM_BODY_CLOSE:
	case UPSTREAM_TUNNEL:
		break;
	}
	return HTTP_LENGTH_UNKNOWN;
}

/* A page of the configuration takes the place of the body: then nobody wants that. */
static void answer_begin(struct proxy_run *p, const struct upstream_response *r)
{
	struct exchange *ex = p->ex;
	p->state = PROXY_BODY;
	p->call.ahead = p->config->place.conf->buffer_response;
	upstream_call_resize(&p->call);
	if (r->framing == UPSTREAM_TUNNEL) {
		p->state = PROXY_TUNNEL;
		if (exchange_upgrade(ex, NULL, 0) < 0) {
			answer_refuse(p, UPSTREAM_FAULT_SWITCH);
			return;
		}
		p->tunnel = true;
		upstream_tunnels(p->pool, 1);
		return;
	}
	ex->held = false;
	exchange_respond(ex, r->status, answer_length(ex, r), NULL, 0);
	if (upstream_body_ended(&p->body))
		answer_done(p);
	else if (ex->page != NULL) {
		p->state = PROXY_DONE;
		proxy_leave(p, false);
	}
}

static void answer_take_head(struct proxy_run *p, struct upstream_response *r)
{
	const uint64_t now_ns = p->ex->loop->events->now_ns;
	const size_t head_len = r->head_len;
	if (proxy_struck(p, FAULT_BY_STATUS) && r->framing != UPSTREAM_TUNNEL)
		r->status = (unsigned)p->ex->upstream_fault->code;
	if (!answer_fields(p, r))
		return;
	p->record.head_ns = now_ns > p->begun_ns ? now_ns - p->begun_ns : 1;
	upstream_call_answered(&p->call, r->status);
	upstream_call_works(&p->call);
	p->response_trailer = (struct buf)BUF_INIT(PROXY_TRAILERS_MAX);
	upstream_body_begin(&p->body, r, &p->response_trailer);
	upstream_link_take(p->call.link, head_len);
	answer_begin(p, r);
}

void proxy_read_head(struct proxy_run *p)
{
	const struct upstream_asked asked = proxy_request_asked(&p->request);
	struct upstream_response r;
	while (p->call.link != NULL && p->state == PROXY_SENT) {
		struct upstream_link *l = p->call.link;
		size_t len;
		bool clean;
		const uint8_t *data = upstream_link_bytes(l, &len);
		p->heard = p->heard || len > 0;
		if (proxy_struck(p, FAULT_BY_SILENCE))
			return; /* until the limit of time */
		if (len > 0 && proxy_struck(p, FAULT_BY_GARBAGE)) {
			proxy_fail(p, UPSTREAM_FAILED_MALFORMED, PROXY_ON_PURPOSE);
			return;
		}
		const long n = len == 0
				   ? 0
				   : upstream_response_parse((const char *)data, len,
							     PROXY_HEAD_MAX, &p->scan, &asked, &r);
		if (n < 0) {
			answer_refuse(p, (enum upstream_fault) - n);
		} else if (n == 0) {
			if (upstream_link_ended(l, &clean))
				proxy_fail(p, UPSTREAM_FAILED_CUT, NULL);
			return;
		} else if (r.status >= 200 || r.framing == UPSTREAM_TUNNEL) {
			answer_take_head(p, &r);
		} else if (answer_interim(p, &r)) {
			p->scan = 0;
			upstream_link_take(l, (size_t)n);
		}
	}
}

/* --- bodies ----------------------------------------------------------------------------------- */

static void answer_trailer(struct proxy_run *p)
{
	struct http_header field;
	for (size_t at = 0; http_trailer_next(&p->response_trailer, &at, &field);)
		if (upstream_trailer_passes(&field, &p->response_named))
			(void)exchange_add_trailer(p->ex, &field);
}

/* Copies what there is of the body, and takes it from the link. Returns how many bytes, or -1: it
 * is malformed. */
static long answer_copy(struct proxy_run *p, uint8_t *out, size_t size)
{
	struct upstream_link *l = p->call.link;
	size_t len, at = 0, used = 0, part = 0;
	const uint8_t *data = upstream_link_bytes(l, &len);
	enum upstream_fault fault = UPSTREAM_FAULT_NONE;
	for (;;) {
		const long framing = upstream_body_read(&p->body, data + at, len - at, &part);
		if (framing < 0) {
			fault = (enum upstream_fault) - framing;
			break;
		}
		at += (size_t)framing;
		const size_t n = part < size - used ? part : size - used;
		if (n == 0)
			break;
		memcpy(out + used, data + at, n);
		upstream_body_take(&p->body, n);
		used += n;
		at += n;
	}
	if (at > 0)
		upstream_link_take(l, at);
	if (fault == UPSTREAM_FAULT_NONE)
		return (long)used;
	answer_refuse(p, fault);
	return used > 0 ? (long)used : -1;
}

/* Nothing of the body is here: does more come? */
static long answer_rest(struct proxy_run *p)
{
	bool clean;
	if (!upstream_link_ended(p->call.link, &clean)) {
		proxy_time(p);
		return GIVE_LATER;
	}
	const enum upstream_fault fault = upstream_body_cut(&p->body);
	if (fault != UPSTREAM_FAULT_NONE || !clean) {
		proxy_fail(p, UPSTREAM_FAILED_CUT, "in the middle of a body");
		return GIVE_FAIL;
	}
	if (p->state == PROXY_TUNNEL) { /* the client's half goes on */
		p->told_end = true;
		return GIVE_END;
	}
	answer_done(p);
	return GIVE_END;
}

long proxy_give_body(struct proxy_run *p, uint8_t *out, size_t size)
{
	const size_t room = proxy_uncut(p, size);
	if (room == 0) {
		proxy_fail(p, UPSTREAM_FAILED_CUT, PROXY_ON_PURPOSE);
		return GIVE_FAIL;
	}
	const long n = answer_copy(p, out, room);
	if (n < 0)
		return GIVE_FAIL;
	p->given += (uint64_t)n;
	if (p->call.link == NULL) /* malformed after these bytes */
		return n;
	if (upstream_body_ended(&p->body) && p->state == PROXY_BODY) {
		answer_trailer(p);
		answer_done(p);
		return n > 0 ? n : GIVE_END;
	}
	return n > 0 ? n : answer_rest(p);
}
