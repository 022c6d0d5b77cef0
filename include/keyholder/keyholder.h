/*
 * The keyholder role: holds the private keys of one port and signs for that port's workers.
 *
 *   starting ──READY──> serving ──DRAIN──> exit 0
 *      └── FAILED, exit EX_CONFIG         (the master's end: exit, at once)
 *
 * SIGTERM is ignored: who signals a whole group lets the workers finish, and they need their key.
 *
 * It never faces the network and never decrypts. Its clients are the event loops of the port's
 * workers, each on a channel of its own (ipc/key.h); any of them may have been taken over.
 */
#ifndef KEYHOLDER_KEYHOLDER_H
#define KEYHOLDER_KEYHOLDER_H

#include "role/role.h"

/* Goes on from role_begin(); returns the exit status (sysexits(3)). */
int keyholder_main(struct role *);

#endif
