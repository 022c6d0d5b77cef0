/*
 * Faults of a keyholder that a worker of its port was asked to cause; src/keyholder only.
 */
#ifndef KEYHOLDER_FAULT_H
#define KEYHOLDER_FAULT_H

#include "channel.h"
#include "ipc/key.h"

/* Carries out the fault; logs a refusal if the port has no faults. Only the fault "garbage"
 * returns. */
void keyholder_fault(struct keyholder *, const struct ipc_fault *);
/* Sends the answer as a malformed packet, which states another length than it has. */
void keyholder_fault_answer(struct keyholder *, int fd, struct ipc_key_answer *);

#endif
