/* Client certificates in a session; src/tls only. */
#ifndef TLS_CLIENTS_PRIVATE_H
#define TLS_CLIENTS_PRIVATE_H

#include <gnutls/gnutls.h>

#include "tls/client_fault.h"
#include "tls/clients.h"
#include "tls/session.h"

const char *tls_client_fault_text(enum tls_client_fault);
/* RFC 8446, 6.2; RFC 5246, 7.2.2. */
gnutls_alert_description_t tls_client_fault_alert(enum tls_client_fault, gnutls_protocol_t);

/* The session's host asks for a certificate, before the server answers the hello. */
int tls_clients_ask(struct tls_session *);
/* The client's Certificate message has come, and nothing in it was used: is it worth computing?
 * Returns 0 or a GnuTLS error. */
int tls_clients_admit(struct tls_session *, const gnutls_datum_t *message);
/* Makes these credentials verify the certificates of clients by their session's host, and keep the
 * facts in the session. */
void tls_clients_verify_with(gnutls_certificate_credentials_t);

#endif
