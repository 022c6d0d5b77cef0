/*
 * What a port's connector knows about its endpoints, in memory that it writes. Its workers choose
 * by it, and the master shows it.
 *
 * The master makes the memory, one per generation of a port, so it outlives connectors. The orders
 * in it are the master's, which writes nothing else; a connector does not write them. Workers map
 * it for reading only. They trust none of it: a wrong state only makes this port
 * choose badly, and every text is bounded and escaped before it is shown.
 */
#ifndef IPC_HEALTH_H
#define IPC_HEALTH_H

#include <stddef.h>
#include <stdint.h>

enum ipc_health_state {
	IPC_HEALTH_UNKNOWN, /* not checked yet, or not at all: it is used */
	IPC_HEALTH_UP,
	IPC_HEALTH_DOWN /* by its checks */
};

/* What `bulkheadctl upstream` says; it has the last word. */
enum ipc_health_order {
	IPC_ORDER_NONE,
	IPC_ORDER_DRAIN, /* no new requests, except those that must go there; what runs goes on */
	IPC_ORDER_DOWN   /* none at all */
};

#define IPC_HEALTH_TEXT_MAX 128

/* One endpoint. The number of changes is odd while it is being changed. */
struct ipc_health {
	uint32_t changes;
	uint32_t state;     /* enum ipc_health_state */
	uint32_t order;     /* enum ipc_health_order */
	uint32_t addresses; /* that its name has now; 1 for a number or a Unix socket */
	uint64_t since_ms;  /* CLOCK_MONOTONIC, of the state */
	uint64_t checks, checks_failed;
	uint64_t connected, connects_failed;
	char why[IPC_HEALTH_TEXT_MAX]; /* the last failure; "": none yet. Terminated */
};

struct ipc_healths {
	uint32_t count;
	uint32_t zero;
	struct ipc_health list[]; /* by the index in conf_port.endpoints */
};

/* Makes the memory, sealed against resizing. Returns the descriptor to write by, or -errno. */
int ipc_health_create(size_t count);
/* Another descriptor of it, which can only be mapped for reading; or -errno. */
int ipc_health_read_only(int fd);

/* Maps it; NULL: that failed, or it is no memory for so many. */
struct ipc_healths *ipc_health_map(int fd, size_t count);
const struct ipc_healths *ipc_health_look(int fd, size_t count);
void ipc_health_unmap(const struct ipc_healths *, size_t count);

/* For the connector: between the two, it changes one. */
static inline void ipc_health_begin(struct ipc_health *h)
{
	/* an exchange, since nothing that follows may come before it */
	(void)__atomic_exchange_n(&h->changes, h->changes + 1, __ATOMIC_ACQ_REL);
}
static inline void ipc_health_end(struct ipc_health *h)
{
	__atomic_store_n(&h->changes, h->changes + 1, __ATOMIC_RELEASE);
}

/* For the master. */
static inline void ipc_health_set_order(struct ipc_health *h, enum ipc_health_order order)
{
	__atomic_store_n(&h->order, (uint32_t)order, __ATOMIC_RELAXED);
}

/* For the master, before a connector has the memory: what an earlier one has found goes on. */
void ipc_health_inherit(struct ipc_health *, const struct ipc_health *from);

/* For each request: one look. */
static inline enum ipc_health_state ipc_health_state(const struct ipc_health *h)
{
	return (enum ipc_health_state)__atomic_load_n(&h->state, __ATOMIC_RELAXED);
}
static inline enum ipc_health_order ipc_health_order(const struct ipc_health *h)
{
	return (enum ipc_health_order)__atomic_load_n(&h->order, __ATOMIC_RELAXED);
}

/* Copies one as it is now, bounded and terminated. It tries a few times, so a writer that stops in
 * the middle blocks nobody. */
void ipc_health_read(const struct ipc_health *, struct ipc_health *ret);

#endif
