/*
 * What a child writes where the master can read it, even after a kill -9: counters, its present
 * activity, and how it crashed.
 *
 * There is one memfd per child (struct ipc_board), so that no other port can reach it. It has one
 * struct ipc_slot per event loop, and only that loop writes it. So plain loads and relaxed stores
 * are enough, and a process that dies in the middle of a write blocks nobody. It is sealed against
 * resizing, so a child cannot make the master's read fault.
 *
 * The master trusts none of it. It copies what it needs (ipc/view.h), bounds and escapes it, and
 * prints it. It decides only one thing by it, how long a turn has lasted, and a false value there
 * only hurts the child itself.
 *
 * A child may outlive the version of the program that started it, so another version may read this
 * memory. Members may be added, moved and left out; their names must keep their meaning, and
 * struct ipc_request, ipc_crash and ipc_module may only grow at their ends.
 */
#ifndef IPC_SLOT_H
#define IPC_SLOT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/address.h"
#include "ipc/counters.h"

/* What a worker ran out of, if it ends for that reason. */
enum ipc_lack { IPC_LACK_NONE, IPC_LACK_MEMORY, IPC_LACK_DESCRIPTORS, IPC_LACKS };

#define IPC_METHOD_MAX 16
#define IPC_TARGET_MAX 256
#define IPC_ID_MAX     32

/* What a loop is doing. Raw bytes from the client, cut; may mix two requests. */
struct ipc_request {
	uint16_t method_len; /* 0: a handshake, or a request whose head has not arrived */
	uint16_t target_len;
	uint16_t client_port; /* 0: none */
	char client[ADDRESS_TEXT_MAX];
	char id[IPC_ID_MAX];
	char method[IPC_METHOD_MAX];
	char target[IPC_TARGET_MAX];
};

#define IPC_FRAMES_MAX 32

/* crash/recorder.h writes this, in the order of the members. */
struct ipc_crash {
	int32_t code;       /* si_code, sigaction(2) */
	int32_t call;       /* SIGSYS: the system call */
	uint64_t address;   /* the address that could not be accessed; 0 if the signal has none */
	int32_t sender_pid; /* if a process sent the signal; else 0 */
	uint32_t sender_uid;
	uint64_t pc;
	int32_t signal; /* 0: no crash; it is written last, when the members above are complete */
	uint32_t frames_count;
	uint64_t frames[IPC_FRAMES_MAX]; /* return addresses, the innermost first */
};

struct ipc_slot {
	_Alignas(64) uint64_t busy_since_ms; /* CLOCK_MONOTONIC; 0: the loop waits for events */
	int32_t thread;                      /* gettid(2) of the loop's thread */
	uint32_t lack;                       /* enum ipc_lack */
	struct ipc_counters counters;
	struct ipc_request request;
	struct ipc_crash crash;
};

#define IPC_MODULES_MAX    24
#define IPC_MODULE_NAME    32
#define IPC_MODULE_BUILDID 8

/* A program or library that is mapped, to resolve addresses. */
struct ipc_module {
	uint64_t bias; /* subtract it from an address to get the linked one */
	uint64_t start;
	uint64_t end;
	uint8_t build_id[IPC_MODULE_BUILDID]; /* its first bytes; all 0: unknown */
	char name[IPC_MODULE_NAME];           /* without the directory; "": the program itself */
};

struct ipc_board {
	uint32_t modules_count;
	struct ipc_module modules[IPC_MODULES_MAX];
	struct ipc_slot slots[];
};

/* Makes the memory for this many loops. Returns the descriptor for the child, or -errno. *ret is
 * the master's own read-only mapping, for ipc_view_own() (ipc/view.h) or ipc_board_unmap(). */
int ipc_board_create(size_t loops, const struct ipc_board **ret);
/* The child's writable view. NULL: the memory is too small for so many loops. */
struct ipc_board *ipc_board_map(int fd, size_t loops);
void ipc_board_unmap(const struct ipc_board *, size_t loops);

/* Adds in the owning loop. There is no other writer, so no locked instruction is needed. */
static inline void ipc_slot_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void ipc_slot_put(uint64_t *number, uint64_t value)
{
	__atomic_store_n(number, value, __ATOMIC_RELAXED);
}

static inline uint64_t ipc_slot_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Counts one request that has ended. */
void ipc_counters_latency(struct ipc_counters *, uint64_t us);

/* For copies of what a child wrote: bound every length and number, and terminate every text. */
void ipc_request_bound(struct ipc_request *);
void ipc_crash_bound(struct ipc_crash *);

#endif
