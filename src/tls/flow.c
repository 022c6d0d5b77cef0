/*
 * Runs in a worker's loop, on bytes of a client or a server. Must never block, and never use a
 * descriptor: GnuTLS reads from and writes to memory. With GnuTLS's own transport, one request
 * would cost five sends and eight receives.
 */
#include "tls/flow.h"

#include <errno.h>
#include <string.h>

/* The limit of consecutive calls that take nothing from the wire, which happens when one record
 * holds several messages. GnuTLS allows fewer itself; this only ends what would be an endless
 * loop. */
#define IDLE_CALLS_MAX 64

#define RECORD_HEADER             5 /* RFC 8446, 5.1 */
#define RECORD_CHANGE_CIPHER_SPEC 20

#define REFUSALS_MAX 4 /* refused renegotiations per session */

static void incoming_header(struct tls_incoming *r, uint8_t byte)
{
	switch (r->header++) {
	case 0:
		r->type = byte;
		break;
	case 3:
		r->left = (uint16_t)(byte << 8);
		break;
	case 4:
		r->left |= byte;
		if (r->type == RECORD_CHANGE_CIPHER_SPEC && r->left != 1)
			r->misshapen = true;
		break;
	}
}

/* Follows the record boundaries in the bytes that GnuTLS takes. A change_cipher_spec with another
 * value than 1 must end the connection (RFC 8446, 5; RFC 5246, 7.1), but GnuTLS 3.8 ignores its
 * value. */
static void incoming_follow(struct tls_incoming *r, const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t n = 1;
		if (r->header < RECORD_HEADER) {
			incoming_header(r, *data);
		} else {
			n = r->left < len ? r->left : len;
			if (r->type == RECORD_CHANGE_CIPHER_SPEC && *data != 1)
				r->misshapen = true;
			r->left -= (uint16_t)n;
		}
		if (r->header == RECORD_HEADER && r->left == 0)
			r->header = 0;
		data += n;
		len -= n;
	}
}

static ssize_t wire_pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct tls_flow *f = ptr;
	struct transport_wire *w = f->transport.wire;
	if (len > w->in_len)
		len = w->in_len;
	incoming_follow(&f->incoming, w->in, len);
	if (len == 0 || f->incoming.misshapen) {
		f->starved = true;
		f->ended = w->in_ended && w->in_len == 0;
		if (f->ended)
			return 0;
		gnutls_transport_set_errno(f->handle, EAGAIN);
		return -1;
	}
	memcpy(data, w->in, len);
	w->in += len;
	w->in_len -= len;
	return (ssize_t)len;
}

static ssize_t wire_push(gnutls_transport_ptr_t ptr, const giovec_t *iov, int count)
{
	struct tls_flow *f = ptr;
	size_t total = 0;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	uint8_t *to = buf_reserve(&f->transport.wire->out, total);
	if (to == NULL) {
		gnutls_transport_set_errno(f->handle, ENOMEM);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	buf_advance(&f->transport.wire->out, total);
	return (ssize_t)total;
}

void tls_flow_listen(struct tls_flow *f)
{
	gnutls_transport_set_ptr(f->handle, f);
	gnutls_transport_set_pull_function(f->handle, wire_pull);
	gnutls_transport_set_vec_push_function(f->handle, wire_push);
}

struct tls_progress tls_flow_begin(const struct tls_flow *f)
{
	return (struct tls_progress){.in_len = f->transport.wire->in_len};
}

/* A warning comes between records and the session continues; each one costs the peer a record. */
static int is_transient(int result)
{
	return result == GNUTLS_E_INTERRUPTED || result == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

/* RFC 5246, 7.2.2: no_renegotiation is always a warning, and the client may continue as before. The
 * session ends if the client asks too often. */
static bool renegotiation_refuse(struct tls_flow *f)
{
	(void)gnutls_alert_send(f->handle, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
	f->refused = true;
	return ++f->refusals < REFUSALS_MAX;
}

/* GnuTLS keeps a ClientHello that it was not asked to handle, reports it in the next call, and
 * drops it then. */
static bool renegotiation_dropped(struct tls_flow *f)
{
	bool refused = f->refused;
	f->refused = false;
	return refused;
}

/* Should GnuTLS be called again before waiting? It returns AGAIN not only when it lacks bytes, but
 * after each record that does not complete what it waits for: a part of a handshake message (RFC
 * 8446, 5.1), a KeyUpdate. The session waits only after GnuTLS asked for bytes that were not there:
 * no later event announces bytes that are here already. */
bool tls_flow_goes_on(struct tls_flow *f, ssize_t result, struct tls_progress *p)
{
	bool starved = f->starved;
	f->starved = false;
	if (result == GNUTLS_E_REHANDSHAKE)
		return renegotiation_refuse(f);
	if (result == GNUTLS_E_UNEXPECTED_PACKET)
		return renegotiation_dropped(f);
	if (result != GNUTLS_E_AGAIN)
		return result < 0 && is_transient((int)result);
	p->idle = f->transport.wire->in_len < p->in_len ? 0 : p->idle + 1;
	p->in_len = f->transport.wire->in_len;
	return !starved && p->idle < IDLE_CALLS_MAX;
}

bool tls_flow_is_barren(struct tls_flow *f, size_t in_len)
{
	f->barren_bytes += (uint32_t)(in_len - f->transport.wire->in_len);
	return f->barren_bytes > TLS_BARREN_MAX;
}

bool tls_flow_has_told(const struct tls_flow *f, int result)
{
	return result == GNUTLS_E_FATAL_ALERT_RECEIVED ||
	       (result == GNUTLS_E_DECRYPTION_FAILED && f->incoming.type == TLS_RECORD_ALERT &&
		gnutls_protocol_get_version(f->handle) == GNUTLS_TLS1_3);
}

const char *tls_flow_plain_alert(const uint8_t *in, size_t len)
{
	static const uint8_t change_cipher_spec[] = {20, 3, 3, 0, 1, 1};
	static const uint8_t alert[] = {21, 3, 3, 0, 2};
	if (len >= sizeof(change_cipher_spec) &&
	    memcmp(in, change_cipher_spec, sizeof(change_cipher_spec)) == 0) {
		in += sizeof(change_cipher_spec);
		len -= sizeof(change_cipher_spec);
	}
	if (len < sizeof(alert) + 2 || memcmp(in, alert, sizeof(alert)) != 0)
		return NULL;
	return gnutls_alert_get_name((gnutls_alert_description_t)in[6]);
}

enum transport_result tls_flow_write(struct tls_flow *f, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = gnutls_record_send(f->handle, data, len);
		if (n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n < 0)
			return TRANSPORT_FAILED;
		data += n;
		len -= (size_t)n;
	}
	return TRANSPORT_OK;
}
