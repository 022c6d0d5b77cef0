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

#define IPC_ADDRESS_BYTES 128 /* of a place */

/* One address as connect(2) takes it; all zero: none. */
union ipc_address {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_storage storage;
	unsigned char bytes[IPC_ADDRESS_BYTES];
};

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
 * places, 2 * IPC_NAME_ADDRESSES_MAX each. */
size_t ipc_names_size(size_t names);   /* of all, whole pages */
size_t ipc_names_places(size_t names); /* where the places begin, a multiple of a page */
size_t ipc_names_place(size_t name, unsigned turn, size_t address); /* the index of a place */

/* Makes the memory, all zero and sealed against resizing. Returns a descriptor to write by, or
 * -errno. */
int ipc_names_create(size_t names);
/* Another descriptor of it that can only be mapped for reading; or -errno. */
int ipc_names_read_only(int fd);

#endif
