/*
 * The connector role: makes the connections of one port to its upstreams, for that port's workers,
 * and checks whether the upstreams work. Its states and its rules are a holder's (role/holder.h).
 *
 * It connects to the addresses of its port's endpoints and to nothing else: the addresses are in a
 * block of memory that it cannot change, and the kernel takes no other pointer from it
 * (ipc/addresses.h). It never sees a request of a client, nor the response to one.
 */
#ifndef CONNECTOR_CONNECTOR_H
#define CONNECTOR_CONNECTOR_H

#include "role/role.h"

/* Continues after role_begin(); returns the exit status (sysexits(3)). */
int connector_main(struct role *);

#endif
