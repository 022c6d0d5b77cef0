/* Runs in a loop, for each request: must not allocate. */
#include "worker/access.h"

#include <string.h>
#include <sys/syslog.h>
#include <time.h>

#include "base/clock.h"
#include "worker/record.h"

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
	if (now != l->http.date_seconds) {
		l->http.date_seconds = now;
		http_date(now, l->http.date);
	}
}

void access_done(void *connection, const struct exchange *ex)
{
	struct worker_loop *l = ((struct conn *)connection)->owner;
	const uint64_t duration_us = (clock_ns() - ex->begun_ns) / 1000;
	struct ipc_counters *counters = &l->slot->counters;
	ipc_slot_add(&counters->requests, 1);
	ipc_slot_add(&counters->responses[ex->status / 100 % IPC_CLASSES], 1);
	ipc_counters_latency(counters, duration_us);

	if (ex->refusal == REFUSE_TOO_MANY) /* worker/clients.c logs it */
		return;
	enum conf_access access = l->worker->port->access;
	if (access == CONF_ACCESS_OFF || (access == CONF_ACCESS_ERRORS && ex->status < 400))
		return;
	struct access_record record;
	access_record_make(&record, ex, duration_us);
	log_record(&l->log, LOG_INFO, record.line, record.len, record.values, record.values_count);
}

void access_handshake_failed(struct conn *c, unsigned kind, const char *text)
{
	struct worker_loop *l = c->owner;
	c->failed = true;
	ipc_slot_add(&l->slot->counters.handshakes_failed[kind], 1);
	if (kind == IPC_FAILURE_MEMORY)
		l->memory_lacks = true;
	if (conn_has_spoken(c) && l->worker->port->access != CONF_ACCESS_OFF)
		log_write(&l->log, LOG_INFO, "%s with ('%s', %u) failed: %s",
			  l->worker->port->plain ? "plain connection" : "TLS handshake",
			  c->client.address, c->client.port, text);
}

void access_header_refused(struct conn *c, const char *text)
{
	struct worker_loop *l = c->owner;
	c->failed = true;
	ipc_slot_add(&l->slot->counters.handshakes_failed[IPC_FAILURE_PROXY], 1);
	if (l->worker->port->access != CONF_ACCESS_OFF)
		log_write(&l->log, LOG_INFO, "connection from ('%s', %u) refused: %s",
			  c->client.address, c->client.port, text);
}
