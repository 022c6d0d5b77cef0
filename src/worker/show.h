/* Writes into the slot what this loop is doing, for reports of how the worker ended; src/worker
 * only. */
#ifndef WORKER_SHOW_H
#define WORKER_SHOW_H

#include "worker/conn.h"

void show_connection(const struct conn *); /* its turn begins */
void show_nobody(struct worker_loop *);    /* the turn is over */
void show_forget(const struct conn *);     /* the connection is freed */
/* The function of struct exchange_owner for the exchange whose handler is called. */
void show_entered(void *connection, const struct exchange *);

#endif
