/*
 * The state of a keyholder, and the faults that a worker of its port was asked to cause in it;
 * src/keyholder only.
 */
#ifndef KEYHOLDER_FAULT_H
#define KEYHOLDER_FAULT_H

#include "ipc/key.h"
#include "role/holder.h"
#include "sign.h"

struct keyholder {
	struct holder holder; /* first */
	struct keyring keys;
	uint64_t garbage; /* this many more answers are malformed: a fault on purpose */
};

static inline struct keyholder *keyholder_of(struct holder *h)
{
	return (struct keyholder *)h;
}

/* Carries out the fault; logs a refusal if the port has no faults. Only the fault "garbage"
 * returns. */
void keyholder_fault(struct holder *, const struct ipc_fault *);
/* Sends the answer as a malformed packet, which states another length than it has. */
void keyholder_fault_answer(struct keyholder *, int fd, struct ipc_key_answer *);

#endif
