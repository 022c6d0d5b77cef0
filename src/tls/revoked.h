/*
 * A list of revoked certificates (RFC 5280, 5.1) as a sorted array of their serial numbers; src/tls
 * only. GnuTLS keeps ten times the size of such a list in memory and reads it from its beginning
 * for each certificate: with a large list that would stall an event loop for seconds.
 */
#ifndef TLS_REVOKED_H
#define TLS_REVOKED_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"

#define REVOKED_SERIAL_MAX 20 /* bytes: RFC 5280, 4.1.2.2 */

struct tls_serial {
	uint8_t len;
	uint8_t bytes[REVOKED_SERIAL_MAX]; /* without leading zeros */
};

struct tls_revoked {
	gnutls_datum_t issuer; /* its name, in DER */
	struct tls_serial *serials;
	size_t count;
	time_t made; /* when it was made; 0: in a form that cannot be read */
	time_t next; /* when the next list is due; 0: it does not say */
};

/* Reads one list in DER, and checks that one of the authorities has signed it. Returns 0; or a
 * GnuTLS error, and *ret_why, a static text. */
int tls_revoked_read(const gnutls_datum_t *der, const gnutls_x509_crt_t *authorities,
		     unsigned authorities_count, struct tls_revoked *ret, const char **ret_why);
bool tls_revoked_has(const struct tls_revoked *, gnutls_x509_crt_t);
void tls_revoked_release(struct tls_revoked *);

#endif
