/* TLS as the transport of a connection (net/transport.h). Its context is a struct tls_context. */
#ifndef TLS_TRANSPORT_H
#define TLS_TRANSPORT_H

#include "net/transport.h"

extern const struct transport_ops transport_tls;

#endif
