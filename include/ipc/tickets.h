/*
 * A port's keys for session tickets, in memory that its workers share and only the master can
 * write. All workers use a new key at once, and no message can be missed.
 *
 * Anyone who has the key can, until the port uses another one, pose as that port to every client
 * that holds a ticket (RFC 8446, 8 and C.4; RFC 5077, 5), and a worker that was taken over has it.
 * So the master makes a new key whenever that may have happened, and at regular intervals.
 *
 * The memory is sealed against new writable mappings (memfd_create(2), F_SEAL_FUTURE_WRITE). A
 * worker maps it before the worker itself is sealed.
 */
#ifndef IPC_TICKETS_H
#define IPC_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#define IPC_TICKET_KEY_BYTES 64 /* GnuTLS's master key for session tickets */

struct ipc_ticket_keys {
	uint8_t current[IPC_TICKET_KEY_BYTES];
	uint8_t previous[IPC_TICKET_KEY_BYTES];
	/* CLOCK_MONOTONIC; 0: tickets of the previous key are not accepted */
	uint64_t previous_until_ms;
};

/* The master fills the pair that is not in use, then switches to it. */
struct ipc_tickets {
	struct ipc_ticket_keys pairs[2];
	uint32_t turn; /* the lowest bit is the index of the pair in use */
};

/* For the master: makes the memory with a new key. Returns the descriptor and sets *ret to the
 * writable mapping, or returns -errno. */
int ipc_tickets_create(struct ipc_tickets **ret);
/* Makes a new key. Tickets of the old key are accepted until previous_until_ms; 0: no longer at
 * all. Returns 0, or -EIO without randomness, and nothing has changed. */
int ipc_tickets_renew(struct ipc_tickets *, uint64_t previous_until_ms);
/* Accepts tickets of this key, which an earlier version of the master used, until until_ms. */
void ipc_tickets_inherit(struct ipc_tickets *, const uint8_t key[IPC_TICKET_KEY_BYTES],
			 uint64_t until_ms);
/* Reads the key in use from the memory that an earlier version of the master made. Returns 0 or
 * -errno. */
int ipc_tickets_former(int fd, uint8_t ret_key[IPC_TICKET_KEY_BYTES]);

/* Maps it for reading. NULL: that failed. */
const struct ipc_tickets *ipc_tickets_map(int fd);
void ipc_tickets_unmap(const struct ipc_tickets *);
/* Copies the keys in use; the caller wipes the copy after use. True if the previous key is
 * accepted, too. It retries only if the master changed the keys meanwhile, so a master that stops
 * in the middle of a change blocks nobody. */
bool ipc_tickets_read(const struct ipc_tickets *, uint64_t now_ms, struct ipc_ticket_keys *ret);

#endif
