/* What is counted and logged of requests and handshakes; src/worker only. */
#ifndef WORKER_ACCESS_H
#define WORKER_ACCESS_H

#include "worker/conn.h"

/* The functions of struct exchange_owner that stamp and record exchanges. */
void access_begun(void *connection, struct exchange *);
void access_done(void *connection, const struct exchange *);

/* Counts and logs a failed handshake: its enum ipc_failure, and the reason in words. If the client
 * sent no byte (a port scanner, a browser that connects in advance), it is only counted. */
void access_handshake_failed(struct conn *, unsigned kind, const char *text);

/* The same for a connection that ends because of its PROXY header, which has no handshake. */
void access_header_refused(struct conn *, const char *text);

#endif
