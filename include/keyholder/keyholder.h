/*
 * The keyholder role: holds the private keys of one port and signs for that port's workers.
 *
 *   starting ──READY──> serving ──DRAIN──> exit 0
 *      └── FAILED, exit EX_CONFIG         (the master dies: exit at once)
 *
 * It ignores SIGTERM: if a whole process group gets it, the workers finish first, and they need the
 * keys.
 *
 * It never faces the network and never decrypts. Its clients are the event loops of the port's
 * workers, each on its own channel (ipc/key.h); any worker may have been taken over.
 */
#ifndef KEYHOLDER_KEYHOLDER_H
#define KEYHOLDER_KEYHOLDER_H

#include "role/role.h"

/* Continues after role_begin(); returns the exit status (sysexits(3)). */
int keyholder_main(struct role *);

#endif
