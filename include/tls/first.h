/*
 * Recognizes the first bytes of a client: a TLS record, or the other protocols that people and
 * programs send to a TLS port by mistake.
 *
 * Pure: bytes in, an enum out. No byte from the client becomes part of a response or a record.
 */
#ifndef TLS_FIRST_H
#define TLS_FIRST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_first {
	/* the type of a TLS record, RFC 8446, 5.1: the handshake judges the rest */
	TLS_FIRST_RECORD,
	TLS_FIRST_MORE, /* undecided; at most TLS_FIRST_MAX bytes are needed */
	TLS_FIRST_SSL2, /* a ClientHello in SSL 2.0 form, RFC 5246, E.2 */
	/* a request line of HTTP/1, RFC 9112, 3, or the preface of HTTP/2, RFC 9113, 3.4 */
	TLS_FIRST_HTTP,
	TLS_FIRST_SSH,   /* its version line, RFC 4253, 4.2 */
	TLS_FIRST_SMTP,  /* HELO, EHLO or LHLO, RFC 5321, 4.1.1.1, RFC 2033 */
	TLS_FIRST_PROXY, /* a header of the PROXY protocol, version 1 or 2 */
	TLS_FIRST_OTHER,
};

#define TLS_FIRST_MAX 64

/* Judges the bytes received so far. complete: no more will come, so the answer is not
 * TLS_FIRST_MORE. */
enum tls_first tls_first_of(const uint8_t *data, size_t len, bool complete);

/* A sentence for people; NULL for TLS_FIRST_RECORD and TLS_FIRST_MORE. */
const char *tls_first_text(enum tls_first);

#endif
