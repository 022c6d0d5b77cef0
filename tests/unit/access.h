/* An access record as a worker writes it, from its parts. The parts are bytes as a client sent
 * them, also such that the parser would refuse. */
#ifndef TESTS_ACCESS_H
#define TESTS_ACCESS_H

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "ipc/fields.h"
#include "log/log.h"
#include "net/transport.h"
#include "worker/record.h"

struct access {
	const char *client;
	const struct transport_facts *tls; /* NULL: it is plain */
	unsigned client_port;
	const char *method; /* NULL: the request line could not be read */
	size_t method_len;
	const char *target;
	size_t target_len;
	const char *version;
	const char *host; /* NULL: none */
	unsigned status;
	uint64_t bytes;
	uint64_t duration_us;
	const char *request_id;
	enum http_refusal refusal;
	const char *excerpt;
	size_t excerpt_len;
	bool excerpt_cut;
	const char *user; /* NULL: nobody showed a right password */
	size_t user_len;
	const struct exchange_upstream *upstream; /* NULL: none */
};

static inline struct http_slice access_slice(char *head, uint32_t *used, const char *part,
					     size_t len)
{
	const struct http_slice s = {*used, (uint32_t)len};
	if (len > 0)
		memcpy(head + *used, part, len);
	*used += (uint32_t)len;
	return s;
}

static inline void access_record_of(struct access_record *record, const struct access *a)
{
	static char head[300000];
	static struct exchange ex;
	struct http_client client = {.port = (uint16_t)a->client_port, .tls = a->tls};
	uint32_t used = 0;
	(void)snprintf(client.address, sizeof(client.address), "%s", a->client);
	ex = (struct exchange){
	    .client = &client,
	    .status = a->status,
	    .body_sent = a->bytes,
	    .refusal = a->refusal,
	    .user = a->user,
	    .user_len = (uint32_t)a->user_len,
	    .upstream = a->upstream,
	};
	if (a->request_id != NULL)
		(void)snprintf(ex.id, sizeof(ex.id), "%s", a->request_id);
	ex.request.head = head;
	if (a->method != NULL) {
		ex.request.method_text = access_slice(head, &used, a->method, a->method_len);
		ex.request.target = access_slice(head, &used, a->target, a->target_len);
		ex.request.version = access_slice(head, &used, a->version, strlen(a->version));
	}
	if (a->host != NULL)
		ex.request.host = access_slice(head, &used, a->host, strlen(a->host));
	ex.request.excerpt = access_slice(head, &used, a->excerpt, a->excerpt_len);
	ex.request.excerpt_cut = a->excerpt_cut;
	access_record_make(record, &ex, a->duration_us);
}

static inline void access_write(struct log *l, const struct access *a)
{
	struct access_record r;
	access_record_of(&r, a);
	log_record(l, LOG_INFO, r.line, r.len, r.values, r.values_count);
}

#endif
