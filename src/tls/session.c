/*
 * Runs in a worker's loop, on client bytes. Must never block, and never use a descriptor: GnuTLS
 * reads from and writes to memory. With GnuTLS's own transport, one request would cost five sends
 * and eight receives.
 */
#include "tls/session.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "tls/alert.h"
#include "tls/clients_private.h"
#include "tls/context_private.h"
#include "tls/key.h"

#define ALPN_FLAGS (GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE)

/* The limit of consecutive calls that take nothing from the wire, which happens when one record
 * holds several messages. GnuTLS allows fewer itself; this only ends what would be an endless
 * loop. */
#define IDLE_CALLS_MAX 64

#define RECORD_HEADER             5 /* RFC 8446, 5.1 */
#define RECORD_CHANGE_CIPHER_SPEC 20
#define RECORD_ALERT              21

#define REFUSALS_MAX 4 /* refused renegotiations per session */

struct progress {
	size_t in_len;
	unsigned idle;
};

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
	struct tls_session *s = ptr;
	struct transport_wire *w = s->transport.wire;
	if (len > w->in_len)
		len = w->in_len;
	incoming_follow(&s->incoming, w->in, len);
	if (len == 0 || s->incoming.misshapen) {
		s->starved = true;
		s->ended = w->in_ended && w->in_len == 0;
		if (s->ended)
			return 0;
		gnutls_transport_set_errno(s->handle, EAGAIN);
		return -1;
	}
	memcpy(data, w->in, len);
	w->in += len;
	w->in_len -= len;
	return (ssize_t)len;
}

static ssize_t wire_push(gnutls_transport_ptr_t ptr, const giovec_t *iov, int count)
{
	struct tls_session *s = ptr;
	size_t total = 0;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	uint8_t *to = buf_reserve(&s->transport.wire->out, total);
	if (to == NULL) {
		gnutls_transport_set_errno(s->handle, ENOMEM);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	buf_advance(&s->transport.wire->out, total);
	return (ssize_t)total;
}

int tls_session_init(struct tls_session *s, const struct tls_context *c,
		     struct transport_wire *wire)
{
	*s = (struct tls_session){.transport = {.wire = wire}, .context = c};
	if (gnutls_init(&s->handle, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
					GNUTLS_NO_AUTO_SEND_TICKET) < 0)
		return -ENOMEM;
	const struct tls_policy *policy = c->policy;
	if (gnutls_priority_set(s->handle, policy->priority) < 0 ||
	    gnutls_credentials_set(s->handle, GNUTLS_CRD_CERTIFICATE, c->credentials->handle) < 0 ||
	    (policy->protocols_count > 0 &&
	     gnutls_alpn_set_protocols(s->handle, policy->protocols, policy->protocols_count,
				       ALPN_FLAGS) < 0) ||
	    tls_host_listen(s) < 0) {
		tls_session_release(s);
		return -ENOMEM;
	}
	gnutls_certificate_server_set_request(s->handle, GNUTLS_CERT_IGNORE);
	gnutls_transport_set_ptr(s->handle, s);
	gnutls_transport_set_pull_function(s->handle, wire_pull);
	gnutls_transport_set_vec_push_function(s->handle, wire_push);
	return 0;
}

void tls_session_release(struct tls_session *s)
{
	if (s->handle != NULL)
		gnutls_deinit(s->handle);
	free(s->server_name);
	free(s->client);
	s->client = NULL;
	s->handle = NULL;
	s->server_name = NULL;
}

/* A warning comes between records and the session continues; each one costs the peer a record. */
static int is_transient(int result)
{
	return result == GNUTLS_E_INTERRUPTED || result == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

/* RFC 5246, 7.2.2: no_renegotiation is always a warning, and the client may continue as before. The
 * session ends if the client asks too often. */
static bool renegotiation_refuse(struct tls_session *s)
{
	(void)gnutls_alert_send(s->handle, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
	s->refused = true;
	return ++s->refusals < REFUSALS_MAX;
}

/* GnuTLS keeps a ClientHello that it was not asked to handle, reports it in the next call, and
 * drops it then. */
static bool renegotiation_dropped(struct tls_session *s)
{
	bool refused = s->refused;
	s->refused = false;
	return refused;
}

/* Should GnuTLS be called again before waiting? It returns AGAIN not only when it lacks bytes, but
 * after each record that does not complete what it waits for: a part of a handshake message (RFC
 * 8446, 5.1), a KeyUpdate. The session waits only after GnuTLS asked for bytes that were not there:
 * no later event announces bytes that are here already. */
static bool goes_on(struct tls_session *s, ssize_t result, struct progress *p)
{
	bool starved = s->starved;
	s->starved = false;
	if (result == GNUTLS_E_REHANDSHAKE)
		return renegotiation_refuse(s);
	if (result == GNUTLS_E_UNEXPECTED_PACKET)
		return renegotiation_dropped(s);
	if (result != GNUTLS_E_AGAIN)
		return result < 0 && is_transient((int)result);
	p->idle = s->transport.wire->in_len < p->in_len ? 0 : p->idle + 1;
	p->in_len = s->transport.wire->in_len;
	return !starved && p->idle < IDLE_CALLS_MAX;
}

static bool is_barren(struct tls_session *s, size_t in_len)
{
	s->barren_bytes += (uint32_t)(in_len - s->transport.wire->in_len);
	return s->barren_bytes > TLS_BARREN_MAX;
}

/* Did the client send an alert? Under TLS 1.3 some clients send it in the clear where it must be
 * encrypted. */
static bool has_told(const struct tls_session *s, int result)
{
	return result == GNUTLS_E_FATAL_ALERT_RECEIVED ||
	       (result == GNUTLS_E_DECRYPTION_FAILED && s->incoming.type == RECORD_ALERT &&
		gnutls_protocol_get_version(s->handle) == GNUTLS_TLS1_3);
}

/* Sends the peer an alert (RFC 8446, 6.2), unless it is gone or sent one itself. */
static enum transport_result session_fail(struct tls_session *s, int result)
{
	if (!has_told(s, result) && result != GNUTLS_E_PREMATURE_TERMINATION &&
	    result != GNUTLS_E_PUSH_ERROR && result != GNUTLS_E_PULL_ERROR)
		(void)gnutls_alert_send(s->handle, GNUTLS_AL_FATAL, tls_alert_of(s, result));
	return TRANSPORT_FAILED;
}

/*
 * A client that refuses the certificate may say so in the clear (OpenSSL does). GnuTLS expects an
 * encrypted record there and only reports that it cannot decrypt it, but people need the alert.
 * Returns its text, or NULL. The record may follow a change_cipher_spec (RFC 8446, D.4).
 */
static const char *plain_alert(const uint8_t *in, size_t len)
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

static enum ipc_failure failure_kind(const struct tls_session *s, int result)
{
	switch (result) {
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
		return IPC_FAILURE_CLOSED;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return IPC_FAILURE_ALERT;
	case GNUTLS_E_PK_SIGN_FAILED:
		return IPC_FAILURE_KEY;
	case GNUTLS_E_MEMORY_ERROR:
		return IPC_FAILURE_MEMORY;
	}
	if (s->client_fault != TLS_CLIENT_GOOD)
		return IPC_FAILURE_CLIENT;
	switch (tls_alert_of(s, result)) {
	case GNUTLS_A_PROTOCOL_VERSION:
	case GNUTLS_A_INAPPROPRIATE_FALLBACK:
		return IPC_FAILURE_VERSION;
	case GNUTLS_A_HANDSHAKE_FAILURE:
	case GNUTLS_A_NO_APPLICATION_PROTOCOL:
	case GNUTLS_A_UNRECOGNIZED_NAME:
		return IPC_FAILURE_CHOICE;
	case GNUTLS_A_UNEXPECTED_MESSAGE:
	case GNUTLS_A_BAD_RECORD_MAC:
	case GNUTLS_A_RECORD_OVERFLOW:
	case GNUTLS_A_ILLEGAL_PARAMETER:
	case GNUTLS_A_DECODE_ERROR:
	case GNUTLS_A_DECRYPT_ERROR:
	case GNUTLS_A_MISSING_EXTENSION:
		return IPC_FAILURE_MALFORMED;
	default:
		return IPC_FAILURE_OTHER;
	}
}

/* Replaces GnuTLS's words where they would be wrong or say nothing. */
static const char *failure_text(const struct tls_session *s, int result)
{
	const gnutls_alert_description_t alert = tls_alert_of(s, result);
	if (s->client_fault != TLS_CLIENT_GOOD)
		return tls_client_fault_text((enum tls_client_fault)s->client_fault);
	if (alert == GNUTLS_A_MISSING_EXTENSION)
		return "The client's hello lacks an extension that TLS 1.3 needs.";
	if (alert == GNUTLS_A_ILLEGAL_PARAMETER && s->hello.count > 1)
		return "The client's second hello does not match the request for it.";
	switch (result) {
	case GNUTLS_E_UNRECOGNIZED_NAME:
		return "The client asked for a name that this port does not have.";
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
		return "The client closed the connection.";
	case GNUTLS_E_FATAL_ALERT_RECEIVED: /* an alert without a name */
		return "The client sent an unknown alert.";
	case GNUTLS_E_NO_CIPHER_SUITES:
		return s->unsuited ? "The client cannot verify the key of any certificate here."
				   : "The client and this port have no cipher suite in common.";
	case GNUTLS_E_PARSING_ERROR:
	case GNUTLS_E_INVALID_REQUEST:
		return "The client's public value for the key exchange is invalid.";
	}
	return gnutls_strerror(result);
}

static void failure_describe(const struct tls_session *s, int result, const uint8_t *in,
			     size_t in_len, struct transport_failure *ret)
{
	const char *text = NULL;
	*ret = (struct transport_failure){.kind = failure_kind(s, result)};
	if (s->hello.count == 0 && ret->kind != IPC_FAILURE_CLOSED &&
	    tls_first_text(s->first) != NULL) {
		ret->kind = s->first == TLS_FIRST_PROXY ? IPC_FAILURE_PROXY : IPC_FAILURE_MALFORMED;
		text = tls_first_text(s->first);
	} else if (result ==
		   GNUTLS_E_FATAL_ALERT_RECEIVED) { /* GnuTLS says this of warnings, too */
		text = gnutls_alert_get_name(gnutls_alert_get(s->handle));
	} else if (result == GNUTLS_E_DECRYPTION_FAILED) {
		text = plain_alert(in, in_len);
		if (text != NULL)
			ret->kind = IPC_FAILURE_ALERT;
	} else if (result == GNUTLS_E_PK_SIGN_FAILED && s->context->signer != NULL) {
		text = s->context->signer->failure;
	}
	ret->text = text != NULL ? text : failure_text(s, result);
}

static void facts_read(struct tls_session *s)
{
	s->facts = (struct transport_facts){
	    .version = gnutls_protocol_get_name(gnutls_protocol_get_version(s->handle)),
	    .cipher = gnutls_ciphersuite_get(s->handle),
	    .group = gnutls_group_get_name(gnutls_group_get(s->handle)),
	    .server_name = s->server_name,
	    .policy = s->part->number,
	    .client = s->client,
	    .resumed = gnutls_session_is_resumed(s->handle) != 0,
	};
}

/* RFC 8446, 5: change_cipher_spec is dropped, but not before the ClientHello. */
static int handshake_step(struct tls_session *s)
{
	const struct transport_wire *w = s->transport.wire;
	if (s->hello.count == 0 && s->barren_bytes == 0 && w->in_len > 0 && w->in[0] == 20)
		return GNUTLS_E_UNEXPECTED_PACKET;
	return gnutls_handshake(s->handle);
}

enum transport_result tls_session_handshake(struct tls_session *s,
					    struct transport_failure *ret_failure)
{
	const uint8_t *in = s->transport.wire->in;
	size_t in_len = s->transport.wire->in_len;
	struct progress progress = {.in_len = in_len};
	int result;
	do
		result = handshake_step(s);
	while (goes_on(s, result, &progress));
	if (s->incoming.misshapen)
		result = GNUTLS_E_UNEXPECTED_PACKET;
	if (result == GNUTLS_E_AGAIN && is_barren(s, in_len))
		result = GNUTLS_E_HANDSHAKE_TOO_LARGE;
	if (result == GNUTLS_E_AGAIN)
		return TRANSPORT_AGAIN;
	/* GnuTLS has several errors for a message that is cut off, one of them for close_notify. */
	if (result < 0 && (s->ended || result == GNUTLS_E_SESSION_EOF))
		result = GNUTLS_E_PREMATURE_TERMINATION;
	/* GnuTLS asks nobody about a client that has no certificate. */
	if (result == GNUTLS_E_NO_CERTIFICATE_FOUND || result == GNUTLS_E_CERTIFICATE_REQUIRED)
		s->client_fault = TLS_CLIENT_NONE;
	if (result < 0) {
		failure_describe(s, result, in, in_len, ret_failure);
		return session_fail(s, result);
	}
	facts_read(s);
	s->barren_bytes = 0;
	if (s->gives_ticket && gnutls_protocol_get_version(s->handle) == GNUTLS_TLS1_3)
		(void)gnutls_session_ticket_send(s->handle, 1, 0);
	return TRANSPORT_OK;
}

size_t tls_session_protocol(const struct tls_session *s, const char **ret_name)
{
	gnutls_datum_t name;
	if (gnutls_alpn_get_selected_protocol(s->handle, &name) < 0)
		return 0;
	*ret_name = (const char *)name.data;
	return name.size;
}

ssize_t tls_session_read(struct tls_session *s, uint8_t *data, size_t size)
{
	ssize_t n;
	size_t in_len = s->transport.wire->in_len;
	struct progress progress = {.in_len = in_len};
	do
		n = gnutls_record_recv(s->handle, data, size);
	while (goes_on(s, n, &progress));
	if (n >= 0) {
		s->barren_bytes = 0;
		return n;
	}
	if (n == GNUTLS_E_AGAIN && s->incoming.misshapen)
		n = GNUTLS_E_UNEXPECTED_PACKET;
	if (n == GNUTLS_E_AGAIN && is_barren(s, in_len))
		n = GNUTLS_E_TOO_MANY_EMPTY_PACKETS;
	if (n == GNUTLS_E_AGAIN)
		return TRANSPORT_AGAIN;
	/* The transport ended without close_notify. HTTP's own framing shows whether something is
	 * missing (RFC 9112, 9.8). */
	if (n == GNUTLS_E_PREMATURE_TERMINATION)
		return TRANSPORT_CLOSED;
	if (n == GNUTLS_E_REHANDSHAKE) /* only TLS 1.2 has it, and no client needs it */
		return TRANSPORT_FAILED;
	return session_fail(s, (int)n);
}

enum transport_result tls_session_write(struct tls_session *s, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = gnutls_record_send(s->handle, data, len);
		if (n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n < 0)
			return TRANSPORT_FAILED;
		data += n;
		len -= (size_t)n;
	}
	return TRANSPORT_OK;
}

void tls_session_close(struct tls_session *s)
{
	(void)gnutls_bye(s->handle, GNUTLS_SHUT_WR);
}
