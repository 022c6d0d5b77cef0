/*
 * What a child writes where the master can read it, even after a kill -9: counters, its present
 * activity, and how it crashed.
 *
 * There is one memfd per child (struct ipc_board), so that no other port can reach it. It has one
 * struct ipc_slot per event loop, and only that loop writes it. So plain loads and relaxed stores
 * are enough, and a process that dies in the middle of a write blocks nobody. It is sealed against
 * resizing, so a child cannot make the master's read fault.
 *
 * The master trusts none of it. It copies what it needs, bounds and escapes it, and prints it. It
 * decides only one thing by it, how long a turn has lasted, and a false value there only hurts the
 * child itself.
 */
#ifndef IPC_SLOT_H
#define IPC_SLOT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/address.h"

/* Why a TLS handshake failed. */
enum ipc_failure {
	IPC_FAILURE_CLOSED,    /* the client closed in the middle of it */
	IPC_FAILURE_TIMEOUT,   /* limits handshake-timeout */
	IPC_FAILURE_VERSION,   /* no version in common */
	IPC_FAILURE_CHOICE,    /* no cipher, group, signature scheme or protocol in common */
	IPC_FAILURE_ALERT,     /* the client refused, for example an unknown issuer */
	IPC_FAILURE_MALFORMED, /* bytes that are not a handshake */
	IPC_FAILURE_KEY,       /* the keyholder gave no signature */
	IPC_FAILURE_MEMORY,    /* the worker is out of memory */
	IPC_FAILURE_OTHER,
	IPC_FAILURES
};

const char *ipc_failure_name(enum ipc_failure); /* "closed" */

/* What a worker ran out of, if it ends for that reason. */
enum ipc_lack { IPC_LACK_NONE, IPC_LACK_MEMORY, IPC_LACK_DESCRIPTORS, IPC_LACKS };

/* Responses by class: [0] ended without a response, [1] unused, [2] 2xx … [5] 5xx. */
#define IPC_CLASSES 6

/* Upper bounds of the latency histogram, in microseconds; one more bucket takes the rest. */
#define IPC_LATENCY_BOUNDS                                                                    \
	{                                                                                     \
		100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, \
		    1000000, 2500000, 5000000, 10000000                                       \
	}
#define IPC_LATENCIES 17

/* Every member is a sum that only grows, so that the counters of a port's workers can be added
 * up. */
struct ipc_counters {
	uint64_t accepted;      /* connections */
	uint64_t limit_reached; /* how often limits connections stopped accepting */
	uint64_t handshakes_full;
	uint64_t handshakes_resumed;
	uint64_t handshakes_failed[IPC_FAILURES];
	uint64_t requests; /* that have ended */
	uint64_t responses[IPC_CLASSES];
	/* from the last byte of the head to the last byte of the response */
	uint64_t latency[IPC_LATENCIES];
	uint64_t bytes_in; /* ciphertext */
	uint64_t bytes_out;
	uint64_t log_dropped; /* records */
	uint64_t signatures;  /* keyholder: made */
	uint64_t refused;     /* keyholder: requests that were refused */
};

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
	uint64_t connections;                /* open now */
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
 * the master's own read-only view; free it with ipc_board_unmap(). */
int ipc_board_create(size_t loops, const struct ipc_board **ret);
/* Maps the same view again from a descriptor of ipc_board_create(). NULL: it is not one. */
const struct ipc_board *ipc_board_view(int fd, size_t loops);
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

/* More than any counter reaches, and no more than JSON can hold (RFC 8259, 6): a false number is
 * capped at this. */
#define IPC_COUNT_MAX (((uint64_t)1 << 53) - 1)

static inline uint64_t ipc_count_add(uint64_t sum, uint64_t part)
{
	return part > IPC_COUNT_MAX - sum ? IPC_COUNT_MAX : sum + part;
}

/* Adds *from, which may be written meanwhile, to *to. */
void ipc_counters_add(struct ipc_counters *to, const struct ipc_counters *from);
/* Counts one request that has ended. */
void ipc_counters_latency(struct ipc_counters *, uint64_t us);

/* Makes a stable copy, with every length and number within its bounds and every text
 * NUL-terminated. The bytes are still whatever the child wrote. */
void ipc_request_copy(struct ipc_request *to, const struct ipc_request *from);
void ipc_crash_copy(struct ipc_crash *to, const struct ipc_crash *from);

#endif
