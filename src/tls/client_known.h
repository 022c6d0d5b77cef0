/*
 * The chains of clients that an event loop has found good a short time ago, with what is shown of
 * them; src/tls only. A client that connects again then costs one signature to verify, its own.
 *
 * Whether a chain is good depends on its bytes, the authorities, the lists of what is revoked, and
 * the time. The table has the SHA-256 of the bytes. Authorities and lists never change while a
 * process lives, and the time is part of each entry: none counts after a certificate of it or an
 * authority has expired, nor for more than ten minutes, nor if the clock was put back. That the
 * client has the key is verified in each handshake, as without the table. Chains that are not good
 * are not kept: a stranger can change nothing in it.
 */
#ifndef TLS_CLIENT_KNOWN_H
#define TLS_CLIENT_KNOWN_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "ipc/channel.h" /* IPC_DIGEST_BYTES */
#include "net/transport.h"

#define TLS_KNOWN_MAX   256 /* chains; one more takes the place of another one */
#define TLS_KNOWN_MAX_S 600

struct tls_clients;
struct tls_known; /* of one event loop */

/* NULL: out of memory. */
struct tls_known *tls_known_new(void);
void tls_known_free(struct tls_known *);

/* What a chain is known by, in the order in which the client has sent it. False: it could not be
 * computed; the chain can be neither found nor added. */
bool tls_known_name(const gnutls_datum_t *chain, unsigned count, uint8_t ret[IPC_DIGEST_BYTES]);
/* NULL: it was not found good by these authorities lately. Valid until the next call. */
const struct transport_certificate *tls_known_find(struct tls_known *, const struct tls_clients *,
						   const uint8_t name[IPC_DIGEST_BYTES],
						   time_t now);
/* The chain was found good now, and is so until then. */
void tls_known_add(struct tls_known *, const struct tls_clients *,
		   const uint8_t name[IPC_DIGEST_BYTES], time_t now, time_t until,
		   const struct transport_certificate *);

#endif
