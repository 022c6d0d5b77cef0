/*
 * What a keyholder does wrong because a worker of its port was asked for it: src/keyholder only.
 */
#ifndef KEYHOLDER_FAULT_H
#define KEYHOLDER_FAULT_H

#include "channel.h"
#include "ipc/key.h"

/* Does it; refused, with a record, where the port has no faults. Comes back from garbage alone. */
void keyholder_fault(struct keyholder *, const struct ipc_fault *);
/* The answer, spoiled: a packet that says another length than it has. */
void keyholder_fault_answer(struct keyholder *, int fd, struct ipc_key_answer *);

#endif
