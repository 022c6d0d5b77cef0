/* Runs in a keyholder, when the master passes on a worker's request for a fault. Must never do
 * anything if its own configuration has no faults. */
#include "fault.h"

#include <signal.h>
#include <sys/syslog.h>

#include "fault/fault.h"

void keyholder_fault(struct holder *h, const struct ipc_fault *fault)
{
	struct log *log = &h->role->log;
	if (!h->role->port->faults || fault->how >= FAULT_KEY_HOWS) {
		log_write(log, LOG_ERR, "refused a fault: its port has no faults");
		return;
	}
	switch ((enum fault_keyholder)fault->how) {
	case FAULT_KEY_CRASH:
		log_write(log, LOG_NOTICE, "crashes, as it was asked to");
		(void)raise(SIGSEGV);
		break;
	case FAULT_KEY_HANG:
		log_write(log, LOG_NOTICE, "hangs, as it was asked to");
		for (volatile bool forever = true; forever;)
			;
		break;
	case FAULT_KEY_GARBAGE:
		log_write(log, LOG_NOTICE, "answers %u request%s malformed, as it was asked to",
			  fault->count, fault->count == 1 ? "" : "s");
		keyholder_of(h)->garbage = fault->count;
		break;
	case FAULT_KEY_HOWS:
		break;
	}
}

void keyholder_fault_answer(struct keyholder *k, int fd, struct ipc_key_answer *answer)
{
	k->garbage--;
	answer->zero = UINT32_MAX;
	(void)ipc_key_answer(fd, answer);
}
