/*
 * The alert that reports a failure (RFC 8446, 6.2; RFC 5246, 7.2.2); src/tls only.
 */
#ifndef TLS_ALERT_H
#define TLS_ALERT_H

#include <gnutls/gnutls.h>

#include "tls/session.h"

/* The alert for the GnuTLS error that ended the session; always a fatal one. */
gnutls_alert_description_t tls_alert_of(const struct tls_session *, int error);

#endif
