/*
 * Runs in a worker's loop, on client bytes, in the middle of a handshake. Must never refuse a
 * client because of the form of the name that it requests.
 */
#include "tls/host.h"

#include <stdlib.h>
#include <string.h>

#include "tls/clients_private.h"
#include "tls/context_private.h"
#include "tls/hello.h"
#include "tls/session.h"
#include "tls/tickets.h"

/* --- the name -------------------------------------------------------------------------------- */

/* Of a ServerNameList (RFC 6066, 3) only a malformed one is refused (RFC 8446, 6.2). */
static int name_check(const uint8_t *data, size_t len)
{
	if (len < 2 || ((size_t)data[0] << 8 | data[1]) != len - 2 || len == 2)
		return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
	for (data += 2, len -= 2; len > 0;) {
		size_t size = len < 3 ? 0 : (size_t)data[1] << 8 | data[2];
		if (len < 3 || size > len - 3)
			return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		data += 3 + size;
		len -= 3 + size;
	}
	return 0;
}

static int name_receive(gnutls_session_t handle, const unsigned char *data, size_t len)
{
	(void)handle;
	return name_check(data, len);
}

/* No host has an empty name, a longer one, or one with such a byte: it is as if there were none. */
static bool name_is_kept(const struct tls_hello *h)
{
	return h->host != NULL && h->host_len > 0 && h->host_len <= TLS_NAME_MAX &&
	       memchr(h->host, '\0', h->host_len) == NULL;
}

static bool name_is(const struct tls_session *s, const struct tls_hello *h)
{
	const char *kept = s->server_name;
	if (!name_is_kept(h))
		return kept == NULL;
	return kept != NULL && strlen(kept) == h->host_len &&
	       memcmp(kept, h->host, h->host_len) == 0;
}

/* After a HelloRetryRequest the client repeats its hello, name included (RFC 8446, 4.1.2). With
 * another name it could resume the session of one host on a connection to another. */
static int name_keep(struct tls_session *s, const struct tls_hello *h)
{
	if (h->count > 1)
		return name_is(s, h) ? 0 : GNUTLS_E_INVALID_REQUEST;
	if (!name_is_kept(h))
		return 0;
	s->server_name = strndup((const char *)h->host, h->host_len);
	return s->server_name == NULL ? GNUTLS_E_MEMORY_ERROR : 0;
}

/* --- the choice ------------------------------------------------------------------------------ */

static const struct tls_identity *name_choose(const struct tls_session *s, const char *name)
{
	const struct tls_hosts *hosts = &s->context->credentials->hosts;
	const uint32_t part = (uint32_t)(s->part - hosts->parts);
	const struct tls_name *found;
	const size_t count = tls_names_find(&hosts->certificates, part, name, &found);
	for (size_t i = 0; i < count; i++)
		if (tls_identity_fits(&hosts->all[found[i].value], s))
			return &hosts->all[found[i].value];
	return NULL;
}

static const struct tls_identity *host_choose(const struct tls_session *s)
{
	char name[TLS_NAME_MAX + 1], wildcard[TLS_NAME_MAX + 1];
	const struct tls_hosts *hosts = &s->context->credentials->hosts;
	const struct tls_identity *h = NULL;
	if (hosts->count > 1 && s->server_name != NULL &&
	    tls_name_fold(s->server_name, strlen(s->server_name), name)) {
		h = name_choose(s, name);
		if (h == NULL && tls_name_wildcard(name, wildcard))
			h = name_choose(s, wildcard);
	}
	for (uint32_t i = 0; i < s->part->firsts_count && h == NULL; i++)
		if (tls_identity_fits(&hosts->all[s->part->firsts[i]], s))
			h = &hosts->all[s->part->firsts[i]];
	return h;
}

/* GnuTLS calls this once per handshake that needs a certificate, or once per cipher suite after a
 * refusal. */
static int host_retrieve(gnutls_session_t handle, const struct gnutls_cert_retr_st *info,
			 gnutls_pcert_st **chain, unsigned *chain_count, gnutls_ocsp_data_st **ocsp,
			 unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
	struct tls_session *s = gnutls_session_get_ptr(handle);
	(void)info;
	const struct tls_context *c = s->context;
	const struct tls_identity *h = host_choose(s);
	s->unsuited = h == NULL;
	if (h == NULL)
		return GNUTLS_E_INSUFFICIENT_CREDENTIALS;
	*chain = h->chain;
	*chain_count = h->chain_count;
	*key = c->keys != NULL ? c->keys[h - c->credentials->hosts.all] : h->key;
	*ocsp = NULL;
	*ocsp_count = 0;
	*flags = 0; /* GnuTLS must free nothing of it: context and credentials own it */
	return 0;
}

void tls_host_choose_from(gnutls_certificate_credentials_t credentials)
{
	gnutls_certificate_set_retrieve_function3(credentials, host_retrieve);
}

/* Is it a name that a certificate has? */
static bool name_is_certified(const struct tls_hosts *hosts, const char *name)
{
	const struct tls_name *found;
	return tls_names_find(&hosts->certificates, 0, name, &found) > 0;
}

/* Finds the part of the host that has the name; NULL: no host has it. In a port with one host, the
 * names are those in its certificates. */
static const struct tls_part *name_part(const struct tls_hosts *hosts, const char *name)
{
	const struct tls_name *found;
	if (tls_names_find(&hosts->names, 0, name, &found) > 0)
		return &hosts->parts[found->value];
	return hosts->names.count == 0 && name_is_certified(hosts, name) ? hosts->parts : NULL;
}

static const struct tls_part *host_part(const struct tls_hosts *hosts, const void *name, size_t len)
{
	char folded[TLS_NAME_MAX + 1], wildcard[TLS_NAME_MAX + 1];
	const struct tls_part *part = NULL;
	if (!tls_name_fold(name, len, folded))
		return NULL;
	part = name_part(hosts, folded);
	if (part == NULL && tls_name_wildcard(folded, wildcard))
		part = name_part(hosts, wildcard);
	return part;
}

/* Any name is accepted, in whatever form, unless the port refuses those that it does not know. */
static int part_choose(struct tls_session *s)
{
	const struct tls_hosts *hosts = s->context->hosts;
	const struct tls_part *part = NULL;
	if (s->hello.host != NULL)
		part = host_part(hosts, s->hello.host, s->hello.host_len);
	s->part = part != NULL ? part : hosts->parts;
	return part == NULL && s->hello.host != NULL && hosts->refuses ? GNUTLS_E_UNRECOGNIZED_NAME
								       : 0;
}

/* A client asks for no name if it was given an address (RFC 6066, 3). If a host is named by that
 * address, it is as if the client had asked for it. */
static int address_choose(struct tls_session *s, char address[ADDRESS_TEXT_MAX])
{
	const struct tls_hosts *hosts = s->context->hosts;
	const struct transport_wire *w = s->flow.transport.wire;
	if (s->hello.host == NULL && hosts->has_addresses && w->local_address != NULL &&
	    w->local_address(w->connection, address) == 0 &&
	    host_part(hosts, address, strlen(address)) != NULL) {
		s->hello.host = (const uint8_t *)address;
		s->hello.host_len = strlen(address);
	}
	return part_choose(s);
}

static int hello_come(struct tls_session *s, const gnutls_datum_t *message)
{
	char address[ADDRESS_TEXT_MAX];
	tls_hello_read(&s->hello, &s->context->policy->offer, message->data, message->size);
	int error = name_keep(s, &s->hello);
	if (error >= 0)
		error = address_choose(s, address);
	if (error >= 0)
		error = tls_clients_ask(s);
	if (error >= 0 && s->hello.count == 1)
		error = tls_tickets_enable(s);
	s->hello.host = NULL; /* it pointed into the message */
	return error;
}

/* GnuTLS calls this for each message of the handshake, before it reads it. */
static int message_hook(gnutls_session_t handle, unsigned type, unsigned when, unsigned incoming,
			const gnutls_datum_t *message)
{
	struct tls_session *s = gnutls_session_get_ptr(handle);
	(void)when;
	if (incoming && type == GNUTLS_HANDSHAKE_CLIENT_HELLO)
		return hello_come(s, message);
	if (incoming && type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT)
		return tls_clients_admit(s, message);
	return 0;
}

static int extension_ignore(gnutls_session_t handle, const unsigned char *data, size_t len)
{
	(void)handle;
	(void)data;
	(void)len;
	return 0;
}

static int extension_silent(gnutls_session_t handle, gnutls_buffer_t data)
{
	(void)handle;
	(void)data;
	return 0;
}

/*
 * Extensions that GnuTLS parses itself, more strictly than this server needs: it would end the
 * handshake for a name with an underscore, for example. GnuTLS does not allow them to be replaced
 * by their numbers, but it compares the number as an int and then keeps its lower 16 bits. In a
 * version of GnuTLS that behaves otherwise, its own parser runs as before and only the leniency is
 * lost.
 */
#define EXTENSION_REPLACED(number) (0x10000 | (number))

static const struct {
	int number;
	const char *name;
	gnutls_ext_recv_func receive;
	gnutls_ext_parse_type_t when;
} extensions[] = {
    {0, "server_name", name_receive, GNUTLS_EXT_MANDATORY},
    {5, "status_request", extension_ignore, GNUTLS_EXT_TLS}, /* there is never an OCSP response */
    {12, "srp", extension_ignore, GNUTLS_EXT_TLS},
    {22, "encrypt_then_mac", extension_ignore, GNUTLS_EXT_TLS}, /* for CBC only, RFC 7366 */
};

int tls_host_listen(struct tls_session *s)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (gnutls_session_ext_register(
			s->flow.handle, extensions[i].name,
			EXTENSION_REPLACED(extensions[i].number), extensions[i].when,
			extensions[i].receive, extension_silent, NULL, NULL, NULL,
			GNUTLS_EXT_FLAG_CLIENT_HELLO) == GNUTLS_E_MEMORY_ERROR)
			return GNUTLS_E_MEMORY_ERROR;
	s->part = s->context->hosts->parts;
	gnutls_session_set_ptr(s->flow.handle, s);
	gnutls_handshake_set_hook_function(s->flow.handle, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
					   message_hook);
	return 0;
}
