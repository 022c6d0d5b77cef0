/*
 * Runs in a worker's loop, on bytes of a server, and in a connector's checks. Must never send a
 * byte of data before the server is verified, take an end that anybody could have made for the
 * server's own, or use a descriptor.
 */
#include "tls/client.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "ipc/slot.h"
#include "tls/client_private.h"
#include "tls/flow.h"
#include "tls/key.h"

#define PROTOCOL "http/1.1"

static struct tls_client_session *session_of(struct transport *t)
{
	return (struct tls_client_session *)t;
}

/* --- why it failed ---------------------------------------------------------------------------- */

/* The alerts by which a server says what it thinks of a client's certificate. */
static const char *certificate_alert(int alert, bool shown)
{
	switch (alert) {
	case GNUTLS_A_CERTIFICATE_REQUIRED:
		return "it requires a certificate from its clients";
	case GNUTLS_A_BAD_CERTIFICATE:
	case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
	case GNUTLS_A_CERTIFICATE_REVOKED:
	case GNUTLS_A_CERTIFICATE_EXPIRED:
	case GNUTLS_A_CERTIFICATE_UNKNOWN:
	case GNUTLS_A_UNKNOWN_CA:
	case GNUTLS_A_ACCESS_DENIED:
		return shown ? "it refuses the certificate that it was shown"
			     : "it refuses clients without a certificate";
	case GNUTLS_A_PROTOCOL_VERSION:
		return "it has neither TLS 1.3 nor 1.2";
	case GNUTLS_A_UNRECOGNIZED_NAME:
		return "it does not know the name that it was asked for";
	case GNUTLS_A_NO_APPLICATION_PROTOCOL:
		return "it does not speak HTTP/1.1";
	case GNUTLS_A_HANDSHAKE_FAILURE:
		return shown ? "it has no version, cipher or key in common, or refuses the "
			       "certificate that it was shown"
			     : "it has no version, cipher or key in common, or requires a "
			       "certificate from its clients";
	default:
		return "it has ended the session";
	}
}

static void alert_tell(const struct tls_client_session *s, gnutls_alert_description_t alert,
		       struct text *t)
{
	const char *name = gnutls_alert_get_strname(alert);
	text_add_str(t, certificate_alert((int)alert, s->peer->context->key != NULL));
	if (name != NULL)
		text_addf(t, " (alert %s)", name + (strncmp(name, "GNUTLS_A_", 9) == 0 ? 9 : 0));
	else
		text_addf(t, " (alert %d)", (int)alert);
}

static bool is_http(const uint8_t *in, size_t len)
{
	return len >= 5 && memcmp(in, "HTTP/", 5) == 0;
}

/* NULL: GnuTLS's own words. */
static const char *error_text(const struct tls_client_session *s, int result)
{
	const struct tls_signer *signer = s->peer->context->signer;
	switch (result) {
	case GNUTLS_E_PREMATURE_TERMINATION:
		return s->complete   ? "the connection ended without the end of its TLS session "
				       "(close_notify)"
		       : s->answered ? "the connection ended in the middle of the TLS handshake"
				     : "it closed the connection instead of a TLS handshake";
	case GNUTLS_E_MEMORY_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		return "the worker is out of memory";
	case GNUTLS_E_PK_SIGN_FAILED:
		return signer != NULL && signer->failure != NULL ? signer->failure
								 : "the key cannot be used";
	case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
		return "it has neither TLS 1.3 nor 1.2";
	case GNUTLS_E_HANDSHAKE_TOO_LARGE:
	case GNUTLS_E_TOO_MANY_EMPTY_PACKETS:
	case GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS:
		return "it sends TLS messages without end";
	case GNUTLS_E_REHANDSHAKE:
		return "it wants to renegotiate again and again";
	case GNUTLS_E_PK_SIG_VERIFY_FAILED:
		return "it does not have the key of its certificate";
	}
	return NULL;
}

static void failure_describe(struct tls_client_session *s, int result, const uint8_t *in,
			     size_t in_len)
{
	struct text t;
	if (s->why[0] != '\0') /* it is about the certificate */
		return;
	text_init(&t, s->why, sizeof(s->why));
	if (result == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		alert_tell(s, gnutls_alert_get(s->flow.handle), &t);
		return;
	}
	const char *plain =
	    result == GNUTLS_E_DECRYPTION_FAILED ? tls_flow_plain_alert(in, in_len) : NULL;
	const char *text = error_text(s, result);
	if (plain != NULL)
		text_addf(&t, "it has ended the session (alert %s)", plain);
	else if (text != NULL)
		text_add_str(&t, text);
	else
		text_addf(&t, "the TLS %s failed: %s", s->complete ? "session" : "handshake",
			  gnutls_strerror(result));
}

/* Sends the server an alert (RFC 8446, 6.2), unless it is gone or has sent one itself. */
static void alert_send(struct tls_client_session *s, int result)
{
	if (tls_flow_has_told(&s->flow, result) || result == GNUTLS_E_PREMATURE_TERMINATION ||
	    result == GNUTLS_E_PUSH_ERROR || result == GNUTLS_E_PULL_ERROR)
		return;
	const int alert = s->alert >= 0 ? s->alert : gnutls_error_to_alert(result, NULL);
	(void)gnutls_alert_send(s->flow.handle, GNUTLS_AL_FATAL, (gnutls_alert_description_t)alert);
}

/* --- beginning -------------------------------------------------------------------------------- */

/* A ticket of TLS 1.3 comes with or after the first data, and each one is another session. */
static int ticket_come(struct tls_client_session *s)
{
	gnutls_datum_t data = {0};
	if (s->tickets++ >= TLS_CLIENT_TICKETS_SENT_MAX) {
		s->tickets = TLS_CLIENT_TICKETS_SENT_MAX;
		return 0;
	}
	if (gnutls_session_get_data2(s->flow.handle, &data) >= 0)
		tls_client_known_add(s->peer->known, &data, time(NULL), s->until, true);
	return 0;
}

/* GnuTLS calls this for each message of a handshake, before and after it reads it. */
static int message_hook(gnutls_session_t handle, unsigned type, unsigned when, unsigned incoming,
			const gnutls_datum_t *message)
{
	struct tls_client_session *s = gnutls_session_get_ptr(handle);
	if (!incoming)
		return 0;
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && when == GNUTLS_HOOK_PRE)
		return tls_client_trust_admit(s, message);
	if (type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET && when == GNUTLS_HOOK_POST &&
	    gnutls_protocol_get_version(handle) == GNUTLS_TLS1_3)
		return ticket_come(s);
	return 0;
}

static int session_fill(struct tls_client_session *s)
{
	static const gnutls_datum_t protocol = {(unsigned char *)PROTOCOL, sizeof(PROTOCOL) - 1};
	const struct tls_client_peer *p = s->peer;
	int error = gnutls_priority_set(s->flow.handle, p->context->policy->priority);
	if (error >= 0)
		error = gnutls_credentials_set(s->flow.handle, GNUTLS_CRD_CERTIFICATE,
					       p->context->credentials);
	if (error >= 0)
		error = gnutls_alpn_set_protocols(s->flow.handle, &protocol, 1, 0);
	if (error >= 0 && p->address_len == 0)
		error = gnutls_server_name_set(s->flow.handle, GNUTLS_NAME_DNS, p->name,
					       strlen(p->name));
	return error;
}

static int session_begin(struct tls_client_session *s)
{
	int error =
	    gnutls_init(&s->flow.handle, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (error < 0) {
		s->flow.handle = NULL;
		return error;
	}
	error = session_fill(s);
	if (error < 0)
		return error;
	gnutls_session_set_ptr(s->flow.handle, s);
	gnutls_handshake_set_hook_function(s->flow.handle, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH,
					   message_hook);
	tls_flow_listen(&s->flow);
	s->until = tls_client_known_use(s->peer->known, s->flow.handle, time(NULL));
	return 0;
}

static void client_init(struct transport *t, const void *context, struct transport_wire *wire)
{
	*session_of(t) = (struct tls_client_session){
	    .flow.transport = {.ops = &transport_tls_client, .wire = wire},
	    .peer = context,
	    .alert = -1};
}

/* --- the handshake ---------------------------------------------------------------------------- */

static void facts_read(struct tls_client_session *s)
{
	gnutls_session_t h = s->flow.handle;
	s->facts = (struct transport_facts){
	    .version = gnutls_protocol_get_name(gnutls_protocol_get_version(h)),
	    .cipher = gnutls_ciphersuite_get(h),
	    .group = gnutls_group_get_name(gnutls_group_get(h)),
	    .server_name = s->peer->address_len == 0 ? s->peer->name : NULL,
	    .resumed = gnutls_session_is_resumed(h) != 0,
	};
}

/* GnuTLS takes whatever protocol the server names (RFC 7301, 3.2: one of those offered). */
static int protocol_check(struct tls_client_session *s)
{
	gnutls_datum_t name;
	struct text t;
	if (gnutls_alpn_get_selected_protocol(s->flow.handle, &name) < 0 ||
	    (name.size == sizeof(PROTOCOL) - 1 &&
	     memcmp(name.data, PROTOCOL, sizeof(PROTOCOL) - 1) == 0))
		return 0;
	text_init(&t, s->why, sizeof(s->why));
	text_add_str(&t, "it has chosen another protocol than HTTP/1.1: \"");
	text_add_utf8(&t, (const char *)name.data, name.size < 32 ? name.size : 32);
	text_add_str(&t, "\"");
	s->alert = GNUTLS_A_ILLEGAL_PARAMETER;
	return GNUTLS_E_APPLICATION_ERROR_MIN;
}

static void session_keep(struct tls_client_session *s)
{
	gnutls_datum_t data = {0};
	s->peer->known->handshakes++;
	s->peer->known->resumed += s->facts.resumed;
	if (gnutls_protocol_get_version(s->flow.handle) == GNUTLS_TLS1_3 || s->facts.resumed)
		return;
	if (gnutls_session_get_data2(s->flow.handle, &data) >= 0)
		tls_client_known_add(s->peer->known, &data, time(NULL), s->until, false);
}

/* A ticket that the server has not taken has no part in how long this session counts: that is the
 * certificate's, which tls_client_trust_verify() has set. */
static int handshake_end(struct tls_client_session *s)
{
	const int error = protocol_check(s);
	if (error < 0)
		return error;
	facts_read(s);
	session_keep(s);
	s->complete = true;
	s->flow.barren_bytes = 0;
	return 0;
}

/* A renegotiation was refused; nothing of it is left to be dropped in a client. */
static bool goes_on(struct tls_client_session *s, ssize_t result, struct tls_progress *p)
{
	const bool more = tls_flow_goes_on(&s->flow, result, p);
	s->flow.refused = false;
	return more;
}

/* GnuTLS has several errors for a message that is cut off, one of them for close_notify. */
static bool is_cut(const struct tls_client_session *s, int result)
{
	return s->why[0] == '\0' && result != GNUTLS_E_FATAL_ALERT_RECEIVED &&
	       (s->flow.ended || result == GNUTLS_E_SESSION_EOF);
}

static int handshake_run(struct tls_client_session *s, size_t in_len)
{
	struct tls_progress progress = tls_flow_begin(&s->flow);
	int result;
	do
		result = gnutls_handshake(s->flow.handle);
	while (goes_on(s, result, &progress));
	if (s->flow.incoming.misshapen)
		return GNUTLS_E_UNEXPECTED_PACKET;
	if (result == GNUTLS_E_AGAIN && tls_flow_is_barren(&s->flow, in_len))
		return GNUTLS_E_HANDSHAKE_TOO_LARGE;
	if (result < 0 && result != GNUTLS_E_AGAIN && is_cut(s, result))
		return GNUTLS_E_PREMATURE_TERMINATION;
	return result < 0 ? result : handshake_end(s);
}

static enum transport_result client_handshake(struct transport *t, struct transport_failure *ret)
{
	struct tls_client_session *s = session_of(t);
	const struct transport_wire *w = s->flow.transport.wire;
	const uint8_t *in = w->in;
	const size_t in_len = w->in_len;
	int result = s->flow.handle == NULL ? session_begin(s) : 0;
	if (result >= 0 && !s->answered && is_http(in, in_len)) {
		(void)strlcpy(s->why, "it speaks plain HTTP, not TLS", sizeof(s->why));
		result = GNUTLS_E_PULL_ERROR;
	}
	s->answered = s->answered || in_len > 0;
	if (result >= 0)
		result = handshake_run(s, in_len);
	if (result >= 0)
		return TRANSPORT_OK;
	if (result == GNUTLS_E_AGAIN)
		return TRANSPORT_AGAIN;
	failure_describe(s, result, in, in_len);
	if (s->flow.handle != NULL)
		alert_send(s, result);
	*ret = (struct transport_failure){
	    .kind = IPC_FAILURE_OTHER,
	    .text = s->why,
	};
	return TRANSPORT_FAILED;
}

/* --- data ------------------------------------------------------------------------------------- */

static ssize_t client_receive(struct transport *t, uint8_t *data, size_t size)
{
	struct tls_client_session *s = session_of(t);
	const uint8_t *in = s->flow.transport.wire->in;
	const size_t in_len = s->flow.transport.wire->in_len;
	struct tls_progress progress = tls_flow_begin(&s->flow);
	ssize_t n;
	if (s->why[0] != '\0')
		return TRANSPORT_FAILED;
	do
		n = gnutls_record_recv(s->flow.handle, data, size);
	while (goes_on(s, n, &progress));
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
	if (is_cut(s, (int)n))
		n = GNUTLS_E_PREMATURE_TERMINATION;
	failure_describe(s, (int)n, in, in_len);
	alert_send(s, (int)n);
	return TRANSPORT_FAILED;
}

static enum transport_result client_send(struct transport *t, const uint8_t *data, size_t len)
{
	struct tls_client_session *s = session_of(t);
	const enum transport_result result = tls_flow_write(&s->flow, data, len);
	if (result != TRANSPORT_OK)
		failure_describe(s, GNUTLS_E_MEMORY_ERROR, NULL, 0);
	return result;
}

static void client_close(struct transport *t)
{
	(void)gnutls_bye(session_of(t)->flow.handle, GNUTLS_SHUT_WR);
}

static size_t client_protocol(const struct transport *t, const char **ret_name)
{
	const struct tls_client_session *s = (const struct tls_client_session *)t;
	gnutls_datum_t name;
	if (gnutls_alpn_get_selected_protocol(s->flow.handle, &name) < 0)
		return 0;
	*ret_name = (const char *)name.data;
	return name.size;
}

static const struct transport_facts *client_facts(const struct transport *t)
{
	return &((const struct tls_client_session *)t)->facts;
}

static const char *client_failure(const struct transport *t)
{
	return ((const struct tls_client_session *)t)->why;
}

static size_t client_memory_max(size_t in_max)
{
	return TLS_SESSION_MEMORY_MAX(in_max);
}

static void client_release(struct transport *t)
{
	struct tls_client_session *s = session_of(t);
	if (s->flow.handle != NULL)
		gnutls_deinit(s->flow.handle);
	s->flow.handle = NULL;
}

const struct transport_ops transport_tls_client = {
    .size = sizeof(struct tls_client_session),
    .memory_max = client_memory_max,
    .init = client_init,
    .handshake = client_handshake,
    .receive = client_receive,
    .send = client_send,
    .close = client_close,
    .protocol = client_protocol,
    .facts = client_facts,
    .failure = client_failure,
    .release = client_release,
};
