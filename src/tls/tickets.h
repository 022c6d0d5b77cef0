/*
 * Chooses which of a port's ticket keys a session uses; src/tls only.
 *
 * GnuTLS (3.6.10 to 3.8.9 at least) takes one master key per session, derives the key of the day
 * from it and accepts no ticket of another key. It has no call by which another process, such as a
 * keyholder, could hold the ticket key, as there is for private keys.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include "tls/session.h"

/* Call it after the session's first ClientHello was read. Chooses the key that the client's ticket
 * was made with if that key is still accepted, else the current one. A session with a former key
 * sends no new ticket, because that ticket would be of the former key, too.
 *
 * A session is not resumed under another host name than it was made for: never under TLS 1.2 (RFC
 * 6066, 3). TLS 1.3 leaves this to the client (RFC 8446, 4.6.1), so there it applies only if the
 * name chooses among several certificates. In these cases each name has its own keys, derived from
 * the port's.
 *
 * A host that asks for the certificates of clients has no tickets: in a session that is resumed,
 * none would be verified.
 *
 * Returns 0 or a GnuTLS error. */
int tls_tickets_enable(struct tls_session *);

#endif
