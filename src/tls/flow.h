/*
 * What a server's and a client's session have in common: GnuTLS reads from and writes to the wire's
 * memory, and a peer may send only so much that leads to nothing. src/tls only.
 */
#ifndef TLS_FLOW_H
#define TLS_FLOW_H

#include <gnutls/gnutls.h>

#include "tls/session.h"

#define TLS_RECORD_ALERT 21 /* ContentType, RFC 8446, 5.1 */

/* Makes the session in flow->handle use the wire. */
void tls_flow_listen(struct tls_flow *);

/* A call into GnuTLS and its repetitions. */
struct tls_progress {
	size_t in_len;
	unsigned idle;
};
struct tls_progress tls_flow_begin(const struct tls_flow *);

/* Should GnuTLS be called again before waiting, after this result? */
bool tls_flow_goes_on(struct tls_flow *, ssize_t result, struct tls_progress *);

/* To be asked when GnuTLS needs more input; before the calls there were in_len bytes of it. Has the
 * peer sent too many without completing anything? */
bool tls_flow_is_barren(struct tls_flow *, size_t in_len);

/* Did the peer send an alert? Under TLS 1.3 some send it in the clear where it must be
 * encrypted. */
bool tls_flow_has_told(const struct tls_flow *, int result);

/*
 * A peer that refuses the certificate may say so in the clear (OpenSSL does). GnuTLS expects an
 * encrypted record there and only reports that it cannot decrypt it, but people need the alert.
 * Returns its text, or NULL. The record may follow a change_cipher_spec (RFC 8446, D.4).
 */
const char *tls_flow_plain_alert(const uint8_t *in, size_t len);

/* Encrypts all of data: TRANSPORT_OK, or TRANSPORT_FAILED if memory ran out. */
enum transport_result tls_flow_write(struct tls_flow *, const uint8_t *data, size_t len);

#endif
