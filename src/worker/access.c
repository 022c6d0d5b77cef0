/* Runs in a loop, for each request: must not allocate. The log escapes the bytes that are passed
 * here. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "worker/conn.h"
#include "worker/loop.h"

/* prefix-counter, in hexadecimal; in practice unique among all workers over time. */
static void id_make(struct worker_loop *l, char out[HTTP_REQUEST_ID_MAX])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t n = l->id_next++;
	char *p = out;
	for (int shift = 28; shift >= 0; shift -= 4)
		*p++ = digits[(l->id_prefix >> shift) & 15];
	*p++ = '-';
	int shift = 60;
	while (shift > 0 && n >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*p++ = digits[(n >> shift) & 15];
	*p = '\0';
}

void access_begun(void *connection, struct exchange *ex)
{
	struct worker_loop *l = ((struct conn *)connection)->owner;
	ex->begun_ns = l->loop.now_ns; /* when the loop woke for the last byte of the head */
	id_make(l, ex->id);
	time_t now = time(NULL);
	if (now != l->date_second) {
		l->date_second = now;
		http_date(now, l->http.date);
	}
}

void access_done(void *connection, const struct exchange *ex)
{
	struct worker_loop *l = ((struct conn *)connection)->owner;
	const struct http_request *r = &ex->request;
	const uint64_t duration_us = (clock_ns() - ex->begun_ns) / 1000;
	struct ipc_counters *counters = &l->slot->counters;
	ipc_slot_add(&counters->requests, 1);
	ipc_slot_add(&counters->responses[ex->status / 100 % IPC_CLASSES], 1);
	ipc_counters_latency(counters, duration_us);

	enum conf_access access = l->worker->port->access;
	if (access == CONF_ACCESS_OFF || (access == CONF_ACCESS_ERRORS && ex->status < 400))
		return;
	const bool refused = ex->refusal != REFUSE_NOT;
	struct log_access record = {
	    .client = ex->client->address,
	    .client_port = ex->client->port,
	    .method = r->method_text.len > 0 ? http_slice_at(r, r->method_text) : NULL,
	    .method_len = r->method_text.len,
	    .target = r->target.len > 0 ? http_slice_at(r, r->target) : "",
	    .target_len = r->target.len,
	    .version = http_slice_at(r, r->version),
	    .version_len = r->version.len,
	    .status = ex->status,
	    .bytes = ex->body_sent,
	    .duration_us = duration_us,
	    .request_id = ex->id,
	    .kind = refused ? http_refusal_kind(ex->refusal) : NULL,
	    .reason = refused ? http_refusal_facts(ex->refusal)->word : NULL,
	    .excerpt = http_slice_at(r, r->excerpt),
	    .excerpt_len = r->excerpt.len,
	    .excerpt_cut = r->excerpt_cut,
	};
	log_access(&l->log, &record);
}
