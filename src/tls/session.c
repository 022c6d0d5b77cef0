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
#include "tls/flow.h"
#include "tls/key.h"

#define ALPN_FLAGS (GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE)

int tls_session_init(struct tls_session *s, const struct tls_context *c,
		     struct transport_wire *wire)
{
	*s = (struct tls_session){.flow.transport.wire = wire, .context = c};
	if (gnutls_init(&s->flow.handle, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
					     GNUTLS_NO_AUTO_SEND_TICKET) < 0)
		return -ENOMEM;
	const struct tls_policy *policy = c->policy;
	if (gnutls_priority_set(s->flow.handle, policy->priority) < 0 ||
	    gnutls_credentials_set(s->flow.handle, GNUTLS_CRD_CERTIFICATE, c->credentials->handle) <
		0 ||
	    (policy->protocols_count > 0 &&
	     gnutls_alpn_set_protocols(s->flow.handle, policy->protocols, policy->protocols_count,
				       ALPN_FLAGS) < 0) ||
	    tls_host_listen(s) < 0) {
		tls_session_release(s);
		return -ENOMEM;
	}
	gnutls_certificate_server_set_request(s->flow.handle, GNUTLS_CERT_IGNORE);
	tls_flow_listen(&s->flow);
	return 0;
}

void tls_session_release(struct tls_session *s)
{
	if (s->flow.handle != NULL)
		gnutls_deinit(s->flow.handle);
	free(s->server_name);
	free(s->client);
	s->client = NULL;
	s->flow.handle = NULL;
	s->server_name = NULL;
}

/* Sends the peer an alert (RFC 8446, 6.2), unless it is gone or sent one itself. */
static enum transport_result session_fail(struct tls_session *s, int result)
{
	if (!tls_flow_has_told(&s->flow, result) && result != GNUTLS_E_PREMATURE_TERMINATION &&
	    result != GNUTLS_E_PUSH_ERROR && result != GNUTLS_E_PULL_ERROR)
		(void)gnutls_alert_send(s->flow.handle, GNUTLS_AL_FATAL, tls_alert_of(s, result));
	return TRANSPORT_FAILED;
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
		text = gnutls_alert_get_name(gnutls_alert_get(s->flow.handle));
	} else if (result == GNUTLS_E_DECRYPTION_FAILED) {
		text = tls_flow_plain_alert(in, in_len);
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
	    .version = gnutls_protocol_get_name(gnutls_protocol_get_version(s->flow.handle)),
	    .cipher = gnutls_ciphersuite_get(s->flow.handle),
	    .group = gnutls_group_get_name(gnutls_group_get(s->flow.handle)),
	    .server_name = s->server_name,
	    .policy = s->part->number,
	    .client = s->client,
	    .resumed = gnutls_session_is_resumed(s->flow.handle) != 0,
	};
}

/* RFC 8446, 5: change_cipher_spec is dropped, but not before the ClientHello. */
static int handshake_step(struct tls_session *s)
{
	const struct transport_wire *w = s->flow.transport.wire;
	if (s->hello.count == 0 && s->flow.barren_bytes == 0 && w->in_len > 0 && w->in[0] == 20)
		return GNUTLS_E_UNEXPECTED_PACKET;
	return gnutls_handshake(s->flow.handle);
}

enum transport_result tls_session_handshake(struct tls_session *s,
					    struct transport_failure *ret_failure)
{
	const uint8_t *in = s->flow.transport.wire->in;
	size_t in_len = s->flow.transport.wire->in_len;
	struct tls_progress progress = tls_flow_begin(&s->flow);
	int result;
	do
		result = handshake_step(s);
	while (tls_flow_goes_on(&s->flow, result, &progress));
	if (s->flow.incoming.misshapen)
		result = GNUTLS_E_UNEXPECTED_PACKET;
	if (result == GNUTLS_E_AGAIN && tls_flow_is_barren(&s->flow, in_len))
		result = GNUTLS_E_HANDSHAKE_TOO_LARGE;
	if (result == GNUTLS_E_AGAIN)
		return TRANSPORT_AGAIN;
	/* GnuTLS has several errors for a message that is cut off, one of them for close_notify. */
	if (result < 0 && (s->flow.ended || result == GNUTLS_E_SESSION_EOF))
		result = GNUTLS_E_PREMATURE_TERMINATION;
	/* GnuTLS asks nobody about a client that has no certificate. */
	if (result == GNUTLS_E_NO_CERTIFICATE_FOUND || result == GNUTLS_E_CERTIFICATE_REQUIRED)
		s->client_fault = TLS_CLIENT_NONE;
	if (result < 0) {
		failure_describe(s, result, in, in_len, ret_failure);
		return session_fail(s, result);
	}
	facts_read(s);
	s->flow.barren_bytes = 0;
	if (s->gives_ticket && gnutls_protocol_get_version(s->flow.handle) == GNUTLS_TLS1_3)
		(void)gnutls_session_ticket_send(s->flow.handle, 1, 0);
	return TRANSPORT_OK;
}

size_t tls_session_protocol(const struct tls_session *s, const char **ret_name)
{
	gnutls_datum_t name;
	if (gnutls_alpn_get_selected_protocol(s->flow.handle, &name) < 0)
		return 0;
	*ret_name = (const char *)name.data;
	return name.size;
}

ssize_t tls_session_read(struct tls_session *s, uint8_t *data, size_t size)
{
	ssize_t n;
	size_t in_len = s->flow.transport.wire->in_len;
	struct tls_progress progress = tls_flow_begin(&s->flow);
	do
		n = gnutls_record_recv(s->flow.handle, data, size);
	while (tls_flow_goes_on(&s->flow, n, &progress));
	if (n >= 0) {
		s->flow.barren_bytes = 0;
		return n;
	}
	if (n == GNUTLS_E_AGAIN && s->flow.incoming.misshapen)
		n = GNUTLS_E_UNEXPECTED_PACKET;
	if (n == GNUTLS_E_AGAIN && tls_flow_is_barren(&s->flow, in_len))
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
	return tls_flow_write(&s->flow, data, len);
}

void tls_session_close(struct tls_session *s)
{
	(void)gnutls_bye(s->flow.handle, GNUTLS_SHUT_WR);
}
