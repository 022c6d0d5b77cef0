/*
 * Runs in a loop, once for each connection of a port behind a load balancer. Must never believe a
 * header of a peer that is not listed, nor take a byte after it.
 */
#include "worker/header.h"

#include <string.h>
#include <sys/syslog.h>

#include "base/num.h"
#include "net/proxy_header.h"
#include "worker/access.h"
#include "worker/show.h"

static const char missing[] =
    "It sent no PROXY header, and its address is listed in `proxy protocol from`.";
static const char unlisted[] =
    "It sent a PROXY header, and its address is not listed in `proxy protocol from`.";
static const char closed[] = "It left in the middle of its PROXY header.";

size_t header_size(const struct worker *w)
{
	return w->port->proxies_count > 0 ? sizeof(struct conn_header) : 0;
}

static struct conn_header *header_of(const struct conn *c)
{
	const size_t at = conn_room(c->owner->transport->size) + conn_room(http_protocol_size());
	return (struct conn_header *)(void *)((uint8_t *)c->memory + at);
}

static bool is_plain(const struct conn *c)
{
	return c->owner->transport->handshake == NULL;
}

bool header_due(const struct worker *w, const struct http_client *peer)
{
	return header_size(w) > 0 && network_table_find(&w->proxies, &peer->number) != NETWORK_NONE;
}

void header_begin(struct conn *c)
{
	c->state = CONN_HEADER;
	header_of(c)->due = header_due(c->owner->worker, &c->client);
}

bool header_came(const struct conn *c)
{
	return header_of(c)->due;
}

/* --- how it ends: each header is counted once ------------------------------------------------- */

static void header_count(const struct conn *c, enum ipc_proxy how)
{
	ipc_slot_add(&c->owner->slot->counters.proxy_headers[how], 1);
}

static enum header_result header_refuse(struct conn *c, enum ipc_proxy how, const char *text)
{
	header_count(c, how);
	access_header_refused(c, text);
	return HEADER_REFUSED;
}

static enum header_result header_done(const struct conn *c)
{
	header_count(c, header_of(c)->own ? IPC_PROXY_OWN : IPC_PROXY_CLIENT);
	return HEADER_DONE;
}

/* Load balancers ask in this way whether somebody listens. */
static void silent_left(struct conn *c)
{
	c->failed = true;
	header_count(c, IPC_PROXY_SILENT);
}

void header_left(struct conn *c)
{
	const bool due = header_of(c)->due;
	if (c->failed)
		return;
	if (due && c->bytes_in == 0)
		silent_left(c);
	else if (due)
		(void)header_refuse(c, IPC_PROXY_CLOSED, closed);
	else if (c->bytes_in > 0 && !is_plain(c))
		access_handshake_failed(c, IPC_FAILURE_CLOSED, "The client closed the connection.");
}

bool header_expired(struct conn *c)
{
	const bool draining = c->owner->draining;
	if (!header_of(c)->due) {
		header_of(c)->own = is_plain(c) && c->bytes_in > 0;
		return header_of(c)->own;
	}
	if (draining && c->bytes_in == 0)
		silent_left(c);
	else
		(void)header_refuse(c, IPC_PROXY_TIMEOUT,
				    draining ? "Its PROXY header was not complete when the worker "
					       "had to end."
				    : is_plain(c)
					? "Its PROXY header was not complete within head-timeout."
					: "Its PROXY header was not complete within "
					  "handshake-timeout.");
	return false;
}

/* --- its bytes -------------------------------------------------------------------------------- */

static void address_take(char to[ADDRESS_TEXT_MAX], const struct network_address *address)
{
	char text[NETWORK_TEXT_MAX];
	const struct network alone = {*address, 128};
	(void)strlcpy(to, network_format(&alone, text), ADDRESS_TEXT_MAX);
}

/* From now on the connection is that of the client that the header names. */
static void header_client(struct conn *c, const struct proxy_header *h)
{
	const struct http_client proxy = c->client;
	show_forget(c);
	address_take(c->client.address, &h->source);
	c->client.number = h->source;
	c->client.port = h->source_port;
	c->client.relayed = true;
	address_take(header_of(c)->reached, &h->destination);
	show_connection(c);
	log_write(&c->owner->log, LOG_DEBUG, "('%s', %u) comes through ('%s', %u)",
		  c->client.address, c->client.port, proxy.address, proxy.port);
}

/* The addresses are known, and the rest of the header is only counted. */
static enum header_result header_skip(struct conn *c)
{
	struct transport_wire *w = &c->owner->wire;
	struct conn_header *header = header_of(c);
	const size_t n = num_least(header->left, w->in_len);
	w->in += n;
	w->in_len -= n;
	c->header_bytes += (uint32_t)n;
	header->left -= (uint32_t)n;
	return header->left == 0 ? header_done(c) : HEADER_AGAIN;
}

static enum header_result header_read(struct conn *c)
{
	const struct transport_wire *w = &c->owner->wire;
	struct conn_header *header = header_of(c);
	struct proxy_header h;
	switch (proxy_header_read(w->in, w->in_len, &h)) {
	case PROXY_HEADER_MORE:
		return HEADER_AGAIN;
	case PROXY_HEADER_NONE:
		return header_refuse(c, IPC_PROXY_MISSING, missing);
	case PROXY_HEADER_BROKEN:
		return header_refuse(c, IPC_PROXY_MALFORMED, h.fault);
	case PROXY_HEADER_OK:
		break;
	}
	if (!h.own)
		header_client(c, &h);
	header->own = h.own;
	header->left = (uint32_t)h.len;
	return header_skip(c);
}

/* The peer is not listed. Its bytes wait in the wire until they cannot become a header. */
static enum header_result header_seek(struct conn *c)
{
	const struct transport_wire *w = &c->owner->wire;
	const enum proxy_header_result result =
	    w->in_len > 0 ? proxy_header_recognize(w->in, w->in_len) : PROXY_HEADER_MORE;
	if (result == PROXY_HEADER_OK)
		return header_refuse(c, IPC_PROXY_UNLISTED, unlisted);
	if (result == PROXY_HEADER_MORE && !w->in_ended && !header_of(c)->own)
		return HEADER_AGAIN;
	return HEADER_DONE;
}

enum header_result header_take(struct conn *c)
{
	const struct conn_header *header = header_of(c);
	if (!header->due)
		return header_seek(c);
	if (c->owner->wire.in_len == 0)
		return HEADER_AGAIN;
	return header->left > 0 ? header_skip(c) : header_read(c);
}

const char *header_reached(const struct conn *c)
{
	if (header_size(c->owner->worker) == 0 || header_of(c)->reached[0] == '\0')
		return NULL;
	return header_of(c)->reached;
}
