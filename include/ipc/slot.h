/*
 * What a child leaves where the master can read it, even after a kill -9: counters, what it is at,
 * and how it crashed.
 *
 * One memfd per child (struct ipc_board), so that no other port can reach it; in it one struct
 * ipc_slot per event loop, written by that loop alone: plain loads and relaxed stores do, and
 * nothing that a dying process leaves behind can stop anyone. Sealed against resizing: a child
 * cannot make the master's read fault.
 *
 * All of it is hearsay to the master. It copies what it uses, bounds and escapes it, prints it, and
 * decides nothing by it but how long a turn has lasted, which only hurts whoever lies about it.
 */
#ifndef IPC_SLOT_H
#define IPC_SLOT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Why a TLS handshake came to nothing. */
enum ipc_failure {
	IPC_FAILURE_CLOSED,    /* the client ended in the middle of it */
	IPC_FAILURE_TIMEOUT,   /* limits handshake-timeout */
	IPC_FAILURE_VERSION,   /* no version in common */
	IPC_FAILURE_CHOICE,    /* no cipher, group, signature scheme or protocol in common */
	IPC_FAILURE_ALERT,     /* the client refused: an unknown issuer, for one */
	IPC_FAILURE_MALFORMED, /* bytes that are no handshake */
	IPC_FAILURE_KEY,       /* no signature could be had of the keyholder */
	IPC_FAILURE_MEMORY,    /* the worker has none left */
	IPC_FAILURE_OTHER,
	IPC_FAILURES
};

const char *ipc_failure_name(enum ipc_failure); /* "closed" */

/* What a worker has run out of, when it ends for that. */
enum ipc_lack { IPC_LACK_NONE, IPC_LACK_MEMORY, IPC_LACK_DESCRIPTORS, IPC_LACKS };

/* Responses by class: [0] ended without any, [1] unused, [2] 2xx … [5] 5xx. */
#define IPC_CLASSES 6

/* Upper bounds of the latency histogram, in microseconds; one more bucket takes the rest. */
#define IPC_LATENCY_BOUNDS                                                                    \
	{                                                                                     \
		100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, \
		    1000000, 2500000, 5000000, 10000000                                       \
	}
#define IPC_LATENCIES 17

/* Every member is a sum that only grows, so that those of a port's workers can be added up. */
struct ipc_counters {
	uint64_t accepted;      /* connections */
	uint64_t limit_reached; /* times that accepting stopped at limits connections */
	uint64_t handshakes_full;
	uint64_t handshakes_resumed;
	uint64_t handshakes_failed[IPC_FAILURES];
	uint64_t requests; /* that have ended */
	uint64_t responses[IPC_CLASSES];
	uint64_t latency[IPC_LATENCIES]; /* from the head's last byte to the response's */
	uint64_t bytes_in;               /* ciphertext */
	uint64_t bytes_out;
	uint64_t log_dropped; /* records */
	uint64_t signatures;  /* keyholder: made */
	uint64_t refused;     /* keyholder: requests that were not */
};

#define IPC_METHOD_MAX 16
#define IPC_TARGET_MAX 256
#define IPC_CLIENT_MAX 46
#define IPC_ID_MAX     32

/* What a loop is at. Raw bytes of the client, cut; may be torn between two requests. */
struct ipc_request {
	uint16_t method_len; /* 0: a handshake, or a request of which no head is there */
	uint16_t target_len;
	uint16_t client_port; /* 0: none */
	char client[IPC_CLIENT_MAX];
	char id[IPC_ID_MAX];
	char method[IPC_METHOD_MAX];
	char target[IPC_TARGET_MAX];
};

#define IPC_FRAMES_MAX 32

/* crash/recorder.h writes it, in the order of the members. */
struct ipc_crash {
	int32_t code;       /* si_code, sigaction(2) */
	int32_t call;       /* SIGSYS: the system call */
	uint64_t address;   /* that could not be used; 0 where the signal has none */
	int32_t sender_pid; /* where somebody sent it: 0 else */
	uint32_t sender_uid;
	uint64_t pc;
	int32_t signal; /* 0: no crash; the above is complete once it is there */
	uint32_t frames_count;
	uint64_t frames[IPC_FRAMES_MAX]; /* return addresses, the innermost first */
};

struct ipc_slot {
	_Alignas(64) uint64_t busy_since_ms; /* CLOCK_MONOTONIC; 0: waits for events */
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

/* A program or library that is mapped: what an address belongs to. */
struct ipc_module {
	uint64_t bias; /* what to subtract for the address that it was linked for */
	uint64_t start;
	uint64_t end;
	uint8_t build_id[IPC_MODULE_BUILDID]; /* its first bytes; 0: none */
	char name[IPC_MODULE_NAME];           /* without the folder; "": the program itself */
};

struct ipc_board {
	uint32_t modules_count;
	struct ipc_module modules[IPC_MODULES_MAX];
	struct ipc_slot slots[];
};

/* Makes the memory for so many loops: a descriptor for the child, or -errno. *ret is the master's
 * own, read-only view, ended with ipc_board_unmap(). */
int ipc_board_create(size_t loops, const struct ipc_board **ret);
/* The same view again, of a descriptor that ipc_board_create() made. NULL: it is none. */
const struct ipc_board *ipc_board_view(int fd, size_t loops);
/* The child's view: NULL if the descriptor does not hold so many. */
struct ipc_board *ipc_board_map(int fd, size_t loops);
void ipc_board_unmap(const struct ipc_board *, size_t loops);

/* Adds in the owning loop; no other writer, so no locked instruction. */
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

/* More than anything counts to, and what JSON can hold (RFC 8259, 6): who lies about a number makes
 * it no larger than this. */
#define IPC_COUNT_MAX (((uint64_t)1 << 53) - 1)

static inline uint64_t ipc_count_add(uint64_t sum, uint64_t part)
{
	return part > IPC_COUNT_MAX - sum ? IPC_COUNT_MAX : sum + part;
}

/* Adds what is in *from, which somebody may be writing, to *to. */
void ipc_counters_add(struct ipc_counters *to, const struct ipc_counters *from);
/* One request has ended. */
void ipc_counters_latency(struct ipc_counters *, uint64_t us);

/* A copy that nobody writes any more, with every length and number within its bounds and every text
 * terminated; the bytes are still whatever the child has put there. */
void ipc_request_copy(struct ipc_request *to, const struct ipc_request *from);
void ipc_crash_copy(struct ipc_crash *to, const struct ipc_crash *from);

#endif
