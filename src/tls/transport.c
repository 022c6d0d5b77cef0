/*
 * Runs in a worker's loop, on client bytes: a TLS session as the transport of a connection. It
 * makes the session only after the first bytes have come and are TLS, since clients that connect
 * and send nothing, or something else, should cost no memory.
 */
#include "tls/transport.h"

#include "tls/first.h"
#include "tls/session.h"

static struct tls_session *session_of(struct transport *t)
{
	return (struct tls_session *)t;
}

static size_t transport_memory_max(size_t in_max)
{
	return TLS_SESSION_MEMORY_MAX(in_max);
}

static void transport_init(struct transport *t, const void *context, struct transport_wire *wire)
{
	*session_of(t) = (struct tls_session){
	    .flow.transport = {.ops = &transport_tls, .wire = wire}, .context = context};
}

static enum transport_result session_begin(struct tls_session *s, struct transport_failure *ret)
{
	const struct transport_wire *w = s->flow.transport.wire;
	const enum tls_first first = tls_first_of(w->in, w->in_len, w->in_ended);
	if (first == TLS_FIRST_MORE)
		return TRANSPORT_AGAIN;
	if (first == TLS_FIRST_HTTP) {
		*ret = (struct transport_failure){.kind = IPC_FAILURE_MALFORMED,
						  .text = tls_first_text(first),
						  .plain_http = true};
		return TRANSPORT_FAILED;
	}
	const int error = tls_session_init(s, s->context, s->flow.transport.wire);
	s->flow.transport.ops = &transport_tls;
	if (error < 0) {
		*ret = (struct transport_failure){.kind = IPC_FAILURE_MEMORY,
						  .text = "The worker is out of memory."};
		return TRANSPORT_FAILED;
	}
	s->first = first;
	return TRANSPORT_OK;
}

static enum transport_result transport_handshake(struct transport *t, struct transport_failure *ret)
{
	struct tls_session *s = session_of(t);
	enum transport_result result = TRANSPORT_OK;
	if (s->flow.handle == NULL)
		result = session_begin(s, ret);
	return result == TRANSPORT_OK ? tls_session_handshake(s, ret) : result;
}

static ssize_t transport_receive(struct transport *t, uint8_t *data, size_t size)
{
	return tls_session_read(session_of(t), data, size);
}

static enum transport_result transport_send(struct transport *t, const uint8_t *data, size_t len)
{
	return tls_session_write(session_of(t), data, len);
}

static void transport_close(struct transport *t)
{
	tls_session_close(session_of(t));
}

static size_t transport_protocol(const struct transport *t, const char **ret_name)
{
	return tls_session_protocol((const struct tls_session *)t, ret_name);
}

static const struct transport_facts *transport_facts(const struct transport *t)
{
	return &((const struct tls_session *)t)->facts;
}

static void transport_release(struct transport *t)
{
	tls_session_release(session_of(t));
}

const struct transport_ops transport_tls = {
    .size = sizeof(struct tls_session),
    .memory_max = transport_memory_max,
    .init = transport_init,
    .handshake = transport_handshake,
    .receive = transport_receive,
    .send = transport_send,
    .close = transport_close,
    .protocol = transport_protocol,
    .facts = transport_facts,
    .release = transport_release,
};
