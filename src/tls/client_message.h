/*
 * The Certificate message of a client: what may be known of it before anything is computed. src/tls
 * only.
 */
#ifndef TLS_CLIENT_MESSAGE_H
#define TLS_CLIENT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/client_fault.h"

#define TLS_CLIENT_BYTES_MAX    16384 /* of one certificate */
#define TLS_CLIENT_RSA_MAX      8192  /* bits of an RSA key */
#define TLS_CLIENT_EXPONENT_MAX 8     /* bytes of its exponent; nearly all have 3 */
#define TLS_CLIENT_KEY_MAX      512   /* bytes of a key of another kind, with its parameters */

/*
 * Judges the message (RFC 8446, 4.4.2; of TLS 1.2: RFC 5246, 7.4.2) by its numbers and sizes: are
 * there at most so many certificates, and is none of them too large or its key too costly? Returns
 * false if the message is malformed; *ret then means nothing.
 */
bool tls_client_message_check(const uint8_t *data, size_t len, bool is_13, unsigned most,
			      enum tls_client_fault *ret);

#endif
