/*
 * The resolver role: finds the addresses of one port's upstreams that have names, again and again,
 * and writes them where that port's connector reads them (ipc/addresses.h).
 *
 * It asks the name servers of resolv.conf(5) and nobody else: their addresses are in a block of
 * memory that it cannot change. Workers have no way to it. Its states are a holder's
 * (role/holder.h), though nobody asks it anything.
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "role/role.h"

/* Continues after role_begin(); returns the exit status (sysexits(3)). */
int resolver_main(struct role *);

#endif
