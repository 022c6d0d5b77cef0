/* Runs in a worker's loop, in the middle of a handshake. Must never leave a key on the stack. */
#include "tls/tickets.h"

#include <gnutls/crypto.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ipc/tickets.h"
#include "tls/context_private.h"
#include "tls/hello.h"

#define SECRET_BYTES 64 /* of SHA3-512 */
/* A derived key of GnuTLS is used for three lifetimes of a ticket, and the one before it is still
 * accepted. */
#define LIFETIMES 3

/*
 * A ticket begins with the name of its key. GnuTLS derives both from the master key and the number
 * of the period (lib/stek.c): the name is the first part of SHA3-512(number, key). If a version of
 * GnuTLS did this otherwise, sessions with a former key would not be resumed, and
 * tests/unit/test_tls_tickets.c would fail; nothing worse.
 */
static bool is_of_period(const uint8_t name[TLS_TICKET_NAME_BYTES], uint64_t period,
			 const uint8_t key[IPC_TICKET_KEY_BYTES])
{
	uint8_t input[8 + IPC_TICKET_KEY_BYTES], secret[SECRET_BYTES];
	for (int i = 7; i >= 0; i--, period >>= 8)
		input[i] = (uint8_t)period;
	memcpy(input + 8, key, IPC_TICKET_KEY_BYTES);
	bool is = gnutls_hash_fast(GNUTLS_DIG_SHA3_512, input, sizeof(input), secret) >= 0 &&
		  memcmp(secret, name, TLS_TICKET_NAME_BYTES) == 0;
	explicit_bzero(input, sizeof(input));
	explicit_bzero(secret, sizeof(secret));
	return is;
}

static bool is_of_key(const struct tls_hello *h, uint64_t lifetime_s,
		      const uint8_t key[IPC_TICKET_KEY_BYTES])
{
	const uint64_t period = (uint64_t)time(NULL) / (lifetime_s * LIFETIMES);
	return is_of_period(h->ticket_name, period, key) ||
	       is_of_period(h->ticket_name, period - 1, key);
}

/* Names are compared without regard to case, and with or without the final dot (RFC 4343). */
static int key_bind(uint8_t key[IPC_TICKET_KEY_BYTES], const struct tls_hello *h)
{
	uint8_t bound[IPC_TICKET_KEY_BYTES], name[256];
	size_t len = h->host == NULL ? 0 : h->host_len;
	if (len > 0 && h->host[len - 1] == '.')
		len--;
	if (len > sizeof(name)) /* longer than any host name */
		len = sizeof(name);
	for (size_t i = 0; i < len; i++) {
		const uint8_t c = h->host[i];
		name[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
	}
	_Static_assert(IPC_TICKET_KEY_BYTES == 64, "as long as a SHA-512");
	int error =
	    gnutls_hmac_fast(GNUTLS_MAC_SHA512, key, IPC_TICKET_KEY_BYTES, name, len, bound);
	if (error >= 0)
		memcpy(key, bound, sizeof(bound));
	explicit_bzero(bound, sizeof(bound));
	return error;
}

static int key_for(const struct tls_session *s, uint8_t key[IPC_TICKET_KEY_BYTES])
{
	const bool tls13 = (s->hello.extensions & HELLO_SUPPORTED_VERSIONS) != 0;
	return tls13 && s->context->credentials->hosts.count <= 1 ? 0 : key_bind(key, &s->hello);
}

static bool former_is_used(const struct tls_session *s, struct ipc_ticket_keys *keys)
{
	return s->hello.has_ticket && key_for(s, keys->previous) >= 0 &&
	       is_of_key(&s->hello, s->context->tickets_s, keys->previous);
}

static int enable(struct tls_session *s, const uint8_t *key)
{
	const gnutls_datum_t datum = {(unsigned char *)(uintptr_t)key, IPC_TICKET_KEY_BYTES};
	return gnutls_session_ticket_enable_server(s->flow.handle, &datum);
}

int tls_tickets_enable(struct tls_session *s)
{
	const struct tls_context *c = s->context;
	struct ipc_ticket_keys keys;
	/* With a client's certificate each session is verified as a whole: it may be revoked by
	 * now. */
	if (c->tickets == NULL || c->tickets_s == 0 || s->part->clients != NULL)
		return 0;
	gnutls_db_set_cache_expiration(s->flow.handle, (int)c->tickets_s);
	const bool former =
	    ipc_tickets_read(c->tickets, clock_ms(), &keys) && former_is_used(s, &keys);
	int error = former ? 0 : key_for(s, keys.current);
	if (error >= 0)
		error = enable(s, former ? keys.previous : keys.current);
	s->gives_ticket = error >= 0 && !former;
	explicit_bzero(&keys, sizeof(keys));
	return error;
}
