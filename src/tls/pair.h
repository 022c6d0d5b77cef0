/* A certificate and its key: do they belong together? src/tls only. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include <gnutls/abstract.h>

#include "base/err.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/scheme.h"

struct tls_pair_use {
	enum tls_side side;        /* that shows the certificate */
	unsigned number;           /* of the key in the keyholder */
	struct tls_signer *signer; /* NULL: the key is loaded here */
};

/* Gets the pair's key, which the caller frees, and checks that it signs for the certificate. 0; or
 * -1, or -EAGAIN out of memory, with a sentence in err. */
int tls_pair_key(const struct tls_pair *, const struct tls_chain *, const struct tls_pair_use *,
		 gnutls_privkey_t *ret, struct err *);

/* The same for an error of GnuTLS about its certificate. */
int tls_pair_unusable(const struct tls_pair *, int error, struct err *);

#endif
