/*
 * The limits of each client of a port: connections, handshakes and requests. Each loop has a table
 * of its own, so that no worker waits for another or learns of its clients.
 *
 * A connection of a client that is over its limit is closed when it is accepted. A handshake is
 * ended before GnuTLS sees its first byte, by the alert access_denied: it costs neither a session
 * nor a signature. A request is answered with 429 (RFC 6585, 4) by the protocol.
 */
#ifndef WORKER_CLIENTS_H
#define WORKER_CLIENTS_H

#include "worker/conn.h"

/* Makes the table, if the port has such limits. Returns 0 or -errno. */
int clients_init(struct worker_loop *);
void clients_release(struct worker_loop *);

/* A connection begins: finds its client, who->limited, which stays NULL if it has no limits. False:
 * it has too many connections, which was counted and logged. */
bool clients_enter(struct worker_loop *, struct http_client *who);
/* The connection ends. */
void clients_leave(struct worker_loop *, struct http_client *who);

/* The first bytes of a handshake have come. False: it is one too many, and the alert is in the
 * wire. */
bool clients_handshake(struct conn *);

/* Of struct exchange_owner. */
uint32_t clients_request(void *connection, const struct exchange *);

#endif
