/*
 * A port's keys for session tickets, in memory that its workers share and the master alone can
 * write: a new key is everybody's at once, without a message that one of them could miss.
 *
 * Whoever has a key can, until the port uses another one, be that port to every client that holds a
 * ticket (RFC 8446, 8 and C.4; RFC 5077, 5), and a worker that was taken over has it. So the master
 * makes a new one whenever that can have happened, and every now and then.
 *
 * The memory is sealed against new writable mappings (memfd_create(2), F_SEAL_FUTURE_WRITE); a
 * worker maps it before it is sealed itself.
 */
#ifndef IPC_TICKETS_H
#define IPC_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#define IPC_TICKET_KEY_BYTES 64 /* GnuTLS's master key for session tickets */

struct ipc_ticket_keys {
	uint8_t current[IPC_TICKET_KEY_BYTES];
	uint8_t previous[IPC_TICKET_KEY_BYTES];
	uint64_t previous_until_ms; /* CLOCK_MONOTONIC; 0: no ticket of a former key is taken */
};

/* The master fills the pair that is not in use, then says that it is. */
struct ipc_tickets {
	struct ipc_ticket_keys pairs[2];
	uint32_t turn; /* its lowest bit: which pair is in use */
};

/* In the master. Makes the memory, with a fresh key: the descriptor, and where it is mapped for
 * writing, or -errno. */
int ipc_tickets_create(struct ipc_tickets **ret);
/* A fresh key. previous_until_ms: how long tickets of the one that it replaces are taken; 0: not at
 * all. 0, or -EIO without randomness, and nothing has changed. */
int ipc_tickets_renew(struct ipc_tickets *, uint64_t previous_until_ms);
/* Tickets of that key, which comes from a former version of the master, are taken until then. */
void ipc_tickets_inherit(struct ipc_tickets *, const uint8_t key[IPC_TICKET_KEY_BYTES],
			 uint64_t until_ms);
/* The key in use in the memory that a former version has made. 0 or -errno. */
int ipc_tickets_former(int fd, uint8_t ret_key[IPC_TICKET_KEY_BYTES]);

/* For reading. NULL: it cannot be mapped. */
const struct ipc_tickets *ipc_tickets_map(int fd);
void ipc_tickets_unmap(const struct ipc_tickets *);
/* A copy of what is in use, to be overwritten after use. True if a former key is taken as well.
 * Copies again only if a change is made meanwhile: a master that stops in the middle of one holds
 * nobody up. */
bool ipc_tickets_read(const struct ipc_tickets *, uint64_t now_ms, struct ipc_ticket_keys *ret);

#endif
