/*
 * Counters that a child leaves where the master can read them, even after a kill -9.
 *
 * One memfd per child, one struct ipc_slot per event loop in it, written by that loop
 * alone (so plain loads and relaxed stores do), read by the master at any time. Sealed against
 * resizing: a child cannot make the master's read fault. The master treats the numbers as
 * hearsay: it prints them and decides nothing by them.
 */
#ifndef IPC_SLOT_H
#define IPC_SLOT_H

#include <stddef.h>
#include <stdint.h>

struct ipc_slot {
	_Alignas(64) uint64_t connections; /* worker: open now */
	uint64_t accepted;                 /* worker */
	uint64_t requests;                 /* worker */
	uint64_t signatures;               /* keyholder: made */
	uint64_t refused;                  /* keyholder: requests that were not */
	uint64_t violation; /* the number of a forbidden system call plus one; 0: none */
};

/* Makes the memory for so many loops: a descriptor for the child, or -errno. *ret is the master's
 * own, read-only view, ended with ipc_slots_unmap(). */
int ipc_slots_create(size_t count, const struct ipc_slot **ret);
/* The child's view: NULL if the descriptor does not hold so many. */
struct ipc_slot *ipc_slots_map(int fd, size_t count);
void ipc_slots_unmap(const struct ipc_slot *, size_t count);

/* Adds in the owning loop; no other writer, so no locked instruction. */
static inline void ipc_slot_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline uint64_t ipc_slot_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
