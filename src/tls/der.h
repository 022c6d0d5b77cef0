/*
 * DER, element by element (X.690, 8.1), without a copy; src/tls only. It is for bytes of which
 * GnuTLS reads the whole, or not at all: a list of a million entries, a certificate of which one
 * number is wanted.
 */
#ifndef TLS_DER_H
#define TLS_DER_H

#include <stdint.h>

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BITS = 0x03,
	DER_OCTETS = 0x04,
	DER_OBJECT = 0x06,
	DER_UTC_TIME = 0x17,
	DER_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_EXPLICIT_0 = 0xa0,
};

struct der {
	const uint8_t *at, *end;
};

/* Takes the next element: its content, and in *ret_all, unless that is NULL, with its head. Returns
 * its tag, or 0: there is none, or it is cut off. */
unsigned der_take(struct der *, struct der *ret, struct der *ret_all);
/* The tag of the next element; 0: there is none. */
unsigned der_peek(const struct der *);

#endif
