/*
 * The addresses of a port's endpoints, in a form that a filter of system calls can judge.
 *
 * A filter sees the pointer that a process gives to connect(2), and not what it points to. So the
 * addresses that a process may connect to are in one block of memory, whose size is a power of two
 * and whose address is a multiple of it, in places of 128 bytes each. The filter allows connect()
 * with a pointer to such a place alone, and nothing that would put other memory there
 * (sandbox/sandbox.h). The process itself can only read the block.
 *
 *   block:  fixed places (numbers and Unix paths, made before the process is sealed)
 *           places of names (the resolver's memory, which the connector can only read)
 *
 * A place that is in use does not change: the resolver writes new addresses into other places, then
 * switches the list of the endpoint (struct ipc_names).
 */
#ifndef IPC_ADDRESSES_H
#define IPC_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/network.h"

#define IPC_ADDRESS_BYTES 128 /* of a place */
/* The length for connect(2), whatever is in the place (sandbox/sandbox.h). */
#define IPC_ADDRESS_LEN ((socklen_t)sizeof(struct sockaddr_un))

/* One address as connect(2) takes it; all zero: none. */
union ipc_address {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_storage storage;
	unsigned char bytes[IPC_ADDRESS_BYTES];
};

/* An address of TCP or UDP. */
void ipc_address_put(union ipc_address *ret, const struct network_address *, uint16_t port);

/* --- names ------------------------------------------------------------------------------------ */

#define IPC_NAME_ADDRESSES_MAX 16 /* of one name; the others are left out */

/* The addresses of one endpoint with a name, of the resolver. There are two lists, of which turn's
 * lowest bit names the present one. */
struct ipc_name {
	uint32_t turn;
	uint32_t failed; /* the last question had no answer: enum ipc_name_failure */
	uint32_t counts[2];
	uint64_t resolved_ms; /* CLOCK_MONOTONIC; 0: never */
	uint64_t zero;
};

enum ipc_name_failure { IPC_NAME_OK, IPC_NAME_UNKNOWN, IPC_NAME_NO_ANSWER, IPC_NAME_FAILED };

/* The memory for that: first a struct ipc_name for each, then from a multiple of a page on their
 * places, 2 * IPC_NAME_ADDRESSES_MAX each. A name's number is that of its endpoint among those with
 * a name (conf_endpoint.named), in their order. */
size_t ipc_names_size(size_t names);   /* of all, whole pages */
size_t ipc_names_places(size_t names); /* where the places begin, a multiple of a page */
/* The index of a place among those of names. */
static inline size_t ipc_names_place(size_t name, unsigned turn, size_t address)
{
	return (2 * name + (turn & 1)) * IPC_NAME_ADDRESSES_MAX + address;
}

/* Makes the memory, all zero and sealed against resizing. Returns a descriptor to write by, or
 * -errno. */
int ipc_names_create(size_t names);
/* Another descriptor of it that can only be mapped for reading; or -errno. */
int ipc_names_read_only(int fd);

/* For the resolver: maps all of it. NULL: that failed, or it is no memory for so many. */
struct ipc_name *ipc_names_map(int fd, size_t names);
void ipc_names_unmap(const struct ipc_name *, size_t names);
/* Writes the name's other list, at most IPC_NAME_ADDRESSES_MAX, and makes it the present one. A
 * connector that is about to use a place of the list before must not find another address in it:
 * so a list should stay for a second at least. */
void ipc_names_put(struct ipc_name *all, size_t names, size_t name, const union ipc_address *list,
		   size_t count);

/* For the connector: how many addresses the name has now, and the first one's index among the
 * places of names. The resolver may have been taken over, so the number is bounded, but what is in
 * a place may be anything, and may change. */
size_t ipc_names_read(const struct ipc_name *, size_t name, size_t *ret_first);

/* --- the block -------------------------------------------------------------------------------- */

struct ipc_block {
	const union ipc_address *places; /* a multiple of bytes */
	size_t bytes;                    /* a power of two */
	size_t count;                    /* of the places that are meant to be used */
	size_t names_first;              /* the first place of names; they come last */
	const struct ipc_name *names;    /* read-only; NULL: there are none */
	size_t names_count;
};

/*
 * Makes the block, before the process is sealed: places for the fixed addresses, in their order,
 * and for those of names, if names_fd is not -1. All of it can only be read, and no mprotect(2)
 * changes that, neither where nothing is in it. From now on malloc(3) takes its memory from brk(2),
 * because a sealed process with a block cannot unmap anything. Returns 0 or -errno.
 */
int ipc_block_make(const union ipc_address *fixed, size_t fixed_count, int names_fd,
		   size_t names_count, struct ipc_block *ret);

#endif
