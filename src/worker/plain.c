/*
 * Clients that speak plain HTTP to a TLS port, or TLS to a plain one, or send a PROXY header. Runs
 * in a loop. Must never repeat a byte of the client.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/proxy_header.h"
#include "tls/first.h"
#include "worker/conn.h"

#define ANSWER_MAX 512

static const char sentence[] =
    "This port speaks HTTPS: ask it with https:// in place of http://.\n";

/* A ClientHello comes in a record (RFC 8446, 5.1) or in the form of SSL 2.0, and no request of HTTP
 * begins with such a byte. */
static bool is_tls(const uint8_t *data, size_t len)
{
	const enum tls_first first = tls_first_of(data, len, true);
	return first == TLS_FIRST_RECORD || first == TLS_FIRST_SSL2;
}

const char *conn_plain_fault(const uint8_t *data, size_t len, unsigned *ret_kind)
{
	*ret_kind = IPC_FAILURE_MALFORMED;
	if (is_tls(data, len))
		return "The client speaks TLS to a plain port.";
	if (proxy_header_recognize(data, len) != PROXY_HEADER_OK)
		return NULL;
	*ret_kind = IPC_FAILURE_PROXY;
	return tls_first_text(TLS_FIRST_PROXY);
}

int conn_plain_answer(struct conn *c)
{
	struct transport_wire *w = &c->owner->wire;
	char answer[ANSWER_MAX], date[32];
	http_date(time(NULL), date);
	int len = snprintf(answer, sizeof(answer),
			   "HTTP/1.1 400 Bad Request\r\n"
			   "Date: %s\r\n"
			   "Content-Type: text/plain; charset=utf-8\r\n"
			   "Content-Length: %zu\r\n"
			   "Connection: close\r\n\r\n%s",
			   date, sizeof(sentence) - 1,
			   http_asks_head((const char *)w->in, w->in_len) ? "" : sentence);
	return buf_append(&w->out, answer, (size_t)len);
}
