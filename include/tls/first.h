/*
 * What a client begins with: a TLS record, or what people and programs send to a TLS port by
 * mistake.
 *
 * Pure: bytes in, a word out. Nothing of the client's bytes is ever part of an answer or a record.
 */
#ifndef TLS_FIRST_H
#define TLS_FIRST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_first {
	TLS_FIRST_RECORD, /* a record's type, RFC 8446, 5.1: the rest is for the handshake to judge
			   */
	TLS_FIRST_MORE,   /* it cannot be told yet; at most TLS_FIRST_MAX bytes need to be there */
	TLS_FIRST_SSL2,   /* a ClientHello in the form of SSL 2.0, RFC 5246, E.2 */
	TLS_FIRST_HTTP, /* a request line of HTTP/1, RFC 9112, 3, or HTTP/2's preface, RFC 9113, 3.4
			 */
	TLS_FIRST_SSH,  /* its version, RFC 4253, 4.2 */
	TLS_FIRST_SMTP, /* HELO, EHLO or LHLO, RFC 5321, 4.1.1.1, RFC 2033 */
	TLS_FIRST_PROXY, /* a header of the PROXY protocol, version 1 or 2 */
	TLS_FIRST_OTHER,
};

#define TLS_FIRST_MAX 64

/* Of what has come up to now. complete: nothing more will, so it is not TLS_FIRST_MORE. */
enum tls_first tls_first_of(const uint8_t *data, size_t len, bool complete);

/* For people: NULL for TLS_FIRST_RECORD and TLS_FIRST_MORE. */
const char *tls_first_text(enum tls_first);

#endif
