/* What is shown of a client's certificate; src/tls only. */
#ifndef TLS_CLIENT_FACTS_H
#define TLS_CLIENT_FACTS_H

#include <gnutls/x509.h>

#include "net/transport.h"

/* raw: the bytes that it was parsed from. */
void tls_client_facts(gnutls_x509_crt_t, const gnutls_datum_t *raw,
		      struct transport_certificate *ret);

#endif
