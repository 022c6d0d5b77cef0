/*
 * Facts of a ClientHello that GnuTLS does not report; src/tls only. They are hints, not checks:
 * GnuTLS refuses a malformed hello (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2).
 */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "tls/session.h"

struct tls_offer;

/* Bits of struct tls_hello's set of extensions. */
#define HELLO_HAS(number)            ((uint64_t)1 << (number))
#define HELLO_SUPPORTED_GROUPS       HELLO_HAS(10)
#define HELLO_SIGNATURE_ALGORITHMS   HELLO_HAS(13)
#define HELLO_SUPPORTED_VERSIONS     HELLO_HAS(43)
#define HELLO_PRE_SHARED_KEY         HELLO_HAS(41)
#define HELLO_PSK_KEY_EXCHANGE_MODES HELLO_HAS(45)

/* Reads the body of the message, another hello of the same client. */
void tls_hello_read(struct tls_hello *, const struct tls_offer *, const uint8_t *data, size_t len);

#endif
