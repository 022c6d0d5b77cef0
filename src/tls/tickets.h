/*
 * Which of a port's ticket keys a session uses: src/tls only.
 *
 * GnuTLS (3.6.10 to 3.8.9 at least) takes one master key a session, makes the key of the day of it
 * and takes no ticket of another. There is no call by which it could leave the key with somebody
 * else, a keyholder for one, as it can with a private key.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include "tls/session.h"

/* Once the session's first ClientHello has been read: the key that its ticket was made with, if
 * that is still taken, else the one in use. A session that used a former one gives no new ticket,
 * since it would be of that.
 *
 * A session is not resumed under another host name than it was made for: under TLS 1.2 never (RFC
 * 6066, 3), under TLS 1.3, which leaves it to the client (RFC 8446, 4.6.1), not where the name
 * chooses among certificates. Each name has keys of its own there, made of the port's.
 * 0 or a GnuTLS error. */
int tls_tickets_enable(struct tls_session *);

#endif
